//! What a typed line means, which part of it the history keeps, and what Tab makes of it. Whether it can be sent now is
//! for [`super::session`] to say.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::protocol::{Command, Mode, Name, fold_case, shows_nothing, split_word};

/// A typed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Nothing.
    Blank,
    /// A command, a message among them.
    Command(Command),
    /// What is there to type?
    Help,
    /// Not to be sent; why, and what to type instead.
    Wrong(String),
}

/// What `/help` says.
pub(super) const HELP: [&str; 10] = [
    "text                say something to everybody; //text if it begins with a slash",
    "/w name[,name] text say something to them only (whisper)",
    "/reply text         the same, to whoever whispered to you last",
    "/who                list who is here",
    "/history [number]   show the last messages again",
    "/search words       show messages with these words, the newest first, if the server stores them",
    "/nick name          take another name",
    "/status             list addresses and times (for the coordinator)",
    "/ping               ask whether the server answers",
    "/quit [reason]      leave; so do .exit, QUIT, Ctrl-C and Ctrl-D",
];

/// The commands that Tab completes.
const COMMANDS: [&str; 12] =
    ["/help", "/history", "/msg", "/nick", "/ping", "/quit", "/reply", "/search", "/status", "/w", "/whisper", "/who"];

impl Typed {
    /// What `line` means, where `whisperer` was the last to whisper. It is read by the grammar of the protocol's chat mode, with
    /// a few words more.
    pub(super) fn parse(line: &str, whisperer: Option<&Name>) -> Self {
        let (word, rest) = split_word(line.trim_start_matches(shows_nothing));
        let rest = rest.unwrap_or_default();
        let line = match word.to_ascii_lowercase().as_str() {
            _ if ["QUIT", ".exit"].contains(&line.trim()) => "/quit".to_owned(),
            "/help" => return Self::Help,
            "/reply" | "/r" => match whisperer {
                Some(name) => format!("/whisper {name} {rest}"),
                None => return Self::Wrong("nobody has whispered to you; write: /w name text".to_owned()),
            },
            _ => line.to_owned(),
        };
        match Command::parse(&line, Mode::Chat) {
            Ok(None) => Self::Blank,
            Ok(Some(
                Command::Chat
                | Command::Set(..)
                | Command::Resume(_)
                | Command::Pong(_)
                | Command::Help(_)
                | Command::Draw(_)
                | Command::Canvas,
            )) => Self::Wrong(format!("{word} is of no use here; /help lists what is")),
            Ok(Some(command)) => Self::Command(command),
            Err(refusal) => Self::Wrong(refusal.text.to_string()),
        }
    }
}

/// The commands that whisper nothing.
const PUBLIC: [&str; 8] = ["/help", "/history", "/nick", "/ping", "/quit", "/search", "/status", "/who"];

/// The part of a typed line that the history keeps: no whispers, and no text after a mistyped command.
pub(super) fn remembered(line: &str) -> String {
    let (word, _) = split_word(line.trim_start_matches(shows_nothing));
    let private = !PUBLIC.contains(&word) && !word.starts_with("//");
    if private && word.starts_with('/') { format!("{word} ") } else { line.trim_end().to_owned() }
}

/// What the word before the cursor may be completed to: where it begins, and the whole words.
pub(super) fn completions<'a>(before: &str, names: impl IntoIterator<Item = &'a str>) -> (usize, Vec<String>) {
    let start = before.rfind([' ', '\t', ',']).map_or(0, |at| at + 1);
    let word = fold_case(&before[start..]);
    let whole = if start == 0 && word.starts_with('/') {
        COMMANDS.iter().filter(|command| command.starts_with(&word)).map(|command| format!("{command} ")).collect()
    } else {
        let after = if start == 0 { ": " } else { " " };
        let fitting = names.into_iter().filter(|name| fold_case(name).starts_with(&word));
        fitting.map(|name| format!("{name}{after}")).collect()
    };
    (start, whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Text;

    fn text(raw: &str) -> Text {
        Text::new(raw).unwrap()
    }

    fn name(raw: &str) -> Name {
        Name::new(raw).unwrap()
    }

    #[test]
    fn lines_mean_what_people_expect() {
        let check = |line: &str, expected| assert_eq!(Typed::parse(line, Some(&name("eve"))), expected, "{line:?}");
        let command = Typed::Command;
        check("", Typed::Blank);
        check("  ", Typed::Blank);
        check("hello there", command(Command::Msg(text("hello there"))));
        check(" /who", command(Command::Who));
        check(" hello", command(Command::Msg(text(" hello"))));
        check("//etc/motd", command(Command::Msg(text("/etc/motd"))));
        check("QUIT now", command(Command::Msg(text("QUIT now"))));
        check("quit", command(Command::Msg(text("quit"))));
        check("/w bob psst", command(Command::Whisper(vec![name("bob")], text("psst"))));
        check("/W bob,eve psst", command(Command::Whisper(vec![name("bob"), name("eve")], text("psst"))));
        for line in ["/msg bob psst", " /msg bob psst", " /w bob psst"] {
            check(line, command(Command::Whisper(vec![name("bob")], text("psst"))));
        }
        check("/whisper bob psst", command(Command::Whisper(vec![name("bob")], text("psst"))));
        check("/reply  me too", command(Command::Whisper(vec![name("eve")], text(" me too"))));
        check("/r ok", command(Command::Whisper(vec![name("eve")], text("ok"))));
        check("/who", command(Command::Who));
        check("/nick al", command(Command::Nick(name("al"))));
        check("/status", command(Command::Status));
        check("/ping", command(Command::Ping(None)));
        check("/help", Typed::Help);
        check("/help w", Typed::Help);
        check("/quit", command(Command::Quit(None)));
        check("/quit tea", command(Command::Quit(Some(text("tea")))));
        check(".exit", command(Command::Quit(None)));
        check("QUIT", command(Command::Quit(None)));
        check("QUIT ", command(Command::Quit(None)));
    }

    #[test]
    fn what_is_wrong_says_what_to_type() {
        let check = |line: &str, expected: &str| match Typed::parse(line, None) {
            Typed::Wrong(why) => assert!(why.contains(expected), "{line:?}: {why}"),
            other => panic!("{line:?}: {other:?}"),
        };
        check("/shrug", "to begin a message with a slash, type two: //shrug");
        check("/chat", "/help lists what is");
        check("/set tags off", "/help lists what is");
        check("/pong x", "/help lists what is");
        check("/w", "write: /MSG name");
        check("/w bob", "write: /MSG name");
        check("/reply hi", "nobody has whispered");
        check("/nick a,b", "cannot contain a comma");
        check("/who else", "one argument too many");
        check(&"x".repeat(4097), "more than 4096 bytes");
    }

    #[test]
    fn whispers_are_not_remembered() {
        let check = |line: &str, expected: &str| assert_eq!(remembered(line), expected, "{line:?}");
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
        check("/reply the secret", "/reply ");
        check("/r the secret", "/r ");
        check("/wisper bob the secret", "/wisper ");
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
    }
}
