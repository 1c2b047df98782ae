//! The rules of moderation, checked after each entry by comparing every sanction with every member: nobody does what it may not, nobody is
//! where it is banned, and no muted member is heard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chinwag::command::list_members;
use chinwag::protocol::{AccountId, Event, LeaveReason, MessageId, ModerationRecord, Name, SanctionKind, User};
use chinwag::state::{
    Action, Author, Displacement, Entry, Member, MemberId, Moderated, Moderation, ModerationOutcome, Rejection, RoomId,
    RoomRejection, SharedState, StateOutput,
};

use self::facts::{Locks, MEMBER, MODERATOR, OPERATOR, OWNER, Ranks};

#[path = "../common/moderation.rs"]
mod facts;

/// The ranks as they follow from the outputs, and counts.
#[derive(Default)]
pub(super) struct ModerationObserver {
    ranks: Ranks,
    /// The authors of all messages.
    authors: BTreeMap<(RoomId, MessageId), Author>,
    /// The messages that were deleted.
    deleted: BTreeSet<(RoomId, MessageId)>,
    /// The moderators that the present entry appoints or removes.
    appointed: Vec<(RoomId, Name, bool)>,
    /// The member list of each room as clients read it, with the version under which it may be read again.
    rosters: BTreeMap<RoomId, (u64, Arc<[User]>)>,
    /// Number of commands that were carried out and refused, of members that were removed, and of lines of muted members that were refused.
    pub(super) done: u32,
    pub(super) refused: u32,
    pub(super) removed: u32,
    pub(super) muted: u32,
    pub(super) deletions: u32,
    /// Number of members and watchers that a lock kept out.
    pub(super) locked_out: u32,
    locks: Locks,
}

/// The facts that the observer needs from before an entry.
pub(super) struct Before {
    /// The rank of the origin where it moderates.
    rank: u8,
    /// The ranks of all members, there.
    ranks: BTreeMap<MemberId, u8>,
    /// The entry is by a member that is muted where it would be heard.
    is_muted: bool,
    account: Option<AccountId>,
}

impl ModerationObserver {
    pub(super) fn before(&self, state: &SharedState, entry: &Entry) -> Before {
        let room = if let Action::Moderate(moderation) = &entry.action { moderation.room() } else { None };
        let id = entry.origin.member;
        let is_server = entry.origin.is_server();
        let rank =
            if is_server { OPERATOR } else { state.member(id).map_or(MEMBER, |member| self.rank(state, member, room)) };
        let ranks = state.members().map(|(id, member)| (id, self.rank(state, member, room))).collect();
        let is_muted = state.member(id).is_some_and(|member| self.is_muted_for(state, member, entry));
        Before { rank, ranks, is_muted, account: state.member(id).and_then(Member::account) }
    }

    fn rank(&self, state: &SharedState, member: &Member, room: Option<RoomId>) -> u8 {
        self.ranks.of_member(state, member, room)
    }

    /// Whether the member is muted where the action of the entry would be heard.
    fn is_muted_for(&self, state: &SharedState, member: &Member, entry: &Entry) -> bool {
        let own = || member.rooms().collect::<Vec<_>>();
        let rooms = match &entry.action {
            Action::Say(room, _) | Action::SetTopic(room, _) | Action::Draw(room, _) => vec![*room],
            Action::Rename(_) => own(),
            Action::Whisper(..) => Vec::new(),
            _ => return false,
        };
        let scopes = [None].into_iter().chain(rooms.into_iter().map(Some));
        let mute_in = |room| self.ranks.sanction_of(state, SanctionKind::Mute, room, member.into(), entry.at);
        scopes.into_iter().any(|room| mute_in(room).is_some())
    }

