//! One connection to a server: requests and their replies, time limits, and the automatic reply to `PING`. A wait for the server also
//! ends by input, a signal, a deadline, or when standard output has no reader. [`super::membership`] reconnects.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::AsyncWriteExt as _;
use futures_lite::future::{or, pending, race};
use futures_lite::{Stream, StreamExt as _};
use smol::lock::Mutex;
use smol::{Task, Timer};

use super::address::ServerAddress;
use super::dial::{NewConnection, dial};
use super::entrance::as_of_home;
use super::input::InputLines;
use super::line_reader::{ConnectionEnd, decode_lossy, read_line};
use super::refusal::explain;
use super::stop::StopSignal;
use super::transport::{ServerReader, ServerWriter};
use super::{Exit, ExitCode, output};
use crate::command::{
    ChatReply, Command, Features, Login, Pong, ReceivedLine, ReceivedRefusal, Reply, Resume, ServerLine, Set, SetReply,
    Setting,
};
use crate::limits::{
    FAREWELL_AT_SIGNAL_MS_MAX, FAREWELL_MS_MAX, MOTD_LINES_MAX, REPLY_MESSAGE_MS, REPLY_MS_MAX, REPLY_TOTAL_MS_MAX,
};
use crate::process::error_text;
use crate::protocol::{ErrorCode, Event, Mode, Name, Password, ResumeToken, RoomName, Text, Token};

/// The result of [`ServerConnection::next`].
pub(super) enum ConnectionEvent {
    /// A line from the server.
    Line(ReceivedLine),
    /// A line of the input without its ending; `None` at the end of the input.
    Input(Option<Vec<u8>>),
}

/// The sending side of a connection, which several tasks share.
type SharedWriter = Arc<Mutex<Box<dyn ServerWriter>>>;

/// Sends on a connection. Clones share it; the bytes of one call are not mixed with those of another.
#[derive(Clone)]
pub(super) struct ConnectionWriter {
    stream: SharedWriter,
    /// `None` if signals have their default action.
    stop: Option<StopSignal>,
}

impl ConnectionWriter {
    /// Calls `bytes` when earlier calls have ended, and sends the result. If this fails, the server does not read in time, or a signal
    /// arrives, closes the connection; [`ServerConnection::next`] then fails.
    pub(super) async fn send(&self, bytes: impl FnOnce() -> Vec<u8>) {
        let mut stream = self.stream.lock().await;
        let bytes = bytes();
        let sent = async { stream.write_all(&bytes).await.and(stream.flush().await).is_ok() };
        let late = async {
            Timer::after(Duration::from_millis(REPLY_MS_MAX)).await;
            false
        };
        let signalled = async { fail_on_signal::<()>(self.stop.as_ref()).await.is_ok() };
        if !or(sent, or(signalled, late)).await {
            stream.abort();
        }
    }

    /// Whether both belong to one connection.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.stream, &other.stream)
    }
}

/// A connection to a server or none, with the client's input and output.
pub(super) struct ServerConnection {
    /// `None` while disconnected.
    server: Option<ServerReader>,
    /// The sending side of `server`.
    writer: Option<SharedWriter>,
    /// The beginning of the server's next line.
    line: Vec<u8>,
    /// The reason that the server sent before it closes the connection.
    close_reason: Option<Exit>,
    /// Whether the connection has ended before the server's last line.
    is_cut_off: bool,
    /// The epoch of the ids in the session's home.
    pub(super) epoch: Option<Token>,
    /// The server's features.
    pub(super) features: Features,
    /// Whether nobody else can read the lines on the way, as far as the client knows.
    pub(super) is_private: bool,
    /// The password, for a server that needs one.
    pub(super) password: Option<Password>,
    /// The account to which the client has logged in, with its secret.
    pub(super) account: Option<Login>,
    /// The room that the client uses as its home, if the server has another one as the home.
    pub(super) moved_to: Option<RoomName>,
    /// The message of the day: the notices of the server before the client has entered a room.
    pub(super) motd: Vec<Text>,
    /// The resume token, if one was requested.
    pub(super) token: Option<ResumeToken>,
    input: InputLines,
    /// The error that ended the input.
    input_error: Option<io::Error>,
    /// Ends when standard output has no reader.
    output_closed: Option<Task<Exit>>,
    /// `None` if signals have their default action.
    pub(super) stop: Option<StopSignal>,
    /// The mode in which the server parses lines.
    pub(super) mode: Mode,
    /// When [`ServerConnection::next`] fails.
    pub(super) deadline: Option<Instant>,
}

