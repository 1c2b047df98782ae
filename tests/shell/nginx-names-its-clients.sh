#!/usr/bin/env bash
# Clients behind nginx have their own addresses, by X-Forwarded-For, by Forwarded, and by the PROXY protocol. The configurations are those
# of docs/operating.md.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
PATH=$PATH:/usr/sbin
module=/usr/lib/nginx/modules/ngx_stream_module.so
needs nginx "$module" socat openssl nc.openbsd

"$(server_program)" cert --out "$work" >"$work/report"
serve --listen "$host:0" --listen "http://$host:0?x-forwarded-for=$host" --listen "http://$host:0?forwarded=$host" \
    --listen "tcp://$host:0?proxy=$host"
join alice nc.openbsd -N "$host" "$port"

# An address of this machine that no other test uses.
proxy=127.$((RANDOM % 250 + 1)).$((RANDOM % 250)).$((RANDOM % 250 + 1))
certificate="ssl_certificate $work/chinwag-cert.pem; ssl_certificate_key $work/chinwag-key.pem;"

# The configuration of a server, on these ports of the proxy and of chinwagd.
on_ports() {
    sed "s|listen [0-9]* ssl|listen $proxy:$1 ssl|; s|# ssl_certificate, ssl_certificate_key|$certificate|; s|$host:[0-9]*;|$host:$2;|"
}

server=$(documented nginx nginx)
forwarded=$(documented nginx nginx 3)
with_forwarded=${server/'        proxy_set_header X-Forwarded-For $remote_addr;'/"$forwarded"}
[[ $with_forwarded == *proto=* && $with_forwarded != *'$remote_addr'* ]] || fail "$with_forwarded"
{
    echo "load_module $module; pid $work/nginx.pid; error_log $work/nginx.log; daemon off; master_process off; events {}"
    echo "http { access_log off;"
    for directory in client_body proxy fastcgi uwsgi scgi; do echo "${directory}_temp_path $work/$directory;"; done
    documented nginx nginx 2
    on_ports 8441 "${ports[1]}" <<<"$server"
    on_ports 8442 "${ports[2]}" <<<"$with_forwarded"
    echo '}'
    documented 'TLS for line clients' nginx | on_ports 9998 "${ports[3]}"
} >"$work/nginx.conf"
connect nginx nginx -e "$work/nginx.log" -c "$work/nginx.conf"
accepting "$proxy" 9998

# Joins by WebSocket from an address, with further fields.
browse() {
    local name=$1 from=$2 proxy_port=$3 hello=$4 fields=$5
    connect "$name" socat -t 20 - "OPENSSL:$proxy:$proxy_port,verify=0,bind=$from"
    send "$name" 'GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
    send "$name" "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n$fields\r\n"
    hear "$name" $'HTTP/1.1 101 Switching Protocols\r'
    hear_to "$name" $'\r'
    hear "$name" "*HELLO * $hello type *"
    send "$name" '\x81\x8a\0\0\0\0NICK %s' "$name"
    hear alice "JOIN $name"
    say alice STATUS
    hear alice 'USER alice *' "USER $name member id=* address=$from:0 idle=*" 'OK STATUS 2'
    kill "${pid[$name]}"
    hear alice "LEAVE $name lost"
}

browse carol 127.0.0.9 8441 features=rooms,watch 'X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1;proto=https\r\n'
browse david 127.0.0.8 8442 features=rooms,watch,secure ''
browse ellen 127.0.0.8 8442 features=rooms,watch,secure 'Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.1\r\n'

# Lines.
connect frank socat -t 20 - "OPENSSL:$proxy:9998,cafile=$work/chinwag-cert.pem,verify=0,bind=127.0.0.7"
hear frank 'HELLO * features=rooms,watch type *'
say frank 'NICK frank'
hear frank 'OK NICK frank'
hear alice 'JOIN frank'
say alice STATUS
hear alice 'USER alice *' 'USER frank member id=* address=127.0.0.7:* idle=*' 'OK STATUS 2'
# The end of the input goes through nginx, and so do the replies after it.
say frank 'MSG bye'
finish frank 'OK MSG 1'
hear alice 'MSG frank bye' 'LEAVE frank eof'
stop
