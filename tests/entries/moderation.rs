//! The rules of moderation, checked after each entry by comparing every sanction with every member: nobody does what it may not, nobody is
//! where it is banned, and no muted member is heard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chinwag::command::list_members;
use chinwag::protocol::{
    AccountId, LeaveReason, Name, Network, Role, Sanction, SanctionKind, Subject, Timestamp, User,
};
use chinwag::state::{
    Action, Displacement, Entry, Member, MemberId, Moderation, ModerationOutcome, Origin, RoomId, SharedState,
    StateOutput,
};

/// Ranks, from the lowest to the highest.
const MEMBER: u8 = 0;
const MODERATOR: u8 = 1;
const OWNER: u8 = 2;
const OPERATOR: u8 = 3;

/// The ranks as they follow from the outputs, and counts.
#[derive(Default)]
pub(super) struct ModerationObserver {
    owners: BTreeMap<RoomId, AccountId>,
    moderators: BTreeMap<RoomId, BTreeSet<AccountId>>,
    known_rooms: BTreeSet<RoomId>,
    /// The moderators that the present entry appoints or removes.
    appointed: Vec<(RoomId, Name, bool)>,
    /// The member list of each room as clients read it, with the version under which it may be read again.
    rosters: BTreeMap<RoomId, (u64, Arc<[User]>)>,
    /// Number of commands that were carried out and refused, of members that were removed, and of lines of muted members that were refused.
    pub(super) done: u32,
    pub(super) refused: u32,
    pub(super) removed: u32,
    pub(super) muted: u32,
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
        let is_server = entry.origin == Origin::SERVER;
        let rank =
            if is_server { OPERATOR } else { state.member(id).map_or(MEMBER, |member| self.rank(state, member, room)) };
        let ranks = state.members().map(|(id, member)| (id, self.rank(state, member, room))).collect();
        let is_muted = state.member(id).is_some_and(|member| self.is_muted_for(state, member, entry));
        Before { rank, ranks, is_muted, account: state.member(id).and_then(Member::account) }
    }

    fn rank(&self, state: &SharedState, member: &Member, room: Option<RoomId>) -> u8 {
        let Some(account) = member.account().and_then(|account| state.accounts().get(account)) else { return MEMBER };
        if account.role == Role::Operator {
            return OPERATOR;
        }
        match room {
            Some(room) if self.owners.get(&room) == Some(&account.id) => OWNER,
            Some(room) if self.moderators.get(&room).is_some_and(|all| all.contains(&account.id)) => MODERATOR,
            _ => MEMBER,
        }
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
        scopes.into_iter().any(|room| {
            let mut mutes =
                state.sanctions().iter().filter(|mute| mute.kind == SanctionKind::Mute && mute.room == room);
            self.rank(state, member, room) == MEMBER && mutes.any(|mute| concerns(mute, member, entry.at))
        })
    }

    /// Checks the outputs of an entry, and the state after it.
    pub(super) fn check(&mut self, before: &Before, entry: &Entry, state: &SharedState, outputs: &[StateOutput]) {
        for output in outputs {
            self.check_output(before, entry, output);
        }
        self.record_owners(before, entry, state);
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
            for room in rooms.filter(|room| self.rank(state, member, *room) == MEMBER) {
                let bans = state.sanctions().iter().filter(|ban| ban.kind == SanctionKind::Ban && ban.room == room);
                let holding = bans.into_iter().find(|ban| concerns(ban, member, entry.at));
                assert_eq!(holding, None, "{id:?} {} is banned, after {:?}", member.name(), entry.action);
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
        let StateOutput::Moderated(_, moderated, _) = output else { return };
        match (&moderated.outcome, &entry.action) {
            (ModerationOutcome::Refused(..), _) => self.refused += 1,
            (outcome, Action::Moderate(moderation)) => {
                let needed = match moderation {
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

    /// A new room belongs to the account of the member that created it.
    fn record_owners(&mut self, before: &Before, entry: &Entry, state: &SharedState) {
        for (room, name, on) in std::mem::take(&mut self.appointed) {
            let account = state.accounts().find(&name).expect("the moderator has an account").id;
            let moderators = self.moderators.entry(room).or_default();
            if on {
                moderators.insert(account)
            } else {
                moderators.remove(&account)
            };
        }
        let present: BTreeSet<_> = state.rooms().map(|(id, _)| id).collect();
        for room in present.difference(&self.known_rooms).filter(|room| **room != RoomId::LOBBY) {
            let now = state.member(entry.origin.member).and_then(Member::account);
            self.owners.extend(before.account.or(now).map(|account| (*room, account)));
        }
        self.owners.retain(|room, _| present.contains(room));
        self.moderators.retain(|room, _| present.contains(room));
        self.known_rooms = present;
    }
}

/// Whether a sanction that goes on concerns the member.
fn concerns(sanction: &Sanction, member: &Member, now: Timestamp) -> bool {
    let is_going_on = sanction.until.is_none_or(|until| now < until);
    let is_guest = member.account().is_none();
    let is_of_network = |network: Network| member.network().is_some_and(|own| network.contains_network(own));
    is_going_on
        && sanction.subjects.iter().any(|subject| match subject {
            Subject::Account(account) => member.account() == Some(*account),
            Subject::Name(name) => collide(name, member.name()),
            Subject::Network(network) => is_of_network(*network) && (is_guest || sanction.kind == SanctionKind::Ban),
        })
}

/// Whether two names are the same, or look alike.
fn collide(a: &Name, b: &Name) -> bool {
    a.key() == b.key() || a.skeletons().into_iter().zip(b.skeletons()).any(|(a, b)| a == b)
}
