//! A membership that outlives its connections: when one breaks, the link reconnects, takes its nickname back and reads the messages
//! that it missed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_lite::future::or;

use super::reading::{ReadAction, Reading};
use super::wire::{Outgoing, ReplyTimeout, Wire, WireEvent, time_out};
use super::{Code, End};
use crate::command::{Command, Heard, HeardRefusal, Reply, ServerLine};
use crate::limits::{HELD_BYTES_MAX, RECONNECT_MS, REPLY_TOTAL_MS_MAX};
use crate::protocol::{Mode, Name};

/// The result of [`Link::next`].
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// A line from the server. A missed message comes as the event that it was.
    Line(Heard),
    /// A line of the input without its ending; `None` at the end of the input.
    Input(Option<Vec<u8>>),
    /// Messages are missing here; the text says which.
    Gap(String),
    /// All earlier messages have been read; `false` if some may be missing.
    CaughtUp(bool),
    /// The connection is lost; the reason.
    Lost(String),
    /// An attempt to reconnect failed; the reason.
    AttemptFailed(String),
    /// The pause before the next attempt to reconnect.
    RetryIn(Duration),
    /// Connected again, with the nickname or the reason why it was refused.
    Reconnected(Result<Name, HeardRefusal>),
}

/// A nickname on a server, connected or reconnecting.
pub(super) struct Link {
    wire: Wire,
    address: String,
    /// The nickname to keep.
    name: Name,
    reading: Reading,
    /// How long to try to reconnect; `None`: without limit.
    retry: Option<Duration>,
    /// When to stop in any case.
    deadline: Option<Instant>,
    /// Events that [`Link::next`] has not returned yet.
    events: VecDeque<LinkEvent>,
    pauses: ExponentialBackoff,
    /// Whether there is no connection.
    is_away: bool,
    /// When to give up reconnecting, while it is away.
    retry_until: Option<Instant>,
    /// The time limits of the reply with earlier messages, and the bytes of events held back until it ends.
    reply_timeout: ReplyTimeout,
    held_bytes: usize,
    /// Whether there is a connection without a nickname: missed messages are requested once there is one.
    is_nameless: bool,
    /// The time left to wait for the next reply.
    reply_left: Duration,
}

impl Link {
    /// A link over a connection that has its nickname. `reading` decides which earlier messages it reads.
    pub(super) async fn new(
        wire: Wire,
        address: String,
        name: Name,
        reading: Reading,
        retry: Option<Duration>,
    ) -> Self {
        let (events, pauses, deadline) = (VecDeque::new(), pauses(), wire.deadline);
        let (is_away, retry_until, is_nameless, reply_timeout, held_bytes) =
            (false, None, false, ReplyTimeout::new(0), 0);
        let reply_left = REPLY_TIME;
        let mut link = Self {
            wire,
            address,
            name,
            reading,
            retry,
            deadline,
            events,
            pauses,
            is_away,
            retry_until,
            reply_timeout,
            held_bytes,
            is_nameless,
            reply_left,
        };
        link.catch_up().await;
        link
    }

    /// The nickname to keep.
    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    /// The server as `host:port`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The sending side of the connection, if there is one.
    pub(super) fn outgoing(&self) -> Option<Outgoing> {
        self.wire.outgoing()
    }

    /// Stops reconnecting, and sets a deadline for the end.
    pub(super) fn stop_reconnecting(&mut self) {
        self.retry = Some(Duration::ZERO);
        let last = Instant::now() + Duration::from_millis(REPLY_TOTAL_MS_MAX);
        self.deadline = Some(self.deadline.map_or(last, |deadline| deadline.min(last)));
    }

    /// Fails if the input could not be read to its end.
    pub(super) fn check_input(&mut self) -> Result<(), End> {
        self.wire.check_input()
    }

    /// Sends `QUIT`, and waits a moment for the server to close the connection.
    pub(super) async fn quit(mut self) {
        self.wire.quit().await;
    }

