//! The entries of the audit log. The state makes them from the commands that it carries out, and from the changes of accounts that it plans;
//! the sequencer numbers and keeps them.

use std::time::Duration;

use super::{
    AccountChange, AccountEffect, Member, Moderation, ModerationOutcome, Origin, RoomId, SharedState, Transition,
};
use crate::protocol::{
    AccountId, AuditAct, AuditActor, AuditEntry, Name, RoomName, SanctionKind, SanctionTarget, Text,
};

/// The part of an entry that must be known before a command is carried out: the command may remove its target.
pub(super) struct AuditDraft {
    by: Option<AuditActor>,
    target_account: Option<AccountId>,
    duration: Option<Duration>,
    reason: Option<Text>,
    /// The nickname of the author of the message to delete, if the message is in memory.
    author: Option<Name>,
    /// The origin deletes a message of its own.
    is_author: bool,
}

impl Transition<'_> {
    /// Begins the entry for a command.
    pub(super) fn draft_audit(&self, moderation: &Moderation) -> AuditDraft {
        let duration = if let Moderation::Sanction { duration, .. } = moderation { *duration } else { None };
        let message = match moderation {
            Moderation::Delete { room, id } => self.state.room(*room).and_then(|room| room.history.get(*id)),
            _ => None,
        };
        let own_account = self.state.member(self.origin.member).and_then(Member::account);
        let is_author = message.is_some_and(|message| message.author.is(self.origin.member, own_account));
        let author = message.map(|message| message.past.name.clone());
        let target_account = match moderation {
            Moderation::Delete { .. } => message.and_then(|message| message.author.account),
            // A guest may hold the name of the account.
            Moderation::Invite { name, .. } | Moderation::SetModerator { name, .. } => {
                self.state.accounts.find(name).map(|account| account.id)
            }
            other => other.target_name().and_then(|name| self.state.account_of(name)),
        };
        let reason = moderation.reason().cloned();
        AuditDraft { by: self.actor(), target_account, duration, reason, author, is_author }
    }

    /// The entry for a command that was carried out.
    pub(super) fn finish_audit(
        &self,
        draft: AuditDraft,
        room: Option<&(RoomId, RoomName)>,
        outcome: &ModerationOutcome,
    ) -> Option<AuditEntry> {
        let AuditDraft { by, target_account, duration, reason, author, is_author } = draft;
        let named = |name: &Name| Some(SanctionTarget::Name(name.clone()));
        let (act, target, sanction) = match outcome {
            ModerationOutcome::Kicked(name) => (AuditAct::Kick, named(name), None),
            ModerationOutcome::Sanctioned(SanctionKind::Ban, id, target) => {
                (AuditAct::Ban, Some(target.clone()), Some(*id))
            }
            ModerationOutcome::Sanctioned(SanctionKind::Mute, id, target) => {
                (AuditAct::Mute, Some(target.clone()), Some(*id))
            }
            ModerationOutcome::Lifted(SanctionKind::Ban, id, target) => {
                (AuditAct::Unban, Some(target.clone()), Some(*id))
            }
            ModerationOutcome::Lifted(SanctionKind::Mute, id, target) => {
                (AuditAct::Unmute, Some(target.clone()), Some(*id))
            }
            ModerationOutcome::LockSet(lock) => (AuditAct::Lock(*lock), None, None),
            ModerationOutcome::Invited(name, on) => (AuditAct::Invite(*on), named(name), None),
            ModerationOutcome::ModeratorSet(name, on) => (AuditAct::Moderator(*on), named(name), None),
            ModerationOutcome::Deleted(_) if is_author => return None,
            ModerationOutcome::Deleted(_) => (AuditAct::Delete, author.as_ref().and_then(named), None),
            ModerationOutcome::Refused(..) | ModerationOutcome::SanctionsChanged => return None,
        };
        let (at, room) = (self.at, room.map(|(_, name)| name.clone()));
        let until = duration.map(|duration| at.plus(duration));
        let entry = AuditEntry::new(at, act);
        let message = if let ModerationOutcome::Deleted(id) = outcome { Some(*id) } else { None };
        Some(AuditEntry { by, room, target, target_account, sanction, message, until, reason, ..entry })
    }

    /// The origin, as the audit log names it. `None`: the operator at the control socket.
    fn actor(&self) -> Option<AuditActor> {
        let name = self.moderator()?.clone();
        let account = self.state.member(self.origin.member)?.account();
        let account = account.and_then(|account| self.state.accounts.get(account));
        Some(AuditActor { name, account: account.map(|account| (account.id, account.name.clone())) })
    }
}

impl SharedState {
    /// The entry for a change of the accounts with this effect, which has not been carried out yet. `None`: the operator has not made it, or
    /// it changes nothing.
    pub fn audit_account_change(
        &self,
        origin: Origin,
        AccountChange { at, .. }: &AccountChange,
        effect: &AccountEffect,
    ) -> Option<AuditEntry> {
        if !origin.is_server() {
            return None;
        }
        let known = |id: AccountId| self.accounts().get(id);
        let (act, id, name) = match effect {
            AccountEffect::Created { account, .. } => (AuditAct::AddAccount, account.id, &account.name),
            AccountEffect::PasswordSet { account, .. } => (AuditAct::SetPassword, *account, &known(*account)?.name),
            AccountEffect::RoleSet { account, role } => {
                let before = known(*account).filter(|before| before.role != *role)?;
                (AuditAct::SetRole(*role), *account, &before.name)
            }
            AccountEffect::Deleted { account, resting, .. } => (AuditAct::RemoveAccount, *account, &resting.name),
            // Only the owners of accounts make tokens. The record of a token's use is by nobody.
            AccountEffect::TokenCreated { .. }
            | AccountEffect::TokenRevoked { .. }
            | AccountEffect::TokenUseRecorded { .. } => return None,
        };
        let target = Some(SanctionTarget::Name(name.clone()));
        Some(AuditEntry { target, target_account: Some(id), ..AuditEntry::new(*at, act) })
    }
}
