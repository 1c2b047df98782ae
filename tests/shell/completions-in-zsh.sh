#!/usr/bin/env bash
# zsh completes the options, commands and values of both programs, with the completions in packaging.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux zsh
completions=$(realpath "${0%/*}/../../packaging/completions")

terminal 100 40
# The prompt after the start shows that compinit has run.
cat >"$work/.zshrc" <<END
PS1='%% '
bindkey -e
fpath=('$completions' \$fpath)
autoload -U compinit
compinit -u -D
zstyle ':completion:*' verbose no
END
mkdir "$work/d"
touch "$work/d/a.db" "$work/d/a.txt"
keys "clear; cd '$work/d'; ZDOTDIR='$work' exec zsh" Enter
screen $'\n%'

# Types a line and Tab in place of the line before, and compares the screen: completes LINE PATTERN...
completes() {
    keys C-u C-l "$1" Tab
    shift
    screen "$@"
}

completes 'chinwagd --dur' $'\n% chinwagd --durability*'
completes 'chinwagd --log' $'*\n--log *--log-format*'
completes 'chinwagd --log ' $'*\ndebug *error *info *off *warn*'
completes 'chinwagd --log=w' $'\n% chinwagd --log=warn*'
completes 'chinwagd ' $'*\naccount *audit *cert *moderate *status*'
completes 'chinwagd account ' $'*\nadd *list *password *remove *role*'
completes 'chinwagd account add --gen' $'\n% chinwagd account add --generate*'
completes 'chinwagd --data status mod' $'\n% chinwagd --data status moderate*'
completes 'chinwagd --data a.d' $'\n% chinwagd --data a.db*'
completes 'chinwagd backup a.d' $'\n% chinwagd backup a.db*'
completes 'chinwagd restore --data x.db a.d' $'\n% chinwagd restore --data x.db a.db*'
completes 'chinwag chat.example.org 9999 hist' $'\n% chinwag chat.example.org 9999 history*'
completes 'chinwag chat.example.org tail --cou' $'\n% chinwag chat.example.org tail --count*'
completes 'chinwag tail --color al' $'\n% chinwag tail --color always*'
keys C-u C-l "zstyle ':completion:*' verbose yes" Enter
completes 'chinwagd mod' $'*chinwagd moderate*'
completes 'chinwagd --log-' $'*chinwagd --log-format*'
completes 'chinwagd --re' $'*--registration *-- who adds accounts: open, every client, with REGISTER\n*'
