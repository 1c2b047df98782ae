//! The rejections of the shared state as refusals of commands.

use super::context::not_in_room;
use super::join::room_refusal;
use super::{Hint, Refusal, Verb};
use crate::protocol::{ErrorCode, Name};
use crate::state::{ContentKind, MemberCommand, Rejection, StoreFailure};

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NickTaken(name, holder) => {
                nick_refusal(ErrorCode::NameTaken, &name, "is the same name as", &holder)
            }
            Rejection::NickAlike(name, holder) => {
                nick_refusal(ErrorCode::NameAlike, &name, "looks too much like", &holder)
            }
            Rejection::NickReserved(name) => {
                let what = format!(
                    "{name} is reserved while a message sent under it, or under a similar name, waits to be stored"
                );
                Self::new(Verb::Nick, ErrorCode::NameTaken, what).with_hint(Hint::RetryNickname)
            }
            Rejection::RegisterRoom(why) => room_refusal(Verb::Nick, why),
            Rejection::JoinRoom(why) => room_refusal(Verb::Join, why),
            Rejection::WatchRoom(room) => not_in_room(Verb::Watch, Some(&room)),
            Rejection::NotInRoom(command) => {
                let verb = match command {
                    MemberCommand::Say => Verb::Msg,
                    MemberCommand::Draw => Verb::Draw,
                    MemberCommand::SetTopic => Verb::Topic,
                    MemberCommand::Part => Verb::Part,
                };
                not_in_room(verb, None)
            }
            Rejection::TokenUnknown => Self::token_unknown(),
            Rejection::TargetSelf(name) => whisper_refusal(ErrorCode::TargetSelf, &format!("{name} is your own name")),
            Rejection::TargetAbsent(name) => {
                whisper_refusal(ErrorCode::TargetAbsent, &format!("{name} is not here")).with_hint(Hint::ListMembers)
            }
            Rejection::TargetDetached(name) => {
                whisper_refusal(ErrorCode::TargetAbsent, &format!("{name} is disconnected and may come back"))
            }
            Rejection::TargetLeaving(name) => {
                whisper_refusal(ErrorCode::TargetAbsent, &format!("{name} is leaving and receives no more messages"))
            }
            Rejection::NotStored(kind, StoreFailure::NotStored(why)) => {
                not_stored_refusal(kind, &why).with_hint(Hint::RetryLater)
            }
            Rejection::NotStored(kind, StoreFailure::Unconfirmed(why)) => {
                let hint = match kind {
                    ContentKind::Message => Hint::CheckHistory,
                    ContentKind::Topic => Hint::RetryLater,
                };
                not_stored_refusal(kind, &format!("{why}; it may have been stored")).with_hint(hint)
            }
        }
    }
}

fn nick_refusal(code: ErrorCode, name: &Name, how: &str, holder: &Name) -> Refusal {
    let what =
        if name == holder { format!("{name} is taken") } else { format!("{name} {how} {holder}, which is taken") };
    Refusal::new(Verb::Nick, code, what).with_hint(Hint::ChooseNickname)
}

fn whisper_refusal(code: ErrorCode, why: &str) -> Refusal {
    Refusal::new(Verb::Whisper, code, format!("{why}; nothing was delivered"))
}

fn not_stored_refusal(kind: ContentKind, why: &str) -> Refusal {
    let (verb, what) = match kind {
        ContentKind::Message => (Verb::Msg, "the message was not delivered"),
        ContentKind::Topic => (Verb::Topic, "the topic was not changed"),
    };
    Refusal::new(verb, ErrorCode::NotStored, format!("{what}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Mode;

    #[test]
    fn rejection_is_worded_for_each_mode() {
        let name = |raw: &str| Name::new(raw).unwrap();
        let check = |rejection: Rejection, expected: &str| {
            let refusal = Refusal::from(rejection);
            assert_eq!(refusal.to_string(), format!("ERR {}", expected.replace('~', "")));
            assert_eq!(refusal.text(Mode::Chat), expected.splitn(3, ' ').last().unwrap().replace('~', "/"));
        };
        check(
            Rejection::NickTaken(name("AL"), name("al")),
            "NICK name-taken AL is the same name as al, which is taken; choose another and write: ~NICK name",
        );
        check(
            Rejection::NickReserved(name("al")),
            "NICK name-taken al is reserved while a message sent under it, or under a similar name, waits to be stored; \
             try again later, or choose another and write: ~NICK name",
        );
        check(
            Rejection::TargetDetached(name("al")),
            "WHISPER target-absent al is disconnected and may come back; nothing was delivered",
        );
        check(
            Rejection::TargetLeaving(name("al")),
            "WHISPER target-absent al is leaving and receives no more messages; nothing was delivered",
        );
        let not_stored = StoreFailure::NotStored("the disk is full".into());
        let unconfirmed = StoreFailure::Unconfirmed("the server is shutting down".into());
        check(
            Rejection::NotStored(ContentKind::Message, not_stored.clone()),
            "MSG not-stored the message was not delivered: the disk is full; try again later",
        );
        check(
            Rejection::NotStored(ContentKind::Message, unconfirmed.clone()),
            "MSG not-stored the message was not delivered: the server is shutting down; it may have been stored; \
             look for it in HISTORY before you try again",
        );
        check(
            Rejection::NotStored(ContentKind::Topic, not_stored),
            "TOPIC not-stored the topic was not changed: the disk is full; try again later",
        );
        check(
            Rejection::NotStored(ContentKind::Topic, unconfirmed),
            "TOPIC not-stored the topic was not changed: the server is shutting down; it may have been stored; \
             try again later",
        );
    }
}
