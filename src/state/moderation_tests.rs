//! Tests of the limits of moderation. `session` tests who may do what, `tests/entries` random entries.

use super::tests::{apply, name};
use super::*;
use crate::limits::{INVITATIONS_MAX, MODERATORS_MAX};
use crate::protocol::{LeaveReason, PasswordHash, SanctionId, SanctionKind, SanctionTarget, Secret};

/// Applies an action of the operator at the control socket. Returns its result.
fn moderate(state: &mut SharedState, moderation: Moderation) -> ModerationOutcome {
    let (origin, action) = (Origin::SERVER, Action::Moderate(moderation));
    let mut out = Vec::new();
    state.apply(Entry { seq: 1, at: Timestamp(0), uptime: Uptime(0), origin, action }, &mut out);
    let result = out.into_iter().find_map(|output| match output {
        StateOutput::Moderated(_, moderated, _) => Some(moderated.outcome),
        _ => None,
    });
    result.expect("a result")
}

fn why(outcome: ModerationOutcome) -> Option<ModerationRejection> {
    match outcome {
        ModerationOutcome::Refused(_, why) => Some(why),
        _ => None,
    }
}

fn ban_from(room: Option<RoomId>, target: &str) -> Moderation {
    let target = SanctionTarget::Name(name(target));
    Moderation::Sanction { kind: SanctionKind::Ban, room, target, duration: None, reason: None }
}

fn ban(target: &str) -> Moderation {
    ban_from(None, target)
}

fn set_moderator(number: usize, on: bool) -> Moderation {
    Moderation::SetModerator { room: RoomId::LOBBY, name: name(&format!("mod{number}")), on }
}

/// A new ban of the same target replaces the old one, and needs no space.
#[test]
fn number_of_sanctions_is_limited() {
    let mut state = SharedState::new(StateLimits { sanctions: 2, ..StateLimits::default() });
    let results = ["ann", "bob", "eve", "ann"].map(|target| why(moderate(&mut state, ban(target))));
    assert_eq!(results, [None, None, Some(ModerationRejection::TooManySanctions(SanctionLimit::Server(2))), None]);
    let lift = Moderation::Lift { kind: SanctionKind::Ban, room: None, which: SanctionChoice::Id(SanctionId(2)) };
    assert_eq!(why(moderate(&mut state, lift)), None);
    assert_eq!(why(moderate(&mut state, ban("eve"))), None);
}

#[test]
fn number_of_moderators_is_limited() {
    let mut state = SharedState::default();
    for number in 0..=MODERATORS_MAX {
        let password = PasswordHash::new("$test$hash").unwrap();
        let update = AccountUpdate::Create { name: name(&format!("mod{number}")), password, ends_rest: false };
        let action = Action::ChangeAccount(AccountChange { at: Timestamp(0), update });
        let (at, uptime, origin) = (Timestamp(0), Uptime(0), Origin::SERVER);
        state.apply(Entry { seq: 1, at, uptime, origin, action }, &mut Vec::new());
    }
    for number in 0..MODERATORS_MAX {
        assert_eq!(why(moderate(&mut state, set_moderator(number, true))), None);
    }
    let full = Some(ModerationRejection::TooManyModerators(MODERATORS_MAX));
    assert_eq!(why(moderate(&mut state, set_moderator(MODERATORS_MAX, true))), full);
    assert_eq!(why(moderate(&mut state, set_moderator(0, true))), None, "nothing changes");
    assert_eq!(why(moderate(&mut state, set_moderator(0, false))), None);
    assert_eq!(why(moderate(&mut state, set_moderator(MODERATORS_MAX, true))), None);
}

#[test]
fn room_that_does_not_exist_is_not_moderated() {
    let kick = Moderation::Kick { room: Some(RoomId(9)), name: name("ann"), reason: None };
    assert_eq!(why(moderate(&mut SharedState::default(), kick)), Some(ModerationRejection::NoRoom));
}

