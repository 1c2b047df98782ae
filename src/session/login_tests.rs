//! Tests of commands with the password of an account, whose check ends later: order, limits, secrets. Time is virtual, and a hash is the
//! password itself.

use std::collections::VecDeque;

use super::resume_tests::resumable_state;
use super::tests::format_output;
use super::{
    AccountPolicy, Input, InputKind, Output, PasswordJob, PasswordOutcome, PasswordResult, PasswordWork, Sessions,
    Timeouts,
};
use crate::command::ClientLine;
use crate::limits::LOGIN_BURST;
use crate::protocol::{AccountId, AccountPassword, LeaveReason, Mode, Name, PasswordHash, Peer, Secret, Timestamp};
use crate::state::{AccountChange, AccountUpdate, Action, Origin, SessionId, Uptime};

pub(super) const POLICY: AccountPolicy =
    AccountPolicy { is_registration_open: true, accounts_only: false, allows_insecure: false, threads: 2 };

/// A server with accounts, and the passwords that its threads are checking.
pub(super) struct Server {
    pub(super) sessions: Sessions,
    seconds: u64,
    pub(super) jobs: VecDeque<PasswordJob>,
}

pub(super) fn hash(password: &str) -> PasswordHash {
    PasswordHash::new(&format!("${}", password.replace(' ', "_"))).unwrap()
}

/// An encrypted connection from this address.
pub(super) fn peer(address: [u8; 4]) -> Peer {
    Peer::new((address, 1024).into(), true)
}

pub(super) const HOME: [u8; 4] = [10, 0, 0, 1];
pub(super) const ELSEWHERE: [u8; 4] = [10, 0, 0, 2];

pub(super) const WRONG: &str = "ERR LOGIN password-wrong the name or the password is wrong; write: LOGIN name password";

impl Server {
    pub(super) fn start(policy: AccountPolicy) -> Self {
        let timeouts = Timeouts { name_seconds: 60, idle_seconds: 0 };
        let sessions = Sessions::new(resumable_state(60), timeouts).with_accounts(policy);
        Self { sessions, seconds: 0, jobs: VecDeque::new() }
    }

    /// A server on which alice has an account with the password `hunter22`. No session uses it.
    pub(super) fn with_alice() -> Self {
        let mut server = Self::start(POLICY);
        server.add_account("alice", "hunter22");
        server
    }

    fn at(&self) -> Timestamp {
        Timestamp(i64::try_from(self.seconds).unwrap() * 1000)
    }

    /// Adds an account like the operator.
    pub(super) fn add_account(&mut self, name: &str, password: &str) {
        let update =
            AccountUpdate::Create { name: Name::new(name).unwrap(), password: hash(password), ends_rest: false };
        self.change_account(update);
    }

    pub(super) fn change_account(&mut self, update: AccountUpdate) {
        let (at, mut out) = (self.at(), Vec::new());
        let action = Action::ChangeAccount(AccountChange { at, update });
        self.sessions.submit(at, Origin::SERVER, action, &mut out);
    }

    /// The number of alice's account.
    pub(super) fn alice(&self) -> AccountId {
        self.sessions.state.accounts().find(&Name::new("alice").unwrap()).unwrap().id
    }

    /// Applies an input. Passwords to check are kept. Returns the outputs to clients.
    pub(super) fn apply(&mut self, session: u64, kind: InputKind) -> Vec<String> {
        let mut out = Vec::new();
        self.sessions.apply(Input { at: self.at(), session: SessionId(session), kind }, &mut out);
        let mut shown = Vec::new();
        for output in out {
            match output {
                Output::CheckPassword(job) => self.jobs.push_back(job),
                Output::Answered(_)
                | Output::Log(_)
                | Output::WrongPassword(_)
                | Output::AccountChanged(_)
                | Output::BanNetwork(..) => {}
                output => shown.push(format_output(&self.sessions, &output)),
            }
        }
        shown
    }

