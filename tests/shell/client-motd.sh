#!/usr/bin/env bash
# The client shows the message of the day at a terminal, once. The commands for scripts do not print it, and do not count its lines;
# `raw` prints every line.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

printf 'Welcome.\n\nNOTE: the build room is #build.\n' >"$work/motd"
serve --motd "$work/motd"
lines=('NOTICE Welcome.' 'NOTICE NOTE: the build room is #build.')
connect bob nc.openbsd -N "$host" "$port"
say bob 'NICK bob'
hear bob 'HELLO *' "${lines[@]}" 'OK NICK bob' 'COORDINATOR bob'

connect tail "${client[@]}" tail --nick tail --count 1
hear bob 'JOIN tail'
say bob 'MSG hi'
hear bob 'OK MSG 1'
hear tail '??:?? bob: hi'
hear_end tail
hear bob 'LEAVE tail quit'
connect json "${client[@]}" --json tail --since 0 --count 1
hear json '{"from":"bob","id":1,*"type":"msg"}'
hear_end json
connect waiter "${client[@]}" wait 'Welcome|green' --nick waiter
hear bob 'JOIN waiter'
connect sender "${client[@]}" send --nick sender it is green
hear_end sender
# The waiter may be faster than the sender.
hear bob 'JOIN sender' 'MSG sender it is green' 'LEAVE * quit' 'LEAVE * quit'
hear waiter '??:?? sender: it is green'
hear_end waiter
same 'bob coordinator' "$("${client[@]}" who)"
same '??:?? bob: hi' "$("${client[@]}" history 2 | sed -n '1s/^..:../??:??/p')"
same 'OK PING' "$(printf 'PING\n' | "${client[@]}" raw | tail -n 1)"
same 2 "$(printf 'PING\n' | "${client[@]}" raw | grep -c '^NOTICE ')"
for peer in tail json waiter sender; do same '' "$(<"$work/$peer.err")"; done

terminal 80 20
keys "clear; chinwag $host:$port --nick alice" Enter
screen $'*\n*the server says: Welcome.\n*the server says: NOTE: the build room is #build.\n*you are alice; *\n*>'
hear bob 'JOIN alice'
keys hello Enter
hear bob 'MSG alice hello'

# It reconnects to a server that was started again, and does not show the text again.
kill -s KILL "${pid[server]}"
hear_end server || true
finish bob || true
mv "$work/server.err" "$work/killed.err"
serve --listen "$host:$port" --motd "$work/motd"
screen $'*\n\\* reconnecting *\n\\* you are alice; *\n>'
connect bob nc.openbsd -N "$host" "$port"
say bob 'NICK bob'
hear_to bob 'OK NICK bob'
say bob 'MSG back again'
screen $'*\n*bob: back again\n*>'
keys clear Enter
"${tmux[@]}" capture-pane -p -S - >"$work/screen"
same 1 "$(grep -c 'the server says: Welcome' "$work/screen")"
