//! Tests of accounts: names, displaced members, changes that need the password, access tokens, servers for accounts only.

use super::login_tests::{ELSEWHERE, HOME, POLICY, Server, WRONG, hash, peer, shown};
use super::{AccountPolicy, InputKind};
use crate::command::Verb;
use crate::limits::LOGIN_FRESH_SECONDS;
use crate::protocol::{LeaveReason, Name};
use crate::state::AccountUpdate;

const TOKEN: &str = "cwt_07070707070707070707070707070707";

#[test]
fn guest_is_displaced_and_stays_connected() {
    let mut server = Server::start(POLICY);
    server.join(1, "Alice");
    server.join(2, "bob");
    server.run(1, "JOIN #ops");
    server.add_account("alice", "hunter22");
    server.expect(1, "MSG still here", &["*1 MSG Alice still here, for 1 OK MSG 1"]);
    server.tick(50);
    server.connect(3, ELSEWHERE);
    let out = server.run(3, "LOGIN alice hunter22");
    let notice = "1< LEAVE Alice displaced the owner of this name has logged in, so you have no name now; \
                  choose another and write: NICK name";
    let left = ["1 follows no more", "1 follows no more in 1", notice, "*- LEAVE Alice displaced"];
    assert_eq!(shown(&out)[..4], left, "{out:?}");
    assert!(
        out.ends_with(&["*- JOIN alice".to_owned(), "3< OK LOGIN alice".to_owned(), "3 follows".to_owned()]),
        "{out:?}"
    );
    server.expect(1, "MSG am I here?", &["1< ERR MSG no-name you have no name yet; take one first: NICK name"]);
    assert!(
        server.run(1, "NICK Alice")[0].contains(" name-registered Alice is the same name as alice, which belongs to ")
    );
    // The time to take a nickname begins again.
    assert!(!server.tick(110).concat().contains("name-timeout"));
    assert!(shown(&server.run(1, "NICK al")).contains(&"1< OK NICK al"));
}

/// Otherwise it would resume the guest's next member.
#[test]
fn resume_token_of_a_displaced_guest_ends() {
    let mut server = Server::start(POLICY);
    server.connect(1, HOME);
    let token = server.send(1, "SET resume on")[0].rsplit(' ').next().unwrap().to_owned();
    server.run(1, "NICK alice");
    server.add_account("alice", "hunter22");
    server.log_in(2, ELSEWHERE);
    server.run(1, "NICK al");
    server.connect(3, ELSEWHERE);
    assert!(server.run(3, &format!("RESUME {token}"))[0].contains(" token-unknown "));
    server.expect(1, "MSG hi", &["*1 MSG al hi, for 1 OK MSG 1"]);
}

/// Also one that looks like the account's.
#[test]
fn every_way_to_a_registered_name_needs_the_login() {
    let mut server = Server::with_alice();
    server.connect(1, HOME);
    for name in ["alice", "ALICE", "аlice"] {
        assert!(server.run(1, &format!("NICK {name}"))[0].contains(" name-registered "), "{name}");
    }
    server.run(1, "NICK bob");
    for name in ["alice", "ALICE", "аlice"] {
        assert!(server.run(1, &format!("NICK {name}"))[0].contains(" name-registered "), "{name}");
    }
    server.expect(1, "LOGIN alice hunter22", &["1< OK LOGIN alice", "*- RENAME bob alice, not for 1"]);
    server.expect(1, "NICK bob", &["*- RENAME alice bob, for 1 OK NICK bob"]);
    server.expect(1, "NICK Alice", &["*- RENAME bob Alice, for 1 OK NICK Alice"]);
    server.expect(1, "LOGIN ALICE hunter22", &["1< OK LOGIN alice", "*- RENAME Alice alice, not for 1"]);
}

