#!/usr/bin/env bash
# At a terminal, the client asks for another address if it cannot connect, and for another nickname if one is taken or invalid. It
# prints the reason.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

serve
join bob nc.openbsd -N "$host" "$port"
terminal 80 20
keys "clear; chinwag $host:1; echo exit \$?" Enter
screen $'*\n! could not connect to 127.0.0.1:1: connection refused\nanother address, or Enter to try again:'
keys Enter
screen $'*try again:\n! could not connect to 127.0.0.1:1: connection refused\nanother address, or Enter to try again:'
for wrong in '[::1' "$host:0" "tcp://$host:0" 'a b c'; do
    keys "clear" C-u "$wrong" Enter
    screen $'*\n! invalid server "'"${wrong/\[/\\[}"$'": expected host, *\nanother address, or Enter to try again:'
done
keys "$host:$port" Enter
screen $'*\nyour nickname:'
keys bob Enter
screen $'*\n! bob is taken\nyour nickname:'
keys BOB Enter
screen $'*\n! BOB is the same name as bob, which is taken\nyour nickname:'
keys 'a b' Enter
screen $'*\n! a name cannot contain a space\nyour nickname:'
keys Enter
screen $'*\n! the name is missing\nyour nickname:'
# A line typed before the chat begins is a message, unless it answers a prompt.
"${tmux[@]}" set-buffer $'alice\nhello early'
"${tmux[@]}" paste-buffer -p
keys Enter
screen $'*\n\\* you are alice; *\n??:?? alice: hello early\n>'
hear bob 'JOIN alice' 'MSG alice hello early'
keys /nick Space bob Enter
screen $'*\n! bob is taken; choose another and type: /nick name\n>'
keys /nick Space al Enter
screen $'*\n\\* you are al; *\n>'
hear bob 'RENAME alice al'
keys .exit Enter
screen $'*\nexit 0\n$'
hear bob 'LEAVE al quit'
