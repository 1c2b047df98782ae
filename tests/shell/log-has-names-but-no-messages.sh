#!/usr/bin/env bash
# The log shows connections with their addresses, and nicknames that join, change and leave, with the reason. It has no messages, and in
# a file no colour codes.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

serve --log debug
join alice nc.openbsd -N "$host" "$port"
join bob nc.openbsd -N "$host" "$port"
say bob 'MSG secret'
say bob 'WHISPER alice secret'
say bob 'secret'
say bob 'PING secret'
say bob $'NICK \e[31msecret'
say bob 'NICK rob'
say bob 'QUIT secret'
hear_to bob 'OK QUIT'
finish bob
finish alice 'JOIN bob' 'MSG bob secret' 'WHISPER bob secret' 'RENAME bob rob' 'LEAVE rob quit secret'
stop

log=$(<"$work/server.err")
logged() { grep -Eq "$1" <<<"$log" || fail "not logged: $1"; }
logged ' INFO .*connected.* address=127\.0\.0\.1:[0-9]+'
logged ' INFO .*joined.* name=alice'
logged ' INFO .*renamed.* from=bob to=rob'
logged ' INFO .*left.* name=rob .*quit'
logged ' INFO .*left.* name=alice .*eof'
[[ $log != *secret* ]]
[[ $log != *$'\e'* ]]
