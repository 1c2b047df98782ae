//! Writes and reads messages and topics.

use minicbor::decode::{self, Decoder};
use minicbor::encode::Encoder;

use super::values::{Sink, WriteResult, read_optional_account, write_optional_account, write_optional_text};
use crate::protocol::Timestamp;
use crate::state::snapshot::values::{read_name, read_optional, read_text};
use crate::state::{Message, TopicChange};

/// Four values.
pub(super) fn write_message<W: Sink>(e: &mut Encoder<W>, message: &Message) -> WriteResult {
    let Message { name, account, at, text } = message;
    e.str(name.as_str())?;
    write_optional_account(e, *account)?;
    e.i64(at.0)?.str(text.as_str())?;
    Ok(())
}

pub(super) fn read_message(d: &mut Decoder<'_>) -> Result<Message, decode::Error> {
    let (name, account) = (read_name(d)?, read_optional_account(d)?);
    Ok(Message { name, account, at: Timestamp(d.i64()?), text: read_text(d)? })
}

/// Three values.
pub(super) fn write_topic_change<W: Sink>(e: &mut Encoder<W>, change: &TopicChange) -> WriteResult {
    let TopicChange { name, at, topic } = change;
    e.str(name.as_str())?.i64(at.0)?;
    write_optional_text(e, topic.as_ref())
}

pub(super) fn read_topic_change(d: &mut Decoder<'_>) -> Result<TopicChange, decode::Error> {
    Ok(TopicChange { name: read_name(d)?, at: Timestamp(d.i64()?), topic: read_optional(d, read_text)? })
}
