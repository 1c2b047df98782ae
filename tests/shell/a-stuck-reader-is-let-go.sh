#!/usr/bin/env bash
# Who does not read delays nobody, and is let go, for all to see, when what it has not read is no longer kept.
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

# When it wakes up it reads what the kernels held, and last, why.
sync bob
kill -s CONT "${pid[stuck]}"
hear_to stuck 'ERR - slow *'
finish stuck
finish bob
