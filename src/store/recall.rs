//! Answers queries from the store, at the speed at which the client reads: at most one page waits for each client that sent a
//! query or fell behind.

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode as SqliteCode, OptionalExtension as _, Row, params};
use rustix::time::{ClockId, clock_gettime};

use super::file::{LOBBY, evicted};
use super::queue::QueryQueue;
use super::terms::WordQuery;
use super::{Job, Now, words};
use crate::feed::{Missed, Next, Outbox, Pieces};
use crate::limits::{
    HISTORY_SLICE_ROWS, RECALL_PAGE_BYTES, SEARCH_CPU_MS_MAX, SEARCH_FOUND_MAX, SEARCH_STEPS_PER_CHECK, SEARCH_TURNS_MS,
};
use crate::protocol::{
    Dialect, ErrorCode, Event, EventId, Hint, Mode, Refusal, Replayed, Reply, ServerLine, Tag, Text, Verb, made_safe,
};
use crate::session::Query;

/// The queues of two threads: one searches, the other answers all other queries.
#[derive(Clone, Debug)]
pub struct QueryQueues {
    pub(super) to_search: mpsc::Sender<Weak<StoreQuery>>,
    pub(super) to_read: mpsc::Sender<Weak<StoreQuery>>,
}

impl QueryQueues {
    fn ask(&self, query: &Arc<StoreQuery>) {
        let queue = match query.what {
            What::Answer(Query::Words(_), _) => &self.to_search,
            _ => &self.to_read,
        };
        // Fails only when the server ends.
        let _ = queue.send(Arc::downgrade(query));
    }
}

/// A query to the store, answered page by page. It is dropped once only its queue holds it: then its client is gone.
#[derive(Debug)]
pub struct StoreQuery {
    what: What,
    /// The last message before the answer's place in the order.
    until: EventId,
    dialect: Dialect,
    /// Of the connection that waits for the answer.
    outbox: Weak<Outbox>,
    queues: QueryQueues,
    progress: Mutex<Progress>,
    answer: Mutex<Answer>,
}

#[derive(Debug)]
enum What {
    /// A command: `PAST` lines and the final reply, for a session of this mode.
    Answer(Query, Mode),
    /// The messages that a slow client missed, as events. `Now` is the clock for notices among them.
    Missed(Now),
}

/// The part of the answer that waits for the client's connection.
#[derive(Debug, Default)]
struct Answer {
    page: Option<Arc<[u8]>>,
    /// The next page has been requested.
    is_asked: bool,
    /// There are no more pages: the answer is complete (true), or the store could not be read (false).
    ended: Option<bool>,
}

/// The answering thread's progress with the query.
#[derive(Debug)]
struct Progress {
    page: Page,
    position: Position,
}

/// Where a query continues.
#[derive(Debug)]
enum Position {
    /// `HISTORY`, which still looks for its first message, `rows` before this one.
    Start { at: EventId, rows: u64 },
    /// At the messages after this one.
    After(EventId),
    /// `SEARCH`, at the messages up to an id.
    Search(SearchPosition),
}

#[derive(Debug)]
struct SearchPosition {
    query: WordQuery,
    until: EventId,
    cpu: Duration,
    /// Turns that ended before the search did.
    turns: usize,
}

/// Result of one turn of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The query needs another turn before there is something to send.
    Unfinished,
    /// A page is full; there may be more.
    Page,
    /// The answer is complete.
    Complete,
    /// The store cannot be read.
    Failed,
}

impl StoreQuery {
    /// A query of the connection of `outbox`, for messages up to the id `until`.
    pub fn new(
        query: Query,
        until: EventId,
        dialect: Dialect,
        mode: Mode,
        outbox: Weak<Outbox>,
        queues: QueryQueues,
    ) -> Self {
        let position = match &query {
            Query::Last(count) => Position::Start { at: until, rows: *count },
            Query::Since(id) => Position::After(*id),
            Query::Words(words) => Position::Search(SearchPosition {
                query: WordQuery::new(words.as_str()),
                until,
                cpu: Duration::ZERO,
                turns: 0,
            }),
        };
        Self::at(position, What::Answer(query, mode), until, dialect, outbox, queues)
    }

