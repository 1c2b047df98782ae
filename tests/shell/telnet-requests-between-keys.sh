#!/usr/bin/env bash
# telnet in character mode sends each key by itself, Enter as CR NUL, and DEL and IAC EL to edit the line. A telnet request in the
# middle of a word is refused at once, before the next line.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs socat nc.openbsd

press() {
    for key; do send tess "$key"; done
}

serve
join alice nc.openbsd -N "$host" "$port"
connect tess socat -t 20 - "TCP:$host:$port,nodelay"
hear tess 'HELLO *'

press N I C K ' ' t e s x '\177' s '\r' '\0'
hear tess $'OK NICK tess\r'
hear alice 'JOIN tess'

do_echo=('\377' '\375' '\001')
press M S "${do_echo[@]}" G ' ' h '\r' '\0'
hear tess $'\xff\xfc\x01OK MSG +([0-9])\r'
hear alice 'MSG tess h'

erase_line=('\377' '\370') interrupt=('\377' '\364') subnegotiation=('\377' '\372' '\037' x '\377' '\360')
press o o p s "${erase_line[@]}" M S G ' ' "${interrupt[@]}" o "${subnegotiation[@]}" k '\r' '\n'
hear tess $'OK MSG +([0-9])\r'
hear alice 'MSG tess ok'

# A repeated request gets no answer: two sides that always answer would never stop.
press "${do_echo[@]}"
quiet tess
quiet alice
