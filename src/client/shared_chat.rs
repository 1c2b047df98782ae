//! Runs a chat over a membership, at a terminal and for scripts: passes lines and events to [`ChatState`], sends the lines and shows the
//! items that it returns.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};
use futures_lite::future::yield_now;

use super::chat_state::{ChatAction, ChatState, DisplayItem};
use super::connection::ConnectionWriter;
use super::input;
use super::membership::{Membership, MembershipEvent};
use super::refusal::explain;
use super::{Exit, ExitCode};

/// A chat, and the sending side of its connection. At a terminal, two threads share it: `receive` calls [`SharedChat::run`], `send` calls
/// [`SharedChat::send_waiting`]. Without a terminal, one task calls [`SharedChat::run`].
pub(super) struct SharedChat {
    inner: Mutex<ChatInner>,
    /// Wakes [`SharedChat::send_waiting`].
    changed: (Sender<()>, Receiver<()>),
    /// Closed when the user has left at a terminal. Nothing is ever sent on it.
    leaving: (Sender<Vec<u8>>, Receiver<Vec<u8>>),
}

#[derive(Default)]
struct ChatInner {
    state: ChatState,
    writer: Option<ConnectionWriter>,
    /// Lines to send, in the order in which [`ChatState`] expects the replies.
    unsent: Vec<u8>,
}

impl Default for SharedChat {
    fn default() -> Self {
        Self { inner: Mutex::default(), changed: async_channel::bounded(1), leaving: async_channel::bounded(1) }
    }
}

impl SharedChat {
    /// Reads or changes the state, and wakes [`SharedChat::send_waiting`].
    pub(super) fn with_state<T>(&self, act: impl FnOnce(&mut ChatState) -> T) -> T {
        let result = act(&mut self.inner().state);
        // If this fails, a wake-up is already pending.
        let _ = self.changed.0.try_send(());
        result
    }

    /// The input of a membership at a terminal: it has no lines, and ends when the user leaves.
    pub(super) fn leaving(&self) -> Receiver<Vec<u8>> {
        self.leaving.1.clone()
    }

    /// Runs until the membership's input ends or contains `/quit`, or the connection is lost for good. `has_lines`: the membership's
    /// input has the typed lines.
    pub(super) async fn run(
        &self,
        membership: &mut Membership,
        has_lines: bool,
        mut show: impl FnMut(&DisplayItem) -> Result<(), Exit>,
    ) -> Result<(), Exit> {
        let (mut leaving, mut number) = (false, 0_u64);
        loop {
            // Lets other tasks print, however fast lines arrive.
            yield_now().await;
            let (takes_input, unanswered) = self.with_state(|state| (state.takes_input(), state.unanswered()));
            let event = membership.next(!leaving && (takes_input || !has_lines), unanswered > 0).await;
            let event = match event {
                Ok(event) => event,
                Err(end) => {
                    let mut left = leaving && end.0 == ExitCode::Lost;
                    let act = |inner: &mut ChatInner| {
                        left &= inner.state.unanswered() == 0;
                        inner.state.handle_end(left)
                    };
                    for item in self.carry_out(act).await {
                        show(&item)?;
                    }
                    return if left { Ok(()) } else { Err(end) };
                }
            };
            number += u64::from(matches!(event, MembershipEvent::Input(_)));
            for item in self.carry_out(|state| state.handle(event, membership, number)).await {
                show(&item)?;
            }
            self.with_state(|state| {
                if state.take_account_change() {
                    membership.set_account(state.account().cloned());
                }
            });
            if !leaving && self.with_state(|state| state.is_leaving()) {
                leaving = true;
                membership.stop_reconnecting();
            }
        }
    }

    /// Sends the lines typed at a terminal, each as soon as possible.
    pub(super) async fn send_waiting(&self, show: impl Fn(&DisplayItem)) -> Infallible {
        loop {
            let mut is_idle = false;
            let act = |inner: &mut ChatInner| {
                let actions = inner.state.handle_waiting();
                is_idle = actions.is_none();
                actions.unwrap_or_default()
            };
            self.carry_out(act).await.iter().for_each(&show);
            if self.inner().state.is_leaving() {
                self.leaving.1.close();
            }
            if is_idle {
                // This cannot fail: the sender is held here.
                let _ = self.changed.1.recv().await;
            }
        }
    }

    /// Carries out the actions that `act` returns. Returns what to show.
    async fn carry_out(&self, act: impl FnOnce(&mut ChatInner) -> Vec<ChatAction>) -> Vec<DisplayItem> {
        let (shown, writer) = {
            let mut state = self.inner();
            let mut shown = Vec::new();
            for action in act(&mut state) {
                match action {
                    ChatAction::Send(line) => state.unsent.extend([line.as_bytes(), b"\n"].concat()),
                    ChatAction::Show(item) => shown.push(item),
                }
            }
            (shown, state.writer.clone().filter(|_| !state.unsent.is_empty()))
        };
        if let Some(writer) = writer {
            writer.send(|| self.inner().take_unsent(&writer)).await;
        }
        shown
    }