impl ServerConnection {
    /// Not connected yet, with an input that cannot fail.
    pub(super) fn new(input: impl Stream<Item = Vec<u8>> + Send + 'static) -> Self {
        Self::with_input(input.map(Ok).boxed())
    }

    /// Not connected yet, with an input that can fail.
    pub(super) fn with_input(input: InputLines) -> Self {
        let (line, close_reason, epoch, token) = (Vec::new(), None, None, None);
        let (input_error, output_closed, stop, mode, deadline) = (None, None, None, Mode::Commands, None);
        Self {
            server: None,
            writer: None,
            line,
            close_reason,
            is_cut_off: false,
            epoch,
            features: Features::default(),
            is_private: false,
            password: None,
            account: None,
            moved_to: None,
            motd: Vec::new(),
            token,
            input,
            input_error,
            output_closed,
            stop,
            mode,
            deadline,
        }
    }

    /// From now on, [`ServerConnection::next`] fails when standard output has no reader.
    pub(super) fn watch_output(&mut self) {
        self.output_closed = Some(smol::unblock(output::wait_until_closed));
    }

    /// Connects, without giving the password. Returns the greeting.
    pub(super) async fn connect(&mut self, address: &ServerAddress) -> Result<ReceivedLine, Exit> {
        let dialed = async {
            let unreachable = |why| Exit(ExitCode::Unreachable, format!("could not connect to {address}: {why}"));
            dial(address).await.map_err(unreachable)
        };
        let NewConnection { server, writer, greeting, is_private } =
            or(dialed, fail_on_signal(self.stop.as_ref())).await?;
        (self.writer, self.is_private) = (Some(Arc::new(Mutex::new(writer))), is_private);
        (self.server, self.deadline) = (Some(server), None);
        (self.line, self.close_reason, self.is_cut_off, self.mode) = (Vec::new(), None, false, Mode::Commands);
        self.handle_line(&greeting).await;
        Ok(greeting)
    }

    /// Connects, and gives the password of the server if it needs one.
    pub(super) async fn connect_with_password(&mut self, address: &ServerAddress) -> Result<(), Exit> {
        self.connect(address).await?;
        self.give_password().await
    }

    /// Connects, gives the password, and enables tags: events then have ids and times. Keeps the message of the day, which comes before
    /// the reply.
    pub(super) async fn open(&mut self, address: &ServerAddress) -> Result<(), Exit> {
        self.connect_with_password(address).await?;
        let (command, mut motd) = (Command::from(Set { setting: Setting::Tags, on: true }), Vec::new());
        let keep_notice = |received: ReceivedLine| {
            if let Some(ServerLine::Event(_, Event::Notice(text))) = received.known
                && motd.len() < MOTD_LINES_MAX
            {
                motd.push(text);
            }
            Ok(())
        };
        self.request(command.to_line(self.mode).as_bytes(), keep_notice).await?;
        self.motd = motd;
        Ok(())
    }

    /// Closes the connection.
    pub(super) fn close(&mut self) {
        (self.server, self.writer) = (None, None);
    }

    /// Closes the connection. [`ServerConnection::next`] then waits for the input, until this deadline.
    pub(super) fn wait_until(&mut self, deadline: Instant) {
        (self.server, self.writer, self.deadline) = (None, None, Some(deadline));
    }

    /// Sends a line. If this fails, the connection is closed, and [`ServerConnection::next`] fails.
    pub(super) async fn send(&mut self, line: &[u8]) {
        if let Some(outgoing) = self.outgoing() {
            let room = self.written_room(line);
            outgoing.send(|| [room.as_bytes(), line, b"\n"].concat()).await;
        }
    }

    /// The sending side of the connection, if there is one.
    pub(super) fn outgoing(&self) -> Option<ConnectionWriter> {
        Some(ConnectionWriter { stream: Arc::clone(self.writer.as_ref()?), stop: self.stop.clone() })
    }

    /// Closes the sending side; lines can still be received.
    pub(super) async fn close_write(&mut self) {
        if let Some(writer) = self.writer.take() {
            // If this fails, the connection has ended already.
            let _ = writer.lock().await.close().await;
        }
    }

