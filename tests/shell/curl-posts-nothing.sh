#!/usr/bin/env bash
# What a web page would make a browser send: whatever the method, the lines in it are not carried out, and the connection is
# closed at once.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs curl nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"
for method in POST NICK 'MSG hi'; do
    curl --silent --http0.9 --max-time "$deadline" --request "$method" --data $'NICK mallory\nMSG gotcha\n' \
        "http://$host:$port/" >"$work/$method.answer" || fail "curl: $?"
    grep -q '^ERR - wrong-protocol ' "$work/$method.answer"
done
quiet alice
finish alice
