# shellcheck shell=bash
# Shell functions for a script that starts a chinwag server, talks to it through real programs, several at once, and checks
# what each of them reads. The scripts in tests/shell are written with them, and yours can be. What a line means is in
# protocol.md; this only says and hears lines. It takes bash 4.4 and coreutils.
#
#     #!/usr/bin/env bash
#     source /path/to/chinwag/scripts/peers.sh
#
#     needs nc.openbsd socat                     # without these, the script ends here with status 77: skipped
#     serve                                      # a server of its own, on a free port of 127.0.0.1
#     join alice nc.openbsd -N "$host" "$port"   # alice is this program; she has taken her name
#     join bob socat -t 20 - "TCP:$host:$port"
#     hear alice 'JOIN bob'
#     say bob 'MSG hello'
#     hear bob 'OK MSG *'                        # a pattern, as in case
#     hear alice 'MSG bob hello'
#     finish bob                                 # the end of bob's input; he hears nothing more
#     hear alice 'LEAVE bob eof'
#
# Sourcing it turns on `set -eEu -o pipefail`. The first thing that is not as expected ends the script with status 1 and its
# line number, followed by all that everybody said and heard and what their programs wrote to standard error. However the
# script ends, its programs end with it, and so does the server, which must then exit with 0. Nothing sleeps: what waits,
# waits for a line, for at most $deadline seconds (20 if not set).
#
#   needs WORD...            skips the script unless these programs are installed (with CI=true: fails); the word ipv6
#                            stands for the address ::1, which nobody can install, and skips there too
#   serve [ARGUMENT...]      starts $CHINWAGD, or chinwagd on PATH, or the one built beside this file. Without --listen in
#                            the arguments: on $host, which is 127.0.0.1, and a free port. Sets port; of several
#                            listeners, array ports has them all, in the order of the lines that the server printed
#                            and that are heard here: its standard output is that of a peer named server
#   server_program           prints which program that is
#   client_program           the same of $CHINWAG, the client. serve sets array client: that program, and where the server is:
#                            connect bob "${client[@]}" tail
#   stop                     ends the server by SIGTERM; it must print nothing more, and its exit status is that of stop
#
#   connect PEER COMMAND...  starts the program that is to be PEER, with its input and output held by the script
#   join PEER COMMAND...     the same, then takes the name PEER, hears HELLO and OK, and all that comes up to a sync
#   say PEER LINE            sends a line
#   send PEER FORMAT...      sends what printf makes of it: send alice 'MSG hi\r\n'
#   hear PEER PATTERN...     the next lines are these; the last one is left in $line
#   hear_to PEER PATTERN     hears up to such a line; array skipped has what came before it
#   sync PEER                the barrier: all that PEER sent has happened, all that comes of it has come; sets skipped
#   quiet PEER               the same, and nothing came that was not heard yet
#   hear_end PEER            nothing more comes and the program ends; its exit status is that of hear_end. A program that
#                            waits for the end of its own input, as nc.openbsd does, takes finish instead
#   finish PEER [PATTERN...] ends PEER's input, hears these lines, and then the end, as hear_end
#
#   terminal WIDTH HEIGHT    opens a terminal (tmux's) with a shell in it, for which the client is `chinwag`; array tmux is
#                            the command that speaks to it
#   keys KEY...              types there, as tmux send-keys does: keys 'half a li' Left Enter
#   screen PATTERN...        waits until what it shows is like this: a newline, then its lines but for the blank ones at the end
#
#   same EXPECTED GOT        fails unless the two are the same, and shows both
#   fail WORDS, skip WORDS   ends the script with status 1 or 77, and says why
#
# Further: ${pid[PEER]} is the program's process, $work a directory for the script's files, removed at the end, and
# $work/PEER.err what the program wrote to standard error: of the server, the operator's log.

set -eEu -o pipefail

deadline=${deadline:-20}
work=$(mktemp -d -t chinwag.XXXXXX)
# shellcheck disable=SC2034 # port is for the script
host=127.0.0.1 port='' ports=() client=() line='' skipped=()
declare -A pid=() _to=() _from=()
_syncs=0 tmux=() _changes=''
# A program that is answered in CR LF may pass the CR on.
_cr='?('$'\r'')'