    /// Closes the connection, and waits. Fails when a signal arrives, or standard output has no reader.
    pub(super) async fn wait_for(&mut self, pause: Duration) -> Result<(), Exit> {
        self.wait_until(Instant::now() + pause);
        loop {
            match self.next(false).await {
                Err(Exit(ExitCode::TimedOut, _)) => return Ok(()),
                Err(end) => return Err(end),
                Ok(_) => {}
            }
        }
    }

    /// Sends a line and waits for its reply. Passes the lines before the reply to `other`.
    pub(super) async fn request(
        &mut self,
        line: &[u8],
        other: impl FnMut(ReceivedLine) -> Result<(), Exit>,
    ) -> Result<ReceivedLine, Exit> {
        self.request_messages(line, 0, other).await
    }

    /// Like [`ServerConnection::request`], for a reply with up to `messages` past messages, which extend the time limit.
    pub(super) async fn request_messages(
        &mut self,
        line: &[u8],
        messages: u64,
        mut other: impl FnMut(ReceivedLine) -> Result<(), Exit>,
    ) -> Result<ReceivedLine, Exit> {
        self.send(line).await;
        let deadline = self.deadline;
        let mut reply_timeout = ReplyTimeout::new(messages);
        loop {
            let begun = Instant::now();
            self.deadline = reply_timeout.deadline();
            let next = self.next(false).await?;
            let ConnectionEvent::Line(received) = next else { continue };
            reply_timeout.spend(begun.elapsed(), &received)?;
            if received.is_reply() {
                self.deadline = deadline;
                return Ok(received);
            }
            other(received)?;
        }
    }

    /// Passes lines to `other` until the server closes the connection, or for as long as a reply may take. Fails if the connection is cut
    /// off before the server's last line.
    pub(super) async fn read_rest(
        &mut self,
        mut other: impl FnMut(ReceivedLine) -> Result<(), Exit>,
    ) -> Result<(), Exit> {
        let mut reply_timeout = ReplyTimeout::new(0);
        loop {
            let begun = Instant::now();
            self.deadline = reply_timeout.deadline();
            let received = match self.next(false).await {
                Ok(ConnectionEvent::Line(received)) => received,
                Err(end) if self.is_cut_off => return Err(end),
                _ => return Ok(()),
            };
            let spent = reply_timeout.spend(begun.elapsed(), &received);
            other(received)?;
            if spent.is_err() {
                return Ok(());
            }
        }
    }

    /// Sends a command and waits for its reply. Ignores the lines before the reply.
    pub(super) async fn request_reply(&mut self, command: &Command) -> Result<ReceivedLine, Exit> {
        self.request(command.to_line(self.mode).as_bytes(), |_| Ok(())).await
    }

    /// Like [`ServerConnection::open`], with a resume token for reconnecting.
    pub(super) async fn open_resumable(&mut self, address: &ServerAddress) -> Result<(), Exit> {
        self.open(address).await?;
        self.request_token().await
    }

    /// Resumes the session of the previous connection, if there was one and its token is still valid.
    pub(super) async fn resume(&mut self) -> Result<Option<Name>, Exit> {
        let Some(token) = self.token else { return Ok(None) };
        let answer = self.request_reply(&Resume(token).into()).await?;
        Ok(if let Some(ServerLine::Ok(Reply::Resume(name))) = answer.known { Some(name) } else { None })
    }

    /// Requests a resume token. Call it before taking a nickname: otherwise, if the reply is lost, the server reserves the nickname for a
    /// token that the client does not know.
    pub(super) async fn request_token(&mut self) -> Result<(), Exit> {
        // A server without resume refuses this. The client works without a token, too.
        self.request_reply(&Set { setting: Setting::Resume, on: true }.into()).await.map(drop)
    }

    /// Sends `QUIT`, and waits a moment for the server to close the connection.
    pub(super) async fn quit(&mut self) {
        let is_signal = self.stop.take().is_some_and(|stop| stop.code().is_some());
        let wait = if is_signal { FAREWELL_AT_SIGNAL_MS_MAX } else { FAREWELL_MS_MAX };
        self.output_closed = None;
        self.send(b"QUIT").await;
        self.deadline = Instant::now().checked_add(Duration::from_millis(wait));
        while self.server.is_some() && self.next(false).await.is_ok() {}
    }

