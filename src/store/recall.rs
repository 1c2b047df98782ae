//! Tells again what is on disk, as fast as it is read: a page of it at a time waits for each who asked.

use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};

use rusqlite::{Connection, params};

use crate::feed::{Next, Outbox, Pieces};
use crate::limits::{RECALL_PAGE_BYTES, SEARCH_FOUND_MAX};
use crate::protocol::{Dialect, ErrorCode, EventId, Refusal, Reply, Verb, made_safe};
use crate::room::Query;

/// Where to ask for pages.
pub type Recalls = mpsc::Sender<Arc<Recall>>;

/// An answer from the store: `PAST` lines and the final reply, read page by page.
#[derive(Debug)]
pub struct Recall {
    query: Query,
    /// Nothing above this had happened when it was asked for.
    until: EventId,
    dialect: Dialect,
    /// What stands before a verb where the asker types.
    prefix: &'static str,
    /// Who waits for it.
    outbox: Weak<Outbox>,
    reader: Recalls,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    page: Option<Arc<[u8]>>,
    /// The reader has been asked for a page.
    asked: bool,
    ended: bool,
    /// All up to this id were told; none if nothing was looked up yet.
    told: Option<EventId>,
    count: u64,
}

impl Recall {
    /// What `reader` is to tell again to the connection of `outbox`, of what there was up to the id `until`.
    pub fn new(
        query: Query,
        until: EventId,
        dialect: Dialect,
        prefix: &'static str,
        outbox: Weak<Outbox>,
        reader: Recalls,
    ) -> Self {
        Self { query, until, dialect, prefix, outbox, reader, state: Mutex::default() }
    }

    fn verb(&self) -> Verb {
        match self.query {
            Query::Last(_) => Verb::History,
            Query::Since(_) => Verb::Since,
            Query::Words(_) => Verb::Search,
        }
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
        let ended = self.look_up(connection, &mut page).unwrap_or_else(|error| {
            Some(Err(Refusal::new(
                self.verb(),
                ErrorCode::StoreFailed,
                format!("the store cannot be read now: {error}"),
            )))
        });
        match &ended {
            None => {}
            Some(Ok(reply)) => page.line(reply),
            Some(Err(refusal)) => page.line(refusal),
        }
        {
            let mut state = self.lock();
            (state.told, state.count) = (page.told, page.count);
            (state.page, state.asked, state.ended) = (Some(page.text.into()), false, ended.is_some());
        }
        outbox.wake();
    }

    /// Fills the page; returns the final reply if nothing is left.
    fn look_up(&self, connection: &Connection, page: &mut Page) -> rusqlite::Result<Option<Result<Reply, Refusal>>> {
        // One look at the file: what is let go of meanwhile is still there, or is missed.
        let look = connection.unchecked_transaction()?;
        if let Query::Words(words) = &self.query {
            let sql = "SELECT m.id, m.time, m.name, m.text FROM words JOIN messages m ON m.id = words.rowid \
                       WHERE words MATCH ? AND words.rowid <= ? ORDER BY words.rowid DESC LIMIT ?";
            let found = params![quoted(words.as_str()), self.until.0, SEARCH_FOUND_MAX];
            page.fill(look.prepare_cached(sql)?.query(found)?, usize::MAX)?;
            return Ok(Some(Ok(Reply::Search(page.count))));
        }
        let from = match (page.told, &self.query) {
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
        let dropped: u64 = look.query_row("SELECT value FROM state WHERE key = 'dropped'", [], |row| row.get(0))?;
        if dropped > from.0 && (page.told.is_some() || matches!(self.query, Query::Since(_))) {
            return Ok(Some(Err(self.too_old(&look, dropped)?)));
        }
        let sql = "SELECT id, time, name, text FROM messages WHERE id > ? AND id <= ? ORDER BY id";
        let mut rows = look.prepare_cached(sql)?;
        page.told = Some(from);
        let all = page.fill(rows.query(params![from.0, self.until.0])?, RECALL_PAGE_BYTES)?;
        let reply = match self.query {
            Query::Since(_) => Reply::Since(page.count),
            _ => Reply::History(page.count),
        };
        Ok(all.then_some(Ok(reply)))
    }

    fn too_old(&self, connection: &Connection, dropped: u64) -> rusqlite::Result<Refusal> {
        let oldest: Option<u64> = connection.query_row("SELECT min(id) FROM messages", [], |row| row.get(0))?;
        let oldest = oldest.unwrap_or(dropped + 1);
        Ok(Refusal::too_old(self.verb(), EventId(oldest), self.prefix))
    }
}

impl Pieces for Recall {
    fn next(self: Arc<Self>) -> Next {
        let mut state = self.lock();
        match state.page.take() {
            Some(page) => Next::Text(page),
            None if state.ended => Next::End,
            None => {
                if !std::mem::replace(&mut state.asked, true) {
                    // Fails only when the server ends.
                    let _ = self.reader.send(Arc::clone(&self));
                }
                Next::NotYet
            }
        }
    }
}

/// Looks up pages for as long as anybody can ask.
pub(super) fn run(connection: &Connection, asked: &mpsc::Receiver<Arc<Recall>>) {
    for recall in asked {
        recall.fetch(connection);
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

    /// Takes rows until it is full; whether these were all.
    fn fill(&mut self, mut rows: rusqlite::Rows<'_>, bytes_max: usize) -> rusqlite::Result<bool> {
        while let Some(row) = rows.next()? {
            let (id, time, name, text): (u64, String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            self.told = Some(EventId(id));
            // As it was published; but others may have written into the file.
            self.line(made_safe(&format!("PAST {id} {time} {name} {text}")));
            self.count += 1;
            if self.text.len() >= bytes_max {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Words as they are, none of them an operator of FTS5's (<https://sqlite.org/fts5.html>, 3.1).
fn quoted(words: &str) -> String {
    words.split_whitespace().map(|word| format!("\"{}\" ", word.replace('"', "\"\""))).collect()
}
