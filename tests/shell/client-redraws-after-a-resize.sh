#!/usr/bin/env bash
# When the terminal becomes narrower or wider, a half-typed line is drawn once and no message is erased: with wrapped lines, wide
# characters, and the cursor at any place.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs tmux nc.openbsd

start_chat 40 24
hear bob 'JOIN alice'
say bob 'MSG one'
say bob 'MSG two'
hear bob 'OK MSG *' 'OK MSG *'
screen $'*\n??:?? bob: one\n??:?? bob: two\n>'
"${tmux[@]}" set-option -g window-size manual

typed='half 日本語 of a line that is 折り返す longer'
keys -l "$typed"
screen $'*\n??:?? bob: one\n??:?? bob: two\n> half 日本語 of a line that is 折り返す\n longer'

# Checks that at this width, at once and after a new message, the screen ends with exactly these rows.
resized() {
    "${tmux[@]}" resize-window -x "$1" -y 24
    # tmux reports the new size to the program a little later, and moves the rows itself until then.
    local tty end=$((SECONDS + deadline)) all
    tty=$("${tmux[@]}" display-message -p '#{pane_tty}')
    until [[ $(stty -F "$tty" size) == "24 $1" ]]; do ((SECONDS < end)) || fail "the terminal has no new size"; done
    screen "*"$'\n'"$2"
    say bob "MSG at $1"
    hear bob 'OK MSG *'
    screen "*:?? bob: at $1"$'\n'"$2"
    # tmux moves rows to its scrollback when it becomes narrower.
    all=$("${tmux[@]}" capture-pane -p -S -100)
    [[ $all == *'bob: one'$'\n'*'bob: two'$'\n'* ]] || fail "a message is gone: ${all@Q}"
}

resized 30 $'> half 日本語 of a line that i\ns 折り返す longer'
resized 80 "> $typed"
resized 21 $'> half 日本語 of a li\nne that is 折り返す l\nonger'
keys Home X
screen $'*\n> Xhalf 日本語 of a l\nine that is 折り返す\nlonger'
resized 60 "> Xhalf 日本語 of a line that is 折り返す longer"
keys Right Y
screen $'*> XhYalf*longer'
resized 20 $'> XhYalf 日本語 of a\n line that is 折り返\nす longer'
resized 60 "> XhYalf 日本語 of a line that is 折り返す longer"
say bob 'MSG three'
screen $'*\n??:?? bob: three\n> XhYalf 日本語 of a line that is 折り返す longer'
keys C-c
hear bob 'OK MSG *' 'LEAVE alice quit'