    /// Waits for an event or, if `input` is set, for a line of the input. Fails when the connection is lost for good, standard output
    /// has no reader any more, a signal arrives, or the deadline passes. `is_owed`: the server has a reply to send, and is
    /// disconnected if it does not send it in time.
    pub(super) async fn next(&mut self, input: bool, is_owed: bool) -> Result<LinkEvent, End> {
        if !is_owed {
            self.reply_left = REPLY_TIME;
        }
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if self.is_away && self.retry == Some(Duration::ZERO) {
                return Err(End(Code::Lost, String::new()));
            }
            let is_catching_up = !self.is_away && self.reading.is_catching_up();
            if !self.is_away {
                let until = match (is_catching_up, is_owed) {
                    (true, _) => self.reply_timeout.deadline(),
                    (_, true) => Instant::now().checked_add(self.reply_left),
                    _ => None,
                };
                self.wire.deadline = [self.deadline, until].into_iter().flatten().min();
            }
            let begun = Instant::now();
            let next = self.wire.next(input).await;
            // Only the wait for the server counts, not the time that the output takes.
            self.reply_left = match &next {
                Ok(WireEvent::Line(heard)) if heard.answers() => REPLY_TIME,
                _ => self.reply_left.saturating_sub(begun.elapsed()),
            };
            match next {
                Ok(WireEvent::Input(line)) => return Ok(LinkEvent::Input(line)),
                Ok(WireEvent::Line(heard)) if is_catching_up => self.receive_in_replay(begun.elapsed(), heard).await?,
                Ok(WireEvent::Line(heard)) => self.receive(heard).await,
                Err(End(Code::Lost, why)) => self.handle_loss(why)?,
                Err(End(Code::TimedOut, why)) if self.deadline.is_none_or(|deadline| Instant::now() < deadline) => {
                    if self.is_away {
                        self.reconnect().await?;
                    } else {
                        self.handle_loss(why)?;
                    }
                }
                Err(end) => return Err(end),
            }
        }
    }

    /// Handles a line during a replay. Gives up a connection whose replay does not end.
    async fn receive_in_replay(&mut self, time: Duration, heard: Heard) -> Result<(), End> {
        if matches!(heard.known, Some(ServerLine::Event(..))) {
            // The line, and about as much again for the parsed form.
            self.held_bytes += 2 * heard.line.len() + size_of::<Heard>();
        }
        match self.reply_timeout.spend(time, &heard) {
            Err(End(_, why)) => self.handle_loss(why),
            Ok(()) if self.held_bytes > HELD_BYTES_MAX => {
                self.handle_loss("the server sent events but did not end its reply".to_owned())
            }
            Ok(()) => {
                self.receive(heard).await;
                Ok(())
            }
        }
    }

    async fn receive(&mut self, heard: Heard) {
        if let Some(ServerLine::Ok(Reply::Nick(name))) = &heard.known {
            self.name = name.clone();
            if std::mem::take(&mut self.is_nameless) {
                self.catch_up().await;
            }
        }
        for action in self.reading.receive(heard) {
            self.handle(action).await;
        }
    }

    async fn handle(&mut self, action: ReadAction) {
        self.events.push_back(match action {
            ReadAction::Line(heard) => LinkEvent::Line(heard),
            ReadAction::Gap(what) => LinkEvent::Gap(what),
            ReadAction::CaughtUp(whole) => LinkEvent::CaughtUp(whole),
            ReadAction::Send(command) => return self.request(&command).await,
        });
    }

    async fn request(&mut self, command: &Command) {
        self.wire.send(command.to_line(Mode::Commands).as_bytes()).await;
    }

    /// Requests the earlier messages.
    async fn catch_up(&mut self) {
        let command = self.reading.begin(self.wire.epoch.clone());
        (self.reply_timeout, self.held_bytes) = (ReplyTimeout::new(u64::MAX), 0);
        self.request(&command).await;
    }

    fn handle_loss(&mut self, why: String) -> Result<(), End> {
        self.events.extend(self.reading.end().map(LinkEvent::Line));
        let for_good = self.retry == Some(Duration::ZERO);
        if for_good && self.events.is_empty() {
            return Err(End(Code::Lost, why));
        }
        self.is_nameless = false;
        self.is_away = true;
        self.retry_until = self.retry.and_then(|retry| Instant::now().checked_add(retry));
        self.events.push_back(LinkEvent::Lost(why));
        if !for_good {
            self.schedule_attempt();
        }
        Ok(())
    }

    /// Closes the connection, and schedules the next attempt to reconnect.
    fn schedule_attempt(&mut self) {
        let pause = self.pauses.next().unwrap_or_default();
        let then = Instant::now() + pause;
        self.wire.wait_until(self.deadline.map_or(then, |deadline| deadline.min(then)));
        self.events.push_back(LinkEvent::RetryIn(pause));
    }

    async fn reconnect(&mut self) -> Result<(), End> {
        // With a time limit, a refused nickname fails this attempt, and the next one tries it again: a script cannot choose another one.
        let deadline = self.deadline;
        let named = match or(self.rejoin(), time_out(deadline)).await {
            Ok(Err(refusal)) if self.retry.is_some() => Err(End(Code::Refused, refusal.what)),
            named => named,
        };
        match named {
            Ok(named) => {
                (self.is_away, self.pauses, self.wire.deadline) = (false, pauses(), self.deadline);
                self.is_nameless = named.is_err();
                if !self.is_nameless {
                    self.catch_up().await;
                }
                self.events.push_back(LinkEvent::Reconnected(named));
                Ok(())
            }
            Err(end) if end.0.is_wanted() => Err(end),
            Err(End(_, why)) if self.retry_until.is_some_and(|end| end <= Instant::now()) => {
                Err(End(Code::Lost, format!("could not reconnect in time: {why}")))
            }
            Err(End(_, why)) => {
                self.events.push_back(LinkEvent::AttemptFailed(why));
                self.schedule_attempt();
                Ok(())
            }
        }
    }

    async fn rejoin(&mut self) -> Result<Result<Name, HeardRefusal>, End> {
        self.wire.open(&self.address).await?;
        if let Some(name) = self.wire.resume().await? {
            return Ok(Ok(name));
        }
        self.wire.request_token().await?;
        self.wire.take_name(self.name.as_str()).await
    }
}

