//! Clients of the server. A test that takes the transport as a parameter runs over each of them.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::marker::PhantomData;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::time::Duration;

#[cfg(feature = "proxy")]
use super::route::ThroughProxy;
use super::route::{Direct, Endpoint, Listener, Route, ThroughUnix};
use super::{DEADLINE, HELLO, HELLO_WITH_STORE, Server};

/// The client's end of one transport.
pub trait Transport: Sized + Send + 'static {
    /// How the bytes reach the server.
    type Route: Route;

    /// The scheme of the listener, without encryption.
    const SCHEME: &'static str;

    /// Whether the server may fill up a frame that it cannot complete, with blank lines.
    const HAS_FILLERS: bool = false;

    /// Begins on a stream that is connected to the listener.
    fn open(stream: TcpStream) -> Self;

    fn stream(&self) -> &TcpStream;

    /// The bytes that carry this text, which need not be whole lines.
    fn encode(text: &[u8]) -> Vec<u8>;

    /// The bytes that carry one line.
    fn encode_line(line: &str) -> Vec<u8> {
        Self::encode(format!("{line}\n").as_bytes())
    }

    /// Two packets that together carry this text in two pieces.
    fn encode_pieces((first, second): (&[u8], &[u8])) -> [Vec<u8>; 2] {
        [Self::encode(first), Self::encode(second)]
    }

    /// Reads the next line, without LF; `None` at the end. Panics if the connection breaks, or ends within a line.
    fn read_line(&mut self) -> Option<String>;

    /// Reads to the end. Returns the last line; the line before it may have been cut.
    fn read_last_line(&mut self) -> String;

    /// Tells the server that no more lines come; the server's lines can still be read.
    fn end_input(&mut self);

    /// Checks that the connection is closed in good order. Returns the close code, if the transport has one.
    fn read_end(&mut self) -> Option<u16>;
}

/// Lines, as they are.
pub struct Lines<R>(BufReader<TcpStream>, PhantomData<fn() -> R>);

/// Lines over plain TCP.
pub type Tcp = Lines<Direct>;

/// Lines over a Unix socket.
pub type Unix = Lines<ThroughUnix>;

/// Lines over TCP behind a proxy.
#[cfg(feature = "proxy")]
pub type Proxy = Lines<ThroughProxy>;

impl<R: Route> Transport for Lines<R> {
    type Route = R;
    const SCHEME: &'static str = "tcp";

    fn open(stream: TcpStream) -> Self {
        Self(BufReader::new(stream), PhantomData)
    }

    fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    fn encode(text: &[u8]) -> Vec<u8> {
        text.to_vec()
    }

    fn read_line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.0.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => {
                assert_eq!(line.pop(), Some(b'\n'), "half a line: {:?}", line.escape_ascii().to_string());
                Some(String::from_utf8(line).expect("UTF-8"))
            }
            Err(error) => panic!("no line within {DEADLINE:?}: {error}"),
        }
    }

    fn read_last_line(&mut self) -> String {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).expect("an orderly end");
        let lines = bytes.strip_suffix(b"\n").expect("a whole line");
        let last = lines.rsplit(|byte| *byte == b'\n').next().expect("a line");
        String::from_utf8(last.to_vec()).expect("UTF-8")
    }

    fn end_input(&mut self) {
        self.stream().shutdown(Shutdown::Write).expect("a connection");
    }

    fn read_end(&mut self) -> Option<u16> {
        assert_eq!(self.0.read(&mut [0]).expect("an orderly end"), 0);
        None
    }
}

/// A client of the server.
pub struct Client<T = Tcp> {
    pub transport: T,
    syncs: u32,
}

/// Connects. The client has read nothing yet.
pub(super) fn connect_raw<T: Transport>(endpoint: &Endpoint, receive_buffer: Option<usize>) -> Client<T> {
    Client::over(T::Route::connect(endpoint, receive_buffer))
}

pub(super) fn connect<T: Transport>(endpoint: &Endpoint) -> Client<T> {
    connect_raw(endpoint, None).greeted()
}

