//! Tests of the server's password.

use std::sync::Arc;

use super::resume_tests::resumable_state;
use super::tests::{apply, send_line, send_line_in, tick};
use super::{InputKind, PasswordCheck, PasswordPolicy, Sessions, Timeouts};
use crate::command::{ClientLine, Verb};
use crate::limits::{PASSWORD_ADDRESSES_MAX, PASSWORD_BURST, PASSWORD_SECONDS, WRONG_PASSWORDS_MAX};
use crate::protocol::{Mode, Password, Peer, PeerAddress, Secret};

#[derive(Debug)]
struct Hunter2;

impl PasswordCheck for Hunter2 {
    fn is_correct(&self, password: &Password) -> bool {
        password.to_string() == "hunter2"
    }
}

fn guarded(allows_insecure: bool) -> Sessions {
    let sessions = Sessions::new(resumable_state(60), Timeouts::default());
    sessions.with_password(PasswordPolicy { check: Arc::new(Hunter2), allows_insecure })
}

fn connect(sessions: &mut Sessions, session: u64, peer: Peer) -> Vec<String> {
    apply(sessions, session, InputKind::Connect(peer))
}

fn encrypted(address: [u8; 4]) -> Peer {
    Peer::new((address, 1024).into(), true)
}

const LOCAL: [u8; 4] = [127, 0, 0, 1];

/// A server with a password, with alice as session 1. Session 2 has not given the password.
fn with_alice() -> Sessions {
    let mut sessions = guarded(false);
    connect(&mut sessions, 1, encrypted(LOCAL));
    assert_eq!(send_line(&mut sessions, 1, "PASS hunter2"), ["1< OK PASS"]);
    send_line(&mut sessions, 1, "NICK alice");
    send_line(&mut sessions, 1, "JOIN #ops");
    send_line(&mut sessions, 1, "MSG a message");
    connect(&mut sessions, 2, encrypted([127, 0, 0, 2]));
    sessions
}

/// Valid arguments of each verb that needs some.
fn arguments(verb: Verb) -> &'static str {
    match verb {
        Verb::Nick => "alice",
        Verb::Msg | Verb::Search => "hi",
        Verb::Whisper => "alice hi",
        Verb::Since => "0",
        Verb::Join | Verb::Part => "#ops",
        Verb::Set => "tags on",
        Verb::Resume => "1-00000000000000000000000000000000",
        Verb::Draw => "clear",
        Verb::Pass => "wrong",
        Verb::Who | Verb::Rooms | Verb::Topic | Verb::Watch | Verb::History | Verb::Canvas | Verb::Status => "",
        Verb::Ping | Verb::Pong | Verb::Help | Verb::Chat | Verb::Quit => "",
        Verb::Login | Verb::Takeover => "alice hunter22",
        Verb::Register | Verb::SetPassword | Verb::Unregister => "hunter22",
        Verb::AccessTokens => "list",
        Verb::Bans => "",
        Verb::Moderator => "bob on",
        Verb::Delete => "1",
        Verb::Lock => "open",
        // A command that is added later: without arguments, it could be refused for that.
        #[allow(unreachable_patterns)]
        _ => "hi",
    }
}

