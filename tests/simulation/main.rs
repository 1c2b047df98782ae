//! Simulates many clients of one hub, with its room, feed, mailboxes and cursors, without sockets or clocks. `sessions` describes a run
//! and its checks. The runs come from seeds, and from the corpus of `scripts/fuzz`.
//!
//! `CHINWAG_SEED=n cargo test --test simulation` runs one seed again; a failure prints its seed.

#[path = "../common/corpus.rs"]
mod corpus;
mod sessions;

use sessions::Coverage;

const SEEDS: u64 = 200;

/// Seeds of the runs in which clients moderate.
const ROLE_SEEDS: u64 = 200;

/// Length of a script, in bytes. A step takes three or four.
const SCRIPT_BYTES: usize = 6000;

/// The byte of a script that decides whether clients moderate, and the bit.
const ROLES: (usize, u8) = (2, 2);

#[test]
fn streams_equal_those_of_the_model() {
    let counts: [fn(&Coverage) -> u32; 19] = [
        |coverage| coverage.slow,
        |coverage| coverage.flushed,
        |coverage| coverage.blocked,
        |coverage| coverage.handovers,
        |coverage| coverage.taken_over,
        |coverage| coverage.came_back,
        |coverage| coverage.given_up,
        |coverage| coverage.shown,
        |coverage| coverage.canvases,
        |coverage| coverage.lone_cr,
        |coverage| coverage.opened,
        |coverage| coverage.closed,
        |coverage| coverage.room_events,
        |coverage| coverage.registered,
        |coverage| coverage.logins,
        |coverage| coverage.displaced,
        |coverage| coverage.displaced_guests,
        |coverage| coverage.deleted,
        |coverage| coverage.operator_changes,
    ];
    simulate_all(false, SEEDS, &counts);
}

/// Clients moderate: nobody does what it may not, and what was promised about bans, mutes, locks and deletions holds after every input.
#[test]
fn moderation_keeps_its_promises() {
    let counts: [fn(&Coverage) -> u32; 15] = [
        |coverage| coverage.roles.kicked,
        |coverage| coverage.roles.kicked_from_server,
        |coverage| coverage.roles.expelled,
        |coverage| coverage.roles.overreached,
        |coverage| coverage.roles.muted,
        |coverage| coverage.roles.banned,
        |coverage| coverage.roles.locked_out,
        |coverage| coverage.roles.connections,
        |coverage| coverage.roles.lifted,
        |coverage| coverage.roles.ended,
        |coverage| coverage.roles.appointed,
        |coverage| coverage.roles.invited,
        |coverage| coverage.roles.deleted,
        |coverage| coverage.roles.unread,
        |coverage| coverage.roles.races,
    ];
    simulate_all(true, ROLE_SEEDS, &counts);
}

/// The corpus has one script for each behaviour that `scripts/fuzz` found.
#[test]
fn streams_of_corpus_equal_those_of_the_model() {
    corpus::each("sessions", |script| {
        sessions::run(script);
    });
}

/// Runs all seeds, or the one of the environment. Checks that each of these events has happened often enough in all runs together.
fn simulate_all(has_roles: bool, seeds: u64, counts: &[fn(&Coverage) -> u32]) {
    match std::env::var("CHINWAG_SEED") {
        Ok(seed) => println!("{:?}", simulate(seed.parse().expect("CHINWAG_SEED is a number"), has_roles)),
        Err(_) => {
            let runs: Vec<_> = (0..seeds).map(|seed| simulate(seed, has_roles)).collect();
            let totals: Vec<_> = counts.iter().map(|count| runs.iter().map(count).sum::<u32>()).collect();
            assert!(totals.iter().all(|&times| times > 30), "some rare events are too rare in these runs: {totals:?}");
        }
    }
}

fn simulate(seed: u64, has_roles: bool) -> Coverage {
    let guard = PrintSeed(seed);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut script: Vec<_> = std::iter::repeat_with(|| random.u8(..)).take(SCRIPT_BYTES).collect();
    let (place, bit) = ROLES;
    script[place] = script[place] & !bit | if has_roles { bit } else { 0 };
    let coverage = sessions::run(&script);
    drop(guard);
    coverage
}

/// Prints the seed if the run panics.
struct PrintSeed(u64);

impl Drop for PrintSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the simulation failed with CHINWAG_SEED={}", self.0);
        }
    }
}
