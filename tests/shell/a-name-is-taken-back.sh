#!/usr/bin/env bash
# A program is killed, another goes on with its name, and nobody sees it but the operator, whose log has no token. What a
# script has to keep is one word of one line.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

serve --log debug
join alice nc.openbsd "$host" "$port"
join bob nc.openbsd -N "$host" "$port"
hear alice 'JOIN bob'
say alice 'SET resume on'
hear alice 'OK SET resume on +([0-9])-+([0-9a-f])'
token=${line##* }
kill -9 "${pid[alice]}"

connect again nc.openbsd -N "$host" "$port"
hear again 'HELLO *'
say again "RESUME ${token/-*/-00000000000000000000000000000000}"
hear again 'ERR RESUME token-unknown *'
say again "RESUME $token"
hear again 'OK RESUME alice'
quiet bob
say again 'MSG back'
hear again 'OK MSG *'
hear bob 'MSG alice back'
say again QUIT
hear again 'OK QUIT'
finish again
hear bob 'LEAVE alice quit' 'COORDINATOR bob'
finish bob
stop

log=$(<"$work/server.err")
logged() { grep -Eq "$1" <<<"$log" || fail "not logged: $1"; }
logged ' INFO .*resumed.* first=1 name=alice'
[[ $log != *"${token#*-}"* ]]
same 1 "$(grep -c 'left .*name=alice' <<<"$log")"
