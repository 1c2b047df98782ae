//! Encodes a server's WebSocket frames: all readers share the text, and each connection sends headers before it.

use smallvec::SmallVec;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};

use super::FrameError;
use crate::feed::Source;
use crate::limits::TEXT_FRAME_BYTES_MAX;
use crate::protocol::{CloseReason, LeaveReason};

/// The position of one connection's output in its frames.
#[derive(Debug, Default)]
pub struct FrameEncoder {
    /// The unsent part of the frame's header.
    header: SmallVec<[u8; 4]>,
    /// Unsent bytes of the frame's text.
    left: usize,
    /// Bytes of `left` that the source has now. `next <= left`
    next: usize,
    /// The sent part of the character at which the text was cut. Empty unless `left > 0`.
    cut: SmallVec<[u8; 8]>,
    /// The unsent part of a control frame.
    control: Vec<u8>,
    /// The payload of the last ping. Earlier pings need no answer (RFC 6455, section 5.5.3), so pongs do not accumulate.
    pong: Option<Vec<u8>>,
    /// A ping is due.
    is_ping_due: bool,
    /// Whether anything was sent since the last call of [`FrameEncoder::ping_if_silent`].
    has_sent: bool,
}

impl FrameEncoder {
    /// Begins a frame with the whole lines at the start of `source`, unless a frame is partly sent.
    ///
    /// In that case `source` begins with the rest of the cut line. If the feed has evicted the text that the frame announced, other lines
    /// follow; if the next of them does not fit, blank lines fill the frame.
    pub fn begin(&mut self, source: &Source<'_>) {
        let (lines, all) = whole_lines(source, self.left);
        self.next = if all < self.left { all } else { lines };
        if self.next == 0 {
            self.header.resize(self.header.len() + self.left, b'\n');
            let (lines, all) = whole_lines(source, TEXT_FRAME_BYTES_MAX);
            // No line is longer than a frame may be.
            self.left = if lines == 0 { all } else { lines };
            self.next = self.left;
            self.header.extend(text_frame_header(self.left));
        }
    }

    /// The unsent header, and how many bytes of the source follow it.
    pub fn next(&self) -> (&[u8], usize) {
        (&self.header, self.next)
    }

    /// Records that `bytes` bytes of header and source were sent. Returns how many of them are of the source.
    pub fn sent(&mut self, bytes: usize, source: &Source<'_>) -> usize {
        self.has_sent = true;
        let of_header = bytes.min(self.header.len());
        self.header.drain(..of_header);
        let of_text = bytes - of_header;
        self.left -= of_text;
        self.next -= of_text;
        if self.left == 0 {
            self.cut.clear();
        } else if of_text > 0 {
            self.cut.extend_from_slice(last_bytes(source, of_text));
            let incomplete_character = incomplete_character(&self.cut).len();
            self.cut.drain(..self.cut.len() - incomplete_character);
        }
        of_text
    }

    /// Queues a pong with this payload.
    pub fn queue_pong(&mut self, ping: Vec<u8>) {
        self.pong = Some(ping);
    }

    /// Makes a ping due if nothing was sent since the last call. Returns whether it did.
    pub fn ping_if_silent(&mut self) -> bool {
        let is_silent = !std::mem::take(&mut self.has_sent);
        self.is_ping_due |= is_silent;
        is_silent
    }

    /// The unsent part of a control frame, if one is due and no other frame is partly sent.
    pub fn control(&mut self) -> Option<&[u8]> {
        if !self.is_between_frames() {
            return None;
        }
        if self.control.is_empty() {
            self.control = to_bytes(match self.pong.take() {
                Some(payload) => Frame::pong(payload),
                None if std::mem::take(&mut self.is_ping_due) => Frame::ping(Vec::new()),
                None => return None,
            });
        }
        Some(&self.control)
    }

    /// Records that `bytes` bytes of the control frame were sent.
    pub fn sent_control(&mut self, bytes: usize) {
        self.has_sent = true;
        self.control.drain(..bytes);
        if self.control.is_empty() {
            self.control = Vec::new();
        }
    }

    /// The bytes that close the connection. They complete a partly sent frame with blank lines, and a partly sent character with another
    /// one.
    pub fn end(&self, farewell: &CloseMessage<'_>) -> Vec<u8> {
        let mut bytes = [&self.control, &self.header[..]].concat();
        let filled = bytes.len() + self.left;
        bytes.extend(completion_bytes(&self.cut));
        bytes.resize(filled, b'\n');
        if !farewell.last_lines.is_empty() {
            bytes.extend(text_frame_header(farewell.last_lines.len()));
            bytes.extend_from_slice(farewell.last_lines.as_bytes());
        }
        let close = CloseFrame { code: farewell.code, reason: farewell.reason.into() };
        bytes.extend(to_bytes(Frame::close(Some(close))));
        bytes
    }

