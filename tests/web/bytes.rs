//! Bytes around the lines of WebSocket messages: NUL and a byte order mark are ignored as elsewhere, and CR alone ends no line.

use crate::client::Site;

#[test]
fn byte_order_mark_and_nul_are_no_part_of_a_message() {
    let site = Site::start();
    let mut alice = site.connect();
    alice.send("");
    alice.send("\u{feff}PING a\n\0PING \0b");
    alice.expect("OK PING a");
    alice.expect("OK PING b");
    alice.send("\0");
    alice.send("\u{feff}PING c");
    alice.expect_start("ERR - verb-unknown ");
}

#[test]
fn cr_alone_ends_no_line_of_a_message() {
    let site = Site::start();
    let mut alice = site.connect();
    alice.send("NICK alice\rMSG hi");
    alice.expect_start("ERR NICK name-invalid ");
    alice.expect_nothing();
}
