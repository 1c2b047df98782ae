#!/usr/bin/env bash
# A user of telnet in its default mode: CR LF in both directions, a corrected letter, and Ctrl-C, which sends IAC IP and waits for an
# answer to its timing mark.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs expect telnet nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"

# Ctrl-V before the DEL: the terminal passes it on, and the server does the editing.
expect -f - "$host" "$port" "$work/trace" >"$work/screen" <<'EOF' || fail "telnet showed: $(<"$work/screen")"
    lassign $argv host port trace
    set timeout 20
    spawn telnet -n $trace
    expect_before timeout { exit 1 } eof { exit 1 }
    expect "telnet> "
    send "toggle netdata\r"
    expect "telnet> "
    send "open $host $port\r"
    expect "HELLO chinwag/1 "
    send "NICK tesx\x16\x7fs\r"
    expect "OK NICK tess\r\n"
    # telnet shows nothing until it has the answer, so each Ctrl-C needs one.
    foreach try {1 2} {
        send "MSG half a line\x03"
        send "MSG whole line $try\r"
        expect -re {OK MSG \d+\r\n}
    }
    send "PING sync\r"
    expect "OK PING sync\r\n"
    send "QUIT\r"
    expect "OK QUIT\r\n"
    expect_before
    expect "Connection closed by foreign host" {} timeout { exit 1 }
EOF
hear alice 'JOIN tess' 'MSG tess whole line 1' 'MSG tess whole line 2' 'LEAVE tess quit'
quiet alice

# On the screen both endings look the same; in telnet's own trace, in hexadecimal, CR LF must follow "OK QUIT".
grep -q '4f4b20515549540d0a' "$work/trace" || fail "telnet was sent: $(<"$work/trace")"