    fn inner(&self) -> MutexGuard<'_, ChatInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChatInner {
    fn handle(&mut self, event: MembershipEvent, membership: &Membership, number: u64) -> Vec<ChatAction> {
        let state = &mut self.state;
        state.set_private(membership.is_private());
        state.set_accepts_secrets(membership.accepts_secrets());
        state.set_features(membership.features());
        match event {
            MembershipEvent::Line(received) => state.handle_line(received),
            // At a terminal, the user has left.
            MembershipEvent::Input(_) if state.is_leaving() => Vec::new(),
            MembershipEvent::Input(typed) => match input::decode_line(typed.unwrap_or(b"/quit".into())) {
                Ok(text) => state.handle_input(&text),
                Err(refusal) => {
                    let text = format!("line {number} was not sent: {}", explain(&refusal.into()));
                    vec![ChatAction::Show(DisplayItem::Warning(text))]
                }
            },
            MembershipEvent::Gap(room, what) => state.handle_gap(&room, what),
            MembershipEvent::AttemptFailed(what) => vec![ChatAction::Show(DisplayItem::Warning(what))],
            MembershipEvent::CaughtUp(room, is_complete) => {
                self.writer = membership.outgoing();
                state.handle_replay_end(&room, membership.name(), is_complete)
            }
            MembershipEvent::RoomLost(room, why) => state.handle_room_lost(&room, &why),
            MembershipEvent::Ready => {
                state.handle_ready();
                Vec::new()
            }
            MembershipEvent::Lost(_) => {
                (self.writer, self.unsent) = (None, Vec::new());
                state.handle_disconnect()
            }
            MembershipEvent::RetryIn(pause) => {
                let text = format!("reconnecting to {} in {:.1} s", membership.address(), pause.as_secs_f64());
                vec![ChatAction::Show(DisplayItem::Note(text))]
            }
            MembershipEvent::Reconnected(named) => {
                self.writer = membership.outgoing();
                state.handle_connect(named)
            }
        }
    }

    /// Takes the lines to send on the connection of `writer`; none if it is not the current one.
    fn take_unsent(&mut self, writer: &ConnectionWriter) -> Vec<u8> {
        let is_current = self.writer.as_ref().is_some_and(|current| current.is_same(writer));
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
    use crate::client::address::ServerAddress;
    use crate::client::connection::{ServerConnection, time_out};
    use crate::client::rooms_progress::RoomsProgress;
    use crate::protocol::{Name, RoomName};

    /// Accepts a connection, and sends these lines to it.
    async fn accept(listener: &TcpListener, lines: &str) -> TcpStream {
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(lines.as_bytes()).await.unwrap();
        peer
    }

    #[test]
    fn unsent_line_is_sent_on_its_own_connection_only() {
        smol::block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = ServerAddress::Tcp(listener.local_addr().unwrap().to_string());
            let mut connections = [(); 2].map(|()| ServerConnection::new(stream::pending()));
            for connection in &mut connections {
                let hello = accept(&listener, "HELLO chinwag/1 hi\n");
                assert!(zip(connection.connect(&address), hello).await.0.is_ok());
            }
            let [earlier, current] = connections.map(|connection| connection.outgoing().unwrap());
            let mut inner =
                ChatInner { writer: Some(current.clone()), unsent: b"MSG hi\n".to_vec(), ..ChatInner::default() };
            assert_eq!(inner.take_unsent(&earlier), b"");
            assert_eq!(inner.take_unsent(&current), b"MSG hi\n");
        });
    }

    /// Regression: a typed `/history` was sent before the request for missed messages, and the client took its reply for the replay.
    #[test]
    fn typed_command_waits_for_replay_after_rename() {
        let hello = "HELLO chinwag/1 epoch=a hi\nOK SET tags on\n";
        let taken = format!("{hello}ERR SET unknown-setting x\nERR NICK name-taken taken\n");
        smol::block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = ServerAddress::Tcp(listener.local_addr().unwrap().to_string());
            // The typed lines are available from the start; the client reads them once it is connected.
            let typed = ["/nick bo", "/history 7"].map(|line| line.as_bytes().to_vec());
            let mut connection = ServerConnection::new(stream::iter(typed).chain(stream::pending()));
            let (opened, before) = zip(connection.open(&address), accept(&listener, hello)).await;
            assert!(opened.is_ok());
            let (name, rooms) = (Name::new("al").ok(), RoomsProgress::from_now(RoomName::lobby(), 0));
            let mut membership = Membership::new(connection, address, name, rooms, None).await;
            drop(before);
            let server = async {
                let mut peer = accept(&listener, &taken).await;
                let mut lines = BufReader::new(peer.clone()).lines();
                // PONG is a barrier: the client has sent only the expected lines before it.
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
            let chat = SharedChat::default();
            let talk = async { panic!("it ended: {:?}", chat.run(&mut membership, true, |_| Ok(())).await) };
            let deadline = Instant::now().checked_add(Duration::from_secs(20));
            or(or(server, talk), async { time_out(deadline).await.unwrap() }).await;
        });
    }
}
