//! The values of the audit log: who has done what to whom, when and why.

use super::{
    AccountId, MessageId, Name, Role, RoomLock, RoomName, SanctionId, SanctionKind, SanctionTarget, TargetError, Text,
    Timestamp,
};

/// The number of an entry in the audit log, from 1. A later entry has a higher one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditNumber(pub u64);

/// An act of a moderator or an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAct {
    /// Removed a member.
    Kick,
    /// Began a mute.
    Mute,
    /// Ended a mute.
    Unmute,
    /// Began a ban.
    Ban,
    /// Ended a ban.
    Unban,
    /// Let these members enter a room.
    Lock(RoomLock),
    /// Invited an account or a guest into a room, or took that back.
    Invite(bool),
    /// Made an account a moderator of a room, or took that back.
    Moderator(bool),
    /// Deleted a message of somebody else.
    Delete,
    /// Added an account.
    AddAccount,
    /// Set the password of an account.
    SetPassword,
    /// Gave an account this role.
    SetRole(Role),
    /// Removed an account.
    RemoveAccount,
}

impl AuditAct {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Kick,
        Self::Mute,
        Self::Unmute,
        Self::Ban,
        Self::Unban,
        Self::Lock(RoomLock::Open),
        Self::Lock(RoomLock::Accounts),
        Self::Lock(RoomLock::Invited),
        Self::Invite(true),
        Self::Invite(false),
        Self::Moderator(true),
        Self::Moderator(false),
        Self::Delete,
        Self::AddAccount,
        Self::SetPassword,
        Self::SetRole(Role::Operator),
        Self::SetRole(Role::User),
        Self::RemoveAccount,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kick => "kick",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::Ban => "ban",
            Self::Unban => "unban",
            Self::Lock(RoomLock::Open) => "lock-open",
            Self::Lock(RoomLock::Accounts) => "lock-accounts",
            Self::Lock(RoomLock::Invited) => "lock-invited",
            Self::Invite(true) => "invite-on",
            Self::Invite(false) => "invite-off",
            Self::Moderator(true) => "moderator-on",
            Self::Moderator(false) => "moderator-off",
            Self::Delete => "delete",
            Self::AddAccount => "account-add",
            Self::SetPassword => "account-password",
            Self::SetRole(Role::Operator) => "account-role-operator",
            Self::SetRole(Role::User) => "account-role-user",
            Self::RemoveAccount => "account-remove",
        }
    }

    /// The act with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == word)
    }

    /// Whether it begins a sanction, which ends at some time or never.
    pub fn begins_sanction(self) -> bool {
        matches!(self, Self::Mute | Self::Ban)
    }

    /// Parses the target of such an act.
    ///
    /// # Errors
    /// The word is not such a target.
    pub fn parse_target(self, word: &str) -> Result<SanctionTarget, TargetError> {
        // Only bans are about addresses: elsewhere, a word that looks like one is a nickname.
        let kind = if matches!(self, Self::Ban | Self::Unban) { SanctionKind::Ban } else { SanctionKind::Mute };
        SanctionTarget::parse(kind, word)
    }
}

/// The member who has done it, as it was then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditActor {
    /// The nickname.
    pub name: Name,
    /// The number and the name of the account. The number is never given to another account.
    pub account: Option<(AccountId, Name)>,
}

/// An entry of the audit log, without its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who. `None`: the operator on the server's machine, with `chinwagd moderate` or `chinwagd account`.
    pub by: Option<AuditActor>,
    /// What.
    pub act: AuditAct,
    /// Where. `None`: the whole server.
    pub room: Option<RoomName>,
    /// To whom, as the moderator gave it.
    pub target: Option<SanctionTarget>,
    /// The account of the target, if it has one.
    pub target_account: Option<AccountId>,
    /// The number of the sanction that began or ended.
    pub sanction: Option<SanctionId>,
    /// The id of the message that it is about.
    pub message: Option<MessageId>,
    /// When the sanction that began ends. `None`: never, or the act begins none.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: Option<Text>,
}

impl AuditEntry {
    /// An entry by the operator about the whole server, without other values.
    pub fn new(at: Timestamp, act: AuditAct) -> Self {
        Self {
            at,
            by: None,
            act,
            room: None,
            target: None,
            target_account: None,
            sanction: None,
            message: None,
            until: None,
            reason: None,
        }
    }
}

/// A numbered entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// The number.
    pub number: AuditNumber,
    /// The entry.
    pub entry: AuditEntry,
}

/// The entries of the audit log that an operator asks for: the newest ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only entries with lower numbers than this one. `None`: all.
    pub before: Option<AuditNumber>,
    /// Most entries.
    pub limit: usize,
    /// Only those about this room.
    pub room: Option<RoomName>,
    /// Only those by this nickname or account.
    pub by: Option<Name>,
}

impl AuditQuery {
    /// Whether it asks for this entry, apart from the limit. Names match in any spelling.
    pub fn accepts(&self, AuditRecord { number, entry }: &AuditRecord) -> bool {
        let is_by = |wanted: &Name| {
            let names = entry.by.iter().flat_map(|AuditActor { name, account }| {
                [name].into_iter().chain(account.as_ref().map(|(_, account)| account))
            });
            names.into_iter().any(|name| name.key() == wanted.key())
        };
        self.before.is_none_or(|before| *number < before)
            && self
                .room
                .as_ref()
                .is_none_or(|wanted| entry.room.as_ref().is_some_and(|room| room.key() == wanted.key()))
            && self.by.as_ref().is_none_or(is_by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_have_different_words() {
        for act in AuditAct::ALL {
            assert_eq!(AuditAct::parse(act.as_str()), Some(act));
        }
        assert_eq!(AuditAct::parse("jail"), None);
    }

    #[test]
    fn only_bans_are_about_addresses() {
        let target = |act: AuditAct| act.parse_target("192.0.2.1").unwrap();
        assert_eq!(target(AuditAct::Unban), SanctionTarget::Network("192.0.2.1".parse().unwrap()));
        assert_eq!(target(AuditAct::Kick), SanctionTarget::Name(Name::new("192.0.2.1").unwrap()));
    }

    #[test]
    fn query_finds_names_in_any_spelling() {
        let name = |raw: &str| Name::new(raw).unwrap();
        let by = Some(AuditActor { name: name("Annie"), account: Some((AccountId(3), name("ann"))) });
        let entry =
            AuditEntry { by, room: RoomName::new("#ops").ok(), ..AuditEntry::new(Timestamp(0), AuditAct::Kick) };
        let record = AuditRecord { number: AuditNumber(7), entry };
        let all = AuditQuery { before: None, limit: 1, room: None, by: None };
        for (query, expected) in [
            (all.clone(), true),
            (AuditQuery { before: Some(AuditNumber(8)), ..all.clone() }, true),
            (AuditQuery { before: Some(AuditNumber(7)), ..all.clone() }, false),
            (AuditQuery { room: RoomName::new("#OPS").ok(), ..all.clone() }, true),
            (AuditQuery { room: RoomName::new("#dev").ok(), ..all.clone() }, false),
            (AuditQuery { by: Some(name("ANNIE")), ..all.clone() }, true),
            (AuditQuery { by: Some(name("Ann")), ..all.clone() }, true),
            (AuditQuery { by: Some(name("bob")), ..all.clone() }, false),
        ] {
            assert_eq!(query.accepts(&record), expected, "{query:?}");
        }
    }
}
