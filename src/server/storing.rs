//! Messages on their way to the store and back: handed over as many as there are, while the next ones gather, and then said in the
//! order in which they came.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::Receiver;
use futures_lite::{Stream as _, ready};

use super::console;
use super::storage::CommitPipeline;
use crate::limits::{PAST_OVERHEAD_BYTES, STORE_BATCH_MAX, STORE_CLOSE_MS_MAX};
use crate::protocol::{EventId, Name, Past, Text, Timestamp};
use crate::room::{MemberId, Origin, SessionId, StoreFailure};
use crate::session::InputKind;
use crate::store::{Abandoned, Report, Store};

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
    /// What became of those that were.
    settled: VecDeque<(SessionId, InputKind)>,
    is_failing: bool,
}

#[derive(Debug)]
struct Waiting {
    origin: Origin,
    name: Name,
    /// `None` if the message is refused, which its sender learns after the replies before it.
    message: Option<(Timestamp, Text)>,
}

/// The sender of a message, and the nickname that it was sent under.
#[derive(Debug)]
struct Sender {
    origin: Origin,
    name: Name,
    is_refused: bool,
}

impl Storing {
    pub(super) fn new(store: Store) -> Self {
        Self {
            reports: Box::pin(store.reports().clone()),
            store,
            waiting: VecDeque::new(),
            bytes: 0,
            under_way: None,
            is_gathering: false,
            settled: VecDeque::new(),
            is_failing: false,
        }
    }
}

impl CommitPipeline for Storing {
    fn take(&mut self, at: Timestamp, origin: Origin, name: Name, text: Text, bytes_max: usize) {
        let bytes = cost(&name, &text);
        let message = (self.bytes + bytes <= bytes_max).then_some((at, text));
        self.bytes += if message.is_some() { bytes } else { 0 };
        self.waiting.push_back(Waiting { origin, name, message });
    }

    fn is_busy(&self) -> bool {
        self.under_way.is_some() || !self.waiting.is_empty() || !self.settled.is_empty()
    }

    fn is_gathering(&self) -> bool {
        self.is_gathering
    }

    fn has_settled(&self) -> bool {
        !self.settled.is_empty()
    }

    fn next_settled(&mut self) -> Option<(SessionId, InputKind)> {
        self.settled.pop_front()
    }

    /// What came first has waited for a turn by then: those who are busy have said the rest, and it is stored, and read by
    /// everybody, at once. Without that a few messages and many took turns, and all readers were written to twice as often.
    fn start(&mut self, last_id: EventId) {
        // The room has not published what was settled, so `last_id` is not the last one yet.
        if self.under_way.is_some() || !self.settled.is_empty() || self.waiting.is_empty() {
            return;
        }
        self.is_gathering = !self.is_gathering;
        if self.is_gathering {
            return;
        }
        let count = self.waiting.len().min(STORE_BATCH_MAX);
        let mut ids = last_id.0 + 1..;
        let mut messages = Vec::with_capacity(count);
        let mut under_way = Vec::with_capacity(count);
        for Waiting { origin, name, message } in self.waiting.drain(..count) {
            under_way.push(Sender { origin, name: name.clone(), is_refused: message.is_none() });
            messages.extend(message.and_then(|(at, text)| Some(Past { id: EventId(ids.next()?), at, name, text })));
        }
        self.under_way = Some(under_way);
        self.store.commit(messages);
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
        let failure = match self.store.abandon() {
            Abandoned::NotStored => {
                StoreFailure::NotStored("the server is shutting down, and the disk is too slow".into())
            }
            Abandoned::Unknown => StoreFailure::Unconfirmed("the server is shutting down".into()),
        };
        let handed_over =
            self.under_way.take().unwrap_or_default().into_iter().map(|sender| (sender.origin, sender.name));
        let unconfirmed = handed_over.chain(self.waiting.drain(..).map(|waiting| (waiting.origin, waiting.name)));
        self.settled.extend(
            unconfirmed
                .map(|(origin, name)| (origin.session, InputKind::NotStored(origin.member, name, failure.clone()))),
        );
        (self.is_gathering, self.bytes) = (false, 0);
    }

    fn close(self: Box<Self>) {
        self.store.close(Duration::from_millis(STORE_CLOSE_MS_MAX));
    }
}

impl Storing {
    fn note(&mut self, report: Report) {
        match report {
            Report::Committed(messages, result) => self.finish(messages, result),
            Report::Dropped(id) => self.drop_up_to(id),
        }
    }

    /// Takes note of what became of what was handed over. The ids of a batch that failed are given to the next one: nobody has seen
    /// them.
    fn finish(&mut self, messages: Vec<Past>, result: Result<(), String>) {
        if let Err(why) = result {
            if !std::mem::replace(&mut self.is_failing, true) {
                console::not_stored(&why);
            }
            let failure = StoreFailure::NotStored(why.into());
            return self.settle(messages, |member, past| InputKind::NotStored(member, past.name, failure.clone()));
        }
        if std::mem::take(&mut self.is_failing) {
            console::stored_again();
        }
        self.settle(messages, InputKind::Stored);
    }

    /// Takes note that messages up to this id are not kept any more.
    fn drop_up_to(&mut self, id: EventId) {
        self.settled.push_back((SessionId::SERVER, InputKind::Forget(id)));
    }

    fn settle(&mut self, messages: Vec<Past>, outcome: impl Fn(MemberId, Past) -> InputKind) {
        let mut messages = messages.into_iter();
        for Sender { origin, name, is_refused } in self.under_way.take().unwrap_or_default() {
            let action = if is_refused {
                let failure = StoreFailure::NotStored("too many messages already wait for the disk".into());
                Some(InputKind::NotStored(origin.member, name, failure))
            } else {
                messages.next().map(|past| {
                    self.bytes -= cost(&past.name, &past.text);
                    outcome(origin.member, past)
                })
            };
            self.settled.extend(action.map(|action| (origin.session, action)));
        }
    }
}

fn cost(name: &Name, text: &Text) -> usize {
    name.as_str().len() + text.as_str().len() + PAST_OVERHEAD_BYTES
}
