//! Tests of the message of the day, and of options that change while there are sessions.

use std::sync::Arc;

use super::resume_tests::resumable_state;
use super::tests::{apply, connect, resumable, send_line, tick};
use super::{
    AccountPolicy, InputKind, LeaveReason, LiveOptions, PasswordCheck, PasswordPolicy, SessionId, Sessions, Timeouts,
};
use crate::protocol::{Motd, Password, Peer, Secret};
use crate::state::{Policy, SharedState};

#[derive(Debug)]
struct AnyPassword;

impl PasswordCheck for AnyPassword {
    fn is_correct(&self, _: &Password) -> bool {
        true
    }
}

/// The options of a server without limits.
fn options() -> LiveOptions {
    LiveOptions {
        timeouts: Timeouts::default(),
        has_watch: true,
        allows_insecure_passwords: false,
        is_registration_open: true,
        motd: Motd::default(),
        policy: Policy { resume_seconds: 60, rooms: 10, empty_rooms: 10 },
    }
}

fn configure(sessions: &mut Sessions, options: &LiveOptions) {
    assert_eq!(apply(sessions, SessionId::SERVER.0, InputKind::Configure(Box::new(options.clone()))), [""; 0]);
}

fn motd(text: &str) -> Motd {
    Motd::new(text).unwrap()
}

const HELLO: &str = "1< HELLO chinwag/1 features=rooms,watch,secure type NICK and your name to join, HELP for help";

/// A server with a password, which session 1 has not given yet.
fn guarded() -> Sessions {
    let policy = PasswordPolicy { check: Arc::new(AnyPassword), allows_insecure: false };
    Sessions::default().with_password(policy)
}

#[test]
fn motd_follows_the_greeting() {
    let mut sessions = Sessions::default().with_motd(motd("Welcome.\n\n  Be kind.\n"));
    assert_eq!(connect(&mut sessions, 1), [HELLO, "1< NOTICE Welcome.", "1< NOTICE   Be kind."]);
    assert_eq!(connect(&mut Sessions::default(), 1), [HELLO]);
}

/// It may be for members only.
#[test]
fn motd_of_a_server_with_a_password_follows_the_password() {
    let mut sessions = guarded().with_motd(motd("Welcome."));
    let greeted = connect(&mut sessions, 1);
    assert!(greeted.len() == 1 && greeted[0].contains(",password "), "{greeted:?}");
    send_line(&mut sessions, 1, "SET tags on");
    let expected = ["1< OK PASS", "1< @- 1970-01-01T00:00:05.000Z NOTICE Welcome."];
    assert_eq!(send_line(&mut sessions, 1, "PASS hunter2"), expected);
    assert!(send_line(&mut sessions, 1, "PASS hunter2")[0].starts_with("1< ERR PASS password-unexpected"));
}

#[test]
fn changed_motd_is_for_later_connections() {
    let mut sessions = Sessions::default().with_motd(motd("old"));
    connect(&mut sessions, 1);
    configure(&mut sessions, &LiveOptions { motd: motd("new"), ..options() });
    assert_eq!(connect(&mut sessions, 2)[1..], ["2< NOTICE new"]);
    configure(&mut sessions, &options());
    assert_eq!(connect(&mut sessions, 3).len(), 1);
}

#[test]
fn changed_timeouts_apply_to_existing_sessions() {
    let mut sessions = Sessions::default();
    connect(&mut sessions, 1);
    connect(&mut sessions, 2);
    send_line(&mut sessions, 2, "NICK bob");
    assert_eq!(tick(&mut sessions, 100), [""; 0]);
    let timeouts = Timeouts { name_seconds: 60, idle_seconds: 300 };
    configure(&mut sessions, &LiveOptions { timeouts, ..options() });
    assert_eq!(tick(&mut sessions, 150), [""; 0]);
    assert_eq!(tick(&mut sessions, 151), ["1< PING idle", "2< PING idle"]);
    assert_eq!(tick(&mut sessions, 160), [""; 0], "the time counts from the change on");
    // The same time again changes nothing.
    configure(&mut sessions, &LiveOptions { timeouts, has_watch: false, ..options() });
    let outputs = tick(&mut sessions, 161);
    assert!(outputs[0].starts_with("1< ERR - name-timeout you did not take a name within 60 s"), "{outputs:?}");
    configure(&mut sessions, &options());
    assert_eq!(tick(&mut sessions, 1_000), [""; 0]);
}

/// Nobody is disconnected by a shorter time alone: each client can answer the `PING`, also one that has an older `PING`.
#[test]
fn shorter_idle_timeout_begins_with_a_ping() {
    let mut sessions = Sessions::default();
    (1..=2).for_each(|session| drop(connect(&mut sessions, session)));
    let set = |sessions: &mut Sessions, idle_seconds| {
        let timeouts = Timeouts { name_seconds: 0, idle_seconds };
        configure(sessions, &LiveOptions { timeouts, ..options() });
    };
    assert_eq!(tick(&mut sessions, 1_000), [""; 0]);
    set(&mut sessions, 900);
    assert_eq!(tick(&mut sessions, 1_001), ["1< PING idle", "2< PING idle"]);
    assert_eq!(tick(&mut sessions, 1_400), [""; 0]);
    set(&mut sessions, 20);
    assert_eq!(tick(&mut sessions, 1_401), ["1< PING idle", "2< PING idle"]);
    send_line(&mut sessions, 2, "PONG idle");
    assert_eq!(tick(&mut sessions, 1_410), [""; 0]);
    let outputs = tick(&mut sessions, 1_411);
    assert!(outputs[0].starts_with("1< ERR - idle-timeout you sent no line for 20 s"), "{outputs:?}");
    assert_eq!(tick(&mut sessions, 1_412), ["2< PING idle"]);
}

