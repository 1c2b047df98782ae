//! Peers that do not read: they delay nobody, cost next to nothing, and are let go with a reason.

use crate::common::{HELLO, Peer, Server};

const TEXT: usize = 1000;

/// Says so much that more than `bytes` of it are published, and reads every acknowledgement; what was heard meanwhile.
fn fill(talker: &mut Peer, bytes: usize) -> Vec<String> {
    let line = format!("MSG {}\n", "x".repeat(TEXT)).repeat(50);
    let mut heard = Vec::new();
    for _ in 0..bytes.div_ceil(50 * TEXT) {
        talker.send_bytes(line.as_bytes());
        heard.extend(talker.sync());
    }
    heard
}

/// Says more than the kernels at both ends take, and hears the one who reads nothing of it leave: now, or while it was said.
fn fill_until_stuck_leaves(talker: &mut Peer) {
    let heard = fill(talker, 2_000_000);
    talker.expect_after(&heard, "LEAVE stuck slow");
}

#[test]
fn a_reader_that_falls_off_the_feed_is_closed_as_slow_and_told() {
    let server = Server::with(&["--feed-bytes", "1048576"]);
    let mut talker = server.join("talker");
    let mut stuck = server.join("stuck");
    let mut reader = server.join("reader");
    let mut left = false;
    // The kernels at both ends take some megabytes before the server notices.
    for _ in 0..1000 {
        fill(&mut talker, 100_000);
        reader.send("PING read");
        left |= reader.until("OK PING read").iter().any(|line| line == "LEAVE stuck slow");
        if left {
            break;
        }
    }
    assert!(left, "it never left");
    let last = stuck.rest();
    let last: Vec<_> = last.iter().map(|line| line.trim_end_matches('\r')).rev().take(2).collect();
    assert_eq!(
        last[0],
        "ERR - slow you read too slowly: more was waiting for you than is kept (1048576 bytes, 262144 of whispers); \
         connect again",
        "after {:?}",
        last[1]
    );
}

/// Though all that waits for it is still kept.
#[test]
fn a_reader_whose_socket_takes_nothing_is_closed_as_slow_and_told() {
    let server = Server::with(&["--write-timeout", "1"]);
    let mut talker = server.join("talker");
    let descriptors = server.descriptors();
    let mut stuck = server.join_narrow("stuck");
    talker.expect("JOIN stuck");
    fill_until_stuck_leaves(&mut talker);
    // It reads on when the server has long closed.
    server.wait_for_descriptors(descriptors, &mut talker);
    let rest = stuck.rest();
    let last = rest.last().expect("a reason").trim_end_matches('\r');
    assert_eq!(last, "ERR - slow you read nothing of what was waiting for you for 1 s; connect again");
}

/// TCP gives a full socket up as it does a host that vanished; the server comes first, and tells.
#[test]
fn a_reader_that_takes_nothing_is_slow_and_not_lost() {
    let server = Server::with(&["--write-timeout", "0", "--lost-timeout", "20"]);
    let mut talker = server.join("talker");
    let _stuck = server.join_narrow("stuck");
    talker.expect("JOIN stuck");
    fill_until_stuck_leaves(&mut talker);
}

/// However slowly it reads, as long as it reads: here, longer than it may stop.
#[test]
fn a_reader_that_goes_on_reading_stays() {
    const PACES: usize = 80;
    let server = Server::paced(&["--write-timeout", "6", "--line-burst", "5000"]);
    let mut talker = server.join("talker");
    let mut reader = server.join_narrow("reader");
    let mut pacer = server.connect();
    pacer.send_bytes(&b"PING\n".repeat(5000));
    for _ in 0..10 {
        fill(&mut talker, 350_000);
        reader.skip_bytes(32 * 1024);
    }
    for _ in 0..PACES {
        // The server's own rate is the clock: ten of these a second.
        pacer.send("PING pace");
        pacer.until("OK PING pace");
        reader.skip_bytes(32 * 1024);
    }
    reader.send("PING end");
    reader.until("OK PING end");
    talker.sync();
}

/// It is the server's memory that counts, and it is the retention that bounds it.
#[test]
fn two_hundred_stuck_readers_cost_no_more_than_the_retention() {
    const STUCK: u64 = 200;
    const RETENTION: u64 = 8 * 1024 * 1024;
    const CONSTANT_EACH: u64 = 16 * 1024;
    let server = Server::start();
    let mut talker = server.join("talker");
    let stuck: Vec<_> = (0..STUCK).map(|number| server.join(&format!("stuck{number}"))).collect();
    talker.sync();
    let before = server.resident_bytes();
    let mut peak = before;
    for _ in 0..40 {
        fill(&mut talker, 1_000_000);
        peak = peak.max(server.resident_bytes());
    }
    let grown = peak - before;
    // What the allocator holds back beside the retention is of its size, and does not depend on the readers.
    assert!(grown <= 2 * RETENTION + STUCK * CONSTANT_EACH, "it grew by {grown} bytes");
    drop(stuck);
}

