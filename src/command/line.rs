//! Parses a client's line into a command, and writes a command as a line, in both modes.

use super::arguments::{parse_text, room_invalid, shorten};
use super::{Command, Context, Hint, Msg, Refusal, RoomUse, Verb, resembled_secret_verb};
use crate::protocol::{
    DecoderOutput, ErrorCode, LineDecoder, Mode, ROOM_MARK, RoomName, Text, is_blank, is_space, shows_nothing,
    split_word,
};

/// A client's line: what it says, and the room that it names in front of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientLine {
    /// The room, if the line names one.
    pub room: Option<RoomName>,
    /// The command; `None` if the line is blank. Or the refusal to send.
    pub content: Result<Option<Command>, Refusal>,
}

impl ClientLine {
    /// Parses a line, which may name a room: `#room command` or, in chat mode, `/#room text`, `/#room /command` and
    /// `/msg #room text`.
    pub fn parse(line: &str, mode: Mode) -> Self {
        let typed = match mode {
            Mode::Commands => Some(line.trim_start_matches(is_space)),
            Mode::Chat => strip_slash(split_indent(line).1),
        };
        if let Some(typed) = typed {
            if typed.starts_with(ROOM_MARK) {
                let (word, rest) = split_word(typed);
                return Self::with_room(word, parse_after_room(rest.unwrap_or_default(), mode));
            }
            if mode == Mode::Chat
                && let (word, Some(rest)) = split_word(typed)
                && let rest = rest.trim_start_matches(is_space)
                && rest.starts_with(ROOM_MARK)
                && Verb::from_word_in(word, mode) == Some(Verb::Whisper)
            {
                let (room, text) = split_word(rest);
                let message = parse_text(Verb::Msg, text.unwrap_or_default()).map(|text| Some(Msg(text).into()));
                return Self::with_room(room, message);
            }
        }
        Self { room: None, content: Command::parse(line, mode) }
    }

    /// The line that names this room, if the word is the name of one.
    fn with_room(word: &str, content: Result<Option<Command>, Refusal>) -> Self {
        let verb = content.as_ref().map_or_else(|refusal| refusal.verb, |command| command.as_ref().map(Command::verb));
        match RoomName::new(word) {
            Err(error) => Self { room: None, content: Err(room_invalid(verb, word, &error)) },
            Ok(room) => Self { content: check_room_use(&room, verb, content), room: Some(room) },
        }
    }

    /// The line, without its ending, that [`ClientLine::parse`] reads as this command about this room.
    pub fn write(room: Option<&RoomName>, command: &Command, mode: Mode) -> String {
        match room {
            None => command.to_line(mode),
            Some(room) => format!("{}{room} {}", mode.prefix(), command.to_line(mode)),
        }
    }
}

/// Parses the rest of a line after a room.
fn parse_after_room(rest: &str, mode: Mode) -> Result<Option<Command>, Refusal> {
    match Command::parse(rest, mode)? {
        Some(command) => Ok(Some(command)),
        None => {
            let what = "nothing follows the name of the room";
            Err(Refusal::new(None, ErrorCode::VerbMissing, what).with_hint(Hint::ListCommands))
        }
    }
}

/// Refuses a command that is not about a room.
fn check_room_use(
    room: &RoomName,
    verb: Option<Verb>,
    content: Result<Option<Command>, Refusal>,
) -> Result<Option<Command>, Refusal> {
    match verb {
        Some(verb) if verb.specification().room == RoomUse::None => {
            let what = format!("{verb} is not about a room: expected no {room} before it");
            let refusal = Refusal::new(verb, ErrorCode::RoomUnexpected, what);
            Err(refusal.with_hint(Hint::Write(if verb == Verb::Nick { Verb::Join } else { verb })))
        }
        _ => content,
    }
}

impl Command {
    /// Parses a line that names no room. Returns `None` if it is blank.
    ///
    /// # Errors
    /// The refusal to send if the line is not a command or its arguments are invalid.
    pub fn parse(line: &str, mode: Mode) -> Result<Option<Self>, Refusal> {
        if line.trim().is_empty() {
            return Ok(None);
        }
        let command = match mode {
            Mode::Commands => line.trim_start_matches(is_space),
            Mode::Chat => {
                let message = |message: &str| parse_text(Verb::Msg, message).map(|text| Some(Msg(text).into()));
                let (indent, typed) = split_indent(line);
                match strip_slash(typed) {
                    None => return message(line),
                    Some(escaped) if strip_slash(escaped).is_some() => return message(&format!("{indent}{escaped}")),
                    Some(command) => command,
                }
            }
        };
        let (word, rest) = split_word(command);
        let Some(verb) = Verb::from_word_in(word, mode) else { return Err(unknown_command(word, line, mode)) };
        Self::parse_arguments(verb, rest.unwrap_or(""), mode).map(Some)
    }

