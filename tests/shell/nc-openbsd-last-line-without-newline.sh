#!/usr/bin/env bash
# Input without a last newline and without QUIT: the last line counts, every reply arrives, nc ends by itself, and others see LEAVE.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd socat

serve
join alice socat -t 20 - "TCP:$host:$port"

replies=$(printf 'NICK a\nMSG hi' | timeout "$deadline" nc.openbsd -N "$host" "$port")
[[ $replies == 'HELLO '*$'\nOK NICK a\nOK MSG '+([0-9]) ]]
hear alice 'JOIN a' 'MSG a hi' 'LEAVE a eof'

# The only member of the room becomes its coordinator.
finish alice
replies=$(printf 'NICK a\nMSG hi' | timeout "$deadline" nc.openbsd -N "$host" "$port")
[[ $replies == 'HELLO '*$'\nOK NICK a\nCOORDINATOR a\nOK MSG '+([0-9]) ]]
