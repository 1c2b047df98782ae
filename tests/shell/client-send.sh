#!/usr/bin/env bash
# `chinwag send` sends its text, or each line of standard input, to the room or to some members. It reports a refused line, sends the
# others, and exits with 1.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

run() {
    status=0
    timeout "$deadline" "${client[@]}" --nick ci "$@" >"$work/out" 2>"$work/err" || status=$?
}

serve
join alice nc.openbsd -N "$host" "$port"

run send build 41 is green
same '0  ' "$status $(<"$work/out") $(<"$work/err")"
hear alice 'JOIN ci' 'MSG ci build 41 is green' 'LEAVE ci quit'

run send --to alice psst </dev/null
same 0 "$status"
hear alice 'JOIN ci' 'WHISPER ci psst' 'LEAVE ci quit'

run send -- --to nobody
same 0 "$status"
hear alice 'JOIN ci' 'MSG ci --to nobody' 'LEAVE ci quit'

run send < <(printf 'one\r\n\n  \ntwo\x07\nlast')
same 0 "$status"
hear alice 'JOIN ci' 'MSG ci one' $'MSG ci two\ufffd' 'MSG ci last' 'LEAVE ci quit'

# A byte order mark, as Windows programs write it, is dropped at the start only.
run send < <(printf '\xef\xbb\xbfone\r\n\xef\xbb\xbftwo')
same 0 "$status"
hear alice 'JOIN ci' 'MSG ci one' $'MSG ci \ufefftwo' 'LEAVE ci quit'

run send < <(printf 'a\0b\n\0\n\0c')
same 0 "$status"
hear alice 'JOIN ci' 'MSG ci ab' 'MSG ci c' 'LEAVE ci quit'

run send --json < <(printf 'one\n%5000s\ntwo\n' x)
same 1 "$status"
hear alice 'JOIN ci' 'MSG ci one' 'MSG ci two' 'LEAVE ci quit'
same 'chinwag: line 2: not sent: the text has 5000 bytes, more than the limit of 4092; shorten it, or send it in parts' "$(<"$work/err")"
mapfile -t replies <"$work/out"
same 3 "${#replies[@]}"
[[ ${replies[0]} == '{"id":'*',"type":"ok","verb":"MSG"}' ]]
[[ ${replies[1]} == '{"code":"text-too-long","text":"'*'","type":"err","verb":"MSG"}' ]]

# A text that fits alone but not with its command is refused, too. Of a very long line, the client reads only the beginning.
long=$(printf '%9000s' | sed 's/ /日/g')
run send --to alice < <(printf '%s\n' "${long:0:1360}" "${long:0:1361}" "$long" two)
same 1 "$status"
hear alice 'JOIN ci' 'WHISPER ci *' 'WHISPER ci two' 'LEAVE ci quit'
mapfile -t errors <"$work/err"
same 'chinwag: line 2: not sent: the text has 4083 bytes, more than the limit of 4082; shorten it, or send it in parts' "${errors[0]}"
same 'chinwag: line 3: the line has 8192 bytes or more; the limit is 4096 bytes' "${errors[1]}"
same 2 "${#errors[@]}"

run send --to alice,nobody psst
same 1 "$status"
same 'chinwag: nobody is not here; nothing was delivered; chinwag who lists the members' "$(<"$work/err")"
hear alice 'JOIN ci' 'LEAVE ci quit'
quiet alice
