//! The client's side of the wire: a line to a [`Command`] and back.

use super::drawing::CLEAR;
use super::text::shows_nothing;
use super::words::count_words;
use super::{
    Decoded, Drawing, ErrorCode, Hint, LineDecoder, MessageId, Name, NameError, NoStroke, NoToken, Refusal,
    ResumeToken, Stroke, Text, TextError, Token, Verb, is_blank, is_space, split_word,
};
use crate::limits::{
    COORDINATE_MAX, ECHO_CHARS_MAX, HISTORY_REPLAYED_DEFAULT, SEARCH_WORDS_MAX, STROKE_POINTS_MAX, STROKE_WIDTH_MAX,
    TEXT_BYTES_MAX, TOKEN_BYTES_MAX, WHISPER_NAMES_MAX,
};

/// What a peer asks for, with arguments that are what they should be. Whether it may be is for the room to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take this name.
    Nick(Name),
    /// Take back the name that this token was given for.
    Resume(ResumeToken),
    /// Say this to everybody.
    Msg(Text),
    /// Say this to these, each named once.
    Whisper(Vec<Name>, Text),
    /// Who is here?
    Who,
    /// What were the last messages? At most so many.
    History(u64),
    /// What was said after this? In this epoch, if one is named.
    Since(MessageId, Option<Token>),
    /// Which messages have these words?
    Search(Text),
    /// Do this to the canvas.
    Draw(Drawing),
    /// What is on the canvas?
    Canvas,
    /// Who is here, from where, since when?
    Status,
    /// Answer with this token.
    Ping(Option<Token>),
    /// The answer to the server's `PING`. Gets no reply.
    Pong(Option<Text>),
    /// What is there to type, or what does this do?
    Help(Option<Verb>),
    /// Turn this on or off.
    Set(Setting, bool),
    /// Go over to the other [`Mode`].
    Chat,
    /// Leave, for this reason.
    Quit(Option<Text>),
}

/// How a peer's lines are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A line is a command.
    #[default]
    Commands,
    /// A line is a message, unless its first visible character is a slash: `/verb` is a command, and `//` begins a message with
    /// one slash.
    Chat,
}

impl Mode {
    /// What stands before a verb in this mode.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Commands => "",
            Self::Chat => "/",
        }
    }

    /// How a command is written in this mode, so that a user can type what an error suggests.
    pub fn usage(self, verb: Verb) -> String {
        match (self, verb) {
            (Self::Chat, Verb::Msg) => "text".to_owned(),
            (Self::Chat, Verb::Whisper) => "/msg name[,name...] text".to_owned(),
            _ => format!("{}{}", self.prefix(), verb.usage()),
        }
    }

    /// The verb that `word`, in any case, stands for in this mode. After a slash, `msg` and `w` whisper, as in IRC clients: no
    /// command that begins with a slash is said to everybody.
    fn verb(self, word: &str) -> Option<Verb> {
        let whispers = self == Self::Chat && ["msg", "w"].iter().any(|alias| alias.eq_ignore_ascii_case(word));
        if whispers { Some(Verb::Whisper) } else { Verb::from_word(word) }
    }
}

/// What `SET` turns on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// One's own events come back as events too.
    Echo,
    /// Events begin with `@id time`.
    Tags,
    /// What is drawn comes as events.
    Draw,
    /// The name can be taken back on another connection.
    Resume,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Echo, Self::Tags, Self::Draw, Self::Resume];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Tags => "tags",
            Self::Draw => "draw",
            Self::Resume => "resume",
        }
    }

    /// The setting that `word` is, in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.as_str().eq_ignore_ascii_case(word))
    }
}

