#!/usr/bin/env bash
# The client prints colours on a terminal, unless NO_COLOR, TERM or --color turn them off; elsewhere only with --color always.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

serve
join bob nc.openbsd -N "$host" "$port"
terminal 60 20

# Starts the client with this environment and these options, and checks how it prints two messages: shows PATTERN COMMAND OPTIONS
shows() {
    keys "clear; $2 $host:$port --nick alice $3" Enter
    hear bob 'JOIN alice'
    screen $'*\n\\* you are alice; *\n>'
    say bob 'MSG hi all'
    say bob 'MSG hi alice'
    hear bob 'OK MSG *' 'OK MSG *'
    screen $'*\n??:?? bob: hi all\n??:?? bob: hi alice\n>'
    local shown
    shown=$("${tmux[@]}" capture-pane -pe)
    # shellcheck disable=SC2053 # it is meant as a pattern
    [[ $shown == $1 ]] || fail "${shown@Q} is not like ${1@Q}"
    keys C-c
    hear bob 'LEAVE alice quit'
    screen $'*\n$'
}

plain=$'*\n??:?? bob: hi all\n??:?? bob: hi alice\n*'
colored=$'*\e[2m*\e[*bob\e[*: hi all*\e[1mhi alice*'
shows "$colored" chinwag ''
shows "$plain" 'NO_COLOR=1 chinwag' ''
shows "$plain" chinwag '--color never'
# Past messages come first, dimmed.
shows $'\e[2m??:?? bob: hi all\n*you are alice*bob\e[*: hi all*\e[1mhi alice*' 'NO_COLOR=1 chinwag' '--color always'

# A terminal without colours.
keys "clear; TERM=dumb chinwag $host:$port tail --count 1" Enter
watched bob 1
say bob 'MSG hi'
hear bob 'OK MSG *'
screen $'\n??:?? bob: hi\n$'
[[ $("${tmux[@]}" capture-pane -pe) != *$'\e['*m* ]] || fail 'the output has colours'

connect tail "${client[@]}" tail --count 1 --nick tail --color always
hear bob 'JOIN tail'
say bob 'MSG hi'
hear tail $'\e[2m??:??\e[0m \e[*bob\e[0m: hi'
hear_end tail
