#!/usr/bin/env bash
# The server prints one line for each listener and writes one to the port file, in the order of the options. All listeners lead to the
# same room. At the end, the server removes the file.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs ipv6 nc.openbsd

serve --listen 127.0.0.1:0 --listen '[::1]:0'
same 2 "${#ports[@]}"
mapfile -t printed < <(grep '^server<' "$work/transcript")
[[ ${printed[0]} == "server< chinwagd: listening on 127.0.0.1:${ports[0]} "* ]]
[[ ${printed[1]} == "server< chinwagd: listening on [::1]:${ports[1]} "* ]]

join four nc.openbsd -4 -N 127.0.0.1 "${ports[0]}"
join six nc.openbsd -6 -N ::1 "${ports[1]}"
hear four 'JOIN six'
finish six
finish four 'LEAVE six eof'

[[ -e $work/server.ports ]]
stop # also checks that the server printed no further line
[[ ! -e $work/server.ports ]]
