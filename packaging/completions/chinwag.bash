# bash completion for chinwag. Made from its options by scripts/generate. Do not edit.

_chinwag() {
    local current=${COMP_WORDS[COMP_CWORD]} i word command='' option='' arguments=0
    local commands=' send who tail wait history search rooms login raw ' valued=' --account-password-file --color --count --days --epoch --from --label --login --nick --password-file --retry --room --server --since --timeout --tls-ca --tls-fingerprint --to --token-file '
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
        --account-password-file | --password-file | --tls-ca | --token-file)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
            ;;
        --color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$current"); return ;;
        *) return ;;
    esac
    case $command in
        '') local options='--server --tls --tls-ca --tls-fingerprint --password-file --login --account-password-file --token-file --nick --color --bell --retry -V --version -h --help' words='send who tail wait history search rooms login raw' ;;
        send) local options='--to --json --server --tls --tls-ca --tls-fingerprint --password-file --login --account-password-file --token-file --nick --room -h --help' words='' ;;
        who) local options='--json --server --tls --tls-ca --tls-fingerprint --password-file --login --account-password-file --token-file --nick --room -h --help' words='' ;;
        tail) local options='--count --from --timeout --since --epoch --retry --json --server --tls --tls-ca --tls-fingerprint --password-file --login --account-password-file --token-file --nick --room --color -h --help' words='' ;;
        wait) local options='--count --from --timeout --since --epoch --retry --json --server --tls --tls-ca --tls-fingerprint --password-file --login --account-password-file --token-file --nick --room --color -h --help' words='' ;;
        history) local options='--json --server --tls --tls-ca --tls-fingerprint --password-file --login --account-password-file --token-file --nick --room --color -h --help' words='' ;;
        search) local options='--json --server --tls --tls-ca --tls-fingerprint --password-file --login --account-password-file --token-file --nick --room --color -h --help' words='' ;;
        rooms) local options='--json --server --tls --tls-ca --tls-fingerprint --password-file --login --account-password-file --token-file -h --help' words='' ;;
        login) local options='--label --days --json --server --tls --tls-ca --tls-fingerprint --password-file --account-password-file --token-file -h --help' words='' ;;
        raw) local options='--json --server --tls --tls-ca --tls-fingerprint -h --help' words='' ;;
    esac
    if [[ $current == -* ]]; then
        words=$options
    elif [[ -n $command && $arguments != 0 ]]; then
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _chinwag chinwag
