#!/usr/bin/env bash
# A host with two clients vanishes without closing a connection. The server detects the idle client by TCP keepalive, the other by data
# that is not acknowledged; the remaining members are not delayed. The other host is a network namespace.
if [[ ! -v CHINWAG_NAMESPACE ]] && unshare --user --map-root-user --net true 2>/dev/null; then
    CHINWAG_NAMESPACE=here exec unshare --user --map-root-user --net "$0"
fi
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs unshare nsenter ip nc.openbsd
[[ -v CHINWAG_NAMESPACE || ${CI-} == true ]] || skip 'no network namespaces here'

connect there unshare --net sh -c 'echo up; exec sleep infinity'
hear there up
in_there=(nsenter --net="/proc/${pid[there]}/ns/net")
ip link set lo up
ip link add name cable type veth peer name cable netns "${pid[there]}"
ip address add 192.0.2.1/24 dev cable
ip link set cable up
"${in_there[@]}" ip address add 192.0.2.2/24 dev cable
"${in_there[@]}" ip link set cable up

serve --listen 192.0.2.1:0 --dead-peer-timeout 8
host=192.0.2.1
join alice nc.openbsd -N "$host" "$port"
join bob "${in_there[@]}" nc.openbsd -N "$host" "$port"
join carol "${in_there[@]}" nc.openbsd -N "$host" "$port"
hear alice 'JOIN bob' 'JOIN carol'
hear bob 'JOIN carol'

"${in_there[@]}" ip address flush dev cable
hear alice 'LEAVE @(bob|carol) lost' 'LEAVE @(bob|carol) lost'
quiet alice
finish alice
