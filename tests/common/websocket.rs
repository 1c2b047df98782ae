//! Lines over WebSocket, with a client that is not our own: tungstenite.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write as _};
use std::marker::PhantomData;
use std::net::TcpStream;

use tungstenite::handshake::client::Request;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};
use tungstenite::{Bytes, Error, Message};

use super::route::{Direct, Route};
use super::{Client, DEADLINE, Transport};

/// Lines in the messages of a WebSocket. Each message from the server must be whole lines.
pub struct WebSocketOver<R> {
    pub socket: tungstenite::WebSocket<TcpStream>,
    lines: VecDeque<String>,
    pub pongs: Vec<Bytes>,
    /// The code of the server's close frame.
    code: Option<u16>,
    route: PhantomData<fn() -> R>,
}

/// Lines over WebSocket over plain TCP.
pub type WebSocket = WebSocketOver<Direct>;

impl<R: Route> Transport for WebSocketOver<R> {
    type Route = R;
    const SCHEME: &'static str = "http";
    const HAS_FILLERS: bool = true;

    fn open(stream: TcpStream) -> Self {
        let host = stream.peer_addr().expect("a connection").to_string();
        let origin = format!("{}://{host}", if R::IS_ENCRYPTED { "https" } else { "http" });
        let request = Request::builder()
            .uri(format!("ws://{host}/ws"))
            .header("Host", &host)
            .header("Origin", origin)
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let request = request.body(()).expect("a request");
        let (socket, _) = tungstenite::client(request, stream).expect("a handshake");
        Self { socket, lines: VecDeque::new(), pongs: Vec::new(), code: None, route: PhantomData }
    }

    fn stream(&self) -> &TcpStream {
        self.socket.get_ref()
    }

    /// One message, whose end is also the end of its last line.
    fn encode(text: &[u8]) -> Vec<u8> {
        encode(Frame::message(text.to_vec(), OpCode::Data(Data::Text), true))
    }

    fn encode_line(line: &str) -> Vec<u8> {
        Self::encode(line.as_bytes())
    }

    /// One message in two fragments.
    fn encode_pieces((first, second): (&[u8], &[u8])) -> [Vec<u8>; 2] {
        let first = Frame::message(first.to_vec(), OpCode::Data(Data::Text), false);
        let second = Frame::message(second.to_vec(), OpCode::Data(Data::Continue), true);
        [encode(first), encode(second)]
    }

    fn read_line(&mut self) -> Option<String> {
        while self.lines.is_empty() && self.code.is_none() {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    assert!(text.ends_with('\n'), "half a line: {text:?}");
                    self.lines.extend(text[..text.len() - 1].split('\n').map(str::to_owned));
                }
                Ok(Message::Pong(payload)) => self.pongs.push(payload),
                Ok(Message::Ping(_)) => {}
                Ok(Message::Close(frame)) => self.code = Some(frame.map_or(1005, |close| close.code.into())),
                Ok(other) => panic!("{other:?}"),
                Err(Error::Io(error)) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("no line within {DEADLINE:?}: {error}"),
            }
        }
        self.lines.pop_front()
    }

    /// No line is cut: the server fills up a frame that it cannot complete.
    fn read_last_line(&mut self) -> String {
        std::iter::from_fn(|| self.read_line()).last().expect("a line")
    }

    fn end_input(&mut self) {
        let close = CloseFrame { code: CloseCode::Away, reason: "closed the tab".into() };
        self.stream().write_all(&encode(Frame::close(Some(close)))).expect("the server reads");
    }

    fn read_end(&mut self) -> Option<u16> {
        // Like a browser, it answers the close frame and waits for the server to close the connection.
        let end = loop {
            match self.socket.read() {
                Ok(message) => panic!("{message:?} after the close frame"),
                Err(Error::Io(error)) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(end, Error::ConnectionClosed | Error::AlreadyClosed), "{end}");
        Some(self.code.expect("a close frame"))
    }
}

/// A frame as a client sends it: masked.
fn encode(mut frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.header_mut().mask = Some(fastrand::u32(..).to_be_bytes());
    frame.format(&mut bytes).expect("a frame");
    bytes
}

impl Client<WebSocket> {
    /// Sends a frame, which need not be a whole message.
    pub fn send_frame(&mut self, opcode: Data, payload: &[u8], is_final: bool) {
        self.write(&encode(Frame::message(payload.to_vec(), OpCode::Data(opcode), is_final)));
    }

    /// Sends a message of any kind.
    pub fn send_message(&mut self, message: Message) {
        self.transport.socket.send(message).expect("the server reads");
    }
}
