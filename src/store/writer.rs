//! The writing thread: commits messages, indexes their words when there is time, and evicts messages beyond `--keep`. It has a thread
//! of its own, so that no other thread waits until the disk has what is written.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_channel::Sender;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use rustix::time::{ClockId, clock_gettime};

use super::clock::{Change, Reading, TrustedClock};
use super::file::{
    LOBBY, Seq, StoreFile, TimeShift, checkpoint, clock_notes, doubted_messages, evicted, forget_clock_of, free_pages,
    last_seq, note_clock, note_doubted, note_good_end, note_time_shift, set_evicted, set_last, time_shifts,
};
use super::store_path::Displaced;
use super::wal::{WalBound, checkpoint_within};
use super::{Abandoned, Job, Now, PendingSearch, Report, Retention, log, words};
use crate::limits::{
    CLOCK_STEP_SECONDS_MAX, STORE_BATCH_INDEXED_BYTES, STORE_BATCH_INDEXED_MAX, STORE_INDEX_MS,
    STORE_PAGES_FREED_AT_ONCE_MAX, STORE_PRUNE_MS, STORE_PRUNED_AT_ONCE_MAX,
};
use crate::protocol::{PastMessage, Timestamp};

/// State of the writing thread.
pub(super) struct Writer {
    file: StoreFile,
    keep: Retention,
    now: Now,
    clock: TrustedClock,
    ages: Ages,
    /// Whether the last time shift is not in the file yet. The notes about the clock must not be written without it.
    is_shift_new: bool,
    /// Time of the steady clock at which the notes about the clock are written, unless a commit has done so before.
    clock_noted_until: Duration,
    wal: WalBound,
    /// Whether it was logged that a file is not where it was.
    is_displaced: bool,
    gate: Arc<CommitGate>,
    /// The last message that is stored, and how many are.
    stored: Seq,
    count: u64,
    /// Those who wait for words to be indexed.
    searches: Vec<PendingSearch>,
}

/// What is known about the ages of messages beside their times.
#[derive(Debug, Default)]
struct Ages {
    /// The messages that were stored while the clock was doubted.
    doubted: Vec<RangeInclusive<Seq>>,
    time_shifts: Vec<TimeShift>,
    /// The ages of all messages up to this one are unknown, so they need not be read again.
    unknown_up_to: Seq,
}

/// Lets the hub prevent a commit that has not begun, so that it knows the fate of the messages.
#[derive(Debug, Default)]
pub(super) struct CommitGate(AtomicU8);

impl CommitGate {
    const OPEN: u8 = 0;
    /// The commit has begun, and may have succeeded.
    const BEGUN: u8 = 1;
    const CLOSED: u8 = 2;

    /// Prepares for the next batch. The result of the one before it must be known.
    pub(super) fn reopen(&self) {
        // Fails if no batch was committed since, or if it is closed; then it stays closed.
        let _ = self.step(Self::BEGUN, Self::OPEN);
    }

    pub(super) fn close(&self) -> Abandoned {
        match self.0.swap(Self::CLOSED, Ordering::SeqCst) {
            Self::BEGUN => Abandoned::Unknown,
            _ => Abandoned::NotStored,
        }
    }

    fn pass<T>(&self, commit: impl FnOnce() -> rusqlite::Result<T>) -> Result<T, CommitError> {
        self.step(Self::OPEN, Self::BEGUN).map_err(|_| CommitError::Abandoned)?;
        Ok(commit()?)
    }

    fn step(&self, from: u8, to: u8) -> Result<u8, u8> {
        self.0.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
    }
}

/// Why a batch was not committed, as its senders read it.
#[derive(Debug)]
enum CommitError {
    Displaced(Displaced),
    Abandoned,
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for CommitError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Displaced(displaced) => displaced.fmt(f),
            Self::Abandoned => f.write_str("the server is shutting down"),
            Self::Sqlite(error) => error.fmt(f),
        }
    }
}

/// What is left to do while nobody asks for anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Left {
    /// It is to be done now, a part of it between any two jobs.
    Urgent,
    /// It can wait until nobody has asked for anything for a while.
    Some,
    /// Nothing is; or it failed, and is tried again later.
    Nothing,
}

