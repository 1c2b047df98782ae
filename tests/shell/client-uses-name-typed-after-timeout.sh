#!/usr/bin/env bash
# At the prompt for a nickname, the client replies to PING. If the server closes the connection meanwhile, or is restarted, the
# client uses the typed name on a new connection.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

serve --name-timeout 1
terminal 200 20
keys "clear; chinwag $host:$port" Enter
screen $'*\nyour nickname:'
screen $'*\n! the server closed the connection: you did not take a name within 1 s; *new connection\nyour nickname:'
keys alice Enter
screen $'*\n\\* you are alice; *\n>'
keys /quit Enter
screen $'*\n$'

keys "clear; chinwag $host:$port" Enter
screen $'*\nyour nickname:'
kill -s KILL "${pid[server]}"
hear_end server || true
screen $'*\n! the server closed the connection; *new connection\nyour nickname:'
keys bob Enter
screen $'*\n! could not connect *\nanother address, or Enter to try again:'
mv "$work/server.err" "$work/killed.err"
serve --listen "$host:$port"
keys Enter
screen $'*\n\\* you are bob; *\n>'
keys /quit Enter
screen $'*\n$'
