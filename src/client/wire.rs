//! The connection to a server, and what is waited for beside it. The server's `PING` is answered here, for everybody.

use std::io;
use std::time::{Duration, Instant};

use async_signal::Signal;
use futures_lite::future::{or, pending};
use futures_lite::io::BufReader;
use futures_lite::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, Stream, StreamExt as _, stream};
use rustix::event::{PollFd, PollFlags, poll};
use smol::net::{Shutdown, TcpStream};
use smol::{Task, Timer, Unblock};
use socket2::{SockRef, TcpKeepalive};

use super::{Code, End};
use crate::limits::{CLIENT_LINE_BYTES_MAX, CONNECT_MS_MAX, FAREWELL_MS_MAX, KEEPALIVE_SECONDS, REPLY_MS_MAX};
use crate::process;
use crate::protocol::{
    BYTE_ORDER_MARK, Command, ErrorCode, Event, Heard, Mode, Name, Reply, ResumeToken, ServerLine, Setting, Text,
    Token, made_safe,
};

/// What came next.
pub(super) enum Next {
    /// A line from the server.
    Heard(Heard),
    /// A line of the input, without its ending; none at its end.
    Typed(Option<Vec<u8>>),
}

/// A server, once connected, an input and an output.
pub(super) struct Wire {
    /// None while there is no connection.
    server: Option<BufReader<TcpStream>>,
    /// What has come of the server's next line.
    line: Vec<u8>,
    /// Why the server closes the connection, if it said so.
    farewell: Option<End>,
    /// What ids belong to on this connection.
    pub(super) epoch: Option<Token>,
    /// What takes the name back, if it was asked for.
    pub(super) token: Option<ResumeToken>,
    input: stream::Boxed<Vec<u8>>,
    /// Ends when nobody reads standard output any more, or a signal says to stop.
    stop: Option<Task<Code>>,
    /// How the server reads what is sent.
    pub(super) mode: Mode,
    /// When to stop waiting.
    pub(super) deadline: Option<Instant>,
}

impl Wire {
    /// No server yet, and an input of these lines.
    pub(super) fn new(input: impl Stream<Item = Vec<u8>> + Send + 'static) -> Self {
        let (input, mode) = (input.boxed(), Mode::Commands);
        let (line, farewell, epoch, token, stop) = (Vec::new(), None, None, None, None);
        Self { server: None, line, farewell, epoch, token, input, stop, mode, deadline: None }
    }

    /// It is to end when nobody reads standard output any more, or a signal says so.
    pub(super) fn watch_output(&mut self) {
        let unread = smol::unblock(|| {
            // Nothing is asked of it: that nobody reads is told unasked.
            while poll(&mut [PollFd::new(&io::stdout(), PollFlags::empty())], None) != Ok(1) {}
            Code::Done
        });
        let signals = process::catch(&[Signal::Hup, Signal::Int, Signal::Term]);
        let told = async {
            // Where there are no signals to be had, the system's way with them is left.
            let Ok(mut signals) = signals else { return pending().await };
            match signals.next().await {
                Some(Ok(Signal::Hup)) => Code::HungUp,
                Some(Ok(Signal::Int)) => Code::Interrupted,
                _ => Code::Terminated,
            }
        };
        self.stop = Some(smol::spawn(or(unread, told)));
    }

