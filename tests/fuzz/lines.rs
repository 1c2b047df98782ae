//! Any bytes from a client, as lines. See `tests/round_trip/lines.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../round_trip/lines.rs"]
mod lines;

fuzz_target!(|script: &[u8]| lines::check(script));
