#!/usr/bin/env bash
# The client's exit codes; of each error one line on standard error, and nothing on standard output.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

ends() {
    local expected=$1 words=$2
    shift 2
    status=0
    timeout "$deadline" "$(client_program)" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    same "$expected $*" "$status $*"
    same '' "$(<"$work/out")"
    same 1 "$(wc -l <"$work/err")"
    [[ $(<"$work/err") == "chinwag: "$words ]] || fail "does not say $words: $(<"$work/err")"
}

ends 2 '*--frobnicate*; see chinwag --help' --frobnicate
ends 2 'later is no command; there are send, who, tail, wait, history, search and raw; localhost was taken for the host*' localhost later
ends 2 'tea is no command; *; serach was taken for the host; see chinwag --help' serach tea
ends 2 'localhost:65536: a port is a number up to 65535*' localhost:65536 who
ends 2 'localhost:http: a port is a number up to 65535*' localhost:http
ends 2 'wait takes one regular expression*' wait
ends 2 'wait takes one regular expression*' wait two words
ends 2 '( is no regular expression: *' wait '('
ends 2 '*soon is no number of seconds*' wait x --timeout soon
ends 2 '*a name cannot contain a comma*' wait x --from a,b
ends 2 '*--count*' tail --count 0
ends 2 'tail takes no localhost*' tail localhost
ends 2 '--count, --from, --since and --timeout go with tail and wait*' send --count 3 x
ends 2 '*yesterday is no id*' tail --since yesterday
ends 2 'there is nothing to say: the text is blank*' send ''
ends 2 'there is nothing to say: the text is blank*' send ' ' $'\n'
ends 2 '--epoch goes with --since*' tail --epoch k7qd
ends 2 '--retry goes with tail and wait*' who --retry 3
ends 2 '--to goes with send*' tail --to bob
ends 2 '--json goes with a command*' --json
ends 2 '*pink is not auto, always or never*' who --color pink
ends 2 'raw takes its name from its input*' raw --nick bob
ends 2 'ten is no number; *' history ten
ends 2 'history takes no 20*' history 10 20
ends 2 'there is no text; write: search words*' search
ends 3 'could not connect to 127.0.0.1:1: connection refused' 127.0.0.1:1 who
ends 3 'could not connect to 127.0.0.1:1: connection refused' 127.0.0.1:1
ends 3 'could not connect to nowhere.invalid:9999: *; nowhere.invalid was taken for the host' nowhere.invalid who

serve
join alice nc.openbsd -N "$host" "$port"
ends 1 'alice is taken; *' "$host:$port" who --nick alice
ends 1 'a name cannot contain a space' "$host:$port" send --nick 'al ice' hi
ends 1 'this server keeps no messages that could be searched*' "$host:$port" search tea
ends 1 'the last id is *' "$host:$port" tail --since 99999
ends 5 'timed out' "$host:$port" wait x --timeout 0

same '0 0' "$(set +e; trap - ERR; "$(client_program)" --help | :; echo "${PIPESTATUS[*]}")"
for flag in --help --version; do
    "$(client_program)" "$flag" >"$work/out"
    [[ -s $work/out ]]
done
