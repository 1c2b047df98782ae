//! Runs a chat over a link, for the terminal and for scripts. [`Session`] decides what to do.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};
use futures_lite::future::yield_now;

use super::input;
use super::link::{Link, LinkEvent};
use super::refusal::explain;
use super::session::{Action, DisplayItem, Session};
use super::wire::Outgoing;
use super::{Code, End};

/// A session with its connection. At a terminal, two threads share it: `receive` calls [`Chat::run`], `send` calls
/// [`Chat::send_waiting`].
pub(super) struct Chat {
    state: Mutex<State>,
    /// Wakes [`Chat::send_waiting`].
    changed: (Sender<()>, Receiver<()>),
    /// Closed when the user has left at a terminal. Nothing is ever sent on it.
    leaving: (Sender<Vec<u8>>, Receiver<Vec<u8>>),
}

#[derive(Default)]
struct State {
    session: Session,
    connection: Option<Outgoing>,
    /// Lines to send, in the order in which the session expects the replies.
    unsent: Vec<u8>,
}

impl Default for Chat {
    fn default() -> Self {
        Self { state: Mutex::default(), changed: async_channel::bounded(1), leaving: async_channel::bounded(1) }
    }
}

impl Chat {
    /// Reads or changes the session, and wakes [`Chat::send_waiting`].
    pub(super) fn with_session<T>(&self, act: impl FnOnce(&mut Session) -> T) -> T {
        let result = act(&mut self.state().session);
        // If this fails, a wake-up is already pending.
        let _ = self.changed.0.try_send(());
        result
    }

    /// The input of a link at a terminal: no lines, and its end when the user has left.
    pub(super) fn leaving(&self) -> Receiver<Vec<u8>> {
        self.leaving.1.clone()
    }

    /// Runs until the input of the link ends or has `/quit`, or the connection is lost for good. `has_lines`: the typed lines come
    /// by the input of the link.
    pub(super) async fn run(
        &self,
        link: &mut Link,
        has_lines: bool,
        mut show: impl FnMut(&DisplayItem) -> Result<(), End>,
    ) -> Result<(), End> {
        let (mut leaving, mut number) = (false, 0_u64);
        loop {
            // Gives the printing its turn, however fast lines arrive.
            yield_now().await;
            let (takes_input, unanswered) = self.with_session(|session| (session.takes_input(), session.unanswered()));
            let event = link.next(!leaving && (takes_input || !has_lines), unanswered > 0).await;
            let event = match event {
                Ok(event) => event,
                Err(end) => {
                    let mut left = leaving && end.0 == Code::Lost;
                    let act = |state: &mut State| {
                        left &= state.session.unanswered() == 0;
                        state.session.handle_end(left)
                    };
                    for item in self.carry_out(act).await {
                        show(&item)?;
                    }
                    return if left { Ok(()) } else { Err(end) };
                }
            };
            number += u64::from(matches!(event, LinkEvent::Input(_)));
            for item in self.carry_out(|state| state.handle(event, link, number)).await {
                show(&item)?;
            }
            if !leaving && self.with_session(|session| session.is_leaving()) {
                leaving = true;
                link.stop_reconnecting();
            }
        }
    }

    /// Sends the lines that were typed at a terminal, each as soon as it can be sent.
    pub(super) async fn send_waiting(&self, show: impl Fn(&DisplayItem)) -> Infallible {
        loop {
            let mut is_idle = false;
            let act = |state: &mut State| {
                let actions = state.session.handle_waiting();
                is_idle = actions.is_none();
                actions.unwrap_or_default()
            };
            self.carry_out(act).await.iter().for_each(&show);
            if self.state().session.is_leaving() {
                self.leaving.1.close();
            }
            if is_idle {
                // This cannot fail: the sender is held here.
                let _ = self.changed.1.recv().await;
            }
        }
    }

