#!/usr/bin/env bash
# A user asks telnet for character mode: the server refuses to echo and to suppress go-ahead, and everything works as before.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs expect telnet nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"

expect -f - "$host" "$port" >"$work/screen" <<'EOF' || fail "telnet showed: $(<"$work/screen")"
    lassign $argv host port
    set timeout 20
    spawn telnet $host $port
    expect_before timeout { exit 1 } eof { exit 1 }
    expect "HELLO chinwag/1 "
    send "PING before\r"
    expect "OK PING before\r\n"
    send "\x1d"
    expect "telnet> "
    send "mode character\r"
    # The reply to this line comes after the answers to telnet's requests.
    send "PING after\r"
    expect "OK PING after\r\n"
    send "NICK tesx\x16\x7fs\r"
    expect "OK NICK tess\r\n"
    send "\x03"
    send "MSG hi\r"
    expect -re {OK MSG \d+\r\n}
    send "QUIT\r"
    expect "OK QUIT\r\n"
    expect_before
    expect "Connection closed by foreign host" {} timeout { exit 1 }
EOF
hear alice 'JOIN tess' 'MSG tess hi' 'LEAVE tess quit'
quiet alice
