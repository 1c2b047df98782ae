//! Checks a store, also while a server uses it: the file, and what the server relies on. Reads one snapshot, and changes no data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Row};

use super::existing::ExistingStore;
use super::file::{LAST_SEQ, last_seq};
use super::index_check::check_index;
use super::progress::{Follow, Phase, Progress};
use super::schema::{MIGRATIONS, read_state, room_of};
use super::{OpenError, accounts, audit, moderation, rooms, words};
use crate::limits::{STORE_CHECKED_AT_ONCE, STORE_PROBLEMS_SHOWN_MAX};
use crate::protocol::{Name, PasswordHash, RoomLock, RoomName, Text, Timestamp, Token};

/// The result of a check.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// The problems. Empty: nothing is wrong.
    pub problems: Vec<String>,
    /// The steps to take.
    pub advice: BTreeSet<Advice>,
    /// Facts that the operator may want to know, and that are not problems.
    pub notes: Vec<String>,
    /// The number of messages that were read.
    pub messages: u64,
    /// The number of rooms. 0 if only the file was checked.
    pub rooms: u64,
    /// The number of accounts. 0 if only the file was checked.
    pub accounts: u64,
    /// The rows were not checked: the store has an older version.
    pub is_file_only: bool,
    /// The version of the format.
    pub version: usize,
}

/// A step to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Advice {
    /// The file is damaged.
    Restore,
    /// The server does not start, or cannot store anything.
    Repair,
    /// Rows cannot be used: the server ignores them.
    LookAtRows,
    /// The index must be filled again.
    RebuildIndex,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restore => {
                "the file is damaged: stop the server, keep a copy of the file, and restore the newest backup that chinwagd check finds \
                 no problem in (chinwagd restore --data STORE BACKUP); then test the disk and the memory"
            }
            Self::Repair => {
                "the file is intact, but another program may have written to it, and the server cannot use it: restore a backup, or repair \
                 the rows with sqlite3 (docs/operating.md, Read the database)"
            }
            Self::LookAtRows => {
                "the file is intact, but another program may have written to it: the server ignores these rows; restore a backup, or look \
                 at them with sqlite3 (docs/operating.md, Read the database)"
            }
            Self::RebuildIndex => {
                "only SEARCH is affected: stop the server, have it index all messages again with \
                 sqlite3 STORE \"DELETE FROM state WHERE key = 'word_rules'\", and start it"
            }
        })
    }
}

impl CheckReport {
    pub(super) fn problem(&mut self, advice: Advice, what: String) {
        self.problems.push(what);
        self.advice.insert(advice);
    }

    /// Notes rows of a table that the server ignores.
    fn invalid_rows(&mut self, table: &str, count: u64) {
        if count > 0 {
            self.problem(Advice::LookAtRows, format!("the table {table} has rows that cannot be used: {count}"));
        }
    }
}

impl ExistingStore {
    /// Checks the store.
    ///
    /// # Errors
    /// The file cannot be read at all.
    pub fn check(&self, follow: Follow<'_>) -> Result<CheckReport, OpenError> {
        let mut report = CheckReport { version: self.version, ..CheckReport::default() };
        self.check_all(&mut report, follow).map_err(|error| OpenError::from_sqlite(&self.path, error))?;
        Ok(report)
    }

    fn check_all(&self, report: &mut CheckReport, follow: Follow<'_>) -> rusqlite::Result<()> {
        let connection = &self.connection;
        connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")?;
        follow(Progress::start(Phase::Structure, 0));
        check_structure(connection, report)?;
        if !report.problems.is_empty() {
            // The tables may be unreadable.
            return Ok(());
        }
        check_tables(connection, self.version, report)?;
        if !report.problems.is_empty() {
            return Ok(());
        }
        let newest = MIGRATIONS.len();
        if self.version < newest {
            report.messages = count(connection, "messages")?;
            report.is_file_only = true;
            let version = self.version;
            report.notes.push(format!(
                "the store has version {version}, and the next start migrates it to version {newest}; only the file was checked, not its rows"
            ));
            return Ok(());
        }
        check_state(connection, report)?;
        check_loading(connection, report);
        let mut rooms = load_rooms(connection, report)?;
        let last_account = check_accounts(connection, report)?;
        check_messages(connection, &mut rooms, last_account, report, follow)?;
        check_rooms(&rooms, report);
        match words::indexed(connection) {
            Ok(indexed) if indexed > last_seq(connection).unwrap_or(indexed) => report.problem(
                Advice::RebuildIndex,
                format!("messages that do not exist yet are marked as indexed: up to {}", indexed.0),
            ),
            Ok(_) => check_index(connection, report, follow)?,
            // Reported with the table state.
            Err(_) => {}
        }
        connection.execute_batch("COMMIT")
    }
}

/// Has SQLite check the pages, the indexes of the tables, and the structure of the full-text index.
fn check_structure(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    let mut rows = connection.prepare(&format!("PRAGMA integrity_check({STORE_PROBLEMS_SHOWN_MAX})"))?;
    let mut rows = rows.query([])?;
    loop {
        let found = match rows.next() {
            Ok(Some(row)) => row.get(0)?,
            Ok(None) => return Ok(()),
            Err(error) => error.to_string(),
        };
        if found != "ok" {
            report.problem(Advice::Restore, format!("the file: {found}"));
        }
        if report.problems.len() > STORE_PROBLEMS_SHOWN_MAX {
            return Ok(());
        }
    }
}

