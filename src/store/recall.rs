//! Tells again what is on disk, as fast as it is read: a page of it at a time waits for each who asked, or missed it.

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};

use rusqlite::{Connection, Rows, params};

use super::file::state;
use super::{Job, Now, words};
use crate::feed::{Missed, Next, Outbox, Pieces};
use crate::limits::{RECALL_PAGE_BYTES, SEARCH_FOUND_MAX};
use crate::protocol::{Dialect, ErrorCode, Event, EventId, Refusal, Reply, Tag, Text, Verb, made_safe};
use crate::room::Query;

/// Where to ask for pages: of what has to be looked for, which takes its time, and of all else.
#[derive(Clone, Debug)]
pub struct Recalls {
    pub(super) to_search: mpsc::Sender<Arc<Recall>>,
    pub(super) to_read: mpsc::Sender<Arc<Recall>>,
}

impl Recalls {
    fn ask(&self, recall: Arc<Recall>) {
        let asked = match recall.what {
            What::Answer(Query::Words(_), _) => &self.to_search,
            _ => &self.to_read,
        };
        // Fails only when the server ends.
        let _ = asked.send(recall);
    }
}

/// What the store tells somebody, read page by page.
#[derive(Debug)]
pub struct Recall {
    what: What,
    /// Nothing above this had been said at the place where it is told.
    until: EventId,
    dialect: Dialect,
    /// Who waits for it.
    outbox: Weak<Outbox>,
    recalls: Recalls,
    state: Mutex<State>,
}

#[derive(Debug)]
enum What {
    /// An answer: `PAST` lines and the final reply. With it, what stands before a verb where the asker types.
    Answer(Query, &'static str),
    /// What was said after this, as it was when it was said. With it, the time of what there is to remark.
    Missed(EventId, Now),
}

#[derive(Debug, Default)]
struct State {
    page: Option<Arc<[u8]>>,
    /// The reader has been asked for a page.
    asked: bool,
    /// Whether all was told, if there is nothing more.
    ended: Option<bool>,
    /// All up to this id were told; none if nothing was looked up yet.
    told: Option<EventId>,
    count: u64,
}

impl Recall {
    /// What is to be told again to the connection of `outbox`, of what there was up to the id `until`.
    pub fn new(
        query: Query,
        until: EventId,
        dialect: Dialect,
        prefix: &'static str,
        outbox: Weak<Outbox>,
        recalls: Recalls,
    ) -> Self {
        Self { what: What::Answer(query, prefix), until, dialect, outbox, recalls, state: Mutex::default() }
    }

