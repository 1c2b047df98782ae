#!/usr/bin/env bash
# Other programs can read the stored messages, while the server runs and afterwards, as docs/operating.md says.
source "${BASH_SOURCE[0]%/*}/../../scripts/peers.sh"
needs nc.openbsd sqlite3

serve --data "$work/chat.db"
join alice nc.openbsd -N "$host" "$port"
join bob nc.openbsd -N "$host" "$port"
say alice "MSG it's tea time"
hear_to alice 'OK MSG *'
say bob 'MSG "coffee", please'
hear_to bob 'OK MSG *'
say bob 'WHISPER alice nobody keeps this'
hear bob 'OK WHISPER alice'

ask() { sqlite3 "$work/chat.db" "$1"; }
same $'alice|it\'s tea time\nbob|"coffee", please' "$(ask 'SELECT name, text FROM messages ORDER BY seq')"
same alice "$(ask "SELECT m.name FROM words JOIN messages m ON m.seq = words.rowid WHERE words MATCH 'tea'")"
found() { ask "SELECT m.id FROM words JOIN messages m ON m.seq = words.rowid WHERE words MATCH '$1'"; }
say bob 'MSG 今日は会議があります, im Café'
hear_to bob 'OK MSG *'
[[ $(found 会議) && $(found 会議) == "$(found Café)" && -z $(found 議会) ]]
[[ $(ask 'SELECT time FROM messages LIMIT 1') == 20??-??-??T??:??:??.???Z ]]
same 8 "$(ask 'PRAGMA user_version')"
stop
same ok "$(ask 'PRAGMA integrity_check')"
same 3 "$(ask 'SELECT count(*) FROM messages')"
ask "VACUUM INTO '$work/copy.db'"

serve --data "$work/copy.db"
join carol nc.openbsd -N "$host" "$port"
say carol HISTORY
hear carol "PAST * alice it's tea time" 'PAST * bob "coffee", please' 'PAST * bob 今日は会議があります, im Café' 'OK HISTORY 3 last=3'
