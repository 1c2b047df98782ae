#!/usr/bin/env bash
# `chinwag who`: who else is here, in the order in which they came; nobody is no error.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

serve
same '' "$("${client[@]}" who)"
join alice nc.openbsd -N "$host" "$port"
join bob nc.openbsd -N "$host" "$port"
same $'alice coordinator\nbob member' "$("${client[@]}" who)"
same '{"name":"alice","role":"coordinator","type":"user"}' "$("${client[@]}" who --json | head -n 1)"
