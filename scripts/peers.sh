# shellcheck shell=bash
# Functions for shell scripts that start a chinwag server, connect several real programs to it, and check what each of them
# reads. The scripts in tests/shell use them; other scripts can, too. The functions know nothing of the protocol but what
# `join` and `sync` need: protocol.md specifies it. They need bash 4.4 and coreutils.
#
#     #!/usr/bin/env bash
#     source /path/to/chinwag/scripts/peers.sh
#
#     needs nc.openbsd socat                     # if one of these is missing, the script ends with status 77: skipped
#     serve                                      # starts a server on a free port of 127.0.0.1
#     join alice nc.openbsd -N "$host" "$port"   # starts this program as the peer alice, and takes the nickname alice
#     join bob socat -t 20 - "TCP:$host:$port"
#     hear alice 'JOIN bob'
#     say bob 'MSG hello'
#     hear bob 'OK MSG *'                        # a pattern, as in `case`
#     hear alice 'MSG bob hello'
#     finish bob                                 # ends bob's input; bob must receive nothing more
#     hear alice 'LEAVE bob eof'
#
# A *peer* is a program whose input and output the script holds. Its name is chosen by the script.
#
# Sourcing this file sets `set -eEu -o pipefail`. At the first mismatch the script ends with status 1. It prints its line
# number, everything that the peers sent and received, and their standard error. When the script ends, all its peers are
# killed, and the server is stopped; the server must exit with 0. No function sleeps: each waits for a line, at most
# $deadline seconds (default: 20).
#
# Server
#   needs WORD...            skips the script unless these programs, or files with an absolute path, are installed; with
#                            CI=true, fails instead. The word ipv6 stands for the address ::1; without it, the script is
#                            skipped also with CI=true
#   serve [ARGUMENT...]      starts $CHINWAGD, or chinwagd on PATH, or the one in target, as the peer `server`. Without
#                            --listen in the arguments, it listens on $host (127.0.0.1) and a free port. Sets $port, the
#                            array ports (of all listeners, in order), and the array client: the client with the server's
#                            address, as in: connect bob "${client[@]}" tail
#   stop                     stops the server by SIGTERM; it must print nothing more. Returns its exit status
#   server_program           prints the path of chinwagd
#   documented HEADING LANGUAGE [NUMBER]
#                            prints the first code block in this language under this heading of docs/operating.md, or the
#                            one with this number
#   client_program           prints the path of chinwag: $CHINWAG, or chinwag on PATH, or the one in target
#
# Peers
#   connect PEER COMMAND...  starts a program as PEER
#   join PEER COMMAND...     starts a program as PEER and takes the nickname PEER: reads HELLO and OK, then calls sync
#   accepting HOST PORT      waits until a program accepts connections there
#   say PEER LINE            sends a line
#   send PEER FORMAT...      sends the output of printf: send alice 'MSG hi\r\n'
#   hear PEER PATTERN...     the next lines must match these patterns; $line is the last of them
#   hear_to PEER PATTERN     reads up to a line that matches; the array skipped has the lines before it
#   sync PEER                the barrier: sends PING and reads up to its reply. Then everything that PEER sent has happened,
#                            and it has received everything that follows from it. Sets skipped
#   quiet PEER               calls sync; fails if PEER received any line before the reply
#   watched PEER COUNT       sends WHO until COUNT clients watch the room of PEER without a nickname. Sets skipped
#   finish PEER [PATTERN...] ends PEER's input, reads lines that must match, then calls hear_end
#   hear_end PEER            PEER must receive nothing more, and its program must end. Returns its exit status. For a program
#                            that waits for the end of its own input, such as nc.openbsd, use finish
#
# Terminal (tmux)
#   terminal WIDTH HEIGHT    opens a terminal with a shell, in which `chinwag` is the client. The array tmux is the command
#                            that controls it
#   start_chat WIDTH HEIGHT [ARGUMENT...]
#                            starts a server with these arguments, bob with nc.openbsd, and a terminal with the client as
#                            alice; waits for its prompt
#   keys KEY...              types, as tmux send-keys does: keys 'half a li' Left Enter
#   screen PATTERN...        waits until the screen matches: a newline, then its lines without blank ones at the end
#
# Results
#   same EXPECTED GOT        fails unless both texts are equal, and prints both
#   fail WORDS, skip WORDS   ends the script with status 1 or 77, and prints the words
#
# ${pid[PEER]} is the process id of PEER. $work is a directory for the script's files, removed at the end. $work/PEER.err is
# the standard error of PEER; that of `server` is the operator's log.

set -eEu -o pipefail
unset RUNTIME_DIRECTORY

deadline=${deadline:-20}
work=$(mktemp -d -t chinwag.XXXXXX)
# shellcheck disable=SC2034 # for the script that sources this
host=127.0.0.1 port='' ports=() client=() line='' skipped=()
declare -A pid=() _to=() _from=()
_syncs=0 tmux=() _changes=''
# A program that sends CR LF gets replies with CR LF, and may pass the CR on.
_cr='?('$'\r'')'

