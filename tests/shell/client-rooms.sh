#!/usr/bin/env bash
# The client in three rooms: the prompt shows the room, lines of other rooms carry its name, Tab completes rooms, switching reports what
# is unread, and after a restart of the server the client is in its rooms again.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

start_chat 72 30
hear bob 'JOIN alice'
say bob 'JOIN #Ops'
hear bob 'OK JOIN #Ops *' '#Ops COORDINATOR bob'
say bob '#ops MSG before'
say bob '#ops TOPIC on call: bob'
hear bob '#Ops OK MSG 1' '#Ops OK TOPIC on call: bob'

# A listed room can be completed. Its last messages are shown, and lines go to it.
keys /rooms Enter
screen $'*\n\\* #lobby, 2 members, you are in it\n\\* #Ops, 1 member: on call: bob\n>'
keys '/join #o' Tab Enter
hear bob '#Ops JOIN alice'
screen $'*\n\\* you are in #Ops\n??:?? bob: before\n#Ops>'
keys 'hello b' Tab 'there' Enter
hear bob '#Ops MSG alice hello bob there'
keys /topic Enter
screen $'*\n??:?? alice: hello bob there\n\\* topic: on call: bob\n#Ops>'
keys '/topic nobody' Enter
hear bob '#Ops TOPIC alice nobody'
screen $'*\n??:?? alice set the topic: nobody\n#Ops>'
keys '/who' Enter
screen $'*\n\\* bob coordinator\n\\* alice member\n\\* 2 members\n#Ops>'

# Lines of other rooms are named; a line can go to another room.
say bob 'MSG one'
hear bob 'OK MSG *'
say bob 'MSG alice, two'
hear bob 'OK MSG *'
screen $'*\n??:?? #lobby bob: one\n??:?? #lobby bob: alice, two\n#Ops>'
keys '/msg #l' Tab 'me too' Enter
hear bob 'MSG alice me too'
screen $'*\n??:?? #lobby alice: me too\n#Ops>'
keys '/#l' Tab '/who' Enter
screen $'*\n\\* #lobby bob coordinator\n\\* #lobby alice member\n\\* #lobby 2 members\n#Ops>'
keys '#lobby not here' Enter
screen $'*\n! not sent: is it for #lobby? Then type: /#lobby text *\n#Ops>'
keys '/w bob psst' Enter
hear bob 'WHISPER alice psst'

# Switching says where something is unread. A line that is typed at once goes to the new room.
keys '/join #dev' Enter 'first' Enter
screen $'*\n\\* you are in #dev; unread: #lobby 2 (1 mentions you)\n??:?? alice is the coordinator\n??:?? alice: first\n#dev>'
keys '/join #OPS' Enter
screen $'*\n\\* you are in #Ops; unread: #lobby 2 (1 mentions you)\n#Ops>'
keys '/home' Enter
screen $'*\n\\* you are in #lobby\n>'
keys '/part #ops tea' Enter
hear bob '#Ops LEAVE alice part tea'
screen $'*\n\\* you left #Ops\n>'
keys '/join #ops' Enter
hear bob '#Ops JOIN alice'
screen $'*\n\\* you are in #Ops\n*#Ops>'

# The server is killed and started again: the client enters its rooms again.
kill -s KILL "${pid[server]}"
hear_end server || true
finish bob || true
mv "$work/server.err" "$work/killed.err"
serve --listen "$host:$port"
screen $'*! Server disconnected.*\n\\* you are alice; *\n#Ops>'
join carol nc.openbsd -N "$host" "$port"
keys 'still here' Enter
screen $'*\n??:?? alice: still here\n#Ops>'
say carol 'JOIN #ops,#dev'
hear carol 'OK JOIN #Ops epoch=* last=1 #dev epoch=* last=0'
say carol '#ops WHO'
hear carol '#Ops USER alice coordinator' '#Ops USER carol member' '#Ops OK WHO 2'
say carol '#dev MSG hi alice'
hear carol '#dev OK MSG 1'
screen $'*\n??:?? #dev carol: hi alice\n#Ops>'
keys '/part' Enter
hear carol '#Ops LEAVE alice part' '#Ops COORDINATOR carol'
screen $'*\n\\* you left #Ops; you are in #lobby; unread: #dev 1 (1 mentions you)\n>'
