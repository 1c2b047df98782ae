//! `--check`: finds what would keep the server from starting, and leaves nothing behind.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
#[cfg(feature = "store")]
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use super::common::{Server, needs};
use super::{Output, Site};

/// Runs the check. Returns the output without the directory in paths, and checks that no file is new.
fn check_in(site: &Site, arguments: &[&str]) -> Output {
    let before = site.files();
    let mut output = site.run(&[&["--check"], arguments].concat());
    assert_eq!(site.files(), before, "{output:?}");
    let directory = format!("{}/", site.path().display());
    output.err = output.err.replace(&directory, "");
    output
}

/// A configuration with which a server can not start, for this reason.
#[track_caller]
fn check_error(site: &Site, arguments: &[&str], expected: &str) {
    let arguments = [&["--listen", "127.0.0.1:0"], arguments].concat();
    let output = check_in(site, &arguments);
    assert_eq!(output.err, format!("chinwagd: {expected}\n"));
    assert_eq!((output.code, output.out.as_str()), (Some(1), ""));
    // The start says the same.
    let start = site.command(&arguments).output().expect("it runs");
    let error = String::from_utf8(start.stderr).expect("UTF-8");
    let error = error.replace(&format!("{}/", site.path().display()), "");
    assert!(error.lines().any(|line| line == format!("chinwagd: {expected}")), "{error}");
    assert_eq!(start.status.code(), Some(1));
}

#[test]
fn valid_configuration_is_one_line() {
    let site = Site::new(
        "[listeners]\nlisten = [\"127.0.0.1:0\", \"[::1]:0\"]\nport-file = \"port\"\n[limits]\nno-watch = false\n",
    );
    let output = check_in(&site, &["--config", "x.toml", "--log", "debug"]);
    let expected =
        "chinwagd: the configuration \"x.toml\" can be used; checked: 4 options, 2 addresses, the port file\n";
    assert_eq!(output.out, expected);
    assert_eq!((output.code, output.err.as_str()), (Some(0), ""));
}

#[test]
fn every_error_is_found_in_one_run() {
    let site = Site::new(
        "[limits]\nbacklog = 12\nmax_client = 1\n[listeners]\nlisten = [\"127.0.0.1:0\", \"192.0.2.1:0\", \"x.invalid:1\"]\n\
         [timeouts]\nsend-timeout = 31\n",
    );
    let arguments = ["--config=x.toml", "--lgo=off", "--log=loud", "--password-file", "missing", "--port-file=no/port"];
    let output = check_in(&site, &arguments);
    let starts = [
        "unknown option \"--lgo=off\"",
        "x.toml:3: unknown key \"max_client\"; did you mean max-clients?",
        "invalid --log \"loud\"",
        "x.toml:2: invalid backlog \"12\"",
        "x.toml:5: invalid listen \"x.invalid:1\": this host has no known address",
        "x.toml:7: invalid --send-timeout 31s",
        "cannot listen on 192.0.2.1:0: this machine has no such address",
        "cannot write the port file \"no/port\": No such file or directory",
        "cannot read the password file \"missing\"",
    ];
    for start in starts {
        let start = format!("chinwagd: {}", start.replace("--lgo=off", "--lgo"));
        assert!(output.err.lines().any(|line| line.starts_with(&start)), "{start} is missing: {}", output.err);
    }
    assert_eq!(output.err.lines().count(), starts.len(), "{}", output.err);
    assert_eq!((output.code, output.out.as_str()), (Some(2), ""));
}

/// A missing value causes no further error about it.
#[test]
#[cfg(feature = "store")]
fn invalid_value_has_one_error() {
    let site = Site::new("[messages]\ndata = \"\"\nkeep = \"30d\"\n[listeners]\nlisten = \"x\"\n");
    let output = check_in(&site, &["--config", "x.toml"]);
    let lines: Vec<_> = output.err.lines().map(|line| line.split(':').nth(2)).collect();
    assert_eq!(lines, [Some("2"), Some("5")], "{}", output.err);
}

