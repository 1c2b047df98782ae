#!/usr/bin/env bash
# A client that does not read delays nobody. When it falls off the feed, it is disconnected, and the members see its LEAVE.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd socat

serve --feed-bytes 1048576 --line-rate 0
join bob socat -t 20 - "TCP:$host:$port"
join stuck nc.openbsd "$host" "$port"
kill -s STOP "${pid[stuck]}"
hear bob 'JOIN stuck'

printf -v long '%04000d' 0
until [[ $line == 'LEAVE stuck slow' ]]; do
    say bob "MSG $long"
    hear bob '@(OK MSG *|LEAVE stuck slow)'
done

# When it reads again, it gets the bytes that the kernels held, and then the reason.
sync bob
kill -s CONT "${pid[stuck]}"
hear_to stuck 'ERR - slow *'
finish stuck
finish bob
