//! Bytes to lines: line endings, telnet's control sequences, editing keys, the length limit and UTF-8, all statefully,
//! so that it does not matter how the network split the input. [`crate::command`] parses the lines.

use super::OtherProtocol;
use super::other_protocol::Sniffer;
use crate::limits::{LINE_BYTES_MAX, SUBNEGOTIATION_BYTES_MAX};

/// The ending of a client's first line, which decides how the server ends its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Line feed alone: nc, scripts.
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
}

/// What comes out of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A whole line without its ending; it may be blank.
    Line(Result<String, LineError>),
    /// Bytes to send back as they are, outside of any line: an option is refused.
    Telnet([u8; 3]),
    /// Telnet's AYT (RFC 854): the client asks for a visible sign that the server is there.
    AreYouThere,
    /// The peer speaks another protocol. Comes instead of its first line, and nothing comes after it.
    OtherProtocol(OtherProtocol),
}

/// Why the bytes of a line are no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineError {
    /// More than [`LINE_BYTES_MAX`] bytes; all of it was discarded.
    TooLong,
    /// The same, before any line has ended, and with CR in it: CR alone probably ends this client's lines.
    TooLongWithCr,
    /// Not UTF-8, from this byte on (counted from 1).
    NotUtf8(usize),
    /// UTF-16, by the byte order mark at the start of the input.
    Utf16,
}

/// Turns what one peer sends into lines.
#[derive(Debug, Default)]
pub struct LineDecoder {
    /// The line so far. `line.len() <= LINE_BYTES_MAX`, and it is empty while `overlong`.
    line: Vec<u8>,
    /// The line is too long already: the rest of it is discarded as it comes.
    overlong: bool,
    /// The line is too long and had a CR in it while CR alone could still end this client's lines.
    overlong_with_cr: bool,
    /// The last data byte was a carriage return; the next one decides what it means.
    carriage_return: bool,
    lone_cr: LoneCr,
    encoding: Encoding,
    telnet: Telnet,
    /// Which options were refused. Boxed: most peers never negotiate.
    refused: Option<Box<Refused>>,
    ending: Option<Ending>,
    peer: Peer,
    structure: Structure,
}

impl LineDecoder {
    /// A decoder at the begin of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// A decoder for a client that is known to speak no other protocol, and to end its lines with LF or with the end of a
    /// message.
    pub fn of_known_peer() -> Self {
        Self { peer: Peer::Ours, lone_cr: LoneCr::Character, ..Self::default() }
    }

    /// A decoder for a client of ours whose input is messages, each followed by [`END_OF_MESSAGE`].
    ///
    /// The end of a message ends its last line, if that has no ending of its own. A message that has not ended when the input ends is
    /// incomplete: the line in it is discarded.
    pub fn of_messages() -> Self {
        Self { structure: Structure::Messages, ..Self::of_known_peer() }
    }

