#!/usr/bin/env bash
# At a terminal without the line editor, Ctrl-D ends the input, also after a typed line. When a terminal goes away, the commands that
# print to it exit with 1.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

serve
join bob nc.openbsd -N "$host" "$port"
terminal 80 20
for command in '' send; do
    keys "clear; TERM=dumb chinwag $host:$port $command --nick alice; echo exit \$?" Enter
    hear bob 'JOIN alice'
    keys hello Enter
    hear bob 'MSG alice hello'
    keys C-d
    hear bob 'LEAVE alice quit'
    screen $'*\nexit 0\n$'
done

for command in '' tail 'wait x'; do
    window=$("${tmux[@]}" new-window -d -P -F '#{window_id} #{pane_tty}' 'exec cat')
    # shellcheck disable=SC2086 # separate words
    connect carol bash -c 'exec "${@:2}" >"$1"' bash "${window#* }" "${client[@]}" $command --nick carol
    hear bob 'JOIN carol'
    "${tmux[@]}" kill-window -t "${window% *}"
    hear bob 'LEAVE carol quit'
    status=0
    hear_end carol || status=$?
    same 1 "$status"
    same 'chinwag: cannot write to standard output: Input/output error' "$(<"$work/carol.err")"
done
