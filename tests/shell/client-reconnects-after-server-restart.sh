#!/usr/bin/env bash
# The server is killed and started again. The client reports the loss, refuses lines typed meanwhile, reconnects under its nickname, and
# leaves at once if the user quits.
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
screen $'*\n! Server disconnected.\n\\* reconnecting to '"$host:$port"$' in 0.? s\n*> half a li'
keys ne Enter
screen $'*\n! not sent (no connection): half a line\n*>'
screen $'*\n! could not connect to '"$host:$port"$': connection refused\n*>'

mv "$work/server.err" "$work/killed.err"
serve --listen "$host:$port"
screen $'*! Server disconnected.*\n\\* you are alice; *\n! messages sent while *has them\n??:?? alice is the coordinator\n>'
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

# Without a server, /quit leaves at once.
kill -s KILL "${pid[server]}"
hear_end server || true
screen $'*\n! Server disconnected.\n*! Server disconnected.\n*>'
keys /quit Enter
screen $'*\n$'