/// Checks that the file has the tables of its version, and none of later ones.
fn check_tables(connection: &Connection, version: usize, report: &mut CheckReport) -> rusqlite::Result<()> {
    const TABLES: [(usize, &[&str]); 5] = [
        (1, &["messages", "state", "words"]),
        (4, &["rooms"]),
        (6, &["accounts", "account_tokens", "resting_names"]),
        (7, &["moderators", "sanctions"]),
        (8, &["invitations", "audit"]),
    ];
    for (since, tables) in TABLES {
        for table in tables {
            let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)";
            let exists: bool = connection.query_row(sql, [table], |row| row.get(0))?;
            let problem = match (exists, since <= version) {
                (false, true) => format!("the file has version {version}, but lacks the table {table}"),
                (true, false) => {
                    format!("the file has version {version}, but has the table {table} of version {since}")
                }
                _ => continue,
            };
            report.problem(Advice::Repair, problem);
        }
    }
    Ok(())
}

/// Checks the numbers without which the server cannot store messages or accounts.
fn check_state(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<()> {
    for key in [LAST_SEQ, words::INDEXED, accounts::LAST_ACCOUNT] {
        let sql = "SELECT EXISTS (SELECT 1 FROM state WHERE key = ? AND typeof(value) = 'integer' AND value >= 0)";
        if !connection.query_row(sql, [key], |row| row.get(0))? {
            report.problem(Advice::Repair, format!("the table state has no number with the key {key}"));
        }
    }
    Ok(())
}

/// Loads the rooms as the server does.
fn check_loading(connection: &Connection, report: &mut CheckReport) {
    let lobby = rooms::lobby_epoch(connection).and_then(|_| rooms::load_lobby(connection));
    let others = rooms::load_others(connection, &Token::truncated("check"));
    for error in [lobby.err(), others.err()].into_iter().flatten() {
        let what = match error {
            // The server sets an invalid epoch. The row is reported with the others.
            error if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => continue,
            rusqlite::Error::QueryReturnedNoRows => "the table rooms lacks the first room".to_owned(),
            error => format!("the server cannot load the rooms: {error}"),
        };
        report.problem(Advice::Repair, what);
    }
}

fn count(connection: &Connection, table: &str) -> rusqlite::Result<u64> {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
}

/// A room, and the facts about its messages so far.
#[derive(Debug)]
struct RoomCheck {
    name: String,
    last_id: u64,
    /// The id of the last message that was read. At first, the highest id that was evicted.
    previous: u64,
    /// Ids that have no message.
    missing: u64,
    /// Messages whose ids do not follow those of earlier messages.
    disordered: u64,
}

/// The rooms by the key of their rows.
fn load_rooms(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<BTreeMap<i64, RoomCheck>> {
    let mut rows = connection.prepare("SELECT room, name, epoch, last_id, evicted, topic, owner, lock FROM rooms")?;
    let mut rows = rows.query([])?;
    let (mut rooms, mut invalid) = (BTreeMap::new(), 0);
    while let Some(row) = rows.next()? {
        report.rooms += 1;
        let room = (|| {
            let name = text(row, 1).filter(|name| RoomName::new(name).is_ok())?;
            let [last_id, previous] = [number(row, 3)?, number(row, 4)?];
            Token::new(text(row, 2)?).ok()?;
            room_of(row.get(0).ok()?)?;
            row.get::<_, Option<String>>(5).ok()?;
            let is_owned = moderation::read_account(row, 6).is_some() || row.get_ref(6).ok()? == ValueRef::Null;
            text(row, 7).and_then(RoomLock::parse).filter(|_| is_owned)?;
            Some(RoomCheck { name: name.to_owned(), last_id, previous, missing: 0, disordered: 0 })
        })();
        match room {
            Some(room) => drop(rooms.insert(row.get(0)?, room)),
            None => invalid += 1,
        }
    }
    report.invalid_rows("rooms", invalid);
    Ok(rooms)
}

/// Reads all messages, in their order.
fn check_messages(
    connection: &Connection,
    rooms: &mut BTreeMap<i64, RoomCheck>,
    last_account: u64,
    report: &mut CheckReport,
    follow: Follow<'_>,
) -> rusqlite::Result<()> {
    let total = count(connection, "messages")?;
    // Without this number, nothing can be above it.
    let last_seq = read_state(connection, LAST_SEQ).map_or(u64::MAX, |seq| seq.0);
    let mut rows = connection.prepare("SELECT seq, room, id, time, name, text, account FROM messages ORDER BY seq")?;
    let mut rows = rows.query([])?;
    let (mut invalid, mut late, mut strangers, mut names) = (0, 0, 0, BTreeSet::new());
    let mut without_room = BTreeMap::<i64, u64>::new();
    while let Some(row) = rows.next()? {
        if report.messages.is_multiple_of(STORE_CHECKED_AT_ONCE) {
            follow(Progress { phase: Phase::Messages, done: report.messages, total });
        }
        report.messages += 1;
        invalid += u64::from(!is_message(row, &mut names));
        late += u64::from(number(row, 0).is_none_or(|seq| seq > last_seq));
        strangers += u64::from(number(row, 6).is_some_and(|account| account > last_account));
        let key = row.get(1).unwrap_or_default();
        match rooms.get_mut(&key) {
            Some(room) => room.add(number(row, 2).unwrap_or_default()),
            None => *without_room.entry(key).or_default() += 1,
        }
    }
    report.invalid_rows("messages", invalid);
    for (problem, count) in [
        ("messages with a seq above last_seq in the table state", late),
        ("messages of accounts with a number above last_account in the table state", strangers),
    ] {
        if count > 0 {
            report.problem(Advice::LookAtRows, format!("{problem}: {count}"));
        }
    }
    for (key, count) in without_room.into_iter().take(STORE_PROBLEMS_SHOWN_MAX) {
        report.problem(
            Advice::LookAtRows,
            format!("messages of room {key}, which the table rooms does not have: {count}"),
        );
    }
    Ok(())
}

/// Whether the server can read this row. `names` has valid ones: they repeat, and take long to check.
fn is_message(row: &Row<'_>, names: &mut BTreeSet<String>) -> bool {
    const NAMES_MAX: usize = 10_000;
    let is_name = |name: &str| {
        if names.contains(name) {
            return true;
        }
        let is_valid = Name::new(name).is_ok();
        if is_valid && names.len() < NAMES_MAX {
            names.insert(name.to_owned());
        }
        is_valid
    };
    text(row, 3).is_some_and(|time| Timestamp::parse(time).is_some())
        && text(row, 4).is_some_and(is_name)
        && text(row, 5).is_some_and(|text| text.is_empty() || Text::new(text).is_ok())
}

impl RoomCheck {
    fn add(&mut self, id: u64) {
        if id <= self.previous {
            self.disordered += 1;
            return;
        }
        self.missing += id - self.previous - 1;
        self.previous = id;
    }
}

fn check_rooms(rooms: &BTreeMap<i64, RoomCheck>, report: &mut CheckReport) {
    for RoomCheck { name, last_id, previous, missing, disordered } in rooms.values() {
        if *disordered > 0 {
            let what = format!("{name}: messages whose ids are not above those of all earlier messages: {disordered}");
            report.problem(Advice::LookAtRows, what);
        }
        if previous > last_id {
            let what = format!("{name}: the ids up to {previous} were given, but the table rooms says {last_id}");
            report.problem(Advice::LookAtRows, what);
        }
        if *last_id >= i64::MAX.unsigned_abs() {
            report.problem(Advice::Repair, format!("{name}: no id is left for a new message: last_id is {last_id}"));
        }
        let missing = missing + last_id.saturating_sub(*previous);
        if missing > 0 {
            report.notes.push(format!(
                "{name}: ids without a message: {missing}; versions before 4 gave ids to joins and leaves, too; otherwise, another program \
                 deleted messages"
            ));
        }
    }
}

/// Checks the accounts, the bans and the audit log. Returns the highest number that was given to an account.
fn check_accounts(connection: &Connection, report: &mut CheckReport) -> rusqlite::Result<u64> {
    let stored = accounts::load(connection)?;
    report.accounts = stored.accounts.len() as u64;
    let tokens: usize = stored.accounts.iter().map(|account| account.tokens.len()).sum();
    let read =
        [("accounts", stored.accounts.len()), ("account_tokens", tokens), ("resting_names", stored.resting.len())];
    for (table, read) in read {
        report.invalid_rows(table, count(connection, table)?.saturating_sub(read as u64));
    }
    for account in stored.accounts.iter().filter(|account| account.password == PasswordHash::unusable()) {
        let name = &account.name;
        let what = format!("the account {name} has no valid password; set one with: chinwagd account password {name}");
        report.problem(Advice::LookAtRows, what);
    }
    // Without this number, which is reported with the table state, nothing can be above it.
    let last = read_state(connection, accounts::LAST_ACCOUNT).map_or(u64::MAX, |last| last.0);
    if u64::from(stored.last.0) > last {
        let what = format!("an account has the number {}, above last_account in the table state", stored.last.0);
        report.problem(Advice::LookAtRows, what);
    }
    for table in ["moderators", "invitations"] {
        let sql =
            format!("SELECT count(*) FROM {table} WHERE typeof(account) <> 'integer' OR account NOT BETWEEN 1 AND ?");
        report.invalid_rows(table, connection.query_row(&sql, [u32::MAX], |row| row.get(0))?);
    }
    let (_, invalid) = moderation::read_sanctions(connection)?;
    report.invalid_rows("sanctions", invalid.into());
    report.invalid_rows("audit", audit::count_invalid(connection)?);
    Ok(last)
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Option<&'a str> {
    row.get_ref(column).ok()?.as_str().ok()
}

fn number(row: &Row<'_>, column: usize) -> Option<u64> {
    row.get(column).ok()
}
