//! Decodes a client's WebSocket frames. Returns text as it arrives, so that a message takes no more memory than a line.

use std::io::Cursor;

use smallvec::SmallVec;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::limits::{CONTROL_BYTES_MAX, FRAME_HEADER_BYTES_MAX, MESSAGE_BYTES_MAX};

/// Output of [`FrameDecoder`].
#[derive(Debug, PartialEq, Eq)]
pub enum FrameEvent<'a> {
    /// A part of a text message. It may end within a character.
    Text(&'a [u8]),
    /// The end of a message.
    EndOfMessage,
    /// A ping with this payload, which the pong repeats.
    Ping(Vec<u8>),
    /// The client closes the connection. Nothing follows.
    Close,
    /// The frames are invalid. Nothing follows.
    Failed(FrameError),
}

/// Why a client's frames are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// They violate RFC 6455.
    Protocol,
    /// A message is not text.
    Binary,
    /// A text message is not UTF-8.
    NotUtf8,
    /// A message has more than [`MESSAGE_BYTES_MAX`] bytes.
    TooLong,
}

impl FrameError {
    /// The code for the close frame (RFC 6455, section 7.4).
    pub fn code(self) -> CloseCode {
        match self {
            Self::Protocol => CloseCode::Protocol,
            Self::Binary => CloseCode::Unsupported,
            Self::NotUtf8 => CloseCode::Invalid,
            Self::TooLong => CloseCode::Size,
        }
    }

    /// The text for the close frame.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Protocol => "the frames violate RFC 6455",
            Self::Binary => "binary messages are not supported; send text",
            Self::NotUtf8 => "the message is not valid UTF-8",
            Self::TooLong => "the message is too long; send it in parts",
        }
    }
}

/// Decodes the frames of one client.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    /// The start of the next header.
    header: SmallVec<[u8; FRAME_HEADER_BYTES_MAX]>,
    frame: Option<Frame>,
    /// Length of the unfinished message so far, with the bytes that the current frame announces. `message <= MESSAGE_BYTES_MAX`
    message: Option<usize>,
    text: Utf8Validator,
    /// The payload of a control frame so far. `control.len() <= CONTROL_BYTES_MAX`
    control: Vec<u8>,
    /// Invalid UTF-8 follows the text that was returned.
    is_not_utf8: bool,
    is_over: bool,
}

/// The current frame.
#[derive(Debug)]
struct Frame {
    opcode: OpCode,
    is_final: bool,
    /// The mask of the next bytes, in this order.
    mask: [u8; 4],
    /// Bytes of the payload that have not arrived.
    left: usize,
}