/// A new command is refused, too, unless its specification says otherwise.
#[test]
fn every_command_is_refused_without_the_password() {
    let mut sessions = with_alice();
    let mut allowed = Vec::new();
    for &verb in Verb::ALL.iter().filter(|verb| **verb != Verb::Quit) {
        for prefix in ["", "#ops ", "#nowhere "] {
            let line = format!("{prefix}{verb} {}", arguments(verb));
            let out = send_line(&mut sessions, 2, line.trim_end());
            let refusal = format!("ERR {verb} password-required this server needs a password; write: PASS password");
            if out.len() == 1 && out[0].ends_with(&refusal) {
                continue;
            }
            allowed.extend((prefix.is_empty()).then_some(verb));
            // A command that no room may precede is refused for that.
            assert!(prefix.is_empty() || out[0].contains(" room-unexpected "), "{line:?}: {out:?}");
            for secret in ["alice", "a message", "#lobby"] {
                // A hint is the same for all servers.
                let without_hint = |line: &str| line.split("; write: ").next().unwrap_or_default().to_owned();
                let shows = |line: &String| !line.contains("NOTICE ") && without_hint(line).contains(secret);
                assert!(!out.iter().any(shows), "{line:?}: {out:?}");
            }
        }
    }
    for value in ["on", "off"] {
        let refusal = "2< ERR SET password-required this server needs a password; write: PASS password";
        assert_eq!(send_line(&mut sessions, 2, &format!("SET resume {value}")), [refusal]);
    }
    assert_eq!(allowed, [Verb::Pass, Verb::Set, Verb::Ping, Verb::Pong, Verb::Help]);
    assert_eq!(send_line(&mut sessions, 2, "QUIT"), ["2< OK QUIT", "2 closed", "2 removed"]);
}

/// Also lines with an error of their own, in any mode.
#[test]
fn no_line_shows_anything_without_the_password() {
    let mut sessions = with_alice();
    for line in
        ["NICK Alice", "NICK аlice", "WHO x", "#OPS WHO x", "#ops", "WATCH #ops", "ROOMS own", "#OPS TOPIC", "STATUS"]
    {
        let out = send_line(&mut sessions, 2, line).join("/");
        assert!(!out.contains("alice") && !out.contains("lobby"), "{line:?}: {out}");
        assert!(!out.contains("#ops") || line.contains("#ops"), "{line:?}: {out}");
    }
    assert_eq!(send_line(&mut sessions, 1, "MSG again"), ["*2 MSG alice again, for 1 OK MSG 2"]);
    assert_eq!(send_line(&mut sessions, 1, "WHO")[1], "1< OK WHO 1");
}

#[test]
fn password_is_given_once() {
    let mut sessions = guarded(false);
    let hello = connect(&mut sessions, 1, encrypted([192, 0, 2, 1]));
    assert!(hello[0].contains(",secure,password type PASS and the password, then NICK"), "{hello:?}");
    let mut check = |line: &str, expected: &str| assert_eq!(send_line(&mut sessions, 1, line), [expected], "{line:?}");
    check("PASS", "1< ERR PASS password-missing the password is missing; write: PASS password");
    check("PASS hunter3", "1< ERR PASS password-wrong the password is wrong; write: PASS password");
    check("PASS  hunter2", "1< ERR PASS password-wrong the password is wrong; write: PASS password");
    check("PASS hunter2 ", "1< ERR PASS password-wrong the password is wrong; write: PASS password");
    check("pass hunter2", "1< OK PASS");
    let given = "1< ERR PASS password-unexpected you have given the password already";
    check("PASS hunter2", &format!("{given}; write: NICK name"));
    send_line(&mut sessions, 1, "NICK alice");
    assert_eq!(send_line(&mut sessions, 1, "PASS hunter2"), [given]);
    let mut open = Sessions::default();
    connect(&mut open, 1, encrypted(LOCAL));
    let unneeded = ["1< ERR PASS password-unexpected this server needs no password; write: NICK name"];
    assert_eq!(send_line(&mut open, 1, "PASS hunter2"), unneeded);
}

