#!/usr/bin/env bash
# The history file keeps lines from one run to the next, is readable only by its owner, and has no text of whispers.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

start_chat 60 20
keys 'hello all' Enter
keys '/w bob secret one' Enter
hear bob 'JOIN alice' 'MSG alice hello all' 'WHISPER alice secret one'
say bob 'WHISPER alice psst'
screen '*bob whispers: psst*'
keys '/reply secret two' Enter '/wisper bob secret three' Enter ' /MSG bob secret four' Enter '/quit' Enter
hear bob 'OK WHISPER alice' 'WHISPER alice secret two' 'WHISPER alice secret four' 'LEAVE alice quit'
screen $'*\n$'
history=$work/state/chinwag/history
same 600 "$(stat -c %a "$history")"
same $'#V2\nhello all\n/w \n/reply \n/wisper \n/MSG \n/quit' "$(<"$history")"

keys "clear; chinwag $host:$port --nick alice" Enter
screen $'*\n>'
keys Up Up Up Up Up Up
screen $'*\n> hello all'
keys Enter
hear bob 'JOIN alice' 'MSG alice hello all'
keys C-d
screen $'*\n$'
