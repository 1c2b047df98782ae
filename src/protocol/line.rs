//! Decodes bytes into lines: line endings, telnet's control sequences, editing keys, the length limit and UTF-8. The
//! result does not depend on how the network splits the input, except that a pause after a lone CR shows that CR ends
//! lines. At the end of the input, an unfinished line counts as a
//! line; in an unfinished WebSocket message it is discarded. [`crate::command`] parses the lines.

use super::OtherProtocol;
use super::other_protocol::ProtocolDetector;
use crate::limits::{LINE_BYTES_MAX, ROOM_PREFIX_BYTES_MAX, SUBNEGOTIATION_BYTES_MAX};

/// The ending of a client's first line, which decides how the server ends its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Line feed alone: sent by nc and scripts.
    #[default]
    Lf,
    /// Carriage return and line feed, carriage return and NUL (RFC 854: telnet), or carriage return alone.
    CrLf,
}

impl Ending {
    /// The bytes that end a line.
    pub fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::CrLf => b"\r\n",
        }
    }

    /// Number of the ending, 0 or 1: for arrays with a value for each.
    pub fn index(self) -> usize {
        usize::from(self == Self::CrLf)
    }
}

/// Output of [`LineDecoder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecoderOutput {
    /// A whole line without its ending; it may be blank.
    Line(Result<String, LineError>),
    /// Bytes to send back as they are, outside of any line: the refusal of a telnet option.
    Telnet([u8; 3]),
    /// Telnet's AYT (RFC 854): the client asks for a visible sign that the server is there.
    AreYouThere,
    /// The client speaks another protocol. Replaces its first line, and nothing follows.
    OtherProtocol(OtherProtocol),
}

/// Why bytes are not a valid line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineError {
    /// More than [`LINE_BYTES_MAX`] bytes, without a room in front of it. All of the line is discarded.
    TooLong,
    /// Like `TooLong`, before any line has ended, and with a CR in the line: CR alone probably ends this client's lines.
    TooLongWithCr,
    /// Not UTF-8. The number is that of the first invalid byte, from 1.
    NotUtf8(usize),
    /// UTF-16, by the byte order mark at the start of the input.
    Utf16,
}

/// Decodes the bytes of one client into lines.
#[derive(Debug, Default)]
pub struct LineDecoder {
    /// The line so far. `line.len() <= LINE_BYTES_MAX + ROOM_PREFIX_BYTES_MAX`; empty while `overlong`.
    line: Vec<u8>,
    /// The line is too long: the rest of it is discarded as it arrives.
    overlong: bool,
    /// The line is too long and had a CR in it while CR alone could still end this client's lines.
    overlong_with_cr: bool,
    /// The last data byte was a carriage return; the next one decides what it means.
    carriage_return: bool,
    lone_cr: LoneCr,
    encoding: Encoding,
    telnet: TelnetState,
    /// The options that were refused. Boxed, because most clients never negotiate.
    refused: Option<Box<RefusedOptions>>,
    ending: Option<Ending>,
    client: ClientKind,
    structure: Structure,
}

impl LineDecoder {
    /// Creates a decoder for a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a decoder that detects neither other protocols nor lines that end with CR alone: for a client whose transport shows that
    /// it speaks chinwag, and frames its lines.
    pub fn without_detection() -> Self {
        Self { client: ClientKind::Chinwag, lone_cr: LoneCr::Character, ..Self::default() }
    }

    /// Creates a decoder for input that is divided into messages, each followed by [`END_OF_MESSAGE`]. It detects neither other protocols
    /// nor lines that end with CR alone.
    ///
    /// The end of a message ends its last line, if that has no ending of its own. A message that has not ended when the input ends is
    /// incomplete: the line in it is discarded.
    pub fn for_messages() -> Self {
        Self { structure: Structure::Messages, ..Self::without_detection() }
    }