/// `on` or `off`.
pub(super) fn switch(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// What `on` or `off`, in any case, means.
pub(super) fn switch_from_word(word: &str) -> Option<bool> {
    [true, false].into_iter().find(|&on| switch(on).eq_ignore_ascii_case(word))
}

impl Mode {
    /// Whether a line (without its ending) that is read like this gets a reply; blank ones and `PONG` get none.
    pub fn replies_to(self, line: &[u8]) -> bool {
        // The line may be any but the first of a connection, which is decoded differently.
        let (mut decoder, input) = (LineDecoder::of_known_peer(), [b"\n", line, b"\n"].concat());
        let mut rest = &input[..];
        let mut lines = std::iter::from_fn(|| decoder.next(&mut rest)).filter_map(|decoded| match decoded {
            Decoded::Line(line) => Some(line),
            _ => None,
        });
        match lines.nth(1) {
            Some(Ok(line)) => !matches!(Command::parse(&line, self), Ok(None | Some(Command::Pong(_)))),
            Some(Err(_)) => true,
            None => false,
        }
    }
}

impl Command {
    /// What `line` asks for; `None` for a blank line, which asks for nothing.
    ///
    /// # Errors
    /// The refusal to answer with, when the line is no command or its arguments are wrong.
    pub fn parse(line: &str, mode: Mode) -> Result<Option<Self>, Refusal> {
        if line.trim().is_empty() {
            return Ok(None);
        }
        let command = match mode {
            Mode::Commands => line.trim_start_matches(is_space),
            Mode::Chat => {
                let message = |message: &str| text(Verb::Msg, message).map(Self::Msg).map(Some);
                let (indent, typed) = split_indent(line);
                match strip_slash(typed) {
                    None => return message(line),
                    Some(escaped) if strip_slash(escaped).is_some() => return message(&format!("{indent}{escaped}")),
                    Some(command) => command,
                }
            }
        };
        let (word, rest) = split_word(command);
        let Some(verb) = mode.verb(word) else { return Err(unknown(word, line, mode)) };
        Self::parse_arguments(verb, rest.unwrap_or(""), mode).map(Some)
    }

    /// The verb of the command.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Nick(_) => Verb::Nick,
            Self::Resume(_) => Verb::Resume,
            Self::Msg(_) => Verb::Msg,
            Self::Whisper(..) => Verb::Whisper,
            Self::Who => Verb::Who,
            Self::History(_) => Verb::History,
            Self::Since(..) => Verb::Since,
            Self::Search(_) => Verb::Search,
            Self::Draw(_) => Verb::Draw,
            Self::Canvas => Verb::Canvas,
            Self::Status => Verb::Status,
            Self::Ping(_) => Verb::Ping,
            Self::Pong(_) => Verb::Pong,
            Self::Help(_) => Verb::Help,
            Self::Set(..) => Verb::Set,
            Self::Chat => Verb::Chat,
            Self::Quit(_) => Verb::Quit,
        }
    }

    /// The line, without its ending, that [`Command::parse`] reads as this command.
    pub fn to_line(&self, mode: Mode) -> String {
        let command = match (self, mode) {
            (Self::Msg(text), Mode::Chat) => {
                let (indent, typed) = split_indent(text.as_str());
                return format!("{indent}{}{typed}", if strip_slash(typed).is_some() { "/" } else { "" });
            }
            (Self::Nick(name), _) => format!("NICK {name}"),
            (Self::Resume(token), _) => format!("RESUME {token}"),
            (Self::Msg(text), _) => format!("MSG {text}"),
            (Self::Whisper(names, text), _) => {
                let names: Vec<_> = names.iter().map(Name::as_str).collect();
                format!("WHISPER {} {text}", names.join(","))
            }
            (Self::History(count), _) => format!("HISTORY {count}"),
            (Self::Since(MessageId(id), None), _) => format!("SINCE {id}"),
            (Self::Since(MessageId(id), Some(epoch)), _) => format!("SINCE {id} {epoch}"),
            (Self::Search(words), _) => format!("SEARCH {words}"),
            (Self::Draw(drawing), _) => format!("DRAW {drawing}"),
            (Self::Set(setting, on), _) => format!("SET {} {}", setting.as_str(), switch(*on)),
            (Self::Ping(Some(token)), _) => format!("PING {token}"),
            (Self::Pong(Some(text)), _) => format!("PONG {text}"),
            (Self::Help(Some(verb)), _) => format!("HELP {verb}"),
            (Self::Quit(Some(reason)), _) => format!("QUIT {reason}"),
            (bare, _) => bare.verb().to_string(),
        };
        mode.prefix().to_owned() + &command
    }

    fn parse_arguments(verb: Verb, rest: &str, mode: Mode) -> Result<Self, Refusal> {
        match verb {
            Verb::Nick => nick(rest),
            Verb::Resume => resume(rest),
            Verb::Msg => text(verb, rest).map(Self::Msg),
            Verb::Whisper => whisper(rest),
            Verb::Who => none(verb, rest).map(|()| Self::Who),
            Verb::History => history(rest),
            Verb::Since => since(rest),
            Verb::Search => search(rest),
            Verb::Draw => draw(rest),
            Verb::Canvas => none(verb, rest).map(|()| Self::Canvas),
            Verb::Status => none(verb, rest).map(|()| Self::Status),
            Verb::Ping => token(verb, rest).map(Self::Ping),
            Verb::Pong => Ok(Self::Pong(Text::new(rest.trim()).ok())),
            Verb::Help => help(rest, mode),
            Verb::Set => set(rest),
            Verb::Chat => none(verb, rest).map(|()| Self::Chat),
            Verb::Quit => optional_text(verb, rest).map(Self::Quit),
        }
    }
}

