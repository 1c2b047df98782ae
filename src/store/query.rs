//! Queries: rows from the store in pages, as fast as the consumer takes them. At most one page of a query waits for its consumer, and the
//! store makes the next page only on request.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::task::{Poll, Waker};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode as SqliteCode, OptionalExtension as _, params};
use rustix::time::{ClockId, clock_gettime};

use super::audit::AuditReader;
use super::hidden::HiddenMessages;
use super::page::{self, EvictedRange, Page, QueryEnd, QueryError};
use super::queue::QueryQueue;
use super::rooms::evicted;
use super::schema::{Seq, key_of};
use super::terms::WordQuery;
use super::{Job, words};
use crate::limits::{HISTORY_SLICE_ROWS, SEARCH_CPU_MS_MAX, SEARCH_FOUND_MAX, SEARCH_STEPS_PER_CHECK, SEARCH_TURNS_MS};
use crate::protocol::{AuditQuery, AuditRecord, MessageId, RoomId, Text};

/// Which messages of a room to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// The last messages, at most this many, in order.
    Last(u64),
    /// The messages with greater ids, in order.
    After(MessageId),
    /// The messages that contain all these words, the newest first, up to [`SEARCH_FOUND_MAX`].
    Words(Text),
}

/// The queues of two threads: one runs searches, the other all other queries.
#[derive(Clone, Debug)]
pub struct QueryQueues {
    pub(super) to_search: mpsc::Sender<Weak<StoreQuery>>,
    pub(super) to_read: mpsc::Sender<Weak<StoreQuery>>,
    pub(super) hidden: HiddenMessages,
    pub(super) audit: Arc<AuditReader>,
}

impl QueryQueues {
    /// Creates a query for messages of `room` with ids up to `until`. The store works on it from the first [`StoreQuery::poll_page`] on, until the
    /// caller drops it. After a poll that was pending, the store wakes `waker` when the page is ready.
    pub fn query(&self, room: RoomId, query: Query, until: MessageId, waker: Waker) -> Arc<StoreQuery> {
        let (position, queue) = match query {
            Query::Last(rows) => {
                (QueryPosition::InOrder(OrderPosition::BeforeStart { at: until, rows }), &self.to_read)
            }
            Query::After(id) => (QueryPosition::InOrder(OrderPosition::After(id)), &self.to_read),
            Query::Words(words) => (QueryPosition::Search(SearchPosition::new(&words, until)), &self.to_search),
        };
        let progress = Mutex::new(QueryProgress { position, page: Page::default(), rows_before: 0 });
        let (queue, hidden) = (queue.clone(), self.hidden.clone());
        Arc::new(StoreQuery { room, until, waker, queue, hidden, progress, next: Mutex::default() })
    }

    /// Reads the newest entries of the audit log that the query asks for, in the order of their numbers. Waits for the disk.
    ///
    /// # Errors
    /// The reason why the file cannot be read.
    pub fn read_audit(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, String> {
        self.audit.read(query)
    }
}

/// A query, shared by the consumer, which takes its pages, and a thread of the store, which makes them. The thread holds a weak
/// reference: the query is freed when the consumer drops it.
#[derive(Debug)]
pub struct StoreQuery {
    room: RoomId,
    /// The last id that the query covers.
    until: MessageId,
    /// Wakes the consumer.
    waker: Waker,
    /// Queue of the thread that runs the query.
    queue: mpsc::Sender<Weak<Self>>,
    hidden: HiddenMessages,
    progress: Mutex<QueryProgress>,
    next: Mutex<PageSlot>,
}

/// The next page for the consumer.
#[derive(Debug, Default)]
struct PageSlot {
    page: Option<Page>,
    is_requested: bool,
    /// `page` is the last page or, if it is `None`, the consumer has taken the last page.
    has_ended: bool,
}

/// The thread's progress with the query.
#[derive(Debug)]
struct QueryProgress {
    position: QueryPosition,
    /// The page being filled.
    page: Page,
    /// Rows on the pages before it.
    rows_before: u64,
}

/// Where a query continues.
#[derive(Debug)]
enum QueryPosition {
    InOrder(OrderPosition),
    Search(SearchPosition),
}

#[derive(Debug)]
enum OrderPosition {
    /// The query still looks for its first message, which is `rows` messages before this one.
    BeforeStart { at: MessageId, rows: u64 },
    /// The query continues with the messages after this one.
    After(MessageId),
}

/// A search continues with the messages up to the id `until`.
#[derive(Debug)]
struct SearchPosition {
    words: WordQuery,
    until: MessageId,
    cpu: Duration,
    /// Number of turns so far.
    turns: usize,
}

/// Result of one turn of a query.
#[derive(Debug, PartialEq, Eq)]
enum TurnResult {
    /// The query needs another turn to fill its page.
    Unfinished,
    /// The page is full; there may be more rows.
    PageFull,
    /// The page is the last one.
    End(QueryEnd),
}

impl StoreQuery {
    /// Returns the next page, or `None` after the last one. If it is not ready, requests it from the store.
    pub fn poll_page(self: &Arc<Self>) -> Poll<Option<Page>> {
        let mut next = lock(&self.next);
        if let Some(page) = next.page.take() {
            return Poll::Ready(Some(page));
        }
        if next.has_ended {
            return Poll::Ready(None);
        }
        if !std::mem::replace(&mut next.is_requested, true) {
            self.enqueue();
        }
        Poll::Pending
    }

