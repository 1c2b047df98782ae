#!/usr/bin/env bash
# Everything that telnet's `send` command can send, each in the middle of a line and between two lines: the lines stay whole,
# `ec` and `el` edit, and `ayt` is answered. `synch` marks its last byte urgent.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs expect telnet nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"

for mode in line character; do
    expect -f - "$host" "$port" "$mode" >"$work/screen" <<'EOF' || fail "telnet showed: $(<"$work/screen")"
        lassign $argv host port mode
        set timeout 20
        spawn telnet $host $port
        expect_before timeout { exit 1 } eof { exit 1 }
        proc command {words} {
            send "\x1d"
            expect "telnet> "
            send "$words\r"
        }
        expect "HELLO chinwag/1 "
        send "PING start\r"
        expect "OK PING start\r\n"
        if {$mode eq "character"} { command "mode character" }
        foreach signal {synch abort ao ayt brk ec el eof eor ga ip nop susp} {
            command "send $signal"
            if {$signal eq "ayt"} { expect "NOTICE yes, the server is here\r\n" }
            send "PING $signal-between\r"
            expect "OK PING $signal-between\r\n"
        }
        # In line mode, telnet sends the typed text only at Enter; Ctrl-D sends it as it is.
        set flush [expr {$mode eq "line" ? "\x04" : ""}]
        foreach {signal before after} {
            synch PI NG abort PI NG ao PI NG brk PI NG nop PI NG ip PI NG susp PI NG ga PI NG eor PI NG
            ayt PI NG ec PIX NG el oops PING
        } {
            send "$before$flush"
            command "send $signal"
            send "$after $signal-within\r"
            expect "OK PING $signal-within\r\n"
        }
        send "QUIT\r"
        expect "OK QUIT\r\n"
        expect_before
        expect "Connection closed by foreign host" {} timeout { exit 1 }
EOF
done
quiet alice
