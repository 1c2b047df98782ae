#!/usr/bin/env bash
# nc.traditional cannot close only its sending side: it leaves the room, and a script ends, with QUIT.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.traditional nc.openbsd

serve
join alice nc.openbsd -N "$host" "$port"
join trudy nc.traditional "$host" "$port"
hear alice 'JOIN trudy'
say alice 'MSG hi'
hear alice 'OK MSG *'
hear trudy 'MSG alice hi'
say trudy 'QUIT'
finish trudy 'OK QUIT'
hear alice 'LEAVE trudy quit'

replies=$(printf 'NICK script\nMSG done\nQUIT\n' | timeout "$deadline" nc.traditional "$host" "$port")
[[ $replies == 'HELLO '*$'\nOK NICK script\nOK MSG '+([0-9])$'\nOK QUIT' ]]
hear alice 'JOIN script' 'MSG script done' 'LEAVE script quit'
quiet alice