    /// All outputs of a line.
    pub(super) fn outputs(&mut self, session: u64, line: &str) -> Vec<Output> {
        let (at, mut out) = (self.at(), Vec::new());
        let kind = ClientLine::parse(line, Mode::Commands).into();
        self.sessions.apply(Input { at, session: SessionId(session), kind }, &mut out);
        out
    }

    pub(super) fn connect(&mut self, session: u64, address: [u8; 4]) {
        self.apply(session, InputKind::Connect(peer(address)));
    }

    pub(super) fn join(&mut self, session: u64, name: &str) {
        self.connect(session, HOME);
        let out = self.send(session, &format!("NICK {name}"));
        assert!(out.contains(&format!("{session}< OK NICK {name}")), "{out:?}");
    }

    /// Sends a line. Its password is checked when [`Server::finish`] says so.
    pub(super) fn send(&mut self, session: u64, line: &str) -> Vec<String> {
        self.send_in(session, line, Mode::Commands)
    }

    pub(super) fn send_in(&mut self, session: u64, line: &str, mode: Mode) -> Vec<String> {
        let kind = match ClientLine::parse(line, mode).into() {
            InputKind::Command(command) if command.needs_secret() => {
                InputKind::CommandWithSecret(command, Secret::new([7; 16]))
            }
            kind => kind,
        };
        self.apply(session, kind)
    }

    /// Ends the check that has waited longest.
    pub(super) fn finish(&mut self) -> Vec<String> {
        let PasswordJob { session, password, work } = self.jobs.pop_front().expect("a password is being checked");
        let of_password = hash(&password.to_string());
        let outcome = match work {
            PasswordWork::Hash => PasswordOutcome::Hashed(of_password),
            PasswordWork::Check(Some(hash)) if hash == of_password => PasswordOutcome::Right,
            PasswordWork::Check(_) => PasswordOutcome::Wrong,
        };
        self.apply(0, InputKind::PasswordProcessed(PasswordResult { session, outcome }))
    }

    /// Sends a line, and ends all checks.
    pub(super) fn run(&mut self, session: u64, line: &str) -> Vec<String> {
        let mut out = self.send(session, line);
        while !self.jobs.is_empty() {
            out.extend(self.finish());
        }
        out
    }

    pub(super) fn expect(&mut self, session: u64, line: &str, expected: &[&str]) {
        assert_eq!(self.run(session, line), expected, "{line}");
    }

    /// Logs in as alice on a new connection.
    pub(super) fn log_in(&mut self, session: u64, address: [u8; 4]) {
        self.connect(session, address);
        let out = self.run(session, "LOGIN alice hunter22");
        assert!(out.contains(&format!("{session}< OK LOGIN alice")), "{out:?}");
    }

    pub(super) fn tick(&mut self, seconds: u64) -> Vec<String> {
        self.seconds = seconds;
        self.apply(0, InputKind::Tick(Uptime(seconds)))
    }

    /// The sessions whose passwords are being checked.
    pub(super) fn checking(&self) -> Vec<u64> {
        self.jobs.iter().map(|job| job.session.0).collect()
    }
}

pub(super) fn shown(out: &[String]) -> Vec<&str> {
    out.iter().map(String::as_str).collect()
}

#[test]
fn reply_waits_for_the_check() {
    let mut server = Server::start(POLICY);
    server.join(1, "alice");
    assert!(server.send(1, "REGISTER hunter22").is_empty());
    assert_eq!(server.jobs[0].work, PasswordWork::Hash);
    assert_eq!(server.finish(), ["1< OK REGISTER alice"]);
    server.connect(2, ELSEWHERE);
    assert!(server.send(2, "LOGIN alice hunter22").is_empty());
    assert_eq!(server.jobs[0].work, PasswordWork::Check(Some(hash("hunter22"))));
    let in_use = "2< ERR LOGIN account-in-use another connection uses the account alice; to close that one, \
                  write: TAKEOVER name password";
    assert_eq!(server.finish(), [in_use]);
}

