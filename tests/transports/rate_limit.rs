//! The rate limit counts lines, however they arrive.

use std::time::{Duration, Instant};

use crate::common::{Site, Transport};

fn pipelined_lines_are_processed_at_the_rate<T: Transport>() {
    const LINES: u32 = 1000;
    const BURST: u32 = 40;
    const RATE: u32 = 500;
    let site = Site::<T>::rate_limited(&["--line-rate", "500"]);
    let (mut watcher, mut script) = (site.join("watcher"), site.join("script"));
    watcher.expect("JOIN script");
    // The join took two tokens of the burst.
    let start = Instant::now();
    let lines: String = (0..LINES).map(|number| format!("MSG {number}\n")).collect();
    script.send_bytes(lines.as_bytes());
    script.end_input();
    for number in 1..=LINES {
        script.expect(&format!("OK MSG {number}"));
    }
    script.expect_closed(1000);
    let least = Duration::from_secs(1) * (LINES - BURST) / RATE;
    assert!(start.elapsed() > least, "{:?} is faster than the rate", start.elapsed());
    for number in 0..LINES {
        watcher.expect(&format!("MSG script {number}"));
    }
    watcher.expect("LEAVE script eof");
}

test_each_transport!(pipelined_lines_are_processed_at_the_rate);
