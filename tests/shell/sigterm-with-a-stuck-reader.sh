#!/usr/bin/env bash
# The server stops within its second, with status 0, after everybody who reads has read why; one who does not read cannot
# keep it from that.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd socat ncat

serve --line-rate 0
join bob socat -t 20 - "TCP:$host:$port"
join stuck nc.openbsd "$host" "$port"
kill -s STOP "${pid[stuck]}"
hear bob 'JOIN stuck'

# Several times what the two kernels hold between the server and a program that is stopped.
printf -v long '%04000d' 0
for ((i = 1; i <= 1000; i++)); do
    say bob "MSG $long"
    hear bob 'OK MSG *'
done
join alice ncat "$host" "$port"
hear bob 'JOIN alice'

start=${EPOCHREALTIME/[.,]/}
kill -s TERM "${pid[server]}"
hear alice 'NOTICE *'
hear bob 'NOTICE *'
hear_end server
took_us=$((${EPOCHREALTIME/[.,]/} - start))
# It is to take one second; the rest is for a machine that is busy otherwise.
((took_us < 3000000)) || fail "it took $took_us µs"
finish alice
finish bob