    /// The ending of the peer's first line, once there is one.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// The next thing in `input`, which is moved on past it. `None` when all of `input` is used up; an unfinished line
    /// is kept for the next call.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Decoded> {
        if self.lone_cr == LoneCr::Splitting {
            return Some(self.next_of_list());
        }
        while let Some((&byte, rest)) = input.split_first() {
            let is_in_text = self.is_in_text();
            let decoded = match &mut self.peer {
                Peer::OtherProtocol => {
                    *input = &[];
                    return None;
                }
                Peer::Unknown(sniffer) => {
                    if let Some(foreign) = sniffer.look(byte) {
                        self.peer = Peer::OtherProtocol;
                        return Some(Decoded::OtherProtocol(foreign));
                    }
                    *input = rest;
                    self.step(byte)
                }
                Peer::Ours if is_in_text && !is_special(byte) => {
                    let plain = plain_prefix(input);
                    self.extend(&input[..plain]);
                    *input = &input[plain..];
                    None
                }
                Peer::Ours => {
                    *input = rest;
                    self.step(byte)
                }
            };
            if decoded.is_some() {
                return decoded;
            }
        }
        None
    }

    /// At the end of the input: returns the next line that lacks its ending. Call it until it returns `None`.
    pub fn finish(&mut self) -> Option<Decoded> {
        if self.peer == Peer::OtherProtocol || self.structure == Structure::Messages {
            return None;
        }
        let has_cr = self.carriage_return || self.line.contains(&b'\r');
        if self.lone_cr == LoneCr::Unknown && has_cr {
            self.end_lines_at_cr();
        }
        if self.lone_cr == LoneCr::Splitting {
            return Some(self.next_of_list());
        }
        self.take_unended_line()
    }

    fn take_unended_line(&mut self) -> Option<Decoded> {
        self.carriage_return = false;
        (self.overlong || !self.line.is_empty()).then(|| self.take_line())
    }

    /// Whether all input so far is one unfinished line that ends with CR. If nothing follows for a while, CR alone ends this
    /// client's lines: call [`LineDecoder::end_lines_at_cr`].
    pub fn may_end_lines_at_cr(&self) -> bool {
        self.lone_cr == LoneCr::Unknown && self.carriage_return && self.telnet == Telnet::Data
    }

    /// Makes CR alone end a line, also in the input so far; [`LineDecoder::next`] returns those lines first.
    pub fn end_lines_at_cr(&mut self) {
        self.lone_cr = LoneCr::Splitting;
        self.ending = Some(Ending::CrLf);
    }

    /// Bytes held for the unfinished line: less than twice [`LINE_BYTES_MAX`], whatever comes.
    pub fn held_bytes(&self) -> usize {
        self.line.capacity()
    }

    /// One byte through telnet's layer (RFC 854).
    fn step(&mut self, byte: u8) -> Option<Decoded> {
        let (next, decoded) = match (self.telnet, byte) {
            (Telnet::Data, END_OF_MESSAGE) if self.structure == Structure::Messages => {
                (Telnet::Data, self.take_unended_line())
            }
            (Telnet::Data, IAC) => (Telnet::Command, None),
            (Telnet::Data, byte) => (Telnet::Data, self.data(byte)),
            (Telnet::Command, IAC) => (Telnet::Data, self.data(IAC)),
            (Telnet::Command, SB) => (Telnet::Subnegotiation(0), None),
            (Telnet::Command, WILL | WONT | DO | DONT) => (Telnet::Option(byte), None),
            (Telnet::Command, EC) => {
                if !std::mem::take(&mut self.carriage_return) {
                    self.erase_character();
                }
                (Telnet::Data, None)
            }
            (Telnet::Command, EL) => {
                self.erase_line();
                (Telnet::Data, None)
            }
            (Telnet::Command, AYT) => (Telnet::Data, Some(Decoded::AreYouThere)),
            (Telnet::Command, _) => (Telnet::Data, None),
            (Telnet::Option(request), option) => (Telnet::Data, self.refuse(request, option)),
            (Telnet::Subnegotiation(SUBNEGOTIATION_BYTES_MAX..), _) => {
                self.telnet = Telnet::Data;
                return self.step(byte);
            }
            (Telnet::Subnegotiation(bytes), IAC) => (Telnet::SubnegotiationCommand(bytes + 1), None),
            (Telnet::Subnegotiation(bytes), _) => (Telnet::Subnegotiation(bytes + 1), None),
            (Telnet::SubnegotiationCommand(_), SE) => (Telnet::Data, None),
            (Telnet::SubnegotiationCommand(bytes), _) => (Telnet::Subnegotiation(bytes + 1), None),
        };
        self.telnet = next;
        decoded
    }

    /// Handles one byte of data. NUL is a no-op (RFC 854), except after CR: CR NUL is a line ending.
    fn data(&mut self, byte: u8) -> Option<Decoded> {
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
        self.encoding != Encoding::Unknown && self.telnet == Telnet::Data && !self.carriage_return
    }

    fn extend(&mut self, bytes: &[u8]) {
        if self.overlong || self.line.len() + bytes.len() > LINE_BYTES_MAX {
            // Nothing of it is carried out, even if it has CRs: LF may follow, and then it was one line, with text from a stranger.
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

    fn end_line(&mut self, ending: Ending) -> Decoded {
        self.ending.get_or_insert(ending);
        if self.lone_cr == LoneCr::Unknown {
            self.lone_cr = LoneCr::Character;
        }
        self.take_line()
    }

    /// Takes the first line from `line`, in which a CR ends each line but the last.
    fn next_of_list(&mut self) -> Decoded {
        let Some(end) = self.line.iter().position(|&byte| byte == b'\r') else {
            self.lone_cr = LoneCr::LineEnd;
            return self.take_line();
        };
        let rest = self.line.split_off(end + 1);
        self.line.truncate(end);
        let decoded = self.take_line();
        self.line = rest;
        decoded
    }

    fn take_line(&mut self) -> Decoded {
        match self.peer {
            Peer::Unknown(sniffer) if sniffer.is_utf16() => self.encoding = Encoding::Utf16,
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
            self.peer = Peer::Ours;
        }
        Decoded::Line(line)
    }

    /// Says no to an option, once: RFC 1143 shows how two sides that answer every request can go on for ever. The timing
    /// mark (RFC 860) is no option that stays on; telnet sends one at each interrupt and waits for each answer.
    fn refuse(&mut self, request: u8, option: u8) -> Option<Decoded> {
        let (side, answer) = match request {
            WILL => (0, DONT),
            DO => (1, WONT),
            _ => return None,
        };
        let refused = self.refused.get_or_insert_default();
        let (word, bit) = (usize::from(option / 64), 1 << (option % 64));
        let again = refused.0[side][word] & bit != 0;
        refused.0[side][word] |= bit;
        (!again || option == TIMING_MARK).then_some(Decoded::Telnet([IAC, answer, option]))
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

/// Whether the input is divided into anything but lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Structure {
    #[default]
    Lines,
    /// Messages, with [`END_OF_MESSAGE`] after each. There is no telnet in them.
    Messages,
}

/// What is known of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    /// It has sent no line yet that is not blank.
    Unknown(Sniffer),
    /// It has, and it is one of ours.
    Ours,
    /// It speaks another protocol.
    OtherProtocol,
}

impl Default for Peer {
    fn default() -> Self {
        Self::Unknown(Sniffer::default())
    }
}

/// Where in a telnet sequence the input stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Telnet {
    #[default]
    Data,
    /// After IAC.
    Command,
    /// After IAC and this request.
    Option(u8),
    /// Within IAC SB … IAC SE, so many bytes in.
    Subnegotiation(usize),
    /// After an IAC within.
    SubnegotiationCommand(usize),
}

