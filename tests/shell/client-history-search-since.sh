#!/usr/bin/env bash
# `chinwag history`, `search` and `tail --since` print past messages as tail prints live ones; tail goes on with live ones.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

serve --data "$work/chat.db"
join alice nc.openbsd -N "$host" "$port"
for number in {1..25}; do say alice "MSG tea number $number"; done
sync alice
first=${skipped[0]#OK MSG }

like() {
    # shellcheck disable=SC2053 # it is meant as a pattern
    [[ $2 == $1 ]] || fail "${2@Q} is not like ${1@Q}"
}

# Checks the number of lines that the client prints: prints COUNT ARGUMENTS...
prints() {
    "${client[@]}" --nick bob "${@:2}" >"$work/out"
    mapfile -t lines <"$work/out"
    same "$1" "${#lines[@]}"
}

prints 20 history
like '??:?? alice: tea number 6' "${lines[0]}"
like '??:?? alice: tea number 25' "${lines[19]}"
prints 2 history 2 --json
like '{"from":"alice","id":*,"text":"tea number 24","time":"*","type":"past"}' "${lines[0]}"
prints 1 search NUMBER 7
like '??:?? alice: tea number 7' "${lines[0]}"
prints 0 search coffee

connect tail "${client[@]}" tail --nick tail --since "$((first + 22))" --count 3
hear tail '??:?? alice: tea number 24' '??:?? alice: tea number 25'
hear_to alice 'JOIN tail'
say alice 'MSG and this'
hear tail '??:?? alice: and this'
hear_end tail
hear alice 'OK MSG *' 'LEAVE tail quit'
status=0
"${client[@]}" tail --since 1 --epoch other 2>"$work/err" || status=$?
same 1 "$status"
grep -q '^chinwag: the epoch is .*: ids of another epoch are not valid' "$work/err"
