#!/usr/bin/env bash
# The server exits with 2 for an invalid command line, with 1 if it cannot start, and with 0 after --help and --version. An error
# prints one line to standard error, and nothing to standard output.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"

run() {
    status=0
    timeout "$deadline" "$(server_program)" "$@" >"$work/out" 2>"$work/err" || status=$?
}

refuses() {
    local expected=$1 words=$2
    shift 2
    run "$@"
    same "$expected" "$status"
    same '' "$(<"$work/out")"
    same 1 "$(wc -l <"$work/err")"
    grep -q "^chinwagd: .*$words" "$work/err" || fail "does not say $words: $(<"$work/err")"
}

refuses 2 '--colour' --colour
refuses 2 'invalid --listen "127.0.0.1:nonsense": expected host:port' --listen 127.0.0.1:nonsense
refuses 2 'a port from 0 to 65535' --listen=127.0.0.1:65536
refuses 2 'invalid --listen "localhost": expected host:port' --listen localhost
refuses 2 'brackets' --listen ::1:9999
refuses 2 'invalid --log "loud": expected off' --log=loud
refuses 2 'a number of bytes, 1048576 or more' --feed-bytes 1
refuses 2 'missing value for --listen' --listen

serve
refuses 1 "127.0.0.1:$port: .*in use" --listen "127.0.0.1:$port"
refuses 1 'port file' --listen 127.0.0.1:0 --port-file "$work/no/such/directory"
refuses 1 'found a directory' --listen 127.0.0.1:0 --port-file "$work"

for flag in --help -h help --version -V; do
    run "$flag"
    same 0 "$status"
    same '' "$(<"$work/err")"
    [[ -s $work/out ]]
done
