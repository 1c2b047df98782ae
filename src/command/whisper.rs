//! `WHISPER`: sends a message to some members only.

use std::fmt;

use super::arguments::{parse_text, shorten};
use super::{Context, Definition, Hint, Refusal, ReplyWords, Specification, Verb};
use crate::limits::WHISPER_NAMES_MAX;
use crate::protocol::{ErrorCode, Mode, Name, Text, is_space, split_word};
use crate::state::Action;

/// Say this to all of these members, or to none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whisper {
    /// The recipients, each once.
    pub to: Vec<Name>,
    /// The text.
    pub text: Text,
}

impl Definition for Whisper {
    const SPECIFICATION: Specification = Specification {
        verb: "WHISPER",
        usage: "WHISPER name[,name...] text",
        chat_usage: Some("/msg name[,name...] text"),
        chat_aliases: &["msg", "w"],
        summary: "send a message to the named members only",
        reply_keys: &["names"],
        ..Specification::DEFAULT
    };

    /// The recipients, as they write their nicknames.
    type Reply = Vec<Name>;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let refuse = |code, what: &str| Refusal::new(Verb::Whisper, code, what);
        let (list, said) = split_word(arguments.trim_start_matches(is_space));
        let words: Vec<_> = list.split(',').collect();
        if words.contains(&"") {
            return Err(refuse(ErrorCode::TargetMissing, "a name is missing").with_hint(Hint::JoinNamesByCommas));
        }
        if words.len() > WHISPER_NAMES_MAX {
            let what = format!("{} names: expected at most {WHISPER_NAMES_MAX}; nothing was delivered", words.len());
            return Err(refuse(ErrorCode::TargetsTooMany, &what));
        }
        let mut to: Vec<Name> = Vec::with_capacity(words.len());
        for word in words {
            let Ok(name) = Name::new(word) else {
                let what = format!("{} is not here; nothing was delivered", shorten(word));
                return Err(refuse(ErrorCode::TargetAbsent, &what).with_hint(Hint::ListMembers));
            };
            if to.iter().all(|other| other.key() != name.key()) {
                to.push(name);
            }
        }
        Ok(Self { to, text: parse_text(Verb::Whisper, said.unwrap_or(""))? })
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        context.submit(Action::Whisper(self.to, self.text));
        Ok(())
    }
}

impl fmt::Display for Whisper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", join_names(&self.to), self.text)
    }
}

impl ReplyWords for Vec<Name> {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " {}", join_names(self))
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        words?.split(',').map(Name::new).collect::<Result<_, _>>().ok()
    }
}

fn join_names(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(",")
}