#[test]
fn takeover_closes_the_other_connection() {
    let mut server = Server::with_alice();
    server.log_in(1, HOME);
    let token = server.send(1, "SET resume on")[0].rsplit(' ').next().unwrap().to_owned();
    server.connect(2, ELSEWHERE);
    let out = server.run(2, "TAKEOVER alice hunter22");
    let why = "1< ERR - taken-over another connection logged in as alice with TAKEOVER; if it was not yours, log in with \
               TAKEOVER and change the password with PASSWORD";
    let expected = [why, "1 closed", "1 removed", "*- LEAVE alice displaced", "*- COORDINATOR alice"];
    assert_eq!(shown(&out)[..4], expected[..4], "{out:?}");
    assert!(shown(&out).contains(&"2< OK TAKEOVER alice"), "{out:?}");
    server.connect(3, HOME);
    assert!(server.run(3, &format!("RESUME {token}"))[0].contains(" token-unknown "));
}

#[test]
fn resume_continues_the_login_but_gives_no_right_to_change_it() {
    let mut server = Server::with_alice();
    server.log_in(1, HOME);
    let token = server.send(1, "SET resume on")[0].rsplit(' ').next().unwrap().to_owned();
    server.connect(2, ELSEWHERE);
    assert!(shown(&server.run(2, &format!("RESUME {token}"))).contains(&"2< OK RESUME alice"));
    server.expect(2, "TOKEN list", &["2< OK TOKEN list 0"]);
    assert!(server.run(2, "PASSWORD hunter33")[0].contains(" login-too-old "));
    server.expect(2, "LOGIN alice hunter22", &["2< OK LOGIN alice"]);
    server.expect(2, "PASSWORD hunter33", &["2< OK PASSWORD"]);
    // The token has ended.
    server.connect(3, HOME);
    assert!(server.run(3, &format!("RESUME {token}"))[0].contains(" token-unknown "));
}

/// The new member inherits nothing.
#[test]
fn detached_member_is_displaced_by_login() {
    let mut server = Server::with_alice();
    server.log_in(1, HOME);
    server.run(1, "JOIN #ops");
    server.send(1, "SET resume on");
    server.apply(1, InputKind::Disconnected(LeaveReason::Lost));
    server.connect(2, ELSEWHERE);
    let out = server.run(2, "LOGIN alice hunter22");
    assert!(shown(&out).contains(&"*- LEAVE alice displaced in 1"), "{out:?}");
    assert!(shown(&out).contains(&"2< OK LOGIN alice"), "{out:?}");
    server.expect(2, "ROOMS own", &["2< ROOM #lobby members=1 in", "2< OK ROOMS 1"]);
}

#[test]
fn changes_need_the_password_again_after_ten_minutes() {
    let mut server = Server::with_alice();
    server.log_in(1, HOME);
    server.tick(LOGIN_FRESH_SECONDS);
    server.expect(1, "PASSWORD hunter33", &["1< OK PASSWORD"]);
    server.tick(2 * LOGIN_FRESH_SECONDS);
    server.expect(1, "PASSWORD hunter44", &["1< OK PASSWORD"]);
    server.tick(3 * LOGIN_FRESH_SECONDS + 1);
    let too_old = |verb: &str| {
        format!(
            "1< ERR {verb} login-too-old you have not given the password of alice on this connection in the last 10 \
             minutes; write: LOGIN name password"
        )
    };
    for (line, verb) in [("PASSWORD hunter55", "PASSWORD"), ("TOKEN new build", "TOKEN"), ("TOKEN revoke 1", "TOKEN")] {
        server.expect(1, line, &[&too_old(verb)]);
    }
    server.expect(1, "TOKEN list", &["1< OK TOKEN list 0"]);
    server.expect(1, "LOGIN alice hunter33", &[&format!("1< {WRONG}")]);
    server.expect(1, "PASSWORD hunter55", &[&too_old("PASSWORD")]);
    server.expect(1, "LOGIN alice hunter44", &["1< OK LOGIN alice"]);
    server.expect(1, "PASSWORD hunter55", &["1< OK PASSWORD"]);
}

