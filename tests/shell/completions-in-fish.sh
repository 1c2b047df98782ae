#!/usr/bin/env bash
# fish completes the options, commands and values of both programs, with the completions in packaging.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs fish
completions=$(realpath "${0%/*}/../../packaging/completions")

# Completes a command line. The descriptions are not compared: completes EXPECTED LINE
completes() {
    local program=${2%% *}
    same "$1" "$(HOME=$work fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$completions/$program.fish" "$2" \
        | cut -f1 | sort | paste -sd' ')"
}

completes 'account audit backup cert check moderate restore status' 'chinwagd '
completes '--log --log-format' 'chinwagd --lo'
completes 'debug error info off warn' 'chinwagd --log '
completes '--log=warn' 'chinwagd --log=w'
completes 'full' 'chinwagd --log info --durability fu'
completes '' 'chinwagd --listen '
completes '--control --help --json' 'chinwagd status --'
completes 'add list password remove role' 'chinwagd account '
completes 'status' 'chinwagd --data status sta'
completes 'search send' 'chinwag se'
completes 'search send' 'chinwag chat.example.org 9999 se'
completes '--color --count' 'chinwag chat.example.org tail --co'
completes 'always auto never' 'chinwag tail --color '
mkdir "$work/d"
touch "$work/d/a.db" "$work/d/a.txt"
completes "$work/d/a.db $work/d/a.txt" "chinwagd --data $work/d/a"
for command in backup restore; do
    completes "$work/d/a.db $work/d/a.txt" "chinwagd $command $work/d/a"
    completes "$work/d/a.db" "chinwagd $command --data x.db $work/d/a.d"
done
completes '' "chinwagd status $work/d/a"
described=$(HOME=$work fish --no-config -c 'source $argv[1]; complete -C "chinwagd --log-"' "$completions/chinwagd.fish")
same $'--log-format\tformat of the log: text, in lines that begin with the local time, except in the journal' "$described"
