#!/usr/bin/env bash
# An HTTP request, as a web page could make a browser send it to the chat port: the server closes the connection at once, and runs none
# of the lines in the request.
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
