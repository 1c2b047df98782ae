//! Tests of accounts: every way in which a name can be taken, and what each change gives. `tests/entries` tests random entries.

use super::tests::{join, name};
use super::*;
use crate::limits::NAME_REST_DAYS;
use crate::protocol::{
    AccountTokenId, Day, Event, LeaveReason, MessageId, PasswordHash, Secret, Text, TokenLabel, Verifier,
};

pub(super) const DAY_MS: i64 = 24 * 3600 * 1000;
const REST_MS: i64 = NAME_REST_DAYS as i64 * DAY_MS;
pub(super) const ANN: AccountId = AccountId(1);
pub(super) const TOKEN: AccountTokenId = AccountTokenId(1);

/// A state in which members can be resumed, and the time.
pub(super) struct World {
    pub(super) state: SharedState,
    pub(super) at: Timestamp,
}

fn world() -> World {
    World { state: SharedState::new(StateLimits { resume_seconds: 60, ..StateLimits::default() }), at: Timestamp(0) }
}

pub(super) fn hash(password: &str) -> PasswordHash {
    PasswordHash::new(&format!("$test${password}")).unwrap()
}

pub(super) fn verifier(secret: u8) -> Verifier {
    Secret::new([secret; 16]).verifier()
}

fn create(raw: &str) -> AccountUpdate {
    AccountUpdate::Create { name: name(raw), password: hash("one"), ends_rest: false }
}

pub(super) fn login(account: AccountId) -> LoginRequest {
    LoginRequest { account, proof: LoginProof::Password { generation: 0 }, takes_over: false, verifier: None }
}

impl World {
    /// Applies an action of the member, whose session has the same number. Returns the outputs.
    pub(super) fn apply(&mut self, member: u64, action: Action) -> Vec<StateOutput> {
        let origin = Origin::local(SessionId(member), MemberId(member));
        let mut out = Vec::new();
        self.state.apply(Entry { seq: 1, at: self.at, uptime: Uptime(0), origin, action }, &mut out);
        let snapshot = self.state.snapshot();
        assert_eq!(SharedState::restore(&snapshot).unwrap().snapshot(), snapshot);
        out
    }

    pub(super) fn nick(&mut self, member: u64, raw: &str) -> Vec<StateOutput> {
        self.apply(member, Action::Register { name: name(raw), verifier: None, room: None })
    }

    pub(super) fn rename(&mut self, member: u64, raw: &str) -> Vec<StateOutput> {
        self.apply(member, Action::Rename(name(raw)))
    }

    pub(super) fn change(&mut self, member: u64, update: AccountUpdate) -> Vec<StateOutput> {
        let change = AccountChange { at: self.at, update };
        self.apply(member, Action::ChangeAccount(change))
    }

    pub(super) fn log_in(&mut self, member: u64, request: LoginRequest) -> Vec<StateOutput> {
        self.apply(member, Action::Login(request))
    }

    pub(super) fn take_over(&mut self, member: u64) -> Vec<StateOutput> {
        self.log_in(member, LoginRequest { takes_over: true, ..login(ANN) })
    }

    /// The account of ann, whose member 1 has registered it. Member 2 is bob, a guest.
    pub(super) fn with_ann() -> Self {
        let mut world = world();
        world.nick(1, "ann");
        world.change(1, create("ann"));
        world.nick(2, "bob");
        world
    }

    pub(super) fn create_token(&mut self, secret: u8, days: i64) -> Vec<StateOutput> {
        let (verifier, expires_at) = (verifier(secret), Timestamp(self.at.0 + days * DAY_MS));
        let label = TokenLabel::new(Text::new("build server").unwrap()).unwrap();
        self.change(1, AccountUpdate::CreateToken { account: ANN, generation: None, verifier, label, expires_at })
    }

    pub(super) fn name_of(&self, member: u64) -> Option<&str> {
        self.state.name(MemberId(member)).map(Name::as_str)
    }

    pub(super) fn ann(&self) -> &Account {
        self.state.accounts().get(ANN).unwrap()
    }
}

#[track_caller]
pub(super) fn assert_rejected(out: &[StateOutput], expected: &Rejection) {
    assert!(matches!(out, [StateOutput::Rejected(_, None, why)] if why == expected), "{out:?}, not {expected:?}");
}

#[track_caller]
fn assert_login_refused(out: &[StateOutput], expected: AccountRejection) {
    assert_rejected(out, &Rejection::Account(AccountCommand::Login, expected));
}

