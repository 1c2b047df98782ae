//! Many peers against one hub: room, feed, mailboxes and cursors, without sockets or clocks. What a run is made of and what
//! it checks is in `sessions`; here are the runs: made up from seeds, and kept from `scripts/fuzz`.
//!
//! `CHINWAG_SEED=n cargo test --test simulation` runs one seed again; a failure prints its seed.

#[path = "../common/corpus.rs"]
mod corpus;
mod sessions;

use sessions::Seen;

const SEEDS: u64 = 80;

/// Three or four bytes make a step.
const SCRIPT_BYTES: usize = 6000;

#[test]
fn streams_equal_those_of_the_model() {
    match std::env::var("CHINWAG_SEED") {
        Ok(seed) => println!("{:?}", simulate(seed.parse().expect("CHINWAG_SEED is a number"))),
        Err(_) => {
            let seen: Vec<_> = (0..SEEDS).map(simulate).collect();
            let total = |what: fn(&Seen) -> u32| seen.iter().map(what).sum::<u32>();
            let what: [fn(&Seen) -> u32; 10] = [
                |seen| seen.slow,
                |seen| seen.flushed,
                |seen| seen.blocked,
                |seen| seen.handovers,
                |seen| seen.taken_over,
                |seen| seen.came_back,
                |seen| seen.given_up,
                |seen| seen.shown,
                |seen| seen.canvases,
                |seen| seen.lone_cr,
            ];
            let totals = what.map(total);
            assert!(totals.iter().all(|&times| times > 50), "the simulation misses what it is for: {totals:?}");
        }
    }
}

/// What `scripts/fuzz` once found worth keeping.
#[test]
fn fuzz_seeds_equal_the_model() {
    corpus::each("sessions", |script| {
        sessions::run(script);
    });
}

fn simulate(seed: u64) -> Seen {
    let told = TellSeed(seed);
    let mut random = fastrand::Rng::with_seed(seed);
    let script: Vec<_> = std::iter::repeat_with(|| random.u8(..)).take(SCRIPT_BYTES).collect();
    let happened = sessions::run(&script);
    drop(told);
    happened
}

struct TellSeed(u64);

impl Drop for TellSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the simulation failed with CHINWAG_SEED={}", self.0);
        }
    }
}
