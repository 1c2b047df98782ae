//! Parses typed lines, selects the part of a line that the history file keeps, and completes words for Tab. Pure. [`super::chat_state`]
//! decides whether a line can be sent now.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use unicode_normalization::UnicodeNormalization as _;

use super::account_input::AccountInput;
use super::offered_commands::{needed_rank, usage_of};
use super::refusal::explain_at_terminal;
use crate::command::{
    Ban, ClientLine, Command, Kick, Msg, Mute, Part, Quit, Refusal, SECRET_SEPARATORS, SanctionArguments, Search,
    Topic, TypedSecret, Verb, Whisper, find_access_token, resembled_secret_verb, split_indent, strip_slash,
};
use crate::limits::{ECHO_CHARS_MAX, LINE_BYTES_MAX};
use crate::protocol::{ErrorCode, Mode, Name, ROOM_MARK, Rank, RoomName, fold_case, sanitize, split_word};

/// The meaning of a typed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UserInput {
    /// A blank line.
    Blank,
    /// A command to send, and the room that the line names; a message is the command `MSG`.
    Command(Option<RoomName>, Command),
    /// A command of an account that needs a password.
    Account(AccountInput),
    /// A request for the list of commands.
    Help,
    /// An invalid line: the reason, and what to type instead.
    Invalid(String),
}

/// The commands that Tab completes, each with whether the history file keeps its arguments: those of the others are private.
const COMPLETED: [(&str, bool); 33] = [
    ("/ban", true),
    ("/bans", true),
    ("/delete", true),
    ("/help", true),
    ("/history", true),
    ("/home", true),
    ("/invite", true),
    ("/join", true),
    ("/kick", true),
    ("/lock", true),
    ("/login", false),
    ("/moderator", true),
    ("/msg", false),
    ("/mute", true),
    ("/nick", true),
    ("/part", true),
    ("/password", false),
    ("/ping", true),
    ("/quit", true),
    ("/register", false),
    ("/reply", false),
    ("/rooms", true),
    ("/search", true),
    ("/status", true),
    ("/takeover", false),
    ("/token", false),
    ("/topic", true),
    ("/unban", true),
    ("/unmute", true),
    ("/unregister", false),
    ("/w", false),
    ("/whisper", false),
    ("/who", true),
];

impl UserInput {
    /// Parses a line by the grammar of chat mode (`protocol.md`), with the additional commands of the client. `current` and `home`
    /// are rooms of the user, and `whisperer` is the last member who whispered to the user.
    pub(super) fn parse(line: &str, [current, home]: [&RoomName; 2], whisperer: Option<&Name>) -> Self {
        let (word, rest) = split_word(split_indent(line).1);
        let rest = rest.unwrap_or_default();
        let command = match word.replacen('／', "/", 1).to_ascii_lowercase().as_str() {
            _ if ["QUIT", ".exit"].contains(&line.trim()) => "/quit".to_owned(),
            "/help" => return Self::Help,
            "/home" => format!("/join {home} {rest}"),
            "/part" if !rest.trim_start().starts_with(ROOM_MARK) => format!("/part {current} {rest}"),
            "/reply" | "/r" => match whisperer {
                Some(name) => format!("/whisper {name} {rest}"),
                None => return Self::Invalid("nobody has whispered to you; type: /msg name text".to_owned()),
            },
            word => {
                // Before the general parser: no error repeats a password.
                let verb = strip_slash(word).and_then(Verb::from_word).filter(|verb| verb.is_about_account());
                match verb.map(|verb| AccountInput::parse(verb, rest)) {
                    Some(Ok(Some(input))) => return Self::Account(input),
                    Some(Err(why)) => return Self::Invalid(why),
                    Some(Ok(None)) | None => line.to_owned(),
                }
            }
        };
        let ClientLine { room, content: parsed } = ClientLine::parse(&command, Mode::Chat);
        if let Some(why) = too_long(&parsed, &command, typed_text(&command), Mode::Chat) {
            return Self::Invalid(why);
        }
        match parsed {
            Ok(None) => Self::Blank,
            Ok(Some(command)) if !is_offered(command.verb()) => {
                Self::Invalid(format!("{} is not available in this client; /help lists the commands", shortened(word)))
            }
            Ok(Some(command)) => Self::Command(room, command),
            Err(Refusal { code: ErrorCode::VerbUnknown, .. }) => Self::Invalid(format!(
                "unknown command {word}; /help lists the commands; to send it as a message, type /{word}",
                word = shortened(split_word(split_indent(after_room(line)).1).0)
            )),
            Err(refusal) => Self::Invalid(explain_at_terminal(&refusal.into())),
        }
    }
}

