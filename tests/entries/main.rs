//! The room on its own: any entries in any order, and snapshots at any point.

mod script;
#[path = "../common/seeds.rs"]
mod seeds;

use chinwag::room::Room;

#[test]
fn no_entry_makes_the_room_panic_and_snapshots_continue_alike() {
    let (mut events, mut rejections) = (0, 0);
    arbtest::arbtest(|u| {
        let bytes = u.bytes(u.len())?;
        let seen = script::run(bytes);
        events += seen.events;
        rejections += seen.rejections;
        Ok(())
    })
    .size_min(2_000)
    .size_max(8_000)
    .budget_ms(5_000);
    assert!(events > 1_000 && rejections > 200, "the entries do too little: {events} events, {rejections} rejections");
}

#[test]
fn kept_seeds() {
    seeds::each("entries", |script| {
        script::run(script);
    });
}

#[test]
fn bytes_that_are_no_snapshot_are_refused() {
    let snapshot = script::some_room().snapshot();
    assert!(Room::restore(&snapshot).is_ok());
    assert!(Room::restore(&[]).is_err());
    for length in 0..snapshot.len() {
        assert!(Room::restore(&snapshot[..length]).is_err(), "cut at {length}");
    }
    assert!(Room::restore(&[&snapshot[..], &[0]].concat()).is_err(), "something follows");
    // A changed byte is refused, or makes another room, of which it is the snapshot.
    for at in 0..snapshot.len() {
        for bit in 0..8 {
            let mut changed = snapshot.clone();
            changed[at] ^= 1 << bit;
            if let Ok(room) = Room::restore(&changed) {
                assert_eq!(room.snapshot(), changed, "byte {at}, bit {bit}");
            }
        }
    }
}
