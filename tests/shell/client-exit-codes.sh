#!/usr/bin/env bash
# The client's exit codes. An error prints one line to standard error, and nothing to standard output.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd
unset CHINWAG_SERVER CHINWAG_TOKEN_FILE

ends() {
    local expected=$1 words=$2
    shift 2
    status=0
    timeout "$deadline" "$(client_program)" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    same "$expected $*" "$status $*"
    same '' "$(<"$work/out")"
    same 1 "$(wc -l <"$work/err")"
    [[ $(<"$work/err") == "chinwag: "$words ]] || fail "expected $words, found $(<"$work/err")"
}

ends 2 'unknown option "--frobnicate"; see chinwag --help' --frobnicate
ends 2 'unknown option "--cuont"; did you mean --count*' tail --cuont=3
ends 2 'unknown option "-5"; put -- before text that begins with -*' send -5 degrees
ends 2 'unknown command "later": expected one of send, who, tail, wait, history, search, rooms, login, raw; "localhost" was parsed as the server*' localhost later
ends 2 'unknown command "taill": did you mean tail? No host has this name, either; see chinwag --help' taill
ends 2 'unknown command "foo" after help: expected one of send, who, tail, *' help foo
ends 2 'unknown option "-n"; see chinwag tail --help' tail -n 3
ends 2 'unknown option "-n"; see chinwag --help' -n bob
ends 2 'unknown command "serach": did you mean search? If it is the server, "tea" is not a command; see chinwag --help' serach tea
ends 2 'invalid server "localhost:65536": expected host, host:port or host port, with a port from 1 to 65535*' localhost:65536 who
ends 2 'invalid server "localhost:http": expected host, host:port or host port*' localhost:http
ends 2 'invalid server "9999": a port needs a host, such as 127.0.0.1:9999; see chinwag who --help' 9999 who
ends 2 'invalid server "": expected host, host:port or host port*' '' who
ends 2 'invalid server "\[::1": expected host, host:port or host port*' '[::1' who
ends 2 'invalid server "::1\]": expected host, *' '::1]' who
ends 2 'invalid server "\[::1\]\]:7": expected host, *' '[::1]]:7' who
ends 2 'invalid server "\[\]": expected host, *' '[]' who
ends 2 'invalid server "\[localhost\]:7": expected host, *' '[localhost]:7' who
ends 2 'invalid server "\[::1 7": expected host, *' '[::1' 7 who
ends 2 'invalid server "localhost 70000": expected host, *' localhost 70000 who
ends 2 'invalid server "localhost 0": expected host, *' localhost 0
ends 2 'invalid server "fe80::1%lo:7": expected host, *takes brackets, such as \[::1\]:9999*' fe80::1%lo:7 who
ends 2 'invalid server "tcp://localhost:0": expected host, *' tcp://localhost:0 who
ends 2 'invalid server "http://localhost": unknown scheme "http": expected tls, tcp or unix*' http://localhost who
ends 2 'invalid server "unix://chat.sock": expected unix:///PATH, *' unix://chat.sock who
ends 2 'unexpected port "7": a Unix socket has none; *' unix:///run/chat.sock 7 who
ends 2 'two ports for one server: "tls://localhost:7" and "8"*' tls://localhost:7 8 who
ends 2 'invalid server "unix:///run/chat.sock": expected tls://HOST:PORT or a host: --tls, *' unix:///run/chat.sock --tls
ends 2 'invalid --server "tcp://localhost": expected tls://HOST:PORT or a host: *' who --server tcp://localhost --tls-ca x.pem
ends 2 'invalid --tls-fingerprint "md5:00": expected sha256: and 64 hexadecimal digits, *' who --tls-fingerprint md5:00
ends 2 '--tls-ca and --tls-fingerprint: expected one of them; *' \
    who --tls-ca x.pem --tls-fingerprint "sha256:$(printf '0%.0s' {1..64})"
