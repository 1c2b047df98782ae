//! Messages on their way to the store and back: handed over as many as there are, while the next ones gather, and then said in the
//! order in which they came.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::Receiver;
use futures_lite::{Stream as _, ready};

use super::console;
use super::storage::CommitPipeline;
use crate::limits::{IDS_RESERVE_RETRY, IDS_RESERVED, PAST_OVERHEAD_BYTES, STORE_BATCH_MAX, STORE_CLOSE_MS_MAX};
use crate::protocol::{EventId, Name, Past, Text, Timestamp};
use crate::room::{Action, SessionId};
use crate::store::{Abandoned, Batch, Report, Store};

/// The store, and what is under way to it.
#[derive(Debug)]
pub(super) struct Storing {
    store: Store,
    reports: Pin<Box<Receiver<Report>>>,
    waiting: VecDeque<Waiting>,
    /// What is waiting or under way costs.
    bytes: usize,
    /// What waits is handed over at the next turn.
    is_gathering: bool,
    /// The senders of the messages that are being committed, in order, with those whose message is refused.
    under_way: Option<Vec<Sender>>,
    /// The first and the last of their ids, if they have some.
    ids: Option<(EventId, EventId)>,
    /// What became of those that were.
    settled: VecDeque<(SessionId, Action)>,
    /// Ids up to here may be given.
    ids_up_to: EventId,
    /// How far ahead of the last id given the next ones begin: more than none only when others happened meanwhile.
    lead: u64,
    /// Messages from here on are in the store that nobody was told of, and have to go.
    undo: Option<EventId>,
    is_failing: bool,
    /// After a failed commit, ids are set aside again only from this one on.
    reserve_from: EventId,
}

#[derive(Debug)]
struct Waiting {
    session: SessionId,
    name: Name,
    /// `None` if the message is refused, which its sender learns after the replies before it.
    message: Option<(Timestamp, Text)>,
}

/// The sender of a message, and the nickname that it was sent under.
#[derive(Debug)]
struct Sender {
    session: SessionId,
    name: Name,
    is_refused: bool,
}

impl Storing {
    /// Goes on from the last id that was given.
    pub(super) fn new(store: Store, last_id: EventId) -> Self {
        Self {
            reports: Box::pin(store.reports().clone()),
            store,
            waiting: VecDeque::new(),
            bytes: 0,
            under_way: None,
            ids: None,
            is_gathering: false,
            settled: VecDeque::new(),
            ids_up_to: EventId(last_id.0 + IDS_RESERVED),
            lead: 0,
            undo: None,
            is_failing: false,
            reserve_from: EventId::default(),
        }
    }
}

impl CommitPipeline for Storing {
    fn take(&mut self, at: Timestamp, session: SessionId, name: Name, text: Text, bytes_max: usize) {
        let bytes = cost(&name, &text);
        let message = (self.bytes + bytes <= bytes_max).then_some((at, text));
        self.bytes += if message.is_some() { bytes } else { 0 };
        self.waiting.push_back(Waiting { session, name, message });
    }

    fn is_busy(&self) -> bool {
        self.under_way.is_some() || !self.waiting.is_empty() || !self.settled.is_empty()
    }

    fn ids_under_way(&self) -> Option<(EventId, EventId)> {
        self.ids
    }

    fn is_gathering(&self) -> bool {
        self.is_gathering
    }

    fn has_settled(&self) -> bool {
        !self.settled.is_empty()
    }

    fn next_settled(&mut self) -> Option<(SessionId, Action)> {
        self.settled.pop_front()
    }

    /// What came first has waited for a turn by then: those who are busy have said the rest, and it is stored, and read by
    /// everybody, at once. Without that a few messages and many took turns, and all readers were written to twice as often.
    fn start(&mut self, last_id: EventId) {
        // Ids are given in the order in which things are said.
        if self.under_way.is_some() || !self.settled.is_empty() {
            return;
        }
        let few_ids = last_id.0 + IDS_RESERVED / 2 > self.ids_up_to.0 && last_id >= self.reserve_from;
        if self.waiting.is_empty() && !few_ids {
            return;
        }
        self.is_gathering = !self.is_gathering && !self.waiting.is_empty();
        if self.is_gathering {
            return;
        }
        let count = self.waiting.len().min(STORE_BATCH_MAX);
        let mut ids = last_id.0 + self.lead + 1..;
        let mut messages = Vec::with_capacity(count);
        let mut under_way = Vec::with_capacity(count);
        for Waiting { session, name, message } in self.waiting.drain(..count) {
            under_way.push(Sender { session, name: name.clone(), is_refused: message.is_none() });
            messages.extend(message.and_then(|(at, text)| Some(Past { id: EventId(ids.next()?), at, name, text })));
        }
        self.under_way = Some(under_way);
        self.commit(messages, last_id);
    }

