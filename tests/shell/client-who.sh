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

# Of the addresses of a name, the first one that answers is taken: there is no server at ::1. The port may be a word of its own.
for words in "localhost:$port" "localhost $port" "127.0.0.1 $port"; do
    # shellcheck disable=SC2086 # words of their own
    same $'alice coordinator\nbob member' "$("$(client_program)" $words who)"
done
