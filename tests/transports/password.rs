//! A server with a password.

use std::fs;

use crate::common::{Site, Transport};

const HELLO: &str = "HELLO chinwag/1 epoch=k7qd features=rooms,watch,secure,password \
                     type PASS and the password, then NICK and your name to join, HELP for help";

/// A server with the password `hunter2`.
fn guarded<T: Transport>(arguments: &[&str]) -> Site<T> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("password");
    fs::write(&path, "hunter2\n").expect("a file");
    // The server has read the file when it accepts connections.
    Site::with(&[&["--password-file", path.to_str().expect("UTF-8")], arguments].concat())
}

/// All clients are on this machine, so each connection is secure.
fn client_without_the_password_gets_no_event<T: Transport>() {
    let site = guarded::<T>(&[]);
    let (mut alice, mut eve) = (site.connect_raw(), site.connect_raw());
    alice.expect(HELLO);
    eve.expect(HELLO);
    eve.send("WATCH");
    eve.expect("ERR WATCH password-required this server needs a password; write: PASS password");
    alice.send("PASS hunter2");
    alice.expect("OK PASS");
    alice.send("NICK alice");
    alice.expect("OK NICK alice");
    alice.expect("COORDINATOR alice");
    alice.send("MSG secret");
    alice.expect("OK MSG 1");
    eve.expect_nothing();
    eve.send("PASS hunter2");
    eve.expect("OK PASS");
    eve.send("WATCH");
    eve.expect("OK WATCH #lobby epoch=k7qd last=1");
    alice.send("MSG not so secret");
    alice.expect("OK MSG 2");
    eve.expect("MSG alice not so secret");
}

fn tenth_wrong_password_closes_the_connection<T: Transport>() {
    let site = guarded::<T>(&[]);
    let mut eve = site.connect_raw();
    eve.expect(HELLO);
    for number in 1..=10 {
        eve.send(&format!("PASS guess {number}"));
        eve.expect("ERR PASS password-wrong the password is wrong; write: PASS password");
    }
    eve.expect("ERR - too-many-errors too many wrong passwords in a row; connect again and write: HELP");
    eve.expect_closed(1008);
}

/// Whatever it sends meanwhile.
fn name_timeout_goes_on_without_the_password<T: Transport>() {
    let site = guarded::<T>(&["--name-timeout", "1"]);
    let mut eve = site.connect_raw();
    eve.expect(HELLO);
    eve.send("PASS hunter2");
    eve.expect("OK PASS");
    eve.expect("ERR - name-timeout you did not take a name within 1 s; connect again and write: NICK name");
    eve.expect_closed(1008);
}

test_each_transport!(
    client_without_the_password_gets_no_event,
    tenth_wrong_password_closes_the_connection,
    name_timeout_goes_on_without_the_password,
);