    fn enqueue(self: &Arc<Self>) {
        // Fails only when the server ends.
        let _ = self.queue.send(Arc::downgrade(self));
    }

    /// Does one turn's work. Returns whether the query needs another turn to fill its page.
    fn run_turn(&self, connection: &Connection) -> bool {
        let mut progress = lock(&self.progress);
        let QueryProgress { position, page, rows_before } = &mut *progress;
        let turn = match position {
            QueryPosition::InOrder(position) => position.run_turn(connection, self, page, *rows_before),
            QueryPosition::Search(search) => search.run_turn(connection, self, page, *rows_before),
        };
        page.end = match turn {
            Ok(TurnResult::Unfinished) => return true,
            Ok(TurnResult::PageFull) => None,
            Ok(TurnResult::End(end)) => Some(end),
            Err(error) => Some(QueryEnd::Failed(QueryError::Read(error.to_string()))),
        };
        *rows_before += page.len();
        let page = std::mem::take(page);
        drop(progress);
        self.deliver(page);
        false
    }

    /// Ends a search, because the index cannot be read or completed.
    fn fail(&self, why: impl Display) {
        self.deliver(Page::failed(QueryError::Index(why.to_string())));
    }

    fn deliver(&self, mut page: Page) {
        page.shrink();
        let has_ended = page.end.is_some();
        *lock(&self.next) = PageSlot { page: Some(page), is_requested: false, has_ended };
        self.waker.wake_by_ref();
    }

    /// Returns a check that is true when a statement of this query must stop: its CPU time is used up, or its consumer is gone.
    fn stop_check(self: &Arc<Self>) -> impl FnMut() -> bool + Send + 'static {
        let query = Arc::downgrade(self);
        let turn = match &lock(&self.progress).position {
            QueryPosition::Search(search) => search.turn_time(),
            QueryPosition::InOrder(_) => Duration::MAX,
        };
        let end = thread_cpu().saturating_add(turn);
        // The searching thread holds one reference itself.
        move || query.strong_count() <= 1 || thread_cpu() >= end
    }

    /// Counts CPU time as used by the search.
    #[cfg(test)]
    pub(super) fn use_up(&self, time: Duration) {
        if let QueryPosition::Search(search) = &mut lock(&self.progress).position {
            search.cpu = time;
        }
    }
}

/// Locks a mutex, even if a thread panicked while it held the lock: such a fault ends the server anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OrderPosition {
    /// Adds the next messages in order, once their start is known.
    fn run_turn(
        &mut self,
        connection: &Connection,
        query: &StoreQuery,
        page: &mut Page,
        rows_before: u64,
    ) -> rusqlite::Result<TurnResult> {
        let StoreQuery { room, until, .. } = *query;
        let hidden = query.hidden.of(room);
        // In one transaction: a message that is evicted meanwhile is either still in the snapshot, or reported as evicted.
        let snapshot = connection.unchecked_transaction()?;
        let evicted = evicted(&snapshot, room)?;
        if let Self::BeforeStart { at, rows } = *self {
            *self = find_start(&snapshot, room, at, rows, evicted)?;
        }
        let Self::After(after) = *self else { return Ok(TurnResult::Unfinished) };
        let up_to = evicted.min(until);
        if up_to > after {
            let oldest: Option<u64> =
                snapshot.query_row("SELECT min(id) FROM messages WHERE room = ?", [key_of(room)], |row| row.get(0))?;
            let oldest = oldest.map_or(evicted.next(), MessageId);
            page.evicted = Some(EvictedRange { after, up_to, oldest });
        }
        Ok(match page.fill(&snapshot, room, after.max(up_to), until, &hidden)? {
            None => TurnResult::End(QueryEnd::Complete(rows_before + page.len())),
            Some(last) => {
                *self = Self::After(last);
                TurnResult::PageFull
            }
        })
    }
}

