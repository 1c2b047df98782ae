#!/usr/bin/env bash
# Own messages and whispers are marked until the server has acknowledged them; then they look like other messages. The client
# reports a refused or lost message with its text.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

start_chat 60 24
hear bob 'JOIN alice'
keys 'hello all' Enter
screen $'*\n??:?? alice: hello all\n>'
hear bob 'MSG alice hello all'
keys ' /MSG bob psst' Enter
screen $'*\n??:?? alice: hello all\n??:?? alice whispers to bob: psst\n>'
hear bob 'WHISPER alice psst'
keys '/w eve secret' Enter
screen $'*\n! eve is not here; nothing was delivered; /who lists names;*not sent: /w eve secret\n>'
keys '/shrug bob' Enter
screen $'*\n! unknown command /shrug; /help lists the commands; *//shrug\n>'
keys '/w bob' Enter
screen $'*\n! the text is missing; type: /msg name\\[,name] text\n>'

# The server does not answer: it is stopped before the lines are sent.
kill -s STOP "${pid[server]}"
keys 'still there?' Enter '/w bob are you?' Enter 'half a li'
screen $'*\nsending: still there?\nsending: /w bob are you?\n> half a li'
kill -s CONT "${pid[server]}"
screen $'*\n??:?? alice: still there?\n??:?? alice whispers to bob: are you?\n> half a li'
hear bob 'MSG alice still there?' 'WHISPER alice are you?'

kill -s STOP "${pid[server]}"
keys ne Enter
screen $'*\nsending: half a line\n>'
keys '/w bob one more' Enter
screen $'*\nsending: half a line\nsending: /w bob one more\n>'
kill -s KILL "${pid[server]}"
hear_end server || true
finish bob || true
screen $'*\n! Server disconnected.\n*! perhaps not sent: /w bob one more\n*\nsending: half a line\n>'
mv "$work/server.err" "$work/killed.err"
serve --listen "$host:$port"
# The new server has no history.
screen $'*\n\\* you are alice; *! perhaps not sent: half a line\n*>'

# The server is stopped. The client holds back the lines beyond its limit of unacknowledged ones, and drops them when the user leaves.
kill -s STOP "${pid[server]}"
"${tmux[@]}" set-buffer "$(seq -f 'line %g' 80)"
"${tmux[@]}" paste-buffer -p
keys Enter
screen $'*\nsending: line 1\n*\nsending: 76 more\n>'
keys C-c
screen $'*\n! not sent: line 65\n*! not sent: line 80\n*$'
kill -s CONT "${pid[server]}"
