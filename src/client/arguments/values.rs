//! Parses the values of the options. The errors say only what is expected; [`crate::command_line`] adds the option and its value.

use std::path::PathBuf;

use regex_lite::Regex;

use crate::command_line::parse_number;
use crate::limits::{ACCESS_TOKEN_DAYS_MAX, TOKEN_LABEL_BYTES_MAX};
use crate::protocol::{MessageId, Name, RoomName, Text, Token, TokenLabel};

/// Accepts any nickname: the server checks it, and at a terminal the client asks for another one.
pub(super) fn parse_nick(raw: &str) -> Result<String, String> {
    if raw.is_empty() { Err("expected a nickname".to_owned()) } else { Ok(raw.to_owned()) }
}

pub(super) fn parse_file(raw: &str) -> Result<PathBuf, String> {
    if raw.is_empty() { Err("expected the path of a file".to_owned()) } else { Ok(raw.into()) }
}

pub(super) fn parse_label(raw: &str) -> Result<TokenLabel, String> {
    let text = Text::new(raw).map_err(|_| "expected a text".to_owned())?;
    TokenLabel::new(text).map_err(|_| format!("expected at most {TOKEN_LABEL_BYTES_MAX} bytes"))
}

pub(super) fn parse_days(raw: &str) -> Result<u16, String> {
    parse_number(raw, 1..=ACCESS_TOKEN_DAYS_MAX, "a number of days")
}

pub(super) fn parse_room(raw: &str) -> Result<RoomName, String> {
    RoomName::new(raw).map_err(|why| why.to_string())
}

pub(super) fn parse_member(raw: &str) -> Result<Name, String> {
    if raw.is_empty() { Err("expected a nickname".to_owned()) } else { Name::new(raw).map_err(|why| why.to_string()) }
}

/// Refuses blanks and empty names: with them, the server would parse the first word of the text as a name.
pub(super) fn parse_names(raw: &str) -> Result<String, String> {
    let are_names = raw.split(',').all(|name| Name::new(name).is_ok());
    if are_names { Ok(raw.to_owned()) } else { Err("expected nicknames separated by commas".to_owned()) }
}

pub(super) fn parse_regex(raw: &str) -> Result<Regex, String> {
    Regex::new(raw).map_err(|why| format!("expected a regular expression: {why}"))
}

pub(super) fn parse_messages(raw: &str) -> Result<u64, String> {
    parse_number(raw, 0.., "a number of messages")
}

pub(super) fn parse_awaited(raw: &str) -> Result<u64, String> {
    parse_number(raw, 1.., "a number of messages")
}

pub(super) fn parse_count(raw: &str) -> Result<u64, String> {
    parse_number(raw, 1.., "a number of lines")
}

pub(super) fn parse_id(raw: &str) -> Result<MessageId, String> {
    parse_number(raw, 0.., "an id").map(MessageId)
}

pub(super) fn parse_epoch(raw: &str) -> Result<Token, String> {
    Token::new(raw).map_err(|_| "expected the word after epoch= in the server's greeting, such as k7qd".to_owned())
}