/// While one does not read its replies, its commands wait; when it reads, it gets every one.
#[test]
fn a_script_that_does_not_read_is_slowed_and_loses_nothing() {
    const PINGS: usize = 200_000;
    let server = Server::start();
    let mut watcher = server.join("watcher");
    let peer = server.connect_raw();
    let mut writer = peer.stream().try_clone().expect("a clone");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            use std::io::Write as _;
            let lines: String = (0..PINGS).map(|number| format!("PING {number:0>100}\n")).collect();
            writer.write_all(lines.as_bytes()).expect("the server reads");
            writer.shutdown(std::net::Shutdown::Write).expect("a connection");
        });
        // Nobody else waits meanwhile.
        for _ in 0..100 {
            watcher.send("MSG are you there");
            watcher.sync();
        }
        let mut peer = peer;
        peer.expect(HELLO);
        for number in 0..PINGS {
            peer.expect(&format!("OK PING {number:0>100}"));
        }
        peer.expect_end();
    });
}

#[test]
fn a_peer_that_does_not_read_its_whispers_is_closed_as_slow() {
    let server = Server::start();
    let mut talker = server.join("talker");
    let _stuck = server.join("stuck");
    let line = format!("WHISPER stuck {}\n", "x".repeat(TEXT)).repeat(50);
    for _ in 0..1000 {
        talker.send_bytes(line.as_bytes());
        if talker.sync().iter().any(|line| line == "LEAVE stuck slow") {
            return;
        }
    }
    panic!("it never left");
}

/// Telnet's timing mark is answered as often as it is sent; who does not read the answers is not read on.
#[test]
fn a_telnet_peer_that_does_not_read_its_answers_does_not_grow_the_server() {
    use std::io::Write as _;
    const MARKS: usize = 20_000_000;
    let server = Server::start();
    let mut watcher = server.join("watcher");
    let before = server.resident_bytes();
    let peer = server.connect_raw();
    let mut stream = peer.stream();
    stream.set_nonblocking(true).expect("a socket");
    let marks = [255, 253, 6].repeat(20_000);
    let (mut sent, mut full) = (0, 0);
    // Until the kernels' buffers are full, and stay full though the server has time for others.
    while sent < MARKS && full < 20_000 {
        match stream.write(&marks) {
            Ok(bytes) => (sent, full) = (sent + bytes, 0),
            Err(_) => {
                full += 1;
                watcher.sync();
            }
        }
    }
    assert!(sent < MARKS, "the server read {sent} bytes, and nobody its answers");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 4 * 1024 * 1024, "it grew by {grown} bytes");
}

/// A list that many ask for and nobody reads is kept once, and nobody waits until all of them have it.
#[test]
fn a_list_that_nobody_reads_is_kept_once() {
    const MEMBERS: usize = 1000;
    let server = Server::start();
    let members: Vec<_> = (0..MEMBERS)
        .map(|number| {
            let mut peer = server.connect();
            peer.send(&format!("NICK {number:0>32}"));
            peer
        })
        .collect();
    let mut watcher = server.join("watcher");
    let before = server.resident_bytes();
    for mut member in members.iter().map(|member| Peer::new(member.stream().try_clone().expect("a clone"))) {
        // What the sockets hold does not count: more than they do, and unread.
        member.send_bytes(&b"WHO\n".repeat(200));
    }
    watcher.send("WHO");
    watcher.until(&format!("OK WHO {}", MEMBERS + 1));
    watcher.sync();
    let grown = server.resident_bytes().saturating_sub(before);
    // Rendered for each of them it would be 43 MB.
    assert!(grown < 16 * 1024 * 1024, "it grew by {grown} bytes");
}

/// Nobody is closed for what they asked for themselves.
#[test]
fn a_whisper_does_not_close_one_who_waits_for_a_long_answer() {
    let server = Server::start();
    let mut talker = server.join("talker");
    let mut asker = server.join("asker");
    let _members: Vec<_> = (0..300).map(|number| server.join(&format!("{number:0>32}"))).collect();
    talker.sync();
    asker.sync();
    asker.send_bytes(&b"WHO\n".repeat(500));
    for _ in 0..50 {
        talker.send("WHISPER asker psst");
    }
    talker.sync();
    for _ in 0..500 {
        asker.until("OK WHO 302");
    }
    asker.sync();
}
