#!/usr/bin/env bash
# nc, telnet and bash are in two rooms at once. Each line names its room, except those about the home. A message of one room reaches
# no client that is only in the other.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd expect telnet

serve
join alice nc.openbsd -N "$host" "$port"
say alice 'JOIN #ops'
hear alice 'OK JOIN #ops epoch=* last=0' '#ops COORDINATOR alice'

# bash opens the connection itself, and its home is #ops.
exec {chat}<>"/dev/tcp/$host/$port"
read_bash() {
    local expected reply
    for expected; do
        IFS= read -r -t "$deadline" reply <&"$chat" || fail "bash read nothing instead of $expected"
        # shellcheck disable=SC2053 # it is meant as a pattern
        [[ $reply == $expected ]] || fail "bash read ${reply@Q} instead of $expected"
    done
}
printf 'NICK robot #ops\nMSG disk is 90%% full\n' >&"$chat"
read_bash 'HELLO *' 'OK NICK robot #ops epoch=* last=0' 'OK MSG 1'
hear alice '#ops JOIN robot' '#ops MSG robot disk is 90% full'
quiet alice

# A user of telnet joins #ops from the lobby, and answers in both rooms.
expect -f - "$host" "$port" >"$work/screen" <<'EOF' || fail "telnet showed: $(<"$work/screen")"
    lassign $argv host port
    set timeout 20
    spawn telnet $host $port
    expect_before timeout { exit 1 } eof { exit 1 }
    expect "HELLO chinwag/1 "
    send "NICK tess\r"
    expect "OK NICK tess\r\n"
    send "join #ops\r"
    expect -re {OK JOIN #ops epoch=\S+ last=1\r\n}
    send "#ops history\r"
    expect -re {#ops PAST 1 \S+ robot disk is 90% full\r\n#ops OK HISTORY 1 last=1\r\n}
    send "#ops MSG I clean up\r"
    expect "#ops OK MSG 2\r\n"
    send "MSG the lobby can wait\r"
    expect -re {\nOK MSG 1\r\n}
    send "QUIT\r"
    expect "OK QUIT\r\n"
EOF
hear alice 'JOIN tess' '#ops JOIN tess' '#ops MSG tess I clean up' 'MSG tess the lobby can wait'
# The LEAVE comes once for each room; within one turn, rooms may come in any order.
hear alice '?(#ops )LEAVE tess quit'
first=$line
hear alice '?(#ops )LEAVE tess quit'
[[ $first != "$line" ]] || fail "alice read '$line' twice"
quiet alice

# robot is not in the lobby, so it read nothing of it.
read_bash 'JOIN tess' 'MSG tess I clean up' 'LEAVE tess quit'
printf 'PING sync\n#lobby MSG hello\n' >&"$chat"
read_bash 'OK PING sync' '#lobby ERR MSG not-in-room *'

# A watcher reads without joining.
connect eve nc.openbsd -N "$host" "$port"
say eve 'WATCH #ops'
hear eve 'HELLO *' 'OK WATCH #ops epoch=* last=2'
printf 'MSG done\n' >&"$chat"
hear eve 'MSG robot done'
hear alice '#ops MSG robot done'
quiet alice

say alice 'PART #ops good night'
hear alice 'OK PART #ops'
read_bash 'OK MSG 3' 'LEAVE alice part good night' 'COORDINATOR robot'
say alice '#ops MSG one more thing'
hear alice '#ops ERR MSG not-in-room *'
hear eve 'LEAVE alice part good night' 'COORDINATOR robot'
printf 'QUIT\n' >&"$chat"
read_bash 'OK QUIT'
hear eve 'LEAVE robot quit'
finish eve
finish alice
