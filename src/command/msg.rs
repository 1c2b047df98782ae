//! `MSG`: sends a message to everybody in a room.

use std::fmt;

use super::arguments::parse_text;
use super::context::room_of;
use super::{Context, Definition, Hint, Pipelining, Refusal, RoomUse, Specification, Verb};
use crate::protocol::{ErrorCode, MessageId, Mode, ROOM_MARK, RoomName, Text, split_word};
use crate::state::{Action, Message};

/// Say this to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Msg(pub Text);

impl Definition for Msg {
    const SPECIFICATION: Specification = Specification {
        verb: "MSG",
        usage: "MSG text",
        chat_usage: Some("text"),
        summary: "send a message to everybody in the room",
        pipelining: Pipelining::SameVerb,
        reply_keys: &["id"],
        room: RoomUse::Prefix,
        ..Specification::DEFAULT
    };

    type Reply = MessageId;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        parse_text(Verb::Msg, arguments).map(Self)
    }

    /// A message that begins with the name of a room may be refused at once.
    fn waits_for_store(&self) -> bool {
        !self.0.as_str().starts_with(ROOM_MARK)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        if context.mode() == Mode::Chat && !context.names_room() {
            check_first_word(context, &self.0)?;
        }
        let (room, _) = room_of(context, Verb::Msg)?;
        if let Some(name) = context.nickname().cloned() {
            context.submit(Action::Say(room, Message { name, at: context.time(), text: self.0 }));
        }
        Ok(())
    }
}

/// Refuses a line of chat mode that begins with the name of an own or former room: it may be meant for that room only.
fn check_first_word(context: &dyn Context, text: &Text) -> Result<(), Refusal> {
    let (word, _) = split_word(text.as_str());
    match RoomName::new(word) {
        Ok(room) if context.may_have_read(&room) => {
            let what = format!("it is not clear whether this is for {room}; nothing was sent");
            Err(Refusal::new(Verb::Msg, ErrorCode::RoomAmbiguous, what).with_hint(Hint::SlashOrBlank))
        }
        _ => Ok(()),
    }
}

impl fmt::Display for Msg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
