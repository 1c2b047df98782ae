//! Tests of reloads with a source of options. `tests/reload.rs` sends SIGHUP to real servers.

use std::fs;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::feed::Feed;
use crate::limits::{BACKLOG_BYTES_DEFAULT, BACKLOG_BYTES_MIN};
use crate::protocol::Password;
use crate::server::banned_networks::BannedNetworks;
use crate::server::clock::{Clock, SystemClock};
use crate::server::log::RunLog;
use crate::server::log::tests::logged;
use crate::server::request_queue::{self, HubReceiver};
use crate::server::token_bucket::LiveRate;
use crate::server::{Listener, MotdFile, Rate, ServerPassword, SocketSource, UnixSocket, tests};
use crate::session::{LiveOptions, PasswordCheck as _, Timeouts};

/// Options that a test changes, or the error in them.
#[derive(Debug)]
struct TestSource(Mutex<Result<Configuration, String>>);

impl OptionsSource for TestSource {
    fn read(&self) -> Result<Configuration, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A server with a password and a message of the day, without clients.
struct TestServer {
    directory: TempDir,
    reloader: Reloader,
    source: Arc<TestSource>,
    password: Arc<ServerPassword>,
    requests: HubReceiver,
}

impl TestServer {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("password"), "hunter2\n").unwrap();
        fs::write(directory.path().join("motd"), "Welcome.\n").unwrap();
        let configuration = configuration(directory.path());
        let options = &configuration.server;
        options.reloaded_files().iter().for_each(|files| files.reload().unwrap());
        let password = options.password.clone().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let banned = Arc::new(BannedNetworks::new(Arc::clone(&clock)));
        let admission = Admission::new(ConnectionLimits::new(options), banned);
        let (to_hub, requests) = request_queue::channel();
        let context = Arc::new(ConnectionContext {
            feed: Arc::new(Feed::new(BACKLOG_BYTES_DEFAULT)),
            to_hub,
            store_reader: None,
            line_rate: LiveRate::new(options.line_rate),
            send_timeout: None,
            log: Arc::new(RunLog::new(Arc::clone(&clock))),
            metrics: Arc::default(),
            clock,
        });
        let source = Arc::new(TestSource(Mutex::new(Ok(configuration.clone()))));
        let reloader =
            Reloader::new(configuration, Some(Arc::clone(&source) as _), Exposure::default(), &admission, &context);
        Self { directory, reloader, source, password, requests }
    }

    /// Changes the options for the next reload.
    fn change(&self, change: impl FnOnce(&mut Configuration)) {
        let mut configuration = configuration(self.directory.path());
        change(&mut configuration);
        *self.source.0.lock().unwrap() = Ok(configuration);
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.directory.path().join(name), content).unwrap();
    }

    /// Reloads. Returns the lines of the log; the directory is `DIR`.
    fn reload(&mut self) -> Vec<String> {
        let reloader = &mut self.reloader;
        let lines = logged(LogFormat::Text, || reloader.reload());
        let directory = self.directory.path().to_str().unwrap();
        let is_shown = |line: &String| !line.contains("every user of this machine can read the password");
        lines.iter().map(|line| line.replace(directory, "DIR")).filter(is_shown).collect()
    }

    /// The options that the hub got since the last call.
    fn configured(&mut self) -> Vec<LiveOptions> {
        let mut configured = Vec::new();
        self.requests.process_in_turns(|request| {
            if let HubRequest::Input(SessionId::SERVER, InputKind::Configure(options)) = request {
                configured.push(*options);
            }
            ControlFlow::Continue(())
        });
        configured
    }

    fn accepts(&self, password: &str) -> bool {
        self.password.is_correct(&Password::new(password).unwrap())
    }
}

fn configuration(directory: &Path) -> Configuration {
    let server = ServerOptions {
        listen: vec![Listener::lines(SocketAddr::from(([127, 0, 0, 1], 9999)))],
        max_clients: Some(100),
        line_rate: Rate { per_second: 10, burst: 40 },
        password: Some(ServerPassword::new(directory.join("password"))),
        motd: Some(MotdFile::new(directory.join("motd"))),
        ..tests::options()
    };
    Configuration { server, log: LevelFilter::INFO, log_format: LogFormat::Text }
}

const READ: [&str; 2] =
    ["INFO read the password path=DIR/password", "INFO read the message of the day path=DIR/motd lines=1"];

#[test]
fn unchanged_options_are_reloaded_with_their_files() {
    let mut server = TestServer::start();
    for _ in 0..2 {
        assert_eq!(server.reload(), [READ[0], READ[1], "INFO reloaded the options changed=0 need_restart=0"]);
    }
    assert_eq!(server.configured().len(), 2);
}