fn nick(rest: &str) -> Result<Command, Refusal> {
    Ok(Command::Nick(Name::new(rest.trim())?))
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        let code = match error {
            NameError::Missing => ErrorCode::NameMissing,
            NameError::TooLong(_) => ErrorCode::NameTooLong,
            _ => ErrorCode::NameInvalid,
        };
        Self::new(Verb::Nick, code, error.to_string()).with_hint(Hint::Write(Verb::Nick))
    }
}

fn search(rest: &str) -> Result<Command, Refusal> {
    let words = text(Verb::Search, rest)?;
    let count = count_words(words.as_str());
    if count > SEARCH_WORDS_MAX {
        let text = format!("{count} words are too many: expected at most {SEARCH_WORDS_MAX}");
        return Err(Refusal::new(Verb::Search, ErrorCode::WordsTooMany, text));
    }
    Ok(Command::Search(words))
}

fn resume(rest: &str) -> Result<Command, Refusal> {
    let mut words = rest.split_whitespace();
    let Some(token) = words.next() else {
        let refusal = Refusal::new(Verb::Resume, ErrorCode::TokenMissing, "there is no token");
        return Err(refusal.with_hint(Hint::Write(Verb::Resume)));
    };
    match words.next() {
        None => token.parse().map(Command::Resume).map_err(|NoToken| Refusal::token_unknown()),
        Some(surplus) => Err(unexpected(Verb::Resume, surplus)),
    }
}

fn whisper(rest: &str) -> Result<Command, Refusal> {
    let refuse = |code, what: &str| Refusal::new(Verb::Whisper, code, what);
    let (list, said) = split_word(rest.trim_start_matches(is_space));
    let words: Vec<_> = list.split(',').collect();
    if words.contains(&"") {
        return Err(refuse(ErrorCode::TargetMissing, "a name is missing").with_hint(Hint::JoinNamesByCommas));
    }
    if words.len() > WHISPER_NAMES_MAX {
        let what = format!("{} names, at most {WHISPER_NAMES_MAX} at once; nothing was delivered", words.len());
        return Err(refuse(ErrorCode::TargetsTooMany, &what));
    }
    let mut names: Vec<Name> = Vec::with_capacity(words.len());
    for word in words {
        let Ok(name) = Name::new(word) else {
            let what = format!("{} is not here; nothing was delivered", shortened(word));
            return Err(refuse(ErrorCode::TargetAbsent, &what).with_hint(Hint::ListMembers));
        };
        if names.iter().all(|other| other.key() != name.key()) {
            names.push(name);
        }
    }
    Ok(Command::Whisper(names, text(Verb::Whisper, said.unwrap_or(""))?))
}

fn history(rest: &str) -> Result<Command, Refusal> {
    let mut words = rest.split_whitespace();
    let count = words.next().map_or(Ok(HISTORY_REPLAYED_DEFAULT), |word| number(Verb::History, word))?;
    match words.next() {
        None => Ok(Command::History(count)),
        Some(surplus) => Err(unexpected(Verb::History, surplus)),
    }
}

fn since(rest: &str) -> Result<Command, Refusal> {
    let (id, epoch) = split_word(rest.trim());
    let id = number(Verb::Since, id)?;
    Ok(Command::Since(MessageId(id), token(Verb::Since, epoch.unwrap_or(""))?))
}