    /// The messages that the connection of `outbox` missed, as it would have read them.
    pub fn of_missed(missed: Missed, now: Now, outbox: Weak<Outbox>, queues: QueryQueues) -> Self {
        let Missed { dialect, after, until } = missed;
        let query = Self::at(Position::After(after), What::Missed(now), until, dialect, outbox, queues);
        query.lock_answer().ended = (until <= after).then_some(true);
        query
    }

    fn at(
        position: Position,
        what: What,
        until: EventId,
        dialect: Dialect,
        outbox: Weak<Outbox>,
        queues: QueryQueues,
    ) -> Self {
        let progress = Mutex::new(Progress { page: Page::new(dialect), position });
        Self { what, until, dialect, outbox, queues, progress, answer: Mutex::default() }
    }

    fn lock_answer(&self) -> MutexGuard<'_, Answer> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a slice of the work. Returns whether the query needs another turn before there is something to send.
    fn advance(&self, connection: &Connection) -> bool {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = match &self.what {
            What::Answer(query, mode) => self.answer(query, *mode, connection, &mut progress),
            What::Missed(now) => self.make_up(*now, connection, &mut progress),
        };
        if turn == Turn::Unfinished {
            return true;
        }
        let page = progress.page.take_text();
        drop(progress);
        self.hand_out(page, turn);
        false
    }

    /// Tells a statement of this query to stop: its CPU time is used up, or its client is gone.
    fn stop_check(self: &Arc<Self>) -> impl FnMut() -> bool + Send + 'static {
        let query = Arc::downgrade(self);
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = if let Position::Search(search) = &progress.position { search.turn() } else { Duration::MAX };
        let end = thread_cpu().saturating_add(turn);
        // The thread that searches holds the query, too.
        move || query.strong_count() <= 1 || thread_cpu() >= end
    }

    /// Counts CPU time as used by the search.
    #[cfg(test)]
    pub(super) fn use_up(&self, time: Duration) {
        let mut progress = self.progress.lock().unwrap();
        if let Position::Search(search) = &mut progress.position {
            search.cpu = time;
        }
    }

    /// Refuses a search because words cannot be indexed or read.
    fn fail(&self, why: impl Display) {
        let mut page = Page::new(self.dialect);
        let why = format!("the words of what was stored last cannot be looked for now: {why}");
        page.line(Refusal::new(Verb::Search, ErrorCode::StoreFailed, why));
        self.hand_out(page.take_text(), Turn::Complete);
    }

    fn hand_out(&self, page: Option<Arc<[u8]>>, turn: Turn) {
        let ended = match turn {
            Turn::Complete => Some(true),
            Turn::Failed => Some(false),
            Turn::Page | Turn::Unfinished => None,
        };
        *self.lock_answer() = Answer { page, is_asked: false, ended };
        if let Some(outbox) = self.outbox.upgrade() {
            outbox.wake();
        }
    }

    /// Continues the answer to a command.
    fn answer(&self, query: &Query, mode: Mode, connection: &Connection, progress: &mut Progress) -> Turn {
        let (verb, found) = match query {
            Query::Last(_) => (Verb::History, self.look_up(Reply::History, connection, progress)),
            Query::Since(_) => (Verb::Since, self.look_up(Reply::Since, connection, progress)),
            Query::Words(_) => (Verb::Search, search_on(connection, progress)),
        };
        let page = &mut progress.page;
        match found {
            Ok(Found::Unfinished) => return Turn::Unfinished,
            Ok(Found::Page) => return Turn::Page,
            Ok(Found::All(reply)) => page.line(reply),
            Ok(Found::Evicted(oldest)) => page.line(ServerLine::Err(Refusal::too_old(verb, oldest)).in_mode(mode)),
            Ok(Found::OutOfTime) => page.line(search_timeout(page.count)),
            Err(error) => {
                let why = format!("the store cannot be read now: {error}");
                page.line(Refusal::new(verb, ErrorCode::StoreFailed, why));
            }
        }
        Turn::Complete
    }

    /// Continues with the messages that the client missed.
    fn make_up(&self, now: Now, connection: &Connection, progress: &mut Progress) -> Turn {
        let Progress { page, position } = progress;
        let mut look_up = || {
            let look = connection.unchecked_transaction()?;
            let from = position.last_id();
            let gone = evicted(&look)?.min(self.until);
            if gone > from {
                let text =
                    format!("what was said after {}, up to {}, is no longer kept, and is missing here", from.0, gone.0);
                page.event(Tag { id: None, at: now() }, &Event::Notice(Text::ours(&text)));
            }
            let tell = |id: u64, time: &str, name: &str, text: &str| {
                if self.dialect.tags { format!("@{id} {time} MSG {name} {text}") } else { format!("MSG {name} {text}") }
            };
            page.fill_in_order(&look, from.max(gone), self.until, tell)
        };
        match look_up() {
            Ok(None) => Turn::Complete,
            Ok(Some(last)) => {
                *position = Position::After(last);
                Turn::Page
            }
            Err(_) => Turn::Failed,
        }
    }

    /// Continues with the messages in order, once their start is known.
    fn look_up(
        &self,
        reply: fn(Replayed) -> Reply,
        connection: &Connection,
        progress: &mut Progress,
    ) -> rusqlite::Result<Found> {
        // One snapshot: messages that are evicted meanwhile are still in it, or are reported as evicted.
        let look = connection.unchecked_transaction()?;
        let evicted = evicted(&look)?;
        if let Position::Start { at, rows } = progress.position {
            progress.position = find_start(&look, at, rows, evicted)?;
            if matches!(progress.position, Position::Start { .. }) {
                return Ok(Found::Unfinished);
            }
        }
        let from = progress.position.last_id();
        if evicted > from {
            let oldest: Option<u64> =
                look.query_row("SELECT min(id) FROM messages WHERE room = ?", [LOBBY], |row| row.get(0))?;
            return Ok(Found::Evicted(oldest.map_or(evicted.next(), EventId)));
        }
        Ok(match progress.page.fill_in_order(&look, from, self.until, past)? {
            None => Found::All(reply(Replayed { count: progress.page.count, last: self.until })),
            Some(last) => {
                progress.position = Position::After(last);
                Found::Page
            }
        })
    }
}

