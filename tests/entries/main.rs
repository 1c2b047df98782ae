//! Tests of the shared state alone: random entries, and snapshots at random points.

#[path = "../common/corpus.rs"]
mod corpus;
mod script;

use chinwag::state::SharedState;

#[test]
fn entries_never_panic_and_snapshots_behave_alike() {
    let (mut events, mut rejections, mut opened, mut closed) = (0, 0, 0, 0);
    let (mut logins, mut displaced, mut protected, mut moderated) = (0, 0, 0, [0; 4]);
    arbtest::arbtest(|u| {
        let bytes = u.bytes(u.len())?;
        let seen = script::run(bytes);
        events += seen.events;
        rejections += seen.rejections;
        opened += seen.opened;
        closed += seen.closed;
        logins += seen.logins;
        displaced += seen.displaced;
        protected += seen.protected;
        moderated.iter_mut().zip(seen.moderated).for_each(|(sum, count)| *sum += count);
        Ok(())
    })
    .size_min(2_000)
    .size_max(8_000)
    .budget_ms(8_000);
    assert!(events > 500 && rejections > 200, "too few effects: {events} events, {rejections} rejections");
    assert!(opened > 20 && closed > 20, "too few effects: {opened} rooms opened, {closed} closed");
    assert!(
        moderated.iter().all(|&times| times > 5),
        "too few effects: {moderated:?} commands, removals, muted lines, locks"
    );
    let accounts = [logins, displaced, protected];
    assert!(
        accounts.iter().all(|&times| times > 5),
        "too few effects: {accounts:?} logins, displaced members, protected names"
    );
}

#[test]
fn corpus_keeps_the_rules() {
    corpus::each("entries", |script| {
        script::run(script);
    });
}

#[test]
fn invalid_snapshot_is_refused() {
    let snapshot = script::some_state().snapshot();
    assert!(SharedState::restore(&snapshot).is_ok());
    assert!(SharedState::restore(&[]).is_err());
    for length in 0..snapshot.len() {
        assert!(SharedState::restore(&snapshot[..length]).is_err(), "cut at {length}");
    }
    assert!(SharedState::restore(&[&snapshot[..], &[0]].concat()).is_err(), "something follows");
    // With a changed bit, the snapshot is refused, or is the valid snapshot of another state.
    for at in 0..snapshot.len() {
        for bit in 0..8 {
            let mut changed = snapshot.clone();
            changed[at] ^= 1 << bit;
            if let Ok(state) = SharedState::restore(&changed) {
                assert_eq!(state.snapshot(), changed, "byte {at}, bit {bit}");
            }
        }
    }
}