    fn is_between_frames(&self) -> bool {
        self.header.is_empty() && self.left == 0
    }
}

/// The content of the close frame, and the last lines before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseMessage<'a> {
    /// Whole lines of at most [`TEXT_FRAME_BYTES_MAX`] bytes, or an empty string.
    pub last_lines: &'a str,
    /// The code for programs (RFC 6455, section 7.4).
    pub code: CloseCode,
    /// The reason for users.
    pub reason: &'a str,
}

impl From<CloseReason> for CloseMessage<'static> {
    fn from(closing: CloseReason) -> Self {
        let (code, reason) = match closing {
            CloseReason::Left(reason @ (LeaveReason::Quit | LeaveReason::Eof)) => (CloseCode::Normal, reason.as_str()),
            CloseReason::Left(reason) => (CloseCode::Policy, reason.as_str()),
            CloseReason::Resumed => (CloseCode::Policy, "resumed"),
            CloseReason::Stopping => (CloseCode::Away, "the server is shutting down"),
        };
        Self { last_lines: "", code, reason }
    }
}

impl From<FrameError> for CloseMessage<'static> {
    fn from(failure: FrameError) -> Self {
        Self { last_lines: "", code: failure.code(), reason: failure.as_str() }
    }
}

/// For the first `bytes_max` bytes of a source: the length up to the last line ending, and the whole length.
fn whole_lines(source: &Source<'_>, bytes_max: usize) -> (usize, usize) {
    let (mut lines, mut all) = (0, 0);
    let mut look = |bytes: &[u8]| {
        let bytes = &bytes[..bytes.len().min(bytes_max - all)];
        lines = bytes.iter().rposition(|&byte| byte == b'\n').map_or(lines, |at| all + at + 1);
        all += bytes.len();
    };
    match source {
        Source::Memory(slices) => slices.iter().for_each(|slice| look(slice)),
        Source::File(_, _, bytes) => look(bytes),
    }
    (lines, all)
}

/// The last bytes of the first `bytes` of a source: enough for an incomplete character. No character is split between slices.
fn last_bytes<'a>(source: &Source<'a>, mut bytes: usize) -> &'a [u8] {
    let end = |all: &'a [u8], end: usize| &all[end.saturating_sub(3)..end];
    match *source {
        Source::File(_, _, all) => end(all, bytes),
        Source::Memory(slices) => {
            for slice in slices {
                if bytes <= slice.len() {
                    return end(slice, bytes);
                }
                bytes -= slice.len();
            }
            &[]
        }
    }
}

/// The incomplete character at the end of UTF-8, which may begin within a character.
fn incomplete_character(text: &[u8]) -> &[u8] {
    let start = text.iter().rposition(|byte| byte & 0b1100_0000 != 0b1000_0000).unwrap_or(text.len());
    if str::from_utf8(&text[start..]).is_err() { &text[start..] } else { &[] }
}

/// The bytes that complete a character: the lowest valid ones (RFC 3629, section 4).
fn completion_bytes(incomplete_character: &[u8]) -> impl Iterator<Item = u8> {
    let bytes = incomplete_character.first().map_or(0, |first| first.leading_ones() as usize);
    let least = |at| match (incomplete_character.first(), at) {
        (Some(0xe0), 1) => 0xa0,
        (Some(0xf0), 1) => 0x90,
        _ => 0x80,
    };
    (incomplete_character.len()..bytes).map(least)
}

fn text_frame_header(bytes: usize) -> SmallVec<[u8; 4]> {
    let header = FrameHeader { opcode: OpCode::Data(Data::Text), ..FrameHeader::default() };
    let mut room = [0; 4];
    let mut rest = room.as_mut_slice();
    // Four bytes suffice, because the text is no longer than the limit.
    let _ = header.format(bytes as u64, &mut rest);
    let used = 4 - rest.len();
    SmallVec::from_slice(&room[..used])
}