fn number(verb: Verb, word: &str) -> Result<u64, Refusal> {
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| word.parse().ok()).flatten().ok_or_else(|| {
        let what = if word.is_empty() {
            "a number is missing".to_owned()
        } else {
            format!("{} is no number", shortened(word))
        };
        Refusal::new(verb, ErrorCode::NumberInvalid, what).with_hint(Hint::Write(verb))
    })
}

fn draw(rest: &str) -> Result<Command, Refusal> {
    let (word, surplus) = split_word(rest.trim());
    if word.eq_ignore_ascii_case(CLEAR) {
        return none(Verb::Draw, surplus.unwrap_or_default()).map(|()| Command::Draw(Drawing::Clear));
    }
    Stroke::new(rest).map(|stroke| Command::Draw(Drawing::Stroke(stroke))).map_err(|why| {
        let (code, what, is) = match why {
            NoStroke::Colour(word) => (ErrorCode::ColourInvalid, word, "no colour like #1e90ff".to_owned()),
            NoStroke::Width(word) => (ErrorCode::WidthInvalid, word, format!("no width from 1 to {STROKE_WIDTH_MAX}")),
            NoStroke::Point(word) => {
                (ErrorCode::PointInvalid, word, format!("no point x,y with both from 0 to {COORDINATE_MAX}"))
            }
            NoStroke::TooMany(count) => {
                let what = format!("{count} points, at most {STROKE_POINTS_MAX} at once");
                return Refusal::new(Verb::Draw, ErrorCode::PointsTooMany, what).with_hint(Hint::SplitStroke);
            }
        };
        let what = if what.is_empty() { "there".to_owned() } else { shortened(what) };
        Refusal::new(Verb::Draw, code, format!("{what} is {is}")).with_hint(Hint::Write(Verb::Draw))
    })
}

fn help(rest: &str, mode: Mode) -> Result<Command, Refusal> {
    let word = rest.trim();
    if word.is_empty() {
        return Ok(Command::Help(None));
    }
    let word = word.trim_start_matches('/');
    Verb::from_word(word).or_else(|| mode.verb(word)).map(|verb| Command::Help(Some(verb))).ok_or_else(|| {
        let what = format!("unknown command '{}'", shortened(word));
        Refusal::new(Verb::Help, ErrorCode::VerbUnknown, what).with_hint(Hint::ListCommands)
    })
}

fn set(rest: &str) -> Result<Command, Refusal> {
    let refuse = |code, what: &str| Refusal::new(Verb::Set, code, what).with_hint(Hint::Write(Verb::Set));
    let mut words = rest.split_whitespace();
    let Some(setting) = words.next().and_then(Setting::from_word) else {
        return Err(refuse(ErrorCode::OptionUnknown, "there are echo, tags, draw and resume"));
    };
    let Some(on) = words.next().and_then(switch_from_word) else {
        return Err(refuse(ErrorCode::ValueInvalid, "it is on or off"));
    };
    match words.next() {
        None => Ok(Command::Set(setting, on)),
        Some(surplus) => Err(unexpected(Verb::Set, surplus)),
    }
}

fn text(verb: Verb, raw: &str) -> Result<Text, Refusal> {
    Text::new(raw).map_err(|error| match error {
        TextError::TooLong => too_long(verb),
        _ => Refusal::new(verb, ErrorCode::TextMissing, "there is no text").with_hint(Hint::Write(verb)),
    })
}

fn optional_text(verb: Verb, raw: &str) -> Result<Option<Text>, Refusal> {
    match Text::new(raw.trim()) {
        Ok(text) => Ok(Some(text)),
        Err(TextError::TooLong) => Err(too_long(verb)),
        Err(_) => Ok(None),
    }
}

fn too_long(verb: Verb) -> Refusal {
    let text = format!("the text has more than {TEXT_BYTES_MAX} bytes once its control characters are replaced");
    Refusal::new(verb, ErrorCode::TextTooLong, text)
}

fn token(verb: Verb, raw: &str) -> Result<Option<Token>, Refusal> {
    match Token::new(raw) {
        Ok(token) => Ok(Some(token)),
        Err(TextError::Blank) => Ok(None),
        Err(TextError::SeveralWords) => Err(unexpected(verb, raw.split_whitespace().nth(1).unwrap_or_default())),
        Err(TextError::TooLong) => {
            Err(Refusal::new(verb, ErrorCode::TokenTooLong, format!("a token has at most {TOKEN_BYTES_MAX} bytes")))
        }
    }
}

