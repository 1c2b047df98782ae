//! SIGHUP on real servers: what it reads again, and what happens to the clients meanwhile. `src/server/reload/tests.rs` has the rules.

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
#[cfg(feature = "config")]
use std::time::Instant;

use common::{Client, DEADLINE, HELLO, Server, command};

/// A directory for the files of a server.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect("a file");
    }
}

/// A server, and its log.
struct Logged {
    server: Server,
    log: Receiver<String>,
    lines: Vec<String>,
}

impl Logged {
    fn spawn(command: &mut Command) -> Self {
        let mut server = Server::spawn(command.stderr(Stdio::piped()));
        let (stderr, (to_test, log)) = (server.take_stderr(), mpsc::channel());
        thread::spawn(move || BufReader::new(stderr).lines().try_for_each(|line| to_test.send(line.expect("UTF-8"))));
        Self { server, log, lines: Vec::new() }
    }

    fn start(files: &Files, arguments: &[&str]) -> Self {
        let mut command = command(&["--listen", "127.0.0.1:0", "--line-rate", "0"]);
        Self::spawn(command.arg("--motd").arg(files.path("motd")).args(arguments))
    }

    /// Reads the log up to a line with this text.
    fn wait_for(&mut self, text: &str) -> &str {
        loop {
            let line = self.log.recv_timeout(DEADLINE);
            self.lines.push(line.unwrap_or_else(|_| panic!("no {text:?} in {:#?}", self.lines)));
            if self.lines.last().is_some_and(|line| line.contains(text)) {
                return self.lines.last().expect("a line");
            }
        }
    }

    /// Sends SIGHUP. Returns the line of the log with this text.
    fn reload(&mut self, text: &str) -> &str {
        self.server.signal("-HUP");
        self.wait_for(text)
    }

    /// The notices that a new client gets after the greeting.
    fn motd(&self) -> Vec<String> {
        let mut client = self.server.connect_raw();
        client.expect(HELLO);
        client.send("PING");
        let mut lines = Vec::new();
        loop {
            match client.next().expect("a line") {
                line if line == "OK PING" => return lines,
                line => lines.push(line),
            }
        }
    }
}

#[test]
fn motd_is_read_again_at_sighup() {
    let files = Files::new();
    files.write("motd", "Welcome.\n\n\x1b[2J\n");
    let mut logged = Logged::start(&files, &[]);
    let old = ["NOTICE Welcome.", "NOTICE \u{fffd}[2J"];
    assert_eq!(logged.motd(), old);
    let mut alice = logged.server.connect_raw();
    for line in [HELLO, old[0], old[1]] {
        alice.expect(line);
    }
    for (content, expected) in [(None, "cannot read the message of the day"), (Some("x\n".repeat(51)), "has 51 lines")]
    {
        fs::remove_file(files.path("motd")).expect("a file");
        if let Some(content) = content {
            files.write("motd", &content);
        }
        let line = logged.reload("SIGHUP: cannot use the new file; the old one stays in use").to_owned();
        assert!(line.contains(expected), "{line}");
        assert_eq!(logged.motd(), old);
        files.write("motd", "");
    }
    files.write("motd", "Be kind.\n");
    // Two signals in a row.
    logged.server.signal("-HUP");
    logged.reload("read the message of the day");
    // The line comes before the change.
    let is_new = |_: &u32| logged.motd() == ["NOTICE Be kind."];
    assert!((0..1000).find(is_new).is_some());
    alice.sync();
    files.write("motd", "");
    logged.reload("lines=0");
    let is_gone = |_: &u32| logged.motd().is_empty();
    assert!((0..1000).find(is_gone).is_some());
}

