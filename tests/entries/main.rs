//! Tests of the room alone: random entries, and snapshots at random points.

#[path = "../common/corpus.rs"]
mod corpus;
mod script;

use chinwag::room::Room;

#[test]
fn entries_never_panic_and_snapshots_behave_alike() {
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
    assert!(events > 1_000 && rejections > 200, "too few effects: {events} events, {rejections} rejections");
}

#[test]
fn corpus_keeps_the_rules() {
    corpus::each("entries", |script| {
        script::run(script);
    });
}

#[test]
fn invalid_snapshot_is_refused() {
    let snapshot = script::some_room().snapshot();
    assert!(Room::restore(&snapshot).is_ok());
    assert!(Room::restore(&[]).is_err());
    for length in 0..snapshot.len() {
        assert!(Room::restore(&snapshot[..length]).is_err(), "cut at {length}");
    }
    assert!(Room::restore(&[&snapshot[..], &[0]].concat()).is_err(), "something follows");
    // With a changed bit, the snapshot is refused, or is the valid snapshot of another room.
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
