//! `CHAT`: switches to chat mode and back.

use std::fmt;

use super::arguments::expect_none;
use super::{Context, Definition, Pipelining, Refusal, Reply, Specification, Verb};
use crate::protocol::Mode;

/// Switch to the other [`Mode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chat;

impl Definition for Chat {
    const SPECIFICATION: Specification = Specification {
        verb: "CHAT",
        usage: "CHAT",
        summary: "turn chat mode on: a line is a message, /verb is a command, /msg name text whispers; /chat turns it off",
        pipelining: Pipelining::Off,
        reply_keys: &["value"],
        ..Specification::DEFAULT
    };

    /// Whether the session is in chat mode from here on.
    type Reply = bool;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        expect_none(Verb::Chat, arguments).map(|()| Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let mode = match context.mode() {
            Mode::Commands => Mode::Chat,
            Mode::Chat => Mode::Commands,
        };
        context.set_mode(mode);
        context.reply(Reply::Chat(mode == Mode::Chat));
        Ok(())
    }
}

impl fmt::Display for Chat {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
