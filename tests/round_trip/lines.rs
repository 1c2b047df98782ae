//! Rules for any bytes from a client: how they are split into lines, how lines are parsed, and what other clients may receive because of
//! them. The tests check random bytes and the corpus; `scripts/fuzz lines` looks for more.
//!
//! The first bytes of a script determine where the rest is split; see [`pieces`].

use std::sync::LazyLock;

use chinwag::command::{
    Command, Draw, Login, Msg, Nick, NickReply, Ping, Quit, Refusal, Register, Reply, Resume, ServerLine, SetPassword,
    SetReply, Takeover, Unregister, Whisper,
};
use chinwag::limits::{LINE_BYTES_MAX, WHISPER_NAMES_MAX};
use chinwag::protocol::{
    Credential, DecoderOutput, Dialect, Drawing, DrawnStroke, Ending, Event, LeaveReason, LineDecoder, LineError,
    MessageId, Mode, Name, Rank, Tag, Timestamp, User,
};

#[path = "../common/server_line.rs"]
mod server_line;

const BS: u8 = 0x08;
const DEL: u8 = 0x7f;
const IAC: u8 = 0xff;

const SPLITS_MAX: usize = 8;

/// Lines of a script that are checked one by one. More lines only take time.
const LINES_MAX: usize = 16;

/// Decodes the script in one piece, in its own pieces and byte by byte, then checks each line.
pub(crate) fn check(script: &[u8]) {
    let pieces = pieces(script);
    let input = pieces.concat();
    let whole = decode([&input[..]]);
    assert_eq!(decode(pieces.iter().copied()), whole, "in pieces: {pieces:?}");
    assert_eq!(decode(input.chunks(1)), whole, "byte by byte: {:?}", input.escape_ascii().to_string());
    check_first(&whole.0);
    if !input.iter().any(|&byte| matches!(byte, BS | DEL | IAC)) {
        check_lines(&model_lines(&input), &whole.0);
    }
    for decoded in whole.0.into_iter().take(LINES_MAX) {
        match decoded {
            DecoderOutput::Telnet([iac, ..]) => assert_eq!(iac, 255),
            DecoderOutput::AreYouThere => {}
            DecoderOutput::Line(Ok(line)) => check_line(&line),
            DecoderOutput::Line(Err(error)) => server_line::check(&ServerLine::Err(Refusal::from(error))),
            DecoderOutput::OtherProtocol(foreign) => server_line::check(&ServerLine::Err(Refusal::from(foreign))),
        }
    }
}

/// Splits the input of a script. The first byte is the number of splits; then follow the lengths of the pieces, two bytes each, and the
/// input. The last piece is the rest.
fn pieces(script: &[u8]) -> Vec<&[u8]> {
    let Some((&splits, mut rest)) = script.split_first() else { return Vec::new() };
    let lengths;
    (lengths, rest) = rest.split_at(rest.len().min(2 * (usize::from(splits) % (SPLITS_MAX + 1))));
    let mut pieces = Vec::new();
    for length in lengths.chunks_exact(2) {
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let piece;
        (piece, rest) = rest.split_at(rest.len().min(length));
        pieces.push(piece);
    }
    pieces.push(rest);
    pieces
}

/// Decodes the pieces, including an unfinished last line. Also returns the ending of the first line.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<DecoderOutput>, Option<Ending>) {
    let mut decoder = LineDecoder::new();
    let mut all = Vec::new();
    for mut piece in pieces {
        while let Some(decoded) = decoder.next(&mut piece) {
            all.push(decoded);
        }
        assert!(decoder.held_bytes() < 2 * LINE_BYTES_MAX, "the decoder holds {} bytes", decoder.held_bytes());
    }
    all.extend(std::iter::from_fn(|| decoder.finish()));
    (all, decoder.ending())
}