#[test]
fn changed_options_are_in_force_and_in_the_log() {
    let mut server = TestServer::start();
    server.change(|all| {
        all.server.line_rate = Rate { per_second: 20, burst: 5 };
        all.server.connect_rate = Rate { per_second: 7, burst: 1 };
        (all.server.max_clients, all.server.max_per_address, all.server.max_rooms) = (Some(50), 3, 5);
        (all.server.has_watch, all.server.resume_seconds) = (false, 90);
        all.server.timeouts = Timeouts { name_seconds: 30, idle_seconds: 300 };
    });
    let changes = [
        "--max-clients from=100 to=50",
        "--max-per-address from=none to=3",
        "--connect-rate from=none to=7",
        "--line-rate from=10 to=20",
        "--line-burst from=40 to=5",
        "--max-rooms from=10 to=5",
        "--no-watch from=off to=on",
        "--name-timeout from=none to=30s",
        "--idle-timeout from=none to=5m",
        "--resume-timeout from=none to=90s",
    ];
    let mut expected = READ.map(str::to_owned).to_vec();
    expected.extend(changes.iter().map(|change| format!("INFO changed an option option={change}")));
    expected.push("INFO reloaded the options changed=10 need_restart=0".to_owned());
    assert_eq!(server.reload(), expected);
    assert_eq!(server.reloader.context.line_rate.get(), Rate { per_second: 20, burst: 5 });
    let limits = server.reloader.admission.limits();
    assert_eq!((limits.clients_max, limits.per_address_max, limits.per_address_rate.per_second), (50, 3, 7));
    let configured = server.configured().pop().unwrap();
    assert_eq!((configured.has_watch, configured.timeouts.idle_seconds), (false, 300));
    assert_eq!((configured.policy.rooms, configured.policy.resume_seconds), (5, 90));
    // The new values are those in force now.
    assert_eq!(server.reload().len(), READ.len() + 1);
}

/// The warning is repeated until the restart.
#[test]
fn option_that_needs_a_restart_stays_in_force() {
    let mut server = TestServer::start();
    server.change(|all| {
        all.server.listen.push(Listener::lines(SocketAddr::from(([127, 0, 0, 1], 8888))));
        (all.server.backlog_bytes, all.server.send_timeout) = (BACKLOG_BYTES_MIN, Some(Duration::from_secs(9)));
        all.log_format = LogFormat::Json;
        all.server.password = None;
    });
    for _ in 0..2 {
        let lines = server.reload();
        let warned = "WARN the change of an option needs a restart option=";
        let expected = [
            "--password-file from=DIR/password to=none",
            "--listen from=tcp://127.0.0.1:9999 to=\"tcp://127.0.0.1:9999, tcp://127.0.0.1:8888\"",
            "--backlog from=8MiB to=1MiB",
            "--send-timeout from=none to=9s",
            "--log-format from=text to=json",
        ];
        assert_eq!(lines[..5], expected.map(|change| format!("{warned}{change}")));
        assert_eq!(lines[5..], ["INFO reloaded the options changed=0 need_restart=5"]);
        assert!(server.accepts("hunter2"));
    }
}

/// The message of the day may be for the users of the new password: strangers do not read it before the restart.
#[test]
fn options_of_a_password_wait_with_it() {
    let mut server = TestServer::start();
    server.reloader.in_force.server.password = None;
    server.write("motd", "The door code is 1234.\n");
    server.write("next", "For users.\n");
    let warned = |change: &str| format!("WARN the change of an option needs a restart option={change}");
    let pending = [
        warned("--allow-insecure-passwords from=off to=on"),
        warned("--password-file from=none to=DIR/password"),
        "INFO reloaded the options changed=0 need_restart=2".to_owned(),
    ];
    server.change(|all| all.server.allows_insecure_passwords = true);
    for _ in 0..2 {
        assert_eq!(server.reload(), pending);
    }
    assert!(server.configured().iter().all(|options| {
        let is_old = options.motd.lines().iter().all(|line| line.as_str() == "Welcome.");
        is_old && !options.allows_insecure_passwords
    }));
    server.change(|all| all.server.motd = Some(MotdFile::new(server.directory.path().join("next"))));
    assert_eq!(server.reload()[0], warned("--motd from=DIR/motd to=DIR/next"));
    assert_eq!(server.configured()[0].motd.lines()[0].as_str(), "Welcome.");
}