#[expect(clippy::mut_mut, reason = "advances the input, and unmasks it in place")]
impl FrameDecoder {
    /// Decodes the next item of `input`, unmasks it in place, and advances `input` past it. `None` once all of `input` is consumed.
    pub fn next<'a>(&mut self, input: &mut &'a mut [u8]) -> Option<FrameEvent<'a>> {
        if self.is_over {
            return None;
        }
        let incoming = self.decode(input).unwrap_or_else(|failure| Some(FrameEvent::Failed(failure)));
        self.is_over = matches!(incoming, Some(FrameEvent::Close | FrameEvent::Failed(_)));
        incoming
    }

    fn decode<'a>(&mut self, input: &mut &'a mut [u8]) -> Result<Option<FrameEvent<'a>>, FrameError> {
        if self.is_not_utf8 {
            return Err(FrameError::NotUtf8);
        }
        loop {
            let Some(frame) = &mut self.frame else {
                let Some((byte, rest)) = std::mem::take(input).split_first_mut() else { return Ok(None) };
                *input = rest;
                self.header.push(*byte);
                let parsed = FrameHeader::parse(&mut Cursor::new(&self.header)).map_err(|_| FrameError::Protocol)?;
                if let Some((header, bytes)) = parsed {
                    if !has_minimal_length(&self.header, bytes) {
                        return Err(FrameError::Protocol);
                    }
                    self.header.clear();
                    self.begin_frame(&header, bytes)?;
                }
                continue;
            };
            let piece = frame.unmask_payload(input);
            let is_whole = frame.left == 0;
            match frame.opcode {
                OpCode::Data(_) if !piece.is_empty() => {
                    let valid = self.text.validate(piece);
                    self.is_not_utf8 = valid < piece.len();
                    // Returns the valid part first: the result must not depend on how the network splits the input.
                    return Ok(Some(FrameEvent::Text(&piece[..valid])));
                }
                OpCode::Data(_) if is_whole => {
                    if self.frame.take().is_some_and(|frame| frame.is_final) {
                        self.message = None;
                        self.text.finish()?;
                        return Ok(Some(FrameEvent::EndOfMessage));
                    }
                }
                OpCode::Control(kind) if is_whole => {
                    self.control.extend_from_slice(piece);
                    self.frame = None;
                    if let Some(incoming) = parse_control(kind, std::mem::take(&mut self.control))? {
                        return Ok(Some(incoming));
                    }
                }
                OpCode::Data(_) => return Ok(None),
                OpCode::Control(_) => {
                    self.control.extend_from_slice(piece);
                    return Ok(None);
                }
            }
        }
    }

    fn begin_frame(&mut self, header: &FrameHeader, bytes: u64) -> Result<(), FrameError> {
        // A server must close a connection with unmasked frames (RFC 6455, section 5.1).
        let mask = header.mask.filter(|_| !(header.rsv1 || header.rsv2 || header.rsv3)).ok_or(FrameError::Protocol)?;
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        match (header.opcode, self.message) {
            (OpCode::Control(_), _) if !header.is_final || bytes > CONTROL_BYTES_MAX => {
                return Err(FrameError::Protocol);
            }
            (OpCode::Control(_), _) => {}
            (OpCode::Data(Data::Binary), None) => return Err(FrameError::Binary),
            (OpCode::Data(Data::Text), None) | (OpCode::Data(Data::Continue), Some(_)) => {
                let message = self.message.unwrap_or(0).saturating_add(bytes);
                if message > MESSAGE_BYTES_MAX {
                    return Err(FrameError::TooLong);
                }
                self.message = Some(message);
            }
            (OpCode::Data(_), _) => return Err(FrameError::Protocol),
        }
        self.frame = Some(Frame { opcode: header.opcode, is_final: header.is_final, mask, left: bytes });
        Ok(())
    }
}

#[expect(clippy::mut_mut, reason = "as above")]
impl Frame {
    /// Unmasks the part of the payload that is in `input` (RFC 6455, section 5.3), and returns it.
    fn unmask_payload<'a>(&mut self, input: &mut &'a mut [u8]) -> &'a [u8] {
        let bytes = self.left.min(input.len());
        let (piece, rest) = std::mem::take(input).split_at_mut(bytes);
        *input = rest;
        piece.iter_mut().zip(self.mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        self.mask.rotate_left(piece.len() % 4);
        self.left -= piece.len();
        piece
    }
}

/// Whether a header encodes the frame's length in as few bytes as possible (RFC 6455, section 5.2).
fn has_minimal_length(header: &[u8], bytes: u64) -> bool {
    match header.get(1).map(|second| second & 0x7f) {
        Some(127) => bytes > u16::MAX.into() && bytes.leading_zeros() > 0,
        Some(126) => bytes > 125,
        _ => true,
    }
}

/// Whether a client may send this close code (RFC 6455, section 7.4, and its registry at IANA).
fn is_valid_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The event of a control frame, if it has one.
fn parse_control(kind: Control, payload: Vec<u8>) -> Result<Option<FrameEvent<'static>>, FrameError> {
    match kind {
        Control::Ping => Ok(Some(FrameEvent::Ping(payload))),
        Control::Pong | Control::Reserved(_) => Ok(None),
        Control::Close => match payload.split_first_chunk() {
            None if payload.is_empty() => Ok(Some(FrameEvent::Close)),
            None => Err(FrameError::Protocol),
            Some((&code, reason)) => {
                str::from_utf8(reason).map_err(|_| FrameError::NotUtf8)?;
                if is_valid_close_code(u16::from_be_bytes(code)) {
                    Ok(Some(FrameEvent::Close))
                } else {
                    Err(FrameError::Protocol)
                }
            }
        },
    }
}

