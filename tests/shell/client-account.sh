#!/usr/bin/env bash
# Accounts at a terminal: the client asks for passwords, and shows none of them; it logs in again after it reconnects, does not fight over
# an account, and keeps no password in its history.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd pgrep
unset CHINWAG_TOKEN_FILE CHINWAG_PASSWORD_FILE

# The screen, and all lines above it, have no password.
shows_no_password() {
    "${tmux[@]}" capture-pane -p -J -S - >"$work/screen"
    same 0 "$(grep -c -e horse -e staple "$work/screen" || true)"
    same 0 "$(grep -rc -e horse -e staple -e cwt_ "$work/state/chinwag/history" || true)"
}

serve --data "$work/messages.db" --line-rate 0
join bob nc.openbsd -N "$host" "$port"
terminal 110 24
keys "export XDG_CONFIG_HOME=$work/config" Enter
keys "clear; chinwag $host:$port --nick alice" Enter
screen $'*\n>'
hear bob 'JOIN alice'

# A password in the line is not sent.
keys '/register correct horse' Enter
screen $'*\n! not sent: type /register without the password; *\n>'
keys C-l
screen $'\n>'
"${tmux[@]}" clear-history

keys /register Enter
screen $'*\nnew password of alice:'
# After a pause, the client draws what was typed, if it shows it.
keys correct C-z
screen $'*Stopped*\n$'
keys fg Enter
screen $'*\nnew password of alice:'
keys ' horse' Enter
screen $'*\nthe new password once more:'
keys 'correct horse' Enter
screen $'*\n\\* alice is your account now: *\n>'
# Undo and Ctrl-Y bring nothing back, and the next line is a message again.
keys C-_ C-y hi Enter
hear bob 'MSG alice hi'

# The server accepts a new password only after the old one.
keys /password Enter
screen $'*\npassword of alice:'
keys 'incorrect horse' Enter
screen $'*\nnew password of alice:'
keys 'staple staple' Enter
screen $'*\nthe new password once more:'
keys 'staple staple' Enter
screen $'*\n! the name or the password is wrong; type: /login \\[name\\]\n>'
keys /password Enter 'correct horse' Enter 'staple staple' Enter 'staple staple' Enter
screen $'*\n\\* the password is changed; *\n>'
# Nothing is sent without an answer.
keys /unregister Enter
screen $'*\npassword of alice:'
keys Enter
screen $'*\n! not sent: /unregister\n>'

keys '/token new build' Enter
screen $'*\npassword of alice:'
keys 'staple staple' Enter
screen $'*\n\\* access token 1: cwt_*; it is not shown again)\n>'
token=$("${tmux[@]}" capture-pane -p -J | grep -o 'cwt_[0-9a-f]*' | tail -n 1)
same 36 "${#token}"
umask 077
echo "alice $token" >"$work/token"

# The client reconnects to a server that was started again, and logs in with the new password.
shows_no_password
kill -s KILL "${pid[server]}"
hear_end server || true
finish bob || true
mv "$work/server.err" "$work/killed.err"
serve --listen "$host:$port" --data "$work/messages.db" --line-rate 0
screen $'*\n\\* you are alice; *\n>'
join bob nc.openbsd -N "$host" "$port"
keys '/token list' Enter
screen $'*\n\\* access token 1, build: *\n\\* 1 access token\n>'

# While alice chats, a script cannot log in. It waits a moment.
status=0
timeout "$deadline" "${client[@]}" send --token-file "$work/token" hi 2>"$work/err" || status=$?
same 1 "$status"
grep -q 'another connection uses the account alice; waiting' "$work/err"
grep -q 'cannot log in as alice: another connection uses the account alice; end that one first' "$work/err"
keys /quit Enter
screen $'*\n$'
hear bob 'LEAVE alice quit' 'COORDINATOR bob'
"${client[@]}" send --token-file "$work/token" from a script
hear bob 'JOIN alice' 'MSG alice from a script' 'LEAVE alice quit'
same 'bob coordinator' "$(CHINWAG_TOKEN_FILE=$work/token "${client[@]}" who --json | sed 's/.*"name":"\(.*\)","role":"\(.*\)",.*/\1 \2/')"
hear bob 'JOIN alice' 'LEAVE alice quit'

# Its nickname needs the password, also at the first question.
keys "clear; chinwag $host:$port" Enter
screen $'*\nyour nickname:'
keys ALICE Enter
screen $'*\n! ALICE is the same name as alice, which belongs to an account\npassword of ALICE (or Enter to choose a nickname):'
keys Enter
screen $'*\nyour nickname:'
keys ALICE Enter
screen $'*\npassword of ALICE (or Enter to choose a nickname):'
keys 'incorrect horse' Enter
screen $'*\n! the name or the password is wrong\npassword of ALICE (or Enter to choose a nickname):'
keys 'staple staple' Enter
screen $'*\n\\* you are alice; *\n>'
hear bob 'JOIN alice'
shows_no_password
keys /quit Enter
screen $'*\n$'
hear bob 'LEAVE alice quit'