/// Looks for the message of the room that is `rows` before `at`, within one slice. Messages up to `evicted` are no longer in the store.
fn find_start(
    snapshot: &Connection,
    room: RoomId,
    at: MessageId,
    rows: u64,
    evicted: MessageId,
) -> rusqlite::Result<OrderPosition> {
    // There cannot be more messages than ids, so these are all.
    if rows >= at.0.saturating_sub(evicted.0) {
        return Ok(OrderPosition::After(evicted));
    }
    let slice = rows.min(HISTORY_SLICE_ROWS);
    let sql = "SELECT id FROM messages WHERE room = ? AND id <= ? ORDER BY id DESC LIMIT 1 OFFSET ?";
    let before = snapshot
        .prepare_cached(sql)?
        .query_row(params![key_of(room), at.0, slice], |row| row.get(0).map(MessageId))
        .optional()?;
    Ok(match before {
        Some(at) if slice < rows => OrderPosition::BeforeStart { at, rows: rows - slice },
        before => OrderPosition::After(before.unwrap_or_default().max(evicted)),
    })
}

impl SearchPosition {
    fn new(words: &Text, until: MessageId) -> Self {
        Self { words: WordQuery::new(words.as_str()), until, cpu: Duration::ZERO, turns: 0 }
    }

    /// CPU time that the next turn may take.
    fn turn_time(&self) -> Duration {
        let left = Duration::from_millis(SEARCH_CPU_MS_MAX).saturating_sub(self.cpu);
        SEARCH_TURNS_MS.get(self.turns).map_or(left, |&turn| left.min(Duration::from_millis(turn)))
    }

    /// Searches for at most one turn, the newest messages first.
    fn run_turn(
        &mut self,
        connection: &Connection,
        query: &StoreQuery,
        page: &mut Page,
        rows_before: u64,
    ) -> rusqlite::Result<TurnResult> {
        if self.words.terms().next().is_none() {
            return Ok(TurnResult::End(QueryEnd::Complete(0)));
        }
        let (start, turn) = (thread_cpu(), self.turn_time());
        let mut is_interrupted = false;
        let hidden = query.hidden.of(query.room);
        let found = words::find(connection, query.room, &self.words, self.until, |mut rows| {
            while let Some(row) = rows.next()? {
                let id: u64 = row.get(0)?;
                self.until = MessageId(id.saturating_sub(1));
                if !hidden.contains(&MessageId(id)) && self.words.accepts(page::string(row, 3)?) {
                    page.push(row, &hidden)?;
                }
                is_interrupted = thread_cpu() >= start + turn;
                if page.is_full() || rows_before + page.len() == SEARCH_FOUND_MAX || is_interrupted {
                    break;
                }
            }
            Ok(())
        });
        self.cpu += thread_cpu().saturating_sub(start);
        let count = rows_before + page.len();
        match found {
            _ if count == SEARCH_FOUND_MAX => return Ok(TurnResult::End(QueryEnd::Complete(count))),
            Err(error) if error.sqlite_error_code() == Some(SqliteCode::OperationInterrupted) => is_interrupted = true,
            Err(error) => return Err(error),
            Ok(()) if page.is_full() => return Ok(TurnResult::PageFull),
            Ok(()) => {}
        }
        if !is_interrupted {
            return Ok(TurnResult::End(QueryEnd::Complete(count)));
        }
        self.turns += 1;
        Ok(if self.turn_time().is_zero() {
            TurnResult::End(QueryEnd::OutOfTime(count))
        } else {
            TurnResult::Unfinished
        })
    }
}

/// CPU time of this thread. Unlike elapsed time, it does not depend on the load of the machine.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// A search that waits until the writer has indexed its words. Dropping it fails the search.
#[derive(Debug)]
pub(super) struct PendingSearch(Weak<StoreQuery>);