fn registered(taken: &str) -> Rejection {
    Rejection::NickRegistered(name(taken), name("ann"))
}

pub(super) fn has_displaced(out: &[StateOutput], member: u64, expected: Displacement) -> bool {
    out.iter().any(
        |output| matches!(output, StateOutput::Displaced { member: id, why, .. } if *id == MemberId(member) && *why == expected),
    )
}

pub(super) fn has_left(out: &[StateOutput], member: u64, expected: LeaveReason) -> bool {
    let left = |output: &StateOutput| matches!(output, StateOutput::Left { member: id, reason, .. } if *id == MemberId(member) && *reason == expected);
    out.iter().any(left)
}

#[test]
fn creation_logs_the_member_in() {
    let mut world = world();
    world.nick(1, "ann");
    let out = world.change(1, create("ann"));
    let outcome = AccountOutcome::Created { account: ANN, name: name("ann"), is_logged_in: true };
    assert!(
        matches!(&out[..], [StateOutput::AccountChanged(origin, found)] if origin.session == SessionId(1) && *found == outcome)
    );
    assert_eq!(
        world.state.member(MemberId(1)).unwrap().login(),
        Some(Login { account: ANN, proof: LoginProof::Password { generation: 0 } })
    );
    assert_eq!(world.state.member_of(ANN), Some(MemberId(1)));
    assert_eq!(world.state.accounts().find(&name("ANN")).map(|account| account.id), Some(ANN));
}

/// The member has another nickname, or is gone, when the account is stored.
#[test]
fn creation_logs_no_other_member_in() {
    let mut world = world();
    world.nick(1, "ann");
    world.rename(1, "eve");
    let out = world.change(1, create("ann"));
    assert!(matches!(&out[..], [StateOutput::AccountChanged(_, AccountOutcome::Created { is_logged_in: false, .. })]));
    assert_eq!((world.state.member_of(ANN), world.state.accounts().len()), (None, 1));
}

#[test]
fn registered_name_and_look_alikes_are_refused_to_others() {
    let mut world = World::with_ann();
    world.apply(1, Action::Leave(LeaveReason::Quit, None));
    for taken in ["ann", "ANN", "\u{430}nn"] {
        assert_rejected(&world.nick(3, taken), &registered(taken));
        assert_rejected(&world.rename(2, taken), &registered(taken));
        assert!(!world.state.can_take(&name(taken), MemberId(3), world.at));
        let refused =
            Rejection::Account(AccountCommand::Create, AccountRejection::Registered(name(taken), name("ann")));
        assert_rejected(&world.change(2, create(taken)), &refused);
    }
    world.nick(3, "joann");
}

#[test]
fn member_of_account_may_take_its_name_back() {
    let mut world = World::with_ann();
    world.rename(1, "al");
    assert_eq!((world.state.member_of(ANN), world.name_of(1)), (Some(MemberId(1)), Some("al")));
    assert_rejected(&world.rename(2, "ann"), &registered("ann"));
    for taken in ["Ann", "\u{430}nn", "ann"] {
        assert!(world.state.can_take(&name(taken), MemberId(1), world.at));
        world.rename(1, taken);
        assert_eq!(world.name_of(1), Some(taken));
    }
}

#[test]
fn login_makes_a_member_in_the_watched_room() {
    let mut world = World::with_ann();
    world.apply(2, Action::Join(vec![RoomName::new("#ops").unwrap()]));
    world.apply(1, Action::Leave(LeaveReason::Quit, None));
    world.apply(3, Action::Watch(RoomName::new("#ops").unwrap()));
    let out = world.log_in(3, login(ANN));
    let [StateOutput::Registered { home, is_named: false, was_watching: true, login: Some(ANN), .. }] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!((home.name.to_string().as_str(), world.name_of(3)), ("#ops", Some("ann")));
    assert_eq!(world.state.member_of(ANN), Some(MemberId(3)));
}

#[test]
fn login_renames_a_guest_and_marks_it() {
    let mut world = World::with_ann();
    world.apply(1, Action::Leave(LeaveReason::Quit, None));
    join(&mut world.state, 2, &["#ops"]);
    let out = world.log_in(2, login(ANN));
    let [StateOutput::LoggedIn { account: ANN, from: Some(from), .. }, events @ ..] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(from, &name("bob"));
    let is_repeated = |output: &StateOutput| {
        matches!(output, StateOutput::Event { event: Event::Rename { .. }, cause: Cause::Repeated(_), .. })
    };
    assert!(events.len() == 2 && events.iter().all(is_repeated), "{events:?}");
    let out = world.log_in(2, login(ANN));
    assert!(matches!(&out[..], [StateOutput::LoggedIn { from: None, .. }]), "no event: {out:?}");
}

