//! Any bytes from a browser, as a request and as frames. See `tests/round_trip/web.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../round_trip/web.rs"]
mod web;

fuzz_target!(|bytes: &[u8]| web::check(bytes));