#[test]
fn addresses_and_files_are_checked() {
    let site = Site::new("");
    let no_such = "this machine has no such address; use one of its own, or 0.0.0.0 for all of them";
    check_error(&site, &["--listen", "192.0.2.1:7"], &format!("cannot listen on 192.0.2.1:7: {no_such}"));
    check_error(&site, &["--port-file", "x.toml/port"], "cannot write the port file \"x.toml/port\": Not a directory");
    check_error(
        &site,
        &["--port-file", "no/port"],
        "cannot write the port file \"no/port\": No such file or directory",
    );
    site.write("text", "text");
    let unexpected = "expected a new path, an empty file or an older port file; found a file with other content";
    check_error(&site, &["--port-file", "text"], &format!("cannot write the port file \"text\": {unexpected}"));
    check_error(
        &site,
        &["--password-file", "none"],
        "cannot read the password file \"none\": No such file or directory",
    );
    check_error(&site, &["--motd", "none"], "cannot read the message of the day \"none\": No such file or directory");
    let unix = |name: &str| format!("unix://{}", site.at(name).display());
    check_error(&site, &["--listen", &unix("no/chat")], "cannot listen on no/chat: No such file or directory");
    let kind = "expected a new path or the socket of a server that no longer runs; found a file";
    check_error(&site, &["--listen", &unix("text")], &format!("cannot listen on text: {kind}"));
    let other = "choose another path with --control, or --control off";
    check_error(
        &site,
        &["--control", "no/control"],
        &format!("cannot create the control socket \"no/control\": No such file or directory; {other}"),
    );
    assert_eq!(site.files(), ["text", "x.toml"]);
}

/// The start reports that the second address is in use.
#[test]
fn listeners_that_overlap_are_an_error() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let listen = [format!("0.0.0.0:{port}"), format!("127.0.0.1:{port}")];
    let output = check_in(&Site::new(""), &["--listen", &listen[0], "--listen", &listen[1]]);
    let expected = format!(
        "chinwagd: cannot listen on {}: another listener has {}, which overlaps with it\n",
        listen[1], listen[0]
    );
    assert_eq!((output.code, output.err), (Some(1), expected));
}

#[test]
fn inherited_sockets_are_a_note() {
    let arguments = ["--listen", "127.0.0.1:0", "--listen", "tcp+fd://chat", "--listen", "unix+fd://chat"];
    let output = check_in(&Site::new(""), &arguments);
    let expected = "chinwagd: note: the sockets of tcp+fd://chat were not checked: only systemd has them\n\
                    chinwagd: note: the sockets of unix+fd://chat were not checked: only systemd has them\n";
    assert_eq!((output.code, output.err.as_str()), (Some(0), expected));
    assert!(output.out.ends_with("checked: 1 option, 1 address\n"), "{}", output.out);
}

/// The last file that the start creates would be in the place of the other one, or the start would fail.
#[test]
fn path_of_two_options_is_an_error() {
    let site = Site::new("");
    let absolute = site.at("x");
    let absolute = absolute.to_str().expect("UTF-8");
    let unix = format!("unix://{absolute}");
    let check = |arguments: &[&str], options: &str, path: &str| {
        let output = check_in(&site, &[&["--listen", "127.0.0.1:0"], arguments].concat());
        let expected = format!(
            "chinwagd: {options} have the path {path}: expected a different path for each; see chinwagd --help"
        );
        assert_eq!((output.code, output.err.lines().next()), (Some(2), Some(expected.as_str())));
    };
    check(&["--listen", &unix, "--listen", &unix], "two --listen options", "x");
    check(&["--listen", &unix, "--control", "./x"], "--listen and --control", "./x");
    check(&["--listen", &unix, "--port-file", "x"], "--listen and --port-file", "x");
    check(&["--control", "x", "--port-file", absolute], "--control and --port-file", "x");
    if cfg!(feature = "store") {
        check(&["--listen", &unix, "--data", "x"], "--listen and --data", "x");
        check(&["--control", "x", "--data", "x"], "--control and --data", "x");
        check(&["--port-file", "./x", "--data", "x"], "--port-file and --data", "x");
    }
}

