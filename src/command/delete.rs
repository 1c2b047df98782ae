//! `DELETE`: removes the text of a message.

use std::fmt;

use super::arguments::parse_number;
use super::context::room_of;
use super::moderation::Stored;
use super::{Context, Definition, Pipelining, Refusal, RoomUse, Specification, Verb};
use crate::protocol::{MessageId, Mode};
use crate::state::{Action, Moderation, RoomId};

/// Delete the message with this id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delete(pub MessageId);

impl Definition for Delete {
    const SPECIFICATION: Specification = Specification {
        verb: "DELETE",
        usage: "DELETE id",
        summary: "delete a message of your own or, as a moderator, any message of the room; HISTORY shows the ids",
        room: RoomUse::Prefix,
        pipelining: Pipelining::Off,
        reply_keys: &["id", "stored"],
        ..Specification::DEFAULT
    };

    type Reply = Stored<MessageId>;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        parse_number(Verb::Delete, arguments.trim()).map(|id| Self(MessageId(id)))
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let (room, _) = room_of(context, Verb::Delete)?;
        context.submit(Action::Moderate(self.moderation(room)));
        Ok(())
    }
}

impl Delete {
    /// The change that it asks for, in this room.
    pub(super) fn moderation(self, room: RoomId) -> Moderation {
        Moderation::Delete { room, id: self.0 }
    }
}

impl fmt::Display for Delete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.0)
    }
}
