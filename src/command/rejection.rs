//! The rejections of the shared state as refusals of commands.

use super::context::not_in_room;
use super::join::room_refusal;
use super::moderation::{ban_refusal, lock_refusal, moderation_refusal, mute_refusal};
use super::{Hint, Refusal, Verb};
use crate::protocol::{AccountTokenId, Day, ErrorCode, Name, Timestamp};
use crate::state::{
    AccountCommand, AccountRejection, ContentKind, MemberCommand, MutedCommand, Rejection, SpeechRefusal, StoreFailure,
};

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
            Rejection::NickRegistered(name, owner) => registered_refusal(Verb::Nick, &name, &owner),
            Rejection::NickResting(name, former, until) => resting_refusal(Verb::Nick, &name, &former, until),
            // The token is valid no more, like that of a member that has left.
            Rejection::ResumeRegistered(..) => Self::token_unknown(),
            Rejection::NickBanned(notice) => ban_refusal(Verb::Nick, &notice),
            Rejection::ResumeBanned(notice) => ban_refusal(Verb::Resume, &notice),
            Rejection::WatchBanned(notice) => ban_refusal(Verb::Watch, &notice),
            Rejection::WatchLocked(room, lock) => lock_refusal(Verb::Watch, &room, lock),
            Rejection::Muted(command, notice) => mute_refusal(command, &notice),
            Rejection::Account(command, why) => account_refusal(command, why),
            Rejection::RegisterRoom(why) => room_refusal(Verb::Nick, why),
            Rejection::JoinRoom(why) => room_refusal(Verb::Join, why),
            Rejection::WatchRoom(room) => not_in_room(Verb::Watch, Some(&room)),
            Rejection::NotInRoom(command) => not_in_room(member_verb(command), None),
            Rejection::NoName(command) => {
                let what = "you have no name any more";
                Self::new(member_verb(command), ErrorCode::NoName, what).with_hint(Hint::TakeNickname)
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
            Rejection::Moderation(command, why) => moderation_refusal(command, why),
            Rejection::NotStored(kind, StoreFailure::Silenced(why)) => silenced_refusal(kind, why),
            Rejection::NotStored(kind, StoreFailure::NotStored(why)) => {
                not_stored_refusal(kind, &why).with_hint(Hint::RetryLater)
            }
            Rejection::NotStored(kind, StoreFailure::Unconfirmed(why)) => {
                let hint = match kind {
                    ContentKind::Message => Hint::CheckHistory,
                    ContentKind::Topic | ContentKind::Deletion => Hint::RetryLater,
                };
                not_stored_refusal(kind, &format!("{why}; it may have been stored")).with_hint(hint)
            }
        }
    }
}

fn member_verb(command: MemberCommand) -> Verb {
    match command {
        MemberCommand::Say => Verb::Msg,
        MemberCommand::Draw => Verb::Draw,
        MemberCommand::SetTopic => Verb::Topic,
        MemberCommand::Part => Verb::Part,
        MemberCommand::Rename => Verb::Nick,
        MemberCommand::Join => Verb::Join,
        MemberCommand::Whisper => Verb::Whisper,
        MemberCommand::SetResume => Verb::Set,
    }
}

fn nick_refusal(code: ErrorCode, name: &Name, how: &str, holder: &Name) -> Refusal {
    let what =
        if name == holder { format!("{name} is taken") } else { format!("{name} {how} {holder}, which is taken") };
    Refusal::new(Verb::Nick, code, what).with_hint(Hint::ChooseNickname)
}

fn registered_refusal(verb: Verb, name: &Name, owner: &Name) -> Refusal {
    let what = match relation(name, owner) {
        None => format!("{name} belongs to an account"),
        Some(how) => format!("{name} {how} {owner}, which belongs to an account"),
    };
    Refusal::new(verb, ErrorCode::NameRegistered, what).with_hint(Hint::LogInOrChooseNickname)
}