/// An attacker that has logged in with the old password must be gone, and must not come back.
#[test]
fn password_of_the_operator_ends_the_session_of_the_old_one() {
    let mut server = Server::with_alice();
    server.log_in(1, HOME);
    let token = server.send(1, "SET resume on")[0].rsplit(' ').next().unwrap().to_owned();
    let account = server.alice();
    let update = AccountUpdate::SetPassword { account, generation: None, password: hash("hunter33") };
    let out = server.apply(0, InputKind::ChangeAccount(update));
    let expected = [
        "1< ERR - login-required the operator has set another password for alice, with which you must log in; connect again",
        "1 closed",
        "1 removed",
        "*- LEAVE alice displaced",
    ];
    assert_eq!(shown(&out), expected);
    server.connect(2, HOME);
    assert!(server.run(2, &format!("RESUME {token}"))[0].contains(" token-unknown "));
    server.expect(2, "LOGIN alice hunter22", &[&format!("2< {WRONG}")]);
    assert!(shown(&server.run(2, "LOGIN alice hunter33")).contains(&"2< OK LOGIN alice"));
}

/// The resume token would never work.
#[test]
fn ended_login_gets_no_resume_token() {
    let mut server = Server::with_alice();
    server.log_in(1, HOME);
    server.run(1, "TOKEN new build");
    server.expect(1, "PASSWORD hunter33", &["1< OK PASSWORD"]);
    let token = server.send(1, "SET resume on")[0].rsplit(' ').next().unwrap().to_owned();
    server.connect(2, ELSEWHERE);
    assert!(shown(&server.run(2, &format!("RESUME {token}"))).contains(&"2< OK RESUME alice"));
    server.run(2, "QUIT");
    server.connect(3, HOME);
    server.send(3, &format!("LOGIN alice {TOKEN}"));
    assert!(server.send(3, "SET resume on")[0].starts_with("3< OK SET resume on "));
    server.expect(3, "TOKEN revoke 1", &["3< OK TOKEN revoke 1"]);
    let refused = "3< ERR SET login-too-old the access token with which you logged in is not valid any more; \
                   write: LOGIN name password";
    server.expect(3, "SET resume on", &[refused]);
    server.expect(3, "LOGIN alice hunter33", &["3< OK LOGIN alice"]);
    assert!(server.send(3, "SET resume on")[0].starts_with("3< OK SET resume on "));
}

/// Its access tokens remain valid, and so does this login, but not the right to change the account.
#[test]
fn password_of_the_operator_ends_the_right_to_change_it() {
    let mut server = Server::with_alice();
    server.log_in(1, HOME);
    server.run(1, "TOKEN new build");
    server.run(1, "QUIT");
    server.connect(1_001, HOME);
    server.send(1_001, &format!("LOGIN alice {TOKEN}"));
    let account = server.sessions.state.accounts().find(&Name::new("alice").unwrap()).unwrap().id;
    server.change_account(AccountUpdate::SetPassword { account, generation: None, password: hash("hunter33") });
    for line in ["PASSWORD hunter44", "TOKEN new build"] {
        assert!(server.run(1_001, line)[0].contains(" login-too-old "), "{line}");
    }
    server.expect(1_001, "LOGIN alice hunter33", &["1001< OK LOGIN alice"]);
    server.expect(1_001, "PASSWORD hunter44", &["1001< OK PASSWORD"]);
}

