//! The sequencer of a server with a store: commits a message before it becomes an entry. While one batch is being committed, it gathers
//! the next one. All other changes become entries at once.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::Receiver;
use futures_lite::{Stream as _, ready};

use super::console;
use crate::limits::{PAST_OVERHEAD_BYTES, STORE_BATCH_MAX, STORE_CLOSE_MS_MAX};
use crate::protocol::{MessageId, Name, Past, Timestamp};
use crate::room::{Action, Entry, Message, Origin, StoreFailure, Uptime};
use crate::sequencer::{Change, Numbering, Sequencer};
use crate::store::{Abandoned, Report, Store};

/// The store, and the messages on their way to it and back.
#[derive(Debug)]
pub(super) struct StoreSequencer {
    /// `None` once it is closed.
    store: Option<Store>,
    reports: Pin<Box<Receiver<Report>>>,
    numbering: Numbering,
    /// The times of the last change.
    at: Timestamp,
    uptime: Uptime,
    waiting: VecDeque<Waiting>,
    /// Bytes of the messages that wait or are being committed.
    bytes: usize,
    bytes_max: usize,
    /// The waiting messages will be committed at the end of the next turn.
    is_gathering: bool,
    /// The authors of the batch that is being committed, in order. Includes those of refused messages.
    committing: Option<Vec<Author>>,
    ready: VecDeque<Entry>,
    is_failing: bool,
}

#[derive(Debug)]
struct Waiting {
    author: Author,
    /// `None` if the message is refused. It waits nevertheless, so that its author gets the replies in order.
    message: Option<Message>,
}

/// Who sent a message, and under which nickname.
#[derive(Debug)]
struct Author {
    origin: Origin,
    name: Name,
    is_refused: bool,
}

impl StoreSequencer {
    /// Refuses messages while more than `bytes_max` bytes of messages wait or are being committed.
    pub(super) fn new(store: Store, bytes_max: usize) -> Self {
        Self {
            reports: Box::pin(store.reports().clone()),
            store: Some(store),
            numbering: Numbering::default(),
            at: Timestamp::default(),
            uptime: Uptime::default(),
            waiting: VecDeque::new(),
            bytes: 0,
            bytes_max,
            is_gathering: false,
            committing: None,
            ready: VecDeque::new(),
            is_failing: false,
        }
    }

    fn push(&mut self, origin: Origin, action: Action) {
        let change = Change { at: self.at, uptime: self.uptime, origin, action };
        self.ready.push_back(self.numbering.entry(change));
    }

    fn wait(&mut self, origin: Origin, message: Message) {
        let bytes = cost(&message.name, message.text.as_str());
        let is_refused = self.bytes + bytes > self.bytes_max;
        self.bytes += if is_refused { 0 } else { bytes };
        let author = Author { origin, name: message.name.clone(), is_refused };
        self.waiting.push_back(Waiting { author, message: (!is_refused).then_some(message) });
    }

    fn note(&mut self, report: Report) {
        match report {
            Report::Committed(messages, result) => self.finish(messages, result),
            Report::Dropped(id) => self.push(Origin::SERVER, Action::Evict(id)),
        }
    }

    /// Makes entries of a batch. The next batch reuses the ids of a failed one, because nobody has seen them.
    fn finish(&mut self, messages: Vec<Past>, result: Result<(), String>) {
        let failure = result.err().map(|why| {
            if !std::mem::replace(&mut self.is_failing, true) {
                console::not_stored(&why);
            }
            StoreFailure::NotStored(why.into())
        });
        if failure.is_none() && std::mem::take(&mut self.is_failing) {
            console::stored_again();
        }
        let mut messages = messages.into_iter();
        for Author { origin, name, is_refused } in self.committing.take().unwrap_or_default() {
            if is_refused {
                let failure = StoreFailure::NotStored("too many messages already wait for the disk".into());
                self.push(origin, Action::SayFailed(name, failure));
                continue;
            }
            let Some(Past { at, name, text, .. }) = messages.next() else { continue };
            self.bytes -= cost(&name, text.as_str());
            let action = match &failure {
                Some(failure) => Action::SayFailed(name, failure.clone()),
                None => Action::Say(Message { name, at, text }),
            };
            self.push(origin, action);
        }
    }
}

impl Sequencer for StoreSequencer {
    fn submit(&mut self, change: Change) {
        (self.at, self.uptime) = (change.at, change.uptime);
        match change.action {
            Action::Say(message) => {
                self.push(change.origin, Action::SayPending);
                self.wait(change.origin, message);
            }
            action => self.push(change.origin, action),
        }
    }

    fn next(&mut self) -> Option<Entry> {
        self.ready.pop_front()
    }

    fn has_next(&self) -> bool {
        !self.ready.is_empty()
    }

    fn is_busy(&self) -> bool {
        self.committing.is_some() || !self.waiting.is_empty() || !self.ready.is_empty()
    }

    /// Commits the waiting messages, unless a batch is being committed. They get the ids after `last_id`, because no other batch is
    /// being committed, and only messages have ids.
    ///
    /// The first message waits for one more turn, in which busy clients send more. So all of these messages are committed in one batch,
    /// and sent to each reader at once. Without that wait, small and large batches alternated, and each reader needed twice as many
    /// writes.
    fn end_turn(&mut self, last_id: MessageId) {
        let Some(store) = &self.store else { return };
        // While entries are ready, `last_id` may be lower than the last committed id.
        if self.committing.is_some() || !self.ready.is_empty() || self.waiting.is_empty() {
            return;
        }
        self.is_gathering = !self.is_gathering;
        if self.is_gathering {
            return;
        }
        let count = self.waiting.len().min(STORE_BATCH_MAX);
        let mut ids = last_id.0 + 1..;
        let mut messages = Vec::with_capacity(count);
        let mut authors = Vec::with_capacity(count);
        for Waiting { author, message } in self.waiting.drain(..count) {
            authors.push(author);
            messages.extend(message.and_then(|Message { name, at, text }| {
                let id = MessageId(ids.next()?);
                Some(Past { id, at, name, text })
            }));
        }
        self.committing = Some(authors);
        store.commit(messages);
    }

    fn needs_turn(&self) -> bool {
        self.is_gathering
    }

    fn take_report(&mut self) -> bool {
        let report = self.reports.try_recv();
        report.map(|report| self.note(report)).is_ok()
    }

    fn poll_report(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let report = ready!(self.reports.as_mut().poll_next(cx));
        Poll::Ready(report.map(|report| self.note(report)).is_some())
    }

    fn abandon(&mut self) {
        let Some(store) = &self.store else { return };
        let failure = match store.abandon() {
            Abandoned::NotStored => {
                StoreFailure::NotStored("the server is shutting down, and the disk is too slow".into())
            }
            Abandoned::Unknown => StoreFailure::Unconfirmed("the server is shutting down".into()),
        };
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|waiting| waiting.author);
        let unconfirmed = self.committing.take().unwrap_or_default().into_iter().chain(waiting);
        for Author { origin, name, .. } in unconfirmed {
            self.push(origin, Action::SayFailed(name, failure.clone()));
        }
        (self.is_gathering, self.bytes) = (false, 0);
    }

    fn close(&mut self) {
        if let Some(store) = self.store.take() {
            store.close(Duration::from_millis(STORE_CLOSE_MS_MAX));
        }
    }
}

fn cost(name: &Name, text: &str) -> usize {
    name.as_str().len() + text.len() + PAST_OVERHEAD_BYTES
}