fn resting_refusal(verb: Verb, name: &Name, former: &Name, until: Timestamp) -> Refusal {
    let (until, rests) = (Day::from(until), "belonged to an account that was deleted, and cannot be taken before");
    let what = match relation(name, former) {
        None => format!("{name} {rests} {until} UTC"),
        Some(how) => format!("{name} {how} {former}, which {rests} {until} UTC"),
    };
    Refusal::new(verb, ErrorCode::NameResting, what).with_hint(Hint::ChooseNickname)
}

/// How a nickname resembles another one, if it is written in another way.
fn relation(name: &Name, other: &Name) -> Option<&'static str> {
    let is_same = name.key() == other.key();
    (name != other).then_some(if is_same { "is the same name as" } else { "looks too much like" })
}

pub(super) fn account_verb(command: AccountCommand) -> Verb {
    match command {
        AccountCommand::Create => Verb::Register,
        AccountCommand::SetPassword => Verb::SetPassword,
        // Only the operator sets roles, without a command.
        AccountCommand::Delete | AccountCommand::SetRole => Verb::Unregister,
        AccountCommand::CreateToken | AccountCommand::RevokeToken | AccountCommand::RecordTokenUse => {
            Verb::AccessTokens
        }
        AccountCommand::Login => Verb::Login,
        AccountCommand::TakeOver => Verb::Takeover,
    }
}

fn account_refusal(command: AccountCommand, why: AccountRejection) -> Refusal {
    let verb = account_verb(command);
    let refuse = |code, what: &str| Refusal::new(verb, code, what);
    match why {
        AccountRejection::Changed if matches!(verb, Verb::Login | Verb::Takeover | Verb::Unregister) => {
            Refusal::wrong_account_password(verb)
        }
        AccountRejection::Changed => refuse(ErrorCode::LoginTooOld, "your account has changed since you logged in")
            .with_hint(Hint::Write(Verb::Login)),
        AccountRejection::InUse(name) => {
            let what = format!("another connection uses the account {name}");
            refuse(ErrorCode::AccountInUse, &what).with_hint(Hint::TakeOverAccount)
        }
        AccountRejection::LoggedIn => {
            refuse(ErrorCode::AlreadyLoggedIn, "you are logged in to another account").with_hint(Hint::Reconnect)
        }
        AccountRejection::Reserved(name) => {
            let what = format!(
                "{name} is reserved while a message sent under it, or under a similar name, waits to be stored"
            );
            refuse(ErrorCode::NameTaken, &what).with_hint(Hint::RetryLater)
        }
        AccountRejection::Banned(notice) => ban_refusal(verb, &notice),
        AccountRejection::Room(why) => room_refusal(verb, why),
        AccountRejection::Registered(name, owner) => registered_refusal(verb, &name, &owner),
        AccountRejection::Resting(name, former, until) => resting_refusal(verb, &name, &former, until),
        AccountRejection::TooMany(count) => {
            refuse(ErrorCode::AccountsFull, &format!("the server has {count} accounts, and takes no more"))
        }
        AccountRejection::TooManyTokens(count) => {
            let what = format!("your account has {count} access tokens");
            refuse(ErrorCode::TokensTooMany, &what).with_hint(Hint::RevokeToken)
        }
        AccountRejection::TokenUnknown(AccountTokenId(number)) => {
            let what = format!("your account has no access token {number}");
            refuse(ErrorCode::TokenUnknown, &what).with_hint(Hint::ListTokens)
        }
        // No client reads this one.
        AccountRejection::AlreadyRecorded => refuse(ErrorCode::Busy, "the token was already used today"),
        // Only messages and topics are silenced.
        AccountRejection::NotStored(StoreFailure::Silenced(_)) => refuse(ErrorCode::NotStored, "nothing was changed"),
        AccountRejection::NotStored(StoreFailure::NotStored(why)) => {
            refuse(ErrorCode::NotStored, &format!("nothing was changed: {why}")).with_hint(Hint::RetryLater)
        }
        AccountRejection::NotStored(StoreFailure::Unconfirmed(why)) => {
            let what = format!("nothing was changed: {why}; it may have been stored");
            refuse(ErrorCode::NotStored, &what).with_hint(Hint::RetryLater)
        }
    }
}

