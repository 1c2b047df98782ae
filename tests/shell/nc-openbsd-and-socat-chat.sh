#!/usr/bin/env bash
# Two users with different programs chat, one changes the nickname, and the remaining member becomes coordinator.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd socat

serve
join alice nc.openbsd -N "$host" "$port"
join bob socat -t 20 - "TCP:$host:$port"
hear alice 'JOIN bob'

say bob 'MSG hello, alice'
hear bob 'OK MSG +([0-9])'
hear alice 'MSG bob hello, alice'
say alice 'msg hello,  bob: späße 😀'
hear alice 'OK MSG +([0-9])'
hear bob 'MSG alice hello,  bob: späße 😀'

say alice 'NICK al'
hear alice 'OK NICK al'
hear bob 'RENAME alice al'
say alice 'QUIT tea time'
finish alice 'OK QUIT'
hear bob 'LEAVE al quit tea time' 'COORDINATOR bob'
quiet bob
finish bob