needs() {
    local need
    for need; do
        if [[ $need == ipv6 ]]; then
            grep -qs '^0\{31\}1 ' /proc/net/if_inet6 || skip 'this machine has no IPv6'
        elif ! [[ $need == /* && -e $need ]] && ! type -P "$need" >/dev/null; then
            [[ ${CI-} != true ]] || fail "$need is not installed; with CI=true, nothing is skipped"
            skip "$need is not installed"
        fi
    done
}

serve() {
    local program
    program=$(server_program)
    [[ " $* " == *' --listen '* ]] || set -- --listen "$host:0" "$@"
    connect server "$program" --port-file "$work/server.ports" "$@"
    hear server 'chinwagd: listening on *'
    # The server writes the whole file before it prints the first line.
    mapfile -t ports <"$work/server.ports"
    for _ in "${ports[@]:1}"; do hear server 'chinwagd: listening on *'; done
    # shellcheck disable=SC2034
    port=${ports[0]}
    # shellcheck disable=SC2034
    client=("$(client_program)" "$host:$port")
}

server_program() {
    _program CHINWAGD chinwagd
}

client_program() {
    _program CHINWAG chinwag
}

documented() {
    awk -v heading="$1" -v fence="\`\`\`$2" -v number="${3:-1}" '
        /^#/ && !inside { found = ($0 ~ "^#+ " heading "$") }
        inside && /^```$/ { exit }
        inside { print }
        found && $0 == fence && --number == 0 { inside = 1 }
    ' "${BASH_SOURCE[0]%/*}/../docs/operating.md"
}

accepting() {
    local end=$((SECONDS + deadline)) never
    exec {never}<> <(:)
    until (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; do
        ((SECONDS < end)) || fail "nothing accepts connections at $1:$2"
        # Lets the program run.
        IFS= read -r -t 0.02 -u "$never" _ || true
    done
    exec {never}>&-
}

# Prints the path of a program: the value of the variable $1, or the program $2 on PATH or in target.
_program() {
    local built=${BASH_SOURCE[0]%/*}/../target candidates candidate
    if [[ -v $1 ]]; then
        candidates=("${!1}")
    else
        candidates=("$2" "$built/release/$2" "$built/debug/$2")
    fi
    for candidate in "${candidates[@]}"; do
        type -P "$candidate" && return
    done
    fail "not found: ${candidates[*]}; build it (cargo build) or set $1 to its path"
}

stop() {
    kill -s TERM "${pid[server]}"
    hear_end server
}

connect() {
    local peer=$1 input output
    shift
    mkfifo "$work/$peer.in" "$work/$peer.out"
    (
        _close_all
        exec "$@"
    ) <"$work/$peer.in" >"$work/$peer.out" 2>"$work/$peer.err" &
    pid[$peer]=$!
    exec {input}>"$work/$peer.in" {output}<"$work/$peer.out"
    _to[$peer]=$input _from[$peer]=$output
    rm "$work/$peer.in" "$work/$peer.out"
}

# Closes the streams of all peers. Otherwise a new program would inherit them, and keep the inputs of earlier peers open.
_close_all() {
    local fd
    for fd in "${_to[@]}" "${_from[@]}"; do exec {fd}>&-; done
}

join() {
    connect "$@"
    say "$1" "NICK $1"
    hear "$1" 'HELLO *' "OK NICK $1$_cr"
    sync "$1"
}

say() {
    _note "$1>" "$2"
    printf '%s\n' "$2" >&"${_to[$1]}"
}

send() {
    local peer=$1
    shift
    _note "$peer>" "printf ${*@Q}"
    # shellcheck disable=SC2059 # it is meant as a format
    printf "$@" >&"${_to[$peer]}"
}

hear() {
    local peer=$1 pattern
    shift
    for pattern; do
        _next "$peer" || fail "$peer has ended"$'\n'"instead of: $pattern"
        # shellcheck disable=SC2053 # it is meant as a pattern
        [[ $line == $pattern ]] || fail "$peer received: $line"$'\n'"instead of:     $pattern"
    done
}

hear_to() {
    skipped=()
    while _next "$1" || fail "$1 has ended"$'\n'"instead of: $2"; do
        # shellcheck disable=SC2053 # it is meant as a pattern
        [[ $line != $2 ]] || return 0
        skipped+=("$line")
    done
}

sync() {
    : $((_syncs += 1))
    say "$1" "PING sync-$_syncs"
    hear_to "$1" "OK PING sync-$_syncs$_cr"
}

watched() {
    local watching=''
    until [[ $watching == "$2" ]]; do
        say "$1" WHO
        hear_to "$1" 'OK WHO *'
        [[ $line == *' watching='* ]] && watching=${line##*=} || watching=0
    done
}

quiet() {
    sync "$1"
    [[ ${#skipped[@]} == 0 ]] || fail "$1 received unexpected lines: ${skipped[*]@Q}"
}

hear_end() {
    local peer=$1 status=0
    ! _next "$peer" || fail "$peer received: $line"$'\n''instead of the end'
    _close _to "$peer"
    _close _from "$peer"
    wait "${pid[$peer]}" || status=$?
    unset "pid[$peer]"
    return "$status"
}

finish() {
    _close _to "$1"
    hear "$@"
    hear_end "$1"
}

terminal() {
    tmux=(env -u TMUX LC_ALL=C.UTF-8 XDG_STATE_HOME="$work/state" tmux -f /dev/null -S "$work/tmux")
    mkdir "$work/bin"
    ln -s "$(realpath "$(client_program)")" "$work/bin/chinwag"
    (
        _close_all
        exec "${tmux[@]}" new-session -d -x "$1" -y "$2" "PS1='$ ' PATH='$work/bin:$PATH' exec bash --norc --noprofile"
    )
    # Any output of the terminal means that the screen may have changed.
    mkfifo "$work/changes"
    exec {_changes}<>"$work/changes"
    "${tmux[@]}" pipe-pane "exec cat >'$work/changes'"
    screen $'\n$'
}

start_chat() {
    local width=$1 height=$2
    shift 2
    serve "$@"
    join bob nc.openbsd -N "$host" "$port"
    terminal "$width" "$height"
    keys "clear; chinwag $host:$port --nick alice" Enter
    screen $'*\n>'
}

keys() {
    _note 'keys>' "$*"
    "${tmux[@]}" send-keys "$@"
}

screen() {
    local pattern shown
    for pattern; do
        # shellcheck disable=SC2053 # it is meant as a pattern
        until shown=$("${tmux[@]}" capture-pane -p) && _note 'screen<' "$shown" && [[ $'\n'$shown == $pattern ]]; do
            # shellcheck disable=SC2034
            IFS= read -r -N 1 -t "$deadline" -u "$_changes" _ || fail "the screen shows:"$'\n'"$shown"$'\n'"instead of: $pattern"
            # Reads the rest of a burst of output, so that the screen is not compared after each byte.
            IFS= read -r -N 65536 -t 0.02 -u "$_changes" _ || true
        done
    done
}

same() {
    [[ $1 == "$2" ]] || fail "expected: ${1@Q}"$'\n'"     got: ${2@Q}"
}

fail() {
    printf '%s:%s: %s\n' "$0" "${BASH_LINENO[-2]}" "$*" >&2
    exit 1
}

skip() {
    printf '%s\n' "$*"
    exit 77
}

# Reads the next line from a peer into $line. Returns 1 at the end.
_next() {
    local status=0
    IFS= read -r -t "$deadline" line <&"${_from[$1]}" || status=$?
    ((status <= 128)) || fail "$1 received nothing for $deadline s, after: ${line@Q}"
    if ((status > 0)); then
        [[ -z $line ]] || fail "$1 has ended in the middle of a line: ${line@Q}"
        return 1
    fi
    _note "$1<" "$line"
}

# Records a line that a peer sent or received, for the report after a failure.
_note() {
    local text=${2:0:200}
    [[ $text != *[[:cntrl:]]* ]] || text=${text@Q}
    printf '%s %s\n' "$1" "$text" >>"$work/transcript"
}

_close() {
    local -n open=$1
    local fd
    if [[ -v open[$2] ]]; then
        fd=${open[$2]}
        exec {fd}>&-
        unset "open[$2]"
    fi
}

_at_exit() {
    local status=$1 server=${pid[server]-} ended=0 file
    trap - ERR
    trap "" PIPE
    set +e
    # Hides bash's messages about killed programs, and those of kill about programs that have ended.
    exec 3>&2 2>/dev/null
    unset 'pid[server]'
    [[ ! -S $work/tmux ]] || "${tmux[@]}" kill-server
    kill -s KILL "${pid[@]}"
    if [[ -n $server ]]; then
        kill -s TERM "$server"
        # Reads its output to the end, which comes when the server exits.
        IFS= read -r -d '' -t "$deadline" <&"${_from[server]}"
        kill -s KILL "$server"
        wait "$server"
        ended=$?
    fi
    if [[ $status == 0 && $ended != 0 ]]; then
        status=1
        echo "$0: the server exited with $ended" >&3
    fi
    if [[ $status != 0 && $status != 77 ]]; then
        for file in "$work"/transcript "$work"/*.err; do
            [[ -s $file ]] && echo "--- ${file##*/}" && tail -n 100 "$file"
        done >&3
    fi
    rm -rf "$work"
    exit "$status"
}

trap '_at_exit $?' EXIT
trap 'fail "status $? of: $BASH_COMMAND"' ERR
trap 'fail "the peer has closed its input"' PIPE
trap 'fail "ended by a signal"' INT TERM HUP
