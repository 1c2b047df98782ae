//! Each line reaches the clients that it is for, and costs one send for each.

use crate::common::{Site, Transport, sends_from};

fn whisper_reaches_only_its_targets<T: Transport>() {
    let site = Site::<T>::start();
    let [mut alice, mut bob, mut carol, mut dave] = ["alice", "bob", "carol", "dave"].map(|nick| site.join(nick));
    for client in [&mut alice, &mut bob, &mut carol, &mut dave] {
        client.sync();
    }
    for (targets, reply) in [
        ("bob", "OK WHISPER bob"),
        ("BOB,dave", "OK WHISPER bob,dave"),
        ("bob,nobody", "ERR WHISPER target-absent nobody is not here; nothing was delivered; WHO lists names"),
    ] {
        alice.send(&format!("WHISPER {targets} psst"));
        alice.expect(reply);
        for (client, nick) in [(&mut bob, "bob"), (&mut carol, "carol"), (&mut dave, "dave")] {
            let is_target = reply.starts_with("OK ") && reply.contains(nick);
            assert_eq!(client.sync(), vec!["WHISPER alice psst"; usize::from(is_target)], "{nick}, {targets}");
        }
    }
    alice.expect_nothing();
}

fn pipelined_messages_reach_all_in_order<T: Transport>() {
    let site = Site::<T>::start();
    let (mut alice, mut bob) = (site.join("alice"), site.join("bob"));
    alice.expect("JOIN bob");
    let lines: Vec<_> = (1..=1000).map(|number| format!("MSG number {number}")).collect();
    alice.send(&lines.join("\n"));
    for number in 1..=1000 {
        alice.expect(&format!("OK MSG {number}"));
        bob.expect(&format!("MSG alice number {number}"));
    }
}

/// A message that comes alone is sent once to each client, frame and all; messages that come together are sent together.
fn delivery_is_one_send_and_less_in_a_burst<T: Transport>() {
    const READERS: u64 = 100;
    const MESSAGES: u64 = 50;
    let site = Site::<T>::start();
    let mut readers: Vec<_> = (0..READERS).map(|number| site.join(&format!("reader-{number}"))).collect();
    let mut talker = site.join("talker");
    let mut deliver = |lines: &str, last: &str| {
        talker.send(lines);
        talker.sync();
        for reader in &mut readers {
            reader.until(&format!("MSG talker {last}"));
        }
    };
    deliver("MSG first", "first");
    // Sends on Unix sockets are not counted.
    let Some(address) = site.ip_address() else { return };
    let Some(before) = sends_from(address) else { return };
    let sends = || sends_from(address).expect("it worked a moment ago");
    for number in 0..MESSAGES {
        deliver(&format!("MSG {number}"), &number.to_string());
    }
    let alone = sends() - before;
    // And the talker's two replies for each message, in one send or two.
    let expected = MESSAGES * (READERS + 1)..=MESSAGES * (READERS + 2);
    assert!(expected.contains(&alone), "{alone} sends instead of {expected:?}");

    let before = sends();
    for round in 0..20 {
        let lines: Vec<_> = (0..50).map(|number| format!("MSG {round}-{number}")).collect();
        deliver(&lines.join("\n"), &format!("{round}-49"));
    }
    let together = (sends() - before) * 100 / (20 * 50 * READERS);
    assert!(together < 10, "{together} sends for a hundred deliveries");
}

test_each_transport!(
    whisper_reaches_only_its_targets,
    pipelined_messages_reach_all_in_order,
    delivery_is_one_send_and_less_in_a_burst,
);

#[test]
#[cfg(feature = "web")]
fn transports_share_one_room() {
    let site = Site::<crate::common::WebSocket>::start();
    let (mut alice, mut bob, mut carol) = (site.join("alice"), site.server.join("bob"), site.join("carol"));
    assert_eq!(alice.sync(), ["JOIN bob", "JOIN carol"]);
    bob.expect("JOIN carol");
    carol.send("MSG from a page");
    carol.expect("OK MSG 1");
    alice.expect("MSG carol from a page");
    bob.expect("MSG carol from a page");
    bob.send("MSG from a terminal");
    bob.expect("OK MSG 2");
    alice.expect("MSG bob from a terminal");
    carol.expect("MSG bob from a terminal");
    alice.send("WHISPER bob,carol psst");
    alice.expect("OK WHISPER bob,carol");
    bob.expect("WHISPER alice psst");
    carol.expect("WHISPER alice psst");
    alice.send("STATUS");
    alice.expect_start("USER alice coordinator id=1 address=127.0.0.1:");
    alice.expect_start("USER bob member id=2 address=127.0.0.1:");
    alice.expect_start("USER carol member id=3 address=127.0.0.1:");
    alice.expect("OK STATUS 3");
    carol.expect_nothing();
    bob.expect_nothing();
}
