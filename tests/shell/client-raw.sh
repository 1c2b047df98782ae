#!/usr/bin/env bash
# `chinwag raw` sends standard input as protocol lines, reads the remaining replies at the end, and exits with 1 after a refusal.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

serve --epoch k7qd
run() {
    status=0
    timeout "$deadline" "${client[@]}" raw "$@" >"$work/out" || status=$?
}

run < <(printf 'NICK raw\r\n\nPONG x\nMSG hi\nCHAT\nPONG is said\n/pong y\n/chat\nWHO\nPING last')
same 0 "$status"
same "HELLO chinwag/1 epoch=k7qd features=rooms,watch,secure type NICK and your name to join, HELP for help
OK NICK raw
COORDINATOR raw
OK MSG 1
OK CHAT on
OK MSG 2
OK CHAT off
USER raw coordinator
OK WHO 1
OK PING last" "$(tail -n +1 "$work/out" | tr -d '\r')"

run < <(printf 'NICK raw\nnonsense \x1b\ncaf\xe9\nQUIT\nNICK not sent')
same 1 "$status"
same 6 "$(wc -l <"$work/out")"
grep -q $'\e' "$work/out" && fail "the output has an escape character"
same 'OK QUIT' "$(tail -n 1 "$work/out")"

# A byte order mark is dropped at the start only.
run < <(printf '\xef\xbb\xbfPING a\n\xef\xbb\xbf\n\0PING b\n\0\nMSG GET / HTTP/1.1\nPING c')
same 1 "$status"
same 'OK PING a
ERR - verb-unknown
OK PING b
ERR MSG no-name
OK PING c' "$(tail -n +2 "$work/out" | cut -d ' ' -f 1-3)"

run --json < <(printf 'MSG hi\n')
same 1 "$status"
same 2 "$(grep -c '^{.*}$' "$work/out")"

# It prints events while the input is idle, and leaves the room at the end of the input.
join alice nc.openbsd -N "$host" "$port"
connect raw "${client[@]}" raw
hear raw 'HELLO *'
say raw 'NICK raw'
hear raw 'OK NICK raw'
hear alice 'JOIN raw'
say alice 'MSG hi'
hear raw 'MSG alice hi'
finish raw
hear alice 'OK MSG *' 'LEAVE raw eof'
