//! The database file: open, configure, migrate, load and evict.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::existing::{BACKUP, backup_time};
use super::migration_log::MigrationLog;
use super::open_error::OpenError;
use super::schema::{MIGRATIONS, Seq, key_of, read_state};
use super::store_path::{self, StorePath, companion};
use super::{Durability, Options, StoredMessage, StoredState, accounts, log, moderation, rooms, words};
use crate::limits::{STORE_BUSY_MS_MAX, STORE_RESTORED_ACCOUNTS_SKIPPED, STORE_WAL_CHECKPOINT_BYTES};
use crate::process::check_directory;
use crate::protocol::{MessageId, Name, PastMessage, RoomId, Text, Timestamp, Token};

/// `PRAGMA application_id` of a store: "chwg".
pub(super) const APPLICATION_ID: i32 = 0x6368_7767;

/// Replaced and deleted rows are overwritten with zeros, in pages that are written anyway: old hashes of passwords do not stay.
pub(super) const SECURE_DELETE: &str = "FAST";

/// State key: the highest `seq` that a message ever had.
pub(super) const LAST_SEQ: &str = "last_seq";

/// State key: a server with `--durability relaxed` has the file open, or crashed while it had.
const RELAXED: &str = "relaxed";

/// How many messages are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retention {
    /// All messages.
    #[default]
    All,
    /// Messages that are not older than this.
    Age(Duration),
    /// As many messages as fit into a file of this many bytes.
    Bytes(u64),
    /// This number of messages.
    Count(u64),
}

/// A file that this process has locked, and its writing connection.
#[derive(Debug)]
pub(super) struct StoreFile {
    pub(super) connection: Connection,
    /// Last, so that it is dropped last.
    pub(super) store_path: StorePath,
}

pub(super) fn open(
    options: &Options,
    epoch: Option<Token>,
    new_epoch: Token,
    count: usize,
) -> Result<(StoreFile, StoredState), OpenError> {
    let mut store_path = StorePath::lock(&options.path)?;
    let path = store_path.path().to_owned();
    let sqlite = |error| OpenError::from_sqlite(&path, error);
    let system = |error| OpenError::File(path.clone(), error);
    store_path::check_companions(&path)?;
    let is_new = check_new(&store_path)?;
    let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(sqlite)?;
    let version = check_contents(&connection, &path, is_new)?;
    let migrations = &MIGRATIONS[version..];
    configure(&connection, is_new).map_err(sqlite)?;
    migrate(&mut connection, &path, version, migrations).map_err(sqlite)?;
    words::prepare(&mut connection).map_err(sqlite)?;
    let state = load_state(&mut connection, options.durability, epoch, new_epoch, count).map_err(sqlite)?;
    note_path(&connection, &path).map_err(sqlite)?;
    store_path.watch_companions(&connection).map_err(system)?;
    let links = store_path.links().map_err(system)?;
    if links > 1 {
        log::hard_links(&path, links);
    }
    if !state.accounts.accounts.is_empty() && store_path.is_exposed().map_err(system)? {
        log::exposed_accounts(&path);
    }
    Ok((StoreFile { connection, store_path }, state))
}

/// Checks whether a server can use the store at this path, or create one there. Changes and creates nothing.
///
/// SQLite reads the file without its `-wal`: with it, SQLite would write files. So messages that a crashed server has left in the `-wal`
/// are not looked at.
///
/// # Errors
/// The reason why the server would not start.
pub fn check_usable(given: &Path) -> Result<(), OpenError> {
    let found = StorePath::lock_existing(given)?;
    let Some(found) = found else {
        let path = new_path_behind_links(given)?;
        check_directory(&path).map_err(|error| OpenError::File(given.to_owned(), error))?;
        store_path::check_companions(&path)?;
        return if store_path::wal_bytes(&path) > 0 { Err(OpenError::Orphaned(path)) } else { Ok(()) };
    };
    let path = found.path().to_owned();
    store_path::check_companions(&path)?;
    let is_new = check_new(&found)?;
    // A server that starts now can have the lock: the rest is read without it.
    drop(found);
    check_directory(&path).map_err(|error| OpenError::Directory(path.clone(), error))?;
    if is_new {
        return Ok(());
    }
    let connection = connect_immutable(&path).map_err(|error| OpenError::from_sqlite(&path, error))?;
    check_contents(&connection, &path, false).map(drop)
}

