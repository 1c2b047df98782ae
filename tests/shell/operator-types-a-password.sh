#!/usr/bin/env bash
# `chinwagd account` asks for a password at the terminal, twice, without showing it. Ctrl-C leaves the terminal as it was, and so do
# signals that end the program.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

control=$work/control.sock
serve --data "$work/chat.db" --control "$control"
terminal 100 20
ln -s "$(realpath "$(server_program)")" "$work/bin/chinwagd"

keys "clear; chinwagd account add alice --control $control" Enter
screen $'*\nnew password of alice:'
# A deleted letter does not count.
keys 'correct horse batterx' BSpace 'y' Enter
screen $'*\nnew password of alice:\nthe same again:'
keys 'correct horse battery' Enter
screen $'*\nthe same again:\nadded the account alice\n$'

keys "clear; chinwagd account password alice --control $control" Enter
screen $'*\nnew password of alice:'
keys 'correct horse one' Enter
screen $'*\nthe same again:'
keys 'correct horse two' Enter
screen $'*\nchinwagd: the two passwords differ; nothing was changed\n$'

keys "clear; chinwagd account password alice --control $control" Enter
screen $'*\nnew password of alice:'
keys 'correct' Enter
screen $'*\nchinwagd: the password has 7 bytes: expected 8 to 512\n$'

for key in C-c 'C-\' C-d; do
    keys "clear; chinwagd account password alice --control $control; echo \"code \$?\"" Enter
    screen $'*\nnew password of alice:'
    [[ $key == C-d ]] || keys 'correct horse'
    keys "$key"
    screen $'*\nchinwagd: cancelled; nothing was changed\ncode 130\n$'
done

# A signal ends the program, and leaves the terminal as it was, too. An interactive shell would restore it itself, so another one observes it.
cat >"$work/asking.sh" <<END
echo \$\$ >"$work/pid"
exec env --default-signal chinwagd account password alice --control "$control"
END
cat >"$work/observer.sh" <<END
ulimit -c 0
sh "$work/asking.sh"
echo "code \$?"
stty -a | grep -o -w -e '-*echo' -e '-*isig'
END
for signal in HUP:129 INT:130 QUIT:131 TERM:143; do
    keys "clear; sh $work/observer.sh" Enter
    screen $'*\nnew password of alice:'
    kill -s "${signal%:*}" "$(<"$work/pid")"
    screen "*code ${signal#*:}"$'\nisig\necho\n$'
done
# The terminal shows again what is typed.
keys 'clear; stty -a | grep -o -w -e "-*echo" -e "-*isig"' Enter
screen $'\nisig\necho\n$'
keys 'echo typed'
screen $'*\n$ echo typed'
keys C-u
"${tmux[@]}" capture-pane -p -S - >"$work/screen"
same 0 "$(grep -c correct "$work/screen" || true)"

connect alice nc.openbsd -N "$host" "$port"
say alice 'LOGIN alice correct horse battery'
hear alice 'HELLO *' 'OK LOGIN alice' 'COORDINATOR alice'
stop