/// The part of a typed line after `/#room`; the line, if it does not begin so.
fn after_room(line: &str) -> &str {
    match split_word(split_indent(line).1) {
        (word, rest) if strip_slash(word).is_some_and(|room| room.starts_with(ROOM_MARK)) => rest.unwrap_or_default(),
        _ => line,
    }
}

/// The room that a typed line names, after a slash.
pub(super) fn room_of_line(line: &str) -> Option<RoomName> {
    RoomName::new(strip_slash(split_word(split_indent(line).1).0)?).ok()
}

/// Whether a word after a slash is the command for whispers.
fn is_whisper(word: &str) -> bool {
    ["msg", "w", "whisper"].iter().any(|whisper| whisper.eq_ignore_ascii_case(word))
}

/// Reports a command that does not fit into a line of the protocol, with the length of its text and the limit. `line` is what was parsed,
/// and `text` is the text at its end.
pub(super) fn too_long(
    parsed: &Result<Option<Command>, Refusal>,
    line: &str,
    text: &str,
    mode: Mode,
) -> Option<String> {
    let (length, limit) = match parsed {
        Ok(Some(command)) => (text_part(command).len(), text_bytes_max(command)),
        // The limit depends on the rest of the command: parse it with a short text.
        Err(Refusal { code: ErrorCode::TextTooLong, .. }) => {
            let command = ClientLine::parse(&format!("{}x", line.strip_suffix(text)?), mode).content.ok()??;
            (sanitize(text).len(), text_bytes_max(&command))
        }
        _ => return None,
    };
    (length > limit).then(|| {
        format!(
            "not sent: the text has {length} bytes, more than the limit of {limit}; shorten it, or send it in parts"
        )
    })
}

/// The length of the longest text for which this command fits into a line of the protocol.
fn text_bytes_max(command: &Command) -> usize {
    LINE_BYTES_MAX - (command.to_line(Mode::Commands).len() - text_part(command).len())
}

/// Whether a typed line is a message or a whisper.
pub(super) fn is_message(line: &str) -> bool {
    let word = split_word(after_room(line).trim_start()).0.to_ascii_lowercase();
    ["/reply", "/r"].contains(&word.as_str())
        || matches!(ClientLine::parse(line, Mode::Chat).content, Ok(Some(Command::Msg(_) | Command::Whisper(..))))
}

/// Whether users can type this command. The client sends the other commands itself, or they have no use at a terminal.
fn is_offered(verb: Verb) -> bool {
    usage_of(verb).is_some()
}

/// The text in a command.
fn text_part(command: &Command) -> String {
    match command {
        Command::Msg(Msg(text))
        | Command::Whisper(Whisper { text, .. })
        | Command::Search(Search(text))
        | Command::Topic(Topic::Set(text))
        | Command::Part(Part { reason: Some(text), .. })
        | Command::Kick(Kick { reason: Some(text), .. })
        | Command::Mute(Mute(SanctionArguments { reason: Some(text), .. }))
        | Command::Ban(Ban(SanctionArguments { reason: Some(text), .. }))
        | Command::Quit(Quit(Some(text))) => text.to_string(),
        _ => String::new(),
    }
}

/// The text in a typed line that cannot be parsed as a [`Command`].
fn typed_text(line: &str) -> &str {
    let Some(command) = strip_slash(split_indent(after_room(line)).1).filter(|command| strip_slash(command).is_none())
    else {
        return line;
    };
    let (word, rest) = split_word(command);
    let rest = rest.unwrap_or_default();
    if is_whisper(word) || ["ban", "kick", "mute", "part"].iter().any(|verb| word.eq_ignore_ascii_case(verb)) {
        split_word(rest.trim_start()).1.unwrap_or_default()
    } else {
        rest
    }
}

fn shortened(word: &str) -> String {
    let short: String = sanitize(word).chars().take(ECHO_CHARS_MAX).collect();
    if short.len() < word.len() { short + "…" } else { short }
}

