//! The promises of moderation, checked after each input: nobody does what it may not, nobody is where it is banned or locked out, and no
//! muted member is heard.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use chinwag::command::{Command, Invite, Kick, Moderator, Reply, RoomLine, ServerLine};
use chinwag::protocol::{
    AccountId, ErrorCode, Event, LeaveReason, MessageId, Name, Network, Peer, RoomLock, Sanction, SanctionId,
    SanctionKind, SanctionTarget, Timestamp,
};
use chinwag::session::{Output, Sessions};
use chinwag::state::{Member, MemberId, RoomId, SessionId, SharedState};

use self::facts::{Locks, MEMBER, Ranks};

#[path = "../../common/moderation.rs"]
pub(super) mod facts;

/// Most bans and mutes of a room: so few that there are soon too many.
pub(super) const SANCTIONS_PER_ROOM: usize = 4;

/// Counts of what moderation has done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoleCoverage {
    /// Members that were kicked from a room, and from the server.
    pub(crate) kicked: u32,
    pub(crate) kicked_from_server: u32,
    /// Members that a ban removed.
    pub(crate) expelled: u32,
    /// Commands that were refused because the rank was too low.
    pub(crate) overreached: u32,
    /// Commands that were refused because of a mute, a ban, or a lock.
    pub(crate) muted: u32,
    pub(crate) banned: u32,
    pub(crate) locked_out: u32,
    /// Connections from a banned address.
    pub(crate) connections: u32,
    /// Bans and mutes that were lifted, and that ended by themselves.
    pub(crate) lifted: u32,
    pub(crate) ended: u32,
    /// Changes of moderators.
    pub(crate) appointed: u32,
    /// Members without a rank that entered a room for the invited.
    pub(crate) invited: u32,
    /// Messages that were deleted.
    pub(crate) deleted: u32,
    /// Reasons of muted members that nobody read.
    pub(crate) unread: u32,
    /// Members that were removed, or refused as muted, in the turn in which they had entered a room or had spoken.
    pub(crate) races: u32,
}

/// The ranks, locks and authors as they follow from the replies and events.
#[derive(Default)]
pub(super) struct Roles {
    pub(super) ranks: Ranks,
    pub(super) locks: Locks,
    /// The authors of all messages, with their accounts of then.
    pub(super) authors: BTreeMap<(RoomId, MessageId), (MemberId, Option<AccountId>)>,
    /// The members that have entered a room or have spoken in the present turn.
    active: BTreeSet<MemberId>,
    pub(super) coverage: RoleCoverage,
}

/// A command of a moderator, and the room that it is about.
pub(super) struct Moderating {
    pub(super) command: Command,
    /// `None`: the server.
    pub(super) room: Option<RoomId>,
    /// The state before it.
    pub(super) snapshot: Vec<u8>,
}

/// The facts from before an input.
pub(super) struct Before {
    /// The session whose command the input is, or whose password was checked.
    pub(super) session: SessionId,
    pub(super) name: Option<Name>,
    pub(super) account: Option<AccountId>,
    pub(super) members: BTreeMap<RoomId, BTreeSet<MemberId>>,
    /// The sessions of all members.
    pub(super) holders: BTreeMap<MemberId, SessionId>,
    pub(super) sanctions: BTreeMap<SanctionId, Sanction>,
    pub(super) moderating: Option<Moderating>,
    /// Nobody may read the reason that the command gives, because the member is muted.
    pub(super) is_unread: bool,
}

/// An input that the sessions have processed.
#[derive(Clone, Copy)]
pub(super) struct Processed<'a> {
    pub(super) at: Timestamp,
    pub(super) sessions: &'a Sessions,
    pub(super) outputs: &'a [Output],
    /// The code with which the command was refused.
    pub(super) refusal: Option<ErrorCode>,
}

/// The address of a session, which no other one has: so wrong passwords of others do not count. Prefixes have those of several sessions.
pub(super) fn address_of(session: SessionId) -> Ipv4Addr {
    let nth = u32::try_from(session.0).expect("few sessions");
    Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + nth)
}

/// The peer of a session.
pub(super) fn peer_of(session: SessionId) -> Peer {
    Peer::from((address_of(session), 1024))
}

/// The network of a session.
pub(super) fn network_of(session: SessionId) -> Network {
    Network::of_client(address_of(session).into()).expect("the client is elsewhere")
}

/// The members of all rooms.
pub(super) fn members_of_rooms(state: &SharedState) -> BTreeMap<RoomId, BTreeSet<MemberId>> {
    state.rooms().map(|(id, _)| (id, state.members_of(id).map(|(member, _)| member).collect())).collect()
}

impl Roles {
    /// The hub has published the events of a turn.
    pub(super) fn end_turn(&mut self) {
        self.active.clear();
    }

    /// Whether the member has entered a room or has spoken in the present turn.
    pub(super) fn is_active(&self, member: MemberId) -> bool {
        self.active.contains(&member)
    }

