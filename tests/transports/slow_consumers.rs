//! Slow consumers: they delay no other client, cost little memory, and are disconnected with a reason.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Client, Server, Site, Transport};

/// Sends more than `bytes` of messages, and reads the replies. Returns the lines that came meanwhile.
fn fill<T: Transport>(talker: &mut Client<T>, bytes: usize) -> Vec<String> {
    // Most places at which the kernel may stop are inside a character.
    let lines = format!("MSG {}\n", "😀".repeat(250)).repeat(50);
    let mut read = Vec::new();
    for _ in 0..bytes.div_ceil(50_000) {
        talker.send_bytes(lines.as_bytes());
        read.extend(talker.sync());
    }
    read
}

/// Sends more than the kernels at both ends hold, and reads that the member `stuck`, which reads nothing, leaves.
fn fill_until_stuck_leaves<T: Transport>(talker: &mut Client<T>) {
    let read = fill(talker, 2_000_000);
    talker.expect_after(&read, "LEAVE stuck slow");
}

/// The last line that the client reads is this reason.
#[track_caller]
fn expect_slow<T: Transport>(stuck: &mut Client<T>, reason: &str) {
    let last = stuck.transport.read_last_line();
    assert_eq!(last.trim_end_matches('\r'), format!("ERR - slow {reason}; connect again"));
    stuck.expect_closed(1008);
}

fn eviction_disconnects_slow_consumer<T: Transport>() {
    let site = Site::<T>::with(&["--backlog", "1048576"]);
    let mut talker = site.join("talker");
    let mut stuck = site.join_narrow("stuck");
    let mut reader = site.join("reader");
    let mut has_left = false;
    for _ in 0..1000 {
        fill(&mut talker, 100_000);
        has_left |= reader.sync().iter().any(|line| line == "LEAVE stuck slow");
        if has_left {
            break;
        }
    }
    assert!(has_left, "it never left");
    expect_slow(
        &mut stuck,
        "you read too slowly: the server keeps at most 1048576 bytes of events, 262144 bytes of whispers to you, \
         and 2097152 bytes of unread output of all clients",
    );
}

/// Even if the feed still has everything that it did not read.
fn send_timeout_disconnects_slow_consumer<T: Transport>() {
    let site = Site::<T>::with(&["--send-timeout", "1"]);
    let mut talker = site.join("talker");
    let descriptors = site.descriptors();
    let mut stuck = site.join_narrow("stuck");
    talker.expect("JOIN stuck");
    fill_until_stuck_leaves(&mut talker);
    // It reads on after the server has closed the connection.
    site.wait_for_descriptors(descriptors, &mut talker);
    expect_slow(&mut stuck, "you read nothing for 1 s while output was waiting");
}

/// TCP gives up on a full socket as on a vanished host. The server does so first, and says why.
fn full_socket_leaves_as_slow_and_not_as_lost<T: Transport>() {
    let site = Site::<T>::with(&["--send-timeout", "0", "--dead-peer-timeout", "20"]);
    let mut talker = site.join("talker");
    let _stuck = site.join_narrow("stuck");
    talker.expect("JOIN stuck");
    fill_until_stuck_leaves(&mut talker);
}

/// Its reading takes longer than the write timeout.
fn slow_reader_that_goes_on_reading_stays<T: Transport>() {
    const STEPS: usize = 80;
    let site = Site::<T>::rate_limited(&["--send-timeout", "6", "--line-burst", "5000"]);
    let mut talker = site.join("talker");
    let mut reader = site.join_narrow("reader");
    talker.expect("JOIN reader");
    let read_some = |reader: &mut Client<T>| (0..32).for_each(|_| drop(reader.expect_start("MSG talker 😀")));
    // The server's rate limit is the clock: ten lines a second.
    let mut clock = site.connect();
    clock.send_bytes(&b"PING\n".repeat(5000));
    for _ in 0..10 {
        fill(&mut talker, 350_000);
        read_some(&mut reader);
    }
    for _ in 0..STEPS {
        clock.send("PING step");
        clock.until("OK PING step");
        read_some(&mut reader);
    }
    reader.sync();
    talker.expect_nothing();
}

fn late_reader_misses_nothing<T: Transport>() {
    let site = Site::<T>::with(&["--send-timeout", "0"]);
    let mut talker = site.join("talker");
    let mut late = site.join_narrow("late");
    talker.expect("JOIN late");
    let text = |number: usize| format!("{number} {}", "é".repeat(400));
    for number in 0..3000 {
        talker.send(&format!("MSG {}", text(number)));
        // On Unix sockets, few unread replies fill the buffer: the kernel counts each write as several hundred bytes.
        if number % 100 == 99 {
            talker.sync();
        }
    }
    for number in 0..3000 {
        late.expect(&format!("MSG talker {}", text(number)));
    }
    late.expect_nothing();
}

