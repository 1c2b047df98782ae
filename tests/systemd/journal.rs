//! Priorities for the journal: `$JOURNAL_STREAM` names the pipe to which the server writes its log.

use std::fs::File;
use std::io::{self, PipeReader, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

use crate::common::{DEADLINE, Server, command, exit_code};

/// Lets the command write to a journal, from which the test reads.
fn with_journal(command: &mut Command) -> PipeReader {
    let (reader, writer) = io::pipe().expect("a pipe");
    let writer = File::from(OwnedFd::from(writer));
    let stream = writer.metadata().expect("metadata");
    command.env("JOURNAL_STREAM", format!("{}:{}", stream.dev(), stream.ino())).stderr(writer);
    reader
}

/// The lines of a server with these arguments, from its start to its stop.
fn journal(arguments: &[&str]) -> Vec<String> {
    let mut command = command(&["--listen", "0.0.0.0:0"]);
    let mut journal = with_journal(command.args(arguments));
    let mut server = Server::spawn(&mut command);
    // Its copy of the pipe.
    command.stderr(Stdio::null());
    server.signal("-TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    let mut lines = String::new();
    journal.read_to_string(&mut lines).expect("UTF-8");
    lines.lines().map(str::to_owned).collect()
}

#[test]
fn line_in_the_journal_has_a_priority_and_no_time() {
    let lines = journal(&[]);
    assert!(lines.first().is_some_and(|line| line.starts_with("<6>INFO starting version=")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("<4>WARN other machines can reach this listener")), "{lines:#?}");
    assert!(lines.last().is_some_and(|line| line.starts_with("<6>INFO stopped reason=SIGTERM ")), "{lines:#?}");
}

#[test]
fn json_in_the_journal_has_a_priority() {
    for line in journal(&["--log-format", "json"]) {
        let (priority, object) = line.split_at(3);
        let object = serde_json::from_str::<serde_json::Value>(object).expect(&line);
        let expected = if object["level"] == "warn" { "<4>" } else { "<6>" };
        assert_eq!(priority, expected, "{line}");
        assert!(object["time"].is_string(), "{line}");
    }
}

#[test]
fn error_in_the_journal_has_the_priority_of_errors() {
    let error = |arguments: &[&str], code| {
        let mut command = command(arguments);
        let mut journal = with_journal(&mut command);
        let mut child = command.stdout(Stdio::null()).spawn().expect("it starts");
        command.stderr(Stdio::null());
        assert_eq!(exit_code(&mut child, DEADLINE), Some(code));
        let mut lines = String::new();
        journal.read_to_string(&mut lines).expect("UTF-8");
        assert_eq!(lines.lines().count(), 1, "{lines}");
        lines
    };
    let text = error(&["--log", "off", "--listen", "tcp+fd://chat"], 1);
    assert!(text.starts_with("<3>chinwagd: cannot listen on tcp+fd://chat: "), "{text}");
    let json = error(&["--log", "off", "--log-format", "json", "--listen", "tcp+fd://chat"], 1);
    assert!(json.starts_with("<3>{\"time\":"), "{json}");
    let usage = error(&["--line-rate", "x"], 2);
    assert!(usage.starts_with("<3>chinwagd: invalid --line-rate "), "{usage}");
}

/// A shell has sent the log elsewhere: the variable is that of its own standard error.
#[test]
fn redirected_log_has_no_priorities() {
    let (_journal, writer) = io::pipe().expect("a pipe");
    let stream = File::from(OwnedFd::from(writer)).metadata().expect("metadata");
    let mut command = command(&["--listen", "127.0.0.1:0"]);
    command.env("JOURNAL_STREAM", format!("{}:{}", stream.dev(), stream.ino()));
    let log = Server::spawn(command.stderr(Stdio::piped())).stop();
    assert!(log.contains(" INFO starting ") && !log.contains('<'), "{log}");
}