/// One bit for each option: of those the peer would use, of those it asks us to use.
#[derive(Debug, Default)]
struct Refused([[u64; 4]; 2]);

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

/// Marks the end of a message for [`LineDecoder::of_messages`]. No UTF-8 text has this byte.
pub const END_OF_MESSAGE: u8 = 0xff;

/// U+FEFF in UTF-8: Windows programs write it at the start of a text.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Number of bytes before the first special one.
fn plain_prefix(input: &[u8]) -> usize {
    // Whole blocks first, each without an early exit, so that the compiler can use vector instructions.
    let (blocks, _) = input.as_chunks::<SCAN_BLOCK_BYTES>();
    let is_plain = |block: &&[u8; SCAN_BLOCK_BYTES]| !block.iter().fold(false, |any, &byte| any | may_be_special(byte));
    let scanned = SCAN_BLOCK_BYTES * blocks.iter().take_while(is_plain).count();
    let rest = &input[scanned..];
    scanned + rest.iter().position(|&byte| is_special(byte)).unwrap_or(rest.len())
}

/// Bytes that [`plain_prefix`] looks at in one go: two vectors of 16 bytes, which every x86-64 and ARM64 processor has.
const SCAN_BLOCK_BYTES: usize = 32;

fn is_special(byte: u8) -> bool {
    matches!(byte, b'\0' | b'\n' | b'\r' | BS | DEL | IAC)
}

