//! Bytes around and within the lines.

use crate::common::{Site, Transport};

/// Sends the input in two packets, split at every byte, and ends it. Each time, `expected` is everything after the greeting.
#[track_caller]
fn check_at_every_split<T: Transport>(site: &Site<T>, input: &[u8], expected: &[&str]) {
    for at in 0..=input.len() {
        let mut client = site.connect();
        for packet in T::encode_pieces(input.split_at(at)) {
            client.write(&packet);
        }
        client.end_input();
        assert_eq!(client.rest(), expected, "split at {at}: {}", input.escape_ascii());
    }
}

fn nul_is_ignored<T: Transport>() {
    let site = Site::<T>::start();
    check_at_every_split(
        &site,
        "\0PING a\nPI\0NG \0b\0\n\0\nPING café".as_bytes(),
        &["OK PING a", "OK PING b", "OK PING café"],
    );
}

/// Elsewhere, it is a part of its line.
fn byte_order_mark_at_the_start_is_ignored<T: Transport>() {
    let site = Site::<T>::start();
    check_at_every_split(&site, "\u{feff}PING a\nPING b\n".as_bytes(), &["OK PING a", "OK PING b"]);
    let mut client = site.connect();
    client.send("PING a");
    client.send("\u{feff}PING b");
    client.expect("OK PING a");
    client.expect_start("ERR - verb-unknown ");
}

fn too_long_line_is_refused_alone<T: Transport>() {
    let site = Site::<T>::start();
    let (mut alice, mut bob) = (site.join("alice"), site.join("bob"));
    alice.expect("JOIN bob");
    bob.send(&format!("MSG {}", "x".repeat(100_000)));
    assert_eq!(
        bob.sync(),
        ["ERR - line-too-long the line is too long and was discarded: expected at most 4096 bytes; send it in parts"]
    );
    alice.expect_nothing();
    let longest = "x".repeat(4092);
    bob.send(&format!("MSG {longest}"));
    bob.expect("OK MSG 1");
    alice.expect(&format!("MSG bob {longest}"));
}

test_each_transport!(nul_is_ignored, byte_order_mark_at_the_start_is_ignored, too_long_line_is_refused_alone);