#[test]
fn login_with_old_password_or_deleted_account_is_refused() {
    let mut world = World::with_ann();
    world.change(1, AccountUpdate::SetPassword { account: ANN, generation: Some(0), password: hash("two") });
    assert_eq!((world.ann().generation, &world.ann().password), (1, &hash("two")));
    assert_login_refused(&world.log_in(2, login(ANN)), AccountRejection::Changed);
    let out = world.change(1, AccountUpdate::Delete { account: ANN, generation: Some(0) });
    assert_rejected(&out, &Rejection::Account(AccountCommand::Delete, AccountRejection::Changed));
    world.change(1, AccountUpdate::Delete { account: ANN, generation: Some(1) });
    assert_login_refused(&world.log_in(2, login(ANN)), AccountRejection::Changed);
}

#[test]
fn account_in_use_needs_takeover() {
    let mut world = World::with_ann();
    assert_login_refused(&world.log_in(3, login(ANN)), AccountRejection::InUse(name("ann")));
    world.rename(1, "al");
    assert_login_refused(&world.log_in(3, login(ANN)), AccountRejection::InUse(name("ann")));
    join(&mut world.state, 1, &["#ops"]);
    let out = world.take_over(3);
    assert!(has_displaced(&out, 1, Displacement::TakenOver), "{out:?}");
    assert_eq!(
        (world.name_of(1), world.name_of(3), world.state.member_of(ANN)),
        (None, Some("ann"), Some(MemberId(3)))
    );
    let rooms: Vec<_> = world.state.member(MemberId(3)).unwrap().rooms().collect();
    assert_eq!(rooms, [RoomId::LOBBY], "nothing is inherited");
    world.nick(1, "al");
}

#[test]
fn detached_member_of_account_is_displaced_by_login() {
    let mut world = World::with_ann();
    world.apply(1, Action::SetVerifier(Some(verifier(1))));
    world.apply(1, Action::Detach(LeaveReason::Lost));
    let out = world.log_in(3, login(ANN));
    assert!(has_left(&out, 1, LeaveReason::Displaced), "{out:?}");
    assert_eq!(world.name_of(3), Some("ann"));
    assert_rejected(&world.apply(4, Action::Resume(MemberId(1), verifier(1))), &Rejection::TokenUnknown);
}

#[test]
fn session_of_another_account_cannot_log_in() {
    let mut world = World::with_ann();
    world.change(2, create("bob"));
    assert_login_refused(&world.log_in(1, login(AccountId(2))), AccountRejection::LoggedIn);
    assert_eq!(world.state.member_of(ANN), Some(MemberId(1)));
}

/// A guest that held a look-alike before the operator created the account.
#[test]
fn guest_in_the_way_is_displaced() {
    let mut world = world();
    world.nick(1, "Mia");
    world.nick(2, "bob");
    let out = world.change(0, create("rnia"));
    assert!(matches!(&out[..], [StateOutput::AccountChanged(Origin { session: SessionId::SERVER, .. }, _)]));
    assert_eq!(world.name_of(1), Some("Mia"), "a guest keeps its nickname until the owner comes");
    let out = world.log_in(2, login(ANN));
    assert!(has_displaced(&out, 1, Displacement::Guest), "{out:?}");
    assert_eq!((world.name_of(1), world.name_of(2)), (None, Some("rnia")));
}

#[test]
fn guest_with_registered_name_cannot_resume_or_respell() {
    let mut world = world();
    world.nick(1, "ann");
    world.apply(1, Action::SetVerifier(Some(verifier(1))));
    world.change(0, create("ann"));
    let refused = Rejection::ResumeRegistered(name("ann"), name("ann"));
    assert_rejected(&world.apply(3, Action::Resume(MemberId(1), verifier(1))), &refused);
    assert_rejected(&world.rename(1, "Ann"), &registered("Ann"));
    world.apply(1, Action::Detach(LeaveReason::Lost));
    assert_rejected(&world.apply(3, Action::Resume(MemberId(1), verifier(1))), &refused);
    let out = world.log_in(3, login(ANN));
    assert!(has_left(&out, 1, LeaveReason::Displaced), "{out:?}");
}

