#!/usr/bin/env bash
# On a terminal the log is in colour, unless NO_COLOR is set or TERM is dumb; Ctrl-C there stops the server, with status 0.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs script nc.openbsd

# Starts the server on a terminal. The peer named terminal reads what the terminal shows.
serve_on_a_terminal() {
    connect terminal env "$@" script --quiet --return --flush \
        --command "exec '$(server_program)' --listen 127.0.0.1:0" /dev/null
    hear_to terminal 'chinwagd: listening on 127.0.0.1:*'
    port=${line#*127.0.0.1:}
    join alice nc.openbsd -N "$host" "${port%% *}"
    hear_to terminal '*connected*'
    connected=$line
    finish alice
}

serve_on_a_terminal -u NO_COLOR TERM=xterm
[[ $connected == *$'\e['*m*connected* ]]
hear_to terminal '*left*'
send terminal '\003'
hear_to terminal '*stopped*'
hear_end terminal

for plain in NO_COLOR=1 TERM=dumb TERM=; do
    serve_on_a_terminal -u NO_COLOR TERM=xterm "$plain"
    [[ $connected != *$'\e'* ]]
    hear_to terminal '*left*'
    [[ ${skipped[*]} != *$'\e'* ]]
    send terminal '\003'
    hear_to terminal '*stopped*'
    hear_end terminal
done