#[test]
fn socket_of_a_dead_server_is_no_error() {
    let site = Site::new("");
    drop(UnixListener::bind(site.at("chat")).expect("a socket"));
    let listen = format!("unix://{}", site.at("chat").display());
    let output = check_in(&site, &["--listen", &listen, "--control", "control"]);
    assert_eq!((output.code, output.err.as_str()), (Some(0), ""));
    assert!(output.out.ends_with("checked: 2 options, 1 address, the control socket\n"), "{}", output.out);
}

/// The server that runs is the one that is replaced.
#[test]
fn running_server_is_a_note() {
    let site = Site::new("");
    let listen = format!("unix://{}", site.at("chat").display());
    let mut arguments = vec![
        "--listen",
        "127.0.0.1:0",
        "--listen",
        &listen,
        "--log",
        "error",
        "--control",
        "control",
        "--epoch",
        "k7qd",
    ];
    if cfg!(feature = "store") {
        arguments.extend(["--data", "chat.db"]);
    }
    let mut command = site.command(&arguments);
    let server = Server::spawn(command.stderr(Stdio::piped()));
    let address = server.address.to_string();
    arguments[1] = &address;
    let output = check_in(&site, &arguments);
    assert_eq!(output.code, Some(0), "{output:?}");
    let mut expected = vec![address.as_str(), "chat", "control"];
    expected.extend(cfg!(feature = "store").then_some("the store \"chat.db\""));
    let notes: Vec<_> = output.err.lines().collect();
    assert_eq!(notes.len(), expected.len(), "{notes:?}");
    for (note, start) in notes.iter().zip(expected) {
        assert!(note.starts_with(&format!("chinwagd: note: {start} is in use")), "{note}");
    }
    // The summary does not name the store, which was not checked.
    assert!(output.out.ends_with(" options, 2 addresses, the control socket\n"), "{}", output.out);
    assert!(site.at("chat").exists() && site.at("control").exists());
    server.join("alice");
    assert_eq!(server.stop(), "");
}

/// systemd would start a server for a connection.
#[test]
fn running_server_gets_no_connection() {
    let site = Site::new("");
    let listen = format!("unix://{}", site.at("chat").display());
    let arguments = ["--listen", "127.0.0.1:0", "--listen", &listen, "--control", "control", "--epoch", "k7qd"];
    let mut command = site.command(&[arguments.as_slice(), &["--log", "debug"]].concat());
    let server = Server::spawn(command.stderr(Stdio::piped()));
    let output = check_in(&site, &arguments);
    assert_eq!((output.code, output.err.lines().count()), (Some(0), 2), "{output:?}");
    let log = server.stop();
    assert!(log.contains("listening"), "{log}");
    assert!(!log.contains("connected"), "{log}");
}

#[test]
#[cfg(feature = "tls")]
fn certificates_and_keys_are_checked() {
    let site = Site::new("");
    site.make_certificate("a");
    site.make_certificate("b");
    let with = |pairs: &[[&str; 2]]| {
        let mut arguments = vec!["--listen", "tls://127.0.0.1:0"];
        for [cert, key] in pairs {
            arguments.extend(["--tls-cert", cert, "--tls-key", key]);
        }
        check_in(&site, &arguments)
    };
    let output = with(&[["a-cert.pem", "a-key.pem"], ["b-cert.pem", "b-key.pem"]]);
    assert_eq!((output.code, output.err.as_str()), (Some(0), ""));
    assert!(output.out.ends_with("1 address, 2 certificates\n"), "{}", output.out);
    let output = with(&[["a-cert.pem", "b-key.pem"], ["b-cert.pem", "none"], ["x.toml", "a-key.pem"]]);
    let expected = "chinwagd: the key \"b-key.pem\" is not that of the certificate \"a-cert.pem\"\n\
                    chinwagd: cannot read \"none\": No such file or directory\n\
                    chinwagd: \"x.toml\" has no certificate: expected PEM with a line BEGIN CERTIFICATE\n";
    assert_eq!((output.code, output.err.as_str()), (Some(1), expected));
}

