#!/usr/bin/env bash
# The server is killed and started again: the client says so, refuses what is typed meanwhile, comes back and has its name;
# or is told to leave.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

serve
terminal 80 24
keys "clear; chinwag $host:$port --nick alice" Enter
screen $'*\n??:?? alice is the coordinator\n>'
keys 'half a li'
kill -s KILL "${pid[server]}"
status=0
hear_end server || status=$?
same 137 "$status"
screen $'*\n! Server disconnected.\n\\* connecting to '"$host:$port"$' again in 0.? s\n*> half a li'
keys ne Enter
screen $'*\n! not sent, there is no connection: half a line\n*>'
screen $'*\n! could not connect to '"$host:$port"$': connection refused\n*>'

mv "$work/server.err" "$work/killed.err"
serve --listen "$host:$port"
screen $'*! Server disconnected.*\n\\* you are alice; *\n! what was said *anew\n??:?? alice is the coordinator\n>'
join bob nc.openbsd -N "$host" "$port"
keys 'here again' Enter
hear bob 'MSG alice here again'

# The client is suspended while the server restarts.
keys 'suspen' C-z
screen $'*Stopped*\n$'
kill -s KILL "${pid[server]}"
hear_end server || true
finish bob || true
mv "$work/server.err" "$work/killed.err"
serve --listen "$host:$port"
keys fg Enter
screen $'*\nchinwag *\n! Server disconnected.\n*\n\\* you are alice; *coordinator\n> suspen'
keys 'ded' Enter
screen $'*\n??:?? alice: suspended\n>'

# While there is no server, /quit leaves at once.
kill -s KILL "${pid[server]}"
hear_end server || true
screen $'*\n! Server disconnected.\n*! Server disconnected.\n*>'
keys /quit Enter
screen $'*\n$'
