//! The file: whose it is, what is in it, and bringing an older one up to date.

use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rusqlite::{
    Connection, ErrorCode as SqliteCode, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, ffi,
    params,
};

use super::clock::Notes;
use super::store_path::{StorePath, companion};
use super::{Durability, Options, StoredState, log, words};
use crate::limits::{STORE_BUSY_MS_MAX, STORE_WAL_CHECKPOINT_BYTES};
use crate::protocol::{MessageId, Name, PastMessage, Text, Timestamp, Token};

/// Tells a file of ours (`PRAGMA application_id`): "chwg".
const APPLICATION_ID: i32 = 0x6368_7767;

/// What brings a file from each version (`PRAGMA user_version`) to the next. `README.md` documents the outcome.
pub(super) const MIGRATIONS: [&str; 4] = [
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
];

/// The `room` of all messages: there is one room.
pub(super) const LOBBY: i64 = 1;

/// State key: the highest `seq` that a message ever had.
const LAST_SEQ: &str = "last_seq";

/// State key: a server with `--durability relaxed` has the file open, or had it and was not stopped in good order.
const RELAXED: &str = "relaxed";

/// The number of a message in the order of all messages of all rooms. Never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seq(pub(super) u64);

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retention {
    /// Everything.
    #[default]
    All,
    /// What is not older than this.
    Age(Duration),
    /// As much as makes a file of so many bytes.
    Bytes(u64),
    /// The last so many.
    Count(u64),
}

impl FromStr for Retention {
    type Err = String;

    /// `30d`, `1gb`, `100000` or `all`.
    fn from_str(raw: &str) -> Result<Self, String> {
        let wrong =
            || format!("{raw} is no bound; write an age (12h, 30d), a size (500mb, 1gb), a number of messages, or all");
        if raw == "all" {
            return Ok(Self::All);
        }
        let (digits, unit) = raw.split_at(raw.find(|c: char| !c.is_ascii_digit()).unwrap_or(raw.len()));
        let number: u64 = digits.parse().ok().filter(|&number| number > 0).ok_or_else(wrong)?;
        let times = |factor: u64| number.checked_mul(factor).filter(|&value| value < 1 << 50).ok_or_else(wrong);
        Ok(match unit.to_ascii_lowercase().as_str() {
            "" => Self::Count(number),
            "s" => Self::Age(Duration::from_secs(times(1)?)),
            "m" => Self::Age(Duration::from_secs(times(60)?)),
            "h" => Self::Age(Duration::from_secs(times(3600)?)),
            "d" => Self::Age(Duration::from_secs(times(24 * 3600)?)),
            "kb" => Self::Bytes(times(1 << 10)?),
            "mb" => Self::Bytes(times(1 << 20)?),
            "gb" => Self::Bytes(times(1 << 30)?),
            _ => return Err(wrong()),
        })
    }
}