/// Result of a look at the store.
enum Found {
    /// Not enough for a page yet.
    Unfinished,
    /// A full page; there may be more.
    Page,
    /// The last page; this is the reply.
    All(Reply),
    /// Some of the requested messages are no longer kept; this id is the oldest that is.
    Evicted(EventId),
    /// The search has used up its time.
    OutOfTime,
}

impl SearchPosition {
    /// CPU time that the next turn may take.
    fn turn(&self) -> Duration {
        let left = Duration::from_millis(SEARCH_CPU_MS_MAX).saturating_sub(self.cpu);
        SEARCH_TURNS_MS.get(self.turns).map_or(left, |&turn| left.min(Duration::from_millis(turn)))
    }
}

impl Position {
    fn last_id(&self) -> EventId {
        match self {
            Self::After(id) => *id,
            Self::Start { .. } | Self::Search(_) => EventId::default(),
        }
    }
}

/// Looks for the message that is `rows` before `at`, within one slice. Messages up to `evicted` are no longer kept.
fn find_start(look: &Connection, at: EventId, rows: u64, evicted: EventId) -> rusqlite::Result<Position> {
    // There cannot be more messages than ids, so these are all.
    if rows >= at.0.saturating_sub(evicted.0) {
        return Ok(Position::After(evicted));
    }
    let slice = rows.min(HISTORY_SLICE_ROWS);
    let sql = "SELECT id FROM messages WHERE room = ? AND id <= ? ORDER BY id DESC LIMIT 1 OFFSET ?";
    let before =
        look.prepare_cached(sql)?.query_row(params![LOBBY, at.0, slice], |row| row.get(0).map(EventId)).optional()?;
    Ok(match before {
        Some(at) if slice < rows => Position::Start { at, rows: rows - slice },
        before => Position::After(before.unwrap_or_default().max(evicted)),
    })
}

