#!/usr/bin/env bash
# Invalid UTF-8, an incomplete character, and control characters in a paste do not end the client, and the keys after them still
# count.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

start_chat 60 20
hear bob 'JOIN alice'

# "café au lait" typed in Latin-1; then an incomplete character.
keys -H 63 61 66 e9 20 61 75 20 6c 61 69 74
screen $'*\n> caf\ufffd au lait'
keys Enter
hear bob $'MSG alice caf\ufffd au lait'
keys -H c3
keys 'x' Enter
hear bob $'MSG alice \ufffdx'
# Pasted, with the bytes of Ctrl-C, Ctrl-D, Ctrl-Z, a bell and a colour: none acts as a key, and none reaches the terminal.
keys -H 1b 5b 32 30 30 7e 61 03 04 1a 07 e9 1b 5b 33 31 6d 62 0d 0a 63 1b 5b 32 30 31 7e
screen $'*\n> a\ufffd\ufffd\ufffd\ufffd\ufffdb\nc'
keys Enter
hear bob $'MSG alice a\ufffd\ufffd\ufffd\ufffd\ufffdb' 'MSG alice c'
keys 'still here' Enter
hear bob 'MSG alice still here'
keys C-c
hear bob 'LEAVE alice quit'
