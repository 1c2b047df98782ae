//! The options of accounts.

use std::process::{Command, Stdio};

use super::{AccountServer, PASSWORD, ask, quit};

#[test]
fn accounts_only_server_admits_those_who_log_in() {
    let server = AccountServer::start(&[]);
    quit(server.register(1, "alice"));
    let server = server.restart("-TERM", &["--accounts-only"]);
    let mut eve = server.server.connect_raw();
    eve.expect(
        "HELLO chinwag/1 epoch=k7qd features=rooms,watch,search,secure,accounts,accounts-only \
         type LOGIN, your name and your password to join, HELP for help",
    );
    let mut alice = server.connect();
    assert_eq!(ask(&mut alice, &format!("LOGIN alice {PASSWORD}")), "OK LOGIN alice");
    for verb in ["NICK eve", "WATCH", "WHO", "ROOMS", "MSG hi", "SEARCH hi", "REGISTER correct horse"] {
        let reply = ask(&mut eve, verb);
        let verb = verb.split(' ').next().expect("a verb");
        assert_eq!(
            reply,
            format!("ERR {verb} login-required this server is for accounts only; write: LOGIN name password")
        );
    }
    assert_eq!(ask(&mut alice, "MSG nobody else reads this"), "OK MSG 1");
    eve.expect_nothing();
}

#[test]
fn operators_alone_register_accounts() {
    let server = AccountServer::start(&["--registration", "operators"]);
    let mut eve = server.connect();
    ask(&mut eve, "NICK eve");
    assert_eq!(
        ask(&mut eve, "REGISTER correct horse"),
        "ERR REGISTER registration-closed only the operator of this server adds accounts; ask the operator for one"
    );
    eve.send("HELP");
    let mut help = eve.until("OK HELP");
    help.retain(|line| line.contains("REGISTER ") && !line.contains("UNREGISTER"));
    assert!(help.is_empty(), "{help:?}");
}

#[test]
fn options_without_accounts_are_refused() {
    let check = |arguments: &[&str], expected: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
        command.args(["--listen", "127.0.0.1:0"]).args(arguments).stdin(Stdio::null());
        let output = command.output().expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(error, format!("chinwagd: {expected}; see chinwagd --help\n"));
        assert_eq!(output.status.code(), Some(2));
    };
    let missing = "without --data: expected --data PATH, the file to store accounts in";
    check(&["--accounts-only"], &format!("--accounts-only {missing}"));
    check(&["--registration", "operators"], &format!("--registration {missing}"));
    check(
        &["--data", "/nowhere/chat.db", "--accounts-only", "--registration", "open"],
        "--registration open with --accounts-only: no client could register, because it needs a name for that; \
         expected --registration operators, or none",
    );
    check(
        &["--allow-insecure-passwords"],
        "--allow-insecure-passwords without --password-file: expected both, or --data PATH, the file to store accounts in",
    );
}
