//! `PING`: gets a reply, after the replies to all lines before it.

use std::fmt;

use super::arguments::parse_optional_token;
use super::{Context, Definition, Refusal, ReplyWords, Specification, Verb};
use crate::protocol::{Mode, Token};
use crate::state::Action;

/// Reply with this token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping(pub Option<Token>);

impl Definition for Ping {
    const SPECIFICATION: Specification = Specification {
        verb: "PING",
        usage: "PING [token]",
        summary: "get OK PING, after the replies to all lines before it",
        needs_nickname: false,
        needs_password: false,
        needs_login: false,
        reply_keys: &["token"],
        ..Specification::DEFAULT
    };

    type Reply = Option<Token>;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        parse_optional_token(Verb::Ping, arguments).map(Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        context.submit(Action::Barrier(self.0));
        Ok(())
    }
}

impl fmt::Display for Ping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| token.fmt(f))
    }
}

impl ReplyWords for Option<Token> {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|token| write!(f, " {token}"))
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        words.map(Token::new).transpose().ok()
    }
}
