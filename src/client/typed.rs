//! Parses typed lines, selects the part of a line that the history file keeps, and completes words for Tab. Pure. [`super::chat_state`]
//! decides whether a line can be sent now.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use unicode_normalization::UnicodeNormalization as _;

use super::offered_commands::usage_of;
use super::refusal::explain_at_terminal;
use crate::command::{Command, Msg, Quit, Refusal, Search, Verb, Whisper, split_indent, strip_slash};
use crate::limits::{ECHO_CHARS_MAX, LINE_BYTES_MAX};
use crate::protocol::{ErrorCode, Mode, Name, fold_case, sanitize, split_word};

/// The meaning of a typed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UserInput {
    /// A blank line.
    Blank,
    /// A command to send; a message is the command `MSG`.
    Command(Command),
    /// A request for the list of commands.
    Help,
    /// An invalid line: the reason, and what to type instead.
    Invalid(String),
}

/// The commands that Tab completes.
const COMPLETED: [&str; 12] =
    ["/help", "/history", "/msg", "/nick", "/ping", "/quit", "/reply", "/search", "/status", "/w", "/whisper", "/who"];

impl UserInput {
    /// Parses a line by the grammar of chat mode (`protocol.md`), with the additional commands of the client. `whisperer` is the last
    /// member who whispered to the user.
    pub(super) fn parse(line: &str, whisperer: Option<&Name>) -> Self {
        let (word, rest) = split_word(split_indent(line).1);
        let rest = rest.unwrap_or_default();
        let command = match word.replacen('／', "/", 1).to_ascii_lowercase().as_str() {
            _ if ["QUIT", ".exit"].contains(&line.trim()) => "/quit".to_owned(),
            "/help" => return Self::Help,
            "/reply" | "/r" => match whisperer {
                Some(name) => format!("/whisper {name} {rest}"),
                None => return Self::Invalid("nobody has whispered to you; type: /msg name text".to_owned()),
            },
            _ => line.to_owned(),
        };
        let parsed = Command::parse(&command, Mode::Chat);
        if let Some(why) = too_long(&parsed, &command, typed_text(&command), Mode::Chat) {
            return Self::Invalid(why);
        }
        match parsed {
            Ok(None) => Self::Blank,
            Ok(Some(command)) if !is_offered(command.verb()) => {
                Self::Invalid(format!("{} is not available in this client; /help lists the commands", shortened(word)))
            }
            Ok(Some(command)) => Self::Command(command),
            Err(Refusal { code: ErrorCode::VerbUnknown, .. }) => Self::Invalid(format!(
                "unknown command {word}; /help lists the commands; to send it as a message, type /{word}",
                word = shortened(word)
            )),
            Err(refusal) => Self::Invalid(explain_at_terminal(&refusal.into())),
        }
    }
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
            let command = Command::parse(&format!("{}x", line.strip_suffix(text)?), mode).ok()??;
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
    let word = split_word(line.trim_start()).0.to_ascii_lowercase();
    ["/reply", "/r"].contains(&word.as_str())
        || matches!(Command::parse(line, Mode::Chat), Ok(Some(Command::Msg(_) | Command::Whisper(..))))
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
        | Command::Quit(Quit(Some(text))) => text.to_string(),
        _ => String::new(),
    }
}

/// The text in a typed line that cannot be parsed as a [`Command`].
fn typed_text(line: &str) -> &str {
    let Some(command) = strip_slash(split_indent(line).1).filter(|command| strip_slash(command).is_none()) else {
        return line;
    };
    let (word, rest) = split_word(command);
    let rest = rest.unwrap_or_default();
    let is_whisper = ["msg", "w", "whisper"].iter().any(|whisper| whisper.eq_ignore_ascii_case(word));
    if is_whisper { split_word(rest.trim_start()).1.unwrap_or_default() } else { rest }
}

fn shortened(word: &str) -> String {
    let short: String = sanitize(word).chars().take(ECHO_CHARS_MAX).collect();
    if short.len() < word.len() { short + "…" } else { short }
}

/// The commands that the history file keeps with their arguments.
const PUBLIC: [&str; 8] = ["/help", "/history", "/nick", "/ping", "/quit", "/search", "/status", "/who"];

/// The part of a typed line that the history file keeps. Whispered text is private; so is the text after an unknown command, which may be
/// a mistyped whisper.
pub(super) fn history_entry(line: &str) -> String {
    let (word, _) = split_word(split_indent(line).1);
    let is_command = strip_slash(word).is_some_and(|command| strip_slash(command).is_none());
    if is_command && !PUBLIC.contains(&word) { format!("{word} ") } else { line.trim_end().to_owned() }
}

/// Characters after which Tab completes a name before its first letter is typed.
const OPENING: &str = "@([{<\"'`«‹“„‘‚「『（【¿¡*_~#+-=:/|";

