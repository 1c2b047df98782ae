#!/usr/bin/env bash
# Clients behind stunnel have their own addresses, by the PROXY protocol. The configuration is that of docs/operating.md.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs stunnel socat openssl nc.openbsd

"$(server_program)" cert --out "$work" >"$work/report"
cat "$work"/chinwag-*.pem >"$work/chat.pem"
chmod 600 "$work/chat.pem"
serve --listen "$host:0" --listen "tcp://$host:0?proxy=$host"
join alice nc.openbsd -N "$host" "$port"

# An address of this machine that no other test uses.
proxy=127.$((RANDOM % 250 + 1)).$((RANDOM % 250)).$((RANDOM % 250 + 1))
{
    printf '%s\n' 'foreground = yes' 'pid =' 'syslog = no'
    documented stunnel ini | sed "s|accept = |accept = $proxy:|; s|/etc/stunnel|$work|; s|$host:9999|$host:${ports[1]}|"
} >"$work/stunnel.conf"
connect stunnel stunnel "$work/stunnel.conf"
accepting "$proxy" 9998

connect bob socat -t 20 - "OPENSSL:$proxy:9998,cafile=$work/chinwag-cert.pem,verify=0,bind=127.0.0.9"
hear bob 'HELLO * features=rooms,watch type *'
say bob 'NICK bob'
hear bob 'OK NICK bob'
hear alice 'JOIN bob'
say bob 'MSG hello through stunnel'
hear bob 'OK MSG 1'
hear alice 'MSG bob hello through stunnel'
say alice STATUS
hear alice 'USER alice *' 'USER bob member id=* address=127.0.0.9:* idle=*' 'OK STATUS 2'

# A client that connects without the proxy is refused.
connect carol nc.openbsd -N "$host" "${ports[1]}"
say carol 'NICK carol'
hear carol 'ERR - proxy-expected this port expects a PROXY protocol header from your proxy: *'
finish carol
finish bob
hear alice 'LEAVE bob eof'
stop