#[test]
fn password_that_everybody_can_read_is_a_note() {
    let site = Site::new("");
    site.write("password", "hunter2\n");
    let check = |mode| {
        fs::set_permissions(site.at("password"), Permissions::from_mode(mode)).expect("permissions");
        let output = check_in(&site, &["--listen", "127.0.0.1:0", "--password-file", "password"]);
        assert_eq!(output.code, Some(0), "{output:?}");
        output.err
    };
    assert_eq!(check(0o600), "");
    assert_eq!(check(0o644), "chinwagd: note: every user of this machine can read \"password\": chmod 600\n");
    site.write("password", "");
    check_error(
        &site,
        &["--password-file", "password"],
        "the password file \"password\" is empty: expected one line, the password",
    );
}

#[cfg(feature = "store")]
mod store {
    use super::*;

    /// A store that a server has used, in this directory.
    fn make_store(site: &Site) {
        let server = Server::spawn(
            site.command(&["--listen=127.0.0.1:0", "--log=error", "--data=chat.db", "--epoch=k7qd"])
                .stderr(Stdio::piped()),
        );
        server.join("alice");
        server.stop();
    }

    #[test]
    fn store_is_checked_and_not_changed() {
        let site = Site::new("");
        let check = || check_in(&site, &["--listen", "127.0.0.1:0", "--data", "chat.db"]);
        let assert_valid = || {
            let output = check();
            assert_eq!((output.code, output.err.as_str()), (Some(0), ""));
            assert!(output.out.ends_with("checked: 2 options, 1 address, the store\n"), "{}", output.out);
        };
        assert_valid();
        make_store(&site);
        let before = fs::read(site.at("chat.db")).expect("the store");
        assert_valid();
        assert_eq!(fs::read(site.at("chat.db")).expect("the store"), before);
        // Version 9 at this place of the header (https://sqlite.org/fileformat2.html#user_version_number).
        let mut newer = before.clone();
        newer[60..64].copy_from_slice(&9u32.to_be_bytes());
        site.write("chat.db", newer);
        check_error(
            &site,
            &["--data", "chat.db"],
            "the store \"chat.db\" has version 9, but this chinwagd supports versions up to 8; use a newer chinwagd",
        );
        site.write("chat.db", "text, and nothing of a store");
        check_error(
            &site,
            &["--data", "chat.db"],
            "\"chat.db\" is not a store of chinwagd, and was not changed; choose another file with --data",
        );
    }

    #[test]
    fn store_of_a_killed_server_is_not_changed() {
        let site = Site::new("");
        let mut server = Server::spawn(&mut site.command(&[
            "--listen=127.0.0.1:0",
            "--log=error",
            "--data=a?b#%41.db",
            "--epoch=k7qd",
        ]));
        server.join("alice").send("MSG hi");
        server.signal("-KILL");
        server.wait();
        let read = || site.files().iter().map(|name| fs::read(site.at(name)).expect("a file")).collect::<Vec<_>>();
        let before = read();
        let output = check_in(&site, &["--listen", "127.0.0.1:0", "--data", "a?b#%41.db"]);
        assert_eq!((output.code, output.err.as_str()), (Some(0), ""));
        assert_eq!(read(), before);
    }

    #[test]
    fn older_store_is_not_migrated() {
        let site = Site::new("");
        for version in 4..=7 {
            let name = format!("version-{version}.db");
            let old = format!("{}/tests/store/{name}", env!("CARGO_MANIFEST_DIR"));
            fs::copy(old, site.at(&name)).expect("a copy");
            let before = fs::read(site.at(&name)).expect("a file");
            let output = check_in(&site, &["--listen", "127.0.0.1:0", "--data", &name]);
            assert_eq!((output.code, output.err.as_str()), (Some(0), ""), "{version}");
            assert_eq!(fs::read(site.at(&name)).expect("a file"), before);
        }
    }

