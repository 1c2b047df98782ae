//! `MSG`: sends a message to everybody in a room.

use std::fmt;

use super::arguments::parse_text;
use super::context::room_of;
use super::{Context, Definition, Hint, Pipelining, Refusal, RoomUse, Specification, TypedSecret, Verb, split_indent};
use crate::protocol::{ErrorCode, MessageId, Mode, ROOM_MARK, RoomName, Text};
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

    /// A message that begins with the name of a room, or has a secret, may be refused at once.
    fn waits_for_store(&self) -> bool {
        first_room(self.0.as_str()).is_none() && TypedSecret::all_in(self.0.as_str()).next().is_none()
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        if context.mode() == Mode::Chat {
            check_secret(context, &self.0)?;
            if !context.names_room() {
                check_first_room(context, &self.0)?;
            }
        }
        let (room, _) = room_of(context, Verb::Msg)?;
        if let Some(name) = context.nickname().cloned() {
            let (account, at) = (context.account(), context.time());
            context.submit(Action::Say(room, Message { name, account, at, text: self.0 }));
        }
        Ok(())
    }
}

/// Refuses a line of chat mode that begins with a command and its secret: without the slash, it would be published. On a server
/// without a password, `PASS` begins a sentence; so does `LOGIN` on one without accounts. An access token is refused anywhere: it may be
/// one of another server.
fn check_secret(context: &dyn Context, text: &Text) -> Result<(), Refusal> {
    let is_refused = |secret: &TypedSecret| match secret {
        TypedSecret::Command(verb) => verb.is_offered(context),
        TypedSecret::AccessToken => true,
    };
    let (what, hint) = match TypedSecret::all_in(text.as_str()).find(is_refused) {
        None => return Ok(()),
        Some(TypedSecret::Command(verb)) => {
            (format!("this looks like the command {verb} with a secret; nothing was sent"), Hint::CommandOrMessage)
        }
        Some(TypedSecret::AccessToken) => {
            ("this has an access token, with which others could log in; nothing was sent".to_owned(), Hint::Blank)
        }
    };
    Err(Refusal::new(Verb::Msg, ErrorCode::SecretRefused, what).with_hint(hint))
}

/// Refuses a line of chat mode that begins with the name of an own or former room: it may be meant for that room only.
fn check_first_room(context: &dyn Context, text: &Text) -> Result<(), Refusal> {
    match first_room(text.as_str()) {
        Some(room) if context.may_have_read(&room) => {
            let what = format!("it is not clear whether this is for {room}; nothing was sent");
            Err(Refusal::new(Verb::Msg, ErrorCode::RoomAmbiguous, what).with_hint(Hint::SlashOrBlank))
        }
        _ => Ok(()),
    }
}

/// The room with whose name the text begins. Input methods for Chinese, Japanese and Korean type a full-width mark and space. Before the
/// name, characters other than white space that show nothing are ignored.
fn first_room(text: &str) -> Option<RoomName> {
    let (indent, rest) = split_indent(text);
    let word = rest.strip_prefix([ROOM_MARK, '＃'])?.split(char::is_whitespace).next()?;
    let is_escaped = indent.contains(char::is_whitespace);
    if is_escaped { None } else { RoomName::new(&format!("{ROOM_MARK}{word}")).ok() }
}

impl fmt::Display for Msg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: such lines were said in the home.
    #[test]
    fn first_room_is_found_behind_invisible_characters_and_in_full_width() {
        let check = |text: &str, room: Option<&str>| {
            assert_eq!(first_room(text).map(|room| room.to_string()).as_deref(), room, "{text:?}");
        };
        for text in ["#ops hi", "#ops", "#ops\thi", "#ops\u{3000}hi", "#ops\u{a0}hi", "＃ops hi", "＃ｏｐｓ hi"] {
            check(text, Some("#ops"));
        }
        for text in ["\u{200b}#ops hi", "\u{ad}#ops hi", "\u{fffd}#ops hi"] {
            check(text, Some("#ops"));
        }
        for text in [" #ops hi", "\u{3000}#ops hi", "\u{200b} #ops hi", "#,ops hi", "# ops", "hi #ops", ""] {
            check(text, None);
        }
    }
}
