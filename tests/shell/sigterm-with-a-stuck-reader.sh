#!/usr/bin/env bash
# The server stops within its second, with status 0, after everybody who reads has read why; one who does not read cannot
# keep it from that.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd socat ncat

# However long it takes to say all that, the one who is stuck is not let go for it.
serve --line-rate 0 --write-timeout 0 --lost-timeout 0
join bob socat -t 20 - "TCP:$host:$port"
join stuck nc.openbsd "$host" "$port"
kill -s STOP "${pid[stuck]}"
hear bob 'JOIN stuck'

# Several times what the two kernels hold between the server and a program that is stopped.
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
# It is to take one second; the rest is for a machine that is busy otherwise.
((took_us < 5000000)) || fail "it took $took_us µs"
finish alice
finish bob
