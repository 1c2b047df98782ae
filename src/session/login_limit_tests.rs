//! Tests of the limits of logins and registrations: who is refused, and who is not. Time is virtual, as in `login_tests`.

use super::InputKind;
use super::login_tests::{ELSEWHERE, HOME, POLICY, Server, WRONG, shown};
use crate::limits::{
    LOGIN_ADDRESS_BURST, LOGIN_BURST, LOGIN_REFUSED_BURST, LOGIN_REFUSED_SECONDS, LOGIN_SECONDS, REGISTRATION_BURST,
    REGISTRATION_SECONDS,
};
use crate::protocol::{LeaveReason, Peer, PeerAddress};

/// Otherwise a client could guess as often as it has connections.
#[test]
fn guesses_at_once_count_one_after_the_other() {
    let mut server = Server::with_alice();
    let connections = 3 * u64::from(LOGIN_ADDRESS_BURST);
    for session in 1..=connections {
        server.connect(session, HOME);
        assert!(server.send(session, &format!("LOGIN user{} hunter23", session % 3)).is_empty());
    }
    let mut out = Vec::new();
    let mut checked = 0;
    while !server.jobs.is_empty() {
        out.extend(server.finish());
        checked += 1;
    }
    assert_eq!(checked, LOGIN_ADDRESS_BURST);
    assert_eq!(out.iter().filter(|line| line.contains(" too-many-attempts ")).count(), 20);
    assert_eq!(out.len() as u64, connections, "each line has a reply");
}

/// An office that comes back at once.
#[test]
fn right_passwords_are_not_counted() {
    let mut server = Server::with_alice();
    for session in 1..=60 {
        server.log_in(session, HOME);
        server.expect(
            session,
            "QUIT",
            &[
                &format!("{session}< OK QUIT"),
                &format!("{session} closed"),
                &format!("{session} removed"),
                "*- LEAVE alice quit",
            ],
        );
    }
}

/// Its client waits until the other one has left, as `chinwag send` does. Otherwise it would keep the threads busy.
#[test]
fn refused_logins_with_the_right_password_are_limited() {
    let mut server = Server::with_alice();
    server.add_account("bob", "hunter33");
    server.log_in(1, HOME);
    server.connect(2, ELSEWHERE);
    for nth in 0..LOGIN_REFUSED_BURST {
        // A client that does not wait for the reply has not logged in either.
        if nth % 3 == 0 {
            let session = 10 + u64::from(nth);
            server.connect(session, ELSEWHERE);
            server.send(session, "LOGIN alice hunter22");
            server.apply(session, InputKind::Disconnected(LeaveReason::Lost));
            assert!(server.finish().is_empty());
        } else {
            let out = server.run(2, "LOGIN alice hunter22");
            assert!(out[0].contains(" account-in-use "), "{out:?}");
        }
    }
    for password in ["hunter22", "hunter23"] {
        let out = server.send(2, &format!("LOGIN alice {password}"));
        let limited = "2< ERR LOGIN too-many-attempts the account was in use at too many logins from your address; \
                       try again in 2 s";
        assert_eq!(out, [limited]);
    }
    server.tick(LOGIN_REFUSED_SECONDS);
    let out = server.run(2, "LOGIN alice hunter22");
    assert!(out[0].contains(" account-in-use "), "{out:?}");
    // Other accounts, other addresses and access tokens are not limited, and `TAKEOVER` succeeds.
    server.connect(3, ELSEWHERE);
    assert!(shown(&server.run(3, "LOGIN bob hunter33")).contains(&"3< OK LOGIN bob"));
    server.connect(4, [10, 0, 0, 3]);
    assert!(server.run(4, "LOGIN alice hunter22")[0].contains(" account-in-use "));
    let token = server.run(1, "TOKEN new build")[0].split(' ').nth(5).unwrap().to_owned();
    for session in 100..110 {
        server.connect(session, ELSEWHERE);
        let out = server.send(session, &format!("LOGIN alice {token}"));
        assert!(out[0].contains(" account-in-use "), "{out:?}");
    }
    assert!(shown(&server.run(2, "TAKEOVER alice hunter22")).contains(&"2< OK TAKEOVER alice"));
}

/// Eight addresses fill the queue. The client whose password makes room has a reply.
#[test]
fn full_queue_makes_room_for_another_address() {
    let mut server = Server::with_alice();
    let mut session = 0;
    for number in 1..=8 {
        loop {
            session += 1;
            server.connect(session, [10, 1, 0, number]);
            let out = server.send(session, "LOGIN nobody hunter23");
            if !out.is_empty() {
                assert!(out[0].contains(" ERR LOGIN busy "), "{out:?}");
                break;
            }
        }
    }
    server.connect(9999, ELSEWHERE);
    // The last session of the last address had no place.
    let busy = "ERR LOGIN busy the server has too many passwords to check, so it did nothing; try again later";
    assert_eq!(server.send(9999, "LOGIN alice hunter22"), [format!("{}< {busy}", session - 1)]);
    assert_eq!(server.send(session - 1, "PING").len(), 1);
    let mut out = Vec::new();
    for _ in 0..10 {
        out.extend(server.finish());
    }
    assert!(shown(&out).contains(&"9999< OK LOGIN alice"), "{out:?}");
}

