#!/usr/bin/env bash
# Clients behind HAProxy have their own addresses, by the PROXY protocol (both versions) and by X-Forwarded-For. The configuration is
# that of docs/operating.md.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
PATH=$PATH:/usr/sbin
needs haproxy socat openssl curl nc.openbsd

"$(server_program)" cert --out "$work" >"$work/report"
cat "$work"/chinwag-*.pem >"$work/chat.pem"
serve --listen "$host:0" --listen "tcp://$host:0?proxy=$host" --listen "http://$host:0?x-forwarded-for=$host" --max-per-address 2
join alice nc.openbsd -N "$host" "$port"

# An address of this machine that no other test uses.
proxy=127.$((RANDOM % 250 + 1)).$((RANDOM % 250)).$((RANDOM % 250 + 1))
documented HAProxy haproxy | sed "s|bind :443|bind $proxy:9443|; s|bind :|bind $proxy:|; s|/etc/haproxy|$work|
    s|$host:9999|$host:${ports[1]}|; s|$host:8080|$host:${ports[2]}|" >"$work/haproxy.cfg"
[[ $(grep -c "$host:${ports[1]}\|$host:${ports[2]}\|bind $proxy" "$work/haproxy.cfg") == 4 ]] || fail "$(<"$work/haproxy.cfg")"

# Version 2 says that bob uses TLS, so the way is secure.
connect haproxy haproxy -db -f "$work/haproxy.cfg"
accepting "$proxy" 9998
connect bob socat -t 20 - "OPENSSL:$proxy:9998,cafile=$work/chinwag-cert.pem,verify=0,bind=127.0.0.9"
hear bob 'HELLO * features=rooms,watch,secure *'
say bob 'NICK bob'
hear bob 'OK NICK bob'
hear alice 'JOIN bob'
say bob 'MSG hello through HAProxy'
hear bob 'OK MSG 1'
hear alice 'MSG bob hello through HAProxy'
say alice STATUS
hear alice 'USER alice *' 'USER bob member id=* address=127.0.0.9:* idle=*' 'OK STATUS 2'
finish bob
hear alice 'LEAVE bob eof'

# Browsers, with a forged field. HAProxy's own checks use its own address.
browse() {
    connect "$1" socat -t 20 - "OPENSSL:$proxy:9443,verify=0,bind=127.0.0.8"
    send "$1" 'GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
    send "$1" 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n'
    hear "$1" $'HTTP/1.1 101 Switching Protocols\r'
    hear_to "$1" $'\r'
    hear "$1" '*HELLO * features=rooms,watch type *'
}
browse carol
send carol '\x81\x8a\0\0\0\0NICK carol'
hear alice 'JOIN carol'
say alice STATUS
hear alice 'USER alice *' 'USER carol member id=* address=127.0.0.8:0 idle=*' 'OK STATUS 2'

# The limits apply to each client.
health=(curl -sSk -o "$work/answer" -w '%{http_code}' "https://$proxy:9443/healthz" --interface)
same 200 "$("${health[@]}" 127.0.0.8)"
browse second
same 503 "$("${health[@]}" 127.0.0.8)"
same 'your address has its maximum of 2 connections; close one first' "$(<"$work/answer")"
same 200 "$("${health[@]}" 127.0.0.7)"
kill "${pid[carol]}"
hear alice 'LEAVE carol lost'
kill "${pid[haproxy]}"

# Version 1 does not say it.
sed -i 's/send-proxy-v2-ssl/send-proxy/' "$work/haproxy.cfg"
proxy1=127.$((RANDOM % 250 + 1)).$((RANDOM % 250)).$((RANDOM % 250 + 1))
sed "s/bind $proxy/bind $proxy1/" "$work/haproxy.cfg" >"$work/haproxy1.cfg"
connect haproxy1 haproxy -db -f "$work/haproxy1.cfg"
accepting "$proxy1" 9998
connect dave socat -t 20 - "OPENSSL:$proxy1:9998,verify=0,bind=127.0.0.6"
hear dave 'HELLO * features=rooms,watch type *'
say dave 'NICK dave'
hear dave 'OK NICK dave'
hear alice 'JOIN dave'
say alice STATUS
hear alice 'USER alice *' 'USER dave member id=* address=127.0.0.6:* idle=*' 'OK STATUS 2'
finish dave
hear alice 'LEAVE dave eof'
stop
