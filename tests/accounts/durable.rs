//! Accounts survive a stop, and kill -9.

use super::{AccountServer, PASSWORD, WRONG, ask, quit};

/// An acknowledged change is in the file, however the server ends.
#[test]
fn acknowledged_changes_survive_kill() {
    let server = AccountServer::start(&[]);
    let mut alice = server.register(1, "alice");
    assert_eq!(ask(&mut alice, "PASSWORD staple staple"), "OK PASSWORD");
    let server = server.restart("-KILL", &[]);
    let mut alice = server.connect();
    assert_eq!(ask(&mut alice, &format!("LOGIN alice {PASSWORD}")), WRONG);
    assert_eq!(ask(&mut alice, "LOGIN alice staple staple"), "OK LOGIN alice");
    let made = ask(&mut alice, "TOKEN new build server");
    let token = made.split(' ').nth(4).expect("a token").to_owned();
    let server = server.restart("-KILL", &[]);
    let mut build = server.connect();
    assert_eq!(ask(&mut build, &format!("LOGIN alice {token}")), "OK LOGIN alice");
    quit(build);
    let mut alice = server.connect();
    assert_eq!(ask(&mut alice, "LOGIN alice staple staple"), "OK LOGIN alice");
    assert_eq!(ask(&mut alice, "TOKEN revoke 1"), "OK TOKEN revoke 1");
    let server = server.restart("-KILL", &[]);
    let mut build = server.connect();
    assert_eq!(ask(&mut build, &format!("LOGIN alice {token}")), WRONG);
    let mut alice = server.connect();
    assert_eq!(ask(&mut alice, "LOGIN alice staple staple"), "OK LOGIN alice");
    assert_eq!(ask(&mut alice, "UNREGISTER staple staple"), "OK UNREGISTER alice");
    let server = server.restart("-KILL", &[]);
    let mut eve = server.connect();
    assert_eq!(ask(&mut eve, "LOGIN alice staple staple"), WRONG);
    for name in ["alice", "ALICE", "аlice"] {
        let reply = ask(&mut eve, &format!("NICK {name}"));
        assert!(reply.starts_with("ERR NICK name-resting "), "{reply}");
    }
}

#[test]
fn registered_names_are_protected_after_a_restart() {
    let server = AccountServer::start(&[]);
    quit(server.register(1, "alice"));
    let server = server.restart("-TERM", &[]);
    let mut eve = server.connect();
    for name in ["alice", "ALICE", "аlice"] {
        let reply = ask(&mut eve, &format!("NICK {name}"));
        assert!(reply.starts_with("ERR NICK name-registered "), "{reply}");
    }
    assert_eq!(ask(&mut eve, "NICK eve"), "OK NICK eve");
    let reply = ask(&mut eve, "NICK alice");
    assert!(reply.starts_with("ERR NICK name-registered "), "{reply}");
    assert_eq!(ask(&mut eve, &format!("LOGIN alice {PASSWORD}")), "OK LOGIN alice");
}

/// The day of the last use, but not more, is stored.
#[test]
fn last_use_of_a_token_is_listed() {
    let server = AccountServer::start(&[]);
    let mut alice = server.register(1, "alice");
    let made = ask(&mut alice, "TOKEN new build server");
    let token = made.split(' ').nth(4).expect("a token").to_owned();
    alice.send("TOKEN list");
    let unused = alice.until_start("TOKEN 1 ");
    assert!(unused.ends_with(" used=never build server"), "{unused}");
    alice.until("OK TOKEN list 1");
    quit(alice);
    let mut build = server.connect();
    assert_eq!(ask(&mut build, &format!("LOGIN alice {token}")), "OK LOGIN alice");
    // The use is stored after the reply; a stop waits for it.
    quit(build);
    let server = server.restart("-TERM", &[]);
    let mut build = server.connect();
    assert_eq!(ask(&mut build, &format!("LOGIN alice {token}")), "OK LOGIN alice");
    build.send("TOKEN list");
    let used = build.until_start("TOKEN 1 ");
    let day = used.split(' ').find_map(|word| word.strip_prefix("used=")).expect("a day");
    assert!(day.len() == 10 && day.starts_with("20"), "{used}");
}