    /// Checks what an input has done, and records it.
    pub(super) fn check(&mut self, before: &Before, processed: Processed<'_>) {
        let state = processed.sessions.state();
        self.check_refusal(before, processed);
        self.check_events(before, processed);
        self.check_entered(before, processed);
        let own = || processed.sessions.member(before.session).and_then(|own| state.member(own)?.account());
        self.ranks.record_rooms(state, before.account.or_else(own));
        if let Some(reply) = reply(before, processed) {
            self.check_done(before, processed, reply);
        }
        self.locks.check(state);
        self.check_bans(processed);
        self.check_sanctions(before, processed);
    }

    /// A refused command changes nothing.
    fn check_refusal(&mut self, before: &Before, Processed { sessions, outputs, refusal, .. }: Processed<'_>) {
        let count = match refusal {
            Some(ErrorCode::Muted) => {
                let member = sessions.member(before.session);
                self.coverage.races += u32::from(member.is_some_and(|member| self.is_active(member)));
                &mut self.coverage.muted
            }
            Some(ErrorCode::Banned) => &mut self.coverage.banned,
            Some(ErrorCode::RoomLocked) => &mut self.coverage.locked_out,
            Some(ErrorCode::NotModerator | ErrorCode::TargetProtected | ErrorCode::NotAuthor) => {
                &mut self.coverage.overreached
            }
            _ => &mut 0,
        };
        *count += 1;
        let ends = outputs.iter().any(|output| matches!(output, Output::Close(..) | Output::Remove(_)));
        if let Some(moderating) = before.moderating.as_ref().filter(|_| refusal.is_some() && !ends) {
            let is_event = |output: &Output| matches!(output, Output::Publish { .. });
            assert!(!outputs.iter().any(is_event), "{:?} was refused: {outputs:?}", moderating.command);
            assert!(sessions.state().snapshot() == moderating.snapshot, "refused: {:?}", moderating.command);
        }
    }

    /// Events of moderators come from commands that were carried out, and a muted member is not heard.
    fn check_events(&mut self, before: &Before, Processed { sessions, outputs, refusal, .. }: Processed<'_>) {
        let is_moderating = before.moderating.is_some() && refusal.is_none();
        for output in outputs {
            let Output::Publish { room, id, event, session, .. } = output else { continue };
            let by = match event {
                Event::Moderator { by, .. }
                | Event::Lock { by, .. }
                | Event::Invite { by, .. }
                | Event::Lifted { by, .. } => by,
                Event::Sanction(sanction) => &sanction.by,
                Event::Deleted { by, .. } => {
                    self.coverage.deleted += 1;
                    by
                }
                Event::Leave(name, LeaveReason::Kicked, _) => {
                    let kick = before.moderating.as_ref().map(|moderating| &moderating.command);
                    let is_meant =
                        matches!(kick, Some(Command::Kick(Kick { name: kicked, .. })) if kicked.key() == name.key());
                    assert!(is_meant && is_moderating, "{name} was kicked by nobody");
                    continue;
                }
                Event::Leave(.., LeaveReason::Part | LeaveReason::Quit, text) if before.is_unread => {
                    assert_eq!(*text, None, "a muted member is heard in {room:?}");
                    self.coverage.unread += 1;
                    continue;
                }
                Event::Msg(..) => {
                    let member = sessions.member(*session).expect("the author is a member");
                    let account = sessions.state().member(member).and_then(Member::account);
                    self.authors.insert((*room, id.expect("a message has an id")), (member, account));
                    self.active.insert(member);
                    continue;
                }
                _ => continue,
            };
            assert!(is_moderating && *by == before.name, "{event:?} after the command of {:?}", before.name);
        }
    }

    /// Nobody enters a locked room, except those that may.
    fn check_entered(&mut self, before: &Before, Processed { sessions, .. }: Processed<'_>) {
        let state = sessions.state();
        for (room, members) in members_of_rooms(state) {
            let former = before.members.get(&room);
            for id in members.iter().filter(|id| former.is_none_or(|former| !former.contains(id))) {
                let account = state.member(*id).and_then(Member::account);
                let has_rank = self.ranks.of_account(state, account, Some(room)) > MEMBER;
                let is_let_in = self.locks.lets_in(room, account, Some(*id));
                assert!(is_let_in || has_rank, "{id:?} enters {room:?}, which is locked: {:?}", self.locks);
                self.coverage.invited += u32::from(!has_rank && self.locks.lock_of(room) == RoomLock::Invited);
                self.active.insert(*id);
            }
        }
    }

