#!/usr/bin/env bash
# mandoc finds nothing to complain about in the man pages, and their lines fit into a terminal.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs mandoc
cd "${0%/*}/../../packaging/man"

# mandoc looks for references to other pages among those that are installed. These pages refer only to each other.
same '' "$(mandoc -Tlint -- * 2>&1 | grep -Ev 'not found: Xr (chinwag 1|chinwagd 8|chinwag-protocol 7)$' || true)"

# Longer lines are examples, and in the protocol also transcripts, diagrams and grammar, which are not filled.
for page in chinwag.1 chinwagd.8; do
    long=$(mandoc -Tascii -Owidth=80 "$page" | sed 's/.\x08//g' | grep -E '.{81}' | grep -Ev '^ +(chinwag|printf|make)' || true)
    same '' "$long"
done