    /// Fails if the input could not be read to its end.
    pub(super) fn check_input(&mut self) -> Result<(), Exit> {
        let Some(error) = self.input_error.take() else { return Ok(()) };
        Err(Exit(ExitCode::Refused, format!("cannot read standard input: {}", error_text(&error))))
    }

    /// Waits for a line from the server or, if `input` is set, from the input. Fails when the server has closed the connection, standard
    /// output has no reader, a signal arrives, or the deadline passes.
    pub(super) async fn next(&mut self, input: bool) -> Result<ConnectionEvent, Exit> {
        // Checked first, so that a fast stream of lines does not delay the end.
        if let Some(code) = self.stop.as_ref().and_then(StopSignal::code) {
            return Err(Exit(code, String::new()));
        }
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return time_out(self.deadline).await;
        }
        let Self {
            server,
            line,
            close_reason,
            is_cut_off,
            input: typed,
            input_error,
            output_closed,
            stop,
            deadline,
            moved_to,
            ..
        } = self;
        let received = async {
            let Some(server) = server else { return pending().await };
            let line = read_line(server, line).await;
            let end = |end: ConnectionEnd| {
                *is_cut_off = end.is_cut_off;
                close_reason.take().unwrap_or(Exit(ExitCode::Lost, end.why))
            };
            let received = ReceivedLine::new(&decode_lossy(&line.map_err(end)?));
            Ok(ConnectionEvent::Line(as_of_home(received, moved_to.as_ref())))
        };
        let typed = async {
            if !input {
                return pending().await;
            }
            let line = match typed.next().await {
                Some(Ok(line)) => Some(line),
                Some(Err(error)) => {
                    *input_error = Some(error);
                    None
                }
                None => None,
            };
            Ok(ConnectionEvent::Input(line))
        };
        let output_closed = async {
            let Some(output_closed) = output_closed else { return pending().await };
            Err(output_closed.await)
        };
        // `race` polls them in random order, so that a fast server does not delay the input.
        let next =
            or(race(received, typed), or(output_closed, or(fail_on_signal(stop.as_ref()), time_out(*deadline)))).await;
        if let Ok(ConnectionEvent::Line(received)) = &next {
            self.handle_line(received).await;
        }
        next
    }

    async fn handle_line(&mut self, received: &ReceivedLine) {
        match &received.known {
            Some(ServerLine::Event(_, Event::Ping(token))) => {
                let pong = Command::from(Pong(Text::new(&token.to_string()).ok())).to_line(self.mode);
                self.send(pong.as_bytes()).await;
            }
            Some(ServerLine::Hello(epoch, features, _)) => {
                (self.epoch, self.features) = (epoch.clone(), *features);
            }
            Some(ServerLine::Ok(Reply::Set(SetReply::Resumable(token)))) => self.token = Some(*token),
            Some(ServerLine::Ok(Reply::Chat(ChatReply::On(_)))) => self.mode = Mode::Chat,
            Some(ServerLine::Ok(Reply::Chat(ChatReply::Off))) => self.mode = Mode::Commands,
            _ if !received.is_reply() => self.close_reason = received.refusal().map(|refusal| close_reason(&refusal)),
            _ => {}
        }
    }
}

/// The time limits of a reply: one for each of its lines, and one for all of them.
pub(super) struct ReplyTimeout {
    /// The time left for the whole reply.
    left: Duration,
    /// The number of past messages that may still arrive. Each extends the time.
    messages: u64,
}

impl ReplyTimeout {
    /// The limits of a reply of up to `messages` past messages.
    pub(super) fn new(messages: u64) -> Self {
        Self { left: Duration::from_millis(REPLY_TOTAL_MS_MAX), messages }
    }

    /// When the next line must have arrived.
    pub(super) fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.left.min(Duration::from_millis(REPLY_MS_MAX)))
    }

    /// Subtracts the time that this line took.
    pub(super) fn spend(&mut self, time: Duration, received: &ReceivedLine) -> Result<(), Exit> {
        if matches!(received.known, Some(ServerLine::PastMessage(_))) && self.messages > 0 {
            self.messages -= 1;
            self.left += Duration::from_millis(REPLY_MESSAGE_MS);
        }
        self.left = self.left.saturating_sub(time);
        if self.left.is_zero() && !received.is_reply() {
            return Err(Exit(ExitCode::TimedOut, "timed out: the server did not complete its reply".to_owned()));
        }
        Ok(())
    }
}

