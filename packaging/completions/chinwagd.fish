# fish completion for chinwagd. Made from its options by scripts/generate. Do not edit.

# Whether the command line has this command; without an argument, whether it has none.
function __chinwagd_has
    set -l commands account cert backup restore check status moderate audit
    set -l valued --backlog --by --config --connect-rate --control --data --dead-peer-timeout --durability --epoch --history --http-header-timeout --http-origin --http-ping-interval --idle-timeout --keep --limit --line-burst --line-rate --listen --log --log-format --max-clients --max-per-address --max-rooms --motd --name --name-timeout --out --password-file --port-file --registration --resume-timeout --room --send-timeout --tls-cert --tls-key
    set -l words (commandline -opc)
    set -e words[1]
    set -l is_value 0
    for word in $words
        if test $is_value = 1
            set is_value 0
        else if contains -- $word $valued
            set is_value 1
        else if contains -- $word $commands
            test "$word" = "$argv"
            return
        end
    end
    test -z "$argv"
end

complete -c chinwagd -f
complete -c chinwagd -n __chinwagd_has -a account -d 'add, list and remove accounts, and set their passwords and roles'
complete -c chinwagd -n __chinwagd_has -a cert -d 'make a self-signed certificate and its key for TLS listeners, and print its fingerprint'
complete -c chinwagd -n __chinwagd_has -a backup -d 'copy a store into a new file, also while a server uses it, and check the copy'
complete -c chinwagd -n __chinwagd_has -a restore -d 'put a backup in the place of a store, while no server uses it, and check it'
complete -c chinwagd -n __chinwagd_has -a check -d 'check a store or a backup: the file itself, its rows, and whether the search index agrees with the messages'
complete -c chinwagd -n __chinwagd_has -a status -d 'print what a running server does: its listeners, clients, rooms, memory and store'
complete -c chinwagd -n __chinwagd_has -a moderate -d 'carry out a command of a moderator on a running server, with the rights of an operator'
complete -c chinwagd -n __chinwagd_has -a audit -d 'print the audit log of a running server: who has removed, muted, banned or appointed whom, when and why, and what operators have done with accounts'
complete -c chinwagd -n __chinwagd_has -l listen -x -d 'listen on this address'
complete -c chinwagd -n __chinwagd_has -l port-file -r -F -d 'write the port of each listener (- for a Unix socket) to this file, one per line in the order of --listen, before the first client is served'
complete -c chinwagd -n __chinwagd_has -l tls-cert -r -F -d 'the certificate of the tls:// and https:// listeners, in PEM, followed by its chain'
complete -c chinwagd -n __chinwagd_has -l tls-key -r -F -d 'the private key of a --tls-cert, in PEM, in the same order'
complete -c chinwagd -n __chinwagd_has -l password-file -r -F -d 'let only clients in that give the password in this file, which has one line of 1 to 256 bytes'
complete -c chinwagd -n __chinwagd_has -l accounts-only -d 'let only clients in that log in to an account'
complete -c chinwagd -n __chinwagd_has -l registration -x -a 'open operators' -d 'who adds accounts: open, every client, with REGISTER'
complete -c chinwagd -n __chinwagd_has -l allow-insecure-passwords -d 'also accept passwords over connections that others on the way may read, such as plain TCP from other machines, or through a proxy on another machine'
complete -c chinwagd -n __chinwagd_has -l http-origin -x -d 'let pages of this origin join (https://chat.example.org), and accept requests for its host name'
complete -c chinwagd -n __chinwagd_has -l http-header-timeout -x -d 'close a connection whose request header is not complete within this time'
complete -c chinwagd -n __chinwagd_has -l http-ping-interval -x -d 'ping an idle WebSocket client after this time, at the latest after twice this time, so that no proxy closes the connection'
complete -c chinwagd -n __chinwagd_has -l max-clients -x -d 'maximum number of connections'
complete -c chinwagd -n __chinwagd_has -l max-per-address -x -d 'maximum number of connections from one address'
complete -c chinwagd -n __chinwagd_has -l connect-rate -x -d 'new connections per second from one address, after a burst of 1000'
complete -c chinwagd -n __chinwagd_has -l line-rate -x -d 'lines per second that are read from each client'
complete -c chinwagd -n __chinwagd_has -l line-burst -x -d 'lines that a client may send at once before --line-rate applies'
complete -c chinwagd -n __chinwagd_has -l backlog -x -d 'size of the events that are kept in memory for slow consumers'
complete -c chinwagd -n __chinwagd_has -l max-rooms -x -d 'maximum number of rooms with members, besides #lobby'
complete -c chinwagd -n __chinwagd_has -l no-watch -d 'refuse WATCH: only clients with a nickname read rooms'
complete -c chinwagd -n __chinwagd_has -l history -x -d 'messages of each room kept in memory for HISTORY and SINCE, within 4MiB for all rooms'
complete -c chinwagd -n __chinwagd_has -l data -r -F -d 'store messages in this SQLite file, which is created if it does not exist'
complete -c chinwagd -n __chinwagd_has -l durability -x -a 'full relaxed' -d 'when a message counts as stored: full, when the disk has it'
complete -c chinwagd -n __chinwagd_has -l keep -x -d 'delete the oldest stored messages beyond an age (30d), a size (1GiB) or a number ("100000 messages")'
complete -c chinwagd -n __chinwagd_has -l epoch -x -d 'the epoch in HELLO: the word that names this numbering of message ids'
complete -c chinwagd -n __chinwagd_has -l motd -r -F -d 'send the text of this file to each client that connects, as NOTICE lines after the greeting or, with --password-file, after the client has given the password: at most 8KiB of UTF-8 in 50 lines'
complete -c chinwagd -n __chinwagd_has -l name-timeout -x -d 'disconnect a client that takes no nickname within this time'
complete -c chinwagd -n __chinwagd_has -l idle-timeout -x -d 'disconnect a client that sends no line for this time'
complete -c chinwagd -n __chinwagd_has -l resume-timeout -x -d 'after a lost connection, keep a member with a resume token (SET resume on) for this time'
complete -c chinwagd -n __chinwagd_has -l send-timeout -x -d 'disconnect a client that accepts no output for this time, at most a quarter of --dead-peer-timeout'
complete -c chinwagd -n __chinwagd_has -l dead-peer-timeout -x -d 'detect a host that has vanished within this time, from 8s to 1d'
complete -c chinwagd -n __chinwagd_has -l log -x -a 'off error warn info debug' -d 'what to log: off, error, warn, info or debug'
complete -c chinwagd -n __chinwagd_has -l log-format -x -a 'text json' -d 'format of the log: text, in lines that begin with the local time, except in the journal'
complete -c chinwagd -n __chinwagd_has -l control -r -F -d 'answer chinwagd status, account, moderate, audit, backup and check on a Unix socket at this path, for root and the user of the server'
complete -c chinwagd -n __chinwagd_has -l config -r -F -d 'read options from this TOML file, too'
complete -c chinwagd -n __chinwagd_has -l check -d 'check whether a server with these options can start, with its addresses, certificates and files'
complete -c chinwagd -n __chinwagd_has -l print-config -d 'print the given options as a configuration file, with the place where each is given, and the defaults of the others'
complete -c chinwagd -n __chinwagd_has -l version -s V -d 'print the version and exit'
complete -c chinwagd -n __chinwagd_has -l help -s h -d 'print this help and exit'
complete -c chinwagd -n '__chinwagd_has account' -a 'add list password role remove'
complete -c chinwagd -n '__chinwagd_has account' -l password-file -r -F -d 'add, password: read the password from this file, which has one line'
complete -c chinwagd -n '__chinwagd_has account' -l generate -d 'add, password: make a password of 20 random characters, and print it and nothing else'
complete -c chinwagd -n '__chinwagd_has account' -l end-rest -d 'add: also if the name, or a similar one, rests after its account was removed'
complete -c chinwagd -n '__chinwagd_has account' -l json -d 'list: print one JSON object for each account, in one line each'
complete -c chinwagd -n '__chinwagd_has account' -l control -r -F -d 'path of the server\'s control socket'
complete -c chinwagd -n '__chinwagd_has account' -l data -r -F -d 'the store of a stopped server, in place of a control socket'
complete -c chinwagd -n '__chinwagd_has account' -l help -s h -d 'print this help and exit'
complete -c chinwagd -n '__chinwagd_has cert' -l name -x -d 'host name or IP address under which clients reach the server'
complete -c chinwagd -n '__chinwagd_has cert' -l out -r -F -d 'directory for chinwag-cert.pem and chinwag-key.pem'
complete -c chinwagd -n '__chinwagd_has cert' -l help -s h -d 'print this help and exit'
complete -c chinwagd -n '__chinwagd_has backup' -F
complete -c chinwagd -n '__chinwagd_has backup' -l data -r -F -d 'the store'
complete -c chinwagd -n '__chinwagd_has backup' -l control -r -F -d 'path of the server\'s control socket'
complete -c chinwagd -n '__chinwagd_has backup' -l help -s h -d 'print this help and exit'
complete -c chinwagd -n '__chinwagd_has restore' -F
complete -c chinwagd -n '__chinwagd_has restore' -l data -r -F -d 'the store to replace: the path that data has in the options of the server'
complete -c chinwagd -n '__chinwagd_has restore' -l help -s h -d 'print this help and exit'
complete -c chinwagd -n '__chinwagd_has check' -l data -r -F -d 'the store or backup'
complete -c chinwagd -n '__chinwagd_has check' -l control -r -F -d 'path of the server\'s control socket'
complete -c chinwagd -n '__chinwagd_has check' -l help -s h -d 'print this help and exit'
complete -c chinwagd -n '__chinwagd_has status' -l control -r -F -d 'path of the server\'s control socket'
complete -c chinwagd -n '__chinwagd_has status' -l json -d 'print one JSON object in one line'
complete -c chinwagd -n '__chinwagd_has status' -l help -s h -d 'print this help and exit'
complete -c chinwagd -n '__chinwagd_has moderate' -l control -r -F -d 'path of the server\'s control socket'
complete -c chinwagd -n '__chinwagd_has moderate' -l help -s h -d 'print this help and exit'
complete -c chinwagd -n '__chinwagd_has audit' -l limit -x -d 'print at most this number of entries, the newest ones'
complete -c chinwagd -n '__chinwagd_has audit' -l room -x -d 'only entries about this room'
complete -c chinwagd -n '__chinwagd_has audit' -l by -x -d 'only entries by the moderator with this nickname or account'
complete -c chinwagd -n '__chinwagd_has audit' -l json -d 'print one JSON object for each entry, in one line each'
complete -c chinwagd -n '__chinwagd_has audit' -l control -r -F -d 'path of the server\'s control socket'
complete -c chinwagd -n '__chinwagd_has audit' -l help -s h -d 'print this help and exit'