# Another connection uses the account: the user decides. The one that loses it does not come back.
connect other nc.openbsd -N "$host" "$port"
say other 'LOGIN alice staple staple'
hear other 'HELLO *' 'OK LOGIN alice'
hear bob 'JOIN alice'
keys "clear; chinwag $host:$port --login alice; echo code \$?" Enter
screen $'*\npassword of alice (or Enter to choose a nickname):'
keys 'staple staple' Enter
screen $'*\n! another connection uses the account alice\nclose that connection and log in here? (yes or no)'
keys yes Enter
screen $'*\n\\* you are alice; *\n>'
hear other 'ERR - taken-over *'
finish other || true
hear bob 'LEAVE alice displaced' 'JOIN alice'
connect other nc.openbsd -N "$host" "$port"
say other 'TAKEOVER alice staple staple'
hear other 'HELLO *' 'OK TAKEOVER alice'
hear bob 'LEAVE alice displaced' 'JOIN alice'
screen $'*chinwag: another connection logged in as alice *\ncode 6\n$'
finish other
hear bob 'LEAVE alice eof'

# A wrong password is explained, whether the account exists or not.
keys "clear; chinwag $host:$port --nick carol" Enter
screen $'*\n>'
hear bob 'JOIN carol'
keys '/login bob' Enter
screen $'*\npassword of bob:'
keys 'staple staple' Enter
screen $'*\n! the name or the password is wrong; type: /login \\[name\\]\n>'
keys /quit Enter
screen $'*\n$'
hear bob 'LEAVE carol quit'

# Commands ask at the terminal, too, and restore it.
keys "clear; chinwag $host:$port send --login alice asked" Enter
screen $'*\npassword of alice:'
keys 'staple staple' Enter
screen $'*\npassword of alice:\n$'
hear bob 'JOIN alice' 'MSG alice asked' 'LEAVE alice quit'
for end in C-c TERM; do
    keys "clear; chinwag $host:$port send --login alice asked; echo code \$?" Enter
    screen $'*\npassword of alice:'
    if [[ $end == TERM ]]; then
        kill -s TERM "$(pgrep -P "$("${tmux[@]}" display-message -p '#{pane_pid}')" chinwag)"
        screen $'*code 143\n$'
    else
        keys 'staple sta' "$end"
        screen $'*\npassword of alice:*\n$'
    fi
    keys 'clear; stty -a | grep -o " icanon\\| echo "' Enter
    screen $'* icanon\n echo\n$'
done

# One command sets up the scripts of a user.
keys "clear; chinwag $host:$port login alice --label laptop" Enter
screen $'*\npassword of alice:'
keys 'staple staple' Enter
screen $'*\nalice has the access token 2 (laptop), valid until *, in "'"$work"$'/config/chinwag/token"*CHINWAG_TOKEN_FILE=*\n$'
hear bob 'JOIN alice' 'LEAVE alice quit'
same 600 "$(stat -c %a "$work/config/chinwag/token")"
CHINWAG_TOKEN_FILE=$work/config/chinwag/token "${client[@]}" send by the new token
hear bob 'JOIN alice' 'MSG alice by the new token' 'LEAVE alice quit'
shows_no_password
status=0
CHINWAG_TOKEN_FILE=$work/config/chinwag/token timeout "$deadline" "$(client_program)" who --server localhost:1 2>"$work/err" || status=$?
same 2 "$status"
grep -qF "is for the server \"$host:$port\", not \"localhost:1\"" "$work/err"
# Without a terminal, nobody can be asked.
status=0
setsid --wait timeout "$deadline" "${client[@]}" send --login alice hi 2>"$work/err" </dev/null || status=$?
same "1 chinwag: there is no terminal to ask for the password of the account: name a file, by --account-password-file or --token-file" \
    "$status $(<"$work/err")"

# On a server for accounts only, a login enters the lobby first. The commands use the room that the user named.
say bob 'REGISTER staple staple'
hear bob 'OK REGISTER bob'
stop
finish bob 'NOTICE *'
serve --listen "$host:$port" --data "$work/messages.db" --accounts-only
connect bob nc.openbsd -N "$host" "$port"
say bob 'LOGIN bob staple staple'
say bob 'JOIN #ops'
hear bob 'HELLO *,accounts-only *' 'OK LOGIN bob' 'COORDINATOR bob' 'OK JOIN #ops *' '#ops COORDINATOR bob'
"${client[@]}" send --token-file "$work/token" --room '#ops' in the room
hear bob 'JOIN alice' '#ops JOIN alice' 'LEAVE alice part' '#ops MSG alice in the room' '#ops LEAVE alice quit'
same $'bob coordinator rank=owner' "$("${client[@]}" who --token-file "$work/token" --room '#ops')"
hear bob 'JOIN alice' '#ops JOIN alice' 'LEAVE alice part' '#ops LEAVE alice quit'
connect tail "${client[@]}" tail --token-file "$work/token" --room '#ops' --since 1 --count 1
hear bob 'JOIN alice' '#ops JOIN alice' 'LEAVE alice part'
say bob 'MSG in the lobby'
hear bob 'OK MSG *'
say bob '#ops MSG see you'
hear bob '#ops OK MSG 2'
hear tail '*bob: see you'
hear_end tail
hear bob '#ops LEAVE alice quit'
[[ $("${client[@]}" rooms --token-file "$work/token") == *'#ops 1'* ]] || fail 'no rooms'
hear bob 'JOIN alice' 'LEAVE alice quit'
finish bob
