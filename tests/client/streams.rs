//! Standard streams in any state, and signals: an unreadable or unwritable stream is an error, and a signal ends the client at once.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};

use crate::common::{Server, exit_status};
use crate::{DEADLINE, client};

/// The commands that read standard input.
const READERS: [&[&str]; 3] = [&["send"], &["raw"], &[]];

/// The commands that print something while alice is a member.
const PRINTERS: [&[&str]; 7] = [
    &["who"],
    &["tail", "--since", "0"],
    &["wait", "x", "--since", "0"],
    &["history"],
    &["raw"],
    &[],
    &["send", "--json", "x"],
];

/// The client with these arguments, for this server.
fn with_words(server: &Server, words: &[&str]) -> Command {
    let mut command = client(server.address, words);
    command.stdin(Stdio::null());
    command
}

/// The client, started by a shell with this redirection.
fn after_shell(server: &Server, words: &[&str], shell: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$@\" {shell}"), "sh", env!("CARGO_BIN_EXE_chinwag")]);
    command.arg(server.address.to_string()).args(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for the client. Returns its exit code and standard error, without the note about a taken nickname: the client of the previous step
/// may have ended without QUIT, and stays a member until the server notices.
#[track_caller]
fn end(mut child: Child) -> (Option<i32>, String) {
    let mut output = child.stdout.take();
    let read = thread::spawn(move || output.as_mut().map(|output| output.read_to_end(&mut Vec::new())));
    let code = exit_status(&mut child, DEADLINE).code();
    let mut errors = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut errors).expect("UTF-8");
    read.join().expect("it only reads");
    if let Some((first, rest)) = errors.split_once('\n')
        && first.starts_with("chinwag: nickname ")
    {
        errors = rest.to_owned();
    }
    (code, errors)
}

#[test]
fn nonblocking_stdin_is_read_to_its_end() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let (reader, mut writer) = io::pipe().expect("a pipe");
    fcntl_setfl(&reader, OFlags::NONBLOCK).expect("a pipe");
    let child = with_words(&server, &["send", "--nick", "ci"]).stdin(reader).spawn().expect("it starts");
    alice.expect("JOIN ci");
    for text in ["one", "two"] {
        writeln!(writer, "{text}").expect("it reads");
        alice.expect(&format!("MSG ci {text}"));
    }
    drop(writer);
    assert_eq!(end(child), (Some(0), String::new()));
}

/// Runs the client with this standard input. Returns its exit code and standard error.
fn with_input(server: &Server, words: &[&str], input: &[u8]) -> (Option<i32>, String) {
    let (reader, mut writer) = io::pipe().expect("a pipe");
    writer.write_all(input).expect("it fits into the pipe");
    drop(writer);
    end(with_words(server, words).stdin(reader).spawn().expect("it starts"))
}

#[test]
fn utf16_stdin_is_refused_and_nothing_is_sent() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let encode =
        |to_bytes: fn(u16) -> [u8; 2]| "\u{feff}hi\ncaf\u{e9}\n".encode_utf16().flat_map(to_bytes).collect::<Vec<_>>();
    for input in [encode(u16::to_le_bytes), encode(u16::to_be_bytes)] {
        for words in READERS {
            let expected = "chinwag: cannot read standard input: line 1 is UTF-16, expected UTF-8; convert it first: iconv -f UTF-16 -t UTF-8\n";
            assert_eq!(with_input(&server, words, &input), (Some(1), expected.to_owned()), "{words:?}");
        }
    }
    alice.send("HISTORY 10");
    alice.until("OK HISTORY 0 last=0");
}

#[test]
fn line_of_stdin_that_is_not_utf8_is_refused_alone() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let input = b"one\ncaf\xe9\n\xff\ntwo\n\xc3";
    let (code, errors) = with_input(&server, &["send", "--nick", "ci"], input);
    let expected: String = [(2, 4), (3, 1), (5, 1)]
        .map(|(line, byte)| format!("chinwag: line {line}: byte {byte} of this line is not UTF-8; send it as UTF-8\n"))
        .concat();
    assert_eq!((code, errors), (Some(1), expected));
    assert_eq!(with_input(&server, &["--nick", "ci"], input).0, Some(1));
    let raw = b"NICK ci\nMSG one\nMSG caf\xe9\nMSG \xff\nMSG a\xff\xf1b\nMSG two\nMSG \xc3";
    assert_eq!(with_input(&server, &["raw"], raw).0, Some(1));
    for last in ["quit", "quit", "eof"] {
        for line in ["JOIN ci", "MSG ci one", "MSG ci two", &format!("LEAVE ci {last}")] {
            alice.expect(line);
        }
    }
}

