#!/usr/bin/env bash
# bash opens the connection itself, without another program, and reads lines without CR.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs socat

serve
join alice socat -t 20 - "TCP:$host:$port"

exec {chat}<>"/dev/tcp/$host/$port"
printf 'NICK robot\nMSG beep\n' >&"$chat"
for expected in 'HELLO *' 'OK NICK robot' 'OK MSG +([0-9])'; do
    IFS= read -r -t "$deadline" reply <&"$chat"
    # shellcheck disable=SC2053 # it is meant as a pattern
    [[ $reply == $expected ]] || fail "bash read ${reply@Q} instead of $expected"
done
hear alice 'JOIN robot' 'MSG robot beep'

say alice 'MSG boop'
hear alice 'OK MSG *'
IFS= read -r -t "$deadline" event <&"$chat"
same 'MSG alice boop' "$event"

exec {chat}>&-
hear alice 'LEAVE robot eof'
