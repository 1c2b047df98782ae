#!/usr/bin/env bash
# Tab completes commands, and the nicknames of members.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

start_chat 60 20
hear bob 'JOIN alice'
# By the reply, the client has received the member list.
keys /ping Enter
screen '*the server answered*'

keys 'b' Tab 'hi' Enter
hear bob 'MSG alice bob: hi'
keys 'see (B' Tab 'and @bo' Tab Enter
hear bob 'MSG alice see (bob and @bob '
keys '/msg bo' Tab 'psst' Enter
hear bob 'WHISPER alice psst'
keys '/st' Tab
screen $'*\n> /status'
keys C-u

join bert nc.openbsd -N "$host" "$port"
screen '*bert joined*'
hear bob 'JOIN bert'
keys '/w be' Tab 'psst' Enter
hear bert 'WHISPER alice psst'
finish bob
screen '*bob left*'
hear bert 'LEAVE bob eof'
keys 'b' Tab Enter
hear bert 'COORDINATOR alice' 'MSG alice bert: '