needs() {
    local need
    for need; do
        if [[ $need == ipv6 ]]; then
            grep -qs '^0\{31\}1 ' /proc/net/if_inet6 || skip 'this machine has no IPv6'
        elif ! type -P "$need" >/dev/null; then
            [[ ${CI-} != true ]] || fail "needs $need, which is not installed; with CI=true nothing is skipped for that"
            skip "needs $need, which is not installed"
        fi
    done
}

serve() {
    local program
    program=$(server_program)
    [[ " $* " == *' --listen '* ]] || set -- --listen "$host:0" "$@"
    connect server "$program" --port-file "$work/server.ports" "$@"
    hear server 'chinwagd: listening on *'
    # They are there, all of them, before the first line is printed.
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

# The program that the variable names, or one of this name: on PATH, or built.
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
    fail "there is no ${candidates[*]}; build it (cargo build) or say where it is ($1=...)"
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
        _keep_none
        exec "$@"
    ) <"$work/$peer.in" >"$work/$peer.out" 2>"$work/$peer.err" &
    pid[$peer]=$!
    exec {input}>"$work/$peer.in" {output}<"$work/$peer.out"
    _to[$peer]=$input _from[$peer]=$output
    rm "$work/$peer.in" "$work/$peer.out"
}

# Or the input of those before would stay open for as long as the program that follows runs.
_keep_none() {
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
        _next "$peer" || fail "$peer is at the end"$'\n'"instead of: $pattern"
        # shellcheck disable=SC2053 # it is meant as a pattern
        [[ $line == $pattern ]] || fail "$peer heard:  $line"$'\n'"instead of: $pattern"
    done
}

hear_to() {
    skipped=()
    while _next "$1" || fail "$1 is at the end"$'\n'"instead of: $2"; do
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

quiet() {
    sync "$1"
    [[ ${#skipped[@]} == 0 ]] || fail "$1 heard what nobody waited for: ${skipped[*]@Q}"
}

hear_end() {
    local peer=$1 status=0
    ! _next "$peer" || fail "$peer heard:  $line"$'\n''instead of the end'
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
    ln -s "$(client_program)" "$work/bin/chinwag"
    (
        _keep_none
        exec "${tmux[@]}" new-session -d -x "$1" -y "$2" "PS1='$ ' PATH='$work/bin:$PATH' exec bash --norc --noprofile"
    )
    # Whatever the shell prints tells that the screen has to be looked at again.
    mkfifo "$work/changes"
    exec {_changes}<>"$work/changes"
    "${tmux[@]}" pipe-pane "exec cat >'$work/changes'"
    screen $'\n$'
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
            # What else has come by now, if it comes at once.
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

# The next line that the peer hears, in $line; false at the end.
_next() {
    local status=0
    IFS= read -r -t "$deadline" line <&"${_from[$1]}" || status=$?
    ((status <= 128)) || fail "$1 hears nothing for $deadline s, after: ${line@Q}"
    if ((status > 0)); then
        [[ -z $line ]] || fail "$1 is at the end, in the middle of a line: ${line@Q}"
        return 1
    fi
    _note "$1<" "$line"
}

# What everybody said and heard, for when it goes wrong.
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
    # Of what was killed, bash tells; what has ended already cannot be. Neither is news.
    exec 3>&2 2>/dev/null
    unset 'pid[server]'
    [[ ! -S $work/tmux ]] || "${tmux[@]}" kill-server
    kill -s KILL "${pid[@]}"
    if [[ -n $server ]]; then
        kill -s TERM "$server"
        # Reads to the end of what it prints: for as long as it runs.
        IFS= read -r -d '' -t "$deadline" <&"${_from[server]}"
        kill -s KILL "$server"
        wait "$server"
        ended=$?
    fi
    if [[ $status == 0 && $ended != 0 ]]; then
        status=1
        echo "$0: at its end the server exited with $ended" >&3
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
trap 'fail "what it was said to does not read any more"' PIPE
trap 'fail "ended from outside"' INT TERM HUP