#[test]
fn token_logs_in_without_a_check_and_expires() {
    let mut server = Server::with_alice();
    server.log_in(1, HOME);
    let made = format!("1< OK TOKEN new 1 {TOKEN} expires=1970-01-02T00:00:00.000Z");
    server.expect(1, "TOKEN new days=1 build server", &[&made]);
    let listed = "1< TOKEN 1 created=1970-01-01T00:00:00.000Z expires=1970-01-02T00:00:00.000Z used=never build server";
    server.expect(1, "TOKEN list", &[listed, "1< OK TOKEN list 1"]);
    server.run(1, "QUIT");
    server.connect(2, ELSEWHERE);
    let wrong = TOKEN.replace("cwt_0", "cwt_1");
    assert_eq!(server.send(2, &format!("LOGIN alice {wrong}")), [format!("2< {WRONG}")]);
    assert_eq!(server.send(2, &format!("LOGIN nobody {TOKEN}")), [format!("2< {WRONG}")]);
    let out = server.send(2, &format!("LOGIN alice {TOKEN}"));
    assert!(out.contains(&"2< OK LOGIN alice".to_owned()), "{out:?}");
    assert!(server.jobs.is_empty());
    let used = listed.replace("used=never", "used=1970-01-01").replace("1< ", "2< ");
    server.expect(2, "TOKEN list", &[&used, "2< OK TOKEN list 1"]);
    // A stolen token must not outlive its revocation, nor end others.
    for line in ["PASSWORD hunter33", "TOKEN new other", "TOKEN revoke 2"] {
        assert!(server.run(2, line)[0].contains(" login-too-old "), "{line}");
    }
    server.run(2, "QUIT");
    server.tick(24 * 3600);
    server.connect(3, ELSEWHERE);
    assert_eq!(server.send(3, &format!("LOGIN alice {TOKEN}")), [format!("3< {WRONG}")]);
}

#[test]
fn client_revokes_the_token_it_has_logged_in_with() {
    let mut server = Server::with_alice();
    server.log_in(1, HOME);
    server.run(1, "TOKEN new build");
    server.run(1, "QUIT");
    server.connect(2, HOME);
    server.send(2, &format!("LOGIN alice {TOKEN}"));
    server.expect(2, "TOKEN revoke 1", &["2< OK TOKEN revoke 1"]);
    server.run(2, "QUIT");
    server.connect(3, HOME);
    assert_eq!(server.send(3, &format!("LOGIN alice {TOKEN}")), [format!("3< {WRONG}")]);
}

/// Wrong access tokens are not counted for the address, but a connection has ten tries.
#[test]
fn ten_wrong_tokens_close_the_connection() {
    let mut server = Server::with_alice();
    server.connect(1, HOME);
    for _ in 0..9 {
        assert_eq!(server.send(1, &format!("LOGIN alice {TOKEN}")), [format!("1< {WRONG}")]);
    }
    let out = server.send(1, &format!("LOGIN alice {TOKEN}"));
    assert!(out[1].starts_with("1< ERR - too-many-errors "), "{out:?}");
    server.log_in(2, HOME);
}

/// A new command is refused, too, unless its specification says otherwise.
#[test]
fn every_command_is_refused_on_a_server_for_accounts_only() {
    let mut server = Server::start(AccountPolicy { accounts_only: true, is_registration_open: false, ..POLICY });
    server.add_account("alice", "hunter22");
    let hello = server.apply(1, InputKind::Connect(peer(HOME)));
    let features = "features=rooms,watch,secure,accounts,accounts-only";
    let greeting = "type LOGIN, your name and your password to join, HELP for help";
    assert_eq!(hello, [format!("1< HELLO chinwag/1 {features} {greeting}")]);
    let allowed: Vec<_> = Verb::ALL.iter().filter(|verb| !verb.specification().needs_login).collect();
    assert_eq!(
        allowed,
        [
            &Verb::Pass,
            &Verb::Quit,
            &Verb::Set,
            &Verb::Resume,
            &Verb::Login,
            &Verb::Takeover,
            &Verb::Ping,
            &Verb::Pong,
            &Verb::Help
        ]
    );
    for line in
        ["NICK bob", "WATCH", "ROOMS", "WHO", "MSG hi", "HISTORY", "TOPIC", "REGISTER hunter22", "SET resume on"]
    {
        let verb = line.split(' ').next().unwrap();
        let required = "login-required this server is for accounts only; write: LOGIN name password";
        server.expect(1, line, &[&format!("1< ERR {verb} {required}")]);
    }
    for line in ["hunter22", "#secret hello", "#secret WHO"] {
        let out = server.run(1, line);
        assert!(!out.concat().contains("secret ERR -") && !out.concat().contains("hunter"), "{out:?}");
    }
    let out = server.run(1, "LOGIN alice hunter22");
    assert!(shown(&out).contains(&"1< OK LOGIN alice"), "{out:?}");
    server.expect(1, "MSG hi", &["*1 MSG alice hi, for 1 OK MSG 1"]);
    let closed =
        "1< ERR REGISTER registration-closed only the operator of this server adds accounts; ask the operator for one";
    server.expect(1, "REGISTER hunter22", &[closed]);
    // Another nickname of the account.
    server.expect(1, "NICK al", &["*- RENAME alice al, for 1 OK NICK al"]);
    server.expect(1, "MSG hi", &["*2 MSG al hi, for 1 OK MSG 2"]);
    server.run(1, "NICK alice");
    server.expect(1, "UNREGISTER hunter22", &["1< OK UNREGISTER alice"]);
    assert!(server.run(1, "MSG hi")[0].contains(" login-required "));
}

