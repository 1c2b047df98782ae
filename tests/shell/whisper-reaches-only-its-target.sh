#!/usr/bin/env bash
# Four programs in one room: a whisper reaches the named member, and leaves no trace elsewhere.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd ncat socat busybox

serve
join alice nc.openbsd -N "$host" "$port"
join bob ncat "$host" "$port"
join carol socat -t 20 - "TCP:$host:$port"
join dave busybox nc "$host" "$port"
for peer in alice bob carol; do sync "$peer"; done

say alice 'WHISPER bob not a word'
hear alice 'OK WHISPER bob'
hear bob 'WHISPER alice not a word'
for peer in alice bob carol dave; do quiet "$peer"; done

say alice 'WHISPER BOB,dave both of you'
hear alice 'OK WHISPER bob,dave'
hear bob 'WHISPER alice both of you'
hear dave 'WHISPER alice both of you'
for peer in alice bob carol dave; do quiet "$peer"; done

say alice 'WHISPER bob,nobody lost'
hear alice 'ERR WHISPER target-absent nobody *'
for peer in alice bob carol dave; do quiet "$peer"; done
