#!/usr/bin/env bash
# The client refuses a message that is too long, with its length, before sending it. Up brings the line back, also a whisper, which the
# history does not keep.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

start_chat 100 60
hear bob 'JOIN alice'
long=$(printf 'x%.0s' {1..4095})
for start in '' '/msg bob '; do
    keys -l "$start$long"
    keys Enter
    screen $'*\n! not sent: the text has 4095 bytes, more than the limit of 40??; *\n>'
    keys Up
    screen $'*\n'"> $start"'xxx*'
    for _ in {1..12}; do keys BSpace; done
    keys Enter
    hear bob "*alice ${long:12}"
done
keys Up
screen $'*\n> /msg'
keys C-c
hear bob 'LEAVE alice quit'
! grep -q msg.*x "$work/state/chinwag/history" || fail "the history has a whisper"
