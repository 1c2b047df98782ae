#!/usr/bin/env bash
# A refused nickname leaves the connection open: the client gets the reason, and takes another one.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs ncat nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"
connect eve ncat "$host" "$port"
say eve 'NICK alice'
hear eve 'HELLO *' 'ERR NICK name-taken alice is taken*'
say eve 'MSG am I in?'
hear eve 'ERR MSG no-name *'
say eve 'NICK аlice' # with a Cyrillic а
hear eve 'ERR NICK name-alike *'
say eve 'NICK eve'
hear eve 'OK NICK eve'
hear alice 'JOIN eve'
quiet alice

# When the member has left, the nickname is free.
finish alice
hear eve 'LEAVE alice eof' 'COORDINATOR eve'
say eve 'NICK alice'
hear eve 'OK NICK alice'
quiet eve
