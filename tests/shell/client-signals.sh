#!/usr/bin/env bash
# Ctrl-C ends the client by SIGINT itself: a shell stops its loop, and $? is 130.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"
terminal 60 20
for command in tail 'wait x' send raw; do
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
quiet alice