#[test]
fn password_is_accepted_over_secure_connections_only() {
    let far: PeerAddress = ([192, 0, 2, 1], 1024).into();
    let refusal = "1< ERR PASS insecure others may read this connection, so the password was not checked; \
                   connect on the machine of the server, or ask its operator for a tls:// address";
    for password in ["hunter2", "hunter3"] {
        let mut sessions = guarded(false);
        let hello = connect(&mut sessions, 1, Peer::new(far, false));
        let greeting =
            "this server needs a password, and accepts it only over a secure connection: connect on its machine";
        assert!(hello[0].ends_with(&format!(",password {greeting}")), "{hello:?}");
        assert_eq!(send_line(&mut sessions, 1, &format!("PASS {password}")), [refusal]);
        assert!(send_line(&mut sessions, 1, "NICK alice")[0].contains(" password-required "));
    }
    let secure = [Peer::new(far, true), (LOCAL, 1024).into(), Peer::new(PeerAddress::Unix, false)];
    for (peer, allows_insecure) in secure.map(|peer| (peer, false)).into_iter().chain([(Peer::new(far, false), true)]) {
        let mut sessions = guarded(allows_insecure);
        let hello = connect(&mut sessions, 1, peer);
        assert!(hello[0].contains("password type PASS and the password"), "{hello:?}");
        assert_eq!(send_line(&mut sessions, 1, "PASS hunter2"), ["1< OK PASS"], "{peer:?}");
    }
}

/// The code of the reply to this password, from a new session at this address.
fn guess(sessions: &mut Sessions, session: u64, peer: Peer, password: &str) -> String {
    connect(sessions, session, peer);
    let out = send_line(sessions, session, &format!("PASS {password}"));
    let reply = out.iter().find(|line| line.contains("< ")).unwrap();
    let code = reply.split(' ').nth(3).unwrap_or("OK").to_owned();
    send_line(sessions, session, "QUIT");
    code
}

/// The right password tells an attacker nothing either.
#[test]
fn address_has_ten_attempts_and_then_one_every_six_seconds() {
    let mut sessions = guarded(false);
    let mut session = 0;
    let mut attempt = |sessions: &mut Sessions, host: u8, password: &str| {
        session += 1;
        guess(sessions, session, encrypted([192, 0, 2, host]), password)
    };
    for _ in 0..PASSWORD_BURST {
        assert_eq!(attempt(&mut sessions, 1, "wrong"), "password-wrong");
    }
    assert_eq!(attempt(&mut sessions, 1, "wrong"), "too-many-attempts");
    assert_eq!(attempt(&mut sessions, 1, "hunter2"), "too-many-attempts");
    assert_eq!(attempt(&mut sessions, 2, "hunter2"), "OK", "other addresses are not limited");
    assert_eq!(attempt(&mut sessions, 2, "wrong"), "password-wrong");
    tick(&mut sessions, PASSWORD_SECONDS - 1);
    assert_eq!(attempt(&mut sessions, 1, "hunter2"), "too-many-attempts");
    tick(&mut sessions, PASSWORD_SECONDS);
    assert_eq!(attempt(&mut sessions, 1, "wrong"), "password-wrong");
    assert_eq!(attempt(&mut sessions, 1, "wrong"), "too-many-attempts");
    tick(&mut sessions, 2 * PASSWORD_SECONDS);
    for _ in 0..30 {
        assert_eq!(attempt(&mut sessions, 1, "hunter2"), "OK", "the right password spends nothing");
    }
}

#[test]
fn limited_attempt_says_when_to_try_again() {
    let mut sessions = guarded(false);
    let peer = encrypted([192, 0, 2, 1]);
    (1..=PASSWORD_BURST).for_each(|session| drop(guess(&mut sessions, session.into(), peer, "wrong")));
    tick(&mut sessions, 2);
    connect(&mut sessions, 99, peer);
    let expected = "99< ERR PASS too-many-attempts too many wrong passwords from your address; try again in 4 s";
    assert_eq!(send_line(&mut sessions, 99, "PASS hunter2"), [expected]);
}

#[test]
fn ipv6_network_counts_as_one_address() {
    let mut sessions = guarded(false);
    let peer = |host: u16, network: u16| {
        let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, host);
        Peer::new((address, 1024).into(), true)
    };
    for host in 0..10 {
        assert_eq!(guess(&mut sessions, u64::from(host) + 1, peer(host, 1), "wrong"), "password-wrong");
    }
    assert_eq!(guess(&mut sessions, 11, peer(10, 1), "hunter2"), "too-many-attempts");
    assert_eq!(guess(&mut sessions, 12, peer(10, 2), "hunter2"), "OK");
}