/// The part of a typed line that the history file keeps. Whispered text is private; so is the text after an unknown command, which may be
/// a mistyped whisper.
pub(super) fn history_entry(line: &str) -> String {
    let line = find_access_token(line).map_or(line, |at| line[..at].trim_end());
    let (word, rest) = split_word(split_indent(line).1);
    if strip_slash(word).is_some_and(|room| room.starts_with(ROOM_MARK)) {
        return format!("{word} {}", history_entry(rest.unwrap_or_default())).trim_end().to_owned();
    }
    // Whether it was sent or refused.
    if TypedSecret::all_in(line).next().is_some() {
        return word.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned() + " ";
    }
    if word.contains(SECRET_SEPARATORS) && resembled_secret_verb(word).is_some() {
        return word.split(SECRET_SEPARATORS).next().unwrap_or_default().to_owned() + " ";
    }
    let is_command = strip_slash(word).is_some_and(|command| strip_slash(command).is_none());
    if is_command && !COMPLETED.contains(&(word, true)) { format!("{word} ") } else { line.trim_end().to_owned() }
}

/// Characters after which Tab completes a name before its first letter is typed.
const OPENING: &str = "@([{<\"'`«‹“„‘‚「『（【¿¡*_~#+-=:/|";

/// Durations that Tab completes.
const DURATIONS: [&str; 4] = ["10m", "1h", "1d", "7d"];

/// The words that can be the next argument of a command, other than names. `before`: the line before it.
fn next_arguments(before: &str) -> &'static [&'static str] {
    let mut words = after_room(before).split_whitespace();
    match (words.next().and_then(strip_slash).and_then(Verb::from_word), words.count()) {
        (Some(Verb::Mute | Verb::Ban), 1) => &DURATIONS,
        (Some(Verb::Moderator), 1) => &["on", "off"],
        _ => &[],
    }
}

/// The completions of the word before the cursor: the byte index where it begins, and its possible replacements. Commands that need a
/// higher `rank` are not among them.
pub(super) fn completions<'a>(
    before: &str,
    names: impl IntoIterator<Item = &'a str>,
    rooms: impl IntoIterator<Item = &'a str>,
    rank: Rank,
) -> (usize, Vec<String>) {
    let start = before
        .rfind(|c: char| c.is_whitespace() || c == ',')
        .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
    let word = &before[start..];
    if before.trim_start().len() == word.len() && word.starts_with('/') {
        let is_allowed = |command: &str| {
            let verb = strip_slash(command).and_then(Verb::from_word);
            verb.is_none_or(|verb| needed_rank(verb) <= rank)
        };
        let offered = COMPLETED.iter().map(|(command, _)| *command).filter(|command| is_allowed(command));
        let fitting = offered.filter(|command| command.starts_with(&word.to_lowercase()));
        let commands: Vec<_> = fitting.map(|command| format!("{command} ")).collect();
        if !commands.is_empty() {
            return (start, commands);
        }
    }
    let arguments = next_arguments(&before[..start]).iter().filter(|argument| argument.starts_with(word));
    let arguments: Vec<_> = arguments.map(|argument| format!("{argument} ")).collect();
    if !arguments.is_empty() {
        return (start, arguments);
    }
    // At the start of the line, a room may follow a slash.
    let is_first = before.trim_start().len() == word.len();
    let at = start + if is_first { slash_len(word) } else { 0 };
    if before[at..].starts_with(ROOM_MARK) {
        let typed = folded(&before[at..]);
        let rooms: Vec<_> = rooms.into_iter().filter(|room| folded(room).starts_with(&typed)).collect();
        if !rooms.is_empty() {
            return (at, rooms.into_iter().map(|room| format!("{room} ")).collect());
        }
    }
    let names: Vec<_> = names.into_iter().map(|name| (folded(name), name)).collect();
    // A name can contain punctuation but not begin with it. Complete the longest end of the word with which a name begins.
    let starts = word.char_indices().filter(|(_, c)| !c.is_alphanumeric()).map(|(at, c)| at + c.len_utf8());
    for at in [0].into_iter().chain(starts) {
        let (opening, part) = word.split_at(at);
        if part.is_empty() && !opening.ends_with(|c| OPENING.contains(c)) && !opening.is_empty() {
            continue;
        }
        let part = folded(part);
        let after = if start + at == 0 { ": " } else { " " };
        let fitting = names.iter().filter(|(folded, _)| folded.starts_with(&part));
        let whole: Vec<_> = fitting.map(|(_, name)| format!("{name}{after}")).collect();
        if !whole.is_empty() {
            return (start + at, whole);
        }
    }
    (start, Vec::new())
}

/// The length of a slash at the start of a word, in bytes.
fn slash_len(word: &str) -> usize {
    strip_slash(word).map_or(0, |rest| word.len() - rest.len())
}

/// Folds case, width and composition, so that names can be compared: `ß` equals `SS`, and the two small sigmas are equal.
fn folded(text: &str) -> String {
    fold_case(&text.nfkc().collect::<String>())
}

#[cfg(test)]
mod tests;