fn to_bytes(frame: Frame) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(frame.len());
    // Writing to memory does not fail.
    let _ = frame.format(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, IoSlice};

    use tungstenite::Message;
    use tungstenite::protocol::{Role, WebSocket};

    use super::*;

    /// Encodes these pieces, with writes of at most `bytes_max` bytes.
    fn framed(pieces: &[&str], bytes_max: usize) -> (FrameEncoder, Vec<u8>) {
        let (mut framing, mut sent) = (FrameEncoder::default(), Vec::new());
        let text = pieces.concat();
        let mut at = 0;
        while at < text.len() {
            // The slices are gathered again before each write.
            let slices: Vec<_> = rest(pieces, at).into_iter().map(|piece| IoSlice::new(piece.as_bytes())).collect();
            framing.begin(&Source::Memory(&slices));
            let (header, left) = framing.next();
            let all = [header, &text.as_bytes()[at..][..left]].concat();
            let taken = all.len().min(bytes_max);
            sent.extend_from_slice(&all[..taken]);
            at += framing.sent(taken, &Source::Memory(&slices));
        }
        (framing, sent)
    }

    fn rest<'a>(pieces: &[&'a str], mut at: usize) -> Vec<&'a str> {
        let cut = |piece: &&'a str| {
            let skipped = at.min(piece.len());
            at -= skipped;
            &piece[skipped..]
        };
        pieces.iter().map(cut).filter(|piece| !piece.is_empty()).collect()
    }

    /// The messages that a client reads.
    fn messages(bytes: &[u8]) -> Vec<Message> {
        let mut client = WebSocket::from_raw_socket(Cursor::new(bytes.to_vec()), Role::Client, None);
        // The error is the end of the bytes.
        std::iter::from_fn(|| client.read().ok()).collect()
    }

    #[test]
    fn client_reads_whole_lines_at_every_write_size() {
        let long = "MSG alice ".to_owned() + &"x".repeat(4000) + "\n";
        let many = long.repeat(40);
        for pieces in [&["HELLO\n"][..], &["OK a\n", "JOIN b\nMSG b hi\n"], &[&many, "half a", " line\n", &many]] {
            for bytes_max in [1, 2, 3, 5, 1000, 70_000, usize::MAX] {
                let (_, sent) = framed(pieces, bytes_max);
                let texts: Vec<_> = messages(&sent).into_iter().map(|message| message.into_text().unwrap()).collect();
                assert_eq!(texts.concat(), pieces.concat());
                assert!(texts.iter().all(|text| text.ends_with('\n') && text.len() <= TEXT_FRAME_BYTES_MAX));
            }
        }
    }

    /// The feed evicted the rest of the announced text.
    #[test]
    fn evicted_rest_of_frame_becomes_whole_lines() {
        let announced = "MSG a one\nMSG a caf\u{e9}\n".to_owned() + &"MSG a gone\n".repeat(20);
        for (sent, other) in
            (2..announced.len()).flat_map(|sent| [1, 5, 30, 3000].map(|bytes| (sent, "x".repeat(bytes))))
        {
            let mut framing = FrameEncoder::default();
            framing.begin(&Source::Memory(&[IoSlice::new(announced.as_bytes())]));
            let header = framing.next().0.to_vec();
            let of_text = framing.sent(sent, &Source::Memory(&[IoSlice::new(announced.as_bytes())]));
            let mut bytes = [&header, announced.as_bytes()].concat()[..sent].to_vec();
            let cut_at = announced.as_bytes()[..of_text].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let rest =
                announced.as_bytes()[of_text..].split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
            let rest = if cut_at == of_text { &[] } else { rest };
            let mut source = [rest, format!("MSG b {other}\n").repeat(3).as_bytes()].concat();
            let expected = [&announced.as_bytes()[..of_text], &source].concat();
            while !source.is_empty() {
                let slices = [IoSlice::new(&source)];
                framing.begin(&Source::Memory(&slices));
                let (header, text_bytes) = framing.next();
                let all = [header, &source[..text_bytes]].concat();
                let taken = all.len().min(7);
                bytes.extend_from_slice(&all[..taken]);
                let of_text = framing.sent(taken, &Source::Memory(&slices));
                source.drain(..of_text);
            }
            let end = framing.end(&CloseMessage { last_lines: "", code: CloseCode::Normal, reason: "" });
            bytes.extend(end);
            let mut read = messages(&bytes);
            assert!(matches!(read.pop(), Some(Message::Close(_))), "{sent} {}", other.len());
            let texts: Vec<_> = read.into_iter().map(|message| message.into_text().unwrap().to_string()).collect();
            assert!(texts.iter().all(|text| text.ends_with('\n')));
            let lines: String = texts.concat().split_inclusive('\n').filter(|line| *line != "\n").collect();
            assert_eq!(lines.as_bytes(), expected, "{sent} {}", other.len());
        }
    }

    #[test]
    fn only_the_last_ping_is_answered_between_frames() {
        let mut framing = FrameEncoder::default();
        assert_eq!(framing.control(), None);
        framing.begin(&Source::Memory(&[IoSlice::new(b"hi\n")]));
        framing.queue_pong(b"one".to_vec());
        framing.queue_pong(b"two".to_vec());
        assert_eq!(framing.control(), None);
        assert_eq!(framing.sent(5, &Source::Memory(&[IoSlice::new(b"hi\n")])), 3);
        assert_eq!(framing.control(), Some(&b"\x8a\x03two"[..]));
        framing.sent_control(2);
        framing.queue_pong(b"three".to_vec());
        assert_eq!(framing.control(), Some(&b"two"[..]));
        framing.sent_control(3);
        assert_eq!(framing.control(), Some(&b"\x8a\x05three"[..]));
        framing.sent_control(7);
        assert_eq!(framing.control(), None);
    }

    #[test]
    fn ping_is_due_only_after_silence() {
        let mut framing = FrameEncoder::default();
        let source = [IoSlice::new(b"hi\n")];
        framing.begin(&Source::Memory(&source));
        framing.sent(5, &Source::Memory(&source));
        assert!(!framing.ping_if_silent());
        assert_eq!(framing.control(), None);
        assert!(framing.ping_if_silent());
        // Pings that cannot be sent for a while become one ping.
        assert!(framing.ping_if_silent());
        assert_eq!(framing.control(), Some(&b"\x89\0"[..]));
        framing.sent_control(2);
        assert_eq!(framing.control(), None);
        assert!(!framing.ping_if_silent());
    }

    #[test]
    fn ping_waits_for_the_end_of_a_frame_and_for_a_pong() {
        let mut framing = FrameEncoder::default();
        framing.begin(&Source::Memory(&[IoSlice::new(b"hi\n")]));
        assert!(framing.ping_if_silent());
        framing.queue_pong(b"one".to_vec());
        assert_eq!(framing.control(), None);
        framing.sent(5, &Source::Memory(&[IoSlice::new(b"hi\n")]));
        assert_eq!(framing.control(), Some(&b"\x8a\x03one"[..]));
        framing.sent_control(5);
        assert_eq!(framing.control(), Some(&b"\x89\0"[..]));
    }

    #[test]
    fn close_is_read_at_every_position() {
        let farewell = CloseMessage { last_lines: "ERR - slow\n", code: CloseCode::Policy, reason: "slow" };
        let text = "MSG a\u{e9}\u{800}\u{d7ff}\u{20ac}\u{10000}\u{10ffff}b\nMSG c\n";
        let all = [&[0x81, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let lines: Vec<_> = text.split_inclusive('\n').map(|line| IoSlice::new(line.as_bytes())).collect();
        for (first, second) in (0..all.len()).flat_map(|first| (first..all.len()).map(move |second| (first, second))) {
            let mut framing = FrameEncoder::default();
            framing.begin(&Source::Memory(&lines));
            let of_text = framing.sent(first, &Source::Memory(&lines));
            let rest = [IoSlice::new(&text.as_bytes()[of_text..])];
            framing.sent(second - first, &Source::Memory(&rest));
            let mut bytes = all[..second].to_vec();
            bytes.extend(framing.end(&farewell));
            let [cut, words, close] = &messages(&bytes)[..] else { panic!("{}", bytes.escape_ascii()) };
            assert_eq!(cut.len(), text.len());
            assert!(cut.to_text().unwrap().as_bytes().starts_with(&all[..second][2.min(second)..]));
            assert_eq!(words.to_text().unwrap(), "ERR - slow\n");
            let Message::Close(Some(close)) = close else { panic!("{close:?}") };
            assert_eq!((close.code, close.reason.as_str()), (CloseCode::Policy, "slow"));
        }
    }

    #[test]
    fn close_reason_has_its_code() {
        let check = |closing, code| assert_eq!(u16::from(CloseMessage::from(closing).code), code, "{closing:?}");
        check(CloseReason::Left(LeaveReason::Quit), 1000);
        check(CloseReason::Left(LeaveReason::Eof), 1000);
        check(CloseReason::Stopping, 1001);
        check(CloseReason::Left(LeaveReason::Timeout), 1008);
        check(CloseReason::Left(LeaveReason::Errors), 1008);
        check(CloseReason::Resumed, 1008);
    }
}
