#!/usr/bin/env bash
# A CI job sends three lines through one pipe; the exit status tells whether the message was accepted.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd ncat

tell() {
    printf 'NICK ci\nMSG %s\nQUIT\n' "$1" | timeout "$deadline" nc.openbsd -N "$host" "$port" | grep '^OK MSG ' >"$work/id"
}

serve
join alice ncat "$host" "$port"
tell 'build 41 is green'
hear alice 'JOIN ci' 'MSG ci build 41 is green' 'LEAVE ci quit'

# Ten jobs in a row: each finds the nickname free as soon as the one before has ended.
for build in {42..51}; do
    tell "build $build is green"
    hear alice 'JOIN ci' "MSG ci build $build is green" 'LEAVE ci quit'
done

# The message is refused: it has no text.
if tell ''; then fail 'it cannot have been heard'; fi
hear alice 'JOIN ci' 'LEAVE ci quit'
quiet alice