impl Writer {
    pub(super) fn new(file: StoreFile, keep: Retention, now: Now, gate: Arc<CommitGate>) -> rusqlite::Result<Self> {
        let stored = last_seq(&file.connection)?;
        let count = if let Retention::Count(_) = keep {
            file.connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?
        } else {
            0
        };
        let age = if let Retention::Age(age) = keep { Some(age) } else { None };
        let clock = TrustedClock::resume(age, clock_notes(&file.connection)?, read_clocks(now));
        let ages = Ages {
            doubted: doubted_messages(&file.connection)?,
            time_shifts: time_shifts(&file.connection)?,
            unknown_up_to: Seq(0),
        };
        Ok(Self {
            file,
            keep,
            now,
            clock,
            ages,
            is_shift_new: false,
            clock_noted_until: Duration::ZERO,
            wal: WalBound::new(),
            is_displaced: false,
            gate,
            stored,
            count,
            searches: Vec::new(),
        })
    }

    /// Carries out jobs until it is told to close, or nobody can ask any more.
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>, to_hub: &Sender<Report>) {
        let mut left = Left::Urgent;
        loop {
            let pause_ms = match left {
                Left::Urgent => 0,
                Left::Some => STORE_INDEX_MS,
                Left::Nothing => STORE_PRUNE_MS,
            };
            let mut committed = 0;
            match jobs.recv_timeout(Duration::from_millis(pause_ms)) {
                Ok(Job::Commit(messages)) => {
                    let result = self.commit(&messages).map_err(|error| error.to_string());
                    committed = messages.len();
                    if to_hub.send_blocking(Report::Committed(messages, result)).is_err() {
                        return;
                    }
                }
                Ok(Job::Index(search)) => self.searches.push(search),
                Ok(Job::Close) => return self.close(),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            self.observe_clock();
            if let Err(displaced) = self.check_place() {
                self.searches.drain(..).for_each(|search| search.fail(&displaced));
                left = Left::Nothing;
                continue;
            }
            let pruned = self.prune(2 * committed as u64, to_hub);
            let indexed = self.index(committed <= STORE_BATCH_INDEXED_MAX);
            left = pruned.unwrap_or(Left::Nothing).min(indexed.unwrap_or(Left::Nothing));
            // What fails here fails at the next commit, too, whose sender is told.
            let _ = self.note_clock_in_time();
            let _ = self.wal.keep(&self.file);
        }
    }

    fn commit(&mut self, messages: &[PastMessage]) -> Result<(), CommitError> {
        self.check_place().map_err(CommitError::Displaced)?;
        let now = self.observe_clock();
        let before = last_seq(&self.file.connection)?;
        let stored = Seq(before.0 + messages.len() as u64);
        let is_doubted = !self.clock.is_trusted() && !messages.is_empty();
        let doubted = is_doubted.then(|| self.doubted_with(Seq(before.0 + 1)..=stored));
        let bytes: usize = messages.iter().map(|past| past.text.as_str().len()).sum();
        let with_words = messages.len() <= STORE_BATCH_INDEXED_MAX
            && bytes <= STORE_BATCH_INDEXED_BYTES
            && !words::is_behind(&self.file.connection, self.stored).unwrap_or_default();
        let transaction = self.file.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        insert(&transaction, before, messages)?;
        if with_words {
            words::index(&transaction, stored)?;
        }
        if let Some(last) = messages.last() {
            set_last(&transaction, stored, last.id)?;
        }
        note_clock(&transaction, self.clock.notes(now))?;
        note_new_shift(&transaction, &self.ages, self.is_shift_new)?;
        if let Some(range) = &doubted {
            note_doubted(&transaction, range)?;
        }
        self.gate.pass(|| transaction.commit())?;
        self.clock_noted_until = now.steady + self.clock.note_interval();
        self.is_shift_new = false;
        if let Some(range) = doubted {
            self.ages.doubted.retain(|before| before.start() != range.start());
            self.ages.doubted.push(range);
        }
        self.stored = stored;
        self.count += messages.len() as u64;
        Ok(())
    }

    /// Indexes some words, if there is time for it or it has to be, and says what is left of it.
    fn index(&mut self, has_time: bool) -> rusqlite::Result<Left> {
        self.searches.retain(PendingSearch::is_awaited);
        let left = self.index_some(has_time);
        match &left {
            Ok(Left::Nothing) => self.searches.drain(..).for_each(PendingSearch::go_on),
            Ok(_) => {}
            Err(error) => self.searches.drain(..).for_each(|search| search.fail(error)),
        }
        left
    }

    fn index_some(&self, has_time: bool) -> rusqlite::Result<Left> {
        let connection = &self.file.connection;
        // Others who write into the file may have put something in between.
        let mut last = self.stored;
        for search in &self.searches {
            last = last.max(words::seq_of(connection, search.until())?);
        }
        if !words::is_behind(connection, last)? {
            return Ok(Left::Nothing);
        }
        if !has_time && self.searches.is_empty() && !words::is_far_behind(connection, last)? {
            return Ok(Left::Some);
        }
        let transaction = connection.unchecked_transaction()?;
        words::index(&transaction, last)?;
        transaction.commit()?;
        Ok(if words::is_behind(connection, last)? { Left::Urgent } else { Left::Nothing })
    }

    /// Lets go of some of what is too much, at least so much of it, and says so; says what is left of it.
    fn prune(&mut self, at_least: u64, to_hub: &Sender<Report>) -> rusqlite::Result<Left> {
        if self.keep == Retention::All {
            return Ok(Left::Nothing);
        }
        let trusted_time = self.clock.trusted_time();
        let transaction = self.file.connection.transaction()?;
        let at_once = at_least.max(STORE_PRUNED_AT_ONCE_MAX);
        let last = match self.keep {
            Retention::Age(age) => {
                let Some(now) = trusted_time else { return Ok(Left::Nothing) };
                let unknown_before = self.ages.unknown_up_to;
                let last = last_too_old(&transaction, age, now, &mut self.ages, at_once)?;
                if last.is_none() && self.ages.unknown_up_to != unknown_before {
                    return Ok(Left::Urgent);
                }
                last
            }
            keep => surplus(&transaction, keep, self.count, at_once)?,
        };
        let Some(last) = last else { return Ok(Left::Nothing) };
        set_evicted(&transaction, last)?;
        let count = delete_up_to(&transaction, last)?;
        if count == 0 {
            return Ok(Left::Nothing);
        }
        forget_clock_of(&transaction, last)?;
        let evicted = evicted(&transaction)?;
        transaction.commit()?;
        self.ages.doubted.retain(|messages| *messages.end() > last);
        self.ages.time_shifts.retain(|shift| shift.last > last);
        self.count = self.count.saturating_sub(count);
        let _ = to_hub.send_blocking(Report::Dropped(evicted));
        free_pages(&self.file.connection, Some(STORE_PAGES_FREED_AT_ONCE_MAX))?;
        self.file.place.accept_vacuum(&self.file.connection)?;
        Ok(Left::Urgent)
    }

    /// Reads both clocks. With `--keep AGE`, logs when the wall clock becomes trusted or doubted.
    fn observe_clock(&mut self) -> Reading {
        let now = read_clocks(self.now);
        let change = self.clock.observe(now);
        if let Some(Change::Trusted { ahead_ms }) = change {
            self.shift_times(ahead_ms);
        }
        match change.filter(|_| matches!(self.keep, Retention::Age(_))) {
            Some(Change::Doubted(expected)) => log::clock_doubted(now.wall, expected, self.clock.trial_left()),
            Some(Change::TrialEndsIn(left)) => log::clock_trial_ends(now.wall, left),
            Some(Change::Trusted { .. }) => log::clock_trusted(now.wall),
            None => {}
        }
        now
    }

    /// Remembers how far the reference of all messages stored so far was behind the clock. The file has it with the next notes
    /// about the clock; until then, it still has the old reference and the doubt.
    fn shift_times(&mut self, ahead_ms: i64) {
        if ahead_ms == 0 || self.stored == Seq(0) {
            return;
        }
        let before = self.ages.time_shifts.pop_if(|shift| shift.last == self.stored);
        let ahead_ms = ahead_ms.saturating_add(before.map_or(0, |shift| shift.ahead_ms));
        self.ages.time_shifts.push(TimeShift { last: self.stored, ahead_ms });
        self.is_shift_new = true;
        self.clock_noted_until = Duration::ZERO;
    }

    /// The range of these messages and of those before them that were stored since the clock was last trusted. Extends the last range,
    /// even over a restart, if no message was stored between them.
    fn doubted_with(&self, messages: RangeInclusive<Seq>) -> RangeInclusive<Seq> {
        let before = self.ages.doubted.last().filter(|before| *before.end() >= self.stored);
        before.map_or(*messages.start(), |before| *before.start())..=*messages.end()
    }

    /// Stores the notes about the clock when they are due, even if no messages arrive, so that the next start knows the time.
    fn note_clock_in_time(&mut self) -> rusqlite::Result<()> {
        let now = read_clocks(self.now);
        if now.steady >= self.clock_noted_until {
            let transaction = self.file.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            note_clock(&transaction, self.clock.notes(now))?;
            note_new_shift(&transaction, &self.ages, self.is_shift_new)?;
            transaction.commit()?;
            self.is_shift_new = false;
            self.clock_noted_until = now.steady + self.clock.note_interval();
        }
        Ok(())
    }

    /// Checks that the next start will find what is committed now.
    fn check_place(&mut self) -> Result<(), Displaced> {
        let checked = self.file.place.check(&self.file.connection);
        if let Err(displaced) = &checked {
            if !std::mem::replace(&mut self.is_displaced, true) {
                log::displaced(displaced);
            }
            if displaced.is_truncated() {
                // A checkpoint would add to the damage, also the one that SQLite makes at the end.
                let _ = self.file.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
                return checked;
            }
            // The file must have all messages, wherever it is now. And nothing must be left in a `-wal` that SQLite could take
            // for the log of another file in the same place.
            let _ = checkpoint_within(&self.file.connection, 0);
        } else {
            self.is_displaced = false;
        }
        checked
    }

    fn close(mut self) {
        if self.check_place().is_err() {
            return;
        }
        self.observe_clock();
        self.clock_noted_until = Duration::ZERO;
        // If this fails, the next start may doubt the clock or begin a new epoch; nothing is lost.
        let _ = self.note_clock_in_time();
        let _ = note_good_end(&self.file.connection);
        let _ = checkpoint(&self.file.connection);
    }
}

