#!/usr/bin/env bash
# The client restores the terminal's settings, for every way and every moment of its end.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

serve
join bob nc.openbsd -N "$host" "$port"
terminal 70 20
keys "ulimit -c 0; stty -g >'$work/before'" Enter

# Starts the client, waits for the screen, runs the command that ends the client, and checks the exit code and the settings:
# leaves CODE ARGUMENTS SCREEN COMMAND...
leaves() {
    local code=$1 arguments=$2 shown=$3
    shift 3
    keys "clear; chinwag $arguments; echo exit \$?; stty -g >'$work/after'; echo done" Enter
    screen "$shown"
    "$@"
    screen $'*exit '"$code"$'\ndone\n$'
    same "$(<"$work/before")" "$(<"$work/after")"
}

# Sends a signal to the only program that the terminal's shell runs.
signal() {
    local shell program
    shell=$("${tmux[@]}" display-message -p '#{pane_pid}')
    program=$(<"/proc/$shell/task/$shell/children")
    kill -s "$1" "${program% }"
}

here="$host:$port --nick alice"
leaves 0 "$here" $'*\n>' keys /quit Enter
leaves 0 "$here" $'*\n>' keys .exit Enter
leaves 0 "$here" $'*\n>' keys QUIT Enter
leaves 0 "$here" $'*\n>' keys C-d
leaves 131 "$here" $'*\n>' keys 'C-\'
leaves 143 "$here" $'*\n>' signal TERM
leaves 129 "$here" $'*\n>' signal HUP
leaves 131 "$here" $'*\n>' signal QUIT
for ending in USR1:138 USR2:140 ALRM:142 VTALRM:154 PROF:155 XCPU:152 ABRT:134 TRAP:133 SYS:159 IO:157; do
    leaves "${ending#*:}" "$here" $'*\n>' signal "${ending%:*}"
done
leaves 143 "$host:$port" $'*\nyour nickname:' signal TERM
leaves 0 "$host:$port" $'*\nyour nickname:' keys C-d
leaves 0 "$host:1" $'*try again:' keys C-d
leaves 2 '--color pink' '*' true

# After a program that SIGINT ended, the shell skips the rest of the command line.
interrupts() {
    local arguments=$1 shown=$2
    shift 2
    keys "clear; chinwag $arguments; echo not here" Enter
    screen "$shown"
    "$@"
    screen $'*\n$'
    keys "echo exit \$?; stty -g >'$work/after'; echo done" Enter
    screen $'*exit 130\ndone\n$'
    same "$(<"$work/before")" "$(<"$work/after")"
}

for ending in 'signal INT' 'keys C-c'; do
    # shellcheck disable=SC2086 # a command and its argument
    {
        interrupts "$here" $'*\n>' $ending
        interrupts "$host:$port" $'*\nyour nickname:' $ending
        interrupts "$host:1" $'*try again:' $ending
    }
done
interrupts "$here" $'*\n>' keys 'half a line' C-c
interrupts "$here" $'*\n>' keys /st Tab C-c


# While the client is stopped, the shell has its settings back; continued, the client shows its line again.
for stop in 'keys C-z' 'signal TSTP'; do
    keys "clear; chinwag $here" Enter
    screen $'*\n>'
    keys half
    screen $'*\n> half'
    $stop
    screen $'*Stopped*\n$'
    keys "clear; stty -g >'$work/after'; echo done" Enter
    screen $'\ndone\n$'
    same "$(<"$work/before")" "$(<"$work/after")"
    keys fg Enter
    screen $'*\n> half'
    keys C-c
    screen $'*\n$'
done

# Without a server.
lose_server() {
    kill -s KILL "${pid[server]}"
    hear_end server || true
    screen $'*\n! Server disconnected.\n*>'
    keys C-c
}
interrupts "$here" $'*\n>' lose_server
