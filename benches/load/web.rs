//! A reader over WebSocket: as little of it as it takes, so that what is measured is the server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use tungstenite::protocol::frame::FrameHeader;

/// Makes a peer's connection one over WebSocket, before anything else is sent.
pub(crate) fn shake_hands(stream: &mut TcpStream) {
    let request = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("the server reads");
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("an answer");
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", head.escape_ascii());
}

/// A short line as a frame. A mask of zeros masks nothing.
pub(crate) fn frame(line: &[u8]) -> Vec<u8> {
    let length = u8::try_from(line.len()).ok().filter(|&length| length < 126).expect("a short line");
    [&[0x81, 0x80 | length, 0, 0, 0, 0], line].concat()
}

/// Where in its frames a reader is.
#[derive(Default)]
pub(crate) struct Frames {
    /// The begin of a header.
    header: Vec<u8>,
    /// Bytes of the frame that are still to come.
    left: usize,
}

impl Frames {
    /// Leaves of the bytes what is in the frames, at the begin; returns how many bytes that is.
    pub(crate) fn strip(&mut self, bytes: &mut [u8]) -> usize {
        let (mut kept, mut at) = (0, 0);
        while at < bytes.len() {
            if self.left == 0 {
                self.header.push(bytes[at]);
                at += 1;
                let header = FrameHeader::parse(&mut std::io::Cursor::new(&self.header)).expect("a frame");
                if let Some((_, length)) = header {
                    self.left = usize::try_from(length).expect("64-bit");
                    self.header.clear();
                }
                continue;
            }
            let here = self.left.min(bytes.len() - at);
            bytes.copy_within(at..at + here, kept);
            (kept, at, self.left) = (kept + here, at + here, self.left - here);
        }
        kept
    }
}
