#!/usr/bin/env bash
# Incoming messages are printed above the line being typed. That line and its cursor stay intact, also with wide characters and when
# it is wrapped.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

start_chat 40 20
hear bob 'JOIN alice'

keys 'half a line'
say bob 'MSG one'
screen $'*\n??:?? bob: one\n> half a line'
keys Left Left Left Left
say bob 'MSG hi alice'
screen $'*\n??:?? bob: one\n??:?? bob: hi alice\n> half a line'
keys X
screen $'*\n> half a Xline'
keys Enter
hear bob 'OK MSG *' 'OK MSG *' 'MSG alice half a Xline'

# 20 wide characters take 40 columns: with the prompt, the line wraps, and then once more.
wide=日本語日本語日本語日本語日本語日本語日本
keys "$wide$wide"
say bob 'WHISPER alice 囲む 👩‍👩‍👧'
screen $'*\n??:?? bob whispers: 囲む 👩‍👩‍👧\n> '"${wide:0:19}"$'\n'"${wide:19}${wide:0:19}"$'\n'"${wide:19}"
keys Home 'これは'
say bob 'MSG two'
screen $'*\n??:?? bob whispers: *\n??:?? bob: two\n> これは'"${wide:0:16}"$'\n*'
keys Enter
hear bob 'OK WHISPER alice' 'OK MSG *' "MSG alice これは$wide$wide"

# The line that was sent is shown like those of others.
say bob 'MSG three'
screen $'*\n??:?? alice: これは*\n??:?? bob: three\n>'
# Ctrl-L leaves nothing else on the screen.
keys tea C-l
screen $'\n> tea'
keys C-u '/quit tea' Enter
hear bob 'OK MSG *' 'LEAVE alice quit tea'
