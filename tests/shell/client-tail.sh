#!/usr/bin/env bash
# `chinwag tail` prints messages and events as they arrive: a number of lines, for a time, or until its output is closed.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"

connect tail "${client[@]}" tail --nick tail --count 3
hear alice 'JOIN tail'
join bob nc.openbsd -N "$host" "$port"
hear tail '??:?? bob joined'
say bob $'MSG hi \e[2J'
hear tail $'??:?? bob: hi \ufffd[2J'
finish bob 'OK MSG *'
hear tail '??:?? bob left'
hear_end tail
hear_to alice 'LEAVE tail quit'

connect tail "${client[@]}" --json --nick tail tail --retry 0
hear alice 'JOIN tail'
say alice 'MSG one'
hear alice 'OK MSG *'
hear tail '{"from":"alice","id":*,"text":"one","time":"*Z","type":"msg"}'
say alice 'WHISPER tail two'
hear alice 'OK WHISPER tail'
hear tail '{"from":"alice","id":null,"text":"two","time":"*Z","type":"whisper"}'

# It ends when the reader of its output has gone, also if no further message arrives.
connect grep bash -c '"$@" | grep -m 1 green' - "${client[@]}" tail --nick grep
hear alice 'JOIN grep'
hear tail '{*"name":"grep"*"type":"join"}'
say alice 'MSG it is green'
hear grep '??:?? alice: it is green'
hear_end grep
hear alice 'OK MSG *' 'LEAVE grep quit'
same '' "$(<"$work/grep.err")"

# Only the messages of one member; and only for a time.
connect one "${client[@]}" tail --nick one --from ALICE --count 1
hear_to alice 'JOIN one'
join carol nc.openbsd -N "$host" "$port"
say carol 'MSG not this'
hear_to alice 'MSG carol not this'
say alice 'MSG this'
hear one '??:?? alice: this'
hear_end one
connect one "${client[@]}" tail --nick one --timeout 0
status=0
hear_end one || status=$?
same 5 "$status"

# After any of the signals, its nickname is free at once. (A script starts background programs with SIGINT ignored.)
for signal in HUP INT TERM; do
    connect "$signal" env --default-signal="$signal" "${client[@]}" tail --nick "$signal"
    hear_to alice "JOIN $signal"
    kill -s "$signal" "${pid[$signal]}"
    status=0
    hear_end "$signal" || status=$?
    same "$((128 + $(kill -l "$signal")))" "$status"
    hear alice "LEAVE $signal quit"
done

# A signal that is ignored at the start stays ignored.
connect nohup env --ignore-signal=HUP,INT "${client[@]}" tail --nick nohup
hear_to alice 'JOIN nohup'
kill -s HUP "${pid[nohup]}"
kill -s INT "${pid[nohup]}"
say alice 'MSG still here'
hear_to nohup '* alice: still here'
kill -s TERM "${pid[nohup]}"
status=0
hear_end nohup || status=$?
same 143 "$status"

stop
hear_to tail '{*"type":"notice"}'
status=0
hear_end tail || status=$?
same 4 "$status"
same 'chinwag: the server closed the connection' "$(<"$work/tail.err")"
