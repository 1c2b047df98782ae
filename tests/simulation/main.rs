//! Simulates many clients of one hub, with its room, feed, mailboxes and cursors, without sockets or clocks. `sessions` describes a run
//! and its checks. The runs come from seeds, and from the corpus of `scripts/fuzz`.
//!
//! `CHINWAG_SEED=n cargo test --test simulation` runs one seed again; a failure prints its seed.

#[path = "../common/corpus.rs"]
mod corpus;
mod sessions;

use sessions::Coverage;

const SEEDS: u64 = 200;

/// Length of a script, in bytes. A step takes three or four.
const SCRIPT_BYTES: usize = 6000;

#[test]
fn streams_equal_those_of_the_model() {
    match std::env::var("CHINWAG_SEED") {
        Ok(seed) => println!("{:?}", simulate(seed.parse().expect("CHINWAG_SEED is a number"))),
        Err(_) => {
            let runs: Vec<_> = (0..SEEDS).map(simulate).collect();
            let total = |count: fn(&Coverage) -> u32| runs.iter().map(count).sum::<u32>();
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
            let totals = counts.map(total);
            assert!(totals.iter().all(|&times| times > 30), "some rare events are too rare in these runs: {totals:?}");
        }
    }
}

/// The corpus has one script for each behaviour that `scripts/fuzz` found.
#[test]
fn streams_of_corpus_equal_those_of_the_model() {
    corpus::each("sessions", |script| {
        sessions::run(script);
    });
}

fn simulate(seed: u64) -> Coverage {
    let guard = PrintSeed(seed);
    let mut random = fastrand::Rng::with_seed(seed);
    let script: Vec<_> = std::iter::repeat_with(|| random.u8(..)).take(SCRIPT_BYTES).collect();
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