/// In text and in work.
#[test]
fn login_answers_alike_without_an_account() {
    let mut server = Server::with_alice();
    for (session, name) in (1..).zip(["alice", "nobody"]) {
        server.connect(session, HOME);
        for _ in 0..LOGIN_BURST {
            assert!(server.send(session, &format!("LOGIN {name} hunter23")).is_empty());
            assert!(matches!(server.jobs[0].work, PasswordWork::Check(_)), "{name} is checked");
            assert_eq!(server.finish(), [format!("{session}< {WRONG}")]);
        }
        let too_many = "ERR LOGIN too-many-attempts too many wrong passwords from your address; try again in 60 s";
        server.expect(session, &format!("LOGIN {name} hunter23"), &[&format!("{session}< {too_many}")]);
    }
}

#[test]
fn address_has_one_check_at_a_time() {
    let mut server = Server::with_alice();
    for session in 1..=3 {
        server.connect(session, HOME);
        server.send(session, "LOGIN alice hunter23");
    }
    assert_eq!(server.checking(), [1]);
    for session in 4..=5 {
        server.connect(session, [10, 0, 1, u8::try_from(session).unwrap()]);
        server.send(session, "LOGIN alice hunter23");
    }
    assert_eq!(server.checking(), [1, 4], "there are two threads");
    server.finish();
    assert_eq!(server.checking(), [4, 5], "an address waits for the others");
    server.finish();
    assert_eq!(server.checking(), [5, 2]);
}

/// Its guess counts, and the next password has its turn.
#[test]
fn check_of_ended_session_is_dropped() {
    let mut server = Server::with_alice();
    for session in 1..=2 {
        server.connect(session, HOME);
        server.send(session, "LOGIN alice hunter22");
    }
    server.apply(1, InputKind::Disconnected(LeaveReason::Lost));
    assert!(server.finish().is_empty());
    assert_eq!(server.checking(), [2]);
    assert!(shown(&server.finish()).contains(&"2< OK LOGIN alice"));
    for session in 3..3 + u64::from(LOGIN_BURST) {
        server.connect(session, ELSEWHERE);
        server.send(session, "LOGIN alice hunter23");
        server.apply(session, InputKind::Disconnected(LeaveReason::Lost));
        server.finish();
    }
    server.connect(20, ELSEWHERE);
    let out = server.run(20, "LOGIN alice hunter23");
    assert!(out[0].contains(" too-many-attempts "), "{out:?}");
}

/// Otherwise a crowd of logins would disconnect the last ones.
#[test]
fn client_is_not_disconnected_while_its_password_waits() {
    let mut server = Server::with_alice();
    for session in 1..=2 {
        server.connect(session, HOME);
        server.send(session, "LOGIN alice hunter23");
    }
    assert!(server.tick(61).is_empty());
    server.finish();
    assert!(server.tick(62)[0].starts_with("1< ERR - name-timeout "));
    assert_eq!(server.finish(), [format!("2< {WRONG}")]);
    assert!(server.tick(63)[0].starts_with("2< ERR - name-timeout "));
}

/// A session that ends while its password waits for its turn, and one that is displaced meanwhile.
#[test]
fn waiting_password_of_changed_session_does_no_harm() {
    let mut server = Server::with_alice();
    for session in 1..=3 {
        server.connect(session, HOME);
        server.send(session, "LOGIN alice hunter22");
    }
    server.apply(2, InputKind::Disconnected(LeaveReason::Lost));
    server.finish();
    assert_eq!(server.checking(), [3]);
    let mut server = Server::start(POLICY);
    server.join(1, "Alice");
    server.send(1, "REGISTER hunter23");
    server.add_account("alice", "hunter22");
    server.connect(2, ELSEWHERE);
    server.send(2, "LOGIN alice hunter22");
    let job = server.jobs.pop_back().unwrap();
    server.jobs.push_front(job);
    server.finish();
    assert_eq!(server.finish(), ["1< ERR REGISTER no-name you have no name any more; take one first: NICK name"]);
}