/// Longest wait for a reply.
const REPLY_TIME: Duration = Duration::from_millis(REPLY_TOTAL_MS_MAX);

/// The pauses before the attempts to reconnect.
fn pauses() -> ExponentialBackoff {
    let [shortest, longest] = RECONNECT_MS.map(Duration::from_millis);
    let pauses = ExponentialBuilder::new().with_min_delay(shortest).with_max_delay(longest).without_max_times();
    pauses.with_jitter().build()
}

#[cfg(test)]
mod tests {
    use futures_lite::{AsyncWriteExt as _, stream};
    use smol::net::{TcpListener, TcpStream};

    use super::*;

    /// A link after its first replay, and its server, which then sends `lines`.
    async fn link(lines: &str) -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serve = async {
            let (mut server, _) = listener.accept().await.unwrap();
            let text = format!("HELLO chinwag/1 hi\nOK SET tags on\nOK HISTORY 0 last=0\n{lines}");
            server.write_all(text.as_bytes()).await.unwrap();
            server
        };
        let connect = async {
            let mut wire = Wire::new(stream::pending());
            wire.open(&address).await.unwrap();
            Link::new(wire, address.clone(), Name::new("al").unwrap(), Reading::from_now(0), None).await
        };
        let (mut link, server) = futures_lite::future::zip(connect, serve).await;
        assert!(matches!(link.next(false, false).await, Ok(LinkEvent::CaughtUp(_))));
        (link, server)
    }

    #[test]
    fn server_that_owes_a_reply_is_disconnected() {
        smol::block_on(async {
            let (mut link, _server) = link("MSG bob hi\nOK MSG 1\nMSG bob hi\n").await;
            let little = REPLY_TIME / 2;
            link.reply_left = little;
            assert!(matches!(link.next(false, true).await, Ok(LinkEvent::Line(_))));
            assert!(link.reply_left <= little, "an event is not a reply");
            assert!(matches!(link.next(false, true).await, Ok(LinkEvent::Line(_))));
            assert_eq!(link.reply_left, REPLY_TIME);
            link.reply_left = little;
            assert!(matches!(link.next(false, false).await, Ok(LinkEvent::Line(_))));
            assert!(link.reply_left > little, "the server owed no reply");
            link.reply_left = Duration::from_millis(20);
            assert!(matches!(link.next(false, true).await, Ok(LinkEvent::Lost(_))));
        });
    }

    #[test]
    fn held_bytes_include_the_parsed_events() {
        smol::block_on(async {
            let (mut link, _server) = link("").await;
            link.catch_up().await;
            let mut held = 0;
            while !link.is_away {
                link.receive_in_replay(Duration::ZERO, Heard::new("JOIN bob")).await.unwrap();
                held += 1;
            }
            assert!(held * size_of::<Heard>() <= 2 * HELD_BYTES_MAX, "{held}");
        });
    }
}