/// True for special bytes and for other control characters, which lines rarely have.
fn may_be_special(byte: u8) -> bool {
    byte < b' ' || byte & DEL == DEL
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that comes of `input` when it arrives in these pieces, the unfinished line at the end too.
    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Decoded> {
        let mut decoder = LineDecoder::new();
        let mut all = Vec::new();
        for mut piece in pieces {
            while let Some(decoded) = decoder.next(&mut piece) {
                all.push(decoded);
            }
        }
        all.extend(std::iter::from_fn(|| decoder.finish()));
        all
    }

    fn line(text: &str) -> Decoded {
        Decoded::Line(Ok(text.to_owned()))
    }

    fn check(input: &[u8], expected: &[Decoded]) {
        assert_eq!(decode([input]), expected, "{:?}", input.escape_ascii().to_string());
        assert_eq!(decode(input.chunks(1)), expected, "byte by byte: {:?}", input.escape_ascii().to_string());
    }

    #[test]
    fn lf_crlf_and_cr_nul_end_a_line_and_nothing_else_does() {
        check(b"a\nb\r\nc\r\0d", &[line("a"), line("b"), line("c"), line("d")]);
        check(b"a\rb\n", &[line("a\rb")]);
        check(b"a\r\r\n", &[line("a\r")]);
        check(b"\n\r\n\r\0", &[line(""), line(""), line("")]);
        check(b"last\r", &[line("last")]);
        check(b"", &[]);
    }

    #[test]
    fn the_first_line_tells_the_ending() {
        let ending = |mut input: &[u8]| {
            let mut decoder = LineDecoder::new();
            while decoder.next(&mut input).is_some() {}
            decoder.ending()
        };
        assert_eq!(ending(b"a"), None);
        assert_eq!(ending(b"a\nb\r\n"), Some(Ending::Lf));
        assert_eq!(ending(b"a\r\nb\n"), Some(Ending::CrLf));
        assert_eq!(ending(b"\r\0"), Some(Ending::CrLf));
    }

    #[test]
    fn nul_anywhere_but_after_cr_is_no_part_of_a_line() {
        check(b"\0MSG hi\0\0 there\0\n", &[line("MSG hi there")]);
        check(b"\0\0\0", &[]);
        check(b"\0\n\0\r\n", &[line(""), line("")]);
        check(b"a\r\0\0b\0\r\0", &[line("a"), line("b")]);
        check(b"caf\xc3\0\xa9\n", &[line("café")]);
        let longest = "x".repeat(LINE_BYTES_MAX);
        check(format!("\0{longest}\0\n").as_bytes(), &[line(&longest)]);
    }

    #[test]
    fn are_you_there_is_asked_at_any_place_and_leaves_the_line_whole() {
        check(b"\xff\xf6", &[Decoded::AreYouThere]);
        check(b"MSG ha\xff\xf6lf\n", &[Decoded::AreYouThere, line("MSG half")]);
        check(b"a\r\xff\xf6\nb", &[Decoded::AreYouThere, line("a"), line("b")]);
    }

    #[test]
    fn byte_order_mark_is_dropped_at_the_start_only() {
        let mark = "\u{feff}";
        check(format!("{mark}NICK a\n{mark}x\n").as_bytes(), &[line("NICK a"), line("\u{feff}x")]);
        check(format!("{mark}\r\nNICK a\r\n").as_bytes(), &[line(""), line("NICK a")]);
        check(format!("{mark}{mark}a\n").as_bytes(), &[line("\u{feff}a")]);
        check(format!("\n{mark}a\n").as_bytes(), &[line(""), line("\u{feff}a")]);
        check(mark.as_bytes(), &[]);
        check(b"\xff\xfd\x03\0\xef\xbb\xbfhi\n", &[Decoded::Telnet([255, 252, 3]), line("hi")]);
        check(b"\xef\xbb\n", &[Decoded::Line(Err(LineError::NotUtf8(1)))]);
        check(b"\xef\xbb\xbfGET / HTTP/1.1\r\n", &[Decoded::OtherProtocol(OtherProtocol::Http)]);
        let longest = "x".repeat(LINE_BYTES_MAX);
        check(format!("{mark}{longest}\n").as_bytes(), &[line(&longest)]);
        let mut decoder = LineDecoder::of_known_peer();
        assert_eq!(decoder.next(&mut "\u{feff}MSG hi\n".as_bytes()), Some(line("MSG hi")));
    }

    #[test]
    fn utf16_is_named_in_every_line_that_is_not_blank() {
        let utf16 = Decoded::Line(Err(LineError::Utf16));
        let encode = |text: &str, to_bytes: fn(u16) -> [u8; 2]| {
            format!("\u{feff}{text}").encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>()
        };
        for to_bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            check(&encode("NICK a\nMSG ж\n", to_bytes), &[utf16.clone(), utf16.clone()]);
            let blank = line("");
            let lines = [utf16.clone(), blank.clone(), utf16.clone(), blank];
            check(&encode("NICK a\r\nMSG hi\r\n", to_bytes), &lines);
        }
        // A telnet client that refuses an option and then sends a line.
        check(b"\xff\xfe\x01MSG hi\n", &[line("MSG hi")]);
        check(b"\xff\xfe\x01\0\0MSG hi\n", &[line("MSG hi")]);
    }

    /// Results of `input` followed by silence, then of `later`; and the line ending.
    fn decode_after_silence(input: &[u8], later: &[u8]) -> (Vec<Decoded>, Vec<Decoded>, Option<Ending>) {
        let mut decoder = LineDecoder::new();
        let mut all_of = |mut input: &[u8], is_followed_by_silence: bool| {
            let mut all: Vec<_> = std::iter::from_fn(|| decoder.next(&mut input)).collect();
            if is_followed_by_silence && decoder.may_end_lines_at_cr() {
                decoder.end_lines_at_cr();
                all.extend(std::iter::from_fn(|| decoder.next(&mut &b""[..])));
            }
            all
        };
        let (before, after) = (all_of(input, true), all_of(later, false));
        (before, after, decoder.ending())
    }

    #[test]
    fn cr_alone_ends_lines_if_nothing_follows_the_first_ones() {
        let check = |input: &[u8], later: &[u8], before: &[Decoded], after: &[Decoded]| {
            let decoded = decode_after_silence(input, later);
            assert_eq!(decoded, (before.to_vec(), after.to_vec(), Some(Ending::CrLf)), "{}", input.escape_ascii());
        };
        check(b"NICK a\r", b"MSG hi\rMSG ho\r", &[line("NICK a")], &[line("MSG hi"), line("MSG ho")]);
        check(b"NICK a\rMSG b\r", b"c\r", &[line("NICK a"), line("MSG b")], &[line("c")]);
        check(b"\r\r", b"a\r", &[line(""), line("")], &[line("a")]);
        check(b"\xef\xbb\xbfNICK a\r", b"", &[line("NICK a")], &[]);
        check(b"caf\xc3\rb\r", b"", &[Decoded::Line(Err(LineError::NotUtf8(4))), line("b")], &[]);
        let long = [&[b'x'; LINE_BYTES_MAX + 1][..], b"\r"].concat();
        check(&long, b"a\r", &[Decoded::Line(Err(LineError::TooLong))], &[line("a")]);
        // A telnet client whose CR LF arrived in two packets, far apart; and one that sends LF now and then.
        check(b"a\r", b"\nb\rc\r\nd\r", &[line("a")], &[line("b\rc")]);
        check(b"a\r", b"\0b\rc\r\0", &[line("a")], &[line("b\rc")]);
        check(b"a\r", b"b\nc\r", &[line("a")], &[line("b"), line("c")]);
    }

    #[test]
    fn cr_alone_ends_lines_of_an_input_that_has_no_other_ending() {
        check(b"NICK a\rMSG hi\r", &[line("NICK a"), line("MSG hi")]);
        check(b"NICK a\rMSG hi", &[line("NICK a"), line("MSG hi")]);
        check(b"a\r\rb\r", &[line("a"), line(""), line("b")]);
        check(b"a\rGET / HTTP/1.1\r", &[Decoded::OtherProtocol(OtherProtocol::Http)]);
    }

    /// Otherwise, a name or a message that a program passes on could carry commands.
    #[test]
    fn cr_inside_a_line_that_lf_ends_is_a_character() {
        check(b"NICK a\rMSG evil\n", &[line("NICK a\rMSG evil")]);
        check(b"NICK a\nMSG b\rQUIT\nMSG c\rQUIT", &[line("NICK a"), line("MSG b\rQUIT"), line("MSG c\rQUIT")]);
        for input in [&b"NICK a\nMSG b\r"[..], b"NICK a\r\nMSG b\r", b"NICK a\r\0MSG b\r", b"NICK a", b"a\r\xff"] {
            let mut decoder = LineDecoder::new();
            let mut rest = input;
            while decoder.next(&mut rest).is_some() {}
            assert!(!decoder.may_end_lines_at_cr(), "{}", input.escape_ascii());
        }
        let mut web = LineDecoder::of_messages();
        assert_eq!(web.next(&mut &b"NICK a\r"[..]), None);
        assert!(!web.may_end_lines_at_cr());
        assert_eq!(web.next(&mut &[END_OF_MESSAGE][..]), Some(line("NICK a")));
    }

    /// Results of messages, and the line ending, however the input is cut.
    fn decode_messages(messages: &[&str]) -> (Vec<Decoded>, Option<Ending>) {
        let input: Vec<u8> = messages.iter().flat_map(|message| message.bytes().chain([END_OF_MESSAGE])).collect();
        let decode = |pieces: &[&[u8]]| {
            let mut decoder = LineDecoder::of_messages();
            let mut all = Vec::new();
            for piece in pieces {
                let mut rest = *piece;
                all.extend(std::iter::from_fn(|| decoder.next(&mut rest)));
            }
            assert_eq!(decoder.finish(), None);
            (all, decoder.ending())
        };
        let whole = decode(&[&input]);
        for at in 0..input.len() {
            assert_eq!(decode(&[&input[..at], &input[at..]]), whole, "{messages:?} cut at {at}");
        }
        whole
    }

    #[test]
    fn end_of_message_ends_a_line_that_has_no_ending() {
        let check = |messages: &[&str], lines: &[Decoded], ending: Option<Ending>| {
            assert_eq!(decode_messages(messages), (lines.to_vec(), ending), "{messages:?}");
        };
        check(&["NICK a", "", "MSG b"], &[line("NICK a"), line("MSG b")], None);
        check(&["NICK a\nMSG b\n"], &[line("NICK a"), line("MSG b")], Some(Ending::Lf));
        check(&["NICK a\r\nMSG b", "MSG c"], &[line("NICK a"), line("MSG b"), line("MSG c")], Some(Ending::CrLf));
        check(&["NICK a\r", "\nMSG b"], &[line("NICK a"), line(""), line("MSG b")], Some(Ending::Lf));
        check(&["\0", "\u{feff}PING \0a"], &[line("PING a")], None);
        check(&["PINg\u{8}G a"], &[line("PING a")], None);
        check(&[&"x".repeat(LINE_BYTES_MAX + 1), "a"], &[Decoded::Line(Err(LineError::TooLong)), line("a")], None);
        check(&["GET / HTTP/1.1\r\n"], &[line("GET / HTTP/1.1")], Some(Ending::CrLf));
    }

    #[test]
    fn message_without_end_at_end_of_input_is_discarded() {
        let mut decoder = LineDecoder::of_messages();
        let mut rest = &b"PING whole\nPING ha"[..];
        assert_eq!(decoder.next(&mut rest), Some(line("PING whole")));
        assert_eq!((decoder.next(&mut rest), decoder.finish()), (None, None));
    }

    #[test]
    fn telnet_sequences_are_taken_out_and_options_refused_once() {
        check(b"he\xff\xf1llo\n", &[line("hello")]);
        check(b"\xff\xfd\x03hi\n", &[Decoded::Telnet([255, 252, 3]), line("hi")]);
        check(b"\xff\xfb\x1f\xff\xfb\x1f\n", &[Decoded::Telnet([255, 254, 31]), line("")]);
        check(b"\xff\xfc\x03\xff\xfe\x03x\n", &[line("x")]);
        check(b"a\xff\xfa\x1f\0P\0\x18\xff\xf0b\n", &[line("ab")]);
        check(b"a\xff\xfa\xff\xff\xf0\xff\xf0b\n", &[line("ab")]);
        check(b"\xff\xfd\x06\xff\xfd\x06", &[Decoded::Telnet([255, 252, 6]), Decoded::Telnet([255, 252, 6])]);
        check(b"a\r\xff\xf1\nb", &[line("a"), line("b")]);
    }

    #[test]
    fn a_doubled_iac_is_data_and_so_no_utf8() {
        check(b"ab\xff\xff\n", &[Decoded::Line(Err(LineError::NotUtf8(3)))]);
    }

    #[test]
    fn an_endless_subnegotiation_is_bounded() {
        let mut input = b"\xff\xfa".to_vec();
        input.extend([b'x'; SUBNEGOTIATION_BYTES_MAX]);
        input.extend(b"MSG hi\n");
        check(&input, &[line("MSG hi")]);
    }

    #[test]
    fn editing_keys_edit_whole_characters() {
        check(b"helo\x08lo\n", &[line("hello")]);
        check(b"helo\x7flo\n", &[line("hello")]);
        check(b"helo\xff\xf7lo\n", &[line("hello")]);
        check("caf\u{e9}\x08e\n".as_bytes(), &[line("cafe")]);
        check("ok 😀\x7f\n".as_bytes(), &[line("ok ")]);
        check(b"\x08\x08a\n", &[line("a")]);
        check(b"oops\xff\xf8fine\n", &[line("fine")]);
        check(b"one\r\xff\xf7two\n", &[line("onetwo")]);
        check(b"one\r\x08two\n", &[line("onetwo")]);
    }

    #[test]
    fn a_line_too_long_is_one_error_and_the_next_is_whole() {
        let longest = "x".repeat(LINE_BYTES_MAX);
        check(format!("{longest}\n").as_bytes(), &[line(&longest)]);
        let too_long = Decoded::Line(Err(LineError::TooLong));
        check(format!("{longest}y\nnext\n").as_bytes(), &[too_long.clone(), line("next")]);
        check("z".repeat(100_000).as_bytes(), std::slice::from_ref(&too_long));
    }

    /// It could be one line with a long text from a stranger, and LF could follow: no CR in it ends a line.
    #[test]
    fn too_long_input_with_cr_alone_is_one_error_that_names_cr() {
        let with_cr = Decoded::Line(Err(LineError::TooLongWithCr));
        let lines = format!("NICK a\r{}", "MSG hello\r".repeat(LINE_BYTES_MAX / 10 + 1));
        let name = format!("NICK {}\rMSG evil", "x".repeat(LINE_BYTES_MAX));
        for input in [&lines, &name, &format!("{lines}MSG last"), &format!("{name}\r")] {
            check(input.as_bytes(), std::slice::from_ref(&with_cr));
            check(format!("{input}\nMSG b\r\n").as_bytes(), &[with_cr.clone(), line("MSG b")]);
            let whole = decode([input.as_bytes()]);
            // Around the first CR and around the limit; `check` has split it everywhere at once.
            for at in (0..64).chain(LINE_BYTES_MAX - 64..=input.len()) {
                let (left, right) = input.as_bytes().split_at(at);
                assert_eq!(decode([left, right]), whole, "split at {at}");
            }
        }
        // The client sends on after silence, as the error told it.
        let (before, after, _) = decode_after_silence(lines.as_bytes(), b"NICK a\rMSG b\r");
        assert_eq!((before, after), (vec![with_cr], vec![line("NICK a"), line("MSG b")]));
        // CR is not the cause where it ends the only line, or where other lines have ended with LF.
        let too_long = Decoded::Line(Err(LineError::TooLong));
        check(format!("{}\r", "x".repeat(LINE_BYTES_MAX + 1)).as_bytes(), std::slice::from_ref(&too_long));
        check(format!("NICK a\n{lines}\n").as_bytes(), &[line("NICK a"), too_long]);
        let erased = [lines.as_bytes(), &[IAC, EL], b"x".repeat(LINE_BYTES_MAX + 1).as_slice(), b"\n"].concat();
        check(&erased, &[Decoded::Line(Err(LineError::TooLong))]);
    }

    #[test]
    fn a_first_line_of_another_protocol_is_seen_however_it_comes() {
        let http = Decoded::OtherProtocol(OtherProtocol::Http);
        check(b"GET / HTTP/1.1\r\nHost: x\r\n", std::slice::from_ref(&http));
        check(b"\r\n \nPOST / HTTP/1.1\nNICK a\n", &[line(""), line(" "), http.clone()]);
        check(b"BREW /caf\xe9 HTTP/1.1\n", std::slice::from_ref(&http));
        check(b"GET / HTTP/1.0", std::slice::from_ref(&http));
        let long = format!("POST /{} HTTP/1.1\r\n", "x".repeat(100_000));
        check(long.as_bytes(), std::slice::from_ref(&http));
        check(b"GET /\xff HTTP/1.1\n", std::slice::from_ref(&http));
        check(&[b"GET /\xff\xfa HTTP/1.1", &[b'x'; 2000][..]].concat(), std::slice::from_ref(&http));
        check(b"GET / HTTP/1.1\xff\xf8\n", std::slice::from_ref(&http));
        check("\u{3000}\n\x0b\nPOST / HTTP/1.1\n".as_bytes(), &[line("\u{3000}"), line("\x0b"), http]);
        check(b"NICK a\nMSG a HTTP/1.1\n", &[line("NICK a"), line("MSG a HTTP/1.1")]);
    }

    #[test]
    fn a_tls_handshake_is_seen_before_there_is_a_line() {
        let seen = |mut bytes: &[u8]| LineDecoder::new().next(&mut bytes);
        assert_eq!(seen(&[22, 3, 1, 2, 0, 1]), Some(Decoded::OtherProtocol(OtherProtocol::Tls)));
        assert_eq!(seen(&[22, 3]), Some(Decoded::OtherProtocol(OtherProtocol::Tls)));
        assert_eq!(seen(b"\x16\x03\x01\x00\n"), Some(Decoded::OtherProtocol(OtherProtocol::Tls)));
        assert_eq!(seen(&[22]), None);
        check(b"\x16\x03\x08\x08MSG hi\n", &[Decoded::OtherProtocol(OtherProtocol::Tls)]);
        check(b"hi\n\x16\x03\n", &[line("hi"), line("\x16\x03")]);
        check(&[b"\x16\x03", &[b'x'; LINE_BYTES_MAX][..]].concat(), &[Decoded::OtherProtocol(OtherProtocol::Tls)]);
        check(b"x\x16\x03\n", &[line("x\x16\x03")]);
    }

    #[test]
    fn half_a_character_is_one_error() {
        check(b"caf\xc3\nnext\n", &[Decoded::Line(Err(LineError::NotUtf8(4))), line("next")]);
    }

    /// The same comes out however the input is split.
    #[test]
    fn every_split_gives_the_same() {
        arbtest::arbtest(|u| {
            let alphabet = b"\n\r\0\x08\x7f\xff\xfa\xf0\xf6\xfb\xfd\xfe\x03abMSG \xc3\xa9\xef\xbb\xbf\x16";
            let input: Vec<u8> =
                (0..u.int_in_range(0..=40)?).map(|_| u.choose(alphabet).copied()).collect::<Result<_, _>>()?;
            let whole = decode([&input[..]]);
            for at in 0..=input.len() {
                let (left, right) = input.split_at(at);
                assert_eq!(decode([left, right]), whole, "split at {at}: {:?}", input.escape_ascii().to_string());
            }
            assert_eq!(decode(input.chunks(1)), whole, "byte by byte: {:?}", input.escape_ascii().to_string());
            Ok(())
        });
    }
}