#[test]
fn secrets_are_refused_over_plain_text() {
    for allows_insecure in [false, true] {
        let mut server = Server::start(AccountPolicy { allows_insecure, ..POLICY });
        server.add_account("alice", "hunter22");
        server.apply(1, InputKind::Connect(Peer { is_secure: false, ..peer(HOME) }));
        let lines =
            ["LOGIN alice hunter22", "LOGIN alice cwt_07070707070707070707070707070707", "TAKEOVER alice hunter22"];
        for line in lines {
            let refused = server.send(1, line).first().is_some_and(|out| out.contains(" insecure "));
            assert!(!refused || server.jobs.is_empty(), "{line} is checked");
            assert_eq!(refused, !allows_insecure, "{line}");
            if !server.jobs.is_empty() {
                server.finish();
            }
        }
    }
    let mut server = Server::start(POLICY);
    server.apply(1, InputKind::Connect(Peer { is_secure: false, ..peer(HOME) }));
    server.run(1, "NICK bob");
    for line in ["REGISTER hunter22", "PASSWORD hunter22", "UNREGISTER hunter22", "TOKEN list", "TOKEN new build"] {
        let out = server.send(1, line);
        assert!(out[0].contains(" insecure others may read this connection, so the server did nothing; "), "{out:?}");
    }
    // A server without TLS suggests no client of TLS.
    assert!(server.send(1, "TOKEN list")[0].ends_with("ask its operator for a tls:// address"));
    server.sessions = std::mem::take(&mut server.sessions).with_tls();
    assert!(server.send(1, "TOKEN list")[0].ends_with("; connect with: openssl s_client -quiet -connect HOST:PORT"));
    assert!(server.jobs.is_empty());
}

#[test]
fn servers_without_accounts_refuse_the_commands() {
    let mut server = Server::start(POLICY);
    server.sessions = Sessions::new(resumable_state(60), Timeouts::default());
    server.join(1, "alice");
    let lines = ["REGISTER hunter22", "LOGIN a hunter22", "TAKEOVER a hunter22", "PASSWORD hunter22"];
    for line in lines.into_iter().chain(["UNREGISTER hunter22", "TOKEN list"]) {
        let verb = line.split(' ').next().unwrap();
        let off = "accounts-off this server has no accounts (to enable them, start chinwagd with --data PATH)";
        server.expect(1, line, &[&format!("1< ERR {verb} {off}")]);
    }
    // They may be words of a message.
    server.send(1, "CHAT");
    let out = server.send_in(1, "login to the new server please", Mode::Chat);
    assert!(out[0].contains("MSG alice login to"), "{out:?}");
}

#[test]
fn secrets_are_not_said_in_chat_mode() {
    let mut server = Server::start(POLICY);
    server.join(1, "alice");
    server.send(1, "CHAT");
    for line in [
        "login alice hunter22",
        "TAKEOVER alice hunter22",
        "register hunter22",
        "Password: hunter22",
        "unregister hunter22",
        "token new build",
        "ｌｏｇｉｎ alice hunter22",
        "login hunter22",
        "LOGIN\u{200b}/alice/hunter22",
        "the token is cwt_0123456789abcdef0123456789abcdef",
        "/#lobby cwt_0123456789abcdef0123456789abcdef",
    ] {
        let out = server.send_in(1, line, Mode::Chat);
        assert!(out.len() == 1 && out[0].starts_with("1< ERR MSG secret-refused "), "{line}: {out:?}");
        assert!(!out[0].contains("hunter") && !out[0].contains("cwt_"), "{out:?}");
    }
    let out = server.send_in(1, "login please", Mode::Chat);
    assert!(out[0].contains("MSG alice login please"), "{out:?}");
    let out = server.send_in(1, " login alice hunter22", Mode::Chat);
    assert!(out[0].contains("MSG alice  login"), "{out:?}");
}

