//! Several clients in one room. See `tests/simulation/sessions/mod.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../simulation/sessions/mod.rs"]
mod sessions;

fuzz_target!(|script: &[u8]| {
    sessions::run(script);
});
