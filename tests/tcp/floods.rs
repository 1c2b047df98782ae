//! Clients that send too much are slowed down, and delay no other client.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::common::{HELLO, Server};

/// So does a line without end. Each costs as many tokens as the longest lines of its length.
#[test]
fn blank_lines_and_telnet_bytes_count_for_the_rate() {
    const TOKENS: usize = 100;
    let server = Server::rate_limited(&["--line-rate", "50", "--line-burst", "20"]);
    let bytes = TOKENS * 4096;
    let check = |flood: &[u8], answer: &[&str]| {
        let mut client = server.connect();
        let start = Instant::now();
        client.send_bytes(flood);
        assert_eq!(client.sync(), answer);
        assert!(start.elapsed() > Duration::from_millis(1600), "after {:?}", start.elapsed());
    };
    thread::scope(|scope| {
        scope.spawn(|| check(&[b'\n'; TOKENS], &[]));
        scope.spawn(|| check(&[255, 241].repeat(bytes / 2), &[]));
        let mut endless = vec![b'x'; bytes];
        endless.push(b'\n');
        let too_long =
            "ERR - line-too-long the line is too long and was discarded: expected at most 4096 bytes; send it in parts";
        check(&endless, &[too_long]);
    });
}

/// Each packet is read by itself, because it is answered before the next one is sent.
#[test]
fn small_packets_count_for_the_rate() {
    const TOKENS: usize = 100;
    let server = Server::rate_limited(&["--line-rate", "50", "--line-burst", "20"]);
    let mut client = server.connect();
    let start = Instant::now();
    for _ in 0..(TOKENS + 2) * 4096 / 64 {
        client.send_bytes(&[255, 253, 6]);
        client.skip_bytes(3);
    }
    assert!(start.elapsed() > Duration::from_millis(1600), "after {:?}", start.elapsed());
}

/// Input beyond the rate stays in the kernels' buffers.
#[test]
fn floods_need_no_memory() {
    const FLOODS: u64 = 100;
    let server = Server::rate_limited(&[]);
    let mut watcher = server.join("watcher");
    let before = server.resident_bytes();
    let lines = b"PING\n".repeat(20_000);
    let floods: Vec<_> = (0..FLOODS).map(|_| server.connect_raw()).collect();
    for flood in &floods {
        flood.stream().set_nonblocking(true).expect("a socket");
    }
    for _ in 0..10 {
        for flood in &floods {
            let mut stream = flood.stream();
            while stream.write(&lines).is_ok() {}
        }
        watcher.sync();
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < FLOODS * 16 * 1024 + 1024 * 1024, "it grew by {grown} bytes");
}

/// Its waiting lines would take hours, and it would keep its nickname meanwhile.
#[test]
fn reset_flooder_leaves_at_once() {
    let server = Server::rate_limited(&[]);
    let mut watcher = server.join("watcher");
    let mut flooder = server.join("flooder");
    watcher.expect("JOIN flooder");
    flooder.send_bytes(&b"\n".repeat(50_000));
    SockRef::from(flooder.stream()).set_linger(Some(Duration::ZERO)).expect("a socket");
    drop(flooder);
    watcher.expect("LEAVE flooder lost");
}

#[test]
fn flood_without_rate_limit_delays_no_other_client() {
    const LINES: usize = 200_000;
    let server = Server::start();
    let mut watcher = server.join("watcher");
    let mut client = server.connect_raw();
    let mut writer = client.stream().try_clone().expect("a clone");
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(move || writer.write_all(&b"PING\n".repeat(LINES)).expect("the server reads"));
        let answered = &answered;
        scope.spawn(move || {
            client.expect(HELLO);
            for _ in 0..LINES {
                client.expect("OK PING");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        while answered.load(Ordering::Relaxed) == 0 {
            watcher.sync();
        }
        for _ in 0..20 {
            watcher.sync();
        }
        let meanwhile = answered.load(Ordering::Relaxed);
        assert!(meanwhile < LINES, "all of it was carried out first");
    });
}
