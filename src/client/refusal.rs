//! Rewords a server's refusals for the command line. The server's texts end with hints for users who type the protocol.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::protocol::ErrorCode;

/// The reason of a refusal, and what to do at a command line.
pub(super) fn explain(code: &str, text: &str) -> String {
    match ErrorCode::from_word(code) {
        Some(
            ErrorCode::NameTaken
            | ErrorCode::NameAlike
            | ErrorCode::NameInvalid
            | ErrorCode::NameTooLong
            | ErrorCode::NameMissing,
        ) => name_refused(text),
        Some(ErrorCode::TargetAbsent) => text.replace("(WHO lists names)", "(chinwag who lists the members)"),
        Some(ErrorCode::TooOld) => text.replace("write: SINCE", "use --since"),
        Some(ErrorCode::EpochChanged) => format!("{}; chinwag history prints the last messages", cause(text)),
        Some(ErrorCode::IdAhead) => {
            let last = text.split("; ").next().unwrap_or(text);
            format!("{last}; expected an id from this server, see chinwag history --json")
        }
        Some(ErrorCode::VerbUnknown) => {
            "the server does not know this command: it is older than this client".to_owned()
        }
        _ => cause(text).to_owned(),
    }
}

/// Why a nickname was refused, and what to do.
pub(super) fn name_refused(text: &str) -> String {
    format!("{}; choose another with --nick", cause(text))
}

/// The text of a refusal without the hint which command to type.
pub(super) fn cause(text: &str) -> &str {
    match text.rfind("write: ") {
        Some(at) => text[..at].rsplit_once("; ").map_or(text, |(cause, _)| cause),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Command, Heard, Mode, Name};

    fn said(line: &str) -> String {
        let heard = Heard::new(line);
        let (code, text) = heard.refused().unwrap();
        explain(code, text)
    }

    #[test]
    fn refusal_suggests_options_instead_of_commands() {
        let check = |line: &str, expected: &str| assert_eq!(said(line), expected, "{line:?}");
        check(
            "ERR NICK name-taken al is taken; choose another and write: NICK name",
            "al is taken; choose another with --nick",
        );
        check(
            "ERR NICK name-taken al is reserved until x is stored; try again later, or choose another and write: NICK name",
            "al is reserved until x is stored; choose another with --nick",
        );
        check(
            "ERR WHISPER target-absent al is not here (WHO lists names); nothing was delivered",
            "al is not here (chinwag who lists the members); nothing was delivered",
        );
        check(
            "ERR SINCE id-ahead the last id is 5; from another epoch? that is in HELLO; write: HISTORY [count]",
            "the last id is 5; expected an id from this server, see chinwag history --json",
        );
        check(
            "ERR SINCE too-old 9 is the oldest that is kept; for all from there on, write: SINCE 8",
            "9 is the oldest that is kept; for all from there on, use --since 8",
        );
        check("ERR MSG later-code no; write: SING la", "no");
        check("ERR MSG not-stored try again later", "try again later");
    }

    /// The refusals of commands that the client checks itself.
    #[test]
    fn local_refusal_has_no_protocol_syntax() {
        let words = "a ".repeat(99);
        let lines = ["NICK a,b", "NICK", "HISTORY x", "HISTORY 1 2", "SEARCH", "WHISPER bob", "WHISPER", "MSG"];
        for line in lines.into_iter().map(ToOwned::to_owned).chain([format!("SEARCH {words}")]) {
            if let Err(refusal) = Command::parse(&line, Mode::Commands) {
                let told = explain(refusal.code.as_str(), refusal.text.as_str());
                assert!(!told.contains("write:") && !told.contains("NICK") && !told.is_empty(), "{line:?}: {told}");
            }
        }
        assert!(Name::new("a,b").is_err());
    }
}