    /// Connects to the first of the host's addresses that answers; the greeting, which must be this protocol's.
    pub(super) async fn connect(&mut self, address: &str) -> Result<Heard, End> {
        let unreachable =
            |why: &str| End(Code::Unreachable, format!("could not connect to {}: {why}", made_safe(address)));
        let late = async {
            Timer::after(Duration::from_millis(CONNECT_MS_MAX)).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        let stream = or(TcpStream::connect(address), late).await.map_err(|error| {
            unreachable(&match error.kind() {
                kind if error.raw_os_error().is_some() => kind.to_string(),
                io::ErrorKind::TimedOut | io::ErrorKind::InvalidInput => error.to_string(),
                // It cannot be looked up; maybe it was meant to be a command.
                _ => format!(
                    "{error}; {} was taken for the host",
                    made_safe(address.rsplit_once(':').map_or(address, |(host, _)| host))
                ),
            })
        })?;
        // Without these it works, too.
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(&stream)
            .set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(KEEPALIVE_SECONDS)));
        (self.server, self.deadline) = (Some(BufReader::new(stream)), soon());
        (self.line, self.farewell, self.mode) = (Vec::new(), None, Mode::Commands);
        let heard = match self.next(false).await {
            Ok(Next::Heard(heard)) => heard,
            Err(end) if end.0.is_wanted() => return Err(end),
            _ => return Err(unreachable("it does not say HELLO; is it a chinwag server?")),
        };
        self.deadline = None;
        match (&heard.known, heard.refused()) {
            (Some(ServerLine::Hello(..)), _) => Ok(heard),
            (_, Some((_, why))) => Err(unreachable(why)),
            (_, None) => Err(unreachable(&format!("it is no chinwag/1 server; it says: {}", heard.line))),
        }
    }

    /// The same; has events come with their times.
    pub(super) async fn open(&mut self, address: &str) -> Result<(), End> {
        self.connect(address).await?;
        self.ask_for(&Command::Set(Setting::Tags, true)).await.map(drop)
    }

    /// Lets the connection go, and waits for the input only, until then.
    pub(super) fn wait_until(&mut self, deadline: Instant) {
        (self.server, self.deadline) = (None, Some(deadline));
    }

    /// Sends a line. If this fails, whoever reads finds out.
    pub(super) async fn send(&mut self, line: &[u8]) {
        if let Some(server) = &mut self.server {
            let _ = server.get_mut().write_all(&[line, b"\n"].concat()).await;
        }
    }

    /// Ends what is sent; what comes can still be read.
    pub(super) fn end_input(&self) {
        // If this fails, the connection has ended already.
        let _ = self.server.as_ref().map(|server| server.get_ref().shutdown(Shutdown::Write));
    }

    /// Sends a line and waits for its reply, which takes no time; what comes before the reply goes to `other`.
    pub(super) async fn ask(
        &mut self,
        line: &[u8],
        mut other: impl FnMut(Heard) -> Result<(), End>,
    ) -> Result<Heard, End> {
        self.send(line).await;
        let deadline = std::mem::replace(&mut self.deadline, soon());
        loop {
            match self.next(false).await? {
                Next::Heard(heard) if heard.answers() => {
                    self.deadline = deadline;
                    return Ok(heard);
                }
                Next::Heard(heard) => {
                    // It may be long.
                    self.deadline = soon();
                    other(heard)?;
                }
                Next::Typed(_) => {}
            }
        }
    }

    /// The same with a command, where only the reply matters.
    pub(super) async fn ask_for(&mut self, command: &Command) -> Result<Heard, End> {
        self.ask(command.to_line(self.mode).as_bytes(), |_| Ok(())).await
    }

    /// The same, for one who is to come back: with a token.
    pub(super) async fn open_to_stay(&mut self, address: &str) -> Result<(), End> {
        self.open(address).await?;
        self.ask_for_token().await
    }

    /// Takes back the name of the connection before, if there was one and its token is still good.
    pub(super) async fn resume(&mut self) -> Result<Option<Name>, End> {
        let Some(token) = self.token else { return Ok(None) };
        let answer = self.ask_for(&Command::Resume(token)).await?;
        Ok(if let Some(ServerLine::Ok(Reply::Resume(name))) = answer.known { Some(name) } else { None })
    }

    /// Asks for the token that takes back a name. The name is yet to be taken, or it could be held for a token that got lost.
    pub(super) async fn ask_for_token(&mut self) -> Result<(), End> {
        // Where names are not held it works without.
        self.ask_for(&Command::Set(Setting::Resume, true)).await.map(drop)
    }

    /// Says good-bye, and waits for the server to let go, if that takes no time.
    pub(super) async fn quit(&mut self) {
        self.send(b"QUIT").await;
        self.deadline = Instant::now().checked_add(Duration::from_millis(FAREWELL_MS_MAX));
        self.stop = None;
        while self.server.is_some() && self.next(false).await.is_ok() {}
    }

    /// Takes a name. If the server or the protocol refuses it, it is told what for.
    pub(super) async fn take_name(&mut self, raw: &str) -> Result<Result<Name, String>, End> {
        let name = match Name::new(raw) {
            Ok(name) => name,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let answer = self.ask_for(&Command::Nick(name)).await?;
        match answer.known {
            Some(ServerLine::Ok(Reply::Nick(name))) => Ok(Ok(name)),
            _ => Ok(Err(answer.text().to_owned())),
        }
    }

    /// Waits for a line of the server's or, if it is wanted, of the input; fails when the server closed the connection,
    /// nobody reads the output any more, or the deadline has come.
    pub(super) async fn next(&mut self, input: bool) -> Result<Next, End> {
        let Self { server, line, farewell, input: typed, stop, deadline, .. } = self;
        let heard = async {
            let Some(server) = server else { return pending().await };
            let line = read_line(server, line).await;
            let end = || farewell.take().unwrap_or(End(Code::Lost, "the server closed the connection".to_owned()));
            Ok(Next::Heard(Heard::new(&text_of(&line.ok_or_else(end)?))))
        };
        let typed = async { if input { Ok(Next::Typed(typed.next().await)) } else { pending().await } };
        let stopped = async {
            let Some(stop) = stop else { return pending().await };
            Err(End(stop.await, String::new()))
        };
        let next = or(heard, or(typed, or(stopped, late(*deadline)))).await;
        if let Ok(Next::Heard(heard)) = &next {
            self.heed(heard).await;
        }
        next
    }

    async fn heed(&mut self, heard: &Heard) {
        match &heard.known {
            Some(ServerLine::Event(_, Event::Ping(token))) => {
                let pong = Command::Pong(Text::new(&token.to_string()).ok()).to_line(self.mode);
                self.send(pong.as_bytes()).await;
            }
            Some(ServerLine::Hello(epoch, _)) => self.epoch.clone_from(epoch),
            Some(ServerLine::Ok(Reply::Resumable(token))) => self.token = Some(*token),
            Some(ServerLine::Ok(Reply::Chat(on))) => self.mode = if *on { Mode::Chat } else { Mode::Commands },
            _ if !heard.answers() => self.farewell = heard.refused().map(|(code, text)| farewell(code, text)),
            _ => {}
        }
    }
}