/// Why a file cannot be used.
#[derive(Debug)]
pub enum OpenError {
    /// It cannot be opened to be written.
    File(PathBuf, io::Error),
    /// It is not a regular file but, for example, a directory or a device.
    NotRegular(PathBuf, &'static str),
    /// Something other than a regular file is where SQLite keeps a file beside it.
    BesideIt(PathBuf, &'static str),
    /// Another server has it.
    Locked(PathBuf),
    /// Another program writes to it, or has locked it.
    Busy(PathBuf),
    /// It is not ours.
    OtherProtocol(PathBuf),
    /// It was written by a later version, which calls itself so.
    Newer(PathBuf, usize),
    /// It is empty, and its `-wal` is not.
    Orphaned(PathBuf),
    /// It was last used by this other path, and messages are still in the `-wal` there.
    Moved(PathBuf, PathBuf),
    /// There is no space.
    Full(PathBuf),
    /// SQLite cannot use the files that it keeps beside it.
    Companions(PathBuf, rusqlite::Error),
    /// It is damaged, or something else is wrong with it.
    Sqlite(PathBuf, rusqlite::Error),
    /// There are no threads.
    System(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "cannot open the store {}: {error}", path.display()),
            Self::NotRegular(path, kind) => write!(
                f,
                "cannot use {} as a store: it is {kind}; --data expects the path of a regular file, or of one to create",
                path.display()
            ),
            Self::BesideIt(path, kind) => write!(
                f,
                "cannot use {}: it is {kind}, and SQLite keeps a file of this name beside the store; move it away",
                path.display()
            ),
            Self::Locked(path) => write!(
                f,
                "the store {} is in use by another chinwagd; stop that one or choose another file with --data",
                path.display()
            ),
            Self::Busy(path) => write!(
                f,
                "another program is writing to the store {}, or has locked it, for more than {} s; end that program and start again",
                path.display(),
                STORE_BUSY_MS_MAX / 1000
            ),
            Self::OtherProtocol(path) => write!(
                f,
                "{} is not a store of chinwagd's, and is left as it is; choose another file with --data",
                path.display()
            ),
            Self::Newer(path, version) => write!(
                f,
                "the store {} has version {version}, and this chinwagd knows up to {}; use a newer chinwagd",
                path.display(),
                MIGRATIONS.len()
            ),
            Self::Orphaned(path) => write!(
                f,
                "the store {0} is empty, but {0}-wal holds messages of the file that was there; put that file back, or move {0}-wal away to start with an empty store",
                path.display()
            ),
            Self::Moved(path, before) => write!(
                f,
                "the store {0} was last used as {1}, and its latest messages are still in {1}-wal; if it was moved, move {1}-wal to {0}-wal; if it is another name of the same file, use --data {1}; if it is a copy, move {1}-wal away",
                path.display(),
                before.display()
            ),
            Self::Full(path) => write!(
                f,
                "cannot use the store {}: database or disk is full; free some space and start again",
                path.display()
            ),
            Self::Companions(path, error) => write!(
                f,
                "cannot use the store {0}: SQLite cannot open or create {0}-wal and {0}-shm ({error}); check that the directory and these files can be written, and that the path has at most 500 bytes",
                path.display()
            ),
            Self::Sqlite(path, error) if error.sqlite_error_code() == Some(SqliteCode::DatabaseCorrupt) => write!(
                f,
                "the store {} is damaged ({error}); put a copy in its place, or move it away to begin anew",
                path.display()
            ),
            Self::Sqlite(path, error) => write!(f, "cannot use the store {}: {error}", path.display()),
            Self::System(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl OpenError {
    /// The reason behind an SQLite error at the start.
    fn of(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        // Only the extended code tells that the `-shm` could not grow.
        if error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE) {
            return Self::Full(path);
        }
        match error.sqlite_error_code() {
            Some(SqliteCode::NotADatabase) => Self::OtherProtocol(path),
            Some(SqliteCode::DatabaseBusy | SqliteCode::DatabaseLocked) => Self::Busy(path),
            Some(SqliteCode::DiskFull) => Self::Full(path),
            Some(SqliteCode::CannotOpen | SqliteCode::ReadOnly) => Self::Companions(path, error),
            _ => Self::Sqlite(path, error),
        }
    }
}

/// A file that nobody else writes.
#[derive(Debug)]
pub(super) struct StoreFile {
    pub(super) connection: Connection,
    /// Last, so that it is closed last.
    pub(super) place: StorePath,
}

pub(super) fn open(
    options: &Options,
    epoch: Option<Token>,
    made_up: Token,
    count: usize,
) -> Result<(StoreFile, StoredState), OpenError> {
    let mut place = StorePath::lock(&options.path)?;
    let path = place.path().to_owned();
    let sqlite = |error| OpenError::of(&path, error);
    let system = |error| OpenError::File(path.clone(), error);
    place.check_companions()?;
    let is_new = place.is_empty().map_err(system)?;
    if is_new && place.wal_bytes() > 0 {
        return Err(OpenError::Orphaned(path));
    }
    let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(sqlite)?;
    if !is_new && !is_ours(&connection).map_err(sqlite)? {
        return Err(OpenError::OtherProtocol(path));
    }
    // First: a later version may have other tables.
    let version = version(&connection).map_err(sqlite)?;
    let Some(migrations) = MIGRATIONS.get(version..) else { return Err(OpenError::Newer(path, version)) };
    if let Some(before) = left_behind(&connection, &path).map_err(sqlite)? {
        return Err(OpenError::Moved(path, before));
    }
    set_up(&connection, is_new).map_err(sqlite)?;
    migrate(&mut connection, version, migrations).map_err(sqlite)?;
    words::prepare(&mut connection).map_err(sqlite)?;
    let found = load(&mut connection, options.durability, epoch, made_up, count).map_err(sqlite)?;
    note_path(&connection, &path).map_err(sqlite)?;
    place.watch_companions(&connection).map_err(system)?;
    let links = place.links().map_err(system)?;
    if links > 1 {
        log::hard_links(&path, links);
    }
    Ok((StoreFile { connection, place }, found))
}

impl StoreFile {
    /// A second, read-only connection to the file.
    pub(super) fn open_to_read(&self) -> Result<Connection, OpenError> {
        let path = self.place.path();
        connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| OpenError::of(path, error))
    }
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // The file exists, and its path had no symbolic links. One that is there now would lead to another file.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(STORE_BUSY_MS_MAX))?;
    Ok(connection)
}

fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    Ok(id == APPLICATION_ID)
}

/// The path under which the file was last used, if that is another path and the `-wal` there holds messages that this file lacks:
/// the file was moved after a crash, or is used through another hard link.
fn left_behind(connection: &Connection, path: &Path) -> rusqlite::Result<Option<PathBuf>> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'state')";
    if !connection.query_row(sql, [], |row| row.get(0))? {
        return Ok(None);
    }
    let sql = "SELECT value FROM state WHERE key = 'path'";
    let before: Option<String> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    let before = before.map(PathBuf::from).filter(|before| before != path);
    // In a copy the state also names the original's path, but the original is still there.
    Ok(before.filter(|before| {
        let has_wal = companion(before, "-wal").metadata().is_ok_and(|wal| wal.len() > 0);
        has_wal && is_same_file(before, path).unwrap_or(true)
    }))
}

fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    let id = |path: &Path| path.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
    Ok(id(one)? == id(other)?)
}

/// Notes the path in the file itself, not only in the `-wal`, for [`left_behind`].
fn note_path(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    let Some(path) = path.to_str() else { return Ok(()) };
    let sql = "INSERT INTO state VALUES ('path', ?1) ON CONFLICT DO UPDATE SET value = ?1 WHERE value <> ?1";
    if connection.execute(sql, [path])? > 0 {
        checkpoint(connection)?;
    }
    Ok(())
}

/// Removes unused pages from the end of the file: at most `count_max`, or all.
pub(super) fn free_pages(connection: &Connection, count_max: Option<u32>) -> rusqlite::Result<()> {
    // Each step of the statement frees one page.
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({})", count_max.unwrap_or(0)))?;
    let mut pages = statement.query([])?;
    while pages.next()?.is_some() {}
    Ok(())
}

/// Writes the write-ahead log into the file and empties it, unless a reader uses it. Returns whether that was done.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0)).map(|is_busy| !is_busy)
}

fn set_up(connection: &Connection, is_new: bool) -> rusqlite::Result<()> {
    if is_new {
        // One transaction: wherever it is interrupted, a file that is not empty is ours. It must be the first that writes: only
        // then do deleted messages make the file smaller.
        let transaction = connection.unchecked_transaction()?;
        transaction.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.commit()?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "journal_size_limit", STORE_WAL_CHECKPOINT_BYTES)?;
    connection.pragma_update(None, "synchronous", "FULL")
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings the file up to date, from this version, with all later migrations.
fn migrate(connection: &mut Connection, version: usize, migrations: &[&str]) -> rusqlite::Result<()> {
    for (number, migration) in (version + 1..).zip(migrations) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    if version > 0 && !migrations.is_empty() {
        // Returns the space of the replaced tables to the file system.
        free_pages(connection, None)?;
        checkpoint(connection)?;
    }
    Ok(())
}

/// Reads the state that the last server left, and determines the epoch.
///
/// If the last server had relaxed durability and was not stopped in good order, its last messages may be lost, and their ids would be
/// given again: a new epoch begins.
fn load(
    connection: &mut Connection,
    durability: Durability,
    epoch: Option<Token>,
    made_up: Token,
    count: usize,
) -> rusqlite::Result<StoredState> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let may_lack_messages: bool =
        transaction.query_row("SELECT EXISTS (SELECT 1 FROM state WHERE key = ?)", [RELAXED], |row| row.get(0))?;
    let kept: String = transaction.query_row("SELECT epoch FROM rooms WHERE room = ?", [LOBBY], |row| row.get(0))?;
    let kept = Token::new(&kept).ok();
    if may_lack_messages && epoch.is_some() && epoch == kept {
        log::epoch_may_repeat_ids();
    }
    let epoch = epoch.or(kept.filter(|_| !may_lack_messages)).unwrap_or(made_up);
    // Other programs may have written messages, too.
    let sql = "UPDATE rooms SET epoch = ?2, last_id = max(last_id, ifnull((SELECT max(id) FROM messages WHERE room = ?1), 0)) \
               WHERE room = ?1 RETURNING last_id, evicted";
    let (last_id, evicted) =
        transaction.query_row(sql, params![LOBBY, epoch.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    match durability {
        Durability::Relaxed => transaction.execute("INSERT OR REPLACE INTO state VALUES (?, 1)", [RELAXED])?,
        Durability::Full => transaction.execute("DELETE FROM state WHERE key = ?", [RELAXED])?,
    };
    transaction.commit()?;
    if durability == Durability::Relaxed {
        // Only after the commit: the note `RELAXED` must be on the disk before a message can be lost.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
    }
    let (messages, before) = newest(connection, count + 1)?;
    Ok(StoredState { epoch, last_id: MessageId(last_id), before: before.max(MessageId(evicted)), messages })
}

/// Removes the note `RELAXED`: the server ends in good order, and all messages are on the disk.
pub(super) fn note_good_end(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Messages must reach the disk before the note is removed.
    checkpoint(connection)?;
    connection.execute("DELETE FROM state WHERE key = ?", [RELAXED]).map(drop)
}

/// The highest id of the messages that are no longer kept; 0 if all are.
pub(super) fn evicted(connection: &Connection) -> rusqlite::Result<MessageId> {
    let sql = "SELECT evicted FROM rooms WHERE room = ?";
    connection.prepare_cached(sql)?.query_row([LOBBY], |row| row.get(0)).map(MessageId)
}

/// The `seq` of the newest message that was ever stored.
pub(super) fn last_seq(connection: &Connection) -> rusqlite::Result<Seq> {
    // Other programs may have written messages, too.
    let newest =
        connection.prepare_cached("SELECT ifnull(max(seq), 0) FROM messages")?.query_row([], |row| row.get(0))?;
    Ok(state(connection, LAST_SEQ)?.max(Seq(newest)))
}

/// The newest messages, at most so many, in order, back to the first row that is no message: another program may have written it, or
/// a version with other rules. With them, the id of that row, since history in memory must have no gap.
fn newest(connection: &Connection, count: usize) -> rusqlite::Result<(Vec<PastMessage>, MessageId)> {
    let mut rows =
        connection.prepare("SELECT id, time, name, text FROM messages WHERE room = ? ORDER BY id DESC LIMIT ?")?;
    let mut rows = rows.query(params![LOBBY, count as u64])?;
    let mut messages = Vec::new();
    let mut before = MessageId::default();
    while let Some(row) = rows.next()? {
        let Some(past) = past(row)? else {
            before = MessageId(row.get(0)?);
            break;
        };
        messages.push(past);
    }
    messages.reverse();
    Ok((messages, before))
}

/// The `seq` under this state key.
pub(super) fn state(connection: &Connection, key: &str) -> rusqlite::Result<Seq> {
    connection.prepare_cached("SELECT value FROM state WHERE key = ?")?.query_row([key], |row| row.get(0)).map(Seq)
}

/// Sets the `seq` under a state key that exists.
pub(super) fn set_state(connection: &Connection, key: &str, seq: Seq) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE state SET value = ? WHERE key = ?")?.execute(params![seq.0, key]).map(drop)
}

/// Records the highest `seq` and id ever given, in the transaction that gives them.
pub(super) fn set_last(transaction: &Transaction<'_>, seq: Seq, id: MessageId) -> rusqlite::Result<()> {
    set_state(transaction, LAST_SEQ, seq)?;
    let sql = "UPDATE rooms SET last_id = ? WHERE room = ?";
    transaction.prepare_cached(sql)?.execute(params![id.0, LOBBY]).map(drop)
}

/// Records that no message up to this one is kept. Must precede their deletion.
pub(super) fn set_evicted(transaction: &Transaction<'_>, up_to: Seq) -> rusqlite::Result<()> {
    // Within a room, the order of ids is that of `seq`.
    let sql = "UPDATE rooms SET evicted = gone.last \
               FROM (SELECT room, max(id) AS last FROM messages WHERE seq <= ? GROUP BY room) AS gone \
               WHERE rooms.room = gone.room AND evicted < gone.last";
    transaction.prepare_cached(sql)?.execute([up_to.0]).map(drop)
}

/// The notes about the wall clock. If a file has none yet, the time of its newest message is the reference.
pub(super) fn clock_notes(connection: &Connection) -> rusqlite::Result<Notes> {
    let number = |key: &str| {
        let mut row = connection.prepare_cached("SELECT value FROM state WHERE key = ?")?;
        row.query_row([key], |row| row.get::<_, i64>(0)).optional()
    };
    let newest = || -> rusqlite::Result<Option<Timestamp>> {
        // Other programs may have written something else there.
        let sql = "SELECT max(time) FROM messages WHERE time GLOB '[0-9][0-9][0-9][0-9]-*'";
        let time: Option<String> = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(time.and_then(|time| Timestamp::parse(&time)))
    };
    let trusted = number("clock_trusted")?.map(|time| Timestamp(time).clamped());
    let doubted = number("clock_doubted")?.zip(number("clock_steady_ms")?);
    let doubted = doubted.map(|(wall, steady_ms)| {
        (Timestamp(wall).clamped(), Duration::from_millis(u64::try_from(steady_ms).unwrap_or(0)))
    });
    Ok(Notes { trusted: trusted.map_or_else(newest, |trusted| Ok(Some(trusted)))?, doubted })
}

pub(super) fn note_clock(connection: &Connection, notes: Notes) -> rusqlite::Result<()> {
    let set = |key: &str, value: i64| {
        connection.prepare_cached("INSERT OR REPLACE INTO state VALUES (?, ?)")?.execute(params![key, value]).map(drop)
    };
    if let Some(trusted) = notes.trusted {
        set("clock_trusted", trusted.0)?;
    }
    let Some((wall, steady_for)) = notes.doubted else {
        let sql = "DELETE FROM state WHERE key IN ('clock_doubted', 'clock_steady_ms')";
        return connection.prepare_cached(sql)?.execute([]).map(drop);
    };
    set("clock_doubted", wall.0)?;
    set("clock_steady_ms", i64::try_from(steady_for.as_millis()).unwrap_or(i64::MAX))
}

/// Key prefix of a range of messages. The `seq` of the first one follows it; that of the last one is the value.
const DOUBTED: &str = "clock_doubted_ids:";

/// The messages that were stored while the clock was doubted: their times are unreliable.
pub(super) fn doubted_messages(connection: &Connection) -> rusqlite::Result<Vec<RangeInclusive<Seq>>> {
    let mut rows = connection.prepare("SELECT substr(key, ?), value FROM state WHERE key GLOB ? ORDER BY value")?;
    let rows = rows.query_map(params![DOUBTED.len() + 1, format!("{DOUBTED}*")], |row| {
        Ok(row.get::<_, String>(0)?.parse().ok().map(Seq).zip(Some(Seq(row.get(1)?))))
    })?;
    rows.filter_map(Result::transpose).map(|range| range.map(|(first, last)| first..=last)).collect()
}

pub(super) fn note_doubted(connection: &Connection, messages: &RangeInclusive<Seq>) -> rusqlite::Result<()> {
    let key = format!("{DOUBTED}{}", messages.start().0);
    let sql = "INSERT OR REPLACE INTO state VALUES (?, ?)";
    connection.prepare_cached(sql)?.execute(params![key, messages.end().0]).map(drop)
}

/// Key prefix of a time shift. The `seq` of the last message follows it; the milliseconds are the value.
const TIME_SHIFT: &str = "clock_shift:";

/// The clock replaced a reference that was `ahead_ms` behind it, after the message `last`: so much must be added to the times of
/// the messages up to that one to compare them with the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeShift {
    pub(super) last: Seq,
    pub(super) ahead_ms: i64,
}