#[test]
fn forbidden_watch_leaves_the_watchers() {
    let mut sessions = Sessions::default();
    connect(&mut sessions, 1);
    connect(&mut sessions, 2);
    send_line(&mut sessions, 1, "WATCH");
    configure(&mut sessions, &LiveOptions { has_watch: false, ..options() });
    assert!(send_line(&mut sessions, 2, "WATCH")[0].starts_with("2< ERR WATCH watch-off"));
    assert!(!connect(&mut sessions, 3)[0].contains("watch"));
    send_line(&mut sessions, 2, "NICK bob");
    assert_eq!(send_line(&mut sessions, 1, "WHO").last().unwrap(), "1< OK WHO 1 watching=1");
    configure(&mut sessions, &options());
    assert!(connect(&mut sessions, 4)[0].contains(",watch,"));
}

#[test]
fn insecure_passwords_can_be_allowed() {
    let mut sessions = guarded();
    apply(&mut sessions, 1, InputKind::Connect(Peer::new(([192, 0, 2, 1], 1024).into(), false)));
    assert!(send_line(&mut sessions, 1, "PASS hunter2")[0].starts_with("1< ERR PASS insecure"));
    configure(&mut sessions, &LiveOptions { allows_insecure_passwords: true, ..options() });
    assert_eq!(send_line(&mut sessions, 1, "PASS hunter2"), ["1< OK PASS"]);
}

#[test]
fn registration_can_be_closed() {
    let policy = AccountPolicy { is_registration_open: true, accounts_only: false, allows_insecure: false, threads: 1 };
    let mut sessions = Sessions::default().with_accounts(policy);
    connect(&mut sessions, 1);
    send_line(&mut sessions, 1, "NICK alice");
    configure(&mut sessions, &LiveOptions { is_registration_open: false, ..options() });
    let refused = send_line(&mut sessions, 1, "REGISTER correct horse");
    assert!(refused[0].starts_with("1< ERR REGISTER registration-closed"), "{refused:?}");
}

/// Members stay in their rooms; only new rooms count.
#[test]
fn lowered_limit_of_rooms_refuses_new_rooms() {
    let mut sessions = Sessions::default();
    connect(&mut sessions, 1);
    send_line(&mut sessions, 1, "NICK alice");
    send_line(&mut sessions, 1, "JOIN #a,#b");
    let with_rooms = |rooms| LiveOptions { policy: Policy { rooms, ..options().policy }, ..options() };
    configure(&mut sessions, &with_rooms(1));
    assert!(send_line(&mut sessions, 1, "JOIN #c")[0].starts_with("1< ERR JOIN rooms-full"));
    assert!(send_line(&mut sessions, 1, "#b MSG hi")[0].contains("MSG alice hi"));
    configure(&mut sessions, &with_rooms(3));
    assert!(send_line(&mut sessions, 1, "JOIN #c").iter().any(|line| line.contains("OK JOIN #c")));
}

#[test]
fn changed_resume_timeout_applies_to_detached_members() {
    let mut sessions = Sessions::new(resumable_state(60), Timeouts::default());
    for (session, name) in [(1, "ann"), (2, "bob"), (3, "carol")] {
        connect(&mut sessions, session);
        apply(&mut sessions, session, resumable(Secret::new([7; 16])));
        send_line(&mut sessions, session, &format!("NICK {name}"));
    }
    let with_resume =
        |resume_seconds| LiveOptions { policy: Policy { resume_seconds, ..options().policy }, ..options() };
    apply(&mut sessions, 1, InputKind::Disconnected(LeaveReason::Lost));
    configure(&mut sessions, &with_resume(600));
    assert_eq!(tick(&mut sessions, 100), [""; 0]);
    configure(&mut sessions, &with_resume(30));
    assert_eq!(tick(&mut sessions, 101)[2..], ["*- LEAVE ann lost", "*- COORDINATOR bob"]);
    configure(&mut sessions, &with_resume(0));
    let left = apply(&mut sessions, 2, InputKind::Disconnected(LeaveReason::Lost));
    assert!(left.contains(&"*- LEAVE bob lost".to_owned()), "{left:?}");
    assert!(apply(&mut sessions, 3, resumable(Secret::new([8; 16])))[0].starts_with("3< ERR SET resume-off"));
}

/// The limits are part of the state: another server that applies the same entries has the same ones.
#[test]
fn changed_limits_are_in_the_snapshot() {
    let mut sessions = Sessions::default();
    let policy = Policy { resume_seconds: 7, rooms: 8, empty_rooms: 9 };
    configure(&mut sessions, &LiveOptions { policy, ..options() });
    let restored = SharedState::restore(&sessions.state().snapshot()).unwrap();
    assert_eq!((sessions.state().policy(), restored.policy()), (policy, policy));
}