/// The path of the file that a start would create: symbolic links may lead to a path without a file.
fn new_path_behind_links(given: &Path) -> Result<PathBuf, OpenError> {
    let mut path = store_path::new_path(given)?;
    // The system follows 40 links (path_resolution(7)), and has refused a path with more.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&path) else { break };
        let target = path.parent().map_or(target.clone(), |directory| directory.join(&target));
        path = store_path::new_path(&target).map_err(|error| match error {
            OpenError::File(_, error) => OpenError::File(given.to_owned(), error),
            other => other,
        })?;
    }
    Ok(path)
}

/// Whether the file is empty. If so, checks that it has no contents elsewhere; otherwise, that the `-wal` is its own.
fn check_new(found: &StorePath) -> Result<bool, OpenError> {
    let path = || found.path().to_owned();
    let is_new = found.is_empty().map_err(|error| OpenError::File(path(), error))?;
    if is_new && found.wal_bytes() > 0 {
        return Err(OpenError::Orphaned(path()));
    }
    if !is_new && found.is_wal_foreign().unwrap_or_default() {
        return Err(OpenError::ForeignWal(path()));
    }
    Ok(is_new)
}

/// Checks that the contents are those of a store that this version can use, under this path. Returns the version of the contents.
fn check_contents(connection: &Connection, path: &Path, is_new: bool) -> Result<usize, OpenError> {
    let sqlite = |error| OpenError::from_sqlite(path, error);
    if !is_new && !is_ours(connection).map_err(sqlite)? {
        return Err(OpenError::OtherProgram(path.to_owned()));
    }
    // First, because a later version may have other tables.
    let version = read_version(connection).map_err(sqlite)?;
    if version > MIGRATIONS.len() {
        return Err(OpenError::Newer(path.to_owned(), version));
    }
    match path_before_move(connection, path).map_err(sqlite)? {
        Some(before) => Err(OpenError::Moved(path.to_owned(), before)),
        None => Ok(version),
    }
}

impl StoreFile {
    /// Opens a read-only connection to the file.
    pub(super) fn open_to_read(&self) -> Result<Connection, OpenError> {
        let path = self.store_path.path();
        connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|error| OpenError::from_sqlite(path, error))
    }
}

pub(super) fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // The file exists, and its path had no symbolic links. A link that is there now would lead to another file.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(STORE_BUSY_MS_MAX))?;
    Ok(connection)
}

/// Opens a file for reading, without locks, and without the files beside it.
fn connect_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            uri.push(byte.into());
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags)
}

pub(super) fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    Ok(id == APPLICATION_ID)
}

/// The path under which the file was last used, if that is another path and the `-wal` there holds messages that this file lacks:
/// the file was moved after a crash, or is used through another hard link.
fn path_before_move(connection: &Connection, path: &Path) -> rusqlite::Result<Option<PathBuf>> {
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

/// Notes the path in the file itself, not only in the `-wal`, for [`path_before_move`].
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

fn configure(connection: &Connection, is_new: bool) -> rusqlite::Result<()> {
    if is_new {
        // One transaction, so that a non-empty file is always ours, even after an interruption. It must be the first transaction that
        // writes: only then does SQLite shrink the file after deletions.
        let transaction = connection.unchecked_transaction()?;
        transaction.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.commit()?;
    }
    connection.pragma_update(None, "secure_delete", SECURE_DELETE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "journal_size_limit", STORE_WAL_CHECKPOINT_BYTES)?;
    connection.pragma_update(None, "synchronous", "FULL")
}

pub(super) fn read_version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Migrates the file from `version` to the current one. Each step is a transaction: if the process ends, the next start continues.
fn migrate(connection: &mut Connection, path: &Path, version: usize, migrations: &[&str]) -> rusqlite::Result<()> {
    let log = (version > 0 && !migrations.is_empty()).then(|| MigrationLog::begin(connection, path, version));
    let log = log.transpose()?;
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
    log.map_or(Ok(()), |log| log.end(connection))
}

/// Loads the state that the last server left, and determines the epochs.
///
/// If a server with relaxed durability crashed, its last messages may be lost, and their ids would be given again: a new epoch begins in
/// every room. So it does if the file is a copy: the original may have given further ids. With another epoch for the first room, the operator
/// says that ids may be given again, as after a backup that another program made.
fn load_state(
    connection: &mut Connection,
    durability: Durability,
    epoch: Option<Token>,
    new_epoch: Token,
    count: usize,
) -> rusqlite::Result<StoredState> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let may_lack_messages: bool =
        transaction.query_row("SELECT EXISTS (SELECT 1 FROM state WHERE key = ?)", [RELAXED], |row| row.get(0))?;
    let backup_of = backup_time(&transaction)?;
    let may_lack_messages = may_lack_messages || backup_of.is_some();
    let kept = rooms::lobby_epoch(&transaction)?;
    if may_lack_messages && epoch.is_some() && epoch == kept {
        log::epoch_may_repeat_ids();
    }
    if let Some(at) = backup_of {
        end_backup(&transaction)?;
        log::restored(at);
    }
    let continues = !may_lack_messages && (epoch.is_none() || epoch == kept);
    let other_rooms = new_epoch.clone();
    let epoch = epoch.or(kept.filter(|_| !may_lack_messages)).unwrap_or(new_epoch);
    rooms::update_to_messages(&transaction)?;
    rooms::set_epochs(&transaction, &epoch, (!continues).then_some(&other_rooms))?;
    let (last_id, evicted, topic, rules) = rooms::load_lobby(&transaction)?;
    let (rooms, last_room) = (rooms::load_others(&transaction, &other_rooms)?, rooms::last_room(&transaction)?);
    let (accounts, sanctions) = (accounts::load(&transaction)?, moderation::load_sanctions(&transaction)?);
    match durability {
        Durability::Relaxed => transaction.execute("INSERT OR REPLACE INTO state VALUES (?, 1)", [RELAXED])?,
        Durability::Full => transaction.execute("DELETE FROM state WHERE key = ?", [RELAXED])?,
    };
    transaction.commit()?;
    if durability == Durability::Relaxed {
        // Only after the commit: the note `RELAXED` must be on the disk before a message can be lost.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
    }
    let (messages, before) = newest_messages(connection, count + 1)?;
    let sql = "SELECT min(id) FROM messages WHERE room = ?";
    let oldest_id: Option<u64> = connection.query_row(sql, [key_of(RoomId::LOBBY)], |row| row.get(0))?;
    let before = before.max(evicted);
    let oldest_id = oldest_id.map(MessageId);
    Ok(StoredState { epoch, last_id, oldest_id, before, messages, topic, rules, rooms, last_room, accounts, sanctions })
}

