//! How a connection ends: `QUIT`, the end of input, a connection that breaks, useless lines, a server that stops.

use std::io::Write as _;
use std::thread;

use crate::common::{Client, Site, Transport};

fn quit_closes_after_its_reply<T: Transport>() {
    let site = Site::<T>::start();
    let (mut alice, mut bob) = (site.join("alice"), site.join("bob"));
    alice.expect("JOIN bob");
    bob.send("QUIT tea");
    bob.expect("OK QUIT");
    bob.expect_closed(1000);
    assert_eq!(alice.sync(), ["LEAVE bob quit tea"]);
}

fn quit_after_pipelined_lines_loses_no_reply<T: Transport>() {
    let site = Site::<T>::start();
    let mut client = site.connect();
    let mut lines = "NICK a\n".to_owned();
    for number in 0..3000 {
        lines += &format!("PING {number}\n");
    }
    lines += "QUIT\n";
    lines += &"MSG too late\n".repeat(1000);
    client.send_bytes(lines.as_bytes());
    client.expect("OK NICK a");
    client.expect("COORDINATOR a");
    for number in 0..3000 {
        client.expect(&format!("OK PING {number}"));
    }
    client.expect("OK QUIT");
    client.expect_closed(1000);
}

/// Once a client sees its connection closed, every other member has seen its LEAVE.
fn end_of_input_is_answered_and_leaves_before_the_close<T: Transport>() {
    let site = Site::<T>::start();
    let mut watcher = site.join("watcher");
    watcher.sync();
    for number in 1..=50 {
        let mut client = site.connect();
        client.send_bytes(b"NICK a\nPING b\nMSG hi");
        client.end_input();
        assert_eq!(client.rest(), ["OK NICK a", "OK PING b", &format!("OK MSG {number}")]);
        client.expect_closed(1000);
        assert_eq!(watcher.sync(), ["JOIN a", "MSG a hi", "LEAVE a eof"]);
    }
}

fn reset_connection_leaves_as_lost<T: Transport>() {
    let site = Site::<T>::start();
    let (mut alice, bob) = (site.join("alice"), site.join("bob"));
    alice.expect("JOIN bob");
    bob.reset();
    alice.expect("LEAVE bob lost");
    alice.expect_nothing();
}

fn fifty_useless_lines_in_a_row_disconnect<T: Transport>() {
    let site = Site::<T>::start();
    let (mut alice, mut bob) = (site.join("alice"), site.join("bob"));
    alice.expect("JOIN bob");
    bob.send_bytes("😀\n\nELF\n".repeat(24).as_bytes());
    // The reply to a command resets the count.
    assert_eq!(bob.sync().len(), 48);
    bob.send_bytes("😀\n\n".repeat(100).as_bytes());
    for _ in 0..50 {
        bob.expect_start("ERR - verb-unknown unknown command '😀' ");
    }
    bob.expect("ERR - too-many-errors 50 invalid lines in a row; connect again and write: HELP");
    bob.expect_closed(1008);
    assert_eq!(alice.sync(), ["LEAVE bob errors"]);
}

fn shutdown_sends_a_notice_after_all_acknowledged_messages<T: Transport>() {
    let mut site = Site::<T>::start();
    let mut unnamed = site.connect();
    let (mut alice, mut bob) = (site.join("alice"), site.join("bob"));
    alice.sync();
    for number in 0..1000 {
        bob.send(&format!("MSG {number}"));
    }
    bob.sync();
    site.signal("-TERM");
    for number in 0..1000 {
        alice.expect(&format!("MSG bob {number}"));
    }
    thread::scope(|scope| {
        for client in [&mut unnamed, &mut alice, &mut bob] {
            scope.spawn(|| {
                assert_eq!(client.rest(), ["NOTICE the server is shutting down"]);
                client.expect_closed(1001);
            });
        }
    });
    assert_eq!(site.wait().0.code(), Some(0));
}

/// Eight clients send as fast as they can meanwhile.
fn messages_acknowledged_during_shutdown_are_delivered<T: Transport>() {
    let mut site = Site::<T>::start();
    let mut watcher = site.join("watcher");
    let senders: Vec<_> = (0..8).map(|number| site.join(&format!("sender{number}"))).collect();
    watcher.sync();
    let (acknowledged, mut lines) = thread::scope(|scope| {
        let threads: Vec<_> = senders.into_iter().map(|sender| scope.spawn(move || flood(sender))).collect();
        let mut lines = watcher.until("MSG sender0 100");
        site.signal("-TERM");
        lines.extend(watcher.rest());
        (threads.into_iter().map(|thread| thread.join().expect("a sender")).sum::<usize>(), lines)
    });
    assert_eq!(lines.pop().as_deref(), Some("NOTICE the server is shutting down"));
    // `until` does not return the line that it waits for.
    let delivered = lines.iter().filter(|line| line.starts_with("MSG ")).count() + 1;
    assert_eq!(delivered, acknowledged);
    assert_eq!(site.wait().0.code(), Some(0));
}

/// Sends messages until the server stops reading. Returns how many were acknowledged before the notice.
fn flood<T: Transport>(mut client: Client<T>) -> usize {
    let mut writer = client.stream().try_clone().expect("a clone");
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..1_000_000 {
                if writer.write_all(&T::encode_line(&format!("MSG {number}"))).is_err() {
                    break;
                }
            }
        });
        let acknowledged = std::iter::from_fn(|| client.next())
            .take_while(|line| !line.starts_with("NOTICE"))
            .filter(|line| line.starts_with("OK MSG"))
            .count();
        // Stops the writer.
        let _ = client.stream().shutdown(std::net::Shutdown::Both);
        acknowledged
    })
}

test_each_transport!(
    quit_closes_after_its_reply,
    quit_after_pipelined_lines_loses_no_reply,
    end_of_input_is_answered_and_leaves_before_the_close,
    reset_connection_leaves_as_lost,
    fifty_useless_lines_in_a_row_disconnect,
    shutdown_sends_a_notice_after_all_acknowledged_messages,
    messages_acknowledged_during_shutdown_are_delivered,
);
