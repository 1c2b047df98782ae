#!/usr/bin/env bash
# Without --nick, the client takes the user's login name. If that is taken, it adds a number and reports the nickname.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"
USER=alice "${client[@]}" send hi 2>"$work/err"
hear alice 'JOIN alice-2' 'MSG alice-2 hi' 'LEAVE alice-2 quit'
same 'chinwag: nickname alice is taken: using alice-2' "$(<"$work/err")"
USER=bob "${client[@]}" send hi 2>"$work/err"
hear alice 'JOIN bob' 'MSG bob hi' 'LEAVE bob quit'
USER='no name' LOGNAME='' "${client[@]}" send hi 2>>"$work/err"
hear alice 'JOIN guest' 'MSG guest hi' 'LEAVE guest quit'
same '' "$(<"$work/err")"
