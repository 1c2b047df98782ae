//! Tests of the shared state alone: random entries, and snapshots at random points.

#[path = "../common/corpus.rs"]
mod corpus;
mod script;

use chinwag::state::SharedState;

/// Number of scripts that are the same in each run.
const SCRIPTS: u64 = 1_000;

/// Bytes of each of them.
const SCRIPT_BYTES: usize = 8_000;

#[test]
fn entries_never_panic_and_snapshots_behave_alike() {
    arbtest::arbtest(|u| {
        script::run(u.bytes(u.len())?);
        Ok(())
    })
    .size_min(2_000)
    .size_max(8_000)
    .budget_ms(6_000);
}

/// The number of random scripts depends on the machine. These have the effects that the rules are about on any machine.
#[test]
fn entries_have_all_effects() {
    let mut seen = script::Seen::default();
    for number in 0..SCRIPTS {
        seen += script::run(&random_bytes(number, SCRIPT_BYTES));
    }
    assert!(seen.events > 500 && seen.rejections > 200 && seen.opened > 20 && seen.closed > 20, "too few: {seen:?}");
    let accounts = [seen.logins, seen.displaced, seen.protected];
    assert!(accounts.iter().chain(&seen.moderated).chain(&seen.nodes).all(|&times| times > 5), "too few: {seen:?}");
}

/// A record of the log keeps the change of each entry that can be in the log.
#[cfg(feature = "cluster")]
#[test]
fn records_of_entries_are_read_as_they_were_written() {
    use std::cell::Cell;

    use chinwag::cluster::{Batch, LoggedChange, Record};

    let (checked, unlogged) = (Cell::new(0), Cell::new(0));
    for number in 0..50 {
        script::run_with(&random_bytes(number, SCRIPT_BYTES), |entry| {
            let Ok(change) = LoggedChange::new(entry.origin, entry.action.clone()) else {
                return unlogged.update(|unlogged| unlogged + 1);
            };
            let record = Record::Batch(Batch { run: number, changes: vec![change] });
            assert_eq!(Record::decode(&record.encode()).expect("a record"), record);
            checked.update(|checked| checked + 1);
        });
    }
    let (checked, unlogged) = (checked.get(), unlogged.get());
    assert!(checked > 1_500 && unlogged > 200, "{checked} of {}", checked + unlogged);
}

/// Bytes that depend on the number alone (`SplitMix64`).
fn random_bytes(number: u64, count: usize) -> Vec<u8> {
    let mut state = number;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()[0]
    };
    (0..count).map(|_| next()).collect()
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