/// Its commands wait, and delay no other client. When it reads again, it gets every reply.
fn client_that_does_not_read_replies_is_not_read<T: Transport>() {
    const PINGS: usize = 200_000;
    let site = Site::<T>::start();
    let mut watcher = site.join("watcher");
    let mut client = site.join_narrow("client");
    let mut writer = client.stream().try_clone().expect("a clone");
    let sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for first in (0..PINGS).step_by(1000) {
                let lines: String = (first..first + 1000).map(|number| format!("PING {number:0>100}\n")).collect();
                writer.write_all(&T::encode(lines.as_bytes())).expect("the server reads");
                sent.store(first + 1000, Ordering::Relaxed);
            }
        });
        // Until the kernels' buffers are full, and stay full although the server has time for others.
        let (mut last, mut since) = (0, Instant::now());
        while since.elapsed() < Duration::from_secs(1) {
            watcher.sync();
            let now = sent.load(Ordering::Relaxed);
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        assert!(last < PINGS, "the server read all lines, and the client no reply");
        for number in 0..PINGS {
            client.expect(&format!("OK PING {number:0>100}"));
        }
    });
    client.end_input();
    client.expect_closed(1000);
}

/// Long before all clients' backlogs reach their common limit.
fn backlog_of_whispers_disconnects_slow_consumer<T: Transport>() {
    let site = Site::<T>::start();
    let mut talker = site.join("talker");
    let _stuck = site.join_narrow("stuck");
    let lines = format!("WHISPER stuck {}\n", "x".repeat(1000)).repeat(50);
    for _ in 0..80 {
        talker.send_bytes(lines.as_bytes());
        if talker.sync().iter().any(|line| line == "LEAVE stuck slow") {
            return;
        }
    }
    panic!("it never left");
}

test_each_transport!(
    eviction_disconnects_slow_consumer,
    send_timeout_disconnects_slow_consumer,
    late_reader_misses_nothing,
    client_that_does_not_read_replies_is_not_read,
    backlog_of_whispers_disconnects_slow_consumer,
);

test_all_transports_at_once!(full_socket_leaves_as_slow_and_not_as_lost, slow_reader_that_goes_on_reading_stays);

/// The feed's retention bounds the server's memory.
#[test]
fn slow_consumers_need_no_more_memory_than_the_feed() {
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
    // The allocator may keep as much again. That does not depend on the number of readers.
    assert!(grown <= 2 * RETENTION + STUCK * CONSTANT_EACH, "it grew by {grown} bytes");
    drop(stuck);
}

/// Telnet's timing mark is answered as often as it is sent. A client that does not read the answers is not read.
#[test]
fn unread_telnet_answers_need_no_memory() {
    const MARKS: usize = 20_000_000;
    let server = Server::start();
    let mut watcher = server.join("watcher");
    let before = server.resident_bytes();
    let client = server.connect_raw();
    let mut stream = client.stream();
    stream.set_nonblocking(true).expect("a socket");
    let marks = [255, 253, 6].repeat(20_000);
    let (mut sent, mut full) = (0, 0);
    // Until the kernels' buffers are full, and stay full although the server has time for others.
    while sent < MARKS && full < 20_000 {
        match stream.write(&marks) {
            Ok(bytes) => (sent, full) = (sent + bytes, 0),
            Err(_) => {
                full += 1;
                watcher.sync();
            }
        }
    }
    assert!(sent < MARKS, "the server read {sent} bytes, and the client none of the answers");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 4 * 1024 * 1024, "it grew by {grown} bytes");
}

/// The list of a thousand members, for each of them. No other client waits meanwhile.
#[test]
fn unread_user_list_is_kept_once() {
    const MEMBERS: usize = 1000;
    let server = Server::start();
    let members: Vec<_> = (0..MEMBERS)
        .map(|number| {
            let mut client = server.connect();
            client.send(&format!("NICK {number:0>32}"));
            client
        })
        .collect();
    let mut watcher = server.join("watcher");
    let before = server.resident_bytes();
    for mut member in members.iter().map(|member| Client::new(member.stream().try_clone().expect("a clone"))) {
        // More than the sockets hold.
        member.send_bytes(&b"WHO\n".repeat(200));
    }
    watcher.send("WHO");
    watcher.until(&format!("OK WHO {}", MEMBERS + 1));
    watcher.sync();
    let grown = server.resident_bytes().saturating_sub(before);
    // Rendered for each member, the list would need 43 MB.
    assert!(grown < 16 * 1024 * 1024, "it grew by {grown} bytes");
}

#[test]
fn unread_past_messages_are_kept_once() {
    const CLIENTS: usize = 300;
    let server = Server::start();
    let mut talker = server.join("talker");
    for _ in 0..20 {
        talker.send_bytes(format!("MSG {}\n", "x".repeat(4000)).repeat(50).as_bytes());
        talker.sync();
    }
    let members: Vec<_> = (0..CLIENTS).map(|number| server.join(&format!("member{number}"))).collect();
    talker.sync();
    let before = server.resident_bytes();
    for mut member in members.iter().map(|member| Client::new(member.stream().try_clone().expect("a clone"))) {
        member.send_bytes(b"HISTORY 1000\nHISTORY 1000\n");
    }
    talker.send("HISTORY 1000");
    talker.until("OK HISTORY 1000 last=1000");
    talker.sync();
    let grown = server.resident_bytes().saturating_sub(before);
    // Rendered for each member, they would need 4 MB each.
    assert!(grown < 16 * 1024 * 1024, "it grew by {grown} bytes");
}

/// The client's own replies do not count as whispers.
#[test]
fn whispers_beside_long_replies_disconnect_nobody() {
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