/// Notes the last time shift if it is new.
fn note_new_shift(connection: &Connection, ages: &Ages, is_new: bool) -> rusqlite::Result<()> {
    ages.time_shifts.last().filter(|_| is_new).map_or(Ok(()), |shift| note_time_shift(connection, *shift))
}

/// Reads both clocks. The steady clock advances while the machine sleeps.
fn read_clocks(now: Now) -> Reading {
    let since_boot = clock_gettime(ClockId::Boottime);
    Reading { wall: now(), steady: since_boot.try_into().unwrap_or_default() }
}

/// Inserts messages after the one with the `seq` `before`.
fn insert(transaction: &Transaction<'_>, before: Seq, messages: &[PastMessage]) -> rusqlite::Result<()> {
    let Some(first) = messages.first() else { return Ok(()) };
    let mut row = transaction.prepare_cached("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)")?;
    // Most of the messages of a batch have the same time.
    let (mut at, mut time) = (first.at, first.at.to_string());
    for (seq, past) in (before.0 + 1..).zip(messages) {
        if past.at != at {
            (at, time) = (past.at, past.at.to_string());
        }
        row.execute(params![seq, LOBBY, past.id.0, time, past.name.as_str(), past.text.as_str()])?;
    }
    Ok(())
}

/// Deletes the messages up to this one. Returns their number.
fn delete_up_to(transaction: &Transaction<'_>, last: Seq) -> rusqlite::Result<u64> {
    words::remove(transaction, last)?;
    let sql = "DELETE FROM messages WHERE seq <= ?";
    transaction.prepare_cached(sql)?.execute([last.0]).map(|count| count as u64)
}

