//! The queues of requests from connections to the hub: one for each connection, served in turns.
//!
//! A single bounded queue would be unfair: a connection that finds it full waits for space, and another connection may take the space
//! first. With many busy clients, some were never served.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};

use super::hub::{HubStatus, ModerationResult, OperatorResult, SignOfLife};
use crate::command::ClientLine;
use crate::control::AccountRequest;
use crate::feed::Mailbox;
use crate::limits::TURN_LINES_OF_ONE_MAX;
use crate::protocol::{AuditRecord, Peer};
use crate::session::InputKind;
use crate::state::SessionId;

/// A request of a connection to the hub.
#[derive(Debug)]
pub enum HubRequest {
    /// A client connected. Its lines go to this mailbox.
    Connect(SessionId, Peer, Arc<Mailbox>),
    /// An input for the session: a command, the end of input, a broken connection, and so on.
    Input(SessionId, InputKind),
    /// The connection's task has ended. The hub keeps the ticket, which counts the client as connected, while its member is detached.
    KeepTicket(SessionId, Box<dyn Any + Send>),
    /// A health check: the hub adds one to this mailbox's count of answered lines.
    Probe(Arc<Mailbox>),
    /// The service manager wants to know whether the hub is alive. The hub answers on this channel.
    GiveSignOfLife(Sender<SignOfLife>),
    /// An operator asks for the figures of the server. The hub sends them to this channel.
    Status(Sender<HubStatus>),
    /// An operator asks for the audit log. The hub sends the entries that no store has to this channel.
    Audit(Sender<Vec<AuditRecord>>),
    /// An operator asks for the accounts, or changes them. The hub sends the reply to this channel.
    Operate(AccountRequest, Sender<OperatorResult>),
    /// An operator moderates. The hub sends the reply to this channel.
    Moderate(ClientLine, Sender<ModerationResult>),
}

/// Sends requests to the hub. The hub runs until all senders are dropped.
#[derive(Clone)]
pub(super) struct HubSender(Sender<Arc<RequestQueue>>);

/// The requests of one connection, in order.
#[derive(Default)]
pub(super) struct RequestQueue(Mutex<QueueState>);

#[derive(Default)]
struct QueueState {
    /// Requests, each with the bytes of its line. `None` while the queue is empty, as it mostly is: an idle connection needs no memory for
    /// it.
    #[expect(clippy::box_collection, reason = "a pointer takes a quarter of the memory of an empty queue")]
    requests: Option<Box<VecDeque<(HubRequest, u32)>>>,
    /// The sum of the bytes of all requests.
    bytes: u32,
    /// The queue is in `HubReceiver::scheduled` or on its way there.
    is_scheduled: bool,
}

/// Receives requests in the hub, from one connection after the other.
pub(super) struct HubReceiver {
    arrivals: Receiver<Arc<RequestQueue>>,
    /// Queues with requests, in the order of their turns.
    scheduled: VecDeque<Arc<RequestQueue>>,
}

/// Creates the hub's receiver, and a sender that connections clone.
pub(super) fn channel() -> (HubSender, HubReceiver) {
    let (sender, arrivals) = async_channel::unbounded();
    (HubSender(sender), HubReceiver { arrivals, scheduled: VecDeque::new() })
}

impl HubSender {
    /// Appends a request, whose line has this many bytes, to the queue of its connection.
    ///
    /// # Errors
    /// `NotConnected`: the hub has ended.
    pub(super) fn send(&self, queue: &Arc<RequestQueue>, request: HubRequest, bytes: u32) -> io::Result<()> {
        let mut state = queue.state();
        state.bytes += bytes;
        state.requests.get_or_insert_default().push_back((request, bytes));
        if std::mem::replace(&mut state.is_scheduled, true) {
            return Ok(());
        }
        drop(state);
        self.0.try_send(Arc::clone(queue)).map_err(|_| io::ErrorKind::NotConnected.into())
    }
}

impl RequestQueue {
    /// The bytes of lines in the queue.
    pub(super) fn bytes(&self) -> u32 {
        self.state().bytes
    }

