//! Which changes can be refused while the engine does not answer.

use crate::state::{AccountUpdate, Action};

/// Whether a client or an operator waits for the result of this change, and can try again. Ends of connections and the changes that nodes
/// and sessions make by themselves are never refused: nobody would repeat them.
pub(super) fn is_refusable(action: &Action) -> bool {
    match action {
        Action::ChangeAccount(change) => !matches!(change.update, AccountUpdate::RecordTokenUse { .. }),
        Action::Register { .. }
        | Action::Rename(_)
        | Action::Join(_)
        | Action::Part(..)
        | Action::Say(..)
        | Action::SetTopic(..)
        | Action::Login(_)
        | Action::Moderate(_)
        | Action::DeleteOwn(_)
        | Action::Whisper(..)
        | Action::Draw(..)
        | Action::Watch(_)
        | Action::SetVerifier(_)
        | Action::Resume(..)
        | Action::Barrier(_) => true,
        Action::ContentPending(_)
        | Action::ContentFailed(..)
        | Action::AccountPending
        | Action::AccountChangeFailed(..)
        | Action::RecordModeration(..)
        | Action::ModerationStored(..)
        | Action::OwnDeletionStored(..)
        | Action::Unwatch
        | Action::EndOfInput
        | Action::Detach(_)
        | Action::Leave(..)
        | Action::Evict(..)
        | Action::Tick
        | Action::SetPolicy(_)
        | Action::Stop
        | Action::JoinCluster(_)
        | Action::Heartbeat
        | Action::LeaveCluster => false,
    }
}
