#!/usr/bin/env bash
# The client replaces every control character that a server sends: the terminal obeys none of them.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs socat

connect evil socat -d -d TCP-LISTEN:0,bind=127.0.0.1 -
evil_port=$(
    until grep -o 'listening on .*' "$work/evil.err"; do :; done | head -n 1
)
evil_port=${evil_port##*:}
connect bob "$(client_program)" "127.0.0.1:$evil_port" raw
printf '%s\n' $'HELLO chinwag/1 \e[31mred' >&"${_to[evil]}"
hear bob $'HELLO chinwag/1 \ufffd[31mred'
send evil 'MSG eve \033]0;title\007\r\n\302\233 \377 \342\200\256\n'
hear bob $'MSG eve \ufffd]0;title\ufffd' $'\ufffd \ufffd \ufffd'
finish evil
status=0
hear_end bob || status=$?
same 4 "$status"