#[test]
fn cr_alone_ends_lines_of_stdin() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let (send, raw) = (&["send", "--nick", "ci"][..], &["raw"][..]);
    for (words, input, last) in [
        (send, "one\rtwo\rthree\r", "quit"),
        (&["--nick", "ci"], "one\rtwo\rthree", "quit"),
        (raw, "NICK ci\rMSG one\rMSG two\rMSG three\r", "eof"),
    ] {
        assert_eq!(with_input(&server, words, input.as_bytes()), (Some(0), String::new()), "{words:?}");
        for line in ["JOIN ci", "MSG ci one", "MSG ci two", "MSG ci three", &format!("LEAVE ci {last}")] {
            alice.expect(line);
        }
    }
    assert_eq!(with_input(&server, raw, b"NICK ci\nMSG one\rMSG two\n"), (Some(0), String::new()));
    for line in ["JOIN ci", "MSG ci one\u{fffd}MSG two", "LEAVE ci eof"] {
        alice.expect(line);
    }
}

#[test]
fn unreadable_stdin_is_an_error() {
    let server = Server::start();
    let check = |child: &mut Command, reason: &str| {
        let expected = format!("chinwag: cannot read standard input: {reason}\n");
        assert_eq!(end(child.spawn().expect("it starts")), (Some(1), expected));
    };
    for words in READERS {
        let directory = File::open("/").expect("a directory");
        check(with_words(&server, words).stdin(directory), "Is a directory");
        let write_only = OpenOptions::new().write(true).open("/dev/null").expect("a device");
        check(with_words(&server, words).stdin(write_only), "Bad file descriptor");
        check(&mut after_shell(&server, words, "<&-"), "Bad file descriptor");
    }
    let closed_but_unused = after_shell(&server, &["send", "x"], "<&-").spawn().expect("it starts");
    assert_eq!(end(closed_but_unused), (Some(0), String::new()));
}

#[test]
fn unwritable_stdout_is_an_error() {
    let server = Server::start();
    let mut alice = server.join("alice");
    alice.send("MSG x");
    alice.sync();
    for words in PRINTERS {
        let expected = |reason: &str| (Some(1), format!("chinwag: cannot write to standard output: {reason}\n"));
        let full = OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let child = with_words(&server, words).stdout(full).spawn().expect("it starts");
        assert_eq!(end(child), expected("No space left on device"), "{words:?}");
        let child = after_shell(&server, words, ">&-").spawn().expect("it starts");
        assert_eq!(end(child), expected("Bad file descriptor"), "{words:?}");
        let mut path = OpenOptions::new();
        path.read(true).custom_flags(OFlags::PATH.bits().cast_signed());
        let child = with_words(&server, words).stdout(path.open("/").expect("a path")).spawn().expect("it starts");
        assert_eq!(end(child), expected("Bad file descriptor"), "{words:?}");
    }
    alice.send("QUIT");
    alice.until("OK QUIT");
    let child = after_shell(&server, &["who"], ">&-").spawn().expect("it starts");
    assert_eq!(end(child).0, Some(1), "also if there is no other member to list");
    // `send` without `--json` prints nothing.
    let child = after_shell(&server, &["send", "x"], ">&-").spawn().expect("it starts");
    assert_eq!(end(child), (Some(0), String::new()));
}

/// At the start, Rust opens /dev/null in place of a closed stream. The client must not take a /dev/null of its parent process for one.
#[test]
fn null_device_and_closed_reader_are_not_errors() {
    let server = Server::start();
    let _alice = server.join("alice");
    let (gone, broken) = io::pipe().expect("a pipe");
    drop(gone);
    for stdout in [Stdio::null(), broken.into()] {
        let child = with_words(&server, &["who"]).stdout(stdout).spawn().expect("it starts");
        assert_eq!(end(child), (Some(0), String::new()));
    }
}

