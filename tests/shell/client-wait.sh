#!/usr/bin/env bash
# `chinwag wait` waits for a matching message of any member or of one member, and exits with 5 if none arrives in time.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"
join ci nc.openbsd -N "$host" "$port"
hear alice 'JOIN ci'

connect wait "${client[@]}" wait 'build [0-9]+ is (green|red)' --from CI --timeout 60
watched alice 1
sync ci
say alice 'MSG build 40 is green'
hear alice 'OK MSG *'
say ci 'MSG build 41 is on its way'
say ci 'MSG build 41 is red'
hear wait '??:?? ci: build 41 is red'
hear_end wait

# With a nickname, it enters the room, and reads whispers, too.
connect wait "${client[@]}" --nick wait wait --json psst
hear_to alice 'JOIN wait'
say alice 'WHISPER wait psst!'
hear wait '{"from":"alice","id":null,"text":"psst!","time":"*","type":"whisper"}'
hear_end wait

connect wait "${client[@]}" wait never --timeout 0.1
status=0
hear_end wait || status=$?
same 5 "$status"
same 'chinwag: timed out' "$(<"$work/wait.err")"

connect wait "${client[@]}" --nick wait wait 'now' --count 2
hear_to alice 'JOIN wait'
say alice 'MSG now'
say alice 'MSG then'
say alice 'MSG now and then'
hear wait '??:?? alice: now' '??:?? alice: now and then'
hear_end wait