    fn take_report(&mut self, last_id: EventId) -> bool {
        let report = self.reports.try_recv();
        report.map(|report| self.note(report, last_id)).is_ok()
    }

    fn poll_report(&mut self, cx: &mut Context<'_>, last_id: EventId) -> Poll<bool> {
        let report = ready!(self.reports.as_mut().poll_next(cx));
        Poll::Ready(report.map(|report| self.note(report, last_id)).is_some())
    }

    fn abandon(&mut self) {
        let why: Arc<str> = match self.store.abandon() {
            Abandoned::NotStored if self.undo.is_none() => "the server is shutting down, and the disk is too slow",
            _ => "the server is shutting down; the disk may have stored it, so look in HISTORY first",
        }
        .into();
        let handed_over =
            self.under_way.take().unwrap_or_default().into_iter().map(|sender| (sender.session, sender.name));
        let unconfirmed = handed_over.chain(self.waiting.drain(..).map(|waiting| (waiting.session, waiting.name)));
        self.settled.extend(unconfirmed.map(|(session, name)| (session, Action::NotStored(name, Arc::clone(&why)))));
        (self.is_gathering, self.bytes) = (false, 0);
    }

    fn close(self: Box<Self>, last_id: EventId) {
        self.store.close(last_id, Duration::from_millis(STORE_CLOSE_MS_MAX));
    }
}

impl Storing {
    fn note(&mut self, report: Report, last_id: EventId) {
        match report {
            Report::Committed(batch, result) => self.finish(batch, result, last_id),
            Report::Dropped(id) => self.drop_up_to(id),
        }
    }

    fn commit(&mut self, messages: Vec<Past>, last_id: EventId) {
        self.ids = messages.first().zip(messages.last()).map(|(first, last)| (first.id, last.id));
        let last = self.ids.map_or(last_id, |(_, last)| last);
        let ids_up_to = EventId(last.0 + IDS_RESERVED);
        self.store.commit(Batch { messages, instead_of: self.undo, ids_up_to });
    }

    /// Takes note of what became of what was handed over. If something else happened meanwhile, which then came first, its ids are
    /// too low by now: it is handed over again, with others, and with room before them.
    fn finish(&mut self, batch: Batch, result: Result<(), String>, last_id: EventId) {
        let ids = self.ids.take();
        if let Err(why) = result {
            if !std::mem::replace(&mut self.is_failing, true) {
                console::not_stored(&why);
            }
            self.reserve_from = EventId(last_id.0 + IDS_RESERVE_RETRY);
            let why: Arc<str> = why.into();
            return self.settle(batch.messages, |past| Action::NotStored(past.name, Arc::clone(&why)));
        }
        if std::mem::take(&mut self.is_failing) {
            console::stored_again();
        }
        (self.undo, self.ids_up_to) = (None, batch.ids_up_to);
        match ids.filter(|(first, _)| *first <= last_id) {
            Some((first, last)) => {
                self.undo = Some(first);
                self.lead = 2 * (last_id.0 - last.0);
                let ids = last_id.0 + self.lead + 1..;
                let messages = ids.zip(batch.messages).map(|(id, past)| Past { id: EventId(id), ..past }).collect();
                self.commit(messages, last_id);
            }
            None => {
                self.lead = 0;
                self.settle(batch.messages, Action::Stored);
            }
        }
    }

    /// Takes note that messages up to this id are not kept any more.
    fn drop_up_to(&mut self, id: EventId) {
        self.settled.push_back((SessionId::SERVER, Action::Forget(id)));
    }

    fn settle(&mut self, messages: Vec<Past>, outcome: impl Fn(Past) -> Action) {
        let mut messages = messages.into_iter();
        for Sender { session, name, is_refused } in self.under_way.take().unwrap_or_default() {
            let action = if is_refused {
                Some(Action::NotStored(name, "too many messages already wait for the disk".into()))
            } else {
                messages.next().map(|past| {
                    self.bytes -= cost(&past.name, &past.text);
                    outcome(past)
                })
            };
            self.settled.extend(action.map(|action| (session, action)));
        }
    }
}

fn cost(name: &Name, text: &Text) -> usize {
    name.as_str().len() + text.as_str().len() + PAST_OVERHEAD_BYTES
}
