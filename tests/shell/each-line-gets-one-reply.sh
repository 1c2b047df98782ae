#!/usr/bin/env bash
# Each line that is not blank gets one final reply, in order, whatever events arrive in between.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd socat

serve
join noisy socat -t 20 - "TCP:$host:$port"
connect counter nc.openbsd -N "$host" "$port"

lines=(
    'NICK counter' '' 'MSG hello' 'HELP' '  ' 'nonsense' 'WHO' 'STATUS' 'WHISPER nobody psst' $'\t' 'MSG' $'MSG \xc3('
    'SET tags on' 'MSG tagged' 'SET tags off' 'CHAT' 'bare' '/who' '/chat' 'PING' 'PING last'
)
for line in "${lines[@]}"; do
    say counter "$line"
    say noisy 'MSG noise'
done

expected='OK NICK, OK MSG, OK HELP, ERR -, OK WHO, ERR STATUS, ERR WHISPER, ERR MSG, ERR -, OK SET, OK MSG, OK SET, OK CHAT,'
expected+=' OK MSG, OK WHO, OK CHAT, OK PING, OK PING'
replies=''
until [[ $line == 'OK PING last' ]]; do
    hear counter '*'
    case $line in
        'OK '* | 'ERR '*) replies+=$(cut -d ' ' -f 1,2 <<<"$line")', ' ;;
    esac
done
same "$expected, " "$replies"