#[test]
fn bad_motd_stops_the_start() {
    let files = Files::new();
    let check = |expected: &str| {
        let mut command = command(&["--listen", "127.0.0.1:0", "--log", "off"]);
        let output = command.arg("--motd").arg(files.path("motd")).output().expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.starts_with("chinwagd: ") && error.contains(expected), "{error}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    };
    check("cannot read the message of the day");
    files.write("motd", &"x".repeat(9_000));
    check("is too long: expected at most 8192 bytes");
    fs::write(files.path("motd"), b"caf\xe9").expect("a file");
    check("is not UTF-8");
}

/// The signal waits until the server has started.
#[test]
fn sighup_during_the_start_reloads_after_it() {
    let files = Files::new();
    files.write("motd", "Welcome.\n");
    let mut command = command(&["--listen", "127.0.0.1:0"]);
    let mut child = command.arg("--motd").arg(files.path("motd")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().expect("it starts");
    let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut wait_for = |text: &str| {
        let found = log.by_ref().map(|line| line.expect("UTF-8")).any(|line| line.contains(text));
        assert!(found, "no {text:?}");
    };
    wait_for(" starting ");
    let kill = |signal: &str| Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs");
    assert!(kill("-HUP").success());
    wait_for("read the message of the day");
    wait_for(" listening ");
    wait_for("read the message of the day");
    assert!(kill("-TERM").success());
    wait_for(" stopped reason=SIGTERM ");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn sighup_during_the_stop_changes_nothing() {
    let files = Files::new();
    files.write("motd", "Welcome.\n");
    let logged = Logged::start(&files, &[]);
    let mut alice = logged.server.connect_raw();
    alice.expect(HELLO);
    alice.expect("NOTICE Welcome.");
    for signal in ["-TERM", "-HUP", "-HUP"] {
        logged.server.signal(signal);
    }
    let Logged { mut server, .. } = logged;
    assert_eq!(server.wait().0.code(), Some(0));
    assert_eq!(alice.rest(), ["NOTICE the server is shutting down"]);
}

/// Ten members talk while the server reloads again and again. None of them loses a line.
#[test]
fn members_talk_on_during_reloads() {
    const MESSAGES: usize = 300;
    let files = Files::new();
    files.write("motd", "Welcome.\n");
    let logged = Logged::start(&files, &["--log", "error"]);
    let names: Vec<_> = (0..10).map(|number| format!("member{number}")).collect();
    let mut clients: Vec<Client> = names.iter().map(|name| join(&logged, name)).collect();
    let talkers: Vec<_> = clients
        .drain(..)
        .map(|mut client| {
            thread::spawn(move || {
                for number in 0..MESSAGES {
                    client.send(&format!("MSG {number}"));
                }
                let (mut received, mut acknowledged) = (0, 0);
                while received < 9 * MESSAGES || acknowledged < MESSAGES {
                    let line = client.next().expect("a line");
                    received += usize::from(line.starts_with("MSG "));
                    acknowledged += usize::from(line.starts_with("OK MSG "));
                }
                client
            })
        })
        .collect();
    while !talkers.iter().all(thread::JoinHandle::is_finished) {
        logged.server.signal("-HUP");
    }
    for talker in talkers {
        talker.join().expect("it gets every line").sync();
    }
}

/// A member of a server with the message of the day `Welcome.`
fn join(logged: &Logged, nick: &str) -> Client {
    let mut client = logged.server.connect_raw();
    client.expect(HELLO);
    client.expect("NOTICE Welcome.");
    client.send(&format!("NICK {nick}"));
    client.until(&format!("OK NICK {nick}"));
    client
}

/// With `--config`, SIGHUP reads the options again.
#[cfg(feature = "config")]
mod configured {
    use super::*;

    /// A server with this configuration file.
    fn start(files: &Files, config: &str) -> Logged {
        files.write("chinwagd.toml", config);
        let mut command = command(&["--listen", "127.0.0.1:0"]);
        Logged::spawn(command.arg("--config").arg(files.path("chinwagd.toml")))
    }

    /// Changes the configuration file, and reloads.
    fn change(logged: &mut Logged, files: &Files, config: &str) {
        files.write("chinwagd.toml", config);
        logged.reload(" reloaded the options ");
    }

    #[test]
    fn raised_line_rate_frees_a_connected_client() {
        let files = Files::new();
        let mut logged = start(&files, "[limits]\nline-rate = 1\nline-burst = 1\n");
        let mut alice = logged.server.connect();
        alice.send("NICK alice");
        alice.until("COORDINATOR alice");
        let lines = 500;
        for _ in 0..lines {
            alice.send("MSG hi");
        }
        change(&mut logged, &files, "[limits]\nline-rate = 100000\nline-burst = 100\n");
        let changed = |text: &str| logged.lines.iter().any(|line| line.contains(text));
        assert!(changed("INFO changed an option option=--line-rate from=1 to=100000"), "{:#?}", logged.lines);
        assert!(changed("INFO changed an option option=--line-burst from=1 to=100"), "{:#?}", logged.lines);
        let start = Instant::now();
        for id in 1..=lines {
            alice.expect(&format!("OK MSG {id}"));
            assert!(start.elapsed() < DEADLINE, "the client is still at the old rate, at line {id} of {lines}");
        }
    }

    #[test]
    fn limit_of_clients_goes_up_and_down() {
        let files = Files::new();
        let mut logged = start(&files, "[limits]\nmax-clients = 1\nline-rate = 0\n");
        let mut alice = logged.server.join("alice");
        let full = "ERR - server-full the server has its maximum of ";
        logged.server.connect_raw().expect_start(full);
        change(&mut logged, &files, "[limits]\nmax-clients = 2\nline-rate = 0\n");
        let mut bob = logged.server.join("bob");
        alice.expect("JOIN bob");
        change(&mut logged, &files, "[limits]\nmax-clients = 1\nline-rate = 0\n");
        logged.server.connect_raw().expect_start(full);
        bob.send("MSG still here");
        bob.expect("OK MSG 1");
        alice.expect("MSG bob still here");
    }

    #[test]
    fn level_of_the_log_changes() {
        let files = Files::new();
        let mut logged = start(&files, "[logging]\nlog = \"warn\"\n");
        files.write("chinwagd.toml", "[logging]\nlog = \"info\"\n");
        logged.reload("INFO changed an option option=--log from=warn to=info");
        assert_eq!(logged.lines.len(), 1, "{:#?}", logged.lines);
        logged.server.join("alice");
        logged.wait_for(" disconnected ");
        change(&mut logged, &files, "[logging]\nlog = \"warn\"\n");
        // The barrier: the lines of a reload come before the lower level.
        files.write("chinwagd.toml", "x");
        logged.reload("ERROR SIGHUP: nothing was changed");
        logged.server.join("bob");
        logged.server.signal("-TERM");
        assert_eq!(logged.server.wait().0.code(), Some(0));
        let rest: Vec<_> = logged.log.iter().collect();
        assert_eq!(rest, [""; 0]);
    }

    /// Not even a file that is right.
    #[test]
    fn error_changes_nothing() {
        let files = Files::new();
        files.write("motd", "old\n");
        let config =
            |more: &str| format!("[messages]\nmotd = {:?}\n[limits]\nline-rate = 0\n{more}", files.path("motd"));
        let mut logged = start(&files, &config(""));
        files.write("motd", "new\n");
        let refused = "SIGHUP: nothing was changed; the old options and files stay in use error=";
        for (more, expected) in [
            ("max-clients = -1\n", "chinwagd.toml:5: invalid max-clients"),
            ("max-client = 1\n", "did you mean max-clients"),
            ("x", "chinwagd.toml:5"),
            ("max-clients = 1\n[passwords]\npassword-file = \"/none\"\n", "/none"),
        ] {
            files.write("chinwagd.toml", &config(more));
            let line = logged.reload(refused).to_owned();
            assert!(line.contains(expected), "{line}");
            assert_eq!(logged.motd(), ["NOTICE old"]);
        }
        fs::remove_file(files.path("chinwagd.toml")).expect("a file");
        let line = logged.reload(refused).to_owned();
        assert!(line.contains("No such file or directory"), "{line}");
        assert_eq!(logged.motd(), ["NOTICE old"]);
        change(&mut logged, &files, &config(""));
        assert_eq!(logged.motd(), ["NOTICE new"]);
    }

    #[test]
    fn listener_needs_a_restart() {
        let files = Files::new();
        let config = |port: u16| format!("[listeners]\nlisten = \"127.0.0.1:{port}\"\n");
        files.write("chinwagd.toml", &config(0));
        let mut logged = Logged::spawn(command(&[]).arg("--config").arg(files.path("chinwagd.toml")));
        files.write("chinwagd.toml", &config(1));
        logged.reload(
            "WARN the change of an option needs a restart option=--listen from=tcp://127.0.0.1:0 to=tcp://127.0.0.1:1",
        );
        logged.wait_for("INFO reloaded the options changed=0 need_restart=1");
        logged.server.join("alice");
    }

    /// Members talk while limits go up and down.
    #[test]
    fn members_talk_on_while_options_change() {
        let files = Files::new();
        let config = |rate: u32, watch: bool| {
            format!(
                "[limits]\nline-rate = {rate}\nline-burst = {}\nno-watch = {watch}\nmax-rooms = {}\n\
                 [timeouts]\nresume-timeout = {}\n",
                rate / 2 + 1,
                rate + 1,
                rate % 100
            )
        };
        let logged = start(&files, &config(5000, false));
        let messages = 300;
        let talkers: Vec<_> = (0..5)
            .map(|number| {
                let mut client = logged.server.connect();
                client.send(&format!("NICK member{number}"));
                client.until(&format!("OK NICK member{number}"));
                client
            })
            .collect();
        let talkers: Vec<_> = talkers
            .into_iter()
            .map(|mut client| {
                thread::spawn(move || {
                    (0..messages).for_each(|number| client.send(&format!("MSG {number}")));
                    let mut lines = 0;
                    while lines < 5 * messages {
                        let line = client.next().expect("a line");
                        lines += usize::from(line.starts_with("MSG ") || line.starts_with("OK MSG "));
                    }
                })
            })
            .collect();
        let mut rates = [1, 100, 3000, 0, 20_000].iter().cycle();
        while !talkers.iter().all(thread::JoinHandle::is_finished) {
            let rate = *rates.next().expect("a cycle");
            files.write("chinwagd.toml", &config(rate, rate % 2 == 0));
            logged.server.signal("-HUP");
        }
        for talker in talkers {
            talker.join().expect("it gets every line");
        }
    }
}
