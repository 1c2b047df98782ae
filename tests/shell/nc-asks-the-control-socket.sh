#!/usr/bin/env bash
# An operator types requests with nc and socat. Another user is refused even if the mode of the socket's file admits that user, and the log
# has a warning.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd socat setpriv

control=$work/control.sock
serve --control "$control"
same 'srw-------' "$(stat -c %A "$control")"
join alice nc.openbsd -N "$host" "$port"

requests='status, status json, account list|add|password|role|remove, moderate COMMAND or audit'
greeting="HELLO chinwagd-control/1 send $requests"
connect operator nc.openbsd -U "$control"
hear operator "$greeting"
say operator 'status'
hear_to operator 'clients *'
hear operator 'members      1, 0 of them detached' 'no nickname  0, 0 of them watching'
hear_to operator 'OK status'
hear_end operator

connect operator socat -t 20 - "UNIX-CONNECT:$control"
hear operator "$greeting"
say operator 'NICK bob'
finish operator "ERR - unknown-request unknown request \"NICK\": expected $requests"

connect operator "$(server_program)" status --control "$control" --json
hear operator "{\"version\":*,\"clients\":1,*,\"members\":1,*}"
hear_end operator
quiet alice

if ((EUID == 0)); then
    chmod 755 "$work"
    nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    # Other users may not be able to read the directory of the program.
    cp "$(server_program)" "$work/chinwagd"
    ask() {
        local status=0
        "${nobody[@]}" "$work/chinwagd" status --control "$control" 2>"$work/denied" || status=$?
        same 1 "$status"
    }
    ask
    same "chinwagd: cannot connect to \"$control\": Permission denied; run this as root or as the user of the server" "$(<"$work/denied")"
    chmod 666 "$control"
    ask
    why='only root and the user of the server (uid 0) may use the control socket'
    same "chinwagd: the server at \"$control\" refused: $why" "$(<"$work/denied")"
    grep -q ' WARN refused a user on the control socket uid=65534 count=1$' "$work/server.err" || fail "$(<"$work/server.err")"

    # A server of another user serves that user and root.
    mkdir -m 777 "$work/nobody"
    connect other "${nobody[@]}" "$work/chinwagd" --listen "$host:0" --control "$work/nobody/control.sock"
    hear other 'chinwagd: listening on *'
    for user in env "${nobody[*]}"; do
        # shellcheck disable=SC2086 # a command with its arguments
        connect operator $user "$work/chinwagd" status --control "$work/nobody/control.sock"
        hear_to operator 'memory *'
        hear_end operator
    done
    kill -s TERM "${pid[other]}"
    hear_end other
fi
stop
[[ ! -e $control ]] || fail 'the control socket is left'
