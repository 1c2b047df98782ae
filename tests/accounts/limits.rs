//! Limits for each address, and logins beside other clients.

use super::{AccountServer, PASSWORD, WRONG, ask, quit, reply};
use crate::common::Client;

/// The wrong passwords of an address, over many connections. The owner logs in from another address, and from the same one.
#[test]
fn guesser_locks_out_nobody_else() {
    let server = AccountServer::start(&[]);
    quit(server.register(2, "alice"));
    quit(server.register(2, "bob"));
    let guess = |name: &str, number: u8, password: &str| {
        ask(&mut server.connect_from(number), &format!("LOGIN {name} {password}"))
    };
    // The address 127.0.0.3 is known for bob.
    assert_eq!(guess("bob", 3, PASSWORD), "OK LOGIN bob");
    let mut refused = 0;
    for number in 0..20 {
        let reply = guess("alice", 3, &format!("guess number {number}"));
        if reply != WRONG {
            let too_many = "ERR LOGIN too-many-attempts too many wrong passwords from your address; try again in ";
            assert!(reply.starts_with(too_many), "{reply}");
            refused += 1;
        }
    }
    assert!((14..=15).contains(&refused), "{refused} of 20 guesses refused");
    // Also the right one: a refusal does not tell.
    assert!(guess("alice", 3, PASSWORD).starts_with("ERR LOGIN too-many-attempts "));
    for number in 0..20 {
        guess("nobody", 3, &format!("guess number {number}"));
    }
    // A slow machine may have given the address another try meanwhile.
    let is_refused = |number| guess("carol", 3, &format!("guess {number}")).starts_with("ERR LOGIN too-many-attempts ");
    assert!((100..105).any(is_refused), "the address has no limit");
    assert_eq!(guess("alice", 4, PASSWORD), "OK LOGIN alice");
    assert_eq!(guess("bob", 3, PASSWORD), "OK LOGIN bob");
}

/// Sixty logins at once, from one address. A client that says something meanwhile does not wait for them.
#[test]
fn logins_at_once_succeed_and_others_do_not_wait() {
    let server = AccountServer::start(&[]);
    let names: Vec<_> = (0..60_u8).map(|number| format!("user{number}")).collect();
    for (number, name) in (10..).zip(&names) {
        quit(server.register(number, name));
    }
    let mut other = server.connect_from(9);
    assert_eq!(ask(&mut other, "NICK other"), "OK NICK other");
    let mut clients: Vec<Client> = names.iter().map(|_| server.connect_from(2)).collect();
    for (client, name) in clients.iter_mut().zip(&names) {
        client.send(&format!("LOGIN {name} {PASSWORD}"));
    }
    assert_eq!(ask(&mut other, "MSG is anybody here?"), "OK MSG 1");
    for (client, name) in clients.iter_mut().zip(&names) {
        client.until(&format!("OK LOGIN {name}"));
    }
    // Clients that logged in after the message do not have it.
    let readers = clients.iter_mut().filter_map(|client| {
        let lines = client.sync();
        lines.iter().any(|line| line == "MSG other is anybody here?").then_some(())
    });
    assert!(readers.count() < names.len(), "the message waited for all logins");
}

/// Each check needs 19 MiB. An earlier version left 200 MiB after 30 logins.
#[test]
fn checks_give_their_memory_back() {
    let server = AccountServer::start(&[]);
    let mut alice = server.register(1, "alice");
    let login = format!("LOGIN alice {PASSWORD}");
    assert_eq!(ask(&mut alice, &login), "OK LOGIN alice");
    let before = server.server.resident_bytes();
    for _ in 0..20 {
        assert_eq!(ask(&mut alice, &login), "OK LOGIN alice");
    }
    let after = server.server.resident_bytes();
    assert!(after < before + (8 << 20), "{before} bytes before, {after} after");
}

/// More passwords of one address than may wait. Those of another address still have their turn.
#[test]
fn full_queue_refuses_passwords_of_one_address() {
    let server = AccountServer::start(&[]);
    quit(server.register(2, "alice"));
    quit(server.register(2, "bob"));
    let mut clients: Vec<Client> = (0..200).map(|_| server.connect_from(3)).collect();
    for client in &mut clients {
        client.send(&format!("LOGIN alice {PASSWORD}"));
    }
    assert_eq!(ask(&mut server.connect_from(4), &format!("LOGIN bob {PASSWORD}")), "OK LOGIN bob");
    let replies: Vec<_> = clients.iter_mut().map(reply).collect();
    let count = |start: &str| replies.iter().filter(|reply| reply.starts_with(start)).count();
    let busy = count("ERR LOGIN busy the server has too many passwords to check, so it did nothing; try again later");
    assert_eq!(count("OK LOGIN alice"), 1);
    let refused = count("ERR LOGIN account-in-use ") + count("ERR LOGIN too-many-attempts the account was in use ");
    assert_eq!(refused + busy + 1, clients.len(), "{replies:?}");
    assert!((1..clients.len() - 128).contains(&busy), "{busy}");
}

/// A client sends its next lines without waiting for the login.
#[test]
fn lines_after_a_login_wait_for_it() {
    let server = AccountServer::start(&[]);
    quit(server.register(1, "alice"));
    let mut client = server.connect();
    let lines = ["MSG one", "WHO", "TOKEN new build", "TOKEN list", "LOGIN alice wrong password", "PING"].join("\n");
    client.send_bytes(format!("LOGIN alice {PASSWORD}\n{lines}\n").as_bytes());
    client.expect("OK LOGIN alice");
    client.expect("COORDINATOR alice");
    client.expect("OK MSG 1");
    client.expect("USER alice coordinator");
    client.expect("OK WHO 1");
    client.expect_start("OK TOKEN new 1 ");
    client.expect_start("TOKEN 1 ");
    client.expect("OK TOKEN list 1");
    client.expect(WRONG);
    client.expect("OK PING");
    // The end of the input waits, too.
    let mut client = server.connect_from(2);
    client.send_bytes(format!("TAKEOVER alice {PASSWORD}").as_bytes());
    client.end_input();
    client.expect("OK TAKEOVER alice");
    client.expect("COORDINATOR alice");
    client.expect_end();
}
