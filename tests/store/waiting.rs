//! Only messages wait for the store.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chinwag::limits::STORE_CLOSE_MS_MAX;
use socket2::SockRef;

use crate::common::{Client, STOP_DEADLINE, Server, command};

#[test]
fn replies_to_stored_and_other_lines_keep_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let server = Server::with(&["--data", data.to_str().expect("a path")]);
    let mut watcher = server.join("watcher");
    let mut client = server.connect();
    let mut lines = "MSG too early\nNICK ann\n".to_owned();
    for round in 0..50 {
        lines +=
            &format!("MSG {round} a\nMSG {round} b\nPING {round}\nMSG\nMSG {round} c\nNICK ann{round}\nHISTORY 1\n\n");
        lines +=
            &format!("MSG {round} d\nDRAW clear\nMSG {round} e\nWHISPER watcher psst\nMSG {round} f\nSET draw off\n");
    }
    client.send_bytes((lines + "MSG last").as_bytes());
    client.end_input();
    client.expect_start("ERR MSG no-name ");
    client.expect("OK NICK ann");
    for round in 0..50 {
        client.expect_start("OK MSG ");
        client.expect_start("OK MSG ");
        client.expect(&format!("OK PING {round}"));
        client.expect_start("ERR MSG text-missing ");
        client.expect_start("OK MSG ");
        client.expect(&format!("OK NICK ann{round}"));
        assert!(client.expect_start("PAST ").ends_with(&format!(" {round} c")));
        client.expect(&format!("OK HISTORY 1 last={}", 6 * round + 3));
        for reply in ["OK DRAW", "OK WHISPER watcher", "OK SET draw off"] {
            client.expect_start("OK MSG ");
            client.expect(reply);
        }
    }
    client.expect_start("OK MSG ");
    client.expect_end();
    let heard = watcher.until("LEAVE ann49 eof");
    assert_eq!(heard.last().map(String::as_str), Some("MSG ann49 last"));
    assert_eq!(heard.iter().filter(|line| line.starts_with("MSG ann")).count(), 301);
}

/// Some lines with the verb of a waiting one are answered at once: they must wait, too.
#[test]
fn replies_about_several_rooms_keep_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let server = Server::with(&["--data", data.to_str().expect("a path")]);
    let mut client = server.join("ann");
    client.send("JOIN #ops");
    client.expect_start("OK JOIN #ops ");
    client.expect("#ops COORDINATOR ann");
    let mut lines = String::new();
    for round in 0..20 {
        lines += "MSG one\n#nope MSG two\n#ops MSG three\nMSG four\n";
        lines += &format!("TOPIC new {round}\nTOPIC\n#ops TOPIC x\nTOPIC\n");
        lines += "CHAT\nfive\n#ops six\nseven\n/chat\n";
    }
    client.send_bytes(lines.as_bytes());
    for round in 0..20 {
        client.expect_start("OK MSG ");
        client.expect_start("#nope ERR MSG not-in-room ");
        client.expect_start("#ops OK MSG ");
        client.expect_start("OK MSG ");
        client.expect(&format!("OK TOPIC new {round}"));
        client.expect(&format!("OK TOPIC new {round}"));
        client.expect("#ops OK TOPIC x");
        client.expect(&format!("OK TOPIC new {round}"));
        client.expect("OK CHAT on");
        client.expect_start("OK MSG ");
        client.expect_start("ERR MSG room-ambiguous ");
        client.expect_start("OK MSG ");
        client.expect("OK CHAT off");
    }
}

/// Another program locks the file, like a hanging disk. Afterwards, every message has its place.
#[test]
fn locked_store_delays_messages_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let server = Server::with(&["--data", path.to_str().expect("a path"), "--history", "2"]);
    let (mut ann, mut bob) = (server.connect(), server.join("bob"));
    ann.send_bytes(b"SET tags on\nNICK ann\n");
    ann.until("OK NICK ann");
    bob.expect("JOIN ann");
    let file = rusqlite::Connection::open(&path).expect("it opens");
    file.execute_batch("BEGIN IMMEDIATE").expect("it is ours now");
    bob.send_bytes(b"MSG one\nMSG two\n");
    ann.send("WHISPER bob psst");
    ann.expect("OK WHISPER bob");
    bob.expect("WHISPER ann psst");
    for number in 0..10 {
        drop(server.join(&format!("guest{number}")));
    }
    for _ in 0..20 {
        ann.expect_start("@- ");
    }
    file.execute_batch("ROLLBACK").expect("it was ours");
    for (id, text) in [(1, "one"), (2, "two")] {
        let line = ann.expect_start(&format!("@{id} "));
        assert!(line.ends_with(&format!(" MSG bob {text}")), "{line}");
    }
    ann.send("SINCE 0");
    for (id, text) in [(1, "one"), (2, "two")] {
        let line = ann.expect_start(&format!("PAST {id} "));
        assert!(line.ends_with(&format!(" bob {text}")), "{line}");
    }
    ann.expect("OK SINCE 2 last=2");
    let heard = bob.sync();
    let answers: Vec<_> = heard.iter().filter(|line| line.starts_with("OK MSG ")).collect();
    assert_eq!(answers, ["OK MSG 1", "OK MSG 2"]);
}

