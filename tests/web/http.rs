//! HTTP requests over plain sockets.
#![allow(unreachable_pub, reason = "each module uses a part of it")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::common::{DEADLINE, Site, WebSocket};

/// The fields of a WebSocket handshake, except `Host`.
pub const HANDSHAKE: [&str; 4] = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

impl Site<WebSocket> {
    /// A connection on which nothing was sent.
    pub fn open(&self) -> TcpStream {
        let stream = TcpStream::connect(self.ip_address().expect("TCP")).expect("the server accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    /// The answer to a request of these lines.
    pub fn ask(&self, lines: &[&str]) -> String {
        let mut stream = self.open();
        stream.write_all((lines.join("\r\n") + "\r\n\r\n").as_bytes()).expect("the server reads");
        rest(&mut stream)
    }

    /// The status of the answer to a request with these fields, and with `Host`.
    pub fn status(&self, request_line: &str, fields: &[&str]) -> u16 {
        let host = format!("Host: {}", self.ip_address().expect("TCP"));
        status(&self.ask(&[&[request_line, &host], fields].concat()))
    }
}

/// All further bytes, up to the end.
pub fn rest(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and its end");
    answer
}

pub fn status(answer: &str) -> u16 {
    let code = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split(' ').next());
    code.unwrap_or_else(|| panic!("no answer: {answer:?}")).parse().expect("a number")
}
