//! The other end: a server that listens for browsers, requests as they are sent, and peers over WebSocket.
#![allow(unreachable_pub, reason = "each module uses a part of it")]

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use tungstenite::handshake::client::Request;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::{Bytes, Error, Message, WebSocket};

use crate::common::{DEADLINE, HELLO, Server, address_in, lines_before};

/// The fields of a WebSocket handshake, except `Host`.
pub const HANDSHAKE: [&str; 4] = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// A server, and where it listens for browsers.
pub struct Site {
    pub server: Server,
    pub address: SocketAddr,
}

impl Site {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(arguments: &[&str]) -> Self {
        Self::adopt(Server::with(&[&["--web", "127.0.0.1:0"], arguments].concat()))
    }

    /// The same, with peers held to a rate.
    pub fn paced(arguments: &[&str]) -> Self {
        Self::adopt(Server::paced(&[&["--web", "127.0.0.1:0"], arguments].concat()))
    }

    pub fn adopt(mut server: Server) -> Self {
        let address = address_in(&server.stdout_line());
        Self { server, address }
    }

    pub fn connect_raw(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    /// What is answered to a request of these lines.
    pub fn ask(&self, lines: &[&str]) -> String {
        let mut stream = self.connect_raw();
        stream.write_all((lines.join("\r\n") + "\r\n\r\n").as_bytes()).expect("the server reads");
        rest(&mut stream)
    }

    /// The status of what is answered to one that also names the host.
    pub fn status(&self, request_line: &str, fields: &[&str]) -> u16 {
        let host = format!("Host: {}", self.address);
        status(&self.ask(&[&[request_line, &host], fields].concat()))
    }

    /// A peer that has read nothing.
    pub fn connect_over(&self, stream: TcpStream) -> WebPeer {
        let request = Request::builder()
            .uri(format!("ws://{}/ws", self.address))
            .header("Host", self.address.to_string())
            .header("Origin", format!("http://{}", self.address))
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let request = request.body(()).expect("a request");
        let (socket, _) = tungstenite::client(request, stream).expect("a handshake");
        WebPeer { socket, lines: VecDeque::new(), pongs: Vec::new(), pings: 0, end: None, syncs: 0 }
    }

    /// A peer that has read its greeting.
    pub fn connect(&self) -> WebPeer {
        let mut peer = self.connect_over(self.connect_raw());
        peer.expect(HELLO);
        peer
    }

    /// A peer of this name that has read up to its own joining, and that everybody has seen.
    pub fn join(&self, name: &str) -> WebPeer {
        let mut peer = self.connect();
        peer.send(&format!("NICK {name}"));
        peer.expect(&format!("OK NICK {name}"));
        peer.sync();
        peer
    }
}

/// All that still comes, to the end.
pub fn rest(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and its end");
    answer
}

pub fn status(answer: &str) -> u16 {
    let code = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split(' ').next());
    code.unwrap_or_else(|| panic!("no answer: {answer:?}")).parse().expect("a number")
}

/// Somebody at the other end of a WebSocket.
pub struct WebPeer {
    pub socket: WebSocket<TcpStream>,
    lines: VecDeque<String>,
    pub pongs: Vec<Bytes>,
    /// Pings of the server.
    pub pings: usize,
    /// The code that the server closed with.
    end: Option<u16>,
    syncs: u32,
}

impl WebPeer {
    /// Sends a message: one line or several, the last without its ending.
    pub fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).expect("the server reads");
    }

    /// Sends a frame that need not be a whole message.
    pub fn send_frame(&mut self, opcode: Data, payload: &[u8], is_final: bool) {
        let frame = Frame::message(payload.to_vec(), OpCode::Data(opcode), is_final);
        self.socket.send(Message::Frame(frame)).expect("the server reads");
    }

    /// The next line; `None` at the end. Every message is whole lines.
    pub fn next(&mut self) -> Option<String> {
        while self.lines.is_empty() && self.end.is_none() {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    assert!(text.ends_with('\n'), "half a line: {text:?}");
                    self.lines.extend(text.lines().map(str::to_owned));
                }
                Ok(Message::Pong(payload)) => self.pongs.push(payload),
                Ok(Message::Ping(_)) => self.pings += 1,
                Ok(Message::Close(frame)) => self.end = Some(frame.map_or(1005, |close| close.code.into())),
                Ok(other) => panic!("{other:?}"),
                Err(error) => panic!("no line within {DEADLINE:?}: {error}"),
            }
        }
        self.lines.pop_front()
    }

    #[track_caller]
    pub fn expect(&mut self, line: &str) {
        assert_eq!(self.next().as_deref(), Some(line));
    }

    /// The next line begins like this.
    #[track_caller]
    pub fn expect_start(&mut self, start: &str) {
        let line = self.next().unwrap_or_else(|| panic!("closed instead of {start:?}"));
        assert!(line.starts_with(start), "{line:?} does not begin with {start:?}");
    }

    /// What comes before this line.
    #[track_caller]
    pub fn until(&mut self, last: &str) -> Vec<String> {
        lines_before(last, || self.next())
    }

    /// The barrier: all that was sent before has happened. Returns what came until then.
    #[track_caller]
    pub fn sync(&mut self) -> Vec<String> {
        self.syncs += 1;
        let token = format!("sync-{}", self.syncs);
        self.send(&format!("PING {token}"));
        self.until(&format!("OK PING {token}"))
    }

    /// Nothing is left to read.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        assert_eq!(self.sync(), Vec::<String>::new());
    }

    /// There are no more lines; this is the code that the connection ends with, and it does end.
    #[track_caller]
    pub fn expect_end(&mut self) -> u16 {
        assert_eq!(self.next(), None);
        // As a browser, it answers and waits for the server to close.
        let end = loop {
            match self.socket.read() {
                Ok(message) => panic!("{message:?} after the end"),
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(end, Error::ConnectionClosed | Error::AlreadyClosed), "{end}");
        self.end.expect("a code")
    }

    /// All lines that still come, and the code of the end.
    pub fn rest(&mut self) -> (Vec<String>, u16) {
        let lines = std::iter::from_fn(|| self.next()).collect();
        (lines, self.expect_end())
    }

    /// Goes without a word.
    pub fn vanish(self) {
        self.socket.get_ref().shutdown(Shutdown::Both).expect("a connection");
    }
}