/// Another program locks the file, like a hanging disk, while the author's connection breaks and others try to take the nickname.
#[test]
fn pending_message_keeps_its_authors_nick() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let server = Server::with(&["--data", path.to_str().expect("a path")]);
    let (alice, mut bob, mut eve) = (server.join("alice"), server.join("bob"), server.join("eve"));
    bob.expect("JOIN eve");
    let file = rusqlite::Connection::open(&path).expect("it opens");
    file.execute_batch("BEGIN IMMEDIATE").expect("the file is free");
    break_off(alice, "MSG I confess");
    assert_eq!(bob.until("LEAVE alice lost"), ["COORDINATOR bob"; 0]);
    for nick in ["alice", "Alice"] {
        eve.send(&format!("NICK {nick}"));
        eve.until_start("ERR NICK name-taken ");
    }
    file.execute_batch("ROLLBACK").expect("it was ours");
    assert_eq!(bob.until("MSG alice I confess"), ["COORDINATOR bob"]);
    eve.send("NICK alice");
    eve.until("OK NICK alice");
    assert_eq!(bob.sync(), ["RENAME eve alice"]);
}

/// Sends a line and, once the server has read it, resets the connection.
fn break_off(mut client: Client, line: &str) {
    // One packet: the server has read all of it when it answers the first line.
    client.send_bytes(format!("PING read\n{line}\n").as_bytes());
    client.until("OK PING read");
    SockRef::from(client.stream()).set_linger(Some(Duration::ZERO)).expect("a socket");
}

/// The next start finds it, and ids go on without a gap.
#[test]
fn stop_leaves_one_file() {
    assert!((0..10).any(|_| leaves_one_file()), "the disk always took too long");
}

/// Whether it does, three times. `false`: the disk took longer than a stop waits for it.
fn leaves_one_file() -> bool {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    for round in 0..3 {
        let mut server = Server::with(&["--data", path.to_str().expect("a path")]);
        let mut ann = server.join("ann");
        ann.send("MSG hi");
        ann.expect(&format!("OK MSG {}", round + 1));
        ann.send("HISTORY");
        ann.until(&format!("OK HISTORY {0} last={0}", round + 1));
        let start = Instant::now();
        server.signal("-TERM");
        ann.expect("NOTICE the server is shutting down");
        assert!(server.wait().0.success());
        let wal = fs::metadata(directory.path().join("chat.db-wal")).map_or(0, |wal| wal.len());
        if wal > 0 && start.elapsed() >= Duration::from_millis(STORE_CLOSE_MS_MAX) {
            return false;
        }
        assert_eq!(wal, 0, "it is all in the file");
    }
    true
}

#[test]
fn store_option_without_data_is_refused() {
    for arguments in [["--keep", "30d"], ["--durability", "relaxed"]] {
        let output = command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(" without --data: expected --data PATH"));
    }
}

/// Stops the server once it has read these messages, while they wait for the disk, and then calls `then`. Returns the replies.
fn stop_with(server: &Server, client: &mut Client, messages: &str, then: impl FnOnce()) -> Vec<String> {
    let mut witness = server.join("witness");
    // In one packet, after a line whose effect others see.
    client.send_bytes(format!("WHISPER witness now\n{messages}").as_bytes());
    witness.until_start("WHISPER ");
    witness.sync();
    server.signal("-TERM");
    then();
    let mut answers = client.until("NOTICE the server is shutting down");
    answers.retain(|line| line.starts_with("OK MSG ") || line.starts_with("ERR "));
    answers
}

/// The file is locked until the server has ended, so no message can be stored.
#[test]
fn pending_message_at_stop_is_refused_if_store_is_locked() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let mut server = Server::with(&["--data", path.to_str().expect("a path")]);
    let mut ann = server.join("ann");
    let file = rusqlite::Connection::open(&path).expect("it opens");
    file.execute_batch("BEGIN IMMEDIATE").expect("it is ours now");
    let answers = stop_with(&server, &mut ann, "MSG one\nMSG two\nMSG three\n", || {});
    assert!(answers.iter().all(|answer| answer.starts_with("ERR MSG not-stored ")), "{answers:?}");
    assert_eq!(answers.len(), 3, "{answers:?}");
    let (status, took) = server.wait();
    assert!(status.success() && took < STOP_DEADLINE, "{took:?}");
    file.execute_batch("ROLLBACK").expect("it was ours");
    drop(file);
    // Refused messages are not in the store.
    let server = Server::with(&["--data", path.to_str().expect("a path")]);
    let mut reader = server.join("reader");
    reader.send("HISTORY");
    reader.expect("OK HISTORY 0 last=0");
}

/// The file is locked for a part of the time that the stop takes.
#[test]
fn pending_message_at_stop_gets_true_reply() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let mut answers = Vec::new();
    for round in 0..5 {
        let mut server = Server::with(&["--data", path.to_str().expect("a path")]);
        let mut ann = server.join("ann");
        let file = rusqlite::Connection::open(&path).expect("it opens");
        file.execute_batch("BEGIN IMMEDIATE").expect("it is ours now");
        let unlock = || file.execute_batch("ROLLBACK").expect("it was ours");
        let told = stop_with(&server, &mut ann, &format!("MSG {round}\n"), unlock);
        let [answer] = &*told else { panic!("{told:?}") };
        assert!(answer.starts_with("OK MSG ") || answer.starts_with("ERR MSG not-stored "), "{answer}");
        answers.push((answer.starts_with("OK"), round.to_string()));
        assert!(server.wait().0.success());
    }
    let server = Server::with(&["--data", path.to_str().expect("a path")]);
    let mut reader = server.join("reader");
    reader.send("HISTORY");
    let told = reader.sync();
    let told: Vec<_> = told.iter().filter_map(|line| line.strip_prefix("PAST ")?.rsplit(' ').next()).collect();
    let stored: Vec<_> = answers.iter().filter(|(stored, _)| *stored).map(|(_, text)| text.as_str()).collect();
    assert_eq!(told, stored, "{answers:?}");
}
