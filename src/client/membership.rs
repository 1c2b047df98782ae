//! A membership that outlives its connections. When a connection is lost, it reconnects, resumes the session or takes the nickname and
//! enters its rooms again, and reads the missed messages. A watcher, which has no nickname, watches its room again.
//!
//! The caller calls [`Membership::next`] in a loop; reconnecting happens within it. [`super::connection`] does the I/O,
//! [`super::rooms_progress`] decides which messages to pass on.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_lite::future::or;

use super::account::login_error;
use super::address::ServerAddress;
use super::connection::{ConnectionEvent, ConnectionWriter, ReplyTimeout, ServerConnection, time_out};
use super::entrance::LoginKind;
use super::read_progress::ReadAction;
use super::rooms_progress::{Entry, RoomsAction, RoomsProgress, is_displacement, removal};
use super::{Exit, ExitCode};
use crate::command::{
    ClientLine, Command, Features, Login, Nick, NickReply, ReceivedLine, ReceivedRefusal, Reply, ServerLine,
};
use crate::limits::{HELD_BYTES_MAX, RECONNECT_MS, REPLY_TOTAL_MS_MAX};
use crate::protocol::{Mode, Name, RoomName};

/// The result of [`Membership::next`].
#[derive(Debug)]
pub(super) enum MembershipEvent {
    /// A line from the server. A missed message comes as an event.
    Line(ReceivedLine),
    /// A line of the input without its ending; `None` at the end of the input.
    Input(Option<Vec<u8>>),
    /// Messages are missing in this room at this place; the text says which.
    Gap(RoomName, String),
    /// The replay of earlier messages of this room has ended; `false` if messages may be missing in it.
    CaughtUp(RoomName, bool),
    /// The replays of all rooms have ended.
    Ready,
    /// The session is no longer in this room; the reason.
    RoomLost(RoomName, String),
    /// The connection is lost; the reason.
    Lost(String),
    /// An attempt to reconnect failed; the reason.
    AttemptFailed(String),
    /// The next attempt to reconnect follows after this time.
    RetryIn(Duration),
    /// Connected again, with the nickname or its refusal.
    Reconnected(Result<Name, ReceivedRefusal>),
}

/// A nickname or a watcher on a server, connected or reconnecting.
pub(super) struct Membership {
    connection: ServerConnection,
    address: ServerAddress,
    /// The nickname to keep; `None` for a watcher.
    name: Option<Name>,
    rooms: RoomsProgress,
    /// Longest time to try to reconnect; `None`: without limit.
    retry: Option<Duration>,
    /// When [`Membership::next`] fails in any case.
    deadline: Option<Instant>,
    /// Events that [`Membership::next`] has not returned yet.
    events: VecDeque<MembershipEvent>,
    backoff: ExponentialBackoff,
    /// Whether the connection is lost, and not replaced yet.
    is_disconnected: bool,
    /// When to stop reconnecting, while disconnected.
    retry_until: Option<Instant>,
    /// The time limits of the replay.
    reply_timeout: ReplyTimeout,
    /// The memory of the events that are deferred until the replay ends.
    deferred_bytes: usize,
    /// Whether the connection has no nickname. The replay begins once it has one.
    is_nameless: bool,
    /// The time left for the server's next reply.
    reply_time_left: Duration,
}

impl Membership {
    /// A membership over a connection that has entered its home. `rooms` decides which earlier messages it reads.
    pub(super) async fn new(
        connection: ServerConnection,
        address: ServerAddress,
        name: Option<Name>,
        rooms: RoomsProgress,
        retry: Option<Duration>,
    ) -> Self {
        let (events, backoff, deadline) = (VecDeque::new(), backoff(), connection.deadline);
        let (is_disconnected, retry_until, is_nameless, reply_timeout, deferred_bytes) =
            (false, None, false, ReplyTimeout::new(0), 0);
        let reply_time_left = REPLY_TIME;
        let mut membership = Self {
            connection,
            address,
            name,
            rooms,
            retry,
            deadline,
            events,
            backoff,
            is_disconnected,
            retry_until,
            reply_timeout,
            deferred_bytes,
            is_nameless,
            reply_time_left,
        };
        membership.enter_home().await;
        membership
    }

    /// The nickname to keep; `None` for a watcher.
    pub(super) fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// The address of the server.
    pub(super) fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// The account to which the session is logged in.
    pub(super) fn account(&self) -> Option<&Login> {
        self.connection.account.as_ref()
    }

    /// Sets the account to which the session is logged in, and logs in again on the next connection.
    pub(super) fn set_account(&mut self, account: Option<Login>) {
        self.connection.account = account;
    }

    /// Whether nobody else can read a secret on the way, as far as the client knows.
    pub(super) fn accepts_secrets(&self) -> bool {
        self.connection.accepts_secrets()
    }

