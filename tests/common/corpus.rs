//! The inputs in `tests/corpus` that `scripts/fuzz` found worth keeping, for ordinary tests to run.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// Hands each input of a fuzz target to `run`. If one fails, its name is printed.
pub(crate) fn each(target: &str, mut run: impl FnMut(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let mut inputs: Vec<_> =
        fs::read_dir(&directory).expect("there is a corpus").map(|entry| entry.expect("an entry").path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty());
    for input in inputs {
        let script = fs::read(&input).expect("an input");
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(&script))) {
            eprintln!("this input failed: {}", input.display());
            resume_unwind(panic);
        }
    }
}
