//! The client side of WebSocket, as little as the load needs, so that the load generator costs little.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use tungstenite::protocol::frame::FrameHeader;

/// Upgrades a new connection to WebSocket.
pub(crate) fn upgrade(stream: &mut TcpStream) {
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

/// Encodes a short line as a frame. A mask of zeros leaves the bytes unchanged.
pub(crate) fn frame(line: &[u8]) -> Vec<u8> {
    let length = u8::try_from(line.len()).ok().filter(|&length| length < 126).expect("a short line");
    [&[0x81, 0x80 | length, 0, 0, 0, 0], line].concat()
}

/// Decodes the frames that a reader receives.
#[derive(Default)]
pub(crate) struct Frames {
    /// The beginning of a header that is not complete yet.
    header: Vec<u8>,
    /// Bytes of the current frame that have not arrived yet.
    left: usize,
}

impl Frames {
    /// Removes the frame headers, and moves the contents to the beginning of the slice. Returns the length of the contents.
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