    /// The ending of the client's first line, once it has arrived.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Decodes the next item of `input`, and advances `input` past it. `None` once all of `input` is consumed; the decoder keeps an
    /// unfinished line for the next call.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<DecoderOutput> {
        if self.lone_cr == LoneCr::Splitting {
            return Some(self.next_cr_line());
        }
        while let Some((&byte, rest)) = input.split_first() {
            let is_in_text = self.is_in_text();
            let decoded = match &mut self.client {
                ClientKind::OtherProtocol => {
                    *input = &[];
                    return None;
                }
                ClientKind::Undetected(detector) => {
                    if let Some(protocol) = detector.inspect(byte) {
                        self.client = ClientKind::OtherProtocol;
                        return Some(DecoderOutput::OtherProtocol(protocol));
                    }
                    *input = rest;
                    self.process_byte(byte)
                }
                ClientKind::Chinwag if is_in_text && !is_special(byte) => {
                    let plain = plain_prefix_len(input);
                    self.extend(&input[..plain]);
                    *input = &input[plain..];
                    None
                }
                ClientKind::Chinwag => {
                    *input = rest;
                    self.process_byte(byte)
                }
            };
            if decoded.is_some() {
                return decoded;
            }
        }
        None
    }

    /// At the end of the input: returns the next of the remaining lines; the last one lacks its ending. Call it until it returns `None`.
    pub fn finish(&mut self) -> Option<DecoderOutput> {
        if self.client == ClientKind::OtherProtocol || self.structure == Structure::Messages {
            return None;
        }
        let has_cr = self.carriage_return || self.line.contains(&b'\r');
        if self.lone_cr == LoneCr::Unknown && has_cr {
            self.end_lines_at_cr();
        }
        if self.lone_cr == LoneCr::Splitting {
            return Some(self.next_cr_line());
        }
        self.finish_unended_line()
    }

    fn finish_unended_line(&mut self) -> Option<DecoderOutput> {
        self.carriage_return = false;
        (self.overlong || !self.line.is_empty()).then(|| self.finish_line())
    }

    /// Whether all input so far is one unfinished line that ends with CR. If nothing follows for a while, CR alone ends this
    /// client's lines: call [`LineDecoder::end_lines_at_cr`].
    pub fn may_end_lines_at_cr(&self) -> bool {
        self.lone_cr == LoneCr::Unknown && self.carriage_return && self.telnet == TelnetState::Data
    }

    /// Makes CR alone end a line, even in the input so far; [`LineDecoder::next`] returns those lines first.
    pub fn end_lines_at_cr(&mut self) {
        self.lone_cr = LoneCr::Splitting;
        self.ending = Some(Ending::CrLf);
    }

    /// Bytes allocated for the unfinished line: less than twice [`LINE_BYTES_MAX`].
    pub fn held_bytes(&self) -> usize {
        self.line.capacity()
    }

    /// Processes one byte of input through the telnet layer (RFC 854).
    fn process_byte(&mut self, byte: u8) -> Option<DecoderOutput> {
        let (next, decoded) = match (self.telnet, byte) {
            (TelnetState::Data, END_OF_MESSAGE) if self.structure == Structure::Messages => {
                (TelnetState::Data, self.finish_unended_line())
            }
            (TelnetState::Data, IAC) => (TelnetState::Command, None),
            (TelnetState::Data, byte) => (TelnetState::Data, self.process_data(byte)),
            (TelnetState::Command, IAC) => (TelnetState::Data, self.process_data(IAC)),
            (TelnetState::Command, SB) => (TelnetState::Subnegotiation(0), None),
            (TelnetState::Command, WILL | WONT | DO | DONT) => (TelnetState::Option(byte), None),
            (TelnetState::Command, EC) => {
                if !std::mem::take(&mut self.carriage_return) {
                    self.erase_character();
                }
                (TelnetState::Data, None)
            }
            (TelnetState::Command, EL) => {
                self.erase_line();
                (TelnetState::Data, None)
            }
            (TelnetState::Command, AYT) => (TelnetState::Data, Some(DecoderOutput::AreYouThere)),
            (TelnetState::Command, _) => (TelnetState::Data, None),
            (TelnetState::Option(request), option) => (TelnetState::Data, self.refuse_option(request, option)),
            (TelnetState::Subnegotiation(SUBNEGOTIATION_BYTES_MAX..), _) => {
                self.telnet = TelnetState::Data;
                return self.process_byte(byte);
            }
            (TelnetState::Subnegotiation(bytes), IAC) => (TelnetState::SubnegotiationCommand(bytes + 1), None),
            (TelnetState::Subnegotiation(bytes), _) => (TelnetState::Subnegotiation(bytes + 1), None),
            (TelnetState::SubnegotiationCommand(_), SE) => (TelnetState::Data, None),
            (TelnetState::SubnegotiationCommand(bytes), _) => (TelnetState::Subnegotiation(bytes + 1), None),
        };
        self.telnet = next;
        decoded
    }

    /// Processes one byte of data. NUL is a no-op (RFC 854), except after CR: CR NUL is a line ending.
    fn process_data(&mut self, byte: u8) -> Option<DecoderOutput> {
        if std::mem::take(&mut self.carriage_return) {
            match (self.lone_cr, byte) {
                (LoneCr::LineEnd, b'\n' | b'\0') => {
                    // The line has already ended at the CR. This client uses both characters; they arrived far apart.
                    self.lone_cr = LoneCr::Character;
                    return None;
                }
                (LoneCr::LineEnd, _) => {}
                (_, b'\n' | b'\0') => return Some(self.end_line(Ending::CrLf)),
                _ => self.extend(b"\r"),
            }
        }
        match byte {
            b'\n' => return Some(self.end_line(Ending::Lf)),
            b'\r' => {
                self.carriage_return = true;
                return (self.lone_cr == LoneCr::LineEnd).then(|| self.end_line(Ending::CrLf));
            }
            b'\0' => {}
            BS | DEL => self.erase_character(),
            byte => self.extend(&[byte]),
        }
        None
    }

    /// Whether bytes that are not special are simply characters of the line.
    fn is_in_text(&self) -> bool {
        self.encoding != Encoding::Unknown && self.telnet == TelnetState::Data && !self.carriage_return
    }

    fn extend(&mut self, bytes: &[u8]) {
        if self.overlong || self.line.len() + bytes.len() > LINE_BYTES_MAX && !self.fits_with_room(bytes) {
            // Discards all of it, even if it has CRs: LF may follow, which would make it one line, possibly with text of another user.
            let has_cr = self.line.contains(&b'\r') || bytes.contains(&b'\r');
            self.overlong_with_cr |= has_cr && self.lone_cr == LoneCr::Unknown;
            self.overlong = true;
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(bytes);
            if self.encoding == Encoding::Unknown {
                self.drop_byte_order_mark();
            }
        }
    }

    /// Whether the line fits with these bytes because it begins with a room, which does not count.
    fn fits_with_room(&self, bytes: &[u8]) -> bool {
        let mut start = self.line.iter().chain(bytes).take(2);
        let names_room = matches!((start.next(), start.next()), (Some(b'#'), _) | (Some(b'/'), Some(b'#')));
        names_room && self.line.len() + bytes.len() <= LINE_BYTES_MAX + ROOM_PREFIX_BYTES_MAX
    }

    fn drop_byte_order_mark(&mut self) {
        if self.line == BYTE_ORDER_MARK {
            self.line.clear();
            self.encoding = Encoding::Utf8;
        } else if !BYTE_ORDER_MARK.starts_with(&self.line) {
            self.encoding = Encoding::Utf8;
        }
    }

    fn erase_character(&mut self) {
        for _ in 0..4 {
            // The bytes after the first of a UTF-8 character are 10xxxxxx.
            if self.line.pop().is_none_or(|byte| byte & 0b1100_0000 != 0b1000_0000) {
                break;
            }
        }
    }

    fn erase_line(&mut self) {
        self.line.clear();
        self.overlong = false;
        self.overlong_with_cr = false;
        self.carriage_return = false;
    }

    fn end_line(&mut self, ending: Ending) -> DecoderOutput {
        self.ending.get_or_insert(ending);
        if self.lone_cr == LoneCr::Unknown {
            self.lone_cr = LoneCr::Character;
        }
        self.finish_line()
    }

    /// Removes the first line from `line`, in which a CR ends each line but the last.
    fn next_cr_line(&mut self) -> DecoderOutput {
        let Some(end) = self.line.iter().position(|&byte| byte == b'\r') else {
            self.lone_cr = LoneCr::LineEnd;
            return self.finish_line();
        };
        let rest = self.line.split_off(end + 1);
        self.line.truncate(end);
        let decoded = self.finish_line();
        self.line = rest;
        decoded
    }

    fn finish_line(&mut self) -> DecoderOutput {
        match self.client {
            ClientKind::Undetected(detector) if detector.is_utf16() => self.encoding = Encoding::Utf16,
            _ if self.encoding == Encoding::Unknown => self.encoding = Encoding::Utf8,
            _ => {}
        }
        let line = std::mem::take(&mut self.line);
        let had_cr = std::mem::take(&mut self.overlong_with_cr);
        let line = if std::mem::take(&mut self.overlong) {
            Err(if had_cr { LineError::TooLongWithCr } else { LineError::TooLong })
        } else if self.encoding == Encoding::Utf16 && !line.is_empty() {
            Err(LineError::Utf16)
        } else {
            String::from_utf8(line).map_err(|error| LineError::NotUtf8(error.utf8_error().valid_up_to() + 1))
        };
        if !line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
            self.client = ClientKind::Chinwag;
        }
        DecoderOutput::Line(line)
    }

    /// Refuses an option, once: if both sides answered every request, they could do so forever (RFC 1143). The timing mark (RFC 860)
    /// is refused each time, because telnet sends it at each interrupt and waits for the answer.
    fn refuse_option(&mut self, request: u8, option: u8) -> Option<DecoderOutput> {
        let (side, answer) = match request {
            WILL => (0, DONT),
            DO => (1, WONT),
            _ => return None,
        };
        let refused = self.refused.get_or_insert_default();
        let (word, bit) = (usize::from(option / 64), 1 << (option % 64));
        let again = refused.0[side][word] & bit != 0;
        refused.0[side][word] |= bit;
        (!again || option == TIMING_MARK).then_some(DecoderOutput::Telnet([IAC, answer, option]))
    }
}

