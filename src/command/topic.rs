//! `TOPIC`: shows the topic of a room, sets it or clears it.

use std::fmt;

use super::arguments::parse_text;
use super::context::room_of;
use super::{Context, Definition, Hint, Pipelining, Refusal, Reply, ReplyWords, RoomUse, Specification, Verb};
use crate::limits::TOPIC_BYTES_MAX;
use crate::protocol::{ErrorCode, Mode, Text};
use crate::state::{Action, TopicChange};

/// Show or change the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Show it.
    Show,
    /// Clear it.
    Clear,
    /// Set it to this text.
    Set(Text),
}

/// The argument that clears the topic.
const CLEAR: &str = "-";

impl Definition for Topic {
    const SPECIFICATION: Specification = Specification {
        verb: "TOPIC",
        usage: "TOPIC [text|-]",
        summary: "show the topic, or set it; - clears it",
        allows_watchers: true,
        room: RoomUse::Prefix,
        pipelining: Pipelining::SameVerb,
        reply_keys: &["topic"],
        ..Specification::DEFAULT
    };

    type Reply = Option<Text>;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let arguments = arguments.trim();
        if arguments.is_empty() {
            return Ok(Self::Show);
        }
        match parse_text(Verb::Topic, arguments)? {
            text if text.as_str() == CLEAR => Ok(Self::Clear),
            text if text.as_str().len() > TOPIC_BYTES_MAX => {
                let what = format!("the topic is too long: expected at most {TOPIC_BYTES_MAX} bytes");
                Err(Refusal::new(Verb::Topic, ErrorCode::TextTooLong, what))
            }
            text => Ok(Self::Set(text)),
        }
    }

    fn waits_for_store(&self) -> bool {
        *self != Self::Show
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let (id, room) = room_of(context, Verb::Topic)?;
        let topic = match self {
            Self::Show => {
                let topic = room.topic().cloned();
                context.reply(Reply::Topic(topic));
                return Ok(());
            }
            Self::Clear => None,
            Self::Set(text) => Some(text),
        };
        let Some(name) = context.nickname().cloned() else {
            let refusal = Refusal::new(Verb::Topic, ErrorCode::NoName, "you have no name yet");
            return Err(refusal.with_hint(Hint::TakeNickname));
        };
        context.submit(Action::SetTopic(id, TopicChange { name, at: context.time(), topic }));
        Ok(())
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Show => Ok(()),
            Self::Clear => f.write_str(CLEAR),
            Self::Set(text) => text.fmt(f),
        }
    }
}

impl ReplyWords for Option<Text> {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|text| write!(f, " {text}"))
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        words.map(Text::new).transpose().ok()
    }
}