/// It would read on in the rooms. On other servers, it stays as a guest.
#[test]
fn deleted_account_ends_the_session_on_a_server_for_accounts_only() {
    for accounts_only in [true, false] {
        let mut server = Server::start(AccountPolicy { accounts_only, ..POLICY });
        for name in ["alice", "bob"] {
            server.add_account(name, "hunter22");
        }
        server.log_in(1, HOME);
        let account = server.sessions.state.accounts().find(&Name::new("alice").unwrap()).unwrap().id;
        server.change_account(AccountUpdate::Delete { account, generation: None });
        server.connect(2, ELSEWHERE);
        server.run(2, "LOGIN bob hunter22");
        let out = server.tick(1);
        let expected = [
            "1< ERR - login-required your account was deleted, and this server is for accounts only; ask the operator for one",
            "1 closed",
            "1 removed",
            "*- LEAVE alice displaced",
        ];
        let ended = shown(&out).into_iter().filter(|line| expected.contains(line)).count();
        assert_eq!(ended, if accounts_only { expected.len() } else { 0 }, "{out:?}");
        server.expect(2, "MSG hi", &["*1 MSG bob hi, for 2 OK MSG 1"]);
    }
}

/// `NICK` is refused before a login.
#[test]
fn hints_name_login_on_a_server_for_accounts_only() {
    let mut server = Server::start(AccountPolicy { accounts_only: true, is_registration_open: false, ..POLICY });
    server.add_account("bob", "hunter22");
    server.connect(1, HOME);
    let unknown = "1< ERR RESUME token-unknown the resume token is invalid or has expired; write: LOGIN name password";
    server.expect(1, "RESUME 1-0a", &[unknown]);
    server.expect(1, "RESUME 9-00000000000000000000000000000000", &[unknown]);
    let comma = "1< ERR NICK name-invalid a name cannot contain a comma; write: LOGIN name password";
    server.expect(1, "NICK a,b", &[comma]);
    let first = "1< NOTICE log in first, because this server is for accounts only: LOGIN name password";
    assert_eq!(server.run(1, "HELP")[0], first);
    assert!(!server.run(1, "HELP LOGIN").concat().contains("log in first"));
    server.run(1, "LOGIN bob hunter22");
    assert!(!server.run(1, "HELP").concat().contains("log in first"));
    server.run(1, "NICK carol");
    server.add_account("carol", "hunter33");
    server.connect(2, HOME);
    let displaced = server.run(2, "LOGIN carol hunter33").concat();
    assert!(displaced.contains("so you have no name now; log in again and write: LOGIN name password"), "{displaced}");
    let timed_out = server.tick(61).concat();
    assert!(timed_out.contains("ERR - name-timeout ") && timed_out.contains("write: LOGIN name"), "{timed_out}");
}