/// The files of options that end at the restart may be gone. Those of options that begin then are checked.
#[test]
fn files_are_read_if_the_new_options_name_them() {
    let mut server = TestServer::start();
    fs::remove_file(server.directory.path().join("password")).unwrap();
    server.change(|all| all.server.password = None);
    assert_eq!(server.reload().last().unwrap(), "INFO reloaded the options changed=0 need_restart=1");
    assert!(server.accepts("hunter2"));
    server.reloader.in_force.server.password = None;
    server.change(|all| all.server.line_rate.per_second = 20);
    let lines = server.reload();
    assert!(lines.len() == 1 && lines[0].starts_with("ERROR SIGHUP: nothing was changed"), "{lines:?}");
    assert_eq!(server.reloader.context.line_rate.get().per_second, 10);
    server.write("password", "correct horse\n");
    assert_eq!(server.reload().last().unwrap(), "INFO reloaded the options changed=1 need_restart=1");
    assert!(server.accepts("hunter2"), "the new password waits");
}

/// Otherwise, nobody could give the password that the server still needs.
#[test]
fn insecure_passwords_are_allowed_until_none_is_needed() {
    let mut server = TestServer::start();
    let from = &mut server.reloader.in_force.server;
    (from.allows_insecure_passwords, from.accounts.accounts_only) = (true, true);
    from.accounts.is_registration_open = true;
    let next = configuration(server.directory.path()).server;
    let changes: [fn(&mut ServerOptions); 4] = [
        |options| options.password = None,
        |options| options.accounts.is_registration_open = false,
        |options| options.listen.push(Listener::lines(SocketAddr::from(([127, 0, 0, 1], 8888)))),
        |_| {},
    ];
    for (number, change) in changes.into_iter().enumerate() {
        server.change(|all| {
            all.server = next.clone();
            (all.server.accounts.accounts_only, all.server.accounts.is_registration_open) = (number != 1, true);
            change(&mut all.server);
        });
        let lines = server.reload();
        let configured = server.configured().pop().unwrap();
        let is_pending = number < 3;
        assert_eq!(configured.allows_insecure_passwords, is_pending, "{lines:?}");
        assert!(configured.is_registration_open, "{lines:?}");
        let expected = |option: &str| {
            let of_option = |line: &&String| line.contains(option);
            lines.iter().find(of_option).map(|line| line.starts_with("WARN the change of an option needs a restart"))
        };
        assert_eq!(expected("--allow-insecure-passwords from=on to=off"), Some(is_pending), "{lines:?}");
        assert_eq!(expected("--registration from=open to=operators"), (number == 1).then_some(true), "{lines:?}");
    }
}

/// The start warns with the same function. Each case: listeners, and the warnings of turning the option on, and off again.
#[test]
fn exposed_passwords_are_warned_about_when_the_option_changes() {
    let readable = "WARN --allow-insecure-passwords: anyone on the network path";
    let refused = "WARN clients on other machines cannot give the password";
    let (any, without_proxies) = (true, true);
    let cases = [
        (Exposure::default(), None, None),
        (Exposure { any, without_proxies }, Some(readable), Some(refused)),
        (Exposure { any, without_proxies: false }, Some(readable), None),
    ];
    for (exposure, on, off) in cases {
        let mut server = TestServer::start();
        server.reloader.exposure = exposure;
        for (is_allowed, expected) in [(true, on), (true, None), (false, off), (false, None)] {
            server.change(|all| all.server.allows_insecure_passwords = is_allowed);
            let lines = server.reload();
            let warnings: Vec<_> = lines.iter().filter(|line| line.starts_with("WARN")).collect();
            assert_eq!(warnings.len(), usize::from(expected.is_some()), "{exposure:?} {is_allowed}: {lines:?}");
            assert!(warnings.iter().all(|line| line.starts_with(expected.unwrap())), "{lines:?}");
        }
    }
}

/// Without a password, no client can give one away.
#[test]
fn option_for_passwords_is_not_warned_about_without_a_password() {
    let mut server = TestServer::start();
    server.reloader.exposure = Exposure { any: true, without_proxies: true };
    server.reloader.in_force.server.password = None;
    server.change(|all| (all.server.password, all.server.allows_insecure_passwords) = (None, true));
    let changed = "INFO changed an option option=--allow-insecure-passwords from=off to=on";
    assert_eq!(server.reload()[1..], [changed, "INFO reloaded the options changed=1 need_restart=0"]);
}

#[test]
fn listener_is_shown_with_its_parameters() {
    let socket = |user, group| Listener::unix(UnixSocket { path: "/run/chat".into(), mode: 0o660, user, group });
    assert_eq!(socket(None, None).uri(), "unix:///run/chat?mode=660");
    assert_eq!(socket(Some(7), None).uri(), "unix:///run/chat?mode=660&owner=7:");
    assert_eq!(Listener::lines("[::1]:9999".parse::<SocketAddr>().unwrap()).uri(), "tcp://[::1]:9999");
    assert_eq!(Listener::lines(SocketSource::Inherited("chat".to_owned())).uri(), "tcp+fd://chat");
}