    /// Checks the outputs of an entry, and the state after it.
    pub(super) fn check(&mut self, before: &Before, entry: &Entry, state: &SharedState, outputs: &[StateOutput]) {
        for output in outputs {
            self.check_output(before, entry, output);
            self.check_message(before, entry, output);
            self.check_lock(entry, state, output);
        }
        self.check_texts(state);
        self.record_owners(before, entry, state);
        self.locks.check(state);
        self.check_rosters(entry, state);
        if before.is_muted {
            let is_heard = outputs.iter().any(|output| {
                matches!(
                    output,
                    StateOutput::Event { .. } | StateOutput::Whispered { .. } | StateOutput::Renamed { .. }
                )
            });
            assert!(!is_heard, "{:?} of a muted member: {outputs:?}", entry.action);
            self.muted += 1;
        }
        for (id, member) in state.members() {
            let rooms = [None].into_iter().chain(member.rooms().map(Some));
            for room in rooms {
                let ban = self.ranks.sanction_of(state, SanctionKind::Ban, room, member.into(), entry.at);
                assert_eq!(ban, None, "{id:?} {} is banned, after {:?}", member.name(), entry.action);
            }
        }
    }

    /// Member lists have the ranks of the members, and another version whenever they change.
    fn check_rosters(&mut self, entry: &Entry, state: &SharedState) {
        let rosters = state.rooms().map(|(id, room)| (id, (room.roster_version(), list_members(state, id, |_| None))));
        let rosters: BTreeMap<_, _> = rosters.collect();
        for (id, (version, users)) in &rosters {
            for ((_, member), user) in state.members_of(*id).zip(&**users) {
                let rank = user.rank as u8;
                assert_eq!(rank, self.rank(state, member, Some(*id)), "{} after {:?}", user.name, entry.action);
            }
            if let Some((_, before)) = self.rosters.get(id).filter(|(before, _)| before == version) {
                assert_eq!(before, users, "the same version of another list, after {:?}", entry.action);
            }
        }
        self.rosters = rosters;
    }

    fn check_output(&mut self, before: &Before, entry: &Entry, output: &StateOutput) {
        let removed = match output {
            StateOutput::Kicked { member, .. } => Some(*member),
            StateOutput::Displaced { member, why: Displacement::Kicked | Displacement::Banned, .. } => Some(*member),
            StateOutput::Left { member, reason: LeaveReason::Kicked | LeaveReason::Banned, .. }
                if matches!(entry.action, Action::Moderate(_)) =>
            {
                Some(*member)
            }
            _ => None,
        };
        if let (Some(member), Action::Moderate(moderation)) = (removed, &entry.action) {
            let needed = if moderation.room().is_some() { MODERATOR } else { OPERATOR };
            let (own, rank) = (before.rank, before.ranks[&member]);
            assert!(own >= needed && (own > rank || own == OPERATOR), "rank {own} removes rank {rank}: {moderation:?}");
            assert_ne!(member, entry.origin.member, "nobody removes itself");
            self.removed += 1;
        }
        let StateOutput::Moderated(_, moderated, records) = output else { return };
        check_audit(before, entry, moderated, records);
        match (&moderated.outcome, &entry.action) {
            (ModerationOutcome::Refused(..), _) => self.refused += 1,
            (outcome, Action::Moderate(moderation)) => {
                let needed = match moderation {
                    // Authors delete their own messages.
                    Moderation::Delete { .. } => MEMBER,
                    Moderation::SetModerator { .. } => OWNER,
                    other if other.room().is_none() => OPERATOR,
                    _ => MODERATOR,
                };
                assert!(before.rank >= needed, "rank {} does {moderation:?}", before.rank);
                self.done += 1;
                if let (ModerationOutcome::ModeratorSet(_, on), Moderation::SetModerator { room, name, .. }) =
                    (outcome, moderation)
                {
                    self.appointed.push((*room, name.clone(), *on));
                }
            }
            _ => {}
        }
    }

    /// Only its author and moderators delete a message.
    fn check_message(&mut self, before: &Before, entry: &Entry, output: &StateOutput) {
        let member = entry.origin.member;
        match (output, &entry.action) {
            (StateOutput::Event { room, id: Some(id), .. }, Action::Say(_, message)) => {
                self.authors.insert((*room, *id), Author { member: Some(member), account: message.account });
            }
            (StateOutput::Event { room, event: Event::Deleted { id, .. }, .. }, action) => {
                // The store has found the author. The random message may not exist.
                let is_known = matches!(action, Action::OwnDeletionStored(_, Ok(true)));
                let Some(author) = self.authors.get(&(*room, *id)) else {
                    return assert!(is_known, "{id:?} is unknown");
                };
                let may_delete = is_known || before.rank >= MODERATOR || author.is(member, before.account);
                assert!(may_delete, "rank {} deletes {id:?} of somebody else", before.rank);
                self.deleted.insert((*room, *id));
                self.deletions += 1;
            }
            _ => {}
        }
    }

