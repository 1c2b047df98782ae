#!/usr/bin/env bash
# In the background, the client leaves the terminal to the shell: `kill %1` ends it, `bg` stops it again, and `fg` brings it back with the
# line that was being typed.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

serve
join bob nc.openbsd -N "$host" "$port"
terminal 60 20
keys "stty -g >'$work/before'" Enter

# The shell has the terminal, with the settings it had before.
shell_has_terminal() {
    keys "clear; stty -g >'$work/after'; echo done" Enter
    screen $'\ndone\n$'
    same "$(<"$work/before")" "$(<"$work/after")"
}

# Starts the client, and types half a line.
start() {
    keys "clear; chinwag $host:$port --nick alice" Enter
    hear_to bob 'JOIN alice'
    screen $'*\n>'
    keys half
    screen $'*\n> half'
}

# The process of the only program that the terminal's shell has started.
program() {
    local shell program
    shell=$("${tmux[@]}" display-message -p '#{pane_pid}')
    program=$(<"/proc/$shell/task/$shell/children")
    echo "${program% }"
}

stop_by_signal() {
    kill -s STOP "$(program)"
}

for stop in 'keys C-z' stop_by_signal; do
    for ending in TERM:Terminated HUP:Hangup 'INT %1; kill -CONT:Interrupt'; do
        start
        $stop
        screen $'*Stopped*\n$'
        job=$(program)
        keys "clear; kill -${ending%:*} %1" Enter
        hear_to bob 'LEAVE alice quit'
        tail -s 0.1 --pid="$job" -f /dev/null
        # Without clearing: bash may have reported the end at its last prompt.
        keys 'jobs; echo over' Enter
        screen "*${ending#*:} *over*"
        shell_has_terminal
    done
done

start
keys C-z
screen $'*Stopped*\n$'
# bash reports the stop when it waits.
keys 'clear; bg; wait %1' Enter
screen $'*&*Stopped*\n$'
shell_has_terminal
# `fg` prints the messages that arrived in the background.
say bob 'MSG hello'
hear_to bob 'OK MSG *'
keys 'clear; fg' Enter
screen $'*bob: hello\n> half'
keys C-c
hear_to bob 'LEAVE alice quit'
# Until the prompt is back, the client may read typed keys.
screen $'*\n$'
shell_has_terminal

keys "clear; chinwag $host:$port --nick alice & wait %1" Enter
screen $'*Stopped*\n$'
shell_has_terminal
keys 'clear; fg' Enter
hear_to bob 'JOIN alice'
screen $'*\n>'
keys C-c
hear_to bob 'LEAVE alice quit'
screen $'*\n$'
shell_has_terminal
