//! Memory of rooms and memberships in the state, counted by the allocator.

use super::tests::{apply, join, register};
use super::*;
use crate::protocol::{MessageId, PasswordHash, Secret, Text, TokenLabel};

/// Memory of a room with one member, its membership included, in bytes. Ten thousand empty rooms with their sessions, in the whole
/// server, must take at most 1.5 KiB each.
const ROOM_BYTES_MAX: u64 = 700;

/// Memory of a stored room without members, its topic excluded, in bytes.
const STORED_ROOM_BYTES_MAX: u64 = 512;

/// Memory of a membership in a room with other members, in bytes.
const MEMBERSHIP_BYTES_MAX: u64 = 60;

/// Memory of an account with an access token, in bytes.
const ACCOUNT_BYTES_MAX: u64 = 1200;

const ACCOUNTS: u32 = 5_000;
const MEMBERS: u64 = 100;
const ROOMS: u64 = 100;

/// A state with members in the lobby, and the memory that `fill` adds to it, in bytes.
fn added(fill: impl FnOnce(&mut SharedState)) -> u64 {
    let mut state = SharedState::default().with_epoch(Token::truncated("k7qdbc"));
    for member in 1..=MEMBERS {
        register(&mut state, member, None);
    }
    let counted = allocation_counter::measure(|| fill(&mut state));
    u64::try_from(counted.bytes_current).unwrap()
}

fn rooms(count: u64) -> Vec<String> {
    (0..count).map(|number| format!("#room-{number:0>4}")).collect()
}

#[test]
fn empty_room_takes_little_memory() {
    let names = rooms(MEMBERS * (ROOMS - 1));
    let added = added(|state| {
        for (name, member) in names.iter().zip((1..=MEMBERS).cycle()) {
            join(state, member, &[name]);
        }
    });
    let bytes = added / names.len() as u64;
    println!("{bytes} bytes a room");
    assert!(bytes <= ROOM_BYTES_MAX, "{bytes} bytes");
}

#[test]
fn stored_room_without_members_takes_little_memory() {
    let names: Vec<_> = rooms(10_000).iter().map(|name| RoomName::new(name).unwrap()).collect();
    let mut state = SharedState::default();
    let counted = allocation_counter::measure(|| {
        for (number, name) in (1..).zip(&names) {
            let epoch = Some(Token::truncated(&format!("k7qdbc.{number}")));
            let stored = StoredRoom { epoch, last_id: MessageId(7), evicted: MessageId(7), ..StoredRoom::default() };
            state = std::mem::take(&mut state).with_stored_room(RoomId(number), name.clone(), stored, Vec::new());
        }
    });
    let bytes = u64::try_from(counted.bytes_current).unwrap() / names.len() as u64;
    println!("{bytes} bytes a stored room");
    assert!(bytes <= STORED_ROOM_BYTES_MAX, "{bytes} bytes");
}

#[test]
fn membership_takes_little_memory() {
    let names = rooms(ROOMS - 1);
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let of = |members: u64| {
        added(|state| {
            for (member, names) in (1..=members).flat_map(|member| names.chunks(16).map(move |names| (member, names))) {
                join(state, member, names);
            }
        })
    };
    let bytes = (of(MEMBERS) - of(1)) / ((MEMBERS - 1) * (ROOMS - 1));
    println!("{bytes} bytes a membership");
    assert!(bytes <= MEMBERSHIP_BYTES_MAX, "{bytes} bytes");
}

/// The limit of accounts bounds their memory, too.
#[test]
fn account_takes_little_memory() {
    let salt_and_hash = "c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";
    let password = format!("$argon2id$v=19$m=19456,t=2,p=1${salt_and_hash}");
    let mut state = SharedState::default();
    let change = |state: &mut SharedState, update| {
        apply(state, 0, Action::ChangeAccount(AccountChange { at: Timestamp(5), update }));
    };
    let counted = allocation_counter::measure(|| {
        for number in 1..=ACCOUNTS {
            let name = Name::new(&format!("user-{number:0>4}")).unwrap();
            let password = PasswordHash::new(&password).unwrap();
            change(&mut state, AccountUpdate::Create { name, password, ends_rest: false });
        }
    });
    let bytes = u64::try_from(counted.bytes_current).unwrap() / u64::from(ACCOUNTS);
    let counted = allocation_counter::measure(|| {
        for number in 1..=ACCOUNTS {
            let (account, verifier) = (AccountId(number), Secret::new([1; 16]).verifier());
            let label = TokenLabel::new(Text::new("build server").unwrap()).unwrap();
            let expires_at = Timestamp(9);
            change(&mut state, AccountUpdate::CreateToken { account, generation: None, verifier, label, expires_at });
        }
    });
    let token_bytes = u64::try_from(counted.bytes_current).unwrap() / u64::from(ACCOUNTS);
    println!("{bytes} bytes an account, {token_bytes} bytes its first access token");
    assert!(bytes + token_bytes <= ACCOUNT_BYTES_MAX, "{bytes} and {token_bytes} bytes");
}

/// Otherwise a server on which rooms come and go would grow.
#[test]
fn vanished_rooms_leave_no_memory() {
    let names = rooms(2_000);
    let added = added(|state| {
        for name in &names {
            join(state, 1, &[name]);
            let id = state.find_room(&RoomName::new(name).unwrap()).unwrap();
            apply(state, 1, Action::Part(id, None));
        }
    });
    assert!(added <= 4_096, "{added} bytes");
}
