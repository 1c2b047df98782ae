#!/usr/bin/env bash
# Users chat over TLS with openssl, socat and ncat, which check the certificate that `chinwagd cert` made; a script pipes its lines into it.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs openssl socat ncat curl

"$(server_program)" cert --out "$work" >"$work/report"
certificate=$work/chinwag-cert.pem
digest=$(openssl x509 -in "$certificate" -noout -fingerprint -sha256 | tr -d : | tr '[:upper:]' '[:lower:]')
same "fingerprint: sha256:${digest#*=}" "$(sed -n 2p "$work/report")"

serve --listen "$host:0" --listen "tls://$host:0" --listen "https://$host:0" \
    --tls-cert "$certificate" --tls-key "$work/chinwag-key.pem"
tls=${ports[1]}

join alice openssl s_client -quiet -verify_return_error -CAfile "$certificate" -connect "$host:$tls"
join bob socat -t 20 - "OPENSSL:$host:$tls,cafile=$certificate"
hear alice 'JOIN bob'
# ncat compares names only, not addresses.
join carol ncat -4 --ssl-verify --ssl-trustfile "$certificate" localhost "$tls"
hear alice 'JOIN carol'
hear bob 'JOIN carol'
say carol 'MSG hello in private'
hear carol 'OK MSG 1'
hear alice 'MSG carol hello in private'
hear bob 'MSG carol hello in private'

# A script, in both versions.
for version in -tls1_2 -tls1_3; do
    replies=$(printf 'NICK ci\nMSG build 41 is green\nQUIT\n' \
        | openssl s_client -quiet "$version" -connect "$host:$tls" 2>/dev/null | tail -n 2)
    same 'OK QUIT' "${replies##*$'\n'}"
    hear alice 'JOIN ci' 'MSG ci build 41 is green' 'LEAVE ci quit'
    hear bob 'JOIN ci' 'MSG ci build 41 is green' 'LEAVE ci quit'
done

# The end of socat's input is close_notify: it still gets its replies.
replies=$(printf 'NICK ci\nMSG no newline' | socat -t 20 - "OPENSSL:$host:$tls,cafile=$certificate" | tail -n 1)
same 'OK MSG 4' "$replies"
hear alice 'JOIN ci' 'MSG ci no newline' 'LEAVE ci eof'

# The page, and a plain request on its port.
same ok "$(curl -sS --cacert "$certificate" "https://$host:${ports[2]}/healthz")"
same 400 "$(curl -sS -o "$work/answer" -w '%{http_code}' "http://$host:${ports[2]}/")"
# curl does not trust the certificate unasked.
! curl -sS "https://$host:${ports[2]}/" 2>/dev/null || fail 'trusted'

# Old versions are refused.
! openssl s_client -quiet -tls1_1 -connect "$host:$tls" </dev/null >/dev/null 2>&1 || fail 'TLS 1.1'
stop
