//! Renders pages of messages from the store for one connection: the reply to a command, or the messages that a slow
//! consumer missed.
//!
//! The connection's task renders a page once it has written everything before it, and then drops the rows. So a connection has at most one
//! page in memory, as rows or as text.

use std::fmt::Display;
use std::io::Write as _;
use std::sync::{Arc, Weak};
use std::task::{Poll, Wake, Waker, ready};

use super::metrics::ServerMetrics;
use super::store_reader::RoomQuery;
use crate::command::HistoryQuery;
use crate::command::{Hint, HistoryReply, Refusal, ServerLine, Verb};
use crate::feed::{Mailbox, MissedMessages, NextPage, PageSource};
use crate::limits::SEARCH_CPU_MS_MAX;
use crate::protocol::{Dialect, ErrorCode, Event, MessageId, Mode, RoomName, Tag, Text, Timestamp, sanitize};
use crate::store::{EvictedRange, Page, Query, QueryEnd, QueryError, QueryQueues, Row, StoreQuery};

/// The reply to `HISTORY`, `SINCE` or `SEARCH`: `PAST` lines and a final line.
#[derive(Debug)]
pub(super) struct QueryReply {
    room: RoomName,
    query: HistoryQuery,
    /// The id of the newest message before the reply.
    last: MessageId,
    dialect: Dialect,
    mode: Mode,
    /// The room that the hint of a refusal names.
    hint_room: Option<RoomName>,
    /// Counts the refusal, if the reply ends with one.
    metrics: Arc<ServerMetrics>,
    pages: QueryPages,
}

/// The messages that a slow consumer missed, rendered as events.
#[derive(Debug)]
pub(super) struct CatchUp {
    room: RoomName,
    dialect: Dialect,
    /// The clock for notices among the messages.
    now: fn() -> Timestamp,
    pages: QueryPages,
    /// The query has failed; its last page has the error.
    has_failed: bool,
}

/// The pages of a query. The query is dropped with its last page.
#[derive(Debug)]
struct QueryPages(Option<Arc<StoreQuery>>);

impl QueryReply {
    /// Starts the reply to a command on the connection of `mailbox`.
    pub(super) fn new(query: RoomQuery, mailbox: &Arc<Mailbox>, queries: &QueryQueues) -> Self {
        let RoomQuery { room, room_name, query, until, dialect, mode, hint_room, metrics } = query;
        let of_store = match &query {
            HistoryQuery::Last(count) => Query::Last(*count),
            HistoryQuery::Since(id) => Query::After(*id),
            HistoryQuery::Words(words) => Query::Words(words.clone()),
        };
        let pages = QueryPages(Some(queries.query(room, of_store, until, mailbox_waker(mailbox))));
        Self { room: room_name, query, last: until, dialect, mode, hint_room, metrics, pages }
    }

    fn render(&mut self, page: &Page) -> Vec<u8> {
        let mut text = Vec::with_capacity(page.bytes());
        if let Some(EvictedRange { oldest, .. }) = page.evicted {
            // A reply without all requested messages would be incomplete: end it with an error.
            self.pages = QueryPages(None);
            self.refuse(&mut text, Refusal::too_old(self.query.verb(), oldest));
            return text;
        }
        for Row { id: MessageId(id), time, name, text: said } in page.rows() {
            let (time, name, said) = (sanitize(time), sanitize(name), sanitize(said));
            let separator = if said.is_empty() { "" } else { " " };
            self.write_line(&mut text, format_args!("PAST {id} {time} {name}{separator}{said}"));
        }
        match &page.end {
            None => {}
            Some(QueryEnd::Complete(count)) => {
                self.write_line(&mut text, self.query.reply(HistoryReply { count: *count, last: self.last }));
            }
            Some(QueryEnd::OutOfTime(count)) => self.refuse(&mut text, search_timeout(*count)),
            Some(QueryEnd::Failed(error)) => self.refuse(&mut text, store_failed(self.query.verb(), error)),
        }
        text
    }

    fn refuse(&self, text: &mut Vec<u8>, refusal: Refusal) {
        self.metrics.count_refusal(refusal.code);
        let refusal = refusal.with_hint_in(self.hint_room.clone());
        self.write_line(text, ServerLine::Err(refusal).in_mode(self.mode));
    }

