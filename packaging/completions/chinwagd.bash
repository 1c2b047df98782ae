# bash completion for chinwagd. Made from its options by scripts/generate. Do not edit.

_chinwagd() {
    local current=${COMP_WORDS[COMP_CWORD]} i word command='' option='' arguments=0
    local commands=' account cert backup restore check status moderate audit ' valued=' --backlog --by --config --connect-rate --control --data --dead-peer-timeout --durability --epoch --history --http-header-timeout --http-origin --http-ping-interval --idle-timeout --keep --limit --line-burst --line-rate --listen --log --log-format --max-clients --max-per-address --max-rooms --motd --name --name-timeout --out --password-file --port-file --registration --resume-timeout --room --send-timeout --tls-cert --tls-key '
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == = && -n $option ]]; then
            : # bash splits --option=value.
        elif [[ -n $option ]]; then
            option=''
        elif [[ $word == -- ]]; then
            return
        elif [[ $valued == *" $word "* ]]; then
            option=$word
        elif [[ $word != -* && -n $command ]]; then
            arguments=$((arguments + 1))
        elif [[ $commands == *" $word "* ]]; then
            command=$word
        fi
    done
    [[ $current != = ]] || current=''
    case $option in
        '') ;;
        --config | --control | --data | --motd | --out | --password-file | --port-file | --tls-cert | --tls-key)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
            ;;
        --durability) mapfile -t COMPREPLY < <(compgen -W 'full relaxed' -- "$current"); return ;;
        --log) mapfile -t COMPREPLY < <(compgen -W 'off error warn info debug' -- "$current"); return ;;
        --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$current"); return ;;
        --registration) mapfile -t COMPREPLY < <(compgen -W 'open operators' -- "$current"); return ;;
        *) return ;;
    esac
    case $command in
        '') local options='--listen --port-file --tls-cert --tls-key --password-file --accounts-only --registration --allow-insecure-passwords --http-origin --http-header-timeout --http-ping-interval --max-clients --max-per-address --connect-rate --line-rate --line-burst --backlog --max-rooms --no-watch --history --data --durability --keep --epoch --motd --name-timeout --idle-timeout --resume-timeout --send-timeout --dead-peer-timeout --log --log-format --control --config --check --print-config -V --version -h --help' words='account cert backup restore check status moderate audit' ;;
        account) local options='--password-file --generate --end-rest --json --control --data -h --help' words='add list password role remove' ;;
        cert) local options='--name --out -h --help' words='' ;;
        backup) local options='--data --control -h --help' words='' ;;
        restore) local options='--data -h --help' words='' ;;
        check) local options='--data --control -h --help' words='' ;;
        status) local options='--control --json -h --help' words='' ;;
        moderate) local options='--control -h --help' words='' ;;
        audit) local options='--limit --room --by --json --control -h --help' words='' ;;
    esac
    if [[ $current == -* ]]; then
        words=$options
    elif [[ -n $command && $arguments != 0 ]]; then
        return
    elif [[ -n $command && ' backup restore ' == *" $command "* ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _chinwagd chinwagd
