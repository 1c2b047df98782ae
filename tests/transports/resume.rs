//! A session goes on with another connection, and the other members see nothing of it.

use std::io::Write as _;
use std::thread;

use crate::common::{Client, Site, Transport};

/// Turns on resumption. Returns the token.
fn token<T: Transport>(client: &mut Client<T>) -> String {
    client.send("SET resume on");
    let start = "OK SET resume on ";
    client.until_start(start)[start.len()..].to_owned()
}

/// Alice's session on a new connection.
fn resume<T: Transport>(site: &Site<T>, token: &str) -> Client<T> {
    let mut client = site.connect();
    client.send(&format!("RESUME {token}"));
    client.expect("OK RESUME alice");
    client
}

fn resume_after_lost_connection_is_silent<T: Transport>() {
    let site = Site::<T>::start();
    let (mut alice, mut watcher) = (site.join("alice"), site.join("watcher"));
    let token = token(&mut alice);
    for round in 0..20 {
        match round % 3 {
            0 => alice.reset(),
            // The client's program was killed.
            1 => drop(alice),
            // Before, after or during the resumption.
            _ => drop(thread::spawn(move || alice.reset())),
        }
        alice = resume(&site, &token);
        alice.send(&format!("MSG {round}"));
        watcher.expect(&format!("MSG alice {round}"));
    }
    alice.send("STATUS");
    alice.until_start("USER alice coordinator id=1 ");
    watcher.expect_nothing();
}

/// Each of them takes the session from the one before.
fn simultaneous_resumes_leave_one_connection<T: Transport>() {
    let site = Site::<T>::start();
    let (mut alice, mut watcher) = (site.join("alice"), site.join("watcher"));
    let token = token(&mut alice);
    for _ in 0..10 {
        let mut clients: Vec<_> = (0..8).map(|_| site.connect()).collect();
        for client in &mut clients {
            client.send(&format!("RESUME {token}"));
        }
        for client in &mut clients {
            client.expect("OK RESUME alice");
        }
        clients.push(alice);
        watcher.send("WHISPER alice which of you?");
        watcher.expect("OK WHISPER alice");
        let (mut open, closed): (Vec<_>, Vec<_>) = clients
            .into_iter()
            .map(|mut client| (client.next().expect("a line"), client))
            .partition(|(line, _)| line == "WHISPER watcher which of you?");
        for (line, mut client) in closed {
            assert!(line.starts_with("ERR - resumed "), "{line}");
            client.expect_closed(1008);
        }
        assert_eq!(open.len(), 1);
        alice = open.remove(0).1;
    }
    watcher.expect_nothing();
}

/// The lines that were processed are acknowledged to the old connection, and come before those of the new one.
fn resume_cuts_off_sending_connection_between_two_lines<T: Transport>() {
    let site = Site::<T>::start();
    let (mut watcher, mut old) = (site.join("watcher"), site.join("alice"));
    let token = token(&mut old);
    watcher.expect("JOIN alice");
    let (acknowledged, delivered) = thread::scope(|scope| {
        let old = scope.spawn(move || flood(old));
        let mut delivered = watcher.until("MSG alice 100").len() + 1;
        let mut new = resume(&site, &token);
        new.send("MSG new");
        delivered += watcher.until("MSG alice new").len();
        (old.join().expect("the old connection"), delivered)
    });
    assert_eq!(acknowledged, delivered);
    watcher.expect_nothing();
}

/// Sends messages until the server stops reading. Returns how many were acknowledged before `ERR - resumed`.
fn flood<T: Transport>(mut client: Client<T>) -> usize {
    let mut writer = client.stream().try_clone().expect("a clone");
    thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..10_000_000 {
                if writer.write_all(&T::encode_line(&format!("MSG {number}"))).is_err() {
                    break;
                }
            }
        });
        let lines = std::iter::from_fn(|| client.next()).take_while(|line| !line.starts_with("ERR - resumed "));
        let acknowledged = lines.inspect(|line| assert!(line.starts_with("OK MSG "), "{line}")).count();
        // Stops the writer.
        let _ = client.stream().shutdown(std::net::Shutdown::Both);
        acknowledged
    })
}

/// In a busy room, a host that vanished is found slow before it is found lost.
fn slow_consumer_can_resume<T: Transport>() {
    let site = Site::<T>::with(&["--backlog", "1048576"]);
    let (mut alice, mut talker) = (site.join("alice"), site.join("talker"));
    let token = token(&mut alice);
    let burst = format!("MSG {}\n", "x".repeat(1000)).repeat(100);
    let is_detached = |talker: &mut Client<T>| {
        talker.send_bytes(burst.as_bytes());
        talker.send("WHISPER alice hello?");
        talker.until_start("OK MSG ");
        let replies = talker.sync();
        assert!(replies.iter().all(|line| line.starts_with("OK ") || line.starts_with("ERR WHISPER")), "{replies:?}");
        replies.iter().any(|line| line.starts_with("ERR WHISPER target-absent alice is disconnected"))
    };
    assert!((0..2000).any(|_| is_detached(&mut talker)), "it was never disconnected");
    let mut resumed = resume(&site, &token);
    talker.send("MSG welcome back");
    resumed.expect("MSG talker welcome back");
    alice.rest();
    talker.until_start("OK MSG ");
    talker.expect_nothing();
}

test_each_transport!(
    resume_after_lost_connection_is_silent,
    simultaneous_resumes_leave_one_connection,
    resume_cuts_off_sending_connection_between_two_lines,
    slow_consumer_can_resume,
);

#[test]
#[cfg(feature = "web")]
fn session_resumes_over_another_transport() {
    let site = Site::<crate::common::WebSocket>::start();
    let (mut alice, mut watcher) = (site.join("alice"), site.server.join("watcher"));
    let token = token(&mut alice);
    let resume = format!("RESUME {token}");
    let mut second = site.server.connect();
    second.send(&resume);
    second.expect("OK RESUME alice");
    alice.until_start("ERR - resumed ");
    alice.expect_closed(1008);
    second.reset();
    let mut third = site.connect();
    third.send(&resume);
    third.expect("OK RESUME alice");
    watcher.expect_nothing();
}
