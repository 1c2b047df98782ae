//! Memory of rooms and memberships, by the count of the allocator.

use super::*;

/// Memory of a room with one member, its membership included, in bytes.
const ROOM_BYTES_MAX: u64 = 500;

/// Memory of a membership in a room with other members, in bytes: in the delivery and in the cursor.
const MEMBERSHIP_BYTES_MAX: u64 = 100;

/// Connects sessions that follow rooms: each of the sessions as many as the range for it says. Their cursors have read everything.
/// Returns the memory that the rooms take, in bytes.
fn memory(rooms: u32, sessions: u64, followed: impl Fn(u64) -> Range<u32>) -> u64 {
    let feed = Arc::new(Feed::new(1 << 20));
    let mut delivery = Delivery::new(Arc::clone(&feed));
    let state = SharedState::default();
    let names: Vec<_> = (0..rooms).map(|room| RoomName::new(&format!("#room-{room}")).unwrap()).collect();
    let mut readers: Vec<_> = (0..sessions).map(|session| Reader::new(SessionId(session))).collect();
    for reader in &mut readers {
        delivery.connect(reader.session, Arc::clone(&reader.mailbox));
        delivery.deliver(&state, reader.session, &Output::Follow(reader.session, RoomId::LOBBY, true));
        reader.fetch(&feed);
        reader.write(&feed, 1, |_| None);
    }
    delivery.publish();
    let mut kept = None;
    let measured = allocation_counter::measure(|| {
        for (room, name) in (1..).map(RoomId).zip(&names) {
            delivery.publisher.open_room(room, name, MessageId(0));
        }
        for reader in &mut readers {
            for room in followed(reader.session.0).map(RoomId) {
                delivery.deliver(&state, reader.session, &Output::Follow(reader.session, room, false));
            }
            delivery.publish();
            reader.fetch(&feed);
            reader.write(&feed, 1, |_| None);
            assert_eq!(reader.end, Some(Progress::Idle));
        }
        kept = Some((delivery, readers));
    });
    drop(kept);
    u64::try_from(measured.bytes_current).unwrap()
}

#[test]
fn room_with_one_member_takes_little_memory() {
    let (rooms, of_each) = (10_000, 100);
    let first = |session: u64| 1 + u32::try_from(session).unwrap() * of_each;
    let bytes = memory(rooms, u64::from(rooms / of_each), |session| first(session)..first(session) + of_each);
    let bytes = bytes / u64::from(rooms);
    assert!((100..=ROOM_BYTES_MAX).contains(&bytes), "{bytes} bytes");
}

#[test]
fn membership_takes_little_memory() {
    let (rooms, sessions) = (100, 1_000);
    let bytes = memory(rooms, sessions, |_| 1..rooms + 1) / (u64::from(rooms) * sessions);
    assert!((40..=MEMBERSHIP_BYTES_MAX).contains(&bytes), "{bytes} bytes");
}