#[test]
fn number_of_invitations_is_limited() {
    let mut state = SharedState::default();
    let guest = |number: usize| {
        let origin = Origin::local(SessionId(number as u64 + 1), MemberId(number as u64 + 1));
        let action = Action::Register { name: name(&format!("guest{number}")), verifier: None, room: None };
        Entry { seq: 1, at: Timestamp(0), uptime: Uptime(0), origin, action }
    };
    let invite = |state: &mut SharedState, number: usize, on: bool| {
        let invitation = Moderation::Invite { room: RoomId::LOBBY, name: name(&format!("guest{number}")), on };
        why(moderate(state, invitation))
    };
    for number in 0..=INVITATIONS_MAX {
        state.apply(guest(number), &mut Vec::new());
    }
    for number in 0..INVITATIONS_MAX {
        assert_eq!(invite(&mut state, number, true), None);
    }
    let full = Some(ModerationRejection::TooManyInvitations(INVITATIONS_MAX));
    assert_eq!(invite(&mut state, INVITATIONS_MAX, true), full);
    assert_eq!(invite(&mut state, 0, true), None, "nothing changes");
    assert_eq!(invite(&mut state, 0, false), None);
    assert_eq!(invite(&mut state, INVITATIONS_MAX, true), None);
}

/// Otherwise the owner of one room could prevent all bans, also those from the server.
#[test]
fn sanctions_of_rooms_leave_space_for_others() {
    let limits = StateLimits { sanctions: 6, sanctions_per_room: 2, sanctions_reserved: 3, ..StateLimits::default() };
    let mut state = SharedState::new(limits);
    let join = Action::Register { name: name("ann"), verifier: None, room: Some(RoomName::new("#ops").unwrap()) };
    let origin = Origin::local(SessionId(1), MemberId(1));
    state.apply(Entry { seq: 1, at: Timestamp(0), uptime: Uptime(0), origin, action: join }, &mut Vec::new());
    let (lobby, ops) = (Some(RoomId::LOBBY), Some(RoomId(1)));
    let mut add = |room, target: &str| why(moderate(&mut state, ban_from(room, target)));
    let full = |limit| Some(ModerationRejection::TooManySanctions(limit));
    assert_eq!(["eve", "bob"].map(|target| add(lobby, target)), [None, None]);
    assert_eq!(add(lobby, "mia"), full(SanctionLimit::Room(2)));
    assert_eq!(add(lobby, "bob"), None, "it replaces the one before");
    assert_eq!(add(ops, "eve"), None, "another room has its own");
    assert_eq!(add(ops, "bob"), full(SanctionLimit::Rooms(3)));
    assert_eq!(["eve", "bob", "mia"].map(|target| add(None, target)), [None, None, None], "the reserve");
    assert_eq!(add(None, "zoe"), full(SanctionLimit::Server(6)));
}

/// The hub ends the sessions of a banned network. The state does not rely on that.
#[test]
fn client_in_a_banned_network_resumes_no_member() {
    let mut state = SharedState::new(StateLimits { resume_seconds: 60, ..StateLimits::default() });
    let verifier = Secret::new([7; 16]).verifier();
    apply(&mut state, 1, Action::Register { name: name("ann"), verifier: Some(verifier), room: None });
    apply(&mut state, 1, Action::Detach(LeaveReason::Lost));
    let target = SanctionTarget::Network("198.51.100.0/24".parse().unwrap());
    moderate(
        &mut state,
        Moderation::Sanction { kind: SanctionKind::Ban, room: None, target, duration: None, reason: None },
    );
    let mut resume = |network: &str| {
        let network = Some(network.parse().unwrap());
        let (at, uptime, action) = (Timestamp(0), Uptime(0), Action::Resume(MemberId(1), verifier));
        let origin = Origin { session: SessionId(2), member: MemberId(2), network };
        let mut out = Vec::new();
        state.apply(Entry { seq: 1, at, uptime, origin, action }, &mut out);
        out
    };
    let refused = resume("198.51.100.7");
    assert!(matches!(refused[..], [StateOutput::Rejected(_, _, Rejection::ResumeBanned(_))]), "{refused:?}");
    let resumed = resume("203.0.113.7");
    assert!(matches!(resumed[..], [StateOutput::Resumed { .. }]), "{resumed:?}");
}
