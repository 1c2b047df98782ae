//! `NICK`: joins under a nickname, or changes the nickname.

use std::fmt;

use super::{Context, Definition, Hint, Refusal, Reply, Specification, Verb};
use crate::protocol::{ErrorCode, Mode, Name, NameError};
use crate::room::Action;

/// Take this nickname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nick(pub Name);

impl Definition for Nick {
    const SPECIFICATION: Specification = Specification {
        verb: "NICK",
        usage: "NICK name",
        summary: "take a name and join, or change your name",
        needs_nickname: false,
        reply_keys: &["name"],
        ..Specification::DEFAULT
    };

    type Reply = Name;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        Ok(Self(Name::new(arguments.trim())?))
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let Self(name) = self;
        match context.nickname() {
            Some(own) if *own == name => context.reply(Reply::Nick(name)),
            Some(_) => context.submit(Action::Rename(name)),
            None => context.submit(Action::Register(name, context.verifier())),
        }
        Ok(())
    }
}

impl fmt::Display for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
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