/// The meaning of a carriage return that is not followed by LF or NUL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LoneCr {
    /// Not known: no line has ended yet, and CR alone may end this client's lines.
    #[default]
    Unknown,
    /// A character of the line. Otherwise, a text with a CR that a program passes on could carry further commands.
    Character,
    /// The end of a line; the lines received so far still have to be split.
    Splitting,
    /// The end of a line.
    LineEnd,
}

/// The encoding of the input, detected from its first bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Encoding {
    /// At most a part of a byte order mark has arrived.
    #[default]
    Unknown,
    Utf8,
    Utf16,
}

/// How the input is divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Structure {
    #[default]
    Lines,
    /// Messages, with [`END_OF_MESSAGE`] after each. They contain no telnet sequences.
    Messages,
}

/// The client's protocol, as far as it is detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientKind {
    /// The client has sent only blank lines so far.
    Undetected(ProtocolDetector),
    /// The client has sent a line of chinwag's protocol.
    Chinwag,
    /// The client speaks another protocol.
    OtherProtocol,
}

impl Default for ClientKind {
    fn default() -> Self {
        Self::Undetected(ProtocolDetector::default())
    }
}

/// State of the telnet layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum TelnetState {
    #[default]
    Data,
    /// After IAC.
    Command,
    /// After IAC and this request: WILL, WONT, DO or DONT.
    Option(u8),
    /// Within IAC SB … IAC SE, after this number of bytes.
    Subnegotiation(usize),
    /// After an IAC within IAC SB … IAC SE.
    SubnegotiationCommand(usize),
}