pub(super) fn connect_narrow<T: Transport>(endpoint: &Endpoint) -> Client<T> {
    connect_raw(endpoint, Some(64 * 1024)).greeted()
}

impl Client {
    /// A client on a connection that the test has opened.
    pub fn new(stream: TcpStream) -> Self {
        Self::over(stream)
    }

    /// The next whole line of a server that may be gone.
    pub fn next_if_any(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.transport.0.read_until(b'\n', &mut line).ok()?;
        line.pop().filter(|last| *last == b'\n').map(|_| String::from_utf8(line).expect("UTF-8"))
    }

    /// The bytes that have arrived; `None` at the end, orderly or not.
    pub fn next_bytes(&mut self) -> Option<Vec<u8>> {
        let bytes = self.transport.0.fill_buf().unwrap_or_default().to_vec();
        self.transport.0.consume(bytes.len());
        (!bytes.is_empty()).then_some(bytes)
    }

    /// Reads and discards `count` bytes.
    pub fn skip_bytes(&mut self, count: u64) {
        let read = io::copy(&mut (&mut self.transport.0).take(count), &mut io::sink()).expect("a connection");
        assert_eq!(read, count, "closed");
    }

    /// All further bytes, up to the end.
    pub fn rest_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.transport.0.read_to_end(&mut bytes).expect("an orderly end");
        bytes
    }

    /// Nothing arrives for this time. Only for tests of the silence itself.
    pub fn expect_silence(&mut self, time: Duration) {
        self.stream().set_read_timeout(Some(time)).expect("a timeout");
        let silence = self.transport.0.fill_buf().map(<[u8]>::len);
        self.stream().set_read_timeout(Some(DEADLINE)).expect("a timeout");
        assert!(silence.is_err(), "{silence:?} bytes came");
    }
}

impl<T: Transport> Client<T> {
    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
        if T::Route::IS_TCP {
            stream.set_nodelay(true).expect("no delay");
        }
        Self { transport: T::open(stream), syncs: 0 }
    }

    fn greeted(mut self) -> Self {
        let hello = self.next();
        assert!(
            hello.as_deref().is_some_and(|line| [HELLO, HELLO_WITH_STORE].contains(&line)),
            "not a greeting: {hello:?}"
        );
        self
    }

    /// Takes this nickname, and reads everything up to its join.
    pub(super) fn joined(mut self, nick: &str) -> Self {
        self.send(&format!("NICK {nick}"));
        self.expect(&format!("OK NICK {nick}"));
        self.sync();
        self
    }

    pub fn stream(&self) -> &TcpStream {
        self.transport.stream()
    }

    /// Sends a line.
    pub fn send(&mut self, line: &str) {
        self.write(&T::encode_line(line));
    }

    /// Sends text: lines with their endings, or parts of lines.
    pub fn send_bytes(&mut self, text: &[u8]) {
        self.write(&T::encode(text));
    }

    /// Writes what `T::encode` returned.
    pub fn write(&mut self, encoded: &[u8]) {
        self.stream().write_all(encoded).expect("the server reads");
    }

    /// The next line, without LF; `None` at the end.
    pub fn next(&mut self) -> Option<String> {
        self.transport.read_line()
    }

    /// The next line is this one.
    #[track_caller]
    pub fn expect(&mut self, line: &str) {
        assert_eq!(self.next().as_deref(), Some(line));
    }

    /// The next line begins like this; returns it.
    #[track_caller]
    pub fn expect_start(&mut self, start: &str) -> String {
        let line = self.next().unwrap_or_else(|| panic!("closed instead of {start:?}"));
        assert!(line.starts_with(start), "{line:?} does not begin with {start:?}");
        line
    }

    /// No more lines come, and the connection is closed in good order.
    #[track_caller]
    pub fn expect_end(&mut self) {
        assert_eq!(self.next(), None);
        self.transport.read_end();
    }

    /// No more lines come, and the connection is closed in good order, with this close code if the transport has one.
    #[track_caller]
    pub fn expect_closed(&mut self, code: u16) {
        assert_eq!(self.next(), None);
        let read = self.transport.read_end();
        assert!(read.is_none_or(|read| read == code), "{read:?} instead of {code}");
    }

    /// The barrier: every line that was sent before has had its effect. Returns the lines that came before the reply.
    #[track_caller]
    pub fn sync(&mut self) -> Vec<String> {
        self.syncs += 1;
        let token = format!("sync-{}", self.syncs);
        self.send(&format!("PING {token}"));
        self.until(&format!("OK PING {token}"))
    }

    /// `read` has this line, or the next line is this one.
    #[track_caller]
    pub fn expect_after(&mut self, read: &[String], line: &str) {
        if !read.iter().any(|read| read == line) {
            self.expect(line);
        }
    }

    /// Nothing is left to read.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        assert_eq!(self.sync(), Vec::<String>::new());
    }

    /// Reads up to this line. Returns the lines before it.
    #[track_caller]
    pub fn until(&mut self, last: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            match self.next() {
                Some(line) if line == last => return before,
                Some(line) => before.push(line),
                None => panic!("closed before {last:?}, after {before:?}"),
            }
        }
    }

    /// Reads up to the first line that begins like this, and returns it.
    #[track_caller]
    pub fn until_start(&mut self, start: &str) -> String {
        loop {
            let line = self.next().unwrap_or_else(|| panic!("closed before {start:?}"));
            if line.starts_with(start) {
                return line;
            }
        }
    }

    /// Tells the server that no more lines come.
    pub fn end_input(&mut self) {
        self.transport.end_input();
    }

    /// All further lines, up to the end.
    pub fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Breaks the connection, like a host that has forgotten it.
    pub fn reset(self) {
        T::Route::reset(self.stream());
    }
}

