#!/usr/bin/env bash
# A client is killed, and another program resumes its session with the token. Other members see no LEAVE; the server's log shows the
# resume, but not the token.
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
