#!/usr/bin/env bash
# In the middle of a search, a quoted key, a repeated key, a key sequence, a paste or a list of completions, the client answers the
# server's PING and prints messages.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

# The server sends PING after two seconds of silence, and disconnects after four: long enough for a busy machine.
start_chat 60 20 --idle-timeout 4
hear bob 'JOIN alice'
keys 'tea for two' Enter
hear bob 'MSG alice tea for two'

# Waits for a PING to bob. By then, alice's client has also got one, and has replied to the one before: otherwise, it would be disconnected.
# Then checks how the terminal shows bob's message: passes TEXT ROWS
passes() {
    hear bob 'PING *'
    say bob "PONG"
    say bob "MSG $1"
    hear bob 'OK MSG *'
    screen "*bob: $1"$'\n'"$2"
}

keys C-r tea
passes one $'(search)`tea\': tea for two'
keys C-g C-v
passes two '>'
keys x Escape 5
passes three '(repeat 5) x'
keys x Escape
passes four '> xxxxxx'
keys C-u
# A paste without its end.
keys Escape '[200~half a paste'
passes five '> half a paste'
keys -H 1b 5b 32 30 31 7e
keys C-u /h Tab
passes six $'/help     /history  /home\n> /h'
# The list stays until the next key.
keys C-c
hear bob 'LEAVE alice quit'