/// The next line, but for what is in `line` already; none at the end. Nothing is lost if it is not waited for; what is longer
/// than a line can be comes in pieces.
async fn read_line(server: &mut BufReader<TcpStream>, line: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        let left = CLIENT_LINE_BYTES_MAX.saturating_sub(line.len());
        // Whether it fails or is at its end: what came before it comes first.
        let _ = server.take(left as u64).read_until(b'\n', line).await;
        let line = std::mem::take(line);
        if line.len() < CLIENT_LINE_BYTES_MAX && !line.ends_with(b"\n") {
            return None;
        }
        // What is cut short says less than was said: it counts as not read. Only the last of one who was too slow ends with CR LF.
        if !(line.ends_with(b"\r\n") && (line.starts_with(b"@") || line.starts_with(b"PAST "))) {
            return Some(line);
        }
    }
}

/// What an `ERR` says that answers nothing, as an end.
fn farewell(code: &str, text: &str) -> End {
    if code == ErrorCode::Resumed.as_str() {
        return End(Code::TakenOver, "the name went on with another connection".to_owned());
    }
    End(Code::Lost, format!("the server closed the connection: {text}"))
}

/// The lines of standard input, without a byte order mark at its start.
pub(super) fn stdin() -> impl Stream<Item = Vec<u8>> + Send {
    let lines = BufReader::new(Unblock::new(io::stdin())).split(b'\n').map_while(Result::ok);
    lines.enumerate().map(|(number, line)| match line.strip_prefix(BYTE_ORDER_MARK) {
        Some(text) if number == 0 => text.to_vec(),
        _ => line,
    })
}

/// Fails when the deadline has come.
pub(super) async fn late<T>(deadline: Option<Instant>) -> Result<T, End> {
    let Some(deadline) = deadline else { return pending().await };
    Timer::at(deadline).await;
    Err(End(Code::TimedOut, "timed out".to_owned()))
}

/// Until when something may take that takes no time.
fn soon() -> Option<Instant> {
    Instant::now().checked_add(Duration::from_millis(REPLY_MS_MAX))
}

/// A line as text without its ending, whatever its bytes are.
pub(super) fn text_of(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}