fn none(verb: Verb, rest: &str) -> Result<(), Refusal> {
    match rest.split_whitespace().next() {
        None => Ok(()),
        Some(surplus) => Err(unexpected(verb, surplus)),
    }
}

fn unexpected(verb: Verb, surplus: &str) -> Refusal {
    let what = format!("{} is one argument too many", shortened(surplus));
    Refusal::new(verb, ErrorCode::ArgumentUnexpected, what).with_hint(Hint::Write(verb))
}

/// The refusal of a line that does not begin with a verb. Often users meant the line as a message, so the hint says how to send
/// one. But it never suggests publishing what may have been meant for one member.
fn unknown(word: &str, line: &str, mode: Mode) -> Refusal {
    let shown = shortened(word);
    let (what, hint) = match (mode, word.strip_prefix('/')) {
        _ if is_blank(line) => ("this line has only invisible characters".to_owned(), Hint::ListCommands),
        (Mode::Chat, _) => (format!("unknown command '/{shown}'"), Hint::DoubleSlash(Text::ours(&shown))),
        (Mode::Commands, None) => {
            (format!("unknown command '{shown}'"), Hint::Say(Text::ours(&shortened(line.trim()))))
        }
        (Mode::Commands, Some(command)) => match Mode::Chat.verb(command.trim_start_matches('/')) {
            Some(verb) => ("commands have no slash outside of chat mode".to_owned(), Hint::Write(verb)),
            None => (format!("unknown command '{shown}'"), Hint::WhisperOrSay),
        },
    };
    Refusal::new(None, ErrorCode::VerbUnknown, what).with_hint(hint)
}

/// Splits a line of chat mode before its first character that shows. An invisible character, or one that a terminal sent by mistake
/// (escape, for instance), must not turn a command into a message. Such a character is replaced in a message, so its replacement
/// counts as well.
pub fn split_indent(line: &str) -> (&str, &str) {
    let is_indent = |c: char| shows_nothing(c) || c.is_control() || c == char::REPLACEMENT_CHARACTER;
    line.split_at(line.len() - line.trim_start_matches(is_indent).len())
}

/// The text after a slash. Input methods for Chinese, Japanese and Korean type the full-width one.
pub fn strip_slash(text: &str) -> Option<&str> {
    text.strip_prefix(['/', '／'])
}

