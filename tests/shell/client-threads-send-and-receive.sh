#!/usr/bin/env bash
# At a terminal, the client has a thread `send`, which reads the keys and sends, and a thread `receive`, which reads the connection and
# prints. While `send` is stopped, `receive` continues.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd strace

start_chat 60 20 --idle-timeout 4
hear bob 'JOIN alice'
shell=$("${tmux[@]}" display-message -p '#{pane_pid}')
program=$(<"/proc/$shell/task/$shell/children")
program=${program% }
declare -A thread=()
for task in "/proc/$program/task"/*; do
    name=$(<"$task/comm")
    [[ ! -v thread[$name] || $name != @(send|receive) ]] || fail "two threads are called $name"
    thread[$name]=${task##*/}
done
[[ -v thread[send] && -v thread[receive] ]] || fail "the threads are ${!thread[*]}"
same 2 "$(ps -T -p "$program" -o comm= | grep -cx 'send\|receive')"

# Check which thread reads and sends on which descriptor.
strace -q -y -f -p "$program" -e trace=read,write,sendto,recvfrom -e signal=none -s 999 -o "$work/calls" 2>"$work/strace.err" &
tracer=$!
until [[ $(grep TracerPid "/proc/$program/task/${thread[send]}/status") != *$'\t'0 ]]; do
    kill -s 0 "$tracer" 2>/dev/null || skip "strace cannot attach: $(<"$work/strace.err")"
done
keys 'hello bob' Enter
hear bob 'MSG alice hello bob'
say bob 'MSG hello alice'
hear bob 'OK MSG *'
screen $'*bob: hello alice\n>'
kill -s INT "$tracer"
wait "$tracer" || true
# Lists the threads with a matching call.
callers() { sed -n "/$1/s/ .*//p" "$work/calls" | sort -u; }
same "${thread[send]}" "$(callers 'read(0<[^>]*>, "')"
same "${thread[send]}" "$(callers 'sendto(.*, "MSG hello bob')"
same "${thread[receive]}" "$(callers 'recvfrom.*"@.* MSG bob hello alice')"

# A debugger that stops only the thread `send`, when it reads the next key.
strace -q -p "${thread[send]}" -P "$(readlink "/proc/$program/fd/0")" -e trace=read -e inject=read:delay_enter=15000000 \
    -o "$work/stopped" 2>/dev/null &
tracer=$!
disown "$tracer"
until [[ $(grep TracerPid "/proc/$program/task/${thread[send]}/status") != *$'\t'0 ]]; do :; done
keys x
# The server disconnects a client that is silent for four seconds and does not reply to PING.
for number in one two three; do
    hear bob 'PING *'
    say bob PONG
    say bob "MSG $number"
    hear bob 'OK MSG *'
    screen "*bob: $number"$'\n>'
done
kill -s KILL "$tracer"
screen $'*bob: three\n> x'
keys C-u '/quit' Enter
hear bob 'LEAVE alice quit'