    /// The line, without its ending, that [`Command::parse`] reads as this command.
    pub fn to_line(&self, mode: Mode) -> String {
        if let (Self::Msg(Msg(text)), Mode::Chat) = (self, mode) {
            let (indent, typed) = split_indent(text.as_str());
            return format!("{indent}{}{typed}", if strip_slash(typed).is_some() { "/" } else { "" });
        }
        let (verb, arguments) = (self.verb(), self.arguments().to_string());
        let space = if arguments.is_empty() { "" } else { " " };
        format!("{}{verb}{space}{arguments}", mode.prefix())
    }

    /// Whether a line (without its ending) gets a reply in this mode. Blank lines and `PONG` get none.
    pub fn has_reply(line: &[u8], mode: Mode) -> bool {
        // A blank line goes first, because the first line of a connection is decoded differently.
        let (mut decoder, input) = (LineDecoder::without_detection(), [b"\n", line, b"\n"].concat());
        let mut rest = &input[..];
        let mut lines = std::iter::from_fn(|| decoder.next(&mut rest)).filter_map(|decoded| match decoded {
            DecoderOutput::Line(line) => Some(line),
            _ => None,
        });
        match lines.nth(1) {
            Some(Ok(line)) => match ClientLine::parse(&line, mode).content {
                Ok(command) => command.is_some_and(|command| command.verb().specification().has_reply),
                Err(_) => true,
            },
            Some(Err(_)) => true,
            None => false,
        }
    }

    /// Runs the command, if the session may use it.
    ///
    /// # Errors
    /// The refusal to send. A refused command changes nothing.
    pub fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let verb = self.verb();
        let specification = verb.specification();
        if specification.needs_password {
            require_password(context, verb)?;
        }
        if specification.needs_login {
            require_account(context, verb)?;
        }
        let may_watch = specification.allows_watchers && context.is_watching();
        if specification.needs_nickname && context.nickname().is_none() && !may_watch {
            let refusal = Refusal::new(verb, ErrorCode::NoName, "you have no name yet");
            return Err(refusal.with_hint(Hint::TakeNickname));
        }
        self.run_permitted(context)
    }
}

/// Refuses the command if the session has not given the password of the server.
pub(super) fn require_password(context: &dyn Context, verb: Verb) -> Result<(), Refusal> {
    if !context.needs_password() {
        return Ok(());
    }
    let refusal = Refusal::new(verb, ErrorCode::PasswordRequired, "this server needs a password");
    Err(refusal.with_hint(Hint::Write(Verb::Pass)))
}

/// Refuses the command if the server is for accounts only, and the session has not logged in.
pub(super) fn require_account(context: &dyn Context, verb: Verb) -> Result<(), Refusal> {
    if !context.needs_login() {
        return Ok(());
    }
    let refusal = Refusal::new(verb, ErrorCode::LoginRequired, "this server is for accounts only");
    Err(refusal.with_hint(Hint::Write(Verb::Login)))
}

/// The refusal of a line that does not begin with a verb, but perhaps has a secret after a mistyped one: no part of it is repeated, and
/// the hint does not suggest to publish it.
fn resembling_command(verb: Verb) -> Refusal {
    let what = format!("unknown command; it resembles {verb}, so it is not repeated here");
    Refusal::new(None, ErrorCode::VerbUnknown, what).with_hint(Hint::Write(verb))
}

/// The refusal of a line that does not begin with a verb. Users often mean such a line as a message, so the hint says how to send
/// one. But the hint never suggests publishing a line that may have been a whisper.
fn unknown_command(word: &str, line: &str, mode: Mode) -> Refusal {
    if let Some(verb) = resembled_secret_verb(word) {
        return resembling_command(verb);
    }
    let shown = shorten(word);
    let (what, hint) = match (mode, word.strip_prefix('/')) {
        _ if is_blank(line) => ("this line has only invisible characters".to_owned(), Hint::ListCommands),
        (Mode::Chat, _) => (format!("unknown command '/{shown}'"), Hint::DoubleSlash(Text::truncated(&shown))),
        (Mode::Commands, None) => {
            (format!("unknown command '{shown}'"), Hint::Say(Text::truncated(&shorten(line.trim()))))
        }
        (Mode::Commands, Some(command)) => match Verb::from_word_in(command.trim_start_matches('/'), Mode::Chat) {
            Some(verb) => ("commands have no slash outside of chat mode".to_owned(), Hint::Write(verb)),
            None => (format!("unknown command '{shown}'"), Hint::WhisperOrSay),
        },
    };
    Refusal::new(None, ErrorCode::VerbUnknown, what).with_hint(hint)
}

/// Splits a line of chat mode before its first visible character. Neither an invisible character nor a stray control character of a
/// terminal (such as escape) may turn a command into a message. U+FFFD counts as invisible, because it replaces such characters in
/// messages.
pub fn split_indent(line: &str) -> (&str, &str) {
    let is_indent = |c: char| shows_nothing(c) || c.is_control() || c == char::REPLACEMENT_CHARACTER;
    line.split_at(line.len() - line.trim_start_matches(is_indent).len())
}

/// Returns the text after a leading slash. Accepts the full-width slash, which input methods for Chinese, Japanese and Korean type.
pub fn strip_slash(text: &str) -> Option<&str> {
    text.strip_prefix(['/', '／'])
}
