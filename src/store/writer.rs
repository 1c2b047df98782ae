//! The writing thread: commits messages, indexes their words when there is time, and evicts messages beyond `--keep`. Only this thread
//! waits for the disk.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_channel::Sender;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use rustix::time::{ClockId, clock_gettime};

use super::clock::{ClockChange, ClockReading, TrustedClock};
use super::clock_notes::{
    TimeShift, clock_notes, doubted_messages, note_clock, note_doubted, note_time_shift, remove_clock_notes,
    time_shifts,
};
use super::file::{LAST_SEQ, StoreFile, checkpoint, free_pages, last_seq, note_clean_shutdown};
use super::indexing_log::IndexingLog;
use super::schema::{Seq, key_of, set_state};
use super::store_path::Displaced;
use super::wal::{WalBound, checkpoint_within};
use super::{
    Batch, CommitFailure, CommitFate, Job, Now, PendingSearch, Report, Retention, StoredMessage, accounts, audit,
    deletion, log, moderation, rooms, words,
};
use crate::limits::{
    CLOCK_STEP_SECONDS_MAX, STORE_BATCH_INDEXED_BYTES, STORE_BATCH_INDEXED_MAX, STORE_INDEX_MS,
    STORE_PAGES_FREED_AT_ONCE_MAX, STORE_PRUNE_MS, STORE_PRUNED_AT_ONCE_MAX,
};
use crate::protocol::{RoomId, Text, Timestamp};

/// State of the writing thread.
pub(super) struct StoreWriter {
    file: StoreFile,
    keep: Retention,
    now: Now,
    clock: TrustedClock,
    ages: MessageAges,
    /// Whether the last time shift is not in the file yet. The notes about the clock must not be written without it.
    is_shift_new: bool,
    /// Time of the steady clock at which the notes about the clock are due; a commit writes them earlier.
    clock_noted_until: Duration,
    wal: WalBound,
    /// Whether the log has reported that a file is not where it was.
    is_displaced: bool,
    gate: Arc<CommitGate>,
    /// The last stored message.
    stored: Seq,
    count: u64,
    indexing_log: IndexingLog,
    /// The searches that wait until words are indexed.
    searches: Vec<PendingSearch>,
}

/// Corrections to the times of messages, from which their ages follow.
#[derive(Debug, Default)]
struct MessageAges {
    /// The messages that were stored while the clock was doubted.
    doubted: Vec<RangeInclusive<Seq>>,
    time_shifts: Vec<TimeShift>,
    /// The ages of all messages up to this one are unknown: they need not be read again.
    unknown_up_to: Seq,
}

/// Lets the hub prevent a commit that has not begun, so that it knows what happens to the messages.
#[derive(Debug, Default)]
pub(super) struct CommitGate(AtomicU8);

impl CommitGate {
    const OPEN: u8 = 0;
    /// The commit has begun, and may have succeeded.
    const BEGUN: u8 = 1;
    const CLOSED: u8 = 2;

    /// Prepares for the next batch. The result of the previous one must be known.
    pub(super) fn reopen(&self) {
        // Fails if no batch was committed since, or if the gate is closed, which it then remains.
        let _ = self.step(Self::BEGUN, Self::OPEN);
    }

    pub(super) fn close(&self) -> CommitFate {
        match self.0.swap(Self::CLOSED, Ordering::SeqCst) {
            Self::BEGUN => CommitFate::Unknown,
            _ => CommitFate::NotStored,
        }
    }

    fn run_commit<T>(&self, commit: impl FnOnce() -> rusqlite::Result<T>) -> Result<T, CommitError> {
        self.step(Self::OPEN, Self::BEGUN).map_err(|_| CommitError::Stopped)?;
        Ok(commit()?)
    }

    fn step(&self, from: u8, to: u8) -> Result<u8, u8> {
        self.0.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
    }
}

/// Why a batch was not committed. Its authors read the text.
#[derive(Debug)]
enum CommitError {
    /// Is logged by `check_path`.
    Displaced(Displaced),
    Stopped,
    /// The file lacks a room of the batch.
    NoRoom,
    /// The file lacks an account that the batch changes.
    NoAccount,
    Sqlite(rusqlite::Error),
}

impl CommitError {
    fn into_failure(self) -> CommitFailure {
        CommitFailure {
            reason: self.to_string(),
            should_log: matches!(self, Self::NoRoom | Self::NoAccount | Self::Sqlite(_)),
        }
    }
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
            Self::Stopped => f.write_str("the server is shutting down"),
            Self::NoRoom => f.write_str("the store's file lacks a room that has messages"),
            Self::NoAccount => f.write_str("the store's file lacks an account that was changed"),
            Self::Sqlite(error) => error.fmt(f),
        }
    }
}

