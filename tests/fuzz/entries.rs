//! Random entries of the room. See `tests/entries/script.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../entries/script.rs"]
mod script;

fuzz_target!(|bytes: &[u8]| {
    script::run(bytes);
});
