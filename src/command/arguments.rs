//! Parsers of arguments that several commands have, and the refusals of invalid ones.

use super::{Hint, Refusal, Verb};
use crate::limits::{ECHO_CHARS_MAX, ROOMS_PER_COMMAND_MAX, TEXT_BYTES_MAX, TOKEN_BYTES_MAX};
use crate::protocol::{ErrorCode, NameError, RoomName, RoomNameError, Text, TextError, Token};

/// Parses a text, verbatim.
pub(super) fn parse_text(verb: Verb, arguments: &str) -> Result<Text, Refusal> {
    Text::new(arguments).map_err(|error| match error {
        TextError::TooLong => text_too_long(verb),
        _ => Refusal::new(verb, ErrorCode::TextMissing, "the text is missing").with_hint(Hint::Write(verb)),
    })
}

/// Parses a text and removes the white space around it; `None` if it has no visible character.
pub(super) fn parse_optional_text(verb: Verb, arguments: &str) -> Result<Option<Text>, Refusal> {
    match Text::new(arguments.trim()) {
        Ok(text) => Ok(Some(text)),
        Err(TextError::TooLong) => Err(text_too_long(verb)),
        Err(_) => Ok(None),
    }
}

fn text_too_long(verb: Verb) -> Refusal {
    let text =
        format!("the text is too long: expected at most {TEXT_BYTES_MAX} bytes, after control characters are replaced");
    Refusal::new(verb, ErrorCode::TextTooLong, text)
}

/// Parses the name of a room.
pub(super) fn parse_room(verb: Verb, word: &str) -> Result<RoomName, Refusal> {
    RoomName::new(word).map_err(|error| room_invalid(Some(verb), word, &error).with_hint(Hint::Write(verb)))
}

/// The refusal of a word that is not the name of a room.
pub(super) fn room_invalid(verb: Option<Verb>, word: &str, error: &RoomNameError) -> Refusal {
    let what = match error {
        RoomNameError::Name(NameError::Missing) | RoomNameError::Mark => error.to_string(),
        RoomNameError::Name(_) => format!("invalid room '{}': {error}", shorten(word)),
    };
    Refusal::new(verb, ErrorCode::RoomInvalid, what)
}

/// Parses a list of rooms, separated by commas, and drops those that it has already.
pub(super) fn parse_rooms(verb: Verb, list: &str) -> Result<Vec<RoomName>, Refusal> {
    let words: Vec<_> = list.split(',').collect();
    if list.is_empty() || words.contains(&"") {
        let refusal = Refusal::new(verb, ErrorCode::RoomMissing, "the name of a room is missing");
        return Err(refusal.with_hint(Hint::Write(verb)));
    }
    if words.len() > ROOMS_PER_COMMAND_MAX {
        let what = format!("{} rooms: expected at most {ROOMS_PER_COMMAND_MAX} in one {verb}", words.len());
        return Err(Refusal::new(verb, ErrorCode::RoomsTooMany, what));
    }
    let mut rooms: Vec<RoomName> = Vec::with_capacity(words.len());
    for word in words {
        let room = parse_room(verb, word)?;
        if rooms.iter().all(|other| other.key() != room.key()) {
            rooms.push(room);
        }
    }
    Ok(rooms)
}

/// Parses a number of decimal digits only.
pub(super) fn parse_number(verb: Verb, word: &str) -> Result<u64, Refusal> {
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| word.parse().ok()).flatten().ok_or_else(|| {
        let what = match word {
            "" => "the number is missing".to_owned(),
            _ if digits => format!("the number {} is too large: expected at most {}", shorten(word), u64::MAX),
            _ => format!("invalid number '{}'", shorten(word)),
        };
        Refusal::new(verb, ErrorCode::NumberInvalid, what).with_hint(Hint::Write(verb))
    })
}

/// Parses a word, if there is one.
pub(super) fn parse_optional_token(verb: Verb, arguments: &str) -> Result<Option<Token>, Refusal> {
    match Token::new(arguments) {
        Ok(token) => Ok(Some(token)),
        Err(TextError::Blank) => Ok(None),
        Err(TextError::SeveralWords) => {
            Err(unexpected_argument(verb, arguments.split_whitespace().nth(1).unwrap_or_default()))
        }
        Err(TextError::TooLong) => Err(Refusal::new(
            verb,
            ErrorCode::TokenTooLong,
            format!("the token is too long: expected at most {TOKEN_BYTES_MAX} bytes"),
        )),
    }
}

/// Checks that there are no arguments.
pub(super) fn expect_none(verb: Verb, arguments: &str) -> Result<(), Refusal> {
    match arguments.split_whitespace().next() {
        None => Ok(()),
        Some(surplus) => Err(unexpected_argument(verb, surplus)),
    }
}

/// The refusal of a surplus argument.
pub(super) fn unexpected_argument(verb: Verb, surplus: &str) -> Refusal {
    let what = format!("unexpected argument '{}'", shorten(surplus));
    Refusal::new(verb, ErrorCode::ArgumentUnexpected, what).with_hint(Hint::Write(verb))
}

/// Words of a client as an error line repeats them: cut after [`ECHO_CHARS_MAX`] characters.
pub(super) fn shorten(words: &str) -> String {
    match words.char_indices().nth(ECHO_CHARS_MAX) {
        None => words.to_owned(),
        Some((end, _)) => format!("{}…", &words[..end]),
    }
}