    /// A command of a moderator has done what its reply says.
    fn check_done(&mut self, before: &Before, processed: Processed<'_>, reply: &Reply) {
        let Some(Moderating { command, room, .. }) = &before.moderating else { return };
        let (state, room) = (processed.sessions.state(), *room);
        match (reply, command) {
            (Reply::Kick(_), Command::Kick(_)) => {
                let removed = self.check_removed(before, processed, room);
                assert_eq!(removed, 1, "{command:?} removes one member");
                *if room.is_some() { &mut self.coverage.kicked } else { &mut self.coverage.kicked_from_server } += 1;
            }
            (Reply::Mute(reply), Command::Mute(mute)) => {
                check_sanction(state, reply.value.id, SanctionKind::Mute, room, &mute.0.target);
            }
            (Reply::Ban(reply), Command::Ban(ban)) => {
                check_sanction(state, reply.value.id, SanctionKind::Ban, room, &ban.0.target);
                self.coverage.expelled += self.check_removed(before, processed, room);
            }
            (Reply::Unmute(reply) | Reply::Unban(reply), Command::Unmute(_) | Command::Unban(_)) => {
                assert_eq!(state.sanctions().get(reply.value.id), None, "{command:?}");
                self.coverage.lifted += 1;
            }
            (Reply::Lock(reply), Command::Lock(lock)) => {
                assert_eq!(reply.value, lock.0);
                self.locks.set(room.expect("a lock is of a room"), lock.0);
            }
            (Reply::Invite(_), Command::Invite(Invite { name, on })) => {
                self.locks.invite(state, room.expect("an invitation is into a room"), name, *on);
            }
            (Reply::Moderator(_), Command::Moderator(Moderator { name, on })) => {
                self.ranks.appoint(state, room.expect("a moderator is of a room"), name, *on);
                self.coverage.appointed += 1;
            }
            (Reply::Delete(_), Command::Delete(delete)) => {
                let room = room.and_then(|room| state.room(room)).expect("a message is of a room");
                let message = room.history().get(delete.0).expect("the message is in memory");
                assert_eq!(message.past.text, None, "{command:?}");
            }
            (Reply::Bans(_), Command::Bans(_)) => {}
            _ => panic!("{reply:?} to {command:?}"),
        }
    }

    /// Checks that the members that a command has removed from the server have lost their connections. Returns the number of the members that
    /// it has removed from the room or the server.
    fn check_removed(
        &mut self,
        before: &Before,
        Processed { sessions, outputs, .. }: Processed<'_>,
        room: Option<RoomId>,
    ) -> u32 {
        let state = sessions.state();
        let is_there = |id: MemberId| state.member(id).is_some_and(|member| room.is_none_or(|room| member.is_in(room)));
        let former: BTreeSet<_> = match room {
            Some(room) => before.members.get(&room).into_iter().flatten().copied().collect(),
            None => before.holders.keys().copied().collect(),
        };
        let removed: Vec<_> = former.into_iter().filter(|id| !is_there(*id)).collect();
        for id in removed.iter().filter(|_| room.is_none()) {
            let session = before.holders[id];
            assert!(outputs.contains(&Output::Remove(session)), "{session:?} outlives its member {id:?}");
        }
        self.coverage.races += u32::try_from(removed.iter().filter(|id| self.is_active(**id)).count()).expect("few");
        u32::try_from(removed.len()).expect("few members")
    }

    /// No member is banned where it is.
    fn check_bans(&self, Processed { at, sessions, .. }: Processed<'_>) {
        let state = sessions.state();
        for (id, member) in state.members() {
            for room in [None].into_iter().chain(member.rooms().map(Some)) {
                let ban = self.ranks.sanction_of(state, SanctionKind::Ban, room, member.into(), at);
                assert_eq!(ban, None, "{id:?} {} is banned", member.name());
            }
        }
    }

    /// Sanctions begin and end by commands of moderators. Otherwise they go on until their end, for as long as their room exists.
    fn check_sanctions(&mut self, before: &Before, Processed { at, sessions, refusal, .. }: Processed<'_>) {
        let state = sessions.state();
        let is_moderating = before.moderating.is_some() && refusal.is_none();
        for sanction in state.sanctions().iter().filter(|_| !is_moderating) {
            assert!(before.sanctions.contains_key(&sanction.id), "{sanction:?} is by nobody");
        }
        for (id, sanction) in &before.sanctions {
            let has_ended = sanction.until.is_some_and(|until| until <= at);
            let is_over = has_ended || sanction.room.is_some_and(|room| state.room(room).is_none());
            let is_known = state.sanctions().get(*id).is_some();
            assert!(is_known || is_over || is_moderating, "{sanction:?} has ended too early");
            self.coverage.ended += u32::from(has_ended && !is_known);
        }
    }
}

/// The reply to a command of a moderator that was carried out.
fn reply<'a>(before: &Before, Processed { outputs, .. }: Processed<'a>) -> Option<&'a Reply> {
    before.moderating.as_ref()?;
    outputs.iter().find_map(|output| match output {
        Output::Send(session, _, RoomLine { line: ServerLine::Ok(reply), .. }) if *session == before.session => {
            Some(reply)
        }
        _ => None,
    })
}

/// The sanction of a reply is the one that the command asks for.
fn check_sanction(
    state: &SharedState,
    id: SanctionId,
    kind: SanctionKind,
    room: Option<RoomId>,
    target: &SanctionTarget,
) {
    let sanction = state.sanctions().get(id);
    let found = sanction.map(|sanction| (sanction.kind, sanction.room, &sanction.target));
    // A room vanishes with its last member, and its sanctions with it.
    let has_vanished = room.is_some_and(|room| state.room(room).is_none());
    assert!(has_vanished || found == Some((kind, room, target)), "{found:?} is not the {kind:?} of {target:?}");
}