/// The last message to delete now, if `count` are stored: only a part of the surplus, so that no commit waits long.
fn surplus(transaction: &Transaction<'_>, keep: Retention, count: u64, at_once: u64) -> rusqlite::Result<Option<Seq>> {
    let nth_oldest = |nth: u64| {
        let sql = "SELECT seq FROM messages ORDER BY seq LIMIT 1 OFFSET ?";
        transaction.query_row(sql, [nth], |row| row.get(0).map(Seq)).optional()
    };
    Ok(match keep {
        Retention::All | Retention::Age(_) => None,
        Retention::Count(kept) => match count.saturating_sub(kept).min(at_once) {
            0 => None,
            surplus => nth_oldest(surplus - 1)?,
        },
        Retention::Bytes(bytes) => {
            let pragma = |name: &str| transaction.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u64>(0));
            let used = (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?;
            // They may be few and long; half of them are left.
            let sql = "SELECT count(*) FROM (SELECT 1 FROM messages LIMIT ?)";
            let count: u64 = transaction.query_row(sql, [2 * at_once], |row| row.get(0))?;
            if used > bytes { nth_oldest((count / 2).saturating_sub(1))? } else { None }
        }
    })
}

/// The last one of the leading run of messages that are all older than `age`. Reads at most `count_max` messages after each range
/// of doubted ones. If all of them have unknown ages, the next call continues behind them.
///
/// The age of a message is unknown if it was stored while the clock was doubted, or if its time is unreadable or in the future.
/// It is deleted together with the next message that is too old.
fn last_too_old(
    transaction: &Transaction<'_>,
    age: Duration,
    now: Timestamp,
    ages: &mut Ages,
    count_max: u64,
) -> rusqlite::Result<Option<Seq>> {
    let (oldest_kept, newest) = (now.minus(age), now.plus(Duration::from_secs(CLOCK_STEP_SECONDS_MAX)));
    let sql = "SELECT seq, time FROM messages WHERE seq > ? AND time <= ? ORDER BY seq LIMIT ?";
    let mut statement = transaction.prepare_cached(sql)?;
    let (mut after, mut last) = (ages.unknown_up_to, None);
    'doubted: loop {
        let mut rows = statement.query(params![after.0, newest.to_string(), count_max])?;
        while let Some(row) = rows.next()? {
            let seq = Seq(row.get(0)?);
            if let Some(doubted) = ages.doubted.iter().find(|doubted| doubted.contains(&seq)) {
                // Skip them: there may be more than `count_max`.
                after = *doubted.end();
                continue 'doubted;
            }
            // Other programs may have written something that is no text.
            match row.get_ref(1)?.as_str().ok().and_then(Timestamp::parse) {
                Some(time) if time.0.saturating_add(ages.ahead_ms(seq)) < oldest_kept.0 => last = Some(seq),
                Some(_) => return Ok(last),
                None if last.is_none() => ages.unknown_up_to = seq,
                None => {}
            }
        }
        return Ok(last);
    }
}