/// Otherwise its messages would appear under the name of the owner, or it could keep the owner out.
#[test]
fn guest_with_unpublished_message_leaves_and_login_succeeds_afterwards() {
    let mut world = world();
    world.nick(1, "ann");
    world.apply(1, Action::ContentPending(RoomId::LOBBY));
    world.change(0, create("ann"));
    let out = world.log_in(2, login(ANN));
    assert!(has_displaced(&out, 1, Displacement::Guest), "{out:?}");
    assert_login_refused(&out[out.len() - 1..], AccountRejection::Reserved(name("ann")));
    assert_eq!((world.name_of(1), world.name_of(2)), (None, None));
    let message = Message { name: name("ann"), account: None, at: world.at, text: Text::new("late").unwrap() };
    let out = world.apply(1, Action::Say(RoomId::LOBBY, message));
    assert!(matches!(&out[..], [StateOutput::Event { id: Some(MessageId(1)), .. }]), "{out:?}");
    world.log_in(2, login(ANN));
    assert_eq!(world.name_of(2), Some("ann"));
}

#[test]
fn takeover_does_not_wait_for_messages_of_the_same_account() {
    let mut world = World::with_ann();
    world.apply(1, Action::ContentPending(RoomId::LOBBY));
    world.take_over(3);
    assert_eq!(world.name_of(3), Some("ann"));
}

/// Another client must not take the name while the account is being stored.
#[test]
fn name_is_reserved_while_account_is_stored() {
    let mut world = world();
    world.nick(1, "ann");
    world.apply(1, Action::AccountPending);
    world.apply(1, Action::Leave(LeaveReason::Quit, None));
    assert_rejected(&world.nick(2, "ann"), &Rejection::NickReserved(name("ann")));
    let why = StoreFailure::NotStored("the disk is full".into());
    let failed = Action::AccountChangeFailed(AccountCommand::Create, Some(name("ann")), why.clone());
    let refused = Rejection::Account(AccountCommand::Create, AccountRejection::NotStored(why));
    assert_rejected(&world.apply(1, failed), &refused);
    world.nick(2, "ann");
    world.apply(2, Action::AccountPending);
    world.change(2, create("ann"));
    assert_eq!(world.state.member_of(ANN), Some(MemberId(2)));
    world.apply(2, Action::Leave(LeaveReason::Quit, None));
    assert_rejected(&world.nick(3, "ann"), &registered("ann"));
}

#[test]
fn numbers_of_accounts_are_never_reused() {
    let mut world = World::with_ann();
    world.change(1, AccountUpdate::Delete { account: ANN, generation: None });
    world.change(2, create("bob"));
    assert_eq!(world.state.accounts().find(&name("bob")).unwrap().id, AccountId(2));
    let mut state = SharedState::default().with_last_account(AccountId(7));
    assert_eq!(state.accounts().last_id(), AccountId(7));
    let origin = Origin::local(SessionId(1), MemberId(1));
    let action = Action::ChangeAccount(AccountChange { at: Timestamp(0), update: create("eve") });
    state.apply(Entry { seq: 1, at: Timestamp(0), uptime: Uptime(0), origin, action }, &mut Vec::new());
    assert_eq!(state.accounts().last_id(), AccountId(8));
}

#[test]
fn deleted_name_rests_for_30_days() {
    let mut world = World::with_ann();
    world.apply(1, Action::SetVerifier(Some(verifier(1))));
    let out = world.change(1, AccountUpdate::Delete { account: ANN, generation: Some(0) });
    let until = Timestamp(REST_MS);
    let outcome = AccountOutcome::Deleted { account: ANN, name: name("ann"), rests_until: until };
    assert!(matches!(&out[0], StateOutput::AccountChanged(_, found) if *found == outcome), "{out:?}");
    assert_eq!(out[1..], [StateOutput::ResumptionEnded(MemberId(1))]);
    assert_eq!((world.name_of(1), world.state.member_of(ANN)), (Some("ann"), None), "it keeps the name, as a guest");
    world.rename(1, "al");
    world.at = Timestamp(REST_MS - 1);
    for taken in ["ann", "ANN", "\u{430}nn"] {
        let resting = Rejection::NickResting(name(taken), name("ann"), until);
        assert_rejected(&world.rename(1, taken), &resting);
        assert_rejected(&world.nick(3, taken), &resting);
        let refused = AccountRejection::Resting(name(taken), name("ann"), until);
        assert_rejected(&world.change(1, create(taken)), &Rejection::Account(AccountCommand::Create, refused));
    }
    world.at = until;
    world.rename(1, "ann");
    world.change(1, create("ann"));
    assert_eq!((world.name_of(1), world.state.member_of(AccountId(2))), (Some("ann"), Some(MemberId(1))));
    assert_eq!(world.state.accounts().resting().len(), 0);
}

