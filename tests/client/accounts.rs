//! The client logs in to an account: with a password or an access token from a file, again after a lost connection, and with patience
//! where that is safe. `tests/shell/client-account.sh` has the passwords that users type.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{RESUME, client, finish, serve};

/// The greeting of a server with accounts, over a connection that nobody else can read.
const HELLO: &str = "HELLO chinwag/1 epoch=a features=rooms,watch,secure,accounts hi";

/// The greeting of a server for accounts only.
const HELLO_ONLY: &str = "HELLO chinwag/1 epoch=a features=rooms,watch,secure,accounts,accounts-only hi";

const PASSWORD: &str = "correct horse";
const TOKEN: &str = "cwt_0123456789abcdef0123456789abcdef";

const TAGS: [&str; 2] = ["< SET tags on", "OK SET tags on"];
const SET_RESUME: [&str; 2] = ["< SET resume on", "OK SET resume on 1-0123456789abcdef0123456789abcdef"];
const LOGIN: [&str; 2] = ["< LOGIN alice correct horse", "OK LOGIN alice"];
const WRONG: &str = "ERR LOGIN password-wrong the name or the password is wrong; write: LOGIN name password";
const QUIT: [&str; 2] = ["< QUIT", "OK QUIT"];

fn script(parts: &[&[&'static str]]) -> &'static [&'static str] {
    parts.concat().leak()
}

/// Files with the password and with the token.
fn secrets() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, content) in [("password", format!("{PASSWORD}\n")), ("token", format!("alice {TOKEN}\n"))] {
        let path = directory.path().join(name);
        fs::write(&path, content).expect("a file");
        fs::set_permissions(path, Permissions::from_mode(0o600)).expect("permissions");
    }
    directory
}

/// The client in this directory, without the environment's account.
fn client_in(directory: &Path, address: SocketAddr, words: &[&str]) -> Command {
    let mut client = client(address, words);
    client.current_dir(directory).env_remove("CHINWAG_TOKEN_FILE");
    client
}

/// Runs the client with the password file against the script.
#[track_caller]
fn run(script: &'static [&str], words: &[&str]) -> (Option<i32>, String, String) {
    let secrets = secrets();
    let words = [words, &["--login", "alice", "--account-password-file", "password"]].concat();
    run_command(script, |address| client_in(secrets.path(), address, &words))
}

#[track_caller]
fn run_command(script: &'static [&str], command: impl FnOnce(SocketAddr) -> Command) -> (Option<i32>, String, String) {
    let (address, server) = serve(script);
    let (code, out, err) = finish(&mut command(address), "");
    // If the server still waits for a connection, this connection ends the wait: the test fails instead of hanging.
    drop(std::net::TcpStream::connect(address));
    server.join().expect("the script is followed");
    for text in [&out, &err] {
        assert!(!text.contains("horse") && !text.contains("cwt_"), "{text}");
    }
    (code, out, err.replace(&address.to_string(), "<address>"))
}

#[test]
fn command_logs_in_with_a_password_or_token() {
    let sent = ["< MSG hi", "OK MSG 1"];
    let done = (Some(0), String::new(), String::new());
    assert_eq!(run(script(&[&[HELLO], &TAGS, &LOGIN, &sent, &QUIT]), &["send", "hi"]), done);
    let by_token = ["< LOGIN alice cwt_0123456789abcdef0123456789abcdef", "OK LOGIN alice"];
    let by_token = script(&[&[HELLO], &TAGS, &by_token, &sent, &QUIT]);
    let secrets = secrets();
    let words = ["send", "hi", "--token-file", "token"];
    assert_eq!(run_command(by_token, |address| client_in(secrets.path(), address, &words)), done);
    let command = |address| {
        let mut client = client_in(secrets.path(), address, &["send", "hi"]);
        client.env("CHINWAG_TOKEN_FILE", "token");
        client
    };
    assert_eq!(run_command(by_token, command), done);
    // The command line says otherwise.
    let guest = script(&[&[HELLO], &TAGS, &["< NICK bob", "OK NICK bob"], &sent, &QUIT]);
    let command = |address| {
        let mut client = client_in(secrets.path(), address, &["send", "hi", "--nick", "bob"]);
        client.env("CHINWAG_TOKEN_FILE", "token");
        client
    };
    assert_eq!(run_command(guest, command), done);
}

#[test]
fn reading_command_with_a_login_is_a_member() {
    let who = ["< WHO", "USER alice coordinator", "USER bob member", "OK WHO 2"];
    let all = script(&[&[HELLO], &TAGS, &LOGIN, &who, &QUIT]);
    assert_eq!(run(all, &["who"]), (Some(0), "bob member\n".to_owned(), String::new()));
}

/// The member that logs in is in the room of the command only.
#[test]
fn login_enters_the_watched_room() {
    let watch = ["< WATCH #ops", "OK WATCH #ops epoch=b last=7"];
    let all = script(&[&[HELLO], &TAGS, &watch, &LOGIN, &["< MSG hi", "OK MSG 8"], &QUIT]);
    assert_eq!(run(all, &["send", "hi", "--room", "#ops"]), (Some(0), String::new(), String::new()));
}

/// A server for accounts only refuses `WATCH` before a login. The home of the member is then the lobby, but the client uses the room.
#[test]
fn login_moves_to_a_room_that_cannot_be_watched() {
    let moved = [
        "< JOIN #ops",
        "OK JOIN #ops epoch=b last=7",
        "#ops JOIN alice",
        "MSG bob this is for the lobby",
        "< PART #lobby",
        "OK PART #lobby",
    ];
    let sent = ["< #ops MSG hi", "#ops OK MSG 8"];
    let all = script(&[&[HELLO_ONLY], &TAGS, &LOGIN, &moved, &sent, &QUIT]);
    assert_eq!(run(all, &["send", "hi", "--room", "#ops"]), (Some(0), String::new(), String::new()));
    let refused = ["< WATCH #ops", "ERR WATCH not-in-room #ops does not exist; ROOMS lists rooms"];
    let all = script(&[&[HELLO], &TAGS, &refused, &LOGIN, &moved, &sent, &QUIT]);
    assert_eq!(run(all, &["send", "hi", "--room", "#ops"]), (Some(0), String::new(), String::new()));
    // The lines of the room are printed as those of any room.
    let read = ["< #ops HISTORY 0", "#ops OK HISTORY 0 last=7", "@8 2026-11-20T12:44:29.138Z #ops MSG bob hi #ops"];
    let all = script(&[&[HELLO_ONLY], &TAGS, &SET_RESUME, &LOGIN, &moved, &read, &QUIT]);
    let (code, out, _) = run(all, &["tail", "--json", "--count", "1", "--room", "#ops"]);
    let expected =
        "{\"from\":\"bob\",\"id\":8,\"text\":\"hi #ops\",\"time\":\"2026-11-20T12:44:29.138Z\",\"type\":\"msg\"}\n";
    assert_eq!((code, out.as_str()), (Some(0), expected));
}

#[test]
fn secret_file_that_others_can_read_is_reported() {
    let secrets = secrets();
    let sent = ["< MSG hi", "OK MSG 1"];
    let token = ["< LOGIN alice cwt_0123456789abcdef0123456789abcdef", "OK LOGIN alice"];
    for (file, secret, words, login) in [
        (
            "password",
            "password of the account",
            &["--login", "alice", "--account-password-file", "password"][..],
            LOGIN,
        ),
        ("token", "access token", &["--token-file", "token"], token),
    ] {
        let words = [&["send", "hi"], words].concat();
        let all = script(&[&[HELLO], &TAGS, &login, &sent, &QUIT]);
        for (mode, is_reported) in [(0o600, false), (0o640, false), (0o644, true)] {
            fs::set_permissions(secrets.path().join(file), Permissions::from_mode(mode)).expect("permissions");
            let (code, _, err) = run_command(all, |address| client_in(secrets.path(), address, &words));
            let warning = format!(
                "chinwag: warning: every user of this machine can read the {secret} in \"{file}\"; forbid it with: chmod 600 {file}\n"
            );
            assert_eq!((code, err), (Some(0), if is_reported { warning } else { String::new() }), "{mode:o}");
        }
    }
}

#[test]
fn raw_sends_no_secret_over_plain_text() {
    let open: &[&str] = &["HELLO chinwag/1 epoch=a features=rooms,watch,accounts hi", "< PING", "OK PING", "< "];
    for (line, verb) in [
        ("LOGIN alice hunter22", "LOGIN"),
        ("  login alice hunter22", "LOGIN"),
        ("/Takeover alice hunter22", "TAKEOVER"),
        ("#ops REGISTER hunter22", "REGISTER"),
        ("PASS: hunter22", "PASS"),
        ("PASSWORD hunter22", "PASSWORD"),
        ("UNREGISTER\thunter22", "UNREGISTER"),
    ] {
        let (address, server) = serve(open);
        let (code, _, err) = finish(&mut client(address, &["raw"]), &format!("PING\n{line}\nMSG hi\n"));
        server.join().expect("the line is not sent");
        let expected = format!(
            "chinwag: did not send a line that begins with {verb}, because others may read this connection: connect with --tls, \
             through a Unix socket, or through an SSH tunnel\n"
        );
        assert_eq!((code, err), (Some(1), expected), "{line}");
    }
    // Where nobody else can read it, the line is sent.
    let private: &[&str] = &[HELLO, "< LOGIN alice hunter22", "OK LOGIN alice", "< "];
    let (address, server) = serve(private);
    let (code, _, err) = finish(&mut client(address, &["raw"]), "LOGIN alice hunter22\n");
    server.join().expect("the line is sent");
    assert_eq!((code, err), (Some(0), String::new()));
}

#[test]
fn refused_login_ends_the_command() {
    let check = |lines: &[&'static str], words: &[&str], expected: &str| {
        let (code, out, err) = run(script(&[lines]), words);
        assert_eq!((code, out.as_str(), err), (Some(1), "", format!("chinwag: {expected}\n")));
    };
    let wrong = [HELLO, TAGS[0], TAGS[1], LOGIN[0], WRONG, "< "];
    check(&wrong, &["send", "hi"], "cannot log in as alice: the name or the password is wrong");
    let resumable = [HELLO, TAGS[0], TAGS[1], SET_RESUME[0], SET_RESUME[1], LOGIN[0], WRONG, "< "];
    check(&resumable, &["tail"], "cannot log in as alice: the name or the password is wrong");
    // The secret is not sent.
    let open = ["HELLO chinwag/1 epoch=a features=rooms,watch,accounts hi", TAGS[0], TAGS[1], "< "];
    let insecure = "cannot log in as alice: others may read this connection, so the client does not log in: connect with --tls, \
                    through a Unix socket, or through an SSH tunnel";
    check(&open, &["send", "hi"], insecure);
    let without = ["HELLO chinwag/1 epoch=a features=rooms,watch,secure hi", TAGS[0], TAGS[1], "< "];
    let off =
        "cannot log in as alice: the server has no accounts; its operator can enable them with chinwagd --data PATH";
    check(&without, &["who"], off);
    let token = ["< LOGIN alice cwt_0123456789abcdef0123456789abcdef", WRONG, "< "];
    let secrets = secrets();
    let words = ["send", "hi", "--token-file", "token"];
    let all = script(&[&[HELLO], &TAGS, &token]);
    let (code, _, err) = run_command(all, |address| client_in(secrets.path(), address, &words));
    let expected = "chinwag: the access token of alice is not valid: it has expired, was revoked, or there is no such account; \
                    chinwag login makes another\n";
    assert_eq!((code, err.as_str()), (Some(1), expected));
}

/// The password was not checked, or an earlier command has not left yet.
#[test]
fn login_is_tried_again_while_that_is_safe() {
    let busy = "ERR LOGIN busy the server has too many passwords to check, so it did nothing; try again later";
    let limited = "ERR LOGIN too-many-attempts too many wrong passwords from your address; try again in 1 s";
    let in_use = "ERR LOGIN account-in-use another connection uses the account alice; to close that one, write: TAKEOVER name \
                  password";
    for (refusal, reason) in [
        (busy, "the server has too many passwords to check, so it did nothing"),
        (limited, "too many wrong passwords from your address; try again in 1 s"),
        (in_use, "another connection uses the account alice"),
    ] {
        let refused = [LOGIN[0], refusal, "< ", "(cut)"];
        let all = script(&[&[HELLO], &TAGS, &refused, &[HELLO], &TAGS, &LOGIN, &["< MSG hi", "OK MSG 1"], &QUIT]);
        let (code, out, err) = run(all, &["send", "hi"]);
        assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
        assert!(err.starts_with(&format!("chinwag: {reason}; waiting ")) && err.lines().count() == 1, "{err}");
    }
}

#[test]
fn reconnecting_client_logs_in_again() {
    let read = ["< HISTORY 0", "OK HISTORY 0 last=7"];
    let first = [&[HELLO][..], &TAGS, &SET_RESUME, &LOGIN, &read, &["(cut)"]].concat();
    let unknown = [RESUME, "ERR RESUME token-unknown the token is unknown or has expired"];
    let missed = ["< SINCE 7 a", "OK SINCE 0 last=7", "@8 2026-11-20T12:44:29.138Z MSG bob hi"];
    let again = [&[HELLO][..], &TAGS, &unknown, &SET_RESUME, &LOGIN, &missed, &QUIT].concat();
    let (code, out, _) = run(script(&[&first, &again]), &["tail", "--count", "1"]);
    assert_eq!((code, out.ends_with(" bob: hi\n")), (Some(0), true), "{out}");
    // A session that is resumed is still logged in.
    let resumed = [&[HELLO][..], &TAGS, &[RESUME, "OK RESUME alice"], &missed, &QUIT].concat();
    assert_eq!(run(script(&[&first, &resumed]), &["tail", "--count", "1"]).0, Some(0));
    // Another connection uses the account: it is not taken over, and the client does not become a guest.
    let in_use = [LOGIN[0], "ERR LOGIN account-in-use another connection uses the account alice", "< ", "(cut)"];
    let waits = [&[HELLO][..], &TAGS, &unknown, &SET_RESUME, &in_use].concat();
    assert_eq!(run(script(&[&first, &waits, &again]), &["tail", "--count", "1"]).0, Some(0));
    // The password has changed.
    let refused = [&[HELLO][..], &TAGS, &unknown, &SET_RESUME, &[LOGIN[0], WRONG, "< QUIT"]].concat();
    let (code, _, err) = run(script(&[&first, &refused]), &["tail"]);
    assert_eq!(code, Some(1));
    assert!(err.ends_with("chinwag: cannot log in as alice: the name or the password is wrong\n"), "{err}");
}

/// If the client logged in again, two clients would take the account from each other endlessly.
#[test]
fn account_taken_over_exits_with_6() {
    let taken = [
        "< HISTORY 0",
        "OK HISTORY 0 last=7",
        "ERR - taken-over another connection logged in as alice with TAKEOVER; if it was not yours, log in with TAKEOVER and change \
         the password with PASSWORD",
    ];
    let all = script(&[&[HELLO], &TAGS, &SET_RESUME, &LOGIN, &taken]);
    let (code, _, err) = run(all, &["tail"]);
    assert_eq!(code, Some(6));
    assert!(err.starts_with("chinwag: another connection logged in as alice"), "{err}");
    assert!(err.contains("change the password with /password"), "{err}");
}

/// The owner of the nickname of a guest logs in.
#[test]
fn displaced_guest_exits_with_6() {
    let joined = ["< NICK al", "OK NICK al", "< HISTORY 0", "OK HISTORY 0 last=7"];
    let other = ["@- 2026-11-20T12:44:29.138Z LEAVE bob displaced"];
    let own = ["@- 2026-11-20T12:44:29.138Z LEAVE al displaced the owner of your name logged in", "< QUIT", "OK QUIT"];
    let all = script(&[&[HELLO], &TAGS, &SET_RESUME, &joined, &other, &own]);
    let secrets = secrets();
    let (code, out, err) = run_command(all, |address| client_in(secrets.path(), address, &["tail", "--nick", "al"]));
    assert_eq!((code, out.lines().count()), (Some(6), 1), "{out}");
    assert!(err.starts_with("chinwag: the owner of your nickname has logged in: choose another with --nick"), "{err}");
}

#[test]
fn server_for_accounts_only_is_explained() {
    let secrets = secrets();
    let refused = "login-required this server is for accounts only; write: LOGIN name password";
    let watch = format!("ERR WATCH {refused}").leak();
    let nick = format!("ERR NICK {refused}").leak();
    let watched = script(&[&[HELLO_ONLY], &TAGS, &["< WATCH #lobby", watch, "< "]]);
    let named = script(&[&[HELLO_ONLY], &TAGS, &["< NICK al", nick, "< "]]);
    for (lines, words) in [(watched, &["who"][..]), (named, &["send", "hi"])] {
        let command = |address| {
            let mut client = client_in(secrets.path(), address, words);
            client.env("USER", "al");
            client
        };
        let (code, _, err) = run_command(lines, command);
        let expected = "chinwag: this server is for accounts only; log in with --login\n";
        assert_eq!((code, err.as_str()), (Some(1), expected), "{words:?}");
    }
}

/// The beginning of `chinwag login`.
const MAKE: [&str; 3] = [
    "< TOKEN new days=30 build",
    "OK TOKEN new 3 cwt_0123456789abcdef0123456789abcdef expires=2026-12-30T12:44:29.138Z",
    "< QUIT",
];

#[test]
fn login_command_writes_the_token_to_a_file() {
    let secrets = secrets();
    let words = ["login", "alice", "--label", "build", "--days", "30", "--account-password-file", "password"];
    let all = script(&[&[HELLO], &TAGS, &LOGIN, &MAKE, &["OK QUIT"]]);
    let path = secrets.path().join("new");
    let run = |more: &[&str]| {
        let words = [&words[..], more].concat();
        let (address, server) = serve(all);
        let (code, out, err) = finish(&mut client_in(secrets.path(), address, &words), "");
        server.join().expect("the script is followed");
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert!(!out.contains("cwt_") && !out.contains("horse"), "{out}");
        let written = fs::read_to_string(&path).expect("a file");
        assert_eq!(written, format!("alice {TOKEN} {address}\n"));
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        fs::remove_file(&path).expect("a file");
        out.replace(secrets.path().canonicalize().expect("a path").to_str().expect("UTF-8"), "DIR")
    };
    let made = "alice has the access token 3 (build), valid until 2026-12-30, in \"DIR/new\"\n";
    assert_eq!(run(&["--token-file", "new"]), format!("{made}to log in with it, set CHINWAG_TOKEN_FILE=DIR/new\n"));
    let json = "{\"expires\":\"2026-12-30T12:44:29.138Z\",\"file\":\"DIR/new\",\"label\":\"build\",\"name\":\"alice\",\"number\":3,\
                \"type\":\"login\"}\n";
    assert_eq!(run(&["--token-file", "new", "--json"]), json);
}

/// The client requests a token only if it can write the file.
#[test]
fn login_command_checks_the_file_first() {
    let secrets = secrets();
    let words = ["login", "alice", "--account-password-file", "password", "--token-file", "password/token"];
    // Nobody listens there.
    let (code, out, err) = finish(&mut client_in(secrets.path(), ([127, 0, 0, 1], 1).into(), &words), "");
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.starts_with("chinwag: cannot write the file \"password/token\": "), "{err}");
}
