//! The refusals of commands whose changes the cluster does not accept.

use super::moderation::moderation_verb;
use super::rejection::account_verb;
use super::{Hint, Refusal, Verb};
use crate::protocol::{ErrorCode, RoomId};
use crate::state::{AccountCommand, AccountUpdate, Action};

/// The refusal of the command that has submitted this action, for this reason. `None`: no client waits for a reply.
pub(crate) fn unavailable_refusal(action: &Action, why: &str) -> Option<Refusal> {
    let verb = match action {
        Action::Register { .. } | Action::Rename(_) => Verb::Nick,
        Action::Join(_) => Verb::Join,
        Action::Part(..) => Verb::Part,
        Action::Say(..) => Verb::Msg,
        Action::SetTopic(..) => Verb::Topic,
        Action::Whisper(..) => Verb::Whisper,
        Action::Draw(..) => Verb::Draw,
        Action::Watch(_) => Verb::Watch,
        Action::SetVerifier(_) => Verb::Set,
        Action::Resume(..) => Verb::Resume,
        Action::Barrier(_) => Verb::Ping,
        Action::Login(request) if request.takes_over => account_verb(AccountCommand::TakeOver),
        Action::Login(_) => account_verb(AccountCommand::Login),
        Action::ChangeAccount(change) => match &change.update {
            AccountUpdate::RecordTokenUse { .. } => return None,
            update => account_verb(update.command()),
        },
        Action::Moderate(moderation) => moderation_verb(moderation.command()),
        Action::DeleteOwn(_) => Verb::Delete,
        _ => return None,
    };
    let what = format!("nothing was changed: {why}");
    Some(Refusal::new(verb, ErrorCode::ClusterUnavailable, what).with_hint(Hint::RetryLater))
}

/// The room that the action is about, if its reply names it.
pub(crate) fn room_of_action(action: &Action) -> Option<RoomId> {
    match action {
        Action::Say(room, _) | Action::SetTopic(room, _) | Action::Draw(room, _) | Action::Part(room, _) => Some(*room),
        Action::Moderate(moderation) => moderation.room(),
        Action::DeleteOwn(deletion) => Some(deletion.room),
        _ => None,
    }
}