/// Validates UTF-8 that arrives in pieces.
#[derive(Debug, Default)]
struct Utf8Validator {
    /// The start of an incomplete character.
    cut: SmallVec<[u8; 4]>,
}

impl Utf8Validator {
    /// Number of leading bytes that are valid, or may become valid.
    fn validate(&mut self, text: &[u8]) -> usize {
        let mut checked = 0;
        while !self.cut.is_empty()
            && let Some(&byte) = text.get(checked)
        {
            self.cut.push(byte);
            match incomplete_character(&self.cut) {
                Ok([]) => self.cut.clear(),
                Ok(_) => {}
                Err(_) => return checked,
            }
            checked += 1;
        }
        match incomplete_character(&text[checked..]) {
            Ok(cut) => {
                self.cut.extend_from_slice(cut);
                text.len()
            }
            Err(valid) => checked + valid,
        }
    }

    /// Checks that the text does not end within a character.
    fn finish(&self) -> Result<(), FrameError> {
        if self.cut.is_empty() { Ok(()) } else { Err(FrameError::NotUtf8) }
    }
}

/// The incomplete character at the end; or, as an error, the number of bytes before an invalid one.
fn incomplete_character(text: &[u8]) -> Result<&[u8], usize> {
    match str::from_utf8(text) {
        Ok(_) => Ok(&[]),
        Err(error) if error.error_len().is_none() => Ok(&text[error.valid_up_to()..]),
        Err(error) => Err(error.valid_up_to()),
    }
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
    use tungstenite::{Error, Message};

    use super::*;

    /// A masked frame with these first four bits and this opcode.
    fn frame(bits: u8, opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 250];
        let mut frame = vec![bits << 4 | opcode];
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(short @ 0..126), _) => frame.push(0x80 | short),
            (_, Ok(long)) => {
                frame.push(0xfe);
                frame.extend(long.to_be_bytes());
            }
            (_, Err(_)) => {
                frame.push(0xff);
                frame.extend((payload.len() as u64).to_be_bytes());
            }
        }
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    /// Calls `take` with each event of input that arrives in pieces of this size.
    fn each(bytes: &[u8], piece: usize, mut take: impl FnMut(FrameEvent<'_>)) {
        let mut frames = FrameDecoder::default();
        for piece in bytes.chunks(piece) {
            let mut piece = piece.to_vec();
            let mut rest = piece.as_mut_slice();
            while let Some(incoming) = frames.next(&mut rest) {
                take(incoming);
            }
        }
    }

    /// The events, as whole messages, pings, and the close.
    fn read(bytes: &[u8], piece: usize) -> Vec<String> {
        let (mut all, mut text) = (Vec::new(), Vec::new());
        each(bytes, piece, |incoming| match incoming {
            FrameEvent::Text(more) => text.extend_from_slice(more),
            FrameEvent::EndOfMessage => all.push(String::from_utf8(std::mem::take(&mut text)).unwrap()),
            FrameEvent::Ping(payload) => all.push(format!("ping {}", payload.escape_ascii())),
            FrameEvent::Close => all.push("close".to_owned()),
            FrameEvent::Failed(failure) => all.push(format!("{failure:?}")),
        });
        all
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&str]) {
        for piece in [1, 2, 3, 7, usize::MAX] {
            assert_eq!(read(bytes, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn text_is_unmasked_and_joined() {
        check(&frame(8, 1, b"MSG hi"), &["MSG hi"]);
        check(&frame(8, 1, b""), &[""]);
        check(&frame(8, 1, "x".repeat(126).as_bytes()), &["x".repeat(126).as_str()]);
        check(&frame(8, 1, "y".repeat(70_000).as_bytes()), &["y".repeat(70_000).as_str()]);
        let parts = [frame(0, 1, b"MSG caf\xc3"), frame(8, 9, b"p"), frame(0, 0, b""), frame(8, 0, b"\xa9")];
        check(&parts.concat(), &["ping p", "MSG café"]);
    }

    #[test]
    fn invalid_text_fails_with_its_code() {
        check(&frame(8, 2, b"x"), &["Binary"]);
        check(&frame(8, 1, b"caf\xc3"), &["NotUtf8"]);
        check(&frame(0, 1, b"\xed\xa0\x80 never read"), &["NotUtf8"]);
        check(&frame(0, 1, b"\xf8"), &["NotUtf8"]);
        let longest = vec![b'x'; MESSAGE_BYTES_MAX];
        check(&[frame(0, 1, &longest), frame(8, 0, b"y")].concat(), &["TooLong"]);
        check(&[0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0], &["TooLong"]);
    }

    #[test]
    fn text_before_invalid_utf8_is_returned_at_every_split() {
        let bytes = frame(8, 1, b"MSG hi\nMSG caf\xc3\xa9\n\xe2\x82MSG no\n");
        for piece in 1..bytes.len() {
            let (mut text, mut failed) = (Vec::new(), false);
            each(&bytes, piece, |incoming| match incoming {
                FrameEvent::Text(more) => text.extend_from_slice(more),
                other => failed = other == FrameEvent::Failed(FrameError::NotUtf8),
            });
            let lines = String::from_utf8_lossy(&text);
            assert!(failed && lines.starts_with("MSG hi\nMSG caf\u{e9}\n"), "in pieces of {piece}: {lines}");
            assert!(!lines.contains("no"), "in pieces of {piece}: {lines}");
        }
    }

    #[test]
    fn frame_that_violates_the_standard_is_an_error() {
        check(&[0x81, 1, b'x'], &["Protocol"]);
        for bits in [0b1100, 0b1010, 0b1001] {
            check(&frame(bits, 1, b"x"), &["Protocol"]);
        }
        for opcode in [3, 7, 11, 15] {
            check(&frame(8, opcode, b""), &["Protocol"]);
        }
        check(&frame(8, 0, b"x"), &["Protocol"]);
        check(&[frame(0, 1, b"x"), frame(8, 1, b"y")].concat(), &["Protocol"]);
        check(&frame(0, 9, b""), &["Protocol"]);
        check(&frame(0, 8, b""), &["Protocol"]);
        check(&frame(0, 10, b""), &["Protocol"]);
        for opcode in [8, 9, 10] {
            check(&frame(8, opcode, &[0; 126]), &["Protocol"]);
            check(&frame(12, opcode, b""), &["Protocol"]);
            check(&[0x80 | opcode, 0], &["Protocol"]);
        }
        // A message must end before another one begins.
        check(&[frame(0, 1, b"x"), frame(8, 2, b"y")].concat(), &["Protocol"]);
        check(&[frame(8, 1, b"x"), frame(8, 0, b"y")].concat(), &["x", "Protocol"]);
    }

    #[test]
    fn length_that_is_not_minimal_is_an_error() {
        // The mask is zeros, so that the payload is readable.
        let with_length = |length: &[u8], payload: &[u8]| [b"\x81", length, &[0; 4], payload].concat();
        check(&with_length(&[0xfe, 0, 2], b"hi"), &["Protocol"]);
        check(&with_length(&[0xfe, 0, 125], &[b'x'; 125]), &["Protocol"]);
        check(&with_length(&[0xfe, 0, 126], &[b'x'; 126]), &["x".repeat(126).as_str()]);
        check(&with_length(&[0xff, 0, 0, 0, 0, 0, 0, 0, 2], b"hi"), &["Protocol"]);
        check(&with_length(&[0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], &vec![b'x'; 65_535]), &["Protocol"]);
        check(&with_length(&[0xff, 0, 0, 0, 0, 0, 1, 0, 0], &vec![b'x'; 65_536]), &["x".repeat(65_536).as_str()]);
        // The most significant bit must be 0.
        check(&with_length(&[0xff, 0x80, 0, 0, 0, 0, 0, 0, 2], b"hi"), &["Protocol"]);
        check(&[0x89, 0xfe, 0, 2, 0, 0, 0, 0, b'h', b'i'], &["Protocol"]);
        check(&[0x88, 0xfe, 0, 0, 0, 0, 0, 0], &["Protocol"]);
    }

    #[test]
    fn invalid_close_code_is_an_error() {
        let check = |codes: &[u16], expected: &str| {
            for code in codes {
                check(&frame(8, 8, &code.to_be_bytes()), &[expected]);
            }
        };
        check(&[1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999], "close");
        check(&[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535], "Protocol");
    }

    #[test]
    fn nothing_follows_a_close() {
        check(&[frame(8, 8, b""), frame(8, 1, b"x")].concat(), &["close"]);
        check(&frame(8, 8, b"\x03\xe8good-bye"), &["close"]);
        check(&frame(8, 8, &[b"\x03\xe8", &[b'x'; 123][..]].concat()), &["close"]);
        check(&frame(8, 8, b"\x03"), &["Protocol"]);
        check(&frame(8, 8, b"\x03\xe8\xff"), &["NotUtf8"]);
        check(&frame(8, 8, b"\x03\xe8\xc3"), &["NotUtf8"]);
        check(&[frame(8, 2, b""), frame(8, 1, b"x")].concat(), &["Binary"]);
    }

    /// A stream with these bytes to read, which cannot be written.
    struct ReadOnlyStream<'a>(&'a [u8]);

    impl std::io::Read for ReadOnlyStream<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl std::io::Write for ReadOnlyStream<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The events of the same bytes, as decoded by tungstenite.
    fn read_by_tungstenite(bytes: &[u8]) -> Vec<String> {
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX));
        let (mut context, mut input) = (WebSocketContext::new(Role::Server, Some(config)), ReadOnlyStream(bytes));
        let mut all = Vec::new();
        loop {
            all.push(match context.read(&mut input) {
                Ok(Message::Text(text)) => text.to_string(),
                Ok(Message::Ping(payload)) => format!("ping {}", payload.escape_ascii()),
                Ok(Message::Pong(_)) => continue,
                Ok(Message::Close(Some(close))) if close.code == CloseCode::Protocol => "Protocol".to_owned(),
                Ok(Message::Close(_)) => "close".to_owned(),
                Ok(Message::Binary(_)) => "Binary".to_owned(),
                Err(Error::Utf8(_)) => "NotUtf8".to_owned(),
                Err(Error::Capacity(_)) => "TooLong".to_owned(),
                Err(Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => return all,
                Err(Error::Protocol(_)) => "Protocol".to_owned(),
                other => panic!("{other:?}"),
            });
            if ["close", "Binary", "NotUtf8", "TooLong", "Protocol"].contains(&all[all.len() - 1].as_str()) {
                return all;
            }
        }
    }

    /// The decoder agrees with tungstenite on random frames. It finds invalid UTF-8 earlier, because tungstenite reads whole messages
    /// first; and so it may not reach a binary message or an invalid frame after it.
    #[test]
    fn events_equal_those_of_tungstenite() {
        arbtest::arbtest(|u| {
            let mut bytes = Vec::new();
            for _ in 0..u.int_in_range(0..=6)? {
                let payload = u.choose(&["", "MSG hi", "caf\u{e9}", "a\nb\n", "\u{1f600}", "\x03\u{7f}"])?.as_bytes();
                let cut = u.int_in_range(0..=payload.len())?;
                let payload = if u.ratio(1, 4)? { &payload[..cut] } else { payload };
                bytes.extend(frame(
                    *u.choose(&[8, 8, 8, 0, 0, 12])?,
                    *u.choose(&[1, 1, 1, 0, 0, 2, 8, 9, 10, 11])?,
                    payload,
                ));
            }
            let ours = read(&bytes, u.int_in_range(1..=20)?);
            let theirs = read_by_tungstenite(&bytes);
            let fails_early = ours.last().is_some_and(|last| last == "NotUtf8" || last == "Binary");
            let same = if fails_early { ours.len() - 1 } else { ours.len().max(theirs.len()) };
            assert_eq!(ours.get(..same), theirs.get(..same), "{}", bytes.escape_ascii());
            Ok(())
        });
    }
}
