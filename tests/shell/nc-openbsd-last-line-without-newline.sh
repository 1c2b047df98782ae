#!/usr/bin/env bash
# printf without a last newline, no QUIT: what was said is said, every reply comes, nc ends by itself, and it is seen to leave.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd socat

serve
join alice socat -t 20 - "TCP:$host:$port"

replies=$(printf 'NICK a\nMSG hi' | timeout "$deadline" nc.openbsd -N "$host" "$port")
[[ $replies == 'HELLO '*$'\nOK NICK a\nOK MSG '+([0-9]) ]]
hear alice 'JOIN a' 'MSG a hi' 'LEAVE a eof'

# Alone in the room it is told that the room is its own.
finish alice
replies=$(printf 'NICK a\nMSG hi' | timeout "$deadline" nc.openbsd -N "$host" "$port")
[[ $replies == 'HELLO '*$'\nOK NICK a\nCOORDINATOR a\nOK MSG '+([0-9]) ]]
