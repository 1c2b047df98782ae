//! Messages that `--keep` has deleted are never sent again, and a request for them is refused.

use std::path::Path;
use std::time::Instant;

use crate::common::{Client, DEADLINE, Server};

fn serve(path: &Path, keep: &str) -> Server {
    Server::with(&["--keep", keep, "--data", path.to_str().expect("a path")])
}

/// Asks until the last line of the answer begins with that, and returns the lines before it.
fn ask_until(client: &mut Client, question: &str, last: &str) -> Vec<String> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        client.send(question);
        let mut lines = client.sync();
        if lines.last().is_some_and(|line| line.starts_with(last)) {
            lines.pop();
            return lines;
        }
    }
    panic!("{question} is never answered by {last}");
}

/// All that was stored was taken for all there ever was.
#[test]
fn since_after_restart_reports_deleted_messages() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let mut server = serve(&path, "10 messages");
    let mut ann = server.join("ann");
    for number in 1..=40 {
        ann.send(&format!("MSG {number}"));
        ann.expect_start("OK MSG ");
    }
    ask_until(&mut ann, "SINCE 0", "ERR SINCE too-old the oldest message that is kept has id 31;");
    for signal in ["-TERM", "-KILL"] {
        server.signal(signal);
        server.wait();
        server = serve(&path, "10 messages");
        let mut ann = server.join("ann");
        ann.send("SINCE 0");
        ann.expect_start("ERR SINCE too-old the oldest message that is kept has id 31;");
        assert_eq!(ask_until(&mut ann, "SINCE 30", "OK SINCE 10 last=40").len(), 10);
        assert_eq!(ask_until(&mut ann, "HISTORY 50", "OK HISTORY 10 last=40").len(), 10);
    }
}

/// Otherwise rooms in which somebody has sent one message would remain in memory and in the file.
#[test]
fn room_vanishes_after_its_last_message_is_deleted() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let server = serve(&path, "2 messages");
    let mut ann = server.join("ann");
    ann.send("JOIN #old,#used\n#used MSG one\n#old MSG two\nPART #old");
    ann.until("OK PART #old");
    ann.send("ROOMS #old");
    assert_eq!(ann.sync().last().map(String::as_str), Some("OK ROOMS 1"));
    ann.send("MSG three\nMSG four");
    assert_eq!(ask_until(&mut ann, "ROOMS #old", "OK ROOMS 0"), [""; 0]);
    let rooms = || -> Vec<String> {
        let file = rusqlite::Connection::open(&path).expect("the file opens");
        let mut rows = file.prepare("SELECT name FROM rooms ORDER BY room").expect("the table exists");
        rows.query_map([], |row| row.get(0)).expect("rows").collect::<rusqlite::Result<_>>().expect("names")
    };
    // The row of a room with members stays: its next message has the next id.
    ann.send("#used MSG five");
    ann.until("#used OK MSG 2");
    assert_eq!(rooms(), ["#lobby", "#used"]);
    ann.send("JOIN #old\n#old MSG again");
    assert!(ann.until_start("OK JOIN #old epoch=").ends_with(" last=0"));
    ann.until("#old OK MSG 1");
    assert_eq!(rooms(), ["#lobby", "#used", "#old"]);
}

/// Regression: they were sent until the next message was stored.
#[test]
fn keep_age_hides_old_messages_in_a_quiet_room() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = serve(&directory.path().join("chat.db"), "1s");
    let mut ann = server.join("ann");
    ann.send("MSG soon forgotten");
    ann.expect_start("OK MSG ");
    assert_eq!(ask_until(&mut ann, "HISTORY", "OK HISTORY 0 last=1"), [""; 0]);
    ann.send("SINCE 0");
    ann.expect_start("ERR SINCE too-old ");
}

#[test]
fn history_goes_back_further_than_memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let arguments = ["--history", "2", "--data", path.to_str().expect("a path")];
    let mut server = Server::with(&arguments);
    let mut ann = server.join("ann");
    for number in 1..=5 {
        ann.send(&format!("MSG {number}"));
        ann.until(&format!("OK MSG {number}"));
    }
    let check = |ann: &mut Client| {
        for (question, oldest, reply) in [
            ("HISTORY 2", 4, "OK HISTORY 2 last=5"),
            ("HISTORY 4", 2, "OK HISTORY 4 last=5"),
            ("HISTORY", 1, "OK HISTORY 5 last=5"),
            ("SINCE 3", 4, "OK SINCE 2 last=5"),
            ("SINCE 2", 3, "OK SINCE 3 last=5"),
            ("SINCE 0", 1, "OK SINCE 5 last=5"),
        ] {
            ann.send(question);
            for number in oldest..=5 {
                let past = ann.expect_start(&format!("PAST {number} "));
                assert!(past.ends_with(&format!(" ann {number}")), "{question}: {past}");
            }
            ann.expect(reply);
        }
    };
    check(&mut ann);
    server.signal("-TERM");
    server.wait();
    server = Server::with(&arguments);
    let mut ann = server.join("ann");
    ann.sync();
    check(&mut ann);
}
