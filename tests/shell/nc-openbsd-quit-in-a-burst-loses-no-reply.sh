#!/usr/bin/env bash
# 500 lines, QUIT, and more lines: each line up to QUIT gets its reply, and the lines after it get none.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

serve --line-rate 0
for ((i = 1; i <= 500; i++)); do
    echo "PING $i" >>"$work/burst"
    echo "OK PING $i" >>"$work/expected"
done
echo 'OK QUIT' >>"$work/expected"
{ echo 'QUIT' && seq -f 'PING late-%g' 5000; } >>"$work/burst"

timeout "$deadline" nc.openbsd -N "$host" "$port" <"$work/burst" >"$work/heard"
read -r greeting <"$work/heard"
[[ $greeting == 'HELLO '* ]]
diff "$work/expected" <(tail -n +2 "$work/heard") >&2