    #[test]
    fn path_of_the_store_is_checked() {
        let site = Site::new("");
        fs::create_dir(site.at("directory")).expect("a directory");
        check_error(
            &site,
            &["--data", "no/chat.db"],
            "cannot open the store \"no/chat.db\": No such file or directory",
        );
        check_error(&site, &["--data", "new.db/"], "cannot open the store \"new.db/\": Is a directory");
        let expected = "cannot use \"directory\" as a store: it is a directory; --data expects the path of a regular file, or of a file to create";
        check_error(&site, &["--data", "directory"], expected);
        // The file that the start would create is where the link leads.
        symlink("no/chat.db", site.at("link")).expect("a link");
        symlink("link", site.at("link-to-link")).expect("a link");
        for link in ["link", "link-to-link"] {
            let expected = format!("cannot open the store \"{link}\": No such file or directory");
            check_error(&site, &["--data", link], &expected);
        }
        symlink("directory/chat.db", site.at("usable-link")).expect("a link");
        let output = check_in(&site, &["--listen", "127.0.0.1:0", "--data", "usable-link"]);
        assert_eq!((output.code, output.err.as_str()), (Some(0), ""));
        fs::create_dir(site.at("chat.db-wal")).expect("a directory");
        let expected = "cannot use \"chat.db-wal\": it is a directory, and SQLite keeps a file of this name beside the store; move it away";
        let output = check_in(&site, &["--listen", "127.0.0.1:0", "--data", "chat.db"]);
        assert_eq!((output.code, output.err), (Some(1), format!("chinwagd: {expected}\n")));
    }
}

/// Another user may neither write the directory nor read the key.
#[test]
fn permissions_are_those_of_the_user() {
    if !rustix::process::geteuid().is_root() || !needs("setpriv") {
        return;
    }
    let site = Site::new("");
    site.write("password", "hunter2\n");
    fs::set_permissions(site.at("password"), Permissions::from_mode(0o600)).expect("permissions");
    fs::set_permissions(site.path(), Permissions::from_mode(0o755)).expect("permissions");
    // The user may not reach the directory of the program.
    fs::copy(env!("CARGO_BIN_EXE_chinwagd"), site.at("chinwagd")).expect("a copy");
    let listen = format!("unix://{}/chat", site.path().display());
    let run = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(site.at("chinwagd")).arg("--check");
        let output = command.args(arguments).current_dir(site.path()).output().expect("it runs");
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        (output.status.code(), error.replace(&format!("{}/", site.path().display()), ""))
    };
    let mut arguments =
        vec!["--listen", &listen, "--port-file", "port", "--password-file", "password", "--control", "control"];
    let mut expected = "chinwagd: cannot listen on chat: Permission denied\n\
                        chinwagd: cannot create the control socket \"control\": Permission denied; \
                        choose another path with --control, or --control off\n\
                        chinwagd: cannot write the port file \"port\": Permission denied\n\
                        chinwagd: cannot read the password file \"password\": Permission denied\n"
        .to_owned();
    if cfg!(feature = "store") {
        arguments.extend(["--data", "chat.db"]);
        expected += "chinwagd: cannot open the store \"chat.db\": Permission denied\n";
    }
    assert_eq!(run(&arguments), (Some(1), expected));
    fs::set_permissions(site.path(), Permissions::from_mode(0o777)).expect("permissions");
    let given_away = format!("{listen}?owner=0");
    let expected = "chinwagd: cannot listen on chat: Operation not permitted\n";
    assert_eq!(run(&["--listen", &given_away]), (Some(1), expected.to_owned()));
    let own = format!("{listen}?owner=65534:65534");
    assert_eq!(run(&["--listen", &own]), (Some(0), String::new()));
}