    /// What the connection of `outbox` missed, as it would have read it.
    pub fn of_missed(missed: Missed, now: Now, outbox: Weak<Outbox>, recalls: Recalls) -> Self {
        let Missed { dialect, after, until } = missed;
        let state = State { ended: (until <= after).then_some(true), ..State::default() };
        Self { what: What::Missed(after, now), until, dialect, outbox, recalls, state: Mutex::new(state) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up the next page.
    fn fetch(&self, connection: &Connection) {
        let Some(outbox) = self.outbox.upgrade() else { return };
        let (told, count) = {
            let state = self.lock();
            (state.told, state.count)
        };
        let mut page = Page { dialect: self.dialect, text: Vec::new(), told, count };
        let ended = match &self.what {
            What::Answer(query, prefix) => self.answer(query, prefix, connection, &mut page),
            What::Missed(after, now) => self.make_up(*after, *now, connection, &mut page),
        };
        self.hand_out(page, ended);
        outbox.wake();
    }

    /// Says that words cannot be looked for.
    fn fail(&self, why: impl Display) {
        let Some(outbox) = self.outbox.upgrade() else { return };
        let mut page = Page { dialect: self.dialect, text: Vec::new(), told: None, count: 0 };
        let why = format!("the words of what was stored last cannot be looked for now: {why}");
        page.line(Refusal::new(Verb::Search, ErrorCode::StoreFailed, why));
        self.hand_out(page, Some(true));
        outbox.wake();
    }

    fn hand_out(&self, page: Page, ended: Option<bool>) {
        let mut state = self.lock();
        (state.told, state.count) = (page.told, page.count);
        (state.page, state.asked, state.ended) = (page.text(), false, ended);
    }

    /// Fills the page with an answer; whether all was told, if nothing is left.
    fn answer(&self, query: &Query, prefix: &str, connection: &Connection, page: &mut Page) -> Option<bool> {
        let verb = match query {
            Query::Last(_) => Verb::History,
            Query::Since(_) => Verb::Since,
            Query::Words(_) => Verb::Search,
        };
        match self.look_up(query, connection, page) {
            Ok(None) => return None,
            Ok(Some(Ok(reply))) => page.line(reply),
            Ok(Some(Err(oldest))) => page.line(Refusal::too_old(verb, oldest, prefix)),
            Err(error) => {
                let why = format!("the store cannot be read now: {error}");
                page.line(Refusal::new(verb, ErrorCode::StoreFailed, why));
            }
        }
        Some(true)
    }

    /// Fills the page with what was missed; the same.
    fn make_up(&self, after: EventId, now: Now, connection: &Connection, page: &mut Page) -> Option<bool> {
        let mut look_up = || {
            let look = connection.unchecked_transaction()?;
            let from = page.told.unwrap_or(after);
            let gone = state(&look, "dropped")?.min(self.until);
            page.told = Some(from.max(gone));
            if gone > from {
                let text =
                    format!("what was said after {}, up to {}, is no longer kept, and is missing here", from.0, gone.0);
                page.event(Tag { id: None, at: now() }, &Event::Notice(Text::ours(&text)));
            }
            let tell = |id: u64, time: &str, name: &str, text: &str| {
                if self.dialect.tags { format!("@{id} {time} MSG {name} {text}") } else { format!("MSG {name} {text}") }
            };
            page.fill_in_order(&look, self.until, tell)
        };
        match look_up() {
            Ok(all) => all.then_some(true),
            Err(_) => Some(false),
        }
    }

    /// Fills the page; returns the final reply if nothing is left, or the oldest that is kept if something is not any more.
    fn look_up(
        &self,
        query: &Query,
        connection: &Connection,
        page: &mut Page,
    ) -> rusqlite::Result<Option<Result<Reply, EventId>>> {
        // One look at the file: what is let go of meanwhile is still there, or is missed.
        let look = connection.unchecked_transaction()?;
        if let Query::Words(words) = query {
            let until = page.told.map_or(self.until, |told| EventId(told.0.saturating_sub(1)));
            let left = SEARCH_FOUND_MAX - page.count;
            let fill = |rows: Rows<'_>| page.fill(rows, RECALL_PAGE_BYTES, past);
            let all = words::find(&look, words.as_str(), until, left, fill)?;
            return Ok(all.then_some(Ok(Reply::Search(page.count))));
        }
        let from = match (page.told, query) {
            (Some(told), _) => told,
            (None, Query::Since(id)) => *id,
            (None, Query::Last(count)) => {
                let sql = "SELECT id FROM messages WHERE id <= ? ORDER BY id DESC LIMIT 1 OFFSET ?";
                let before =
                    look.prepare_cached(sql)?.query_row(params![self.until.0, (*count).min(1 << 40)], |row| row.get(0));
                EventId(rusqlite::OptionalExtension::optional(before)?.unwrap_or(0))
            }
            (None, Query::Words(_)) => EventId::default(),
        };
        let dropped = state(&look, "dropped")?;
        if dropped > from && (page.told.is_some() || matches!(query, Query::Since(_))) {
            let oldest: Option<u64> = look.query_row("SELECT min(id) FROM messages", [], |row| row.get(0))?;
            return Ok(Some(Err(oldest.map_or(dropped.next(), EventId))));
        }
        page.told = Some(from);
        let all = page.fill_in_order(&look, self.until, past)?;
        let reply = match query {
            Query::Since(_) => Reply::Since(page.count),
            _ => Reply::History(page.count),
        };
        Ok(all.then_some(Ok(reply)))
    }
}

/// A message as it is told again.
fn past(id: u64, time: &str, name: &str, text: &str) -> String {
    format!("PAST {id} {time} {name} {text}")
}

/// One who waits for words to be indexed. Whatever becomes of the writer, they have their answer.
#[derive(Debug)]
pub(super) struct Search(Option<Arc<Recall>>);

impl Search {
    /// Whether anybody waits for it.
    pub(super) fn is_awaited(&self) -> bool {
        self.0.as_ref().is_some_and(|recall| recall.outbox.strong_count() > 0)
    }

    /// Up to which id there must be all words.
    pub(super) fn until(&self) -> EventId {
        self.0.as_ref().map(|recall| recall.until).unwrap_or_default()
    }

    /// They are there.
    pub(super) fn go_on(mut self) {
        if let Some(recall) = self.0.take() {
            recall.recalls.ask(Arc::clone(&recall));
        }
    }

    /// There is no way to have them.
    pub(super) fn fail(mut self, why: &rusqlite::Error) {
        if let Some(recall) = self.0.take() {
            recall.fail(why);
        }
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        if let Some(recall) = self.0.take() {
            recall.fail("the server is shutting down");
        }
    }
}

impl Pieces for Recall {
    fn next(self: Arc<Self>) -> Next {
        let mut state = self.lock();
        match state.page.take() {
            Some(page) => Next::Text(page),
            None if state.ended == Some(true) => Next::End,
            None if state.ended == Some(false) => Next::Failed,
            None => {
                if !std::mem::replace(&mut state.asked, true) {
                    self.recalls.ask(Arc::clone(&self));
                }
                Next::NotYet
            }
        }
    }
}

/// Looks up pages for as long as anybody can ask.
pub(super) fn read(connection: &Connection, asked: &mpsc::Receiver<Arc<Recall>>) {
    for recall in asked {
        recall.fetch(connection);
    }
}

/// The same for those who look for words. Who looks for some that are not indexed waits for the writer to have done that, and holds
/// up nobody else.
pub(super) fn search(connection: &Connection, asked: &mpsc::Receiver<Arc<Recall>>, writer: &mpsc::Sender<Job>) {
    for recall in asked {
        match words::is_behind(connection, recall.until) {
            Ok(false) => recall.fetch(connection),
            Ok(true) => drop(writer.send(Job::Index(Search(Some(recall))))),
            Err(error) => recall.fail(error),
        }
    }
}

/// Lines that are being looked up.
struct Page {
    dialect: Dialect,
    text: Vec<u8>,
    told: Option<EventId>,
    count: u64,
}

impl Page {
    fn line(&mut self, line: impl Display) {
        self.dialect.write_line(&mut self.text, line);
    }

    fn event(&mut self, tag: Tag, event: &Event) {
        self.dialect.write_event(&mut self.text, tag, event);
    }

    /// None if there is nothing in it.
    fn text(self) -> Option<Arc<[u8]>> {
        (!self.text.is_empty()).then(|| self.text.into())
    }

    /// Takes what was said after what was told, up to this id, until it is full; whether this was all.
    fn fill_in_order(
        &mut self,
        look: &Connection,
        until: EventId,
        tell: impl Fn(u64, &str, &str, &str) -> String,
    ) -> rusqlite::Result<bool> {
        let sql = "SELECT id, time, name, text FROM messages WHERE id > ? AND id <= ? ORDER BY id";
        let from = self.told.unwrap_or_default();
        self.fill(look.prepare_cached(sql)?.query(params![from.0, until.0])?, RECALL_PAGE_BYTES, tell)
    }

    /// Takes rows, each as `tell` has it, until it is full; whether these were all.
    fn fill(
        &mut self,
        mut rows: Rows<'_>,
        bytes_max: usize,
        tell: impl Fn(u64, &str, &str, &str) -> String,
    ) -> rusqlite::Result<bool> {
        while let Some(row) = rows.next()? {
            let (id, time, name, text): (u64, String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            self.told = Some(EventId(id));
            // As it was published; but others may have written into the file.
            self.line(made_safe(&tell(id, &time, &name, &text)));
            self.count += 1;
            if self.text.len() >= bytes_max {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
