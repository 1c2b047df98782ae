#!/usr/bin/env bash
# Two peers on another host, which is gone from one moment to the next: no end, no reset, no answer. One is found by asking, the
# other by what is sent to it; nobody who is there waits. The other host is a network namespace.
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

serve --listen 192.0.2.1:0 --lost-timeout 8
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
