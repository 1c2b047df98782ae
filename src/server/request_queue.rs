//! The way to the hub: each connection puts what it has into a row of its own, and the rows take turns.
//!
//! In one queue for all, a connection that finds it full would have to wait for room, and whoever comes by at the right moment
//! takes it: in a crowd some never got any.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};

use super::hub::Request;
use crate::limits::TURN_LINES_OF_ONE_MAX;

/// Where rows are brought to. While anybody has one of these, the hub goes on.
#[derive(Clone)]
pub(super) struct HubSender(Sender<Arc<RequestQueue>>);

/// What one connection has for the hub, in its order.
#[derive(Default)]
pub(super) struct RequestQueue(Mutex<State>);

/// Most connections have nothing to say most of the time, and keep no memory for it.
#[derive(Default)]
struct State {
    /// With the bytes of each.
    #[expect(clippy::box_collection, reason = "a pointer takes a quarter of the memory of an empty queue")]
    waiting: Option<Box<VecDeque<(Request, u32)>>>,
    /// Those of all that wait.
    bytes: u32,
    /// The hub has the row, or will find it.
    is_known: bool,
}

/// The rows that are not empty, and whose turn it is.
pub(super) struct RequestQueues {
    new: Receiver<Arc<RequestQueue>>,
    known: VecDeque<Arc<RequestQueue>>,
}

pub(super) fn new() -> (HubSender, RequestQueues) {
    let (sender, new) = async_channel::unbounded();
    (HubSender(sender), RequestQueues { new, known: VecDeque::new() })
}

impl HubSender {
    /// Puts a request of so many bytes at the end of a row.
    ///
    /// # Errors
    /// `NotConnected`: the hub is gone.
    pub(super) fn send(&self, queue: &Arc<RequestQueue>, request: Request, bytes: u32) -> io::Result<()> {
        let mut state = queue.state();
        state.bytes += bytes;
        state.waiting.get_or_insert_default().push_back((request, bytes));
        if std::mem::replace(&mut state.is_known, true) {
            return Ok(());
        }
        drop(state);
        self.0.try_send(Arc::clone(queue)).map_err(|_| io::ErrorKind::NotConnected.into())
    }
}

impl RequestQueue {
    /// Bytes of lines that the hub has not taken yet.
    pub(super) fn bytes(&self) -> u32 {
        self.state().bytes
    }

    /// What comes next. If nothing does, the row is forgotten until it is brought again.
    fn pop(&self) -> Option<Request> {
        let mut state = self.state();
        let Some((request, bytes)) = state.waiting.as_mut().and_then(|waiting| waiting.pop_front()) else {
            *state = State::default();
            return None;
        };
        state.bytes -= bytes;
        Some(request)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestQueues {
    /// Waits until there is a row; whether there ever will be.
    pub(super) async fn wait(&mut self) -> bool {
        if self.known.is_empty() {
            let Ok(queue) = self.new.recv().await else { return false };
            self.known.push_back(queue);
        }
        true
    }

    /// Lets one row after the other have a turn, until all are empty or `take` says that it is enough.
    pub(super) fn take_turns(&mut self, mut take: impl FnMut(Request) -> ControlFlow<()>) {
        while let Ok(queue) = self.new.try_recv() {
            self.known.push_back(queue);
        }
        while let Some(queue) = self.known.pop_front() {
            let turn = std::iter::from_fn(|| queue.pop()).take(TURN_LINES_OF_ONE_MAX);
            let mut lines = 0;
            let flow = turn.inspect(|_| lines += 1).try_for_each(&mut take);
            if flow.is_break() || lines == TURN_LINES_OF_ONE_MAX {
                self.known.push_back(queue);
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
    use crate::room::SessionId;
    use crate::session::InputKind;

    fn crowd(inbox: &HubSender, sessions: u64, lines: usize) -> Vec<Arc<RequestQueue>> {
        let queues: Vec<Arc<RequestQueue>> = (0..sessions).map(|_| Arc::default()).collect();
        for _ in 0..lines {
            for (session, queue) in (0..).map(SessionId).zip(&queues) {
                inbox.send(queue, Request::Act(session, InputKind::Blank), 1).unwrap();
            }
        }
        queues
    }

    /// Those of so many requests that come next, by session.
    fn take(queues: &mut RequestQueues, most: usize) -> Vec<u64> {
        let mut taken = Vec::new();
        queues.take_turns(|request| {
            let Request::Act(session, _) = request else { panic!("nobody connects") };
            taken.push(session.0);
            if taken.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        taken
    }

    /// In a crowd in which everybody always had more to say, some were not heard for as long as it lasted.
    #[test]
    fn everybody_has_a_turn_before_anybody_has_another() {
        let (inbox, mut queues) = new();
        let crowd = crowd(&inbox, 10, 3 * TURN_LINES_OF_ONE_MAX);
        let late: Arc<RequestQueue> = Arc::default();
        inbox.send(&late, Request::Act(SessionId(10), InputKind::Blank), 1).unwrap();
        let mut order = take(&mut queues, 11 * TURN_LINES_OF_ONE_MAX);
        order.dedup();
        assert_eq!(order[..11], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        // Whoever comes meanwhile waits for those only who were there.
        inbox.send(&late, Request::Act(SessionId(10), InputKind::Blank), 1).unwrap();
        let before = take(&mut queues, usize::MAX).iter().take_while(|session| **session != 10).count();
        assert!(before <= 10 * 2 * TURN_LINES_OF_ONE_MAX, "{before} lines came before");
        assert!(crowd.iter().all(|queue| queue.bytes() == 0));
    }

    /// One that is broken off says the rest at its next turn, and nothing is said twice.
    #[test]
    fn nothing_is_lost_when_it_is_enough() {
        let (inbox, mut queues) = new();
        let crowd = crowd(&inbox, 3, 50);
        let mut taken = [0; 3];
        for most in (1..20).cycle() {
            let some = take(&mut queues, most);
            for session in &some {
                taken[usize::try_from(*session).unwrap()] += 1;
            }
            if some.is_empty() {
                break;
            }
        }
        assert_eq!(taken, [50; 3]);
        inbox.send(&crowd[1], Request::Act(SessionId(1), InputKind::Blank), 1).unwrap();
        assert!(future::block_on(queues.wait()));
        assert_eq!(take(&mut queues, 10), [1]);
        drop(inbox);
        assert!(!future::block_on(queues.wait()));
    }
}
