#!/usr/bin/env bash
# curl as the only client. Its input is complete at the start: while curl waits for input, it prints nothing.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs curl nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"

replies=$(printf 'NICK build\nMSG build 41 is green\nQUIT\n' |
    timeout "$deadline" curl --silent --show-error "telnet://$host:$port")
[[ $replies == 'HELLO '*$'\nOK NICK build\nOK MSG '+([0-9])$'\nOK QUIT' ]]
hear alice 'JOIN build' 'MSG build build 41 is green' 'LEAVE build quit'

# After the end of its input, curl stays connected and prints messages.
echo 'NICK carl' >"$work/carl.input"
# shellcheck disable=SC2016 # the inner shell's
connect carl sh -c 'exec curl --silent --show-error --no-buffer "$1" <"$2"' - "telnet://$host:$port" "$work/carl.input"
hear alice 'JOIN carl'
hear carl 'HELLO *' 'OK NICK carl'
for number in 1 2 3; do
    say alice "MSG $number"
    hear alice 'OK MSG *'
    hear carl "MSG alice $number"
done
quiet alice