    /// Whether client and server agree that others on the way can neither read nor change the lines.
    pub(super) fn is_private(&self) -> bool {
        self.address.is_private() && self.connection.features.secure
    }

    /// The features of the server.
    pub(super) fn features(&self) -> Features {
        self.connection.features
    }

    /// The sending side of the connection, if there is one.
    pub(super) fn outgoing(&self) -> Option<ConnectionWriter> {
        self.connection.outgoing()
    }

    /// Stops reconnecting, and sets a deadline for the end.
    pub(super) fn stop_reconnecting(&mut self) {
        self.retry = Some(Duration::ZERO);
        let last = Instant::now() + Duration::from_millis(REPLY_TOTAL_MS_MAX);
        self.deadline = Some(self.deadline.map_or(last, |deadline| deadline.min(last)));
    }

    /// Fails if the input could not be read to its end.
    pub(super) fn check_input(&mut self) -> Result<(), Exit> {
        self.connection.check_input()
    }

    /// Sends `QUIT`, and waits a moment for the server to close the connection.
    pub(super) async fn quit(mut self) {
        self.connection.quit().await;
    }

    /// Waits for an event or, if `input` is set, for a line of the input. Fails when the connection is lost for good, standard output has
    /// no reader, a signal arrives, or the deadline passes. `is_reply_due`: the server owes a reply; if it does not send the reply in time,
    /// the connection counts as lost.
    pub(super) async fn next(&mut self, input: bool, is_reply_due: bool) -> Result<MembershipEvent, Exit> {
        if !is_reply_due {
            self.reply_time_left = REPLY_TIME;
        }
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if self.is_disconnected && self.retry == Some(Duration::ZERO) {
                return Err(Exit(ExitCode::Lost, String::new()));
            }
            let is_catching_up = !self.is_disconnected && self.rooms.is_catching_up();
            if !self.is_disconnected {
                let until = match (is_catching_up, is_reply_due) {
                    (true, _) => self.reply_timeout.deadline(),
                    (_, true) => Instant::now().checked_add(self.reply_time_left),
                    _ => None,
                };
                self.connection.deadline = [self.deadline, until].into_iter().flatten().min();
            }
            let begun = Instant::now();
            let next = self.connection.next(input).await;
            // Counts the wait for the server, not the time that printing takes.
            self.reply_time_left = match &next {
                Ok(ConnectionEvent::Line(received)) if received.is_reply() => REPLY_TIME,
                _ => self.reply_time_left.saturating_sub(begun.elapsed()),
            };
            match next {
                Ok(ConnectionEvent::Input(line)) => return Ok(MembershipEvent::Input(line)),
                Ok(ConnectionEvent::Line(received)) if is_catching_up => {
                    self.receive_in_replay(begun.elapsed(), received).await?;
                }
                Ok(ConnectionEvent::Line(received)) => self.receive(received).await,
                Err(Exit(ExitCode::Lost, why)) => self.handle_loss(why)?,
                Err(Exit(ExitCode::TimedOut, why))
                    if self.deadline.is_none_or(|deadline| Instant::now() < deadline) =>
                {
                    if self.is_disconnected {
                        self.reconnect().await?;
                    } else {
                        self.handle_loss(why)?;
                    }
                }
                Err(end) => return Err(end),
            }
        }
    }

    /// Handles a line during a replay. Closes the connection if the replay exceeds its time or memory.
    async fn receive_in_replay(&mut self, time: Duration, received: ReceivedLine) -> Result<(), Exit> {
        if matches!(received.known, Some(ServerLine::Event(..))) {
            // The line, and about the same size for its parsed form.
            self.deferred_bytes += 2 * received.line.len() + size_of::<ReceivedLine>();
        }
        match self.reply_timeout.spend(time, &received) {
            Err(Exit(_, why)) => self.handle_loss(why),
            Ok(()) if self.deferred_bytes > HELD_BYTES_MAX => {
                self.handle_loss("the server did not complete its reply".to_owned())
            }
            Ok(()) => {
                self.receive(received).await;
                Ok(())
            }
        }
    }

    async fn receive(&mut self, received: ReceivedLine) {
        if let Some(name) = new_name(&received) {
            self.name = Some(name.clone());
            if std::mem::take(&mut self.is_nameless) {
                self.enter_home().await;
            }
        } else if is_displacement(&received, self.name.as_ref()) {
            // With another nickname, the session enters its rooms again.
            self.is_nameless = true;
        } else if let Some((room, _)) = removal(&received, self.name.as_ref()) {
            self.rooms.leave(room);
        }
        for action in self.rooms.receive(received) {
            self.handle(action).await;
        }
    }

    async fn handle(&mut self, action: RoomsAction) {
        self.events.push_back(match action {
            RoomsAction::InRoom(_, ReadAction::Line(received)) => MembershipEvent::Line(received),
            RoomsAction::InRoom(room, ReadAction::Gap(what)) => MembershipEvent::Gap(room, what),
            RoomsAction::InRoom(room, ReadAction::CaughtUp(is_complete)) => {
                // The next reply has its own time.
                self.reply_timeout = ReplyTimeout::new(u64::MAX);
                MembershipEvent::CaughtUp(room, is_complete)
            }
            RoomsAction::InRoom(room, ReadAction::Send(command)) => return self.request(&room, &command).await,
            RoomsAction::Lost(room, why) => MembershipEvent::RoomLost(room, why),
            RoomsAction::Ready => MembershipEvent::Ready,
        });
    }

    /// Sends a command about a room.
    async fn request(&mut self, room: &RoomName, command: &Command) {
        let line = ClientLine::write(self.rooms.prefix_of(room), command, Mode::Commands);
        self.connection.send(line.as_bytes()).await;
    }

    /// Begins the replay in the home, and enters the other rooms.
    async fn enter_home(&mut self) {
        let (epoch, has_rooms) = (self.connection.epoch.clone(), self.connection.features.rooms);
        self.catch_up(&Entry::Home { epoch, has_rooms }).await;
    }

    /// Begins the replays of earlier messages.
    async fn catch_up(&mut self, entry: &Entry) {
        (self.reply_timeout, self.deferred_bytes) = (ReplyTimeout::new(u64::MAX), 0);
        for action in self.rooms.begin(entry) {
            self.handle(action).await;
        }
    }

    fn handle_loss(&mut self, why: String) -> Result<(), Exit> {
        self.events.extend(self.rooms.end().into_iter().map(MembershipEvent::Line));
        let for_good = self.retry == Some(Duration::ZERO);
        if for_good && self.events.is_empty() {
            return Err(Exit(ExitCode::Lost, why));
        }
        self.is_nameless = false;
        self.is_disconnected = true;
        self.retry_until = self.retry.and_then(|retry| Instant::now().checked_add(retry));
        self.events.push_back(MembershipEvent::Lost(why));
        if !for_good {
            self.schedule_attempt();
        }
        Ok(())
    }

    /// Closes the connection, and schedules the next attempt to reconnect.
    fn schedule_attempt(&mut self) {
        let pause = self.backoff.next().unwrap_or_default();
        let then = Instant::now() + pause;
        self.connection.wait_until(self.deadline.map_or(then, |deadline| deadline.min(then)));
        self.events.push_back(MembershipEvent::RetryIn(pause));
    }

    async fn reconnect(&mut self) -> Result<(), Exit> {
        // A script cannot choose another nickname: with a time limit, a refused nickname fails this attempt only.
        let deadline = self.deadline;
        let named = match or(self.rejoin(), time_out(deadline)).await {
            Ok(Err(refusal)) if self.retry.is_some() => Err(Exit(ExitCode::Refused, refusal.problem)),
            named => named,
        };
        match named {
            Ok(entered) => {
                (self.is_disconnected, self.backoff, self.connection.deadline) = (false, backoff(), self.deadline);
                self.is_nameless = entered.is_err();
                match &entered {
                    Ok(Rejoined::Resumed(_)) => self.catch_up(&Entry::Resumed).await,
                    Ok(Rejoined::Entered(_)) => self.enter_home().await,
                    Err(_) => {}
                }
                let named = entered.map(|(Rejoined::Resumed(name) | Rejoined::Entered(name))| name).transpose();
                self.events.extend(named.map(MembershipEvent::Reconnected));
                Ok(())
            }
            Err(end) if end.0.is_requested() || end.0 == ExitCode::Password => Err(end),
            Err(Exit(_, why)) if self.retry_until.is_some_and(|end| end <= Instant::now()) => Err(Exit(
                ExitCode::Lost,
                format!("could not reconnect within {:?}: {why}", self.retry.unwrap_or_default()),
            )),
            Err(Exit(_, why)) => {
                self.events.push_back(MembershipEvent::AttemptFailed(why));
                self.schedule_attempt();
                Ok(())
            }
        }
    }

    async fn rejoin(&mut self) -> Result<Result<Rejoined, ReceivedRefusal>, Exit> {
        self.connection.open(&self.address).await?;
        let Some(name) = &self.name else {
            return Ok(self.connection.watch(self.rooms.home()).await?.map(|()| Rejoined::Entered(None)));
        };
        if let Some(name) = self.connection.resume().await? {
            return Ok(Ok(Rejoined::Resumed(Some(name))));
        }
        self.connection.request_token().await?;
        let named = match self.connection.account.clone() {
            Some(account) => Ok(self.log_in_again(&account, name.clone()).await?),
            None => self.connection.take_name(name.as_str(), self.rooms.home()).await?,
        };
        Ok(named.map(|name| Rejoined::Entered(Some(name))))
    }

    /// Logs in on a new connection, but takes over no other connection of the account. Takes the nickname `name`, if it is another one.
    async fn log_in_again(&mut self, account: &Login, name: Name) -> Result<Name, Exit> {
        let home = self.rooms.home().clone();
        let logged_in = self.connection.log_in(account, LoginKind::Refusable, &home).await?;
        let own = logged_in.map_err(|refusal| login_error(account, &refusal))?;
        if own.key() == name.key() {
            return Ok(own);
        }
        // If it is taken meanwhile, the session has the nickname of its account.
        let answer = self.connection.request_reply(&Nick { name: name.clone(), room: None }.into()).await?;
        Ok(if matches!(answer.known, Some(ServerLine::Ok(Reply::Nick(_)))) { name } else { own })
    }
}

