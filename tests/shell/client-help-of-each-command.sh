#!/usr/bin/env bash
# Each command has its own `--help`, which lists exactly the options that the command accepts. Every example in it, and in
# docs/client.md, runs as printed.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs nc.openbsd

commands=(send who tail wait history search rooms login raw)
options=(--room --to --count --from --timeout --since --epoch --retry --json --nick --color --bell --server --tls --tls-ca
    --tls-fingerprint --login --account-password-file --token-file --label --days)
mkdir "$work/bin"
ln -s "$(readlink -f "$(client_program)")" "$work/bin/chinwag"
PATH=$work/bin:$PATH
manual=$(<"${0%/*}/../../docs/client.md")
CHINWAGD=$(readlink -f "$(server_program)")
export CHINWAGD
cd "$work"

help=$(chinwag --help)
# Each command has one line in it.
same "${#commands[@]}" "$(sed -n '/^Commands:/,/^$/{/^  [a-z]/p}' <<<"$help" | wc -l)"
for command in "${commands[@]}"; do
    [[ $help == *$'\n  '"$command "* ]] || fail "chinwag --help does not list $command"
    chinwag "$command" --help >"$command.help"
    same "$(<"$command.help")" "$(chinwag help "$command")"
    [[ $(<"$command.help") == *$'\n'"Usage: chinwag $command "*'--server'*'Exit codes:'*'  5    timed out'* ]] || fail "$(<"$command.help")"
    for option in "${options[@]}"; do
        # Without a value, a known option is an error of another kind.
        said=$(chinwag "$command" "$option=" x y 2>&1 </dev/null) || true
        case $command$option in
            # Accepted without an effect, or refused with another explanation.
            *--bell | send--color | who--color | rooms--color | raw--color | rooms--nick | raw--nick | rooms--room | raw--room) known=0 ;;
            login--color | login--nick | login--room | login--login) known=0 ;;
            raw--login | raw--account-password-file | raw--token-file) known=0 ;;
            *) [[ $said == *"unexpected $option: expected it with"* ]] && known=0 || known=1 ;;
        esac
        same "$command $option $known" "$command $option $(grep -c -- "^  $option " "$command.help" || true)"
    done
done

# A talker makes every example end that waits for something. Those that go on get SIGTERM once they have joined.
serve --data messages.db
export CHINWAG_SERVER=$host:$port
connect ci nc.openbsd -N "$host" "$port"
say ci 'NICK ci'
hear ci 'HELLO *' 'OK NICK ci'
# The members to whom the examples whisper.
join bob nc.openbsd -N "$host" "$port"
join carol nc.openbsd -N "$host" "$port"
# The account of the examples, and the file with its password.
export XDG_CONFIG_HOME=$work/config
printf 'correct horse\n' >password
chmod 600 password
connect build nc.openbsd -N "$host" "$port"
say build 'NICK build'
say build 'REGISTER correct horse'
hear build 'HELLO *' 'OK NICK build' 'OK REGISTER build'
finish build
number=0
while IFS= read -r example; do
    : $((number += 1))
    example=${example//10.0.0.9:7000/$host:$port}
    example=${example//10.0.0.9 7000/$host $port}
    example=${example//chat.example.org/$host:$port}
    example=${example/--nick ci/--nick bot} # ci is the talker
    example=${example/\"bob\"/\"dave\"}     # bob is in the room already
    USER=user$number setsid bash -c "${example/make 2>&1/echo built}" >"out" 2>"err" </dev/null &
    running=$!
    case $example in
        # They end by themselves, or are in another room.
        *--help* | *login* | *' who'* | *history* | *search* | *rooms* | *--room* | *--since*) began='' ;;
        *tail* | *wait*) began=watching ;;
        *) began=joined ;;
    esac
    if [[ $began ]]; then
        if [[ $began == watching ]]; then
            watched ci 1
        else
            until [[ $line =~ ^JOIN\ (user|bot|alice) ]]; do hear ci '*'; done
        fi
        line=''
        say ci 'MSG build 41 is green, alice: bob joined'
        hear_to ci 'OK MSG *'
        [[ $example != *dave* ]] || join dave nc.openbsd -N "$host" "$port"
        [[ $example != *tail* || $example == *grep* ]] || kill -s TERM -- "-$running"
    fi
    status=0
    wait "$running" || status=$?
    watched ci 0
    case $example in
        *--since*) expected='1 chinwag: the *' ;; # this server has no such id
        *'login alice') expected='1 chinwag: there is no terminal *' ;; # here; client-account types the password
        *tail*grep*) expected='0 *' ;;
        *tail*) expected='143 *' ;;
        *) expected='0 ' ;;
    esac
    # shellcheck disable=SC2053 # it is a pattern
    [[ "$status $(<err)" == $expected ]] || fail "$example: $status $(<out) $(<err)"
done < <(
    sed -n '/^Examples:/,/^$/s/^  //p' <<<"$help"
    sed -n '/^Examples:/,/^$/s/^  //p' ./*.help
    sed -n '/^## In scripts$/,/^.``$/{/^[a-z]/{s/  #.*//;p}}' <<<"$manual"
)
((number > 20)) || fail "$number examples"
