//! `SEARCH`: finds messages by their words, the newest first.

use std::fmt;

use super::arguments::parse_text;
use super::context::room_of;
use super::{Context, Definition, Hint, HistoryQuery, Refusal, RoomUse, Specification, Verb};
use crate::limits::SEARCH_WORDS_MAX;
use crate::protocol::words::count_words;
use crate::protocol::{ErrorCode, Mode, Text};

/// Find the messages that contain all these words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search(pub Text);

impl Definition for Search {
    const SPECIFICATION: Specification = Specification {
        verb: "SEARCH",
        usage: "SEARCH words",
        summary: "find messages with all these words, newest first",
        reply_keys: &["count"],
        allows_watchers: true,
        room: RoomUse::Prefix,
        ..Specification::DEFAULT
    };

    /// Number of messages found. Their `PAST` lines precede the reply.
    type Reply = u64;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let words = parse_text(Verb::Search, arguments)?;
        let count = count_words(words.as_str());
        if count > SEARCH_WORDS_MAX {
            let text = format!("{count} words: expected at most {SEARCH_WORDS_MAX}");
            return Err(Refusal::new(Verb::Search, ErrorCode::WordsTooMany, text));
        }
        Ok(Self(words))
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        room_of(context, Verb::Search)?;
        if context.has_store() {
            context.query_store(HistoryQuery::Words(self.0));
            return Ok(());
        }
        let what = "search is disabled on this server";
        Err(Refusal::new(Verb::Search, ErrorCode::NoStore, what).with_hint(Hint::EnableStore))
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