/// Continues a search, the newest messages first, for at most one turn.
fn search_on(connection: &Connection, progress: &mut Progress) -> rusqlite::Result<Found> {
    let Progress { page, position: Position::Search(search) } = progress else { return Ok(Found::Unfinished) };
    if search.query.terms().next().is_none() {
        return Ok(Found::All(Reply::Search(0)));
    }
    let (start, turn) = (thread_cpu(), search.turn());
    let mut is_interrupted = false;
    let found = words::find(connection, &search.query, search.until, |mut rows| {
        while let Some(row) = rows.next()? {
            let (id, text) = (row.get(0).map(EventId)?, row.get_ref(3)?.as_str()?);
            search.until = EventId(id.0.saturating_sub(1));
            if search.query.accepts(text) {
                page.row(row, past)?;
            }
            is_interrupted = thread_cpu() >= start + turn;
            if page.is_full() || page.count == SEARCH_FOUND_MAX || is_interrupted {
                break;
            }
        }
        Ok(())
    });
    search.cpu += thread_cpu().saturating_sub(start);
    match found {
        _ if page.count == SEARCH_FOUND_MAX => return Ok(Found::All(Reply::Search(page.count))),
        Err(error) if error.sqlite_error_code() == Some(SqliteCode::OperationInterrupted) => is_interrupted = true,
        Err(error) => return Err(error),
        Ok(()) if page.is_full() => return Ok(Found::Page),
        Ok(()) => {}
    }
    if !is_interrupted {
        return Ok(Found::All(Reply::Search(page.count)));
    }
    search.turns += 1;
    Ok(if search.turn().is_zero() { Found::OutOfTime } else { Found::Unfinished })
}

fn search_timeout(found: u64) -> Refusal {
    let what = format!("the search used more than {SEARCH_CPU_MS_MAX} ms of CPU time and found {found} so far");
    Refusal::new(Verb::Search, ErrorCode::SearchTimeout, what).with_hint(Hint::AddRarerWord)
}

/// CPU time that this thread has used. Unlike elapsed time, it does not depend on the load of the machine.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// A message as a `PAST` line.
fn past(id: u64, time: &str, name: &str, text: &str) -> String {
    format!("PAST {id} {time} {name} {text}")
}

/// A search that waits for words to be indexed. It is answered even if the writer ends first.
#[derive(Debug)]
pub(super) struct Search(Weak<StoreQuery>);

impl Search {
    /// Whether its client still waits for it.
    pub(super) fn is_awaited(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// The last message whose words must be in the index.
    pub(super) fn until(&self) -> EventId {
        self.0.upgrade().map(|query| query.until).unwrap_or_default()
    }

    /// The words are in the index.
    pub(super) fn go_on(mut self) {
        if let Some(query) = self.take() {
            query.queues.ask(&query);
        }
    }

    /// The words cannot be indexed.
    pub(super) fn fail(mut self, why: &impl Display) {
        if let Some(query) = self.take() {
            query.fail(why);
        }
    }

    fn take(&mut self) -> Option<Arc<StoreQuery>> {
        std::mem::take(&mut self.0).upgrade()
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        if let Some(query) = self.take() {
            query.fail("the server is shutting down");
        }
    }
}

impl Pieces for StoreQuery {
    fn next(self: Arc<Self>) -> Next {
        let mut answer = self.lock_answer();
        match answer.page.take() {
            Some(page) => Next::Text(page),
            None if answer.ended == Some(true) => Next::End,
            None if answer.ended == Some(false) => Next::Failed,
            None => {
                if !std::mem::replace(&mut answer.is_asked, true) {
                    self.queues.ask(&self);
                }
                Next::NotYet
            }
        }
    }
}

/// Answers queries for as long as anybody can ask.
pub(super) fn read(connection: &Connection, asked: mpsc::Receiver<Weak<StoreQuery>>) {
    let mut queue = QueryQueue::new(asked);
    while queue.give_turn(|query| query.advance(connection)) {}
}

/// Answers searches for as long as anybody can ask. A search waits until the writer has indexed all words that it needs;
/// meanwhile other searches go on.
pub(super) fn search(mut connection: Connection, asked: mpsc::Receiver<Weak<StoreQuery>>, writer: &mpsc::Sender<Job>) {
    let mut queue = QueryQueue::new(asked);
    while queue.give_turn(|query| match is_behind(&connection, query.until) {
        Ok(false) => {
            stop_when(&mut connection, Some(query.stop_check()));
            let is_unfinished = query.advance(&connection);
            stop_when(&mut connection, None::<fn() -> bool>);
            is_unfinished
        }
        Ok(true) => {
            drop(writer.send(Job::Index(Search(Arc::downgrade(query)))));
            false
        }
        Err(error) => {
            query.fail(error);
            false
        }
    }) {}
}

/// Whether the index lacks words of messages up to this id.
fn is_behind(connection: &Connection, until: EventId) -> rusqlite::Result<bool> {
    words::is_behind(connection, words::seq_of(connection, until)?)
}

/// Interrupts statements once `check` returns true.
fn stop_when(connection: &mut Connection, check: Option<impl FnMut() -> bool + Send + 'static>) {
    // Fails only on a closed connection.
    let _ = connection.progress_handler(SEARCH_STEPS_PER_CHECK, check);
}

/// A page under construction.
#[derive(Debug)]
struct Page {
    dialect: Dialect,
    text: Vec<u8>,
    /// Messages on this page and those before it.
    count: u64,
}

impl Page {
    fn new(dialect: Dialect) -> Self {
        Self { dialect, text: Vec::new(), count: 0 }
    }

