#!/usr/bin/env bash
# The server ends its lines as the client ended its first one, with LF or CR LF; both kinds share a room.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd socat

serve
join plain nc.openbsd -N "$host" "$port"
connect crlf nc.openbsd -C -N "$host" "$port"
say crlf 'NICK crlf'
hear crlf 'HELLO +([[:print:]])' $'OK NICK crlf\r'
hear plain 'JOIN crlf'

say plain 'MSG one'
hear plain 'OK MSG +([0-9])'
hear crlf $'MSG plain one\r'
say crlf 'MSG two'
hear crlf $'OK MSG +([0-9])\r'
hear plain 'MSG crlf two'

# socat's crnl takes the CRs out again on the way in: a program on top of it sees none.
join convert socat -t 20 - "TCP:$host:$port,crnl"
hear plain 'JOIN convert'
hear crlf $'JOIN convert\r'
say convert 'MSG three'
hear convert 'OK MSG +([0-9])'
hear plain 'MSG convert three'
hear crlf $'MSG convert three\r'
finish convert

# Only the first line counts.
send plain 'MSG four\r\n'
hear plain 'LEAVE convert eof' 'OK MSG +([0-9])'
hear crlf $'LEAVE convert eof\r' $'MSG plain four\r'