/// A simple model of the decoder, for an input without editing or telnet. LF, CR LF and CR NUL end a line; if none of these occurs, CR
/// does. A byte order mark at the start and any other NUL are not part of a line.
fn model_lines(input: &[u8]) -> Vec<Vec<u8>> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    let mut text: Vec<u8> = Vec::new();
    let mut before = 0;
    for &byte in input {
        match byte {
            b'\n' | b'\0' if before == b'\r' => *text.last_mut().expect("the CR") = b'\n',
            b'\0' => {}
            byte => text.push(byte),
        }
        before = byte;
    }
    let text = text.strip_prefix(MARK).unwrap_or(&text);
    let is_short = text.strip_suffix(b"\r").unwrap_or(text).len() <= LINE_BYTES_MAX;
    let ending = if text.contains(&b'\n') || !is_short { b'\n' } else { b'\r' };
    let mut lines: Vec<_> = text.split(|&byte| byte == ending).map(Vec::from).collect();
    if let Some(last) = lines.last_mut() {
        // The input ended before the decoder could tell what this CR means.
        last.pop_if(|byte| *byte == b'\r');
    }
    lines
}

/// Checks the decoded lines against those of the model. The decoder ignores an empty last line.
fn check_lines(lines: &[Vec<u8>], all: &[DecoderOutput]) {
    for (at, decoded) in all.iter().enumerate() {
        match decoded {
            DecoderOutput::Line(Ok(line)) => assert_eq!(line.as_bytes(), lines[at]),
            DecoderOutput::Line(Err(LineError::TooLong)) => assert!(lines[at].len() > LINE_BYTES_MAX),
            DecoderOutput::Line(Err(LineError::TooLongWithCr)) => {
                assert!(at == 0 && lines[at].len() > LINE_BYTES_MAX && lines[at].contains(&b'\r'));
            }
            DecoderOutput::Line(Err(LineError::NotUtf8(_))) => assert!(str::from_utf8(&lines[at]).is_err()),
            DecoderOutput::Line(Err(LineError::Utf16)) => panic!("UTF-16 without its mark, which contains an IAC"),
            DecoderOutput::Telnet(_) | DecoderOutput::AreYouThere => panic!("telnet without an IAC"),
            DecoderOutput::OtherProtocol(_) => return,
        }
    }
    assert!(lines[all.len()..].iter().all(Vec::is_empty) && lines.len() - all.len() <= 2, "{lines:?}");
}

/// Checks that another protocol is detected only before the first line, and that the decoder then ends.
fn check_first(all: &[DecoderOutput]) {
    let has_content = |decoded: &DecoderOutput| match decoded {
        DecoderOutput::Line(line) => line.as_ref().map_or(true, |line| !line.trim().is_empty()),
        DecoderOutput::Telnet(_) | DecoderOutput::AreYouThere => false,
        DecoderOutput::OtherProtocol(_) => true,
    };
    if let Some(at) = all.iter().position(|decoded| matches!(decoded, DecoderOutput::OtherProtocol(_))) {
        assert_eq!(all.iter().position(has_content), Some(at), "{all:?}");
        assert_eq!(at, all.len() - 1, "{all:?}");
    }
}

fn has_invalid_password(command: &Command) -> bool {
    match command {
        Command::Register(Register(password))
        | Command::SetPassword(SetPassword(password))
        | Command::Unregister(Unregister(password)) => password.check().is_err(),
        Command::Login(Login { credential, .. }) | Command::Takeover(Takeover(Login { credential, .. })) => {
            matches!(credential, Credential::Impossible(_))
        }
        _ => false,
    }
}

fn check_line(line: &str) {
    assert!(line.len() <= LINE_BYTES_MAX && !line.contains(['\n', '\0']), "{line:?}");
    check_editing(line);
    for mode in [Mode::Commands, Mode::Chat] {
        match Command::parse(line, mode) {
            Ok(None) => assert!(line.trim().is_empty(), "{line:?}"),
            Ok(Some(command)) => {
                assert!(!line.trim().is_empty());
                let written = command.to_line(mode);
                // An invalid password is kept as it came, and is sent to nobody.
                if !has_invalid_password(&command) {
                    server_line::assert_safe(&written);
                }
                assert_eq!(Command::parse(&written, mode), Ok(Some(command.clone())), "{line:?}");
                check_command(&command);
            }
            Err(refusal) => server_line::check(&ServerLine::Err(refusal)),
        }
    }
}