/// Otherwise a user of the machine would have as many turns as connections.
#[test]
fn clients_on_unix_sockets_have_one_turn() {
    let mut server = Server::with_alice();
    for session in 1..=3 {
        server.apply(session, InputKind::Connect(Peer::new(PeerAddress::Unix, false)));
        server.send(session, "LOGIN alice hunter23");
    }
    server.connect(4, HOME);
    server.send(4, "LOGIN alice hunter23");
    assert_eq!(server.checking(), [1, 4]);
    // They do not count each other's wrong passwords.
    for session in 10..10 + u64::from(LOGIN_ADDRESS_BURST) + 3 {
        server.apply(session, InputKind::Connect(Peer::new(PeerAddress::Unix, false)));
        let out = server.run(session, "LOGIN alice hunter23");
        assert!(shown(&out).contains(&format!("{session}< {WRONG}").as_str()), "{out:?}");
    }
}

#[test]
fn nobody_locks_out_the_owner() {
    let mut server = Server::with_alice();
    server.log_in(1, HOME);
    server.run(1, "QUIT");
    server.connect(2, ELSEWHERE);
    for _ in 0..LOGIN_BURST {
        server.expect(2, "LOGIN alice hunter23", &[&format!("2< {WRONG}")]);
    }
    // Of the owner's own address, whose clients guess at other accounts.
    server.connect(3, HOME);
    for number in 0..LOGIN_ADDRESS_BURST / 2 {
        for _ in 0..2 {
            server.run(3, &format!("LOGIN user{number} hunter23"));
        }
        server.send(3, "PING");
    }
    server.connect(4, HOME);
    let refused = server.run(4, "LOGIN user hunter23");
    assert!(refused[0].contains(" too-many-attempts "), "{refused:?}");
    server.log_in(5, HOME);
    assert_eq!(server.run(2, "LOGIN alice hunter22").len(), 1, "the guesser waits");
    server.tick(LOGIN_SECONDS);
    let in_use = server.run(2, "LOGIN alice hunter22");
    assert!(in_use[0].contains(" account-in-use "), "{in_use:?}");
}

/// However the owner has logged in from there: scripts have access tokens only.
#[test]
fn every_login_makes_the_account_known_at_its_address() {
    let guess = |server: &mut Server, address| {
        for session in (1000..).take(LOGIN_ADDRESS_BURST as usize) {
            server.connect(session, address);
            server.run(session, &format!("LOGIN user{session} hunter23"));
            server.run(session, "QUIT");
        }
        server.connect(2000, address);
        assert!(server.run(2000, "LOGIN user hunter23")[0].contains(" too-many-attempts "));
    };
    let mut server = Server::with_alice();
    server.log_in(1, ELSEWHERE);
    let token = server.run(1, "TOKEN new build")[0].split(' ').nth(5).unwrap().to_owned();
    server.run(1, "QUIT");
    server.connect(2, HOME);
    assert!(shown(&server.send(2, &format!("LOGIN alice {token}"))).contains(&"2< OK LOGIN alice"));
    server.run(2, "QUIT");
    guess(&mut server, HOME);
    server.log_in(3, HOME);
    let mut server = Server::start(POLICY);
    server.join(1, "alice");
    server.expect(1, "REGISTER hunter22", &["1< OK REGISTER alice"]);
    server.run(1, "QUIT");
    guess(&mut server, HOME);
    server.log_in(3, HOME);
}

#[test]
fn address_registers_few_accounts_in_a_short_time() {
    let mut server = Server::start(POLICY);
    for number in 1..=u64::from(REGISTRATION_BURST) {
        server.join(number, &format!("user{number}"));
        server.expect(number, "REGISTER hunter22", &[&format!("{number}< OK REGISTER user{number}")]);
    }
    server.join(99, "late");
    let refused =
        "99< ERR REGISTER accounts-too-fast too many accounts were registered from your address; try again in 600 s";
    server.expect(99, "REGISTER hunter22", &[refused]);
    server.tick(REGISTRATION_SECONDS);
    server.expect(99, "REGISTER hunter22", &["99< OK REGISTER late"]);
}

/// An account that was not created, because its name was taken meanwhile, or the client has gone. With a full disk, it is the same.
#[test]
fn refused_registrations_are_not_counted() {
    let mut server = Server::start(POLICY);
    server.join(1, "alice");
    server.add_account("alice", "hunter22");
    for session in (100..).take(REGISTRATION_BURST as usize) {
        let out = server.run(1, "REGISTER hunter22");
        assert!(out[0].contains(" ERR REGISTER name-registered "), "{out:?}");
        server.join(session, "gone");
        server.send(session, "REGISTER hunter22");
        server.apply(session, InputKind::Disconnected(LeaveReason::Lost));
        assert!(server.finish().is_empty());
    }
    for number in 1..=u64::from(REGISTRATION_BURST) {
        server.join(number + 1000, &format!("user{number}"));
        let registered = format!("{}< OK REGISTER user{number}", number + 1000);
        server.expect(number + 1000, "REGISTER hunter22", &[&registered]);
    }
    assert!(server.run(1, "REGISTER hunter22")[0].contains(" accounts-too-fast "));
}