/// Clients on Unix sockets have no address: none of them limits another one.
#[test]
fn unix_connections_count_by_themselves() {
    let mut sessions = guarded(false);
    let unix = Peer::new(PeerAddress::Unix, false);
    for session in 1..=20 {
        assert_eq!(guess(&mut sessions, session, unix, "wrong"), "password-wrong");
    }
    assert_eq!(guess(&mut sessions, 21, unix, "hunter2"), "OK");
}

/// However many addresses guess, an address that has not guessed has all its attempts, and the memory is bounded.
#[test]
fn many_addresses_lock_nobody_out() {
    let mut sessions = guarded(false);
    for number in 0..u32::try_from(PASSWORD_ADDRESSES_MAX).unwrap() + 100 {
        let peer = encrypted((0x0a00_0000 + number).to_be_bytes());
        assert_eq!(guess(&mut sessions, u64::from(number) + 1, peer, "wrong"), "password-wrong");
    }
    assert_eq!(sessions.wrong_passwords.counted(), PASSWORD_ADDRESSES_MAX);
    assert_eq!(guess(&mut sessions, 99_999, encrypted([192, 0, 2, 1]), "hunter2"), "OK");
}

#[test]
fn wrong_passwords_in_a_row_end_the_connection() {
    let mut sessions = guarded(false);
    connect(&mut sessions, 1, encrypted(LOCAL));
    for _ in 1..WRONG_PASSWORDS_MAX {
        assert_eq!(send_line(&mut sessions, 1, "PASS wrong").len(), 1);
    }
    let out = send_line(&mut sessions, 1, "PASS wrong");
    let why = "1< ERR - too-many-errors too many wrong passwords in a row; connect again and write: HELP";
    assert_eq!(out[1..], [why, "1 closed", "1 removed"]);
}

/// Any other line than a command may be the password itself.
#[test]
fn line_is_not_repeated_without_the_password() {
    let mut sessions = with_alice();
    for line in
        ["hunter2", "PASSS hunter2", "/pass hunter2", "password hunter2", "#ops hunter2", "PASS:hunter2", "#hunter2 x"]
    {
        let out = send_line(&mut sessions, 2, line).join("/");
        assert!(!out.contains("hunter2") && out.contains("ERR"), "{line:?}: {out}");
    }
    let unknown = "2< ERR - verb-unknown unknown command; this server needs a password, so the line is not repeated here; \
                   write: PASS password";
    assert_eq!(send_line(&mut sessions, 2, "hunter2"), [unknown]);
    // After it, only lines that resemble a command with a secret.
    let resembling =
        "1< ERR - verb-unknown unknown command; it resembles PASS, so it is not repeated here; write: PASS password";
    assert_eq!(send_line(&mut sessions, 1, "PASSS hunter2"), [resembling]);
    assert!(send_line(&mut sessions, 1, "hunter2")[0].contains("write: MSG hunter2"));
}

