#!/usr/bin/env bash
# `chinwag who` lists the other members in the order in which they joined. An empty list is not an error.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

serve
same '' "$("${client[@]}" who)"
join alice nc.openbsd -N "$host" "$port"
join bob nc.openbsd -N "$host" "$port"
same $'alice coordinator\nbob member' "$("${client[@]}" who)"
same '{"name":"alice","role":"coordinator","type":"user"}' "$("${client[@]}" who --json | head -n 1)"

# The client uses the first address of a host name that answers: no server listens on ::1. The port may be a separate argument.
for words in "localhost:$port" "localhost $port" "127.0.0.1 $port"; do
    # shellcheck disable=SC2086 # words of their own
    same $'alice coordinator\nbob member' "$("$(client_program)" $words who)"
done