impl Ages {
    /// How far the reference of this message was behind the present one, in milliseconds.
    fn ahead_ms(&self, message: Seq) -> i64 {
        let later = self.time_shifts.iter().filter(|shift| shift.last >= message);
        later.fold(0, |sum: i64, shift| sum.saturating_add(shift.ahead_ms))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicI64;
    use std::time::Instant;

    use super::*;
    use crate::protocol::{MessageId, Token};
    use crate::store::tests::{NOW, WAIT_MAX, close, commit, next_report, past};
    use crate::store::{Durability, Options, Store};

    const DAY: Duration = Duration::from_hours(24);
    const YEAR: Duration = Duration::from_hours(365 * 24);

    /// Keeps messages for 30 days.
    fn open(path: &Path, now: Now) -> Store {
        let keep = Retention::Age(30 * DAY);
        let options = Options { path: path.to_owned(), durability: Durability::Relaxed, keep };
        Store::open(&options, None, Token::truncated("epoch"), 0, now).unwrap().0
    }

    fn commit_at(store: &Store, id: u64, at: Timestamp) {
        commit(store, vec![PastMessage { at, ..past(id, "text") }]);
    }

    fn ids(path: &Path) -> Vec<u64> {
        let file = Connection::open(path).unwrap();
        let mut rows = file.prepare("SELECT id FROM messages ORDER BY id").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Numbers of the messages that remain. The file has messages with these `times` and was closed when the clock showed
    /// `closed_at`; then a server opens it with the clock `now`.
    fn kept(times: &[&str], closed_at: Option<Timestamp>, now: Now) -> Vec<u64> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        close(open(&path, || NOW));
        let file = Connection::open(&path).unwrap();
        for row in (1_u64..).zip(times) {
            file.execute("INSERT INTO messages VALUES (?1, 1, ?1, ?2, 'ann', 'text')", row).unwrap();
        }
        file.execute("DELETE FROM state WHERE key = 'clock_trusted'", []).unwrap();
        if let Some(at) = closed_at {
            file.execute("INSERT INTO state VALUES ('clock_trusted', ?)", [at.0]).unwrap();
        }
        drop(file);
        let store = open(&path, now);
        // Deletions happen between two commits.
        commit_at(&store, 1001, now());
        commit_at(&store, 1002, now());
        close(store);
        ids(&path).into_iter().filter(|id| *id < 1000).collect()
    }

    #[test]
    fn keep_age_deletes_the_leading_run_and_nothing_behind_it() {
        let [old, fresh] = [31 * DAY, 29 * DAY].map(|age| NOW.minus(age).to_string());
        let kept = |times: &[&str]| kept(times, Some(NOW), || NOW);
        assert_eq!(kept(&[&old, &old, &fresh, &old, &fresh]), [3, 4, 5]);
        assert_eq!(kept(&[&fresh, &old, &old]), [1, 2, 3]);
        assert_eq!(kept(&[&old, &old]), [0; 0]);
    }

    #[test]
    fn message_with_an_impossible_time_goes_with_those_after_it() {
        let [old, fresh] = [31 * DAY, 29 * DAY].map(|age| NOW.minus(age).to_string());
        let future = NOW.plus(2 * YEAR).to_string();
        let kept = |times: &[&str]| kept(times, Some(NOW), || NOW);
        for impossible in [&future, "", "yesterday", "2027-99-99T00:00:00Z"] {
            assert_eq!(kept(&[impossible, &old, impossible, &old, &fresh]), [5], "{impossible}");
            assert_eq!(kept(&[&old, impossible, &fresh]), [2, 3], "{impossible}");
            assert_eq!(kept(&[impossible]), [1], "{impossible}");
        }
    }

    #[test]
    fn messages_stored_under_a_wrong_clock_go_with_those_after_them() {
        static CLOCK: AtomicI64 = AtomicI64::new(NOW.0);
        let now = || Timestamp(CLOCK.load(Ordering::SeqCst));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        close(open(&path, now));
        for (id, clock) in [(1, NOW.minus(2 * YEAR)), (2, NOW.minus(YEAR)), (3, NOW), (4, NOW.plus(2 * YEAR)), (5, NOW)]
        {
            CLOCK.store(clock.0, Ordering::SeqCst);
            let store = open(&path, now);
            commit_at(&store, id, clock);
            close(store);
        }
        assert_eq!(ids(&path), [1, 2, 3, 4, 5]);
        // A month later, only the first message with a right time tells the age of those before it.
        Connection::open(&path)
            .unwrap()
            .execute("UPDATE state SET value = ? WHERE key = 'clock_trusted'", [later().0])
            .unwrap();
        CLOCK.store(later().0, Ordering::SeqCst);
        let store = open(&path, now);
        for id in 6..=8 {
            commit_at(&store, id, later());
        }
        close(store);
        assert_eq!(ids(&path), [6, 7, 8]);
        let file = Connection::open(&path).unwrap();
        assert_eq!(doubted_messages(&file).unwrap(), []);
    }

    fn later() -> Timestamp {
        NOW.plus(31 * DAY)
    }

    #[test]
    fn keep_age_ignores_a_clock_that_is_wrong_at_the_start() {
        let [old, fresh] = [31 * DAY, 29 * DAY].map(|age| NOW.minus(age).to_string());
        let times = [&*old, &fresh, &fresh];
        for (name, closed_at) in [("closed by us", Some(NOW)), ("closed by an older version", None)] {
            // Without a note, the newest message stands for the time.
            assert_eq!(kept(&times, closed_at, || NOW.minus(2 * YEAR)), [1, 2, 3], "{name}");
            assert_eq!(kept(&times, closed_at, || NOW.plus(2 * YEAR)), [1, 2, 3], "{name}");
            assert_eq!(kept(&times, closed_at, || Timestamp::MAX), [1, 2, 3], "{name}");
            assert_eq!(kept(&times, closed_at, || Timestamp::MIN), [1, 2, 3], "{name}");
        }
        assert_eq!(kept(&times, Some(NOW), || NOW), [2, 3]);
        assert_eq!(kept(&times, None, || NOW.minus(29 * DAY)), [1, 2, 3]);
        assert_eq!(kept(&times, None, || NOW.minus(28 * DAY)), [1, 2, 3]);
    }

    #[test]
    fn keep_age_ignores_a_clock_that_jumps_and_comes_back() {
        static CLOCK: AtomicI64 = AtomicI64::new(NOW.0);
        let now = || Timestamp(CLOCK.load(Ordering::SeqCst));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let mut store = open(&path, now);
        let wrong = [NOW.minus(2 * YEAR), NOW, NOW.plus(2 * YEAR), NOW, NOW.minus(2 * YEAR), NOW.plus(2 * YEAR), NOW];
        for (id, clock) in (1..).zip(wrong.into_iter().flat_map(|clock| [clock; 3])) {
            CLOCK.store(clock.0, Ordering::SeqCst);
            if id % 5 == 0 {
                close(store);
                store = open(&path, now);
            }
            commit_at(&store, id, clock);
        }
        // Old messages are looked for once more between two commits.
        commit_at(&store, 22, NOW);
        commit_at(&store, 23, NOW);
        close(store);
        assert_eq!(ids(&path), (1..=23).collect::<Vec<_>>());
    }

    /// Opens the store when the clock shows this time and commits these messages, whose times are that of the clock.
    fn session(path: &Path, clock: &AtomicI64, now: Now, at: Timestamp, messages: RangeInclusive<u64>) {
        clock.store(at.0, Ordering::SeqCst);
        let store = open(path, now);
        for id in messages {
            commit_at(&store, id, at);
        }
        close(store);
    }

    fn set_number(path: &Path, key: &str, value: i64) {
        let file = Connection::open(path).unwrap();
        file.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", params![key, value]).unwrap();
    }

    /// The time of a trial.
    const TRIAL_MS: i64 = 24 * 3600 * 1000;

    #[test]
    fn trial_of_a_wrong_clock_is_not_credited_to_another() {
        static CLOCK: AtomicI64 = AtomicI64::new(NOW.0);
        let now = || Timestamp(CLOCK.load(Ordering::SeqCst));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        session(&path, &CLOCK, now, NOW, 1..=5);
        session(&path, &CLOCK, now, NOW.minus(2 * YEAR), 6..=6);
        set_number(&path, "clock_steady_ms", TRIAL_MS);
        session(&path, &CLOCK, now, NOW.plus(2 * YEAR), 7..=8);
        assert_eq!(ids(&path), [1, 2, 3, 4, 5, 6, 7, 8]);
        let file = Connection::open(&path).unwrap();
        assert!(clock_notes(&file).unwrap().doubted.is_some_and(|(_, steady)| steady < DAY), "the trial began again");
    }

    /// A store begins when the clock shows `wrong`; then the clock is right, and a trial ends.
    fn begun_under_a_wrong_clock(path: &Path, clock: &AtomicI64, now: Now, wrong: Timestamp) {
        session(path, clock, now, wrong, 1..=5);
        session(path, clock, now, NOW, 6..=7);
        set_number(path, "clock_steady_ms", TRIAL_MS);
        session(path, clock, now, NOW, 8..=9);
        assert_eq!(clock_notes(&Connection::open(path).unwrap()).unwrap().doubted, None, "the trial is over");
    }

    #[test]
    fn messages_stored_under_a_wrong_reference_are_kept_for_their_age() {
        static CLOCK: AtomicI64 = AtomicI64::new(NOW.0);
        let now = || Timestamp(CLOCK.load(Ordering::SeqCst));
        for wrong in [NOW.minus(2 * YEAR), NOW.plus(2 * YEAR)] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("chat.db");
            begun_under_a_wrong_clock(&path, &CLOCK, now, wrong);
            assert_eq!(ids(&path), (1..=9).collect::<Vec<_>>());
            // Once more, from the notes in the file.
            session(&path, &CLOCK, now, NOW, 10..=11);
            set_number(&path, "clock_trusted", NOW.plus(29 * DAY).0);
            session(&path, &CLOCK, now, NOW.plus(29 * DAY), 12..=13);
            assert_eq!(ids(&path), (1..=13).collect::<Vec<_>>());
            set_number(&path, "clock_trusted", later().0);
            session(&path, &CLOCK, now, later(), 14..=15);
            assert_eq!(ids(&path), [12, 13, 14, 15]);
            let file = Connection::open(&path).unwrap();
            assert_eq!((doubted_messages(&file).unwrap(), time_shifts(&file).unwrap()), (vec![], vec![]));
        }
    }