    /// Removes the first request. Without one, the queue is no longer scheduled, and frees its memory.
    fn pop(&self) -> Option<HubRequest> {
        let mut state = self.state();
        let Some((request, bytes)) = state.requests.as_mut().and_then(|requests| requests.pop_front()) else {
            *state = QueueState::default();
            return None;
        };
        state.bytes -= bytes;
        Some(request)
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HubReceiver {
    /// Waits for a request. Returns false if none can come any more, because all senders are dropped.
    pub(super) async fn wait(&mut self) -> bool {
        if self.scheduled.is_empty() {
            let Ok(queue) = self.arrivals.recv().await else { return false };
            self.scheduled.push_back(queue);
        }
        true
    }

    /// The number of connections with requests.
    #[cfg(feature = "metrics")]
    pub(super) fn waiting(&self) -> usize {
        self.scheduled.len() + self.arrivals.len()
    }

    /// Calls `process` with the requests of one queue after the other, at most [`TURN_LINES_OF_ONE_MAX`] of each in a row, until all queues
    /// are empty or `process` breaks.
    pub(super) fn process_in_turns(&mut self, mut process: impl FnMut(HubRequest) -> ControlFlow<()>) {
        while let Ok(queue) = self.arrivals.try_recv() {
            self.scheduled.push_back(queue);
        }
        while let Some(queue) = self.scheduled.pop_front() {
            let turn = std::iter::from_fn(|| queue.pop()).take(TURN_LINES_OF_ONE_MAX);
            let mut lines = 0;
            let flow = turn.inspect(|_| lines += 1).try_for_each(&mut process);
            if flow.is_break() || lines == TURN_LINES_OF_ONE_MAX {
                self.scheduled.push_back(queue);
            }
            if flow.is_break() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future;

    use super::*;
    use crate::session::InputKind;
    use crate::state::SessionId;

    /// Sends this number of lines from each of the sessions 0, 1, and so on.
    fn send_lines(to_hub: &HubSender, sessions: u64, lines: usize) -> Vec<Arc<RequestQueue>> {
        let queues: Vec<Arc<RequestQueue>> = (0..sessions).map(|_| Arc::default()).collect();
        for _ in 0..lines {
            for (session, queue) in (0..).map(SessionId).zip(&queues) {
                to_hub.send(queue, HubRequest::Input(session, InputKind::Blank), 1).unwrap();
            }
        }
        queues
    }

    /// The sessions of the next requests, at most `count_max`.
    fn receive(requests: &mut HubReceiver, count_max: usize) -> Vec<u64> {
        let mut sessions = Vec::new();
        requests.process_in_turns(|request| {
            let HubRequest::Input(session, _) = request else { panic!("nobody connects") };
            sessions.push(session.0);
            if sessions.len() < count_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        sessions
    }

    /// With many clients that always had more lines to send, some were never served.
    #[test]
    fn every_queue_has_a_turn_before_any_has_another() {
        let (to_hub, mut requests) = channel();
        let queues = send_lines(&to_hub, 10, 3 * TURN_LINES_OF_ONE_MAX);
        let late: Arc<RequestQueue> = Arc::default();
        to_hub.send(&late, HubRequest::Input(SessionId(10), InputKind::Blank), 1).unwrap();
        let mut order = receive(&mut requests, 11 * TURN_LINES_OF_ONE_MAX);
        order.dedup();
        assert_eq!(order[..11], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        // A queue that is scheduled again waits only for the queues before it.
        to_hub.send(&late, HubRequest::Input(SessionId(10), InputKind::Blank), 1).unwrap();
        let before = receive(&mut requests, usize::MAX).iter().take_while(|session| **session != 10).count();
        assert!(before <= 10 * 2 * TURN_LINES_OF_ONE_MAX, "{before} lines came before");
        assert!(queues.iter().all(|queue| queue.bytes() == 0));
    }

    /// The rest of an interrupted turn is processed in the next one, and nothing twice.
    #[test]
    fn interrupted_turn_loses_no_request() {
        let (to_hub, mut requests) = channel();
        let queues = send_lines(&to_hub, 3, 50);
        let mut counts = [0; 3];
        for count_max in (1..20).cycle() {
            let some = receive(&mut requests, count_max);
            for session in &some {
                counts[usize::try_from(*session).unwrap()] += 1;
            }
            if some.is_empty() {
                break;
            }
        }
        assert_eq!(counts, [50; 3]);
        to_hub.send(&queues[1], HubRequest::Input(SessionId(1), InputKind::Blank), 1).unwrap();
        assert!(future::block_on(requests.wait()));
        assert_eq!(receive(&mut requests, 10), [1]);
        drop(to_hub);
        assert!(!future::block_on(requests.wait()));
    }
}