    /// Carries out the actions that `act` returns. Returns what to show.
    async fn carry_out(&self, act: impl FnOnce(&mut State) -> Vec<Action>) -> Vec<DisplayItem> {
        let (shown, connection) = {
            let mut state = self.state();
            let mut shown = Vec::new();
            for action in act(&mut state) {
                match action {
                    Action::Send(line) => state.unsent.extend([line.as_bytes(), b"\n"].concat()),
                    Action::Show(item) => shown.push(item),
                }
            }
            (shown, state.connection.clone().filter(|_| !state.unsent.is_empty()))
        };
        if let Some(connection) = connection {
            connection.send(|| self.state().take_unsent(&connection)).await;
        }
        shown
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn handle(&mut self, event: LinkEvent, link: &Link, number: u64) -> Vec<Action> {
        let session = &mut self.session;
        match event {
            LinkEvent::Line(heard) => session.handle_line(heard),
            // At a terminal, the user has left.
            LinkEvent::Input(_) if session.is_leaving() => Vec::new(),
            LinkEvent::Input(typed) => match input::text_of(typed.unwrap_or(b"/quit".into())) {
                Ok(text) => session.handle_input(&text),
                Err(refusal) => {
                    let text = format!("line {number} was not sent: {}", explain(&refusal.into()));
                    vec![Action::Show(DisplayItem::Warning(text))]
                }
            },
            LinkEvent::Gap(what) | LinkEvent::AttemptFailed(what) => vec![Action::Show(DisplayItem::Warning(what))],
            LinkEvent::CaughtUp(whole) => {
                self.connection = link.outgoing();
                session.handle_replay_end(link.name(), whole)
            }
            LinkEvent::Lost(_) => {
                (self.connection, self.unsent) = (None, Vec::new());
                session.handle_disconnect()
            }
            LinkEvent::RetryIn(pause) => {
                let text = format!("reconnecting to {} in {:.1} s", link.address(), pause.as_secs_f64());
                vec![Action::Show(DisplayItem::Note(text))]
            }
            LinkEvent::Reconnected(named) => {
                self.connection = link.outgoing();
                session.handle_connect(named)
            }
        }
    }

    /// Removes the lines to send on this connection. Those of the next one are not sent on it.
    fn take_unsent(&mut self, connection: &Outgoing) -> Vec<u8> {
        let is_current = self.connection.as_ref().is_some_and(|current| current.is(connection));
        if is_current { std::mem::take(&mut self.unsent) } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use futures_lite::future::{or, zip};
    use futures_lite::io::BufReader;
    use futures_lite::{AsyncBufReadExt as _, AsyncWriteExt as _, StreamExt as _, stream};
    use smol::net::{TcpListener, TcpStream};

    use super::*;
    use crate::client::reading::Reading;
    use crate::client::wire::{Wire, time_out};
    use crate::protocol::Name;

    /// Accepts a connection and sends these lines on it.
    async fn accept(listener: &TcpListener, lines: &str) -> TcpStream {
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(lines.as_bytes()).await.unwrap();
        peer
    }

    /// A typed `/history` was sent before the request for missed messages, and its reply was mistaken for theirs.
    #[test]
    fn typed_command_waits_for_replay_after_rename() {
        let hello = "HELLO chinwag/1 epoch=a hi\nOK SET tags on\n";
        let taken = format!("{hello}ERR SET unknown-setting x\nERR NICK name-taken taken\n");
        smol::block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            // The typed lines are available from the start, and are read when there is a connection.
            let typed = ["/nick bo", "/history 7"].map(|line| line.as_bytes().to_vec());
            let mut wire = Wire::new(stream::iter(typed).chain(stream::pending()));
            let (opened, before) = zip(wire.open(&address), accept(&listener, hello)).await;
            assert!(opened.is_ok());
            let mut link = Link::new(wire, address, Name::new("al").unwrap(), Reading::from_now(0), None).await;
            drop(before);
            let server = async {
                let mut peer = accept(&listener, &taken).await;
                let mut lines = BufReader::new(peer.clone()).lines();
                // The reply to a PING is a barrier: only the expected lines were sent before it.
                for (expected, answer) in [
                    (&["SET tags on", "SET resume on", "NICK al", "NICK bo"][..], "PING x"),
                    (&["PONG x"], "OK NICK bo"),
                    (&["HISTORY 0", "SET echo on", "WHO"], "PING y"),
                    (&["PONG y"], "OK HISTORY 0 last=0"),
                    (&["HISTORY 7"], "OK QUIT"),
                ] {
                    for line in expected {
                        assert_eq!(lines.next().await.unwrap().unwrap(), *line);
                    }
                    peer.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
                }
            };
            let chat = Chat::default();
            let talk = async { panic!("it ended: {:?}", chat.run(&mut link, true, |_| Ok(())).await) };
            let deadline = Instant::now().checked_add(Duration::from_secs(20));
            or(or(server, talk), async { time_out(deadline).await.unwrap() }).await;
        });
    }
}
