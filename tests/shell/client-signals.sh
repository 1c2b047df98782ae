#!/usr/bin/env bash
# Ctrl-C ends the client by SIGINT itself: a shell stops its loop, and $? is 130. At the prompt of the line editor, where Ctrl-C is
# a key, the shell script around the client gets the signal, too. The client first leaves the room.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"
terminal 60 20
for command in 'tail --nick bob' 'wait x --nick bob' send raw; do
    keys "clear; for i in one two; do echo \$i; chinwag $host:$port $command --color never; done" Enter
    if [[ $command == raw ]]; then
        screen $'*\none\nHELLO *'
    else
        hear alice 'JOIN *'
    fi
    keys C-c
    screen $'*\n$'
    [[ $command == raw ]] || hear alice 'LEAVE *'
    keys 'echo exit $?' Enter
    screen $'*exit 130\n$'
done
loop="for i in one two; do chinwag $host:$port --nick bob; done"
for command in "$loop" "bash -c '$loop'"; do
    keys "clear; $command" Enter
    screen $'*\n>'
    hear alice 'JOIN bob'
    keys 'half a line' C-c
    screen $'*not sent: half a line\n*$'
    hear alice 'LEAVE bob quit'
    keys 'echo exit $?' Enter
    screen $'*exit 130\n$'
done
quiet alice