/// Makes a copy the store: removes its mark, and skips the numbers of accounts that the original may have given since.
fn end_backup(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM state WHERE key = ?", [BACKUP])?;
    let sql = "UPDATE state SET value = min(value + ?, ?) WHERE key = ?";
    let last_max = u32::MAX - 1;
    transaction.execute(sql, params![STORE_RESTORED_ACCOUNTS_SKIPPED, last_max, accounts::LAST_ACCOUNT]).map(drop)
}

/// Removes the note `RELAXED`: the server shuts down cleanly, and all messages are on the disk.
pub(super) fn note_clean_shutdown(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Messages must reach the disk before the note is removed.
    checkpoint(connection)?;
    connection.execute("DELETE FROM state WHERE key = ?", [RELAXED]).map(drop)
}

/// The `seq` of the newest message ever stored.
pub(super) fn last_seq(connection: &Connection) -> rusqlite::Result<Seq> {
    // Other programs may have written messages, too.
    let newest =
        connection.prepare_cached("SELECT ifnull(max(seq), 0) FROM messages")?.query_row([], |row| row.get(0))?;
    Ok(read_state(connection, LAST_SEQ)?.max(Seq(newest)))
}

/// The newest messages of the first room, at most `count`, in order, back to the first invalid row, which another program or another version may have
/// written. Also returns the id of that row, because history in memory must have no gap.
fn newest_messages(connection: &Connection, count: usize) -> rusqlite::Result<(Vec<StoredMessage>, MessageId)> {
    let sql = "SELECT id, time, name, text, account FROM messages WHERE room = ? ORDER BY id DESC LIMIT ?";
    let mut rows = connection.prepare(sql)?;
    let mut rows = rows.query(params![key_of(RoomId::LOBBY), count as u64])?;
    let mut messages = Vec::new();
    let mut before = MessageId::default();
    while let Some(row) = rows.next()? {
        let Some(message) = read_message(row)? else {
            before = MessageId(row.get(0)?);
            break;
        };
        messages.push(message);
    }
    messages.reverse();
    Ok((messages, before))
}

/// Reads a row as a message; `None` if another program wrote an invalid one.
fn read_message(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<StoredMessage>> {
    let (id, time, name, text): (u64, String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let account = moderation::read_account(row, 4);
    let parsed = || {
        let text = if text.is_empty() { None } else { Some(Text::new(&text).ok()?) };
        let past = PastMessage { id: MessageId(id), at: Timestamp::parse(&time)?, name: Name::new(&name).ok()?, text };
        Some(StoredMessage { past, account })
    };
    Ok(parsed())
}