    /// The first message goes a day of uptime after the trial, because it was 29 days old when the server stopped.
    #[test]
    fn messages_from_before_a_long_pause_go_at_their_age_without_the_pause() {
        static CLOCK: AtomicI64 = AtomicI64::new(NOW.0);
        let now = || Timestamp(CLOCK.load(Ordering::SeqCst));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        session(&path, &CLOCK, now, NOW.minus(29 * DAY), 1..=1);
        set_number(&path, "clock_trusted", NOW.0);
        session(&path, &CLOCK, now, NOW, 2..=2);
        let (back, minute) = (NOW.plus(60 * DAY), Duration::from_mins(1));
        session(&path, &CLOCK, now, back, 3..=3);
        set_number(&path, "clock_steady_ms", TRIAL_MS);
        session(&path, &CLOCK, now, back, 4..=5);
        assert_eq!(ids(&path), [1, 2, 3, 4, 5]);
        session(&path, &CLOCK, now, back.plus(DAY).minus(minute), 6..=7);
        assert_eq!(ids(&path), [1, 2, 3, 4, 5, 6, 7]);
        session(&path, &CLOCK, now, back.plus(DAY + minute), 8..=9);
        assert_eq!(ids(&path), [2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn time_shifts_of_two_trials_add_up() {
        static CLOCK: AtomicI64 = AtomicI64::new(NOW.0);
        let now = || Timestamp(CLOCK.load(Ordering::SeqCst));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        begun_under_a_wrong_clock(&path, &CLOCK, now, NOW.minus(2 * YEAR));
        let later = NOW.plus(2 * YEAR);
        session(&path, &CLOCK, now, later, 10..=11);
        set_number(&path, "clock_steady_ms", TRIAL_MS);
        session(&path, &CLOCK, now, later, 12..=13);
        assert_eq!(ids(&path), (1..=13).collect::<Vec<_>>());
        // And two without a message in between.
        for years in 1..=2 {
            let latest = later.plus(years * YEAR);
            session(&path, &CLOCK, now, latest, RangeInclusive::new(14, 13));
            set_number(&path, "clock_steady_ms", TRIAL_MS);
            session(&path, &CLOCK, now, latest, RangeInclusive::new(14, 13));
        }
        session(&path, &CLOCK, now, later.plus(2 * YEAR), 14..=15);
        assert_eq!(ids(&path), (1..=15).collect::<Vec<_>>());
        let shifts = time_shifts(&Connection::open(&path).unwrap()).unwrap();
        assert_eq!(shifts.iter().map(|shift| shift.last.0).collect::<Vec<_>>(), [7, 11, 13]);
    }

    #[test]
    fn doubted_messages_stay_one_range_over_restarts() {
        static CLOCK: AtomicI64 = AtomicI64::new(NOW.0);
        let now = || Timestamp(CLOCK.load(Ordering::SeqCst));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        session(&path, &CLOCK, now, NOW, 1..=2);
        for restart in 0..5 {
            let at = if restart % 2 == 0 { NOW.minus(2 * YEAR) } else { NOW.plus(2 * YEAR) };
            session(&path, &CLOCK, now, at, 10 * restart + 11..=10 * restart + 12);
        }
        // A message under a trusted clock ends the range.
        session(&path, &CLOCK, now, NOW, 61..=61);
        session(&path, &CLOCK, now, NOW.plus(YEAR), 62..=63);
        let ranges = doubted_messages(&Connection::open(&path).unwrap()).unwrap();
        assert_eq!(ranges, [Seq(3)..=Seq(12), Seq(14)..=Seq(15)]);
    }

    #[test]
    fn keep_age_continues_after_many_unreadable_times() {
        let [old, fresh] = [31 * DAY, 29 * DAY].map(|age| NOW.minus(age).to_string());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        close(open(&path, || NOW));
        let mut file = Connection::open(&path).unwrap();
        let transaction = file.transaction().unwrap();
        // More than are read in time with one look per `STORE_PRUNE_MS`.
        let unreadable = 25 * STORE_PRUNED_AT_ONCE_MAX;
        let times = (1..=unreadable).map(|_| "").chain([&*old, &fresh]);
        for row in (1_u64..).zip(times) {
            transaction.execute("INSERT INTO messages VALUES (?1, 1, ?1, ?2, 'ann', 'text')", row).unwrap();
        }
        transaction.commit().unwrap();
        drop(file);
        let store = open(&path, || NOW);
        let expected = Report::Dropped(MessageId(unreadable + 1));
        assert_eq!(format!("{:?}", next_report(store.reports())), format!("{expected:?}"));
        close(store);
        assert_eq!(ids(&path), [unreadable + 2]);
    }

    #[test]
    fn commit_after_abandon_is_refused_and_stores_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let store = open(&path, || NOW);
        let file = Connection::open(&path).unwrap();
        file.execute_batch("BEGIN IMMEDIATE").unwrap();
        store.commit(vec![past(1, "late")]);
        assert_eq!(store.abandon(), Abandoned::NotStored, "it waits for the file");
        file.execute_batch("ROLLBACK").unwrap();
        let Report::Committed(_, result) = next_report(store.reports()) else { panic!("nothing is deleted") };
        assert_eq!(result, Err("the server is shutting down".to_owned()));
        close(store);
        assert_eq!(ids(&path), [0; 0]);
    }

    /// The caller has not read the report yet, so it does not know that the batch is stored.
    #[test]
    fn abandon_after_unread_commit_is_unknown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let store = open(&path, || NOW);
        commit_at(&store, 1, NOW);
        store.commit(vec![past(2, "stored")]);
        let deadline = Instant::now() + WAIT_MAX;
        while store.reports().is_empty() {
            assert!(Instant::now() < deadline, "there is no report");
            std::thread::yield_now();
        }
        assert_eq!(store.abandon(), Abandoned::Unknown);
        close(store);
        assert_eq!(ids(&path), [1, 2]);
    }

    #[test]
    fn abandon_before_next_commit_begins_is_not_stored() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let store = open(&path, || NOW);
        commit_at(&store, 1, NOW);
        let file = Connection::open(&path).unwrap();
        file.execute_batch("BEGIN IMMEDIATE").unwrap();
        store.commit(vec![past(2, "late")]);
        assert_eq!(store.abandon(), Abandoned::NotStored, "it waits for the file");
        file.execute_batch("ROLLBACK").unwrap();
        close(store);
        assert_eq!(ids(&path), [1]);
    }
}
