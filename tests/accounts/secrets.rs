//! Passwords and access tokens are neither in the log nor in the store, and are not accepted over plain text.

use std::fs;

use super::{AccountServer, PASSWORD, ask, quit};

/// At the level `debug`, of right and wrong passwords and mistyped verbs; and in no file of the store.
#[test]
fn log_and_store_have_no_secret() {
    let server = AccountServer::start(&[]);
    let mut alice = server.register(1, "alice");
    let made = ask(&mut alice, "TOKEN new build server");
    let token = made.split(' ').nth(4).expect("a token").to_owned();
    for line in [
        "LOGIN alice staple wrong",
        "LOGNI alice staple wrong",
        "PASSWORD staple second",
        "login:alice staple second",
        "staple second",
        "LOGIN alice staple second",
    ] {
        ask(&mut alice, line);
    }
    quit(alice);
    let mut build = server.connect();
    assert_eq!(ask(&mut build, &format!("LOGIN alice {token}")), "OK LOGIN alice");
    quit(build);
    let (directory, log) = server.stop("-TERM");
    for done in
        ["registered", "changed the password", "made an access token", "logged in", "a client gave a wrong password"]
    {
        assert!(log.iter().any(|line| line.contains(done)), "no {done:?} in {log:#?}");
    }
    let secrets = [PASSWORD, "staple", &token[4..]];
    assert!(!log.iter().any(|line| secrets.iter().any(|secret| line.contains(secret))), "{log:#?}");
    let mut stored = Vec::new();
    for file in fs::read_dir(directory.path()).expect("a directory") {
        stored.extend(fs::read(file.expect("a file").path()).expect("bytes"));
    }
    let has = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("alice") && has("build server"));
    assert!(has("$argon2id$v=19$m=19456,t=2,p=1$"), "the stored hash states its parameters");
    assert!(!secrets.iter().any(|secret| has(secret)));
}

/// The proxy is on this machine, but does not say that its client uses TLS.
#[cfg(feature = "proxy")]
#[test]
fn password_is_refused_over_plain_text() {
    let insecure = |arguments: &[&str]| {
        let listen = ["--listen", "tcp://127.0.0.1:0?proxy=127.0.0.1"];
        let mut server = AccountServer::start(&[&listen[..], arguments].concat());
        quit(server.register(1, "alice"));
        let address = crate::common::address_in(&server.server.stdout_line());
        let mut client = crate::common::Client::new(std::net::TcpStream::connect(address).expect("it accepts"));
        client.send_bytes(b"PROXY TCP4 203.0.113.7 203.0.113.1 4711 9999\r\n");
        client.expect_start("HELLO ");
        ask(&mut client, &format!("LOGIN alice {PASSWORD}"))
    };
    let refused = "ERR LOGIN insecure others may read this connection, so the server did nothing; \
                   connect on the machine of the server, or ask its operator for a tls:// address";
    assert_eq!(insecure(&[]), refused);
    assert_eq!(insecure(&["--allow-insecure-passwords"]), "OK LOGIN alice");
}