fn whisper_refusal(code: ErrorCode, why: &str) -> Refusal {
    Refusal::new(Verb::Whisper, code, format!("{why}; nothing was delivered"))
}

/// The refusal of a message or a topic whose author must not speak any more.
fn silenced_refusal(kind: ContentKind, why: SpeechRefusal) -> Refusal {
    let command = match kind {
        ContentKind::Message => MutedCommand::Say,
        // Deletions are never refused for this reason.
        ContentKind::Topic | ContentKind::Deletion => MutedCommand::SetTopic,
    };
    match why {
        SpeechRefusal::Muted(notice) => mute_refusal(command, &notice),
        SpeechRefusal::Removed => not_in_room(verb_of(kind), None),
    }
}

fn not_stored_refusal(kind: ContentKind, why: &str) -> Refusal {
    let what = match kind {
        ContentKind::Message => "the message was not delivered",
        ContentKind::Topic => "the topic was not changed",
        ContentKind::Deletion => "the message was not deleted",
    };
    Refusal::new(verb_of(kind), ErrorCode::NotStored, format!("{what}: {why}"))
}

fn verb_of(kind: ContentKind) -> Verb {
    match kind {
        ContentKind::Message => Verb::Msg,
        ContentKind::Topic => Verb::Topic,
        ContentKind::Deletion => Verb::Delete,
    }
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
        check(
            Rejection::NickRegistered(name("AL"), name("al")),
            "NICK name-registered AL is the same name as al, which belongs to an account; log in to it, or choose another and \
             write: ~NICK name",
        );
        check(
            Rejection::NickResting(name("rn"), name("m"), Timestamp(0)),
            "NICK name-resting rn looks too much like m, which belonged to an account that was deleted, and cannot be taken \
             before 1970-01-01 UTC; choose another and write: ~NICK name",
        );
        let account = Rejection::Account;
        check(
            account(AccountCommand::Create, AccountRejection::Registered(name("al"), name("al"))),
            "REGISTER name-registered al belongs to an account; log in to it, or choose another and write: ~NICK name",
        );
        check(
            account(AccountCommand::Login, AccountRejection::InUse(name("al"))),
            "LOGIN account-in-use another connection uses the account al; to close that one, write: ~TAKEOVER name password",
        );
        check(
            account(AccountCommand::TakeOver, AccountRejection::Changed),
            "TAKEOVER password-wrong the name or the password is wrong; write: ~TAKEOVER name password",
        );
        check(
            account(AccountCommand::SetPassword, AccountRejection::Changed),
            "PASSWORD login-too-old your account has changed since you logged in; write: ~LOGIN name password",
        );
        check(
            account(AccountCommand::Create, AccountRejection::TooMany(9)),
            "REGISTER accounts-full the server has 9 accounts, and takes no more",
        );
        check(
            account(AccountCommand::CreateToken, AccountRejection::TooManyTokens(32)),
            "TOKEN tokens-too-many your account has 32 access tokens; to revoke one, write: ~TOKEN revoke number",
        );
        check(
            account(AccountCommand::RevokeToken, AccountRejection::TokenUnknown(AccountTokenId(7))),
            "TOKEN token-unknown your account has no access token 7; ~TOKEN list shows the numbers",
        );
        check(
            account(AccountCommand::Login, AccountRejection::LoggedIn),
            "LOGIN already-logged-in you are logged in to another account; connect again",
        );
        let not_stored = StoreFailure::NotStored("the disk is full".into());
        check(
            account(AccountCommand::Create, AccountRejection::NotStored(not_stored.clone())),
            "REGISTER not-stored nothing was changed: the disk is full; try again later",
        );
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