/// A server with a listener for the transport `T`. It listens for plain TCP as well.
pub struct Site<T> {
    pub server: Server,
    endpoint: Endpoint,
    listener: Option<Listener>,
    transport: PhantomData<fn() -> T>,
}

impl<T: Transport> Site<T> {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with further arguments.
    pub fn with(arguments: &[&str]) -> Self {
        Self::start_by(Server::with, arguments)
    }

    /// Starts a server with a rate limit for lines.
    pub fn rate_limited(arguments: &[&str]) -> Self {
        Self::start_by(Server::rate_limited, arguments)
    }

    fn start_by(start: impl FnOnce(&[&str]) -> Server, arguments: &[&str]) -> Self {
        let listener = T::Route::listener(T::SCHEME);
        let own = listener.iter().flat_map(|listener| &listener.arguments).map(String::as_str);
        let server = start(&own.chain(arguments.iter().copied()).collect::<Vec<_>>());
        if listener.is_some() {
            return Self { listener, ..Self::adopt(server) };
        }
        Self { endpoint: Endpoint::Ip(server.address), server, listener, transport: PhantomData }
    }

    /// A server that was started with the listener as its second one.
    pub fn adopt(mut server: Server) -> Self {
        let endpoint = Endpoint::in_line(&server.stdout_line());
        Self { server, endpoint, listener: None, transport: PhantomData }
    }

    /// The address of the listener, if it has an IP address.
    pub fn ip_address(&self) -> Option<SocketAddr> {
        self.endpoint.ip()
    }

    /// A client that has read nothing.
    pub fn connect_raw(&self) -> Client<T> {
        connect_raw(&self.endpoint, None)
    }

    /// A client that has read its greeting.
    pub fn connect(&self) -> Client<T> {
        connect(&self.endpoint)
    }

    /// A member that has read everything up to its own join, which every other member has seen.
    pub fn join(&self, nick: &str) -> Client<T> {
        self.connect().joined(nick)
    }

    /// A member with a small receive buffer, so that the server soon notices if it does not read.
    pub fn join_narrow(&self, nick: &str) -> Client<T> {
        connect_narrow(&self.endpoint).joined(nick)
    }
}

impl<T> Deref for Site<T> {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl<T> DerefMut for Site<T> {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}