/// The nickname that the session has from this reply on.
fn new_name(received: &ReceivedLine) -> Option<&Name> {
    match &received.known {
        Some(ServerLine::Ok(Reply::Nick(NickReply { name, .. }) | Reply::Login(name) | Reply::Takeover(name))) => {
            Some(name)
        }
        _ => None,
    }
}

/// How a session came back, and its nickname if it has one.
enum Rejoined {
    /// It was resumed.
    Resumed(Option<Name>),
    /// It has entered its home.
    Entered(Option<Name>),
}

/// Longest wait for a reply of the server.
const REPLY_TIME: Duration = Duration::from_millis(REPLY_TOTAL_MS_MAX);

/// The pauses before the attempts to reconnect.
fn backoff() -> ExponentialBackoff {
    let [shortest, longest] = RECONNECT_MS.map(Duration::from_millis);
    let backoff = ExponentialBuilder::new().with_min_delay(shortest).with_max_delay(longest).without_max_times();
    backoff.with_jitter().build()
}

#[cfg(test)]
mod tests {
    use futures_lite::{AsyncWriteExt as _, stream};
    use smol::net::{TcpListener, TcpStream};

    use super::*;

    /// A membership after its first replay, and its server, which has sent `lines` after it.
    async fn membership(lines: &str) -> (Membership, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = ServerAddress::Tcp(listener.local_addr().unwrap().to_string());
        let serve = async {
            let (mut server, _) = listener.accept().await.unwrap();
            let text = format!("HELLO chinwag/1 hi\nOK SET tags on\nOK HISTORY 0 last=0\n{lines}");
            server.write_all(text.as_bytes()).await.unwrap();
            server
        };
        let connect = async {
            let mut connection = ServerConnection::new(stream::pending());
            connection.open(&address).await.unwrap();
            let rooms = RoomsProgress::from_now(RoomName::lobby(), 0);
            Membership::new(connection, address.clone(), Name::new("al").ok(), rooms, None).await
        };
        let (mut membership, server) = futures_lite::future::zip(connect, serve).await;
        assert!(matches!(membership.next(false, false).await, Ok(MembershipEvent::CaughtUp(..))));
        assert!(matches!(membership.next(false, false).await, Ok(MembershipEvent::Ready)));
        (membership, server)
    }