/// Also after a mistyped verb, or with arguments in the wrong order.
#[test]
fn refusals_do_not_repeat_secrets() {
    let mut server = Server::with_alice();
    server.join(1, "bob");
    for line in [
        "LOGIN hunter22",
        "LOGIN hunter,22 hunter22",
        "LOGIN alice hunter33",
        "LOGNI alice hunter22",
        "login:alice hunter22",
        "REGISTER hunter",
        "REGISTRE hunter22",
        "PASSWORD hunter22",
        "PASWORD hunter22",
        "TAKEOVER hunter22",
        "TOKEN hunter22",
        "TOKEN cwt_hunter",
        "TOKEN list hunter22",
        "TOKEN revoke hunter22",
        "TOKEN revoke 1 hunter22",
        "TOKEN revoke 1hunter22",
        "TOKEN new",
        "TOKEN new days=hunter22 build server",
        "TOKEN new days=0hunter22",
        "TOKEN new hunter22",
        "TOKEN new hunter22 days=5",
        "UNREGISTER hunter22",
        "UNREGISTER hunter",
        "TAKEOVER hunter,22 hunter22",
        "TAKEOVER alice hunter",
        "PASSWORD hunter",
        "#lobby TOKEN revoke hunter22",
        "#lobby LOGIN alice hunter22",
        "/login alice hunter22",
        "／login alice hunter22",
        "ＬＯＧＩＮ alice hunter22",
    ] {
        let mut out = server.run(1, line);
        out.extend(server.send(1, "PING"));
        assert!(out.iter().any(|line| line.contains(" ERR ")) && !out.concat().contains("hunter"), "{line}: {out:?}");
    }
}

/// A user who is told that the password is wrong tries another one, which is of no use if the server checks none.
#[test]
fn form_of_password_is_refused_last() {
    let timeouts = Timeouts { name_seconds: 60, idle_seconds: 0 };
    let mut without = Server { sessions: Sessions::new(resumable_state(60), timeouts), ..Server::start(POLICY) };
    without.join(1, "bob");
    let accounts_off = "accounts-off this server has no accounts (to enable them, start chinwagd with --data PATH)";
    let mut server = Server::with_alice();
    server.apply(1, InputKind::Connect(Peer { is_secure: false, ..peer(HOME) }));
    server.send(1, "NICK bob");
    server.join(2, "carl");
    let mut only = Server::start(AccountPolicy { accounts_only: true, ..POLICY });
    only.connect(1, HOME);
    for (line, code) in [
        ("LOGIN alice short", "password-wrong"),
        ("TAKEOVER alice short", "password-wrong"),
        ("REGISTER short", "password-invalid"),
        ("PASSWORD short", "not-logged-in"),
        ("UNREGISTER short", "not-logged-in"),
    ] {
        let verb = line.split(' ').next().unwrap();
        without.expect(1, line, &[&format!("1< ERR {verb} {accounts_off}")]);
        let refused = server.send(1, line).concat();
        assert!(refused.starts_with(&format!("1< ERR {verb} insecure ")), "{refused}");
        let refused = server.send(2, line).concat();
        assert!(refused.starts_with(&format!("2< ERR {verb} {code} ")), "{refused}");
        if !["LOGIN", "TAKEOVER"].contains(&verb) {
            let refused = only.send(1, line).concat();
            assert!(refused.starts_with(&format!("1< ERR {verb} login-required ")), "{refused}");
        }
    }
}

/// Nothing of a password is in what a programmer prints.
#[test]
fn debug_output_hides_passwords() {
    let mut server = Server::with_alice();
    server.connect(1, HOME);
    server.connect(2, HOME);
    server.send(1, "LOGIN alice hunter33");
    server.send(2, "LOGIN alice hunter33");
    let shown = format!("{:?} {:?}", server.sessions, server.jobs);
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(AccountPassword::new("hunter33").is_ok());
}