fn is_full(pipe: impl AsFd) -> bool {
    poll(&mut [PollFd::new(&pipe, PollFlags::OUT)], Some(&Timespec::default())) == Ok(0)
}

fn kill(child: &Child, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().expect("kill runs");
    assert!(status.success(), "kill failed: {status}");
}

#[test]
fn signal_ends_client_with_blocked_stdout() {
    let server = Server::start();
    let mut alice = server.join("alice");
    for (number, (name, signal)) in [("HUP", 1), ("INT", 2), ("TERM", 15)].into_iter().enumerate() {
        let nick = format!("tail{number}");
        let (unread, writer) = io::pipe().expect("a pipe");
        let stdout = writer.try_clone().expect("a pipe");
        // The test may run in the background of a script, where SIGINT is ignored.
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_chinwag"), &server.address.to_string()]);
        command.args(["tail", "--nick", &nick]).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        alice.expect(&format!("JOIN {nick}"));
        let begun = Instant::now();
        while !is_full(&writer) {
            alice.send(&format!("MSG {}", "x".repeat(3000)));
            alice.sync();
            assert!(begun.elapsed() < DEADLINE, "the client prints nothing");
        }
        let begun = Instant::now();
        kill(&child, name);
        assert_eq!(exit_status(&mut child, DEADLINE).signal(), Some(signal));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        alice.until(&format!("LEAVE {nick} quit"));
        drop(unread);
    }
}

/// The server sends nothing, so the client gets no reply to `QUIT`.
#[test]
fn signal_ends_client_of_silent_server() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut child = client(address, &["tail"]).spawn().expect("it starts");
    let (mut silent, _) = listener.accept().expect("it connects");
    silent.write_all(b"HELLO chinwag/1 hi\n").expect("it reads");
    let mut request = [0; 12];
    silent.read_exact(&mut request).expect("it sends a request");
    let begun = Instant::now();
    kill(&child, "TERM");
    assert_eq!(exit_status(&mut child, DEADLINE).signal(), Some(15));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn ignored_signals_stay_ignored() {
    let server = Server::start();
    let mut alice = server.join("alice");
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP INT; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_chinwag")]);
    command.arg(server.address.to_string()).args(["wait", "now", "--nick", "bob"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    alice.expect("JOIN bob");
    kill(&child, "HUP");
    kill(&child, "INT");
    alice.send("MSG now");
    assert_eq!(end(child), (Some(0), String::new()));
}

/// Runs the client with a server that sends its first `setup` replies, and then repeats `flood` until the client ends.
fn run_flooded(setup: usize, flood: &str, words: &[&str]) -> (Option<i32>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let child = client(address, words).spawn().expect("it starts");
    let (mut stream, _) = listener.accept().expect("it connects");
    let replies = ["HELLO chinwag/1 hi\n", "OK SET tags on\n", "OK NICK al\n"];
    stream.write_all(replies[..setup].concat().as_bytes()).expect("it reads");
    let flood = flood.repeat(1000);
    let flooding = thread::spawn(move || while stream.write_all(flood.as_bytes()).is_ok() {});
    let (code, errors) = end(child);
    flooding.join().expect("it ends with the connection");
    (code, errors.replace(&address.to_string(), "<address>"))
}

#[test]
fn endless_line_ends_client() {
    let long = "chinwag: the server sent a line of more than 65536 bytes; is it a chinwag server?\n";
    for words in [&["who", "--nick", "al"][..], &["history", "--nick", "al"]] {
        assert_eq!(run_flooded(3, "x", words), (Some(4), long.to_owned()));
    }
    let (code, errors) = run_flooded(0, "x", &["who"]);
    assert_eq!((code, errors.contains("could not connect to <address>")), (Some(3), true), "{errors}");
}

#[test]
fn surplus_messages_end_client() {
    let past = "PAST 7 2026-11-20T12:44:29.138Z bob hi\n";
    let (code, errors) = run_flooded(3, past, &["history", "50", "--nick", "al"]);
    let expected = "chinwag: the server sent more than the 50 messages that were requested\n";
    assert_eq!((code, errors.as_str()), (Some(4), expected));
}