    #[test]
    fn overdue_reply_disconnects() {
        smol::block_on(async {
            let (mut membership, _server) = membership("MSG bob hi\nOK MSG 1\nMSG bob hi\n").await;
            let little = REPLY_TIME / 2;
            membership.reply_time_left = little;
            assert!(matches!(membership.next(false, true).await, Ok(MembershipEvent::Line(_))));
            assert!(membership.reply_time_left <= little, "an event is not a reply");
            assert!(matches!(membership.next(false, true).await, Ok(MembershipEvent::Line(_))));
            assert_eq!(membership.reply_time_left, REPLY_TIME);
            membership.reply_time_left = little;
            assert!(matches!(membership.next(false, false).await, Ok(MembershipEvent::Line(_))));
            assert!(membership.reply_time_left > little, "the server owed no reply");
            membership.reply_time_left = Duration::from_millis(20);
            assert!(matches!(membership.next(false, true).await, Ok(MembershipEvent::Lost(_))));
        });
    }

    #[test]
    fn deferred_bytes_include_parsed_events() {
        smol::block_on(async {
            let (mut membership, _server) = membership("").await;
            membership.enter_home().await;
            let mut held = 0;
            while !membership.is_disconnected {
                membership.receive_in_replay(Duration::ZERO, ReceivedLine::new("JOIN bob")).await.unwrap();
                held += 1;
            }
            assert!(held * size_of::<ReceivedLine>() <= 2 * HELD_BYTES_MAX, "{held}");
        });
    }
}
