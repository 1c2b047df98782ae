#!/usr/bin/env bash
# Without a terminal and without a command, the client reads lines as if they were typed, and exits with 4 when the server stops.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"
connect bob "${client[@]}" --nick bob
hear alice 'JOIN bob'
hear bob '\* you are bob; *'
say alice 'MSG hi bob'
hear bob '??:?? alice: hi bob'
say bob 'hi alice'
hear alice 'OK MSG *' 'MSG bob hi alice'
hear bob '??:?? bob: hi alice'
say bob '/w alice psst'
hear alice 'WHISPER bob psst'
hear bob '??:?? bob whispers to alice: psst'
finish bob
hear alice 'LEAVE bob quit'

status=0
printf 'one\n/nick a,b\n/quit tea\nnot sent\n' | "${client[@]}" --nick eve >"$work/out" || status=$?
same 1 "$status"
grep -q '^! a name cannot contain a comma; type: /nick name$' "$work/out"
hear alice 'JOIN eve' 'MSG eve one' 'LEAVE eve quit tea'

printf '\xef\xbb\xbf/quit tea\nnot sent\n' | "${client[@]}" --nick eve
hear alice 'JOIN eve' 'LEAVE eve quit tea'

connect bob "${client[@]}" --nick bob --retry 0
hear alice 'JOIN bob'
hear bob '\* you are bob; *'
stop
hear_to bob '! Server disconnected.'
status=0
hear_end bob || status=$?
same 4 "$status"
