#!/usr/bin/env bash
# Whichever way the client is left, at whatever moment, the terminal's settings are what they were.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

serve
join bob nc.openbsd -N "$host" "$port"
terminal 70 20
keys "stty -g >'$work/before'" Enter

# Starts the client with these arguments and waits for this screen; then these keys leave it, with this exit code.
leaves() {
    local code=$1 arguments=$2 shown=$3
    shift 3
    keys "clear; chinwag $arguments; echo exit \$?; stty -g >'$work/after'; echo done" Enter
    screen "$shown"
    "$@"
    screen $'*exit '"$code"$'\ndone\n$'
    same "$(<"$work/before")" "$(<"$work/after")"
}

# The only program that the terminal's shell has started.
terminate() {
    local shell program
    shell=$("${tmux[@]}" display-message -p '#{pane_pid}')
    program=$(<"/proc/$shell/task/$shell/children")
    kill -s TERM "${program% }"
}

here="$host:$port --nick alice"
leaves 0 "$here" $'*\n>' keys /quit Enter
leaves 0 "$here" $'*\n>' keys .exit Enter
leaves 0 "$here" $'*\n>' keys QUIT Enter
leaves 0 "$here" $'*\n>' keys C-c
leaves 0 "$here" $'*\n>' keys C-d
leaves 0 "$here" $'*\n>' keys 'half a line' C-c
leaves 0 "$here" $'*\n>' keys /st Tab C-c
leaves 143 "$here" $'*\n>' terminate
leaves 0 "$host:$port" $'*\nyour name:' keys C-c
leaves 143 "$host:$port" $'*\nyour name:' terminate
leaves 0 "$host:$port" $'*\nyour name:' keys C-d
leaves 0 "$host:1" $'*try again:' keys C-c
leaves 0 "$host:1" $'*try again:' keys C-d
leaves 2 '--color pink' '*' true

# Stopped and continued, it is as it was, and so is the terminal meanwhile.
keys "clear; chinwag $here" Enter
screen $'*\n>'
keys half C-z
screen $'*Stopped*\n$'
keys "clear; stty -g >'$work/after'; echo done" Enter
screen $'\ndone\n$'
same "$(<"$work/before")" "$(<"$work/after")"
keys fg Enter
screen $'*\n> half'
keys C-c
screen $'*\n$'

# While there is no server.
keys "clear; chinwag $here; echo exit \$?; stty -g >'$work/after'; echo done" Enter
screen $'*\n>'
kill -s KILL "${pid[server]}"
hear_end server || true
screen $'*\n! Server disconnected.\n*>'
keys C-c
screen $'*exit 0\ndone\n$'
same "$(<"$work/before")" "$(<"$work/after")"