/// A peer's words for an error line: no longer than need be.
fn shortened(words: &str) -> String {
    match words.char_indices().nth(ECHO_CHARS_MAX) {
        None => words.to_owned(),
        Some((end, _)) => format!("{}…", &words[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ServerLine;

    fn name(raw: &str) -> Name {
        Name::new(raw).unwrap()
    }

    fn said(raw: &str) -> Text {
        Text::new(raw).unwrap()
    }

    #[test]
    fn a_line_gets_a_reply_unless_it_is_blank_or_a_pong() {
        let check = |line: &[u8], mode: Mode, expected| {
            assert_eq!(mode.replies_to(line), expected, "{:?}", line.escape_ascii().to_string());
        };
        check(b"NICK alice", Mode::Commands, true);
        check(b"nonsense", Mode::Commands, true);
        check(b"caf\xe9", Mode::Commands, true);
        check(&[b'x'; 5000], Mode::Commands, true);
        check(b"", Mode::Commands, false);
        check(b" \t\r", Mode::Commands, false);
        check(b"a\x08", Mode::Commands, false);
        check(b"\0", Mode::Commands, false);
        check(b"\xff\xf6", Mode::Commands, false);
        check(b"\xff\xf6MSG hi", Mode::Commands, true);
        check(b"\xef\xbb\xbf", Mode::Commands, true);
        check(b"MSG GET / HTTP/1.1", Mode::Commands, true);
        check(b"PONG idle", Mode::Commands, false);
        check(b"PONG idle", Mode::Chat, true);
        check(b"/pong idle", Mode::Chat, false);
        check(b"/pong idle", Mode::Commands, true);
    }

    #[test]
    fn lines_are_commands() {
        let check =
            |line: &str, expected| assert_eq!(Command::parse(line, Mode::Commands), Ok(Some(expected)), "{line:?}");
        check("NICK alice", Command::Nick(name("alice")));
        check("nick  alice ", Command::Nick(name("alice")));
        check("  Msg hi there", Command::Msg(said("hi there")));
        check("MSG  indented ", Command::Msg(said(" indented ")));
        check("MSG\thi", Command::Msg(said("hi")));
        check("WHISPER bob hi", Command::Whisper(vec![name("bob")], said("hi")));
        check("WHISPER bob,carol,BOB hi", Command::Whisper(vec![name("bob"), name("carol")], said("hi")));
        check("WHO", Command::Who);
        check("HISTORY", Command::History(20));
        check("history 5 ", Command::History(5));
        check("SINCE 12", Command::Since(MessageId(12), None));
        check("SINCE  12  k7qd ", Command::Since(MessageId(12), Some(Token::new("k7qd").unwrap())));
        check("SEARCH tea time", Command::Search(said("tea time")));
        check("status ", Command::Status);
        check("draw CLEAR ", Command::Draw(Drawing::Clear));
        let stroke = Stroke::new("#1e90ff 40 0,0 9999,9999").unwrap();
        check("DRAW  #1E90FF 40  0,0 9999,9999", Command::Draw(Drawing::Stroke(stroke)));
        check("CANVAS", Command::Canvas);
        check("SET draw on", Command::Set(Setting::Draw, true));
        check("PING", Command::Ping(None));
        check("PING sync-1", Command::Ping(Some(Token::new("sync-1").unwrap())));
        check("PONG any thing", Command::Pong(Some(said("any thing"))));
        check("HELP", Command::Help(None));
        check("HELP msg", Command::Help(Some(Verb::Msg)));
        check("SET echo ON", Command::Set(Setting::Echo, true));
        check("SET tags off", Command::Set(Setting::Tags, false));
        check("SET Resume on", Command::Set(Setting::Resume, true));
        let token = format!("17-{}", "0a".repeat(16));
        check(&format!("resume {token} "), Command::Resume(token.parse().unwrap()));
        check("CHAT", Command::Chat);
        check("QUIT", Command::Quit(None));
        check("QUIT \u{200b}", Command::Quit(None));
        check("QUIT see you", Command::Quit(Some(said("see you"))));
    }

    #[test]
    fn in_chat_a_bare_line_is_a_message() {
        let check = |line: &str, expected| assert_eq!(Command::parse(line, Mode::Chat), Ok(Some(expected)), "{line:?}");
        check("hi", Command::Msg(said("hi")));
        check("WHO", Command::Msg(said("WHO")));
        check("//etc/passwd", Command::Msg(said("/etc/passwd")));
        check("  //etc/passwd", Command::Msg(said("  /etc/passwd")));
        check("1/2", Command::Msg(said("1/2")));
        check("/who", Command::Who);
        check(" \t\u{3000}/who", Command::Who);
        check("/help msg", Command::Help(Some(Verb::Msg)));
        check("/help w", Command::Help(Some(Verb::Whisper)));
        check("/chat", Command::Chat);
    }

    #[test]
    fn slash_never_publishes_in_chat_mode() {
        let whisper = Command::Whisper(vec![name("bob")], said("psst"));
        for line in [
            "/msg bob psst",
            "/MSG bob psst",
            "/w bob psst",
            "/W bob psst",
            "/whisper bob psst",
            " \t/msg bob psst",
            "\u{200b}/w bob psst",
        ] {
            assert_eq!(Command::parse(line, Mode::Chat), Ok(Some(whisper.clone())), "{line:?}");
        }
        for line in ["／msg bob psst", "\x1b/w bob psst", "\u{fffd} ／w bob psst"] {
            assert_eq!(Command::parse(line, Mode::Chat), Ok(Some(whisper.clone())), "{line:?}");
        }
        let refused = [
            "/",
            "/ msg bob psst",
            "/msg",
            "/msg bob",
            "/w bob ",
            "/msg bob,",
            "/wisper bob psst",
            "/tell bob psst",
            " /dm bob psst",
            "/m\u{ad}sg bob psst",
        ];
        for line in refused {
            let refusal = Command::parse(line, Mode::Chat).unwrap_err();
            assert!(!refusal.text(Mode::Chat).contains("psst"), "{line:?}: {refusal}");
        }
        let members_of_both = Command::parse("/msg bob,carol psst", Mode::Chat);
        assert_eq!(members_of_both, Ok(Some(Command::Whisper(vec![name("bob"), name("carol")], said("psst")))));
        assert_eq!(Command::parse("msg psst", Mode::Commands), Ok(Some(Command::Msg(said("psst")))));
    }

    /// Any text can be said in chat mode, also one that begins with slashes.
    #[test]
    fn message_in_chat_mode_round_trips() {
        arbtest::arbtest(|u| {
            let parts = ["/", "//", "／", "\u{fffd}", " ", "\u{3000}", "\u{200b}", "msg", "w", "bob", "x"];
            let raw: String =
                (0..u.int_in_range(1..=6)?).map(|_| u.choose(&parts).copied()).collect::<Result<_, _>>()?;
            if let Ok(text) = Text::new(&raw) {
                let command = Command::Msg(text);
                let line = command.to_line(Mode::Chat);
                assert_eq!(Command::parse(&line, Mode::Chat), Ok(Some(command)), "{line:?}");
            }
            Ok(())
        });
    }

    #[test]
    fn blank_lines_ask_for_nothing() {
        for line in ["", " ", "\t "] {
            assert_eq!(Command::parse(line, Mode::Commands), Ok(None));
            assert_eq!(Command::parse(line, Mode::Chat), Ok(None));
        }
    }

    #[test]
    fn line_that_shows_nothing_is_no_blank_line() {
        for (mode, code) in [(Mode::Commands, ErrorCode::VerbUnknown), (Mode::Chat, ErrorCode::TextMissing)] {
            let refusal = Command::parse("\u{200b} \u{3164}", mode).unwrap_err();
            assert_eq!(refusal.code, code);
            assert!(refusal.to_string().is_ascii(), "it repeats nothing of the line: {refusal}");
        }
    }

    #[test]
    fn wrong_lines_are_refused_with_a_code() {
        let check = |line: &str, verb: Option<Verb>, code| {
            let refusal = Command::parse(line, Mode::Commands).unwrap_err();
            assert_eq!((refusal.verb, refusal.code), (verb, code), "{line:?}");
        };
        check("NICK", Some(Verb::Nick), ErrorCode::NameMissing);
        check("NICK two words", Some(Verb::Nick), ErrorCode::NameInvalid);
        check("NICK a\x07", Some(Verb::Nick), ErrorCode::NameInvalid);
        check("NICK 123456789012345678901234567890123", Some(Verb::Nick), ErrorCode::NameTooLong);
        check("MSG", Some(Verb::Msg), ErrorCode::TextMissing);
        check("MSG  ", Some(Verb::Msg), ErrorCode::TextMissing);
        check("MSG \u{200b}", Some(Verb::Msg), ErrorCode::TextMissing);
        check("WHISPER bob \u{2800}", Some(Verb::Whisper), ErrorCode::TextMissing);
        check("\u{200b}", None, ErrorCode::VerbUnknown);
        check("WHISPER", Some(Verb::Whisper), ErrorCode::TargetMissing);
        check("WHISPER bob, hi", Some(Verb::Whisper), ErrorCode::TargetMissing);
        check("WHISPER bob", Some(Verb::Whisper), ErrorCode::TextMissing);
        check("WHISPER @nobody hi", Some(Verb::Whisper), ErrorCode::TargetAbsent);
        check(&format!("WHISPER {} hi", vec!["a"; 33].join(",")), Some(Verb::Whisper), ErrorCode::TargetsTooMany);
        check("WHO else", Some(Verb::Who), ErrorCode::ArgumentUnexpected);
        check("HISTORY some", Some(Verb::History), ErrorCode::NumberInvalid);
        check("HISTORY -1", Some(Verb::History), ErrorCode::NumberInvalid);
        check("HISTORY 99999999999999999999", Some(Verb::History), ErrorCode::NumberInvalid);
        check("HISTORY 1 2", Some(Verb::History), ErrorCode::ArgumentUnexpected);
        check("SINCE", Some(Verb::Since), ErrorCode::NumberInvalid);
        check("SINCE +1", Some(Verb::Since), ErrorCode::NumberInvalid);
        check("SINCE 1 a b", Some(Verb::Since), ErrorCode::ArgumentUnexpected);
        check("SEARCH ", Some(Verb::Search), ErrorCode::TextMissing);
        check(&format!("SEARCH {}", "the-".repeat(33)), Some(Verb::Search), ErrorCode::WordsTooMany);
        check("DRAW", Some(Verb::Draw), ErrorCode::ColourInvalid);
        check("DRAW red 4 0,0", Some(Verb::Draw), ErrorCode::ColourInvalid);
        check("DRAW #1e90ff 1000 0,0", Some(Verb::Draw), ErrorCode::WidthInvalid);
        check("DRAW #1e90ff 4", Some(Verb::Draw), ErrorCode::PointInvalid);
        check("DRAW #1e90ff 4 0,10000", Some(Verb::Draw), ErrorCode::PointInvalid);
        check(&format!("DRAW #1e90ff 4{}", " 0,0".repeat(401)), Some(Verb::Draw), ErrorCode::PointsTooMany);
        check("DRAW clear all", Some(Verb::Draw), ErrorCode::ArgumentUnexpected);
        check("CANVAS 5", Some(Verb::Canvas), ErrorCode::ArgumentUnexpected);
        check("PING a b", Some(Verb::Ping), ErrorCode::ArgumentUnexpected);
        check(&format!("PING {}", "x".repeat(257)), Some(Verb::Ping), ErrorCode::TokenTooLong);
        check("RESUME", Some(Verb::Resume), ErrorCode::TokenMissing);
        check("RESUME a b", Some(Verb::Resume), ErrorCode::ArgumentUnexpected);
        check("RESUME 17-0a", Some(Verb::Resume), ErrorCode::TokenUnknown);
        check("HELP me", Some(Verb::Help), ErrorCode::VerbUnknown);
        check("SET", Some(Verb::Set), ErrorCode::OptionUnknown);
        check("SET colour on", Some(Verb::Set), ErrorCode::OptionUnknown);
        check("SET echo", Some(Verb::Set), ErrorCode::ValueInvalid);
        check("SET echo on now", Some(Verb::Set), ErrorCode::ArgumentUnexpected);
        check("hello everyone", None, ErrorCode::VerbUnknown);
        check("\x1b[2J", None, ErrorCode::VerbUnknown);
        check(&format!("MSG {}", "\x01".repeat(2000)), Some(Verb::Msg), ErrorCode::TextTooLong);
    }

    #[test]
    fn error_of_unknown_verb_says_what_to_write() {
        let check = |line: &str, mode, expected: &str| {
            let refusal = ServerLine::Err(Command::parse(line, mode).unwrap_err());
            assert_eq!(refusal.in_mode(mode).to_string(), expected);
        };
        check(
            "hello everyone",
            Mode::Commands,
            "ERR - verb-unknown unknown command 'hello' (HELP lists the commands); to say it, write: MSG hello everyone",
        );
        check("/who", Mode::Commands, "ERR - verb-unknown commands have no slash outside of chat mode; write: WHO");
        for private in ["/msg bob psst", "/w bob psst", "//msg bob psst"] {
            let expected =
                "ERR - verb-unknown commands have no slash outside of chat mode; write: WHISPER name[,name...] text";
            check(private, Mode::Commands, expected);
        }
        check(
            "/tell bob psst",
            Mode::Commands,
            "ERR - verb-unknown unknown command '/tell' (HELP lists the commands, without a slash); \
             to whisper, write: WHISPER name[,name...] text; to say it to everybody: MSG text",
        );
        check("/w bob", Mode::Chat, "ERR WHISPER text-missing there is no text; write: /msg name[,name...] text");
        check("/nick", Mode::Chat, "ERR NICK name-missing there is no name; write: /NICK name");
        check("/who else", Mode::Chat, "ERR WHO argument-unexpected else is one argument too many; write: /WHO");
        check("/help me", Mode::Chat, "ERR HELP verb-unknown unknown command 'me'; /HELP lists the commands");
        check(
            "/shrug",
            Mode::Chat,
            "ERR - verb-unknown unknown command '/shrug' (/help lists the commands); to whisper: /msg name[,name...] text; \
             to begin a message with a slash, type two: //shrug",
        );
    }
}
