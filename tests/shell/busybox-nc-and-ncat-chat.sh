#!/usr/bin/env bash
# busybox nc and ncat close their sending side by themselves when their input ends.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs busybox ncat

serve
join bea busybox nc "$host" "$port"
join nora ncat "$host" "$port"
hear bea 'JOIN nora'

say nora 'MSG hi'
hear nora 'OK MSG *'
hear bea 'MSG nora hi'
say bea 'MSG hi, nora'
hear bea 'OK MSG *'
hear nora 'MSG bea hi, nora'

finish nora
hear bea 'LEAVE nora eof'
say bea 'WHO'
finish bea 'USER bea coordinator' 'OK WHO 1'
