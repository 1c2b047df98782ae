#!/usr/bin/env bash
# bash completes the options, commands and values of both programs, with the completions in packaging.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
completions=$(realpath "${0%/*}/../../packaging/completions")

# Completes the last of the words, as bash does after Tab: completes EXPECTED PROGRAM WORD...
completes() {
    local expected=$1
    shift
    same "$expected" "$(bash --norc --noprofile -c '
        source "$1/$2.bash"
        shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        # It is for the completion of readline only.
        compopt() { :; }
        "_$1"
        echo "${COMPREPLY[*]}"' bash "$completions" "$@")"
}

completes 'account cert backup restore check status moderate audit' chinwagd ''
completes '--log --log-format' chinwagd --lo
completes '--listen' chinwagd --lis
completes 'off error warn info debug' chinwagd --log ''
# bash splits --log=w into three words.
completes 'warn' chinwagd --log = w
completes 'off error warn info debug' chinwagd --log =
completes 'full' chinwagd --log info --durability fu
completes '' chinwagd --listen ''
completes '--control --json --help' chinwagd status --
completes 'add list password role remove' chinwagd account ''
completes 'role remove' chinwagd account --json r
completes '' chinwagd account add ''
# The value of an option is not a command.
completes 'status' chinwagd --data status sta
completes 'send search' chinwag se
completes 'send search' chinwag chat.example.org 9999 se
completes '--count --color' chinwag chat.example.org tail --co
completes 'auto always never' chinwag tail --color ''
completes '' chinwag send -- --
mkdir "$work/d"
touch "$work/d/a.db" "$work/d/a.txt"
completes "$work/d/a.db $work/d/a.txt" chinwagd --data "$work/d/a"
for command in backup restore; do
    completes "$work/d/a.db $work/d/a.txt" chinwagd "$command" "$work/d/a"
    completes "$work/d/a.db" chinwagd "$command" --data x.db "$work/d/a.d"
    completes '' chinwagd "$command" a.db "$work/d/a"
done
completes '' chinwagd status "$work/d/a"
