//! `MSG`: sends a message to everybody in the room.

use std::fmt;

use super::arguments::parse_text;
use super::{Context, Definition, Pipelining, Refusal, Specification, Verb};
use crate::protocol::{MessageId, Mode, Text};
use crate::room::{Action, Message};

/// Say this to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Msg(pub Text);

impl Definition for Msg {
    const SPECIFICATION: Specification = Specification {
        verb: "MSG",
        usage: "MSG text",
        chat_usage: Some("text"),
        summary: "send a message to everybody",
        pipelining: Pipelining::SameVerb,
        reply_keys: &["id"],
        ..Specification::DEFAULT
    };

    type Reply = MessageId;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        parse_text(Verb::Msg, arguments).map(Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        if let Some(name) = context.nickname().cloned() {
            context.submit(Action::Say(Message { name, at: context.time(), text: self.0 }));
        }
        Ok(())
    }
}

impl fmt::Display for Msg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