#[test]
fn operator_can_end_a_rest() {
    let mut world = World::with_ann();
    world.change(1, AccountUpdate::Delete { account: ANN, generation: None });
    let update = AccountUpdate::Create { name: name("\u{430}nn"), password: hash("two"), ends_rest: true };
    world.change(0, update);
    assert_eq!((world.state.accounts().len(), world.state.accounts().resting().len()), (1, 0));
}

#[test]
fn rest_that_ends_first_ends_early_when_too_many_names_rest() {
    let limits = StateLimits { resting_names: 2, ..StateLimits::default() };
    let mut world = World { state: SharedState::new(limits), at: Timestamp(0) };
    for (number, raw) in (1..).zip(["ann", "bob", "carol"]) {
        world.at = Timestamp(i64::from(number));
        world.change(0, create(raw));
        world.change(0, AccountUpdate::Delete { account: AccountId(number), generation: None });
    }
    let resting: Vec<_> = world.state.accounts().resting().map(|resting| resting.name.as_str()).collect();
    assert_eq!(resting, ["bob", "carol"]);
    world.nick(1, "ann");
    assert_eq!(world.name_of(1), Some("ann"));
}

#[test]
fn accounts_are_bounded() {
    let limits = StateLimits { accounts: 1, ..StateLimits::default() };
    let mut world = World { state: SharedState::new(limits), at: Timestamp(0) };
    world.change(0, create("ann"));
    let refused = Rejection::Account(AccountCommand::Create, AccountRejection::TooMany(1));
    assert_rejected(&world.change(0, create("bob")), &refused);
    world.change(0, AccountUpdate::Delete { account: ANN, generation: None });
    world.change(0, create("bob"));
    assert_eq!(world.state.accounts().len(), 1);
}

#[test]
fn access_token_logs_in_until_it_expires_or_is_revoked() {
    let mut world = World::with_ann();
    world.create_token(7, 1);
    world.apply(1, Action::Leave(LeaveReason::Quit, None));
    let found = |world: &World, secret| world.ann().find_token(&verifier(secret), world.at).map(|token| token.id);
    assert_eq!((found(&world, 7), found(&world, 8)), (Some(TOKEN), None));
    let by_token = LoginRequest { proof: LoginProof::Token(TOKEN), ..login(ANN) };
    let out = world.log_in(3, by_token);
    let on = Day::from(world.at);
    assert_eq!(
        out.last(),
        Some(&StateOutput::TokenUsed {
            origin: Origin::local(SessionId(3), MemberId(3)),
            account: ANN,
            token: TOKEN,
            on
        })
    );
    assert_eq!(
        world.state.member(MemberId(3)).unwrap().login(),
        Some(Login { account: ANN, proof: LoginProof::Token(TOKEN) })
    );
    world.at = Timestamp(DAY_MS);
    assert_eq!(found(&world, 7), None);
    assert_login_refused(&world.log_in(4, by_token), AccountRejection::Changed);
    world.at = Timestamp(0);
    world.change(3, AccountUpdate::RevokeToken { account: ANN, generation: None, token: TOKEN });
    assert_login_refused(&world.log_in(4, by_token), AccountRejection::Changed);
    let refused = Rejection::Account(AccountCommand::RevokeToken, AccountRejection::TokenUnknown(TOKEN));
    assert_rejected(
        &world.change(3, AccountUpdate::RevokeToken { account: ANN, generation: None, token: TOKEN }),
        &refused,
    );
    world.create_token(9, 1);
    assert_eq!(found(&world, 9), Some(AccountTokenId(2)), "the number is not reused");
}

#[test]
fn use_of_token_is_reported_and_recorded_once_a_day() {
    let mut world = World::with_ann();
    world.create_token(7, 9);
    let by_token = LoginRequest { proof: LoginProof::Token(TOKEN), takes_over: true, ..login(ANN) };
    for day in [0, 1, 5] {
        for (hour, is_first) in [(1, true), (2, false), (23, false)] {
            world.at = Timestamp(day * DAY_MS + hour * 3_600_000);
            let on = Day::from(world.at);
            let used = StateOutput::TokenUsed {
                origin: Origin::local(SessionId(3), MemberId(3)),
                account: ANN,
                token: TOKEN,
                on,
            };
            assert_eq!(world.log_in(3, by_token).contains(&used), is_first, "{on}, {hour}:00");
            let update = AccountUpdate::RecordTokenUse { account: ANN, token: TOKEN, on };
            let change = AccountChange { at: world.at, update: update.clone() };
            assert_eq!(world.state.plan_account_change(&change).is_ok(), is_first);
            assert_eq!(world.change(0, update), []);
            assert_eq!(world.ann().tokens[0].last_used_on, Some(on));
        }
    }
}

