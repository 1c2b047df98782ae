#!/usr/bin/env bash
# A message that is too long is refused before it is sent, with its length, and Up brings it back to be shortened. So is a
# whisper, although the history does not keep whispers.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

serve
join bob nc.openbsd -N "$host" "$port"
terminal 100 60
keys "clear; chinwag $host:$port --nick alice" Enter
screen $'*\n>'
hear bob 'JOIN alice'
long=$(printf 'x%.0s' {1..4095})
for start in '' '/msg bob '; do
    keys -l "$start$long"
    keys Enter
    screen $'*\n! too long: 4095 bytes, at most 40?? can be sent at once; it was not sent\n>'
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
