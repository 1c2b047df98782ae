#!/usr/bin/env bash
# The client starts with any kind of file in place of its history file, reports a file that it cannot read or write, and still remembers lines until it ends.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

serve
join bob nc.openbsd -N "$host" "$port"
terminal 140 20
history=$work/state/chinwag/history
mkdir -p "${history%/*}"

# Starts the client, sends a line, and checks that Up brings back that line, and the next Up the line given: remembers LINE
remembers() {
    keys "clear; chinwag $host:$port --nick alice" Enter
    screen $'*\n>'
    hear bob 'JOIN alice'
    keys 'new line' Enter
    hear bob 'MSG alice new line'
    keys Up
    screen $'*\n> new line'
    keys Up
    screen $'*\n> '"$1"
    keys C-c
    hear bob 'LEAVE alice quit'
    screen $'*\n$'
}

printf '#V2\nold line\ncaf\351\n\0\0\033[2J' >"$history"
remembers $'\ufffd\ufffd\ufffd[2J'
remembers $'\ufffd\ufffd\ufffd[2J'
rm "$history"
mkdir "$history"
remembers 'new line'
screen $'*! cannot read the history file *: it is not a regular file; lines are kept until you leave\n*'
rmdir "$history"
mkfifo "$history"
remembers 'new line'
rm "$history"
ln -s /dev/full "$history"
remembers 'new line'
rm "$history"
echo 'in a file without a header' >"$history"
remembers 'in a file without a header'

# At the file size limit, a write ends a program by SIGXFSZ unless the program catches it.
keys "clear; (ulimit -f 0; chinwag $host:$port --nick alice)" Enter
screen $'*\n>'
hear bob 'JOIN alice'
keys 'another line' Enter
hear bob 'MSG alice another line'
screen $'*! cannot write the history file *: File too large; lines are kept until you leave\n*'
keys C-c
hear bob 'LEAVE alice quit'