/// Checks that erased characters and lines leave no trace, for each way to erase them.
fn check_editing(line: &str) {
    const SLIPS: [(&[u8], &[u8]); 4] =
        [(b"", b"\xc3\xa9\x08"), (b"", b"\xf0\x9f\x98\x80\x7f"), (b"", b"x\xff\xf7"), (b"oops\xff\xf8", b"")];
    if line.len() + 4 > LINE_BYTES_MAX || line.contains('\r') {
        return;
    }
    let expected = ["-", line].map(|line| DecoderOutput::Line(Ok(line.to_owned())));
    for (before, after) in SLIPS {
        let input = [b"-\n", before, line.as_bytes(), after, b"\n"].concat();
        assert_eq!(decode([&input[..]]).0, expected, "with {before:?} and {after:?}");
    }
}

/// Checks all lines that clients may receive because of a command.
fn check_command(command: &Command) {
    let longest = LONGEST_NAME.clone();
    let events = match command.clone() {
        Command::Nick(Nick { name, .. }) => {
            check_name(&name);
            server_line::check(&ServerLine::Ok(Reply::Nick(NickReply { name: name.clone(), room: None })));
            let user = User { name: name.clone(), coordinator: true, details: None, rank: Rank::Moderator };
            server_line::check(&ServerLine::User(user));
            vec![Event::Join(name.clone()), Event::Rename { from: longest, to: name }]
        }
        Command::Msg(Msg(text)) => vec![Event::Msg(longest, text)],
        Command::Whisper(Whisper { to: names, text }) => {
            assert!((1..=WHISPER_NAMES_MAX).contains(&names.len()));
            names.iter().for_each(check_name);
            server_line::check(&ServerLine::Ok(Reply::Whisper(names)));
            vec![Event::Whisper(longest, text)]
        }
        Command::Draw(Draw(drawing)) => {
            if let Drawing::Stroke(stroke) = drawing.clone() {
                server_line::check(&ServerLine::DrawnStroke(DrawnStroke { name: longest.clone(), stroke }));
            }
            vec![Event::Draw(longest, drawing)]
        }
        Command::Resume(Resume(token)) => {
            server_line::check(&ServerLine::Ok(Reply::Set(SetReply::Resumable(token))));
            Vec::new()
        }
        Command::Ping(Ping(token)) => {
            server_line::check(&ServerLine::Ok(Reply::Ping(token.clone())));
            token.map(Event::Ping).into_iter().collect()
        }
        Command::Quit(Quit(text)) => vec![Event::Leave(longest, LeaveReason::Timeout, text)],
        _ => Vec::new(),
    };
    events.iter().for_each(check_event);
}

/// A nickname of 32 characters of four bytes. It makes the longest lines.
static LONGEST_NAME: LazyLock<Name> = LazyLock::new(|| Name::new(&"\u{20000}".repeat(32)).expect("a name"));

/// Checks that a nickname reads back as written.
fn check_name(name: &Name) {
    let again = Name::new(name.as_str()).expect("a written nickname is valid");
    assert_eq!((&again, again.key(), again.skeletons()), (name, name.key(), name.skeletons()));
}

/// Checks that an event is one line in each dialect, with the dialect's tag and ending.
fn check_event(event: &Event) {
    let tag = Tag { id: Some(MessageId(u64::MAX)), at: Timestamp(253_402_300_799_999) };
    for (tags, ending) in [(true, Ending::CrLf), (false, Ending::Lf)] {
        let line = ServerLine::Event(tags.then_some(tag), event.clone());
        server_line::check(&line);
        let mut bytes = Vec::new();
        Dialect { tags, ending, draw: true, room_names: false }.write_event(&mut bytes, tag, event);
        assert_eq!(bytes.strip_suffix(ending.as_bytes()), Some(line.to_string().as_bytes()));
    }
}