/// The options that were refused, one bit each. The first array has the options that the client offered, the second the options that it
/// requested.
#[derive(Debug, Default)]
struct RefusedOptions([[u64; 4]; 2]);

const BS: u8 = 0x08;
const DEL: u8 = 0x7f;
const SE: u8 = 240;
const AYT: u8 = 246;
const EC: u8 = 247;
const EL: u8 = 248;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;
const TIMING_MARK: u8 = 6;

/// Marks the end of a message for [`LineDecoder::for_messages`]. No UTF-8 text has this byte.
pub const END_OF_MESSAGE: u8 = 0xff;

/// U+FEFF in UTF-8: Windows programs write it at the start of a text.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Number of bytes before the first special byte.
fn plain_prefix_len(input: &[u8]) -> usize {
    // Whole blocks first, each without an early exit, so that the compiler can use vector instructions.
    let (blocks, _) = input.as_chunks::<SCAN_BLOCK_BYTES>();
    let is_plain = |block: &&[u8; SCAN_BLOCK_BYTES]| !block.iter().fold(false, |any, &byte| any | may_be_special(byte));
    let scanned = SCAN_BLOCK_BYTES * blocks.iter().take_while(is_plain).count();
    let rest = &input[scanned..];
    scanned + rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len())
}

/// Bytes that [`plain_prefix_len`] tests at a time: two vectors of 16 bytes, which every x86-64 and ARM64 processor has.
const SCAN_BLOCK_BYTES: usize = 32;

fn is_special(byte: u8) -> bool {
    matches!(byte, b'\0' | b'\n' | b'\r' | BS | DEL | IAC)
}

/// True for special bytes and for other control characters, which lines rarely have.
fn may_be_special(byte: u8) -> bool {
    byte < b' ' || byte & DEL == DEL
}

#[cfg(test)]
mod tests;