    /// Nobody enters a locked room, or watches it, except those that may. Records locks and invitations.
    fn check_lock(&mut self, entry: &Entry, state: &SharedState, output: &StateOutput) {
        let id = entry.origin.member;
        let entered: Vec<_> = match output {
            StateOutput::Registered { home, .. } => vec![home],
            StateOutput::Joined { rooms, .. } => rooms.iter().filter(|room| room.is_new).collect(),
            _ => Vec::new(),
        };
        for room in entered.into_iter().map(|room| room.id) {
            let account = state.member(id).and_then(Member::account);
            let may_enter = self.locks.lets_in(room, account, Some(id));
            let has_rank = state.member(id).is_some_and(|member| self.rank(state, member, Some(room)) > MEMBER);
            assert!(may_enter || has_rank, "{id:?} enters {room:?}, which is locked: {:?}", self.locks);
        }
        self.locked_out += u32::from(is_about_a_lock(output));
        let (StateOutput::Moderated(_, moderated, _), Action::Moderate(moderation)) = (output, &entry.action) else {
            return;
        };
        match (&moderated.outcome, moderation) {
            (ModerationOutcome::LockSet(lock), Moderation::SetLock { room, .. }) => {
                self.locks.set(*room, *lock);
            }
            (ModerationOutcome::Invited(..), Moderation::Invite { room, name, on }) => {
                self.locks.invite(state, *room, name, *on);
            }
            _ => {}
        }
    }

    /// A message in memory has a text, unless it was deleted.
    fn check_texts(&self, state: &SharedState) {
        for (room, history) in state.rooms().map(|(id, room)| (id, room.history().messages())) {
            for past in history.range(history.all()).map(|message| &message.past) {
                assert_eq!(past.text.is_none(), self.deleted.contains(&(room, past.id)), "{room:?} {past:?}");
            }
        }
    }

    /// A new room belongs to the account of the member that created it.
    fn record_owners(&mut self, before: &Before, entry: &Entry, state: &SharedState) {
        for (room, name, on) in std::mem::take(&mut self.appointed) {
            self.ranks.appoint(state, room, &name, on);
        }
        let now = state.member(entry.origin.member).and_then(Member::account);
        self.ranks.record_rooms(state, before.account.or(now));
    }
}

/// The audit log has each command that has changed something, with the account of its origin, and no other.
fn check_audit(before: &Before, entry: &Entry, moderated: &Moderated, records: &[ModerationRecord]) {
    match (&moderated.audit, &moderated.outcome) {
        // Nothing has changed; or the author has deleted its message.
        (None, ModerationOutcome::Deleted(_)) => {}
        (
            None,
            ModerationOutcome::Refused(..)
            | ModerationOutcome::LockSet(_)
            | ModerationOutcome::Invited(..)
            | ModerationOutcome::ModeratorSet(..),
        ) => assert_eq!(*records, []),
        (None, outcome) => panic!("no entry for {outcome:?}"),
        (Some(_), ModerationOutcome::Refused(..)) => panic!("an entry for a refused command: {moderated:?}"),
        (Some(audit), _) => {
            let account = audit.by.as_ref().map(|by| by.account.as_ref().map(|(account, _)| *account));
            assert_eq!(account, (!entry.origin.is_server()).then_some(before.account));
            assert_eq!((audit.at, &audit.room), (entry.at, &moderated.room.as_ref().map(|(_, name)| name.clone())));
        }
    }
}

/// Whether the output keeps somebody out of a locked room.
fn is_about_a_lock(output: &StateOutput) -> bool {
    match output {
        StateOutput::Rejected(_, _, Rejection::RegisterRoom(why) | Rejection::JoinRoom(why)) => {
            matches!(why, RoomRejection::Locked(..))
        }
        StateOutput::Rejected(_, _, Rejection::WatchLocked(..)) | StateOutput::WatchEnded(..) => true,
        _ => false,
    }
}