ends 2 'invalid --tls-ca "": expected the path of a file; *' who --tls-ca ''
ends 2 'invalid server " localhost:7": expected host, *' ' localhost:7' who
ends 2 'two ports for one server: "localhost:7" and "8"*' localhost:7 8 who
ends 2 'two ports for one server: "localhost:9999" and "9999"*' localhost:9999 9999
ends 2 'unknown command "later": expected one of *' localhost 9999 later
ends 2 'missing <regex>: expected wait <regex>*; see chinwag wait --help' wait
ends 2 'unexpected argument "words" after wait: put a <regex> with spaces in quotes*' wait two words
ends 2 'invalid argument "(" after wait: expected a regular expression: *' wait '('
ends 2 'invalid --timeout "soon": expected a duration, such as 500ms, 30s or 5m*' wait x --timeout soon
ends 2 'invalid --timeout "-1": expected a duration, such as 500ms, 30s or 5m*' wait x --timeout=-1
ends 2 'invalid --from "a,b": a name cannot contain a comma*' wait x --from a,b
ends 2 'invalid --from "": expected a nickname*' tail --from ''
ends 2 'invalid --count "1.5": expected a number of messages, 1 or more*' wait x --count 1.5
ends 2 'invalid --count "0": expected a number of lines, 1 or more*' tail --count 0
ends 2 'invalid --count "-1": expected a number of lines, 1 or more*' tail --count -1
ends 2 'missing value for --count: expected --count <number>*' tail --count
ends 2 'missing value for --nick: expected --nick <name>*' --nick --json who
ends 2 '--nick is given twice*' --nick a --nick=b
ends 2 'unexpected value "true" for --json*' --json=true who
ends 2 'unexpected argument "localhost" after tail: expected options only; *' tail localhost
ends 2 'unexpected --count: expected it with tail or wait; the options of send are --to, --json, --server, --tls, --tls-ca, --tls-fingerprint, --password-file, --login, --account-password-file, --token-file, --nick, --room; see chinwag send --help' send --count 3 x
ends 2 'invalid --since "yesterday": expected an id, 0 or more*' tail --since yesterday
ends 2 'blank message: expected send TEXT*' send ''
ends 2 'blank message: expected send TEXT*' send ' ' $'\n'
ends 2 '--epoch without --since: *' tail --epoch k7qd
ends 2 'unexpected --retry: expected it with tail or wait, or without a command*' who --retry 3
ends 2 'unexpected --to: expected it with send; the options of tail are --count, *' --to bob tail
ends 2 'invalid --to "": expected nicknames*' send --to= psst
ends 2 'invalid --to "bob carol": expected nicknames*' send --to 'bob carol' psst
ends 2 'unexpected --json: expected it with a command; without a command, the options are --server, --tls, --tls-ca, --tls-fingerprint, --password-file, --login, --account-password-file, --token-file, --nick, --color, --bell, --retry, --version; see chinwag --help' --json
ends 2 'missing value for --login: expected --login <name>*' who --login
ends 2 'invalid --login "a,b": a name cannot contain a comma*' who --login a,b
ends 2 '--nick and a login: expected one of them, *' who --login alice --nick alice
ends 2 '--account-password-file without --login: expected both, *' who --account-password-file x
ends 2 '--account-password-file and --token-file: expected one of them; *' who --login al --account-password-file x --token-file y
ends 2 'cannot read the file "/nowhere/token": No such file or directory; see chinwag who --help' who --token-file /nowhere/token
ends 2 'unexpected login: raw logs in by its input, as LOGIN name password*' raw --login alice
ends 2 'unexpected --login or --nick: expected the account after login*' login alice --login bob
ends 2 'unexpected --room: a token is for all rooms*' login alice --room '#ops'
ends 2 'missing <name>: expected login <name>*' login
ends 2 'unexpected argument after login: the program asks for a password, *' login alice hunter22pw
ends 2 'invalid --days "0": expected a number of days from 1 to 366*' login alice --days 0
ends 2 'unexpected --days: expected it with login; *' send --days 3 x
ends 2 'invalid --color "pink": expected auto, always or never*' who --color pink
ends 2 'unexpected --nick: raw reads the nickname from its input*' raw --nick bob
ends 2 'unexpected --room: raw reads the room from its input*' raw --room '#ops'
ends 2 'unexpected --room: expected it with send or who or tail or wait or history or search; without a command, *' --room '#ops'
ends 2 "invalid --room \"ops\": a room's name begins with '#'*" tail --room ops
ends 2 'invalid --room "#a,#b": a name cannot contain a comma*' send --room '#a,#b' hi
ends 2 "invalid argument \"dev\" after rooms: a room's name begins with '#'*" rooms dev
ends 2 'invalid argument "ten" after history: expected a number of messages*' history ten
ends 2 'unexpected argument "20" after history: expected one <number> at most; *' history 10 20
ends 2 'unexpected argument "hi" after raw: expected options only; *' raw hi
ends 2 'missing words: expected search WORDS*' search
ends 2 'missing words: *' search ''
ends 2 'missing words: *' search ' ' $'\u200b'
# The server comes from an option or the words before the command, otherwise from the environment. Errors name the source.
ends 2 'invalid --server "localhost:0": expected host, host:port or host port, with a port *; see chinwag who --help' who --server localhost:0
ends 2 'unknown command "localhost": expected one of *; --server names the server already*' --server a localhost
ends 2 'two servers: "localhost" and --server "a", expected one; see chinwag who --help' --server a localhost who
ends 3 'could not connect to 127.0.0.1:1: connection refused' who --server 127.0.0.1:1
ends 3 'could not connect to 127.0.0.1:1: connection refused' 127.0.0.1:1 who
export CHINWAG_SERVER=127.0.0.1:http
ends 2 'invalid CHINWAG_SERVER "127.0.0.1:http": expected host, host:port or host port, with a port *' who
ends 3 'could not connect to 127.0.0.1:1: connection refused' --server 127.0.0.1:1 who
ends 3 'could not connect to 127.0.0.1:1: connection refused' 127.0.0.1:1 who
CHINWAG_SERVER=127.0.0.1:2
ends 3 'could not connect to 127.0.0.1:2: connection refused' who
ends 3 'could not connect to 127.0.0.1:2: connection refused'
ends 3 'could not connect to 127.0.0.1:1: connection refused' --server=127.0.0.1:1
unset CHINWAG_SERVER
ends 3 'could not connect to 127.0.0.1:1: connection refused' 127.0.0.1:1
ends 3 'could not connect to 127.0.0.1:1: connection refused' 127.0.0.1 1 who
ends 3 'could not connect to \[fe80::1%nowhere0\]:9999: unknown zone "nowhere0": expected a network interface*' fe80::1%nowhere0 who
ends 3 'could not connect to nowhere.invalid:9999: cannot resolve "nowhere.invalid": *; expected the name or address of a host' nowhere.invalid who