    fn write_line(&self, text: &mut Vec<u8>, line: impl Display) {
        self.dialect.write_room_line(text, &self.room, line);
    }
}

impl PageSource for QueryReply {
    fn next(&mut self) -> NextPage {
        match self.pages.poll() {
            Poll::Pending => NextPage::NotYet,
            Poll::Ready(None) => NextPage::End,
            Poll::Ready(Some(page)) => NextPage::Text(self.render(&page)),
        }
    }
}

impl CatchUp {
    /// Starts to catch up on the connection of `mailbox`.
    pub(super) fn new(
        missed: MissedMessages,
        now: fn() -> Timestamp,
        mailbox: &Arc<Mailbox>,
        queries: &QueryQueues,
    ) -> Self {
        let MissedMessages { room: room_id, room_name: room, dialect, after, until } = missed;
        let query = || queries.query(room_id, Query::After(after), until, mailbox_waker(mailbox));
        Self { room, dialect, now, pages: QueryPages((until > after).then(query)), has_failed: false }
    }

    fn render(&self, page: &Page) -> Vec<u8> {
        let mut text = Vec::with_capacity(page.bytes());
        if let Some(EvictedRange { after, up_to, .. }) = page.evicted {
            let notice = format!(
                "the messages after id {}, up to id {}, are missing: they are no longer kept",
                after.0, up_to.0
            );
            let tag = Tag { id: None, at: (self.now)() };
            self.dialect.write_room_event(&mut text, tag, &self.room, &Event::Notice(Text::truncated(&notice)));
        }
        for Row { id, time, name, text: said } in page.rows() {
            if said.is_empty() {
                let tag = Tag { id: None, at: (self.now)() };
                self.dialect.write_room_event(&mut text, tag, &self.room, &Event::Deleted { by: None, id });
                continue;
            }
            let (MessageId(id), name, said) = (id, sanitize(name), sanitize(said));
            if self.dialect.tags {
                // Writing to memory does not fail.
                let _ = write!(text, "@{id} {} ", sanitize(time));
            }
            self.dialect.write_room_line(&mut text, &self.room, format_args!("MSG {name} {said}"));
        }
        text
    }
}

impl PageSource for CatchUp {
    fn next(&mut self) -> NextPage {
        match self.pages.poll() {
            Poll::Pending => NextPage::NotYet,
            Poll::Ready(None) if self.has_failed => NextPage::Failed,
            Poll::Ready(None) => NextPage::End,
            Poll::Ready(Some(page)) => {
                self.has_failed = matches!(page.end, Some(QueryEnd::Failed(_)));
                let text = self.render(&page);
                if text.is_empty() { self.next() } else { NextPage::Text(text) }
            }
        }
    }
}

impl QueryPages {
    /// Returns the next page, or `None` after the last one.
    fn poll(&mut self) -> Poll<Option<Page>> {
        let Some(query) = &self.0 else { return Poll::Ready(None) };
        let page = ready!(query.poll_page());
        if page.as_ref().is_none_or(|page| page.end.is_some()) {
            self.0 = None;
        }
        Poll::Ready(page)
    }
}

fn search_timeout(found: u64) -> Refusal {
    let what = format!("the search was stopped after {SEARCH_CPU_MS_MAX} ms of CPU time, with {found} messages found");
    Refusal::new(Verb::Search, ErrorCode::SearchTimeout, what).with_hint(Hint::AddRarerWord)
}

fn store_failed(verb: Verb, error: &QueryError) -> Refusal {
    let text = match error {
        QueryError::Read(why) => format!("cannot read the store: {why}"),
        QueryError::Index(why) => format!("cannot search the latest messages: {why}"),
    };
    Refusal::new(verb, ErrorCode::StoreFailed, text)
}

/// Wakes the connection of a mailbox, if the mailbox still exists. The reference is weak, because the mailbox may own the query.
struct MailboxWaker(Weak<Mailbox>);

fn mailbox_waker(mailbox: &Arc<Mailbox>) -> Waker {
    Arc::new(MailboxWaker(Arc::downgrade(mailbox))).into()
}

impl Wake for MailboxWaker {
    fn wake(self: Arc<Self>) {
        if let Some(mailbox) = self.0.upgrade() {
            mailbox.wake();
        }
    }
}

#[cfg(test)]
mod tests;
