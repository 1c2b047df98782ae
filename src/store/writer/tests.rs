//! Tests of `--keep AGE` under right and wrong clocks, and of stopping commits.

use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::time::Instant;

use super::*;
use crate::protocol::{MessageId, Token};
use crate::store::tests::{NOW, WAIT_MAX, close, commit, lobby_batch, next_report, past};
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
    commit(
        store,
        vec![StoredMessage { past: crate::protocol::PastMessage { at, ..past(id, "text").past }, account: None }],
    );
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
        file.execute(
            "INSERT INTO messages (seq, room, id, time, name, text) VALUES (?1, 1, ?1, ?2, 'ann', 'text')",
            row,
        )
        .unwrap();
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
fn keep_age_deletes_only_the_leading_run() {
    let [old, fresh] = [31 * DAY, 29 * DAY].map(|age| NOW.minus(age).to_string());
    let kept = |times: &[&str]| kept(times, Some(NOW), || NOW);
    assert_eq!(kept(&[&old, &old, &fresh, &old, &fresh]), [3, 4, 5]);
    assert_eq!(kept(&[&fresh, &old, &old]), [1, 2, 3]);
    assert_eq!(kept(&[&old, &old]), [0; 0]);
}

#[test]
fn message_with_impossible_time_is_deleted_with_its_successors() {
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
fn messages_stored_under_wrong_clock_are_deleted_with_successors() {
    static CLOCK: AtomicI64 = AtomicI64::new(NOW.0);
    let now = || Timestamp(CLOCK.load(Ordering::SeqCst));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    close(open(&path, now));
    for (id, clock) in [(1, NOW.minus(2 * YEAR)), (2, NOW.minus(YEAR)), (3, NOW), (4, NOW.plus(2 * YEAR)), (5, NOW)] {
        CLOCK.store(clock.0, Ordering::SeqCst);
        let store = open(&path, now);
        commit_at(&store, id, clock);
        close(store);
    }
    assert_eq!(ids(&path), [1, 2, 3, 4, 5]);
    // A month later, only the first message with a right time shows the age of the messages before it.
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
fn keep_age_ignores_clock_wrong_at_start() {
    let [old, fresh] = [31 * DAY, 29 * DAY].map(|age| NOW.minus(age).to_string());
    let times = [&*old, &fresh, &fresh];
    for (name, closed_at) in [("closed by us", Some(NOW)), ("closed by an older version", None)] {
        // Without a note, the time of the newest message is the reference.
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
fn keep_age_ignores_clock_jump_and_return() {
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
    // Old messages are evicted once more between two commits.
    commit_at(&store, 22, NOW);
    commit_at(&store, 23, NOW);
    close(store);
    assert_eq!(ids(&path), (1..=23).collect::<Vec<_>>());
}

/// Opens the store when the clock shows `at`, and commits messages with that time.
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
fn trial_of_wrong_clock_is_not_credited_to_another() {
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
fn begin_under_wrong_clock(path: &Path, clock: &AtomicI64, now: Now, wrong: Timestamp) {
    session(path, clock, now, wrong, 1..=5);
    session(path, clock, now, NOW, 6..=7);
    set_number(path, "clock_steady_ms", TRIAL_MS);
    session(path, clock, now, NOW, 8..=9);
    assert_eq!(clock_notes(&Connection::open(path).unwrap()).unwrap().doubted, None, "the trial is over");
}

#[test]
fn messages_stored_under_wrong_reference_keep_their_age() {
    static CLOCK: AtomicI64 = AtomicI64::new(NOW.0);
    let now = || Timestamp(CLOCK.load(Ordering::SeqCst));
    for wrong in [NOW.minus(2 * YEAR), NOW.plus(2 * YEAR)] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        begin_under_wrong_clock(&path, &CLOCK, now, wrong);
        assert_eq!(ids(&path), (1..=9).collect::<Vec<_>>());
        // Again, from the notes in the file.
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
fn age_excludes_a_long_pause() {
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
    begin_under_wrong_clock(&path, &CLOCK, now, NOW.minus(2 * YEAR));
    let later = NOW.plus(2 * YEAR);
    session(&path, &CLOCK, now, later, 10..=11);
    set_number(&path, "clock_steady_ms", TRIAL_MS);
    session(&path, &CLOCK, now, later, 12..=13);
    assert_eq!(ids(&path), (1..=13).collect::<Vec<_>>());
    // And two shifts without a message in between.
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
    // More messages than can be read in time with one look per `STORE_PRUNE_MS`.
    let unreadable = 25 * STORE_PRUNED_AT_ONCE_MAX;
    let times = (1..=unreadable).map(|_| "").chain([&*old, &fresh]);
    for row in (1_u64..).zip(times) {
        transaction
            .execute(
                "INSERT INTO messages (seq, room, id, time, name, text) VALUES (?1, 1, ?1, ?2, 'ann', 'text')",
                row,
            )
            .unwrap();
    }
    transaction.commit().unwrap();
    drop(file);
    let store = open(&path, || NOW);
    let expected = Report::Evicted(vec![(RoomId::LOBBY, MessageId(unreadable + 1))]);
    assert_eq!(format!("{:?}", next_report(store.reports())), format!("{expected:?}"));
    close(store);
    assert_eq!(ids(&path), [unreadable + 2]);
}

#[test]
fn commit_after_stop_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let store = open(&path, || NOW);
    let file = Connection::open(&path).unwrap();
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.commit(lobby_batch(vec![past(1, "late")]));
    assert_eq!(store.stop_commits(), CommitFate::NotStored, "it waits for the file");
    file.execute_batch("ROLLBACK").unwrap();
    let Report::Committed(_, result) = next_report(store.reports()) else { panic!("nothing is deleted") };
    let failure = CommitFailure { reason: "the server is shutting down".to_owned(), should_log: false };
    assert_eq!(result, Err(failure));
    close(store);
    assert_eq!(ids(&path), [0; 0]);
}

/// The caller has not read the report yet, so it does not know that the batch is stored.
#[test]
fn stop_after_unread_commit_is_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let store = open(&path, || NOW);
    commit_at(&store, 1, NOW);
    store.commit(lobby_batch(vec![past(2, "stored")]));
    let deadline = Instant::now() + WAIT_MAX;
    while store.reports().is_empty() {
        assert!(Instant::now() < deadline, "no report of the store");
        std::thread::yield_now();
    }
    assert_eq!(store.stop_commits(), CommitFate::Unknown);
    close(store);
    assert_eq!(ids(&path), [1, 2]);
}

#[test]
fn stop_before_next_commit_is_not_stored() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let store = open(&path, || NOW);
    commit_at(&store, 1, NOW);
    let file = Connection::open(&path).unwrap();
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.commit(lobby_batch(vec![past(2, "late")]));
    assert_eq!(store.stop_commits(), CommitFate::NotStored, "it waits for the file");
    file.execute_batch("ROLLBACK").unwrap();
    close(store);
    assert_eq!(ids(&path), [1]);
}