/// Fails when a signal arrives.
async fn fail_on_signal<T>(stop: Option<&StopSignal>) -> Result<T, Exit> {
    let Some(stop) = stop else { return pending().await };
    Err(Exit(stop.wait().await, String::new()))
}

/// The end of a connection for which the server gives a reason, by an `ERR -` line.
fn close_reason(refusal: &ReceivedRefusal) -> Exit {
    match ErrorCode::from_word(&refusal.code) {
        Some(ErrorCode::Resumed) => Exit(ExitCode::TakenOver, "another connection resumed this session".to_owned()),
        // To come back at once is what the operator does not want.
        Some(ErrorCode::Kicked | ErrorCode::Banned) => Exit(ExitCode::Refused, explain(refusal)),
        Some(ErrorCode::TakenOver) => Exit(ExitCode::TakenOver, explain(refusal)),
        _ => Exit(ExitCode::Lost, format!("the server closed the connection: {}", explain(refusal))),
    }
}

/// Fails when the deadline passes; without one, never.
pub(super) async fn time_out<T>(deadline: Option<Instant>) -> Result<T, Exit> {
    let Some(deadline) = deadline else { return pending().await };
    Timer::at(deadline).await;
    Err(Exit(ExitCode::TimedOut, "timed out".to_owned()))
}

#[cfg(test)]
mod tests {
    use futures_lite::stream;
    use smol::net::{TcpListener, TcpStream};

    use super::*;
    use crate::client::transport::split;

    fn spend(reply_timeout: &mut ReplyTimeout, ms: u64, line: &str) -> bool {
        reply_timeout.spend(Duration::from_millis(ms), &ReceivedLine::new(line)).is_ok()
    }

    /// A connection with this input, and its server, which has sent `text`.
    async fn connection_with(
        text: &str,
        input: impl Stream<Item = Vec<u8>> + Send + 'static,
    ) -> (ServerConnection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connection = ServerConnection::new(input);
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, writer) = split(client);
        (connection.server, connection.writer) = (Some(server), Some(Arc::new(Mutex::new(writer))));
        let (mut server, _) = listener.accept().await.unwrap();
        server.write_all(text.as_bytes()).await.unwrap();
        (connection, server)
    }

    #[test]
    fn fast_server_does_not_delay_input() {
        smol::block_on(async {
            let (mut connection, _server) =
                connection_with(&"MSG bob hi\n".repeat(1000), stream::repeat(b"hi".to_vec())).await;
            let mut typed = 0;
            for _ in 0..200 {
                typed += usize::from(matches!(connection.next(true).await, Ok(ConnectionEvent::Input(Some(_)))));
            }
            assert!((1..200).contains(&typed), "{typed}");
        });
    }

    #[test]
    fn reply_has_an_overall_deadline() {
        let mut reply_timeout = ReplyTimeout::new(0);
        assert!(reply_timeout.deadline().unwrap() <= Instant::now() + Duration::from_millis(REPLY_MS_MAX));
        for _ in 1..REPLY_TOTAL_MS_MAX / 1_000 {
            assert!(spend(&mut reply_timeout, 1_000, "USER bob member"));
        }
        assert!(reply_timeout.deadline().unwrap() <= Instant::now() + Duration::from_secs(1));
        assert!(!spend(&mut reply_timeout, 1_000, "USER bob member"));
        assert!(spend(&mut reply_timeout, 1_000, "OK WHO 1"), "the reply is complete");
    }

    #[test]
    fn only_requested_messages_extend_the_deadline() {
        let past = "PAST 7 2026-11-20T12:44:29.138Z bob hi";
        let rounds = 2 * REPLY_TOTAL_MS_MAX / REPLY_MESSAGE_MS;
        for (messages, line, expected) in [(rounds, past, true), (rounds / 4, past, false), (rounds, "JOIN a", false)] {
            let mut reply_timeout = ReplyTimeout::new(messages);
            let is_in_time = (0..rounds).all(|_| spend(&mut reply_timeout, REPLY_MESSAGE_MS, line));
            assert_eq!(is_in_time && spend(&mut reply_timeout, 1, line), expected, "{messages} {line}");
        }
    }
}
