#!/usr/bin/env bash
# The server is stopped and started again, as for an upgrade. `chinwag tail` prints each message once, in order.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

serve --data "$work/chat.db" --line-rate 0
join alice nc.openbsd -N "$host" "$port"
connect tail "${client[@]}" tail --from alice --count 100
watched alice 1
for number in {1..50}; do
    say alice "MSG before $number"
done
hear_to alice 'OK MSG 50'
stop
finish alice 'NOTICE *'

serve --data "$work/chat.db" --line-rate 0 --listen "$host:$port"
join alice nc.openbsd -N "$host" "$port"
for number in {1..50}; do
    say alice "MSG after $number"
done
for number in {1..50}; do
    hear tail "??:?? alice: before $number"
done
for number in {1..50}; do
    hear tail "??:?? alice: after $number"
done
hear_end tail
