//! Tests of damaged snapshots. `tests/entries` compares states with restored ones.

use super::*;
use crate::protocol::{
    AccountId, MessageId, Name, PasswordHash, PastMessage, RoomName, Secret, Text, Timestamp, TokenLabel,
};
use crate::state::{
    Account, AccountChange, AccountUpdate, Action, Author, Budget, Entry, Login, LoginProof, MemberId, Message, Origin,
    RecentMessage, RestingName, RoomId, SessionId, Uptime,
};

const TEAM: RoomId = RoomId(1);

fn apply(state: &mut SharedState, member: u64, action: Action) {
    let origin = Origin::local(SessionId(member), MemberId(member));
    let entry = Entry { seq: 1, at: Timestamp(5), uptime: Uptime(3), origin, action };
    state.apply(entry, &mut Vec::new());
}

fn say(state: &mut SharedState, room: RoomId) {
    let (name, text) = (Name::new("ann").unwrap(), Text::new("hello").unwrap());
    apply(state, 1, Action::Say(room, Message { name, account: None, at: Timestamp(5), text }));
}

/// A state with a member, who is in two rooms, and three messages in the lobby.
fn state() -> SharedState {
    let mut state = SharedState::default();
    apply(&mut state, 1, Action::Register { name: Name::new("ann").unwrap(), verifier: None, room: None });
    apply(&mut state, 1, Action::Join(vec![RoomName::new("#team").unwrap()]));
    apply(&mut state, 2, Action::Watch(RoomName::new("#team").unwrap()));
    for room in [RoomId::LOBBY, TEAM, RoomId::LOBBY, RoomId::LOBBY] {
        say(&mut state, room);
    }
    assert!(SharedState::restore(&state.snapshot()).is_ok());
    state
}

#[track_caller]
fn assert_refused(damage: impl FnOnce(&mut SharedState)) {
    let mut state = state();
    damage(&mut state);
    assert!(SharedState::restore(&state.snapshot()).is_err(), "{state:?}");
}

fn past(id: u64) -> RecentMessage {
    let (name, text) = (Name::new("ann").unwrap(), Text::new("hello").unwrap());
    let past = PastMessage { id: MessageId(id), at: Timestamp(5), name, text: Some(text) };
    RecentMessage { past, author: Author::default() }
}

/// Such a state would give an id twice.
#[test]
fn snapshot_with_message_beyond_last_id_is_refused() {
    assert_refused(|state| state.rooms.get_mut(RoomId::LOBBY).unwrap().last_id = MessageId(2));
    assert_refused(|state| state.retain_message(RoomId::LOBBY, past(4)));
    assert_refused(|state| {
        state.rooms.get_mut(RoomId::LOBBY).unwrap().history.evict_up_to(&mut state.messages, MessageId(4));
    });
}

#[test]
fn snapshot_with_messages_out_of_order_is_refused() {
    assert_refused(|state| state.retain_message(RoomId::LOBBY, past(3)));
    assert_refused(|state| state.retain_message(RoomId::LOBBY, past(1)));
    assert_refused(|state| state.messages = Budget::restore(9, 9999, 2));
    assert_refused(|state| {
        let history = std::mem::take(&mut state.rooms.get_mut(RoomId::LOBBY).unwrap().history);
        state.rooms.get_mut(TEAM).unwrap().history = history;
    });
}

#[test]
fn snapshot_with_inconsistent_rooms_is_refused() {
    assert_refused(|state| {
        state.rooms.remove(TEAM);
    });
    assert_refused(|state| state.rooms.get_mut(TEAM).unwrap().name = RoomName::new("#Lobby").unwrap());
    assert_refused(|state| state.rooms.get_mut(RoomId::LOBBY).unwrap().name = RoomName::new("#hall").unwrap());
    assert_refused(|state| state.next_room = 1);
    assert_refused(|state| state.entrances = 1);
    assert_refused(|state| {
        state.watchers.insert(SessionId(3), RoomId(7));
    });
}

/// Such a state would panic at the next entry.
#[test]
fn snapshot_with_counter_at_its_end_is_refused() {
    assert_refused(|state| state.rooms.get_mut(RoomId::LOBBY).unwrap().last_id = MessageId(u64::MAX));
    assert_refused(|state| state.entrances = u64::MAX);
    assert_refused(|state| state.messages = Budget::restore(9, 9999, u64::MAX));
}

/// Evicting up to an id that is not given yet must not evict later messages.
#[test]
fn evict_beyond_newest_message_evicts_only_up_to_it() {
    let mut state = state();
    apply(&mut state, 1, Action::Evict(RoomId::LOBBY, MessageId(u64::MAX)));
    say(&mut state, RoomId::LOBBY);
    let history = state.room(RoomId::LOBBY).unwrap().history();
    assert_eq!((history.since(MessageId(2)), history.since(MessageId(3))), (None, Some(3..4)));
}

/// A state with two accounts, of which the first has two tokens and a member.
fn state_with_accounts() -> SharedState {
    let mut state = state();
    let change = |update| Action::ChangeAccount(AccountChange { at: Timestamp(5), update });
    for raw in ["ann", "bob"] {
        let (name, password) = (Name::new(raw).unwrap(), PasswordHash::new("$test").unwrap());
        apply(&mut state, 1, change(AccountUpdate::Create { name, password, ends_rest: false }));
    }
    for secret in [1, 2] {
        let label = TokenLabel::new(Text::new("build server").unwrap()).unwrap();
        let (account, verifier) = (AccountId(1), Secret::new([secret; 16]).verifier());
        let update =
            AccountUpdate::CreateToken { account, generation: None, verifier, label, expires_at: Timestamp(9) };
        apply(&mut state, 1, change(update));
    }
    apply(&mut state, 3, Action::Register { name: Name::new("eve").unwrap(), verifier: None, room: None });
    assert_eq!(state.member(MemberId(1)).unwrap().account(), Some(AccountId(1)));
    state
}

/// Such a state would give a number twice, or two accounts one name.
#[test]
fn snapshot_with_inconsistent_accounts_is_refused() {
    let check = |damage: &dyn Fn(&mut SharedState)| {
        let mut state = state_with_accounts();
        let before = state.snapshot();
        assert!(SharedState::restore(&before).is_ok());
        damage(&mut state);
        let after = state.snapshot();
        assert!(before != after && SharedState::restore(&after).is_err(), "{:?}", state.accounts);
    };
    let first = |state: &mut SharedState, damage: &dyn Fn(&mut Account)| {
        damage(state.accounts.get_mut(AccountId(1)).unwrap());
    };
    check(&|state| first(state, &|account| account.id = AccountId(9)));
    check(&|state| first(state, &|account| account.id = AccountId(0)));
    check(&|state| first(state, &|account| account.id = AccountId(2)));
    check(&|state| first(state, &|account| account.name = Name::new("b0b").unwrap()));
    check(&|state| first(state, &|account| account.tokens.reverse()));
    check(&|state| first(state, &|account| account.last_token.0 = 1));
    check(&|state| first(state, &|account| account.tokens[0].id.0 = 0));
    check(&|state| {
        assert!(state.accounts.rest(RestingName { name: Name::new("Ann").unwrap(), until: Timestamp(9) }));
    });
    let set_login = |state: &mut SharedState, member, account| {
        let proof = LoginProof::Password { generation: 0 };
        let login = Login { account: AccountId(account), proof };
        state.members.get_mut(MemberId(member)).unwrap().login = Some(Box::new(login));
    };
    check(&|state| set_login(state, 3, 7));
    check(&|state| set_login(state, 3, 1));
}
