#!/usr/bin/env bash
# The server stops within a second, with status 0, after every client that reads has received the reason. A client that does not read
# cannot delay it.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd socat ncat

# Without timeouts, the stuck client stays connected however long the messages take.
serve --line-rate 0 --write-timeout 0 --lost-timeout 0
join bob socat -t 20 - "TCP:$host:$port"
join stuck nc.openbsd "$host" "$port"
kill -s STOP "${pid[stuck]}"
hear bob 'JOIN stuck'

# Several times the bytes that the kernels hold between the server and a stopped program.
printf -v long '%04000d' 0
for ((i = 1; i <= 1000; i++)); do say bob "MSG $long"; done
sync bob
same 1000 "${#skipped[@]}"
join alice ncat "$host" "$port"
hear bob 'JOIN alice'

start=${EPOCHREALTIME/[.,]/}
kill -s TERM "${pid[server]}"
hear alice 'NOTICE *'
hear bob 'NOTICE *'
hear_end server
took_us=$((${EPOCHREALTIME/[.,]/} - start))
# It should take one second; the rest is for a busy machine.
((took_us < 5000000)) || fail "it took $took_us µs"
finish alice
finish bob
