#!/usr/bin/env bash
# A terminal that accepts no output does not stop the connection: messages are queued up to a limit, and the client reports how many
# are missing. A signal, or closing the terminal, still ends the client.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd socat

serve --idle-timeout 3 --line-rate 0
# grep drops the replies to bob's messages: on a busy machine, bash needs more than the idle timeout to read them all.
# shellcheck disable=SC2016 # the inner shell expands it
join bob bash -c 'nc.openbsd -N "$0" "$1" | grep --line-buffered -v "^OK MSG "' "$host" "$port"
export TERM=xterm XDG_STATE_HOME=$work/state

# A terminal whose output only this script reads. socat writes at most a page (-b) at a time: a larger write to a pipe that has room for
# less would block socat, and what alice types would not arrive.
open_terminal() {
    connect alice socat -t 20 -b 4096 - "EXEC:$(client_program) $host\:$port --nick alice,pty,setsid,ctty,rawer"
    hear_to bob 'JOIN alice'
}

close_terminal() {
    _close _to alice
    _close _from alice
    wait "${pid[alice]}" || true
}

# bob sends this many messages of one kilobyte.
fill_terminal() {
    local text number
    printf -v text '%01000d' 0
    for ((number = 1; number <= $1; number++)); do printf 'MSG %s %s\n' "$number" "$text"; done >&"${_to[bob]}"
    sync bob
}

# Waits for two PINGs to bob. If alice is still a member then, her client has replied to its own.
outlast() {
    for _ in 1 2; do
        hear_to bob 'PING *'
        say bob PONG
    done
    sync bob
    [[ " ${skipped[*]} " != *LEAVE* ]] || fail "alice was disconnected"
}

open_terminal
fill_terminal 1500
outlast
send alice 'still here\r'
hear bob 'MSG alice still here'
# Reads everything that is queued, with sed: bash is so slow that bob would get a PING meanwhile.
shown=$(timeout "$deadline" sed -n '/! [0-9]* lines are missing here: /p; /bob.*: 1500 /p; /alice.*: still here/{p;q}' <&"${_from[alice]}")
[[ $shown == *'lines are missing here: the terminal accepted no output'*': 1500 0'*'still here'* ]] || fail "${shown@Q}"
send alice '/quit\r'
hear_to bob 'LEAVE alice quit'
close_terminal

open_terminal
fill_terminal 200
outlast
# Ctrl-L writes to the terminal, too.
send alice '\fstill here\r'
hear_to bob 'MSG alice still here'
kill -s TERM "$(pgrep -P "${pid[alice]}")"
hear_to bob 'LEAVE alice quit'
close_terminal

# SIGTSTP stops the client although the terminal accepts no output.
open_terminal
fill_terminal 200
stopped=$(pgrep -P "${pid[alice]}")
kill -s TSTP "$stopped"
end=$((SECONDS + deadline))
until [[ $(<"/proc/$stopped/stat") == *') T '* ]]; do
    ((SECONDS < end)) || fail "SIGTSTP does not stop the client"
done
kill -s TERM "$stopped"
kill -s CONT "$stopped"
hear_to bob 'LEAVE alice quit'
close_terminal

open_terminal
kill -s KILL "${pid[alice]}"
hear_to bob 'LEAVE alice quit'
