//! The tables of the database, and the numbers in its `state` table.

use rusqlite::{Connection, params};

use crate::protocol::RoomId;

/// The SQL that migrates a file from each version (`PRAGMA user_version`) to the next. `docs/operating.md` documents the result.
pub(super) const MIGRATIONS: [&str; 8] = [
    "
    CREATE TABLE messages (
        id   INTEGER PRIMARY KEY,
        time TEXT NOT NULL,
        name TEXT NOT NULL,
        text TEXT NOT NULL
    );
    CREATE TABLE state (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
    INSERT INTO state VALUES ('ids_up_to', 0), ('dropped', 0);
    CREATE VIRTUAL TABLE words USING fts5(text, content='messages', content_rowid='id', columnsize=0,
        tokenize='unicode61 remove_diacritics 2');
",
    "
    INSERT INTO state SELECT 'indexed', ifnull(max(id), 0) FROM messages;
",
    // Replaces the index with one of our own terms, which is filled after the start. A token may contain every character that a
    // term may contain.
    "
    DROP TABLE words;
    CREATE VIRTUAL TABLE words USING fts5(terms, content='', columnsize=0, detail=none,
        tokenize=\"unicode61 remove_diacritics 2 categories 'L* M* N* Co Cn So'\");
    UPDATE state SET value = 0 WHERE key = 'indexed';
",
    // Allows several rooms, each with its own epoch and ids. `seq` numbers the messages of all rooms, and is the rowid of the index.
    // In older formats, joins and leaves had ids, too: new ids continue above all ids that clients may have seen.
    "
    ALTER TABLE messages RENAME TO old_messages;
    CREATE TABLE rooms (
        room    INTEGER PRIMARY KEY,
        name    TEXT NOT NULL UNIQUE,
        epoch   TEXT NOT NULL,
        last_id INTEGER NOT NULL,
        evicted INTEGER NOT NULL
    );
    CREATE TABLE messages (
        seq  INTEGER PRIMARY KEY,
        room INTEGER NOT NULL,
        id   INTEGER NOT NULL,
        time TEXT NOT NULL,
        name TEXT NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (room, id)
    );
    INSERT INTO messages SELECT id, 1, id, time, name, text FROM old_messages ORDER BY id;
    DROP TABLE old_messages;
    INSERT INTO rooms VALUES (1, '#lobby',
        ifnull((SELECT value FROM state WHERE key = 'epoch'), ''),
        max((SELECT value FROM state WHERE key = 'ids_up_to'), ifnull((SELECT max(id) FROM messages), 0)),
        (SELECT value FROM state WHERE key = 'dropped'));
    INSERT INTO state VALUES ('last_seq', ifnull((SELECT max(seq) FROM messages), 0));
    DELETE FROM state WHERE key IN ('epoch', 'ids_up_to', 'dropped');
",
    "
    ALTER TABLE rooms ADD COLUMN topic TEXT;
",
    "
    CREATE TABLE accounts (
        account    INTEGER PRIMARY KEY,
        name       TEXT NOT NULL UNIQUE,
        password   TEXT NOT NULL,
        generation INTEGER NOT NULL,
        created    TEXT NOT NULL,
        last_token INTEGER NOT NULL
    );
    CREATE TABLE account_tokens (
        account  INTEGER NOT NULL,
        token    INTEGER NOT NULL,
        verifier BLOB NOT NULL,
        label    TEXT NOT NULL,
        created  TEXT NOT NULL,
        expires  TEXT NOT NULL,
        used     TEXT,
        PRIMARY KEY (account, token)
    ) WITHOUT ROWID;
    CREATE TABLE resting_names (name TEXT NOT NULL UNIQUE, until TEXT NOT NULL);
    INSERT INTO state VALUES ('last_account', 0);
",
    "
    ALTER TABLE accounts ADD COLUMN role TEXT NOT NULL DEFAULT 'user';
    ALTER TABLE rooms ADD COLUMN owner INTEGER;
    CREATE TABLE moderators (room INTEGER NOT NULL, account INTEGER NOT NULL, PRIMARY KEY (room, account)) WITHOUT ROWID;
    CREATE TABLE sanctions (
        sanction INTEGER PRIMARY KEY,
        kind     TEXT NOT NULL,
        room     INTEGER,
        target   TEXT NOT NULL,
        subjects TEXT NOT NULL,
        created  TEXT NOT NULL,
        until    TEXT,
        moderator TEXT,
        reason   TEXT
    );
",
    // The account of a message's author: a deleted message has an empty text. The locks of rooms, and who is invited. The audit log.
    "
    ALTER TABLE messages ADD COLUMN account INTEGER;
    ALTER TABLE rooms ADD COLUMN lock TEXT NOT NULL DEFAULT 'open';
    CREATE TABLE invitations (room INTEGER NOT NULL, account INTEGER NOT NULL, PRIMARY KEY (room, account)) WITHOUT ROWID;
    CREATE TABLE audit (
        number            INTEGER PRIMARY KEY,
        time              TEXT NOT NULL,
        moderator         TEXT,
        moderator_account INTEGER,
        account_name      TEXT,
        act               TEXT NOT NULL,
        room              TEXT,
        target            TEXT,
        target_account    INTEGER,
        sanction          INTEGER,
        message           INTEGER,
        until             TEXT,
        reason            TEXT
    );
    CREATE INDEX audit_places ON audit (room IS NULL, number);
",
];

/// The `room` of a room's rows. The number itself, plus 1, so that no other table is needed to find it.
pub(super) fn key_of(room: RoomId) -> i64 {
    i64::from(room.0) + 1
}

/// The room of rows with this `room`; `None` if another program wrote an invalid one.
pub(super) fn room_of(key: i64) -> Option<RoomId> {
    u32::try_from(key.checked_sub(1)?).ok().map(RoomId)
}

/// The number of a message in the order of all rooms. Never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seq(pub(super) u64);

/// The `seq` under this state key.
pub(super) fn read_state(connection: &Connection, key: &str) -> rusqlite::Result<Seq> {
    connection.prepare_cached("SELECT value FROM state WHERE key = ?")?.query_row([key], |row| row.get(0)).map(Seq)
}

/// Sets the `seq` under a state key that exists.
pub(super) fn set_state(connection: &Connection, key: &str, seq: Seq) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE state SET value = ? WHERE key = ?")?.execute(params![seq.0, key]).map(drop)
}
