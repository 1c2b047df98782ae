#!/usr/bin/env bash
# A chat over IPv6. The command that the server prints can be typed as it is.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs ipv6 nc.openbsd socat

serve --listen '[::1]:0'
same "nc ::1 $port" "${line#*join with: }"
join alice nc.openbsd -6 -N ::1 "$port"
join bob socat -t 20 - "TCP6:[::1]:$port"
hear alice 'JOIN bob'
say alice 'STATUS'
hear alice 'USER alice coordinator * address=[[]::1]:* *' 'USER bob member * address=[[]::1]:* *' 'OK STATUS 2'
say bob 'MSG hi'
hear bob 'OK MSG *'
hear alice 'MSG bob hi'