/// The work that is pending while no job waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PendingWork {
    /// Do it now, a part between any two jobs.
    Urgent,
    /// Do it once no job has arrived for a while.
    Deferred,
    /// None; or it failed, and is tried again later.
    Nothing,
}

impl StoreWriter {
    pub(super) fn new(file: StoreFile, keep: Retention, now: Now, gate: Arc<CommitGate>) -> rusqlite::Result<Self> {
        let stored = last_seq(&file.connection)?;
        let count = if let Retention::Count(_) = keep {
            file.connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?
        } else {
            0
        };
        let age = if let Retention::Age(age) = keep { Some(age) } else { None };
        let clock = TrustedClock::resume(age, clock_notes(&file.connection)?, read_clocks(now));
        let ages = MessageAges {
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
            indexing_log: IndexingLog::default(),
            searches: Vec::new(),
        })
    }

    /// Runs jobs until it is closed, or all senders are dropped.
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>, to_hub: &Sender<Report>) {
        let mut left = PendingWork::Urgent;
        loop {
            let pause_ms = match left {
                PendingWork::Urgent => 0,
                PendingWork::Deferred => STORE_INDEX_MS,
                PendingWork::Nothing => STORE_PRUNE_MS,
            };
            let mut committed = 0;
            match jobs.recv_timeout(Duration::from_millis(pause_ms)) {
                Ok(Job::Commit(batch)) => {
                    let result = self.commit(&batch).map_err(CommitError::into_failure);
                    committed = batch.messages.len();
                    if to_hub.send_blocking(Report::Committed(batch, result)).is_err() {
                        return;
                    }
                }
                Ok(Job::Index(search)) => self.searches.push(search),
                Ok(Job::Close) => return self.close(),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            self.observe_clock();
            if let Err(displaced) = self.check_path() {
                self.searches.drain(..).for_each(|search| search.fail(&displaced));
                left = PendingWork::Nothing;
                continue;
            }
            let evicted = self.evict_surplus(2 * committed as u64, to_hub);
            let indexed = self.index(committed <= STORE_BATCH_INDEXED_MAX);
            left = evicted.unwrap_or(PendingWork::Nothing).min(indexed.unwrap_or(PendingWork::Nothing));
            // A failure here also fails the next commit, and the authors of its messages get an error.
            let _ = self.note_clock_in_time();
            let _ = self.wal.limit_size(&self.file);
            if self.wal.has_deleted_texts() {
                left = left.min(PendingWork::Deferred);
            }
        }
    }

    /// Commits a batch. Returns for each of its own deletions whether the message is its author's.
    fn commit(&mut self, batch: &Batch) -> Result<Vec<bool>, CommitError> {
        if !deletion::is_in(batch) {
            return self.commit_batch(batch);
        }
        deletion::begin_overwriting(&self.file.connection)?;
        let result = self.commit_batch(batch);
        self.wal.keep_no_deleted_texts();
        // A failure here costs only time later.
        let _ = deletion::end_overwriting(&self.file.connection);
        result
    }

    fn commit_batch(&mut self, batch: &Batch) -> Result<Vec<bool>, CommitError> {
        let messages = &batch.messages;
        self.check_path().map_err(CommitError::Displaced)?;
        let now = self.observe_clock();
        let before = last_seq(&self.file.connection)?;
        let stored = Seq(before.0 + messages.len() as u64);
        let is_doubted = !self.clock.is_trusted() && !messages.is_empty();
        let doubted = is_doubted.then(|| self.doubted_range(Seq(before.0 + 1)..=stored));
        let bytes: usize = messages.iter().map(|(_, message)| text_of(message).len()).sum();
        let with_words = messages.len() <= STORE_BATCH_INDEXED_MAX
            && bytes <= STORE_BATCH_INDEXED_BYTES
            && !words::index_lags(&self.file.connection, self.stored).unwrap_or_default();
        let transaction = self.file.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        insert_messages(&transaction, before, messages)?;
        if with_words {
            words::index_messages(&transaction, stored)?;
        }
        set_state(&transaction, LAST_SEQ, stored)?;
        if !rooms::apply(&transaction, batch)? {
            return Err(CommitError::NoRoom);
        }
        if !accounts::apply(&transaction, &batch.accounts)? {
            return Err(CommitError::NoAccount);
        }
        moderation::apply(&transaction, &batch.moderation)?;
        let deleted = deletion::apply_own(&transaction, &batch.own_deletions)?;
        audit::insert(&transaction, &batch.audit)?;
        note_clock(&transaction, self.clock.notes(now))?;
        note_new_shift(&transaction, &self.ages, self.is_shift_new)?;
        if let Some(range) = &doubted {
            note_doubted(&transaction, range)?;
        }
        self.gate.run_commit(|| transaction.commit())?;
        self.clock_noted_until = now.steady + self.clock.note_interval();
        self.is_shift_new = false;
        if let Some(range) = doubted {
            self.ages.doubted.retain(|before| before.start() != range.start());
            self.ages.doubted.push(range);
        }
        self.stored = stored;
        self.count += messages.len() as u64;
        Ok(deleted)
    }

    /// Indexes some messages, if there is time or if a search waits for them. Returns the pending work.
    fn index(&mut self, has_time: bool) -> rusqlite::Result<PendingWork> {
        self.searches.retain(PendingSearch::is_awaited);
        let left = self.index_some(has_time);
        match &left {
            Ok(PendingWork::Nothing) => self.searches.drain(..).for_each(PendingSearch::resume),
            Ok(_) => {}
            Err(error) => self.searches.drain(..).for_each(|search| search.fail(error)),
        }
        left
    }

    fn index_some(&mut self, has_time: bool) -> rusqlite::Result<PendingWork> {
        let connection = &self.file.connection;
        // Other programs that write to the file may have added messages.
        let mut last = self.stored;
        for search in &self.searches {
            last = last.max(search.until(connection)?);
        }
        if !words::index_lags(connection, last)? {
            self.indexing_log.ends();
            return Ok(PendingWork::Nothing);
        }
        if !has_time && self.searches.is_empty() && !words::index_lags_far(connection, last)? {
            return Ok(PendingWork::Deferred);
        }
        let transaction = connection.unchecked_transaction()?;
        words::index_messages(&transaction, last)?;
        transaction.commit()?;
        if !words::index_lags(connection, last)? {
            self.indexing_log.ends();
            return Ok(PendingWork::Nothing);
        }
        self.indexing_log.goes_on(last.0.saturating_sub(words::indexed(connection)?.0));
        Ok(PendingWork::Urgent)
    }

    /// Evicts some of the surplus messages, up to `at_least` or a fixed number, and reports it. Returns the pending work.
    fn evict_surplus(&mut self, at_least: u64, to_hub: &Sender<Report>) -> rusqlite::Result<PendingWork> {
        if self.keep == Retention::All {
            return Ok(PendingWork::Nothing);
        }
        let trusted_time = self.clock.trusted_time();
        let transaction = self.file.connection.transaction()?;
        let at_once = at_least.max(STORE_PRUNED_AT_ONCE_MAX);
        let last = match self.keep {
            Retention::Age(age) => {
                let Some(now) = trusted_time else { return Ok(PendingWork::Nothing) };
                let unknown_before = self.ages.unknown_up_to;
                let last = last_too_old(&transaction, age, now, &mut self.ages, at_once)?;
                if last.is_none() && self.ages.unknown_up_to != unknown_before {
                    return Ok(PendingWork::Urgent);
                }
                last
            }
            keep => last_surplus(&transaction, keep, self.count, at_once)?,
        };
        let Some(last) = last else { return Ok(PendingWork::Nothing) };
        let evicted = rooms::set_evicted(&transaction, last)?;
        let count = delete_up_to(&transaction, last)?;
        if count == 0 {
            return Ok(PendingWork::Nothing);
        }
        remove_clock_notes(&transaction, last)?;
        transaction.commit()?;
        self.ages.doubted.retain(|messages| *messages.end() > last);
        self.ages.time_shifts.retain(|shift| shift.last > last);
        self.count = self.count.saturating_sub(count);
        let _ = to_hub.send_blocking(Report::Evicted(evicted));
        free_pages(&self.file.connection, Some(STORE_PAGES_FREED_AT_ONCE_MAX))?;
        self.file.store_path.accept_vacuum(&self.file.connection)?;
        Ok(PendingWork::Urgent)
    }

    /// Reads both clocks. With `--keep AGE`, logs when the wall clock becomes trusted or doubted.
    fn observe_clock(&mut self) -> ClockReading {
        let now = read_clocks(self.now);
        let change = self.clock.observe(now);
        if let Some(ClockChange::Trusted { ahead_ms }) = change {
            self.shift_times(ahead_ms);
        }
        match change.filter(|_| matches!(self.keep, Retention::Age(_))) {
            Some(ClockChange::Doubted(expected)) => log::clock_doubted(now.wall, expected, self.clock.trial_left()),
            Some(ClockChange::TrialEndsIn(left)) => log::clock_trial_ends(now.wall, left),
            Some(ClockChange::Trusted { .. }) => log::clock_trusted(now.wall),
            None => {}
        }
        now
    }

    /// Records how far the reference of all stored messages was behind the clock. The file has it with the next notes about the clock;
    /// until then, it has the old reference and the doubt.
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
    fn doubted_range(&self, messages: RangeInclusive<Seq>) -> RangeInclusive<Seq> {
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
    fn check_path(&mut self) -> Result<(), Displaced> {
        let checked = self.file.store_path.check(&self.file.connection);
        if let Err(displaced) = &checked {
            if !std::mem::replace(&mut self.is_displaced, true) {
                log::displaced(displaced);
            }
            if displaced.is_truncated() {
                // A checkpoint would add to the damage, so SQLite must not make one when it closes either.
                let _ = self.file.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
                return checked;
            }
            // The file must have all messages, wherever it is now. And no `-wal` may remain that SQLite could take for the log of another
            // file at the same path.
            let _ = checkpoint_within(&self.file.connection, 0);
        } else {
            self.is_displaced = false;
        }
        checked
    }

    fn close(mut self) {
        if self.check_path().is_err() {
            return;
        }
        self.observe_clock();
        self.clock_noted_until = Duration::ZERO;
        // If this fails, the next start may doubt the clock or begin a new epoch; nothing is lost.
        let _ = self.note_clock_in_time();
        let _ = note_clean_shutdown(&self.file.connection);
        let _ = checkpoint(&self.file.connection);
    }
}

/// Writes the last time shift into the file if it is new.
fn note_new_shift(connection: &Connection, ages: &MessageAges, is_new: bool) -> rusqlite::Result<()> {
    ages.time_shifts.last().filter(|_| is_new).map_or(Ok(()), |shift| note_time_shift(connection, *shift))
}

/// Reads both clocks. The steady clock advances while the machine sleeps.
fn read_clocks(now: Now) -> ClockReading {
    let since_boot = clock_gettime(ClockId::Boottime);
    ClockReading { wall: now(), steady: since_boot.try_into().unwrap_or_default() }
}

/// Inserts messages after the one with the `seq` `before`.
fn insert_messages(
    transaction: &Transaction<'_>,
    before: Seq,
    messages: &[(RoomId, StoredMessage)],
) -> rusqlite::Result<()> {
    let Some((_, StoredMessage { past: first, .. })) = messages.first() else { return Ok(()) };
    let sql = "INSERT INTO messages (seq, room, id, time, name, text, account) VALUES (?, ?, ?, ?, ?, ?, ?)";
    let mut row = transaction.prepare_cached(sql)?;
    // Most of the messages of a batch have the same time.
    let (mut at, mut time) = (first.at, first.at.to_string());
    for (seq, (room, message)) in (before.0 + 1..).zip(messages) {
        let StoredMessage { past, account } = message;
        if past.at != at {
            (at, time) = (past.at, past.at.to_string());
        }
        let account = account.map(|account| account.0);
        row.execute(params![seq, key_of(*room), past.id.0, time, past.name.as_str(), text_of(message), account])?;
    }
    Ok(())
}

fn text_of(message: &StoredMessage) -> &str {
    message.past.text.as_ref().map_or("", Text::as_str)
}

/// Deletes the messages up to this one. Returns their number.
fn delete_up_to(transaction: &Transaction<'_>, last: Seq) -> rusqlite::Result<u64> {
    words::remove(transaction, last)?;
    let sql = "DELETE FROM messages WHERE seq <= ?";
    transaction.prepare_cached(sql)?.execute([last.0]).map(|count| count as u64)
}

/// The last message to delete now, if `count` are stored: only a part of the surplus, so that no commit waits long.
fn last_surplus(
    transaction: &Transaction<'_>,
    keep: Retention,
    count: u64,
    at_once: u64,
) -> rusqlite::Result<Option<Seq>> {
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
            // The messages may be few and long: at most half of them are evicted.
            let sql = "SELECT count(*) FROM (SELECT 1 FROM messages LIMIT ?)";
            let count: u64 = transaction.query_row(sql, [2 * at_once], |row| row.get(0))?;
            if used > bytes { nth_oldest((count / 2).saturating_sub(1))? } else { None }
        }
    })
}

/// The last message of the leading run of messages that are all older than `age`. Reads at most `count_max` messages after each range of
/// doubted ones. If all of them have unknown ages, the next call continues after them.
///
/// The age of a message is unknown if it was stored while the clock was doubted, or if its time is unreadable or in the future.
/// It is deleted together with the next message that is too old.
fn last_too_old(
    transaction: &Transaction<'_>,
    age: Duration,
    now: Timestamp,
    ages: &mut MessageAges,
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
            // Other programs may have written a value that is not text.
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

impl MessageAges {
    /// How far the reference of this message was behind the present one, in milliseconds.
    fn ahead_ms(&self, message: Seq) -> i64 {
        let later = self.time_shifts.iter().filter(|shift| shift.last >= message);
        later.fold(0, |sum: i64, shift| sum.saturating_add(shift.ahead_ms))
    }
}

#[cfg(test)]
mod tests;