serve
join alice nc.openbsd -N "$host" "$port"
ends 1 'alice is taken; choose another with --nick' "$host:$port" who --nick alice
ends 1 'invalid nickname "al ice": a name cannot contain a space; choose another with --nick' "$host:$port" send --nick 'al ice' hi
ends 1 'search is disabled on this server*' "$host:$port" search tea
ends 1 'the last id is [0-9]; expected an id of this server: chinwag history --json prints some' "$host:$port" tail --since 99999
ends 1 '#nowhere does not exist; chinwag rooms lists the rooms' "$host:$port" history --room '#nowhere'
ends 5 'timed out' "$host:$port" wait x --timeout 0

# Every command accepts the options of the chat, so that an alias can contain them.
for command in 'send x' who history 'search x' raw 'tail --timeout 0' 'wait x --timeout 0'; do
    # shellcheck disable=SC2086 # words of their own
    timeout "$deadline" "$(client_program)" --color never --bell --server "$host:$port" $command >/dev/null 2>&1 </dev/null || [[ $? =~ ^[15]$ ]]
done

same '0 0' "$(set +e; trap - ERR; "$(client_program)" --help | :; echo "${PIPESTATUS[*]}")"
for asked in --help -h help 'localhost help' --version -V 'send --help' 'help wait' 'who -V'; do
    # shellcheck disable=SC2086 # words of their own
    "$(client_program)" $asked >"$work/out"
    [[ -s $work/out ]]
done
