//! The inputs in `tests/seeds` that `scripts/fuzz` found worth keeping, for ordinary tests to run.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// Hands each seed of a fuzz target to `run`. If one fails, its name is printed.
pub(crate) fn each(target: &str, mut run: impl FnMut(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds").join(target);
    let mut seeds: Vec<_> =
        fs::read_dir(&directory).expect("there are seeds").map(|entry| entry.expect("an entry").path()).collect();
    seeds.sort();
    assert!(!seeds.is_empty());
    for seed in seeds {
        let script = fs::read(&seed).expect("a seed");
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(&script))) {
            eprintln!("this seed failed: {}", seed.display());
            resume_unwind(panic);
        }
    }
}