/// The completions of the word before the cursor: the byte index where it begins, and its possible replacements.
pub(super) fn completions<'a>(before: &str, names: impl IntoIterator<Item = &'a str>) -> (usize, Vec<String>) {
    let start = before
        .rfind(|c: char| c.is_whitespace() || c == ',')
        .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
    let word = &before[start..];
    if before.trim_start().len() == word.len() && word.starts_with('/') {
        let fitting = COMPLETED.iter().filter(|command| command.starts_with(&word.to_lowercase()));
        let commands: Vec<_> = fitting.map(|command| format!("{command} ")).collect();
        if !commands.is_empty() {
            return (start, commands);
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

/// Folds case, width and composition, so that names can be compared: `ß` equals `SS`, and the two small sigmas are equal.
fn folded(text: &str) -> String {
    fold_case(&text.nfkc().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Nick, Ping, Status, Who};
    use crate::protocol::Text;

    fn text(raw: &str) -> Text {
        Text::new(raw).unwrap()
    }

    fn name(raw: &str) -> Name {
        Name::new(raw).unwrap()
    }

    fn command(command: impl Into<Command>) -> UserInput {
        UserInput::Command(command.into())
    }

    #[test]
    fn typed_lines_are_parsed() {
        let check = |line: &str, expected| assert_eq!(UserInput::parse(line, Some(&name("eve"))), expected, "{line:?}");
        check("", UserInput::Blank);
        check("  ", UserInput::Blank);
        check("hello there", command(Msg(text("hello there"))));
        check(" /who", command(Who));
        check(" hello", command(Msg(text(" hello"))));
        check("//etc/motd", command(Msg(text("/etc/motd"))));
        check("QUIT now", command(Msg(text("QUIT now"))));
        check("quit", command(Msg(text("quit"))));
        check("/w bob psst", command(Whisper { to: vec![name("bob")], text: text("psst") }));
        check("/W bob,eve psst", command(Whisper { to: vec![name("bob"), name("eve")], text: text("psst") }));
        for line in ["/msg bob psst", " /msg bob psst", " /w bob psst", "／msg bob psst", "\x1b/w bob psst"] {
            check(line, command(Whisper { to: vec![name("bob")], text: text("psst") }));
        }
        check("/whisper bob psst", command(Whisper { to: vec![name("bob")], text: text("psst") }));
        check("/reply  me too", command(Whisper { to: vec![name("eve")], text: text(" me too") }));
        check("/r ok", command(Whisper { to: vec![name("eve")], text: text("ok") }));
        check("/who", command(Who));
        check("/nick al", command(Nick { name: name("al"), room: None }));
        check("/status", command(Status));
        check("/ping", command(Ping(None)));
        check("/help", UserInput::Help);
        check("/help w", UserInput::Help);
        check("/quit", command(Quit(None)));
        check("/quit tea", command(Quit(Some(text("tea")))));
        check(".exit", command(Quit(None)));
        check("QUIT", command(Quit(None)));
        check("QUIT ", command(Quit(None)));
    }

    #[test]
    fn invalid_line_says_what_to_type() {
        let check = |line: &str, expected: &str| match UserInput::parse(line, None) {
            UserInput::Invalid(why) => assert!(why.contains(expected), "{line:?}: {why}"),
            other => panic!("{line:?}: {other:?}"),
        };
        let unknown = "unknown command /shrug; /help lists the commands; to send it as a message, type //shrug";
        check("/shrug", unknown);
        check(" /shrug bob", unknown);
        check("/chat", "/chat is not available in this client; /help lists the commands");
        check("/set tags off", "/set is not available in this client");
        check("/pong x", "/pong is not available in this client");
        check("/w", "type: /msg name[,name] text");
        check("/w bob", "the text is missing; type: /msg name[,name] text");
        check("/MSG bob, psst", "a name is missing; type: /msg name[,name] text, with no space");
        check("/w @ psst", "; /who lists names");
        check("/history x", "type: /history [number]");
        check("/nick", "type: /nick name");
        check("/reply hi", "nobody has whispered");
        check("/nick a,b", "cannot contain a comma");
        check("/who else", "unexpected argument 'else'");
    }

    #[test]
    fn overlong_message_is_refused_with_its_length() {
        let check = |line: &str, expected: Option<&str>| match (UserInput::parse(line, Some(&name("eve"))), expected) {
            (UserInput::Invalid(why), Some(expected)) => assert!(why.starts_with(expected), "{why}"),
            (UserInput::Command(command), None) => {
                assert!(command.to_line(Mode::Commands).len() <= LINE_BYTES_MAX, "{command:?}");
            }
            (other, _) => panic!("{other:?}"),
        };
        // In a line of the protocol, `MSG ` stands before the text.
        check(&"x".repeat(4092), None);
        check(&"x".repeat(4093), Some("not sent: the text has 4093 bytes, more than the limit of 4092"));
        check(&format!("//{}", "x".repeat(4091)), None);
        check(&"é".repeat(3000), Some("not sent: the text has 6000 bytes, more than the limit of 4092"));
        check(&format!("/w bob {}", "x".repeat(4084)), None);
        check(
            &format!("/w bob {}", "x".repeat(4085)),
            Some("not sent: the text has 4085 bytes, more than the limit of 4084"),
        );
        for start in [" /MSG bob ", "/r "] {
            check(
                &format!("{start}{}", "x".repeat(5000)),
                Some("not sent: the text has 5000 bytes, more than the limit of 4084"),
            );
        }
        // A control character becomes U+FFFD, which takes three bytes.
        check(&"\x01".repeat(2000), Some("not sent: the text has 6000 bytes"));
    }

    #[test]
    fn history_entry_has_no_whisper() {
        let check = |line: &str, expected: &str| assert_eq!(history_entry(line), expected, "{line:?}");
        check("hello ", "hello");
        check("//w bob is how", "//w bob is how");
        check("/who", "/who");
        check("/nick al", "/nick al");
        check("/quit tea", "/quit tea");
        check("/w bob the secret", "/w ");
        check("/W  bob the secret", "/W ");
        check("/whisper bob,eve the secret", "/whisper ");
        check("/w\tbob the secret", "/w ");
        check("  /msg bob the secret", "/msg ");
        check("\x1b／msg bob the secret", "／msg ");
        check("/reply the secret", "/reply ");
        check("/r the secret", "/r ");
        check("/wisper bob the secret", "/wisper ");
        check(" /MSG bob the secret", "/MSG ");
        check("\u{a0}/msg bob the secret", "/msg ");
        check("/ msg bob the secret", "/ ");
    }

    #[test]
    fn tab_completes_commands_and_names() {
        let check = |before: &str, start: usize, expected: &[&str]| {
            let expected = expected.iter().map(ToString::to_string).collect();
            let names = ["alice", "Älva", "bob", "Straße", "Νίκος"];
            assert_eq!(completions(before, names), (start, expected), "{before:?}");
        };
        check("/wh", 0, &["/whisper ", "/who "]);
        check("/st", 0, &["/status "]);
        check("al", 0, &["alice: "]);
        check("AL", 0, &["alice: "]);
        check("äl", 0, &["Älva: "]);
        check("/w b", 3, &["bob "]);
        check("/w alice,b", 9, &["bob "]);
        check("hi ali", 3, &["alice "]);
        check("STRASS", 0, &["Straße: "]);
        check("ΝΊΚΟΣ", 0, &["Νίκος: "]);
        check("x", 0, &[]);
        check("", 0, &["alice: ", "Älva: ", "bob: ", "Straße: ", "Νίκος: "]);
        check("/msg ", 5, &["alice ", "Älva ", "bob ", "Straße ", "Νίκος "]);
        check(" /ms", 1, &["/msg "]);
        check("/w a,", 5, &["alice ", "Älva ", "bob ", "Straße ", "Νίκος "]);
        check("/msg\u{3000}b", 7, &["bob "]);
    }

    #[test]
    fn tab_completes_names_after_opening_signs() {
        for opening in ["@", "(", "[", "\"", "'", "«", "“", "„", "「", "（", "(@", "hi (", "x=", "**", "see alice/"]
        {
            for (typed, expected) in [("b", &["bob "][..]), ("", &["alice ", "bob "]), ("x", &[])] {
                let (start, whole) = completions(&format!("{opening}{typed}"), ["alice", "bob"]);
                assert_eq!(whole, expected, "{opening}{typed}");
                assert!(whole.is_empty() || start == opening.len(), "{opening}{typed}");
            }
        }
        // After other punctuation, a name is completed only once a letter is typed.
        assert_eq!(completions("hello!", ["alice", "bob"]).1, [""; 0]);
        // A name with punctuation in it.
        assert_eq!(completions("(al-b", ["al-bob", "bert"]), (1, vec!["al-bob ".to_owned()]));
    }

    #[test]
    fn tab_completes_names_in_any_script_and_case() {
        let check = |typed: &str, name: &str| {
            assert_eq!(completions(typed, [name, "zoe"]), (0, vec![format!("{name}: ")]), "{typed}");
        };
        check("ἀθΗ", "Ἀθηνᾶ");
        check("ΣΊΣΥΦΟς", "Σίσυφος");
        check("STRASS", "Straße");
        check("straß", "STRASSER");
        check("ЖЕ", "женя");
        check("e\u{301}m", "Émile");
        check("ｂｏ", "Bob");
        check("李", "李雷");
        check("i", "İpek");
        check("שׁ", "שׁלום");
        check("ﬁ", "Fiona");
    }
}