impl PendingSearch {
    /// Whether its consumer still waits for it.
    pub(super) fn is_awaited(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// The `seq` of the last message whose words must be in the index.
    pub(super) fn until(&self, connection: &Connection) -> rusqlite::Result<Seq> {
        self.0.upgrade().map_or(Ok(Seq(0)), |query| words::seq_of(connection, query.room, query.until))
    }

    /// Continues the search: the words are in the index.
    pub(super) fn resume(mut self) {
        if let Some(query) = self.take_query() {
            query.enqueue();
        }
    }

    /// Fails the search: the words cannot be indexed.
    pub(super) fn fail(mut self, why: &impl Display) {
        if let Some(query) = self.take_query() {
            query.fail(why);
        }
    }

    fn take_query(&mut self) -> Option<Arc<StoreQuery>> {
        std::mem::take(&mut self.0).upgrade()
    }
}

impl Drop for PendingSearch {
    fn drop(&mut self) {
        if let Some(query) = self.take_query() {
            query.fail("the server is shutting down");
        }
    }
}

/// Runs queries until all [`QueryQueues`] are dropped.
pub(super) fn read(connection: &Connection, requests: mpsc::Receiver<Weak<StoreQuery>>) {
    let mut queue = QueryQueue::new(requests);
    while queue.give_turn(|query| query.run_turn(connection)) {}
}

/// Runs searches until all [`QueryQueues`] are dropped. A search waits until the writer has indexed all words that it needs; meanwhile
/// other searches run.
pub(super) fn search(
    mut connection: Connection,
    requests: mpsc::Receiver<Weak<StoreQuery>>,
    writer: &mpsc::Sender<Job>,
) {
    let mut queue = QueryQueue::new(requests);
    while queue.give_turn(|query| match index_lags_behind(&connection, query) {
        Ok(false) => {
            stop_when(&mut connection, Some(query.stop_check()));
            let is_unfinished = query.run_turn(&connection);
            stop_when(&mut connection, None::<fn() -> bool>);
            is_unfinished
        }
        Ok(true) => {
            drop(writer.send(Job::Index(PendingSearch(Arc::downgrade(query)))));
            false
        }
        Err(error) => {
            query.fail(error);
            false
        }
    }) {}
}

/// Whether the index lacks words of messages that the query covers.
fn index_lags_behind(connection: &Connection, query: &StoreQuery) -> rusqlite::Result<bool> {
    words::index_lags(connection, words::seq_of(connection, query.room, query.until)?)
}

/// Interrupts statements once `check` returns true.
fn stop_when(connection: &mut Connection, check: Option<impl FnMut() -> bool + Send + 'static>) {
    // Fails only on a closed connection.
    let _ = connection.progress_handler(SEARCH_STEPS_PER_CHECK, check);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search_for_tea() -> Arc<StoreQuery> {
        let file = Connection::open_in_memory().unwrap();
        file.execute_batch("CREATE TABLE audit (number)").unwrap();
        let audit = Arc::new(AuditReader::new(file).unwrap().0);
        let queues = QueryQueues {
            to_search: mpsc::channel().0,
            to_read: mpsc::channel().0,
            hidden: HiddenMessages::default(),
            audit,
        };
        queues.query(RoomId::LOBBY, Query::Words(Text::truncated("tea")), MessageId(1), Waker::noop().clone())
    }

    #[test]
    fn search_stops_when_its_consumer_is_gone() {
        let searching = search_for_tea();
        let consumer = Arc::clone(&searching);
        let mut stop = searching.stop_check();
        assert!(!stop());
        drop(consumer);
        assert!(stop());
    }

    #[test]
    fn search_stops_when_its_time_is_used_up() {
        let searching = search_for_tea();
        let _consumer = Arc::clone(&searching);
        searching.use_up(Duration::from_millis(SEARCH_CPU_MS_MAX));
        assert!(searching.stop_check()());
    }

    #[test]
    fn start_of_history_is_found_in_slices() {
        let file = Connection::open_in_memory().unwrap();
        let rows = 3 * HISTORY_SLICE_ROWS + 5;
        // Every third id is a message's.
        let sql = "CREATE TABLE messages (seq INTEGER PRIMARY KEY, room INTEGER, id INTEGER, UNIQUE (room, id));
                   WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ROWS)
                   INSERT INTO messages SELECT i, 1, 3 * i FROM n";
        file.execute_batch(&sql.replace("ROWS", &rows.to_string())).unwrap();
        let find = |count: u64, evicted: u64| {
            let (mut at, mut rows, mut slices) = (MessageId(3 * rows), count, 0);
            loop {
                slices += 1;
                match find_start(&file, RoomId::LOBBY, at, rows, MessageId(evicted)).unwrap() {
                    OrderPosition::BeforeStart { at: next, rows: left } => (at, rows) = (next, left),
                    OrderPosition::After(id) => return (id.0, slices),
                }
            }
        };
        let slice = HISTORY_SLICE_ROWS;
        assert_eq!(find(0, 0), (3 * rows, 1));
        assert_eq!(find(5, 0), (3 * (rows - 5), 1));
        assert_eq!(find(slice, 0), (3 * (rows - slice), 1));
        assert_eq!(find(slice + 1, 0), (3 * (rows - slice - 1), 2));
        assert_eq!(find(3 * slice + 4, 0), (3, 4));
        assert_eq!(find(3 * slice + 5, 0), (0, 4), "all there are");
        assert_eq!(find(3 * slice + 9, 0), (0, 4), "more than there are");
        assert_eq!(find(3 * rows - 1, 0), (0, 2));
        assert_eq!(find(3 * rows, 0), (0, 1), "as many as there are ids, which needs no count");
        assert_eq!(find(u64::MAX, 0), (0, 1));
        assert_eq!(find(3 * slice, 3 * rows - 30), (3 * rows - 30, 1), "nothing is counted that was evicted");
    }
}
