#!/usr/bin/env bash
# The five minutes in docs/operating.md, as printed: an operator starts a server for accounts only, and adds five accounts. A member logs in,
# and sets a password of its own.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs openssl

mkdir "$work/bin"
ln -s "$(realpath "$(server_program)")" "$work/bin/chinwagd"
documented Accounts sh 1 | sed "s|0.0.0.0:9998|$host:0 --port-file server.ports|; s|^chinwagd --listen|exec &|" >"$work/start.sh"
documented Accounts sh 2 >"$work/add.sh"
grep -q -- '--accounts-only' "$work/start.sh" || fail "$(<"$work/start.sh")"
cd "$work"
PATH=$work/bin:$PATH

connect server bash -eu start.sh
hear_to server 'chinwagd: listening on *'
mapfile -t ports <server.ports
mapfile -t added < <(bash -eu add.sh)
same 11 "${#added[@]}"
same 600 "$(stat -c %a chinwag/passwords)"
names=(alice bob carol dave erin)
for index in "${!names[@]}"; do
    [[ ${added[index]} =~ ^${names[index]}\ ([b-z2-9]{5}-){3}[b-z2-9]{5}$ ]] || fail "${added[index]}"
    [[ ${added[index + 6]} == "${names[index]} "*' never       no' ]] || fail "${added[index + 6]}"
done
same "${added[*]:0:5}" "$(tr '\n' ' ' <chinwag/passwords | sed 's/ $//')"

join_as_alice() {
    connect alice openssl s_client -quiet -verify_return_error -CAfile chinwag/chinwag-cert.pem -connect "$host:${ports[0]}"
    hear alice 'HELLO *accounts-only *'
    say alice "LOGIN alice $1"
}
join_as_alice "${added[0]#* }"
hear alice 'OK LOGIN alice' 'COORDINATOR alice'
say alice 'PASSWORD correct horse battery'
hear alice 'OK PASSWORD'
say alice QUIT
hear alice 'OK QUIT'
hear_end alice || true
join_as_alice "${added[0]#* }"
hear alice 'ERR LOGIN password-wrong *'
say alice 'LOGIN alice correct horse battery'
hear alice 'OK LOGIN alice' 'COORDINATOR alice'

# The operator removes the account: its member is disconnected.
same 'removed the account alice' "$(chinwagd account remove alice --control chinwag/control.sock | cut -d ';' -f 1)"
hear alice 'ERR - login-required your account was deleted, *'
hear_end alice || true
stop
