//! `PONG`: answers the server's `PING`.

use std::fmt;

use super::{Context, Definition, NoReply, Refusal, Specification};
use crate::protocol::{Mode, Text};

/// The client is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pong(pub Option<Text>);

impl Definition for Pong {
    const SPECIFICATION: Specification = Specification {
        verb: "PONG",
        usage: "PONG [token]",
        summary: "answer the server's PING (gets no reply)",
        has_reply: false,
        needs_nickname: false,
        needs_password: false,
        needs_login: false,
        ..Specification::DEFAULT
    };

    type Reply = NoReply;

    /// Never refuses, because a `PONG` gets no reply.
    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        Ok(Self(Text::new(arguments.trim()).ok()))
    }

    /// Does nothing: every line counts as a sign of life.
    fn run(self, _: &mut dyn Context) -> Result<(), Refusal> {
        Ok(())
    }
}

impl fmt::Display for Pong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| token.fmt(f))
    }
}