#[test]
fn secret_in_chat_mode_is_not_published() {
    let mut sessions = with_alice();
    send_line(&mut sessions, 1, "CHAT");
    let mut check = |line: &str, expected: &str| {
        let out = send_line_in(&mut sessions, 1, line, Mode::Chat).join("/");
        assert_eq!(out, expected, "{line:?}");
    };
    let hint = "with a secret; nothing was sent; to give it to the server, put a slash before it; \
                to send it as a message, a blank";
    let refusal = format!("1< ERR MSG secret-refused this looks like the command PASS {hint}");
    check("PASS hunter2", &refusal);
    check("pass hunter2", &refusal);
    check("/#ops pass hunter2", &refusal.replace("1< ", "1< #ops "));
    check("PASS:hunter2", &refusal);
    check("pass=hunter2", &refusal);
    check("ＰＡＳＳ hunter2", &refusal);
    check("RESUME: 17-0a0b", &refusal.replace("PASS", "RESUME"));
    check("RESUME 17-0a0b", &refusal.replace("PASS", "RESUME"));
    check(" pass the salt", "*2 MSG alice  pass the salt, for 1 OK MSG 2");
    check("resume the work", "*3 MSG alice resume the work, for 1 OK MSG 3");
    check("passing by", "*4 MSG alice passing by, for 1 OK MSG 4");
    check("/PASS hunter2", "1< ERR PASS password-unexpected you have given the password already");
    // On a server without a password, the word has no meaning.
    let mut open = super::tests::room(&["alice"]);
    send_line(&mut open, 1, "CHAT");
    let out = send_line_in(&mut open, 1, "pass the salt", Mode::Chat);
    assert_eq!(out, ["*1 MSG alice pass the salt, for 1 OK MSG 1"]);
    assert!(send_line_in(&mut open, 1, "RESUME 17-0a0b", Mode::Chat)[0].contains(" secret-refused "));
}

/// The session of the client on the busy server.
const BUSY: u64 = 12;

/// The outputs for a line, without the number of the session at their beginnings.
fn outputs_to_client(sessions: &mut Sessions, session: u64, line: &str, mode: Mode) -> Vec<String> {
    let parsed = ClientLine::parse(line, mode);
    let kind = match parsed.content {
        Ok(Some(command)) if command.needs_secret() => InputKind::CommandWithSecret(command, Secret::new([7; 16])),
        _ => ClientLine::parse(line, mode).into(),
    };
    let number = session.to_string();
    let own = |output: String| output.strip_prefix(&number).map_or(output.clone(), str::to_owned);
    apply(sessions, session, kind).into_iter().map(own).collect()
}

/// Whatever a client without the password sends, it gets the same lines from a server with members as from an empty one.
#[test]
fn client_without_the_password_learns_nothing() {
    let pieces = [
        "NICK ",
        "alice",
        "#ops",
        "#lobby",
        "#OPS ",
        "WHO",
        " ",
        "/",
        "MSG ",
        "JOIN ",
        "PART ",
        "ROOMS ",
        "own",
        "TOPIC ",
        "WATCH ",
        "HISTORY",
        "SINCE 0",
        "SEARCH ",
        "STATUS",
        "CANVAS",
        "CHAT ",
        "WHISPER ",
        "PASS ",
        "x",
        ",",
        "SET tags on",
        "SET rooms on",
        "SET resume on",
        "HELP ",
        "PING ",
        "DRAW clear",
        "RESUME 1-00000000000000000000000000000000",
    ];
    arbtest::arbtest(|u| {
        let (mut busy, mut empty) = (with_alice(), guarded(false));
        // The client is not the first one of the busy server: the numbers of sessions tell how many have connected.
        let mut servers = [(&mut busy, BUSY), (&mut empty, 1)];
        for (sessions, session) in &mut servers {
            connect(sessions, *session, encrypted([127, 0, 0, 2]));
        }
        let names_rooms = u.arbitrary()?;
        for (sessions, session) in servers.iter_mut().filter(|_| names_rooms) {
            send_line(sessions, *session, "SET rooms on");
        }
        for _ in 0..u.int_in_range(1..=4)? {
            let count = u.int_in_range(1..=4)?;
            let line: String = (0..count).map(|_| u.choose(&pieces).copied()).collect::<Result<_, _>>()?;
            let mode = *u.choose(&[Mode::Commands, Mode::Chat])?;
            let [from_busy, from_empty] =
                servers.each_mut().map(|(sessions, session)| outputs_to_client(sessions, *session, &line, mode));
            assert_eq!(from_busy, from_empty, "{line:?}");
        }
        Ok(())
    });
}