    fn line(&mut self, line: impl Display) {
        self.dialect.write_line(&mut self.text, line);
    }

    fn event(&mut self, tag: Tag, event: &Event) {
        self.dialect.write_event(&mut self.text, tag, event);
    }

    /// The finished page, unless it is empty. The next page begins.
    fn take_text(&mut self) -> Option<Arc<[u8]>> {
        let text = std::mem::take(&mut self.text);
        (!text.is_empty()).then(|| text.into())
    }

    fn is_full(&self) -> bool {
        self.text.len() >= RECALL_PAGE_BYTES
    }

    /// Adds messages after one id and up to another. Returns the id of the last one added if the page is full before the end.
    fn fill_in_order(
        &mut self,
        look: &Connection,
        after: EventId,
        until: EventId,
        tell: impl Fn(u64, &str, &str, &str) -> String,
    ) -> rusqlite::Result<Option<EventId>> {
        let sql = "SELECT id, time, name, text FROM messages WHERE room = ? AND id > ? AND id <= ? ORDER BY id";
        let mut rows = look.prepare_cached(sql)?;
        let mut rows = rows.query(params![LOBBY, after.0, until.0])?;
        while let Some(row) = rows.next()? {
            self.row(row, &tell)?;
            if self.is_full() {
                return row.get(0).map(EventId).map(Some);
            }
        }
        Ok(None)
    }

    /// Adds a row as the line that `tell` makes of it.
    fn row(&mut self, row: &Row<'_>, tell: impl Fn(u64, &str, &str, &str) -> String) -> rusqlite::Result<()> {
        let (id, time, name, text): (u64, String, String, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        // Stored texts are safe to show, but other programs may have written into the file.
        self.line(made_safe(&tell(id, &time, &name, &text)));
        self.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(query: Query) -> Arc<StoreQuery> {
        let queues = QueryQueues { to_search: mpsc::channel().0, to_read: mpsc::channel().0 };
        Arc::new(StoreQuery::new(query, EventId(1), Dialect::default(), Mode::Commands, Weak::new(), queues))
    }

    #[test]
    fn search_stops_when_its_client_is_gone() {
        let searching = query(Query::Words(Text::ours("tea")));
        let client = Arc::clone(&searching);
        let mut stop = searching.stop_check();
        assert!(!stop());
        drop(client);
        assert!(stop());
    }

    #[test]
    fn search_stops_when_its_time_is_used_up() {
        let searching = query(Query::Words(Text::ours("tea")));
        let _client = Arc::clone(&searching);
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
            let (mut at, mut rows, mut slices) = (EventId(3 * rows), count, 0);
            loop {
                slices += 1;
                match find_start(&file, at, rows, EventId(evicted)).unwrap() {
                    Position::Start { at: next, rows: left } => (at, rows) = (next, left),
                    position => return (position.last_id().0, slices),
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
