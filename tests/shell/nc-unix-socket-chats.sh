#!/usr/bin/env bash
# Users on one machine chat through a Unix socket with nc and socat, and a script pipes its lines into it. Users whom the file's mode does
# not admit cannot connect.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd socat setpriv

socket=$work/chat.sock
serve --listen "$host:0" --listen "unix://$socket"
same - "${ports[1]}"
same 'srw-rw----' "$(stat -c %A "$socket")"

join alice nc.openbsd -N -U "$socket"
join bob socat -t 20 - "UNIX-CONNECT:$socket"
hear alice 'JOIN bob'
join carol nc.openbsd -N "$host" "$port"
hear alice 'JOIN carol'
hear bob 'JOIN carol'

say bob 'MSG hello from this machine'
hear bob 'OK MSG 1'
hear alice 'MSG bob hello from this machine'
hear carol 'MSG bob hello from this machine'

say alice 'STATUS'
hear alice 'USER alice coordinator id=+([0-9]) address=unix *' 'USER bob member id=+([0-9]) address=unix *'
hear alice "USER carol member id=+([0-9]) address=$host:*" 'OK STATUS 3'

# Replies to a pipe whose input has ended are not lost.
replies=$(printf 'NICK ci\nMSG build 41 is green\n' | nc.openbsd -N -U "$socket" | tail -n 1)
same 'OK MSG 2' "$replies"
hear alice 'JOIN ci' 'MSG ci build 41 is green' 'LEAVE ci eof'

if ((EUID == 0)); then
    chmod 755 "$work"
    ! setpriv --reuid=65534 --regid=65534 --clear-groups nc.openbsd -N -U "$socket" </dev/null 2>"$work/denied" || fail 'admitted'
    [[ $(<"$work/denied") == *[Pp]ermission* ]] || fail "$(<"$work/denied")"
fi
stop
[[ ! -e $socket ]] || fail 'the socket is left'