#[test]
#[cfg(feature = "web")]
fn http_options_need_a_restart() {
    use crate::server::WebOptions;
    use crate::web::AllowedOrigins;

    let mut server = TestServer::start();
    let listener = |origins: &[&str], seconds| {
        let origins = AllowedOrigins::new(origins.iter().map(|origin| origin.parse().unwrap()).collect());
        let ping_interval = Some(Duration::from_secs(seconds));
        let options = WebOptions { origins, header_timeout: Duration::from_secs(10), ping_interval, forwarding: None };
        vec![Listener::web(SocketAddr::from(([127, 0, 0, 1], 80)), &Arc::new(options))]
    };
    server.reloader.in_force.server.listen = listener(&[], 20);
    server.change(|all| all.server.listen = listener(&["https://chat.example.org:443", "http://[::1]:8080"], 30));
    let warned = "WARN the change of an option needs a restart option=";
    let expected = [
        "--http-origin from=none to=\"https://chat.example.org, http://[::1]:8080\"",
        "--http-ping-interval from=20s to=30s",
    ];
    assert_eq!(server.reload()[2..4], expected.map(|change| format!("{warned}{change}")));
}

#[test]
fn files_of_changed_paths_replace_the_old_ones() {
    let mut server = TestServer::start();
    server.write("next", "correct horse\n");
    server.change(|all| {
        all.server.password = Some(ServerPassword::new(server.directory.path().join("next")));
        all.server.motd = None;
    });
    let expected = [
        "INFO read the password path=DIR/next",
        "INFO changed an option option=--motd from=DIR/motd to=none",
        "INFO changed an option option=--password-file from=DIR/password to=DIR/next",
        "INFO reloaded the options changed=2 need_restart=0",
    ];
    assert_eq!(server.reload(), expected);
    assert!(server.accepts("correct horse") && !server.accepts("hunter2"));
    assert!(server.configured()[0].motd.lines().is_empty());
    server.change(|_| {});
    assert_eq!(server.reload().len(), 5);
    assert!(server.accepts("hunter2"));
    assert_eq!(server.configured()[0].motd.lines().len(), 1);
}

/// Neither an option nor another file changes, in any order of them.
#[test]
fn error_changes_nothing() {
    let mut server = TestServer::start();
    let refused = "ERROR SIGHUP: nothing was changed; the old options and files stay in use error=";
    *server.source.0.lock().unwrap() = Err("line 3: unknown key".to_owned());
    assert_eq!(server.reload(), [format!("{refused}\"line 3: unknown key\"")]);
    server.change(|all| all.server.line_rate.per_second = 20);
    server.write("password", "correct horse\n");
    server.write("motd", &"x\n".repeat(51));
    let lines = server.reload();
    assert!(lines.len() == 1 && lines[0].starts_with(refused) && lines[0].contains("has 51 lines"), "{lines:?}");
    server.write("password", "");
    assert_eq!(server.reload().len(), 2, "each file with an error has a line");
    assert_eq!(server.reloader.context.line_rate.get().per_second, 10);
    assert!(server.accepts("hunter2") && server.configured().is_empty());
    server.write("password", "correct horse\n");
    server.write("motd", "Hello.\n");
    assert_eq!(server.reload().last().unwrap(), "INFO reloaded the options changed=1 need_restart=0");
    assert_eq!(server.reloader.context.line_rate.get().per_second, 20);
    assert_eq!(server.configured()[0].motd.lines()[0].as_str(), "Hello.");
    assert!(server.accepts("correct horse"));
}

/// Without a source, a bad file affects no other file.
#[test]
fn bad_file_without_a_source_leaves_the_others() {
    let mut server = TestServer::start();
    server.reloader.source = None;
    server.write("password", "");
    server.write("motd", "Hello.\n");
    let lines = server.reload();
    assert!(lines[0].starts_with("WARN SIGHUP: cannot use the new file; the old one stays in use error="), "{lines:?}");
    assert_eq!(lines[1..], ["INFO read the message of the day path=DIR/motd lines=1"]);
    assert_eq!(server.configured()[0].motd.lines()[0].as_str(), "Hello.");
    assert!(server.accepts("hunter2"));
}

/// A more verbose level is in force for the lines of the reload, and so is the old one.
#[test]
fn level_of_the_log_is_an_option() {
    let mut server = TestServer::start();
    server.change(|all| all.log = LevelFilter::WARN);
    let lines = server.reload();
    assert_eq!(
        lines[2..],
        ["INFO changed an option option=--log from=info to=warn", "INFO reloaded the options changed=1 need_restart=0",]
    );
    assert_eq!(server.reloader.in_force.log, LevelFilter::WARN);
}