/// The time shifts, in order.
pub(super) fn time_shifts(connection: &Connection) -> rusqlite::Result<Vec<TimeShift>> {
    let sql = "SELECT CAST(substr(key, ?) AS INTEGER) AS last, value FROM state WHERE key GLOB ? ORDER BY last";
    let mut rows = connection.prepare(sql)?;
    let rows = rows.query_map(params![TIME_SHIFT.len() + 1, format!("{TIME_SHIFT}*")], |row| {
        Ok(TimeShift { last: Seq(row.get(0)?), ahead_ms: row.get(1)? })
    })?;
    rows.collect()
}

pub(super) fn note_time_shift(connection: &Connection, shift: TimeShift) -> rusqlite::Result<()> {
    let key = format!("{TIME_SHIFT}{}", shift.last.0);
    let sql = "INSERT OR REPLACE INTO state VALUES (?, ?)";
    connection.prepare_cached(sql)?.execute(params![key, shift.ahead_ms]).map(drop)
}

/// Removes the notes about messages up to this one, which are deleted.
pub(super) fn forget_clock_of(connection: &Connection, up_to: Seq) -> rusqlite::Result<()> {
    let sql = "DELETE FROM state WHERE key GLOB ? AND value <= ?";
    connection.prepare_cached(sql)?.execute(params![format!("{DOUBTED}*"), up_to.0])?;
    let sql = "DELETE FROM state WHERE key GLOB ? AND CAST(substr(key, ?) AS INTEGER) <= ?";
    let shift = params![format!("{TIME_SHIFT}*"), TIME_SHIFT.len() + 1, up_to.0];
    connection.prepare_cached(sql)?.execute(shift).map(drop)
}

/// A row as a message. None if somebody else wrote into the file what is none.
pub(super) fn past(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<PastMessage>> {
    let (id, time, name, text): (u64, String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let parsed = || {
        Some(PastMessage {
            id: MessageId(id),
            at: Timestamp::parse(&time)?,
            name: Name::new(&name).ok()?,
            text: Text::new(&text).ok()?,
        })
    };
    Ok(parsed())
}
