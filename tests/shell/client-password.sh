#!/usr/bin/env bash
# The client gives the password of a server: from a file, or as typed at a terminal, where it is not shown. It says what is wrong with a
# password, does not try a wrong one again, and gives the right one again after it reconnects.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd
unset CHINWAG_PASSWORD_FILE

umask 077
printf 'hunter2\n' >"$work/password"
printf 'hunter3\n' >"$work/wrong"
serve --password-file "$work/password"
connect bob nc.openbsd -N "$host" "$port"
say bob 'PASS hunter2'
say bob 'NICK bob'
hear bob 'HELLO *,password *' 'OK PASS' 'OK NICK bob' 'COORDINATOR bob'

# EXPECTED_CODE EXPECTED_ERROR ARGUMENT...
ends() {
    local expected=$1 words=$2 status=0
    shift 2
    timeout "$deadline" "${client[@]}" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    same "$expected $*" "$status $*"
    same "$words" "$(<"$work/err")"
}

needed='chinwag: the server needs a password: name a file with it, by --password-file or CHINWAG_PASSWORD_FILE'
wrong='chinwag: the server refused the password: it is wrong'
for words in who tail rooms 'send hi' 'wait x' history; do
    # shellcheck disable=SC2086
    ends 1 "$needed" $words
    # shellcheck disable=SC2086
    ends 1 "$wrong" $words --password-file "$work/wrong"
done
ends 0 '' who --password-file "$work/password"
same 'bob coordinator' "$(<"$work/out")"
CHINWAG_PASSWORD_FILE=$work/password ends 0 '' rooms --json
[[ $(<"$work/out") == *'"#lobby"'* && $(<"$work/out") != *hunter* ]] || fail "$(<"$work/out")"
CHINWAG_PASSWORD_FILE=$work/wrong ends 0 '' who --password-file "$work/password"
ends 2 "chinwag: cannot read the password file \"$work/none\": No such file or directory; see chinwag who --help" \
    who --password-file "$work/none"
ends 2 'chinwag: unexpected --password-file: raw reads the password from its input, as PASS password; see chinwag raw --help' \
    raw --password-file "$work/password"
printf 'PASS hunter2\nPING\n' | CHINWAG_PASSWORD_FILE=$work/none timeout "$deadline" "${client[@]}" raw >"$work/out"
same 0 "$(grep -c hunter "$work/out" || true)"

# It reconnects to a server that was started again.
connect tail "${client[@]}" tail --password-file "$work/password"
watched bob 1
kill -s KILL "${pid[server]}"
hear_end server || true
finish bob || true
mv "$work/server.err" "$work/killed.err"
serve --listen "$host:$port" --password-file "$work/password"
connect bob nc.openbsd -N "$host" "$port"
say bob 'PASS hunter2'
say bob 'NICK bob'
hear bob 'HELLO *' 'OK PASS' 'OK NICK bob' 'COORDINATOR bob'
watched bob 1
say bob 'MSG back again'
hear bob 'OK MSG 1'
hear_to tail '*bob: back again'
# A wrong password ends it, whatever --retry says.
printf 'correct horse\n' >"$work/password"
kill -s KILL "${pid[server]}"
hear_end server || true
finish bob || true
mv "$work/server.err" "$work/killed.err"
serve --listen "$host:$port" --password-file "$work/password"
status=0
hear_end tail || status=$?
same 1 "$status"
grep -qF "$wrong" "$work/tail.err"

# At a terminal, it asks.
terminal 80 20
keys "clear; chinwag $host:$port --nick alice" Enter
screen $'*\npassword of the server:'
# After a pause, the client draws what was typed, if it shows it.
keys correct C-z
screen $'*Stopped*\n$'
keys fg Enter
screen $'*\nchinwag *\npassword of the server:'
keys ' hors' Enter
screen $'*\n! the server refused the password: it is wrong\npassword of the server:'
keys 'correct horse' Enter
screen $'*\n\\* you are alice; *\n>'
keys 'pass correct horse' Enter
screen $'*\n! not sent: it looks like the command pass with a secret*\n>'
keys C-y ' pass the salt' Enter
screen $'*\n??:?? alice:  pass the salt\n>'
keys .exit Enter
screen $'*\n$'
"${tmux[@]}" capture-pane -p -S - >"$work/screen"
same 0 "$(grep -c 'correct' "$work/screen" || true)"
same 0 "$(grep -rc 'correct' "$work/state/chinwag/history" || true)"
# Text that is typed while the client connects may be the password again: it is neither shown nor an answer, a message or in the history file.
# The stopped server accepts the connection, and does not reply yet.
for nick in '--nick alice' ''; do
    keys "clear; chinwag $host:$port $nick" Enter
    screen $'*\npassword of the server:'
    kill -s STOP "${pid[server]}"
    keys 'correct horse' Enter
    screen $'*\nconnecting...'
    keys 'correct horse' Enter 'correct hor' C-w 'correct' C-z
    # The client has read all of it.
    screen $'*Stopped*\n$'
    keys fg Enter
    screen $'*\nconnecting...'
    kill -s CONT "${pid[server]}"
    if [[ $nick ]]; then
        screen $'*\n\\* discarded what you typed after the password\n*\\* you are alice; *\n>'
    else
        screen $'*\n\\* discarded what you typed after the password\nyour nickname:'
        keys alice Enter
        screen $'*\n\\* you are alice; *\n>'
    fi
    # Undo and Ctrl-Y bring nothing back.
    keys C-_ C-y finished Enter
    screen $'*\n??:?? alice: finished\n>'
    keys .exit Enter
    screen $'*\n$'
    "${tmux[@]}" capture-pane -p -S - >"$work/screen"
    same 0 "$(grep -c 'correct' "$work/screen" || true)"
    same 0 "$(grep -rc 'correct' "$work/state/chinwag/history" || true)"
done
# The typed text is not shown when the client ends, either.
keys "clear; chinwag $host:$port --nick alice" Enter
screen $'*\npassword of the server:'
keys 'correct ho' C-c
screen $'*\n$'
same 0 "$("${tmux[@]}" capture-pane -p | grep -c correct || true)"