#[test]
fn revocation_ends_resume_token_of_its_login_only() {
    let mut world = World::with_ann();
    world.create_token(7, 9);
    world.create_token(8, 9);
    world.take_over_by_token(3, TOKEN);
    world.apply(3, Action::SetVerifier(Some(verifier(1))));
    let out = world.change(3, AccountUpdate::RevokeToken { account: ANN, generation: None, token: AccountTokenId(2) });
    assert_eq!(out.len(), 1, "{out:?}");
    let out = world.change(3, AccountUpdate::RevokeToken { account: ANN, generation: None, token: TOKEN });
    assert_eq!(out[1..], [StateOutput::ResumptionEnded(MemberId(3))]);
    assert_eq!(world.state.member_of(ANN), Some(MemberId(3)), "the member stays");
}

/// Otherwise a script could use the account without limit with one expired token.
#[test]
fn expired_token_resumes_no_member() {
    let mut world = World::with_ann();
    world.create_token(7, 1);
    world.take_over_by_token(3, TOKEN);
    world.apply(3, Action::SetVerifier(Some(verifier(1))));
    world.at = Timestamp(DAY_MS);
    assert_rejected(&world.apply(4, Action::Resume(MemberId(3), verifier(1))), &Rejection::TokenUnknown);
    world.at = Timestamp(DAY_MS - 1);
    let out = world.apply(4, Action::Resume(MemberId(3), verifier(1)));
    assert!(matches!(&out[..], [StateOutput::Resumed { .. }]), "{out:?}");
}

#[test]
fn expired_token_makes_place_for_a_new_one() {
    let limits = StateLimits { account_tokens: 2, ..StateLimits::default() };
    let mut world = World { state: SharedState::new(limits), at: Timestamp(0) };
    world.change(0, create("ann"));
    world.create_token(1, 2);
    world.create_token(2, 1);
    let refused = Rejection::Account(AccountCommand::CreateToken, AccountRejection::TooManyTokens(2));
    assert_rejected(&world.create_token(3, 1), &refused);
    world.at = Timestamp(DAY_MS);
    world.create_token(3, 1);
    let ids: Vec<_> = world.ann().tokens.iter().map(|token| token.id.0).collect();
    assert_eq!(ids, [1, 3]);
    assert_rejected(&world.create_token(4, 1), &refused);
}

#[test]
fn accounts_survive_stop_without_their_members() {
    let mut world = World::with_ann();
    world.apply(0, Action::Stop);
    assert_eq!((world.state.accounts().len(), world.state.member_of(ANN)), (1, None));
    world.log_in(3, login(ANN));
    assert_eq!(world.name_of(3), Some("ann"));
}

/// A batch of the store may have independent changes only.
#[test]
fn changes_depend_on_changes_of_the_same_account() {
    let account = |id| AccountId(id);
    let revoke = |id| AccountUpdate::RevokeToken { account: account(id), generation: None, token: TOKEN };
    let delete = |id| AccountUpdate::Delete { account: account(id), generation: None };
    let record_on = |id, on| AccountUpdate::RecordTokenUse { account: account(id), token: TOKEN, on: Day::from(on) };
    let record = |id| record_on(id, Timestamp(0));
    for (earlier, later, depends) in [
        (revoke(1), revoke(1), true),
        (revoke(1), revoke(2), false),
        (record(1), record(1), false),
        (record_on(1, Timestamp(DAY_MS)), record(1), true),
        (record_on(2, Timestamp(DAY_MS)), record(1), false),
        (record(1), revoke(1), true),
        (revoke(1), record(1), true),
        (revoke(1), record(2), false),
        (delete(1), record(2), true),
        (record(2), delete(1), true),
        (create("ann"), create("bob"), true),
        (create("ann"), revoke(1), true),
    ] {
        assert_eq!(later.depends_on(&earlier), depends, "{later:?} after {earlier:?}");
    }
}

impl World {
    pub(super) fn take_over_by_token(&mut self, member: u64, token: AccountTokenId) {
        self.log_in(member, LoginRequest { proof: LoginProof::Token(token), takes_over: true, ..login(ANN) });
    }
}
