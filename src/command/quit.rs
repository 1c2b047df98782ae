//! `QUIT`: replies, and closes the connection ([`CloseReason::Left`](crate::protocol::CloseReason::Left)). The member, if
//! there is one, leaves, even if it could be resumed: all others get a `LEAVE` with the reason.

use std::fmt;

use super::arguments::parse_optional_text;
use super::{Context, Definition, EmptyReply, Refusal, Reply, Specification, Verb};
use crate::protocol::{Mode, Text};

/// Leave, for this reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quit(pub Option<Text>);

impl Definition for Quit {
    const SPECIFICATION: Specification = Specification {
        verb: "QUIT",
        usage: "QUIT [reason]",
        summary: "leave all rooms and disconnect",
        needs_nickname: false,
        needs_password: false,
        needs_login: false,
        ..Specification::DEFAULT
    };

    type Reply = EmptyReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        parse_optional_text(Verb::Quit, arguments).map(Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        // Nothing follows it on the connection.
        context.reply_after_all(Reply::Quit(EmptyReply));
        context.quit(self.0);
        Ok(())
    }
}

impl fmt::Display for Quit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|reason| reason.fmt(f))
    }
}
