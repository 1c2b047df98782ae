//! Tests of rooms: prefixes, the commands that enter and leave rooms, watchers. `chat_tests` has chat mode.

use super::resume_tests::resumable_state;
use super::tests::{apply, connect, resumable, room, send_line, send_line_in, tick};
use super::{InputKind, Sessions, Timeouts};
use crate::limits::{ROOM_CREATION_BURST, ROOM_CREATION_SECONDS};
use crate::protocol::{LeaveReason, Mode, Peer, PeerAddress, ResumeToken, Secret, Token};
use crate::sequencer::MemorySequencer;
use crate::state::{RoomId, SharedState, StateLimits};

/// Alice and bob are in the lobby and in `#ops`, carol is in the lobby. Lines about `#ops`, room 1, have no epoch.
pub(super) fn ops() -> Sessions {
    let mut sessions = room(&["alice", "bob", "carol"]);
    send_line(&mut sessions, 1, "JOIN #ops");
    send_line(&mut sessions, 2, "JOIN #ops");
    sessions
}

#[track_caller]
pub(super) fn check(sessions: &mut Sessions, session: u64, line: &str, expected: &[&str]) {
    assert_eq!(send_line(sessions, session, line), expected, "{line}");
}

#[test]
fn hello_has_features() {
    let mut sessions = Sessions::new(SharedState::default().with_epoch(Token::truncated("k7qd")), Timeouts::default());
    let text = "type NICK and your name to join, HELP for help";
    assert_eq!(
        connect(&mut sessions, 1),
        [format!("1< HELLO chinwag/1 epoch=k7qd features=rooms,watch,secure {text}")]
    );
    let stored = Sessions::default().with_store(Box::new(MemorySequencer::default()));
    assert_eq!(connect(&mut { stored }, 1), [format!("1< HELLO chinwag/1 features=rooms,watch,search,secure {text}")]);
    assert_eq!(
        connect(&mut Sessions::default().without_watch(), 1),
        [format!("1< HELLO chinwag/1 features=rooms,secure {text}")]
    );
}

#[test]
fn hello_says_whether_the_way_is_secure() {
    let hello = |peer| apply(&mut Sessions::default(), 1, InputKind::Connect(peer)).remove(0);
    let is_secure = |peer| hello(peer).contains("features=rooms,watch,secure ");
    let remote = PeerAddress::from(([192, 0, 2, 1], 1024));
    assert!(!is_secure(remote.into()) && is_secure(Peer::new(remote, true)) && is_secure(PeerAddress::Unix.into()));
    assert!(is_secure(([127, 1, 2, 3], 1024).into()));
    assert!(!is_secure(Peer { is_secure: false, ..([127, 0, 0, 1], 1024).into() }));
}

#[test]
fn join_tells_others_and_follows_after_its_reply() {
    let mut room = room(&["alice", "bob"]);
    let out = ["1< OK JOIN #ops last=0", "*- JOIN alice in 1", "1 follows in 1, not home", "*- COORDINATOR alice in 1"];
    check(&mut room, 1, "JOIN #ops", &out);
    check(&mut room, 1, "JOIN #OPS", &["1< OK JOIN #ops last=0"]);
    send_line(&mut room, 1, "#ops MSG hi");
    send_line(&mut room, 2, "SET echo on");
    let out = [
        "2< OK JOIN #ops last=1 #dev last=0 #lobby last=0",
        "2 follows in 1, not home",
        "*- JOIN bob in 1",
        "2 follows in 2, not home",
        "*- JOIN bob in 2",
        "*- COORDINATOR bob in 2",
    ];
    check(&mut room, 2, "JOIN #Ops,#dev,#lobby", &out);
}

#[test]
fn reply_has_prefix_unless_room_is_home() {
    let mut room = ops();
    check(&mut room, 1, "#ops MSG hi", &["*1 MSG alice hi in 1, for 1 #ops OK MSG 1"]);
    check(&mut room, 1, "#OPS MSG hi", &["*2 MSG alice hi in 1, for 1 #ops OK MSG 2"]);
    check(&mut room, 1, "MSG hi", &["*1 MSG alice hi, for 1 OK MSG 1"]);
    check(&mut room, 1, "#Lobby MSG hi", &["*2 MSG alice hi, for 1 OK MSG 2"]);
    check(&mut room, 1, "#ops MSG", &["1< #ops ERR MSG text-missing the text is missing; write: #ops MSG text"]);
    check(&mut room, 1, "#lobby MSG", &["1< ERR MSG text-missing the text is missing; write: MSG text"]);
    check(&mut room, 1, "#ops WHO", &["1< in 1 USER alice coordinator/USER bob member", "1< #ops OK WHO 2"]);
    check(&mut room, 3, "#OPS MSG hi", &["3< #OPS ERR MSG not-in-room you are not in #OPS; write: JOIN #OPS"]);
    check(&mut room, 3, "#nope MSG hi", &["3< #nope ERR MSG not-in-room you are not in #nope; write: JOIN #nope"]);
    send_line(&mut room, 1, "SET echo on");
    check(&mut room, 1, "#ops MSG hi", &["*3 MSG alice hi in 1", "1< #ops OK MSG 3"]);
    check(&mut room, 1, "#ops DRAW clear", &["*- DRAW alice clear in 1", "1< #ops OK DRAW"]);
}

#[test]
fn prefix_is_refused_before_other_commands() {
    let mut room = ops();
    let nick = "NICK is not about a room: expected no #ops before it";
    check(
        &mut room,
        1,
        "#ops NICK al",
        &[&format!("1< #ops ERR NICK room-unexpected {nick}; write: JOIN #room[,#room...]")],
    );
    check(
        &mut room,
        1,
        "#ops NICK",
        &[&format!("1< #ops ERR NICK room-unexpected {nick}; write: JOIN #room[,#room...]")],
    );
    let ping = "PING is not about a room: expected no #lobby before it; write: PING [token]";
    check(&mut room, 1, "#lobby PING", &[&format!("1< ERR PING room-unexpected {ping}")]);
    check(
        &mut room,
        1,
        "#ops SING",
        &[
            "1< #ops ERR - verb-unknown unknown command 'SING' (HELP lists the commands); to say it, write: #ops MSG SING",
        ],
    );
    let missing = "ERR - verb-missing nothing follows the name of the room; HELP lists the commands";
    check(&mut room, 1, "#ops", &[&format!("1< #ops {missing}")]);
    check(&mut room, 1, "#ops  ", &[&format!("1< #ops {missing}")]);
    let invalid = "room-invalid invalid room '##ops': a name must begin with a letter or a digit, not with '#'";
    check(&mut room, 1, "##ops MSG hi", &[&format!("1< ERR MSG {invalid}")]);
    check(&mut room, 1, "##ops SING", &[&format!("1< ERR - {invalid}")]);
    check(&mut room, 1, "# MSG hi", &["1< ERR MSG room-invalid the name is missing"]);
}

#[test]
fn set_rooms_on_names_the_home() {
    let mut room = ops();
    check(&mut room, 1, "SET rooms on", &["1< OK SET rooms on", "1 dialect 8"]);
    check(&mut room, 1, "MSG hi", &["*1 MSG alice hi, for 1 #lobby OK MSG 1"]);
    check(&mut room, 1, "#lobby MSG", &["1< #lobby ERR MSG text-missing the text is missing; write: MSG text"]);
    check(&mut room, 1, "PING", &["1< OK PING"]);
    check(
        &mut room,
        1,
        "nonsense",
        &["1< ERR - verb-unknown unknown command 'nonsense' (HELP lists the commands); to say it, write: MSG nonsense"],
    );
    check(
        &mut room,
        1,
        "##ops MSG hi",
        &["1< ERR MSG room-invalid invalid room '##ops': a name must begin with a letter or a digit, not with '#'"],
    );
    let caught_up = |room: u32| InputKind::CaughtUp(RoomId(room));
    let lobby = ["1< #lobby ROSTER 3", "1< USER alice coordinator/USER bob member/USER carol member"];
    assert_eq!(apply(&mut room, 1, caught_up(0)), lobby);
    let ops = ["1< #ops ROSTER 2", "1< in 1 USER alice coordinator/USER bob member"];
    assert_eq!(apply(&mut room, 1, caught_up(1)), ops);
    assert_eq!(apply(&mut room, 3, caught_up(1)), [""; 0], "carol has left the room meanwhile");
    send_line(&mut room, 1, "SET tags on");
    assert_eq!(apply(&mut room, 1, caught_up(1))[0], "1< @- 1970-01-01T00:00:05.000Z #ops ROSTER 2");
}

#[test]
fn part_leaves_one_room() {
    let mut room = ops();
    check(
        &mut room,
        1,
        "PART",
        &["1< ERR PART room-missing the name of a room is missing; write: PART #room [reason]"],
    );
    check(&mut room, 3, "PART #ops", &["3< ERR PART not-in-room you are not in #ops; write: JOIN #ops"]);
    let out =
        ["*- LEAVE alice part for tea in 1, for 1 OK PART #ops", "1 follows no more in 1", "*- COORDINATOR bob in 1"];
    check(&mut room, 1, "PART #Ops for tea", &out);
    send_line(&mut room, 2, "SET echo on");
    check(
        &mut room,
        2,
        "PART #ops",
        &["*- LEAVE bob part in 1, for 2 OK PART #ops", "2 follows no more in 1", "1 vanishes"],
    );
}

#[test]
fn parted_home_stays_home() {
    let mut room = room(&["alice"]);
    connect(&mut room, 2);
    let out = ["*- JOIN bob in 1", "2< OK NICK bob #team last=0", "2 follows in 1", "*- COORDINATOR bob in 1"];
    check(&mut room, 2, "NICK bob #team", &out);
    check(&mut room, 2, "MSG hi", &["*1 MSG bob hi in 1, for 2 OK MSG 1"]);
    send_line(&mut room, 2, "JOIN #lobby");
    send_line(&mut room, 2, "PART #team");
    let refused = "2< ERR MSG not-in-room you are not in #team; write: JOIN #team";
    check(&mut room, 2, "MSG hi", &[refused]);
    check(&mut room, 2, "#Team MSG hi", &[refused]);
    check(&mut room, 2, "CHAT", &["2< ERR CHAT not-in-room you are not in #team; write: JOIN #team"]);
    check(&mut room, 2, "#lobby MSG hi", &["*1 MSG bob hi, for 2 #lobby OK MSG 1"]);
    check(&mut room, 2, "NICK rob", &["2< OK NICK rob", "*- RENAME bob rob, not for 2"]);
    let out = ["2< OK JOIN #TEAM last=0", "*- JOIN rob in 2", "2 follows in 2", "*- COORDINATOR rob in 2"];
    check(&mut room, 2, "JOIN #TEAM", &out);
    check(&mut room, 2, "MSG hi", &["*1 MSG rob hi in 2, for 2 OK MSG 1"]);
}

#[test]
fn rename_and_leave_appear_in_every_room() {
    let mut room = ops();
    check(&mut room, 1, "NICK al", &["*- RENAME alice al, for 1 OK NICK al", "*- RENAME alice al in 1, not for 1"]);
    send_line(&mut room, 1, "SET echo on");
    check(&mut room, 1, "NICK alice", &["*- RENAME al alice", "1< OK NICK alice", "*- RENAME al alice in 1"]);
    let out = [
        "1< OK QUIT",
        "1 closed",
        "1 removed",
        "*- LEAVE alice quit",
        "*- LEAVE alice quit in 1",
        "*- COORDINATOR bob",
        "*- COORDINATOR bob in 1",
    ];
    check(&mut room, 1, "QUIT", &out);
}

#[test]
fn topic_is_set_shown_and_cleared() {
    let mut room = ops();
    check(&mut room, 1, "#ops TOPIC  outages ", &["*- TOPIC alice outages in 1, for 1 #ops OK TOPIC outages"]);
    check(&mut room, 2, "#ops TOPIC", &["2< #ops OK TOPIC outages"]);
    check(&mut room, 2, "TOPIC", &["2< OK TOPIC"]);
    check(&mut room, 3, "#ops TOPIC", &["3< #ops ERR TOPIC not-in-room you are not in #ops; write: JOIN #ops"]);
    let long = format!("#ops TOPIC {}", "x".repeat(513));
    check(&mut room, 2, &long, &["2< #ops ERR TOPIC text-too-long the topic is too long: expected at most 512 bytes"]);
    check(&mut room, 2, "#ops TOPIC -", &["*- TOPIC bob in 1, for 2 #ops OK TOPIC"]);
}

#[test]
fn rooms_lists_in_pages() {
    let mut room = Sessions::new(SharedState::default(), Timeouts::default()).with_unlimited_creation();
    connect(&mut room, 1);
    send_line(&mut room, 1, "NICK alice");
    connect(&mut room, 2);
    send_line(&mut room, 2, "NICK bob #r000");
    for number in 1..=105 {
        connect(&mut room, 2 + number);
        send_line(&mut room, 2 + number, &format!("NICK m{number} #r{number:0>3}"));
    }
    send_line(&mut room, 2, "TOPIC numbers");
    check(&mut room, 1, "ROOMS own", &["1< ROOM #lobby members=1 in", "1< OK ROOMS 1"]);
    let all = send_line(&mut room, 1, "rooms");
    assert_eq!((all.len(), all[1].as_str()), (101, "1< ROOM #r000 members=1 out numbers"));
    assert_eq!(all[100], "1< OK ROOMS 100 next=#r098");
    let rest = send_line(&mut room, 1, "ROOMS after=#R098");
    assert_eq!((rest.len(), rest[0].as_str(), rest[7].as_str()), (8, "1< ROOM #r099 members=1 out", "1< OK ROOMS 7"));
    check(&mut room, 2, "ROOMS #R00 after=#r008", &["2< ROOM #r009 members=1 out", "2< OK ROOMS 1"]);
    check(&mut room, 2, "ROOMS OWN", &["2< ROOM #r000 members=1 in numbers", "2< OK ROOMS 1"]);
    check(&mut room, 2, "ROOMS #Ｒ１０５", &["2< ROOM #r105 members=1 out", "2< OK ROOMS 1"]);
    check(&mut room, 2, "ROOMS #nope", &["2< OK ROOMS 0"]);
    check(&mut room, 2, "ROOMS #,", &["2< OK ROOMS 0"]);
    connect(&mut room, 200);
    check(&mut room, 200, "ROOMS #l", &["200< ROOM #lobby members=1 out", "200< OK ROOMS 1"]);
    assert!(send_line(&mut room, 1, "ROOMS own #ops")[0].contains("argument-unexpected"));
}

#[test]
fn rooms_are_refused_with_their_codes() {
    let limits = StateLimits { rooms: 2, rooms_per_member: 3, ..StateLimits::default() };
    let mut room = Sessions::new(SharedState::new(limits), Timeouts::default());
    for session in 1..=2 {
        connect(&mut room, session);
        send_line(&mut room, session, &format!("NICK m{session}"));
    }
    let list = (0..17).map(|number| format!("#r{number}")).collect::<Vec<_>>().join(",");
    check(
        &mut room,
        1,
        &format!("JOIN {list}"),
        &["1< ERR JOIN rooms-too-many 17 rooms: expected at most 16 in one JOIN"],
    );
    let many = "you would be in too many rooms: expected at most 3; write: PART #room [reason]";
    check(&mut room, 1, "JOIN #a,#b,#c", &[&format!("1< ERR JOIN rooms-too-many {many}")]);
    let alike = "room-alike #1obby looks too much like #lobby, which exists; ROOMS lists rooms";
    check(&mut room, 1, "JOIN #1obby", &[&format!("1< ERR JOIN {alike}")]);
    send_line(&mut room, 1, "JOIN #a,#b");
    let full = "rooms-full the server has its maximum of 2 rooms; ROOMS lists rooms";
    check(&mut room, 2, "JOIN #c", &[&format!("2< ERR JOIN {full}")]);
    connect(&mut room, 3);
    check(&mut room, 3, "NICK m3 #c", &[&format!("3< ERR NICK {full}")]);
    check(&mut room, 3, "NICK m3 #1obby", &[&format!("3< ERR NICK {alike}")]);
    assert!(send_line(&mut room, 3, "NICK m3 ##c")[0].starts_with("3< ERR NICK room-invalid invalid room '##c'"));
    send_line(&mut room, 3, "NICK m3 #a");
    let named = "you are already m3: #b is not part of your name";
    check(&mut room, 3, "NICK m4 #b", &[&format!("3< ERR NICK room-unexpected {named}; write: JOIN #room[,#room...]")]);
    check(
        &mut room,
        1,
        "JOIN #a #b",
        &["1< ERR JOIN argument-unexpected unexpected argument '#b'; write: JOIN #room[,#room...]"],
    );
    check(
        &mut room,
        1,
        "JOIN #a,",
        &["1< ERR JOIN room-missing the name of a room is missing; write: JOIN #room[,#room...]"],
    );
}

#[test]
fn address_cannot_create_rooms_too_fast() {
    let mut room = room(&["alice", "bob"]);
    let create =
        |room: &mut Sessions, number: u32| send_line(room, 1 + u64::from(number % 2), &format!("JOIN #r{number}"));
    for number in 0..ROOM_CREATION_BURST {
        assert!(create(&mut room, number)[0].contains("OK JOIN"), "{number}");
    }
    let fast =
        "your address creates rooms too fast: expected at most 100 at once, and then one in 60 s; try again later";
    assert_eq!(create(&mut room, 100), [format!("1< ERR JOIN rooms-too-fast {fast}")]);
    assert_eq!(send_line(&mut room, 2, "JOIN #r0")[0], "2< OK JOIN #r0 last=0", "this room exists");
    assert!(send_line(&mut room, 2, "JOIN #1obby")[0].contains("room-alike"), "a refused command costs nothing");
    tick(&mut room, ROOM_CREATION_SECONDS);
    assert!(create(&mut room, 100)[0].contains("OK JOIN"));
}

#[test]
fn watcher_reads_one_room_and_does_not_speak() {
    let mut room = ops();
    send_line(&mut room, 1, "#ops MSG hi");
    connect(&mut room, 4);
    check(&mut room, 4, "WATCH #nope", &["4< ERR WATCH not-in-room #nope does not exist; ROOMS lists rooms"]);
    check(&mut room, 4, "WATCH #Ops", &["4< OK WATCH #ops last=1", "4 follows in 1"]);
    check(&mut room, 4, "WATCH #ops", &["4< OK WATCH #ops last=1"]);
    check(&mut room, 4, "HISTORY", &["4< in 1 PAST 1 1970-01-01T00:00:05.000Z alice hi", "4< OK HISTORY 1 last=1"]);
    check(&mut room, 4, "#ops SINCE 1", &["4< in 1 ", "4< OK SINCE 0 last=1"]);
    check(&mut room, 4, "WHO", &["4< in 1 USER alice coordinator/USER bob member", "4< OK WHO 2 watching=1"]);
    check(&mut room, 4, "#lobby WHO", &["4< #lobby ERR WHO not-in-room you are not in #lobby; write: JOIN #lobby"]);
    check(&mut room, 4, "TOPIC", &["4< OK TOPIC"]);
    check(&mut room, 4, "ROOMS own", &["4< ROOM #ops members=2 in", "4< OK ROOMS 1"]);
    for line in ["MSG hi", "TOPIC x", "STATUS", "DRAW clear", "WHISPER bob hi", "JOIN #ops", "PART #ops", "CHAT"] {
        let verb = line.split(' ').next().unwrap();
        check(&mut room, 4, line, &[&format!("4< ERR {verb} no-name you have no name yet; take one first: NICK name")]);
    }
    check(&mut room, 4, "WATCH", &["4 follows no more in 1", "4< OK WATCH #lobby last=0", "4 follows"]);
    check(
        &mut room,
        1,
        "WATCH",
        &[
            "1< ERR WATCH already-named you are already alice: WATCH is for clients without a name; write: JOIN #room[,#room...]",
        ],
    );
    assert_eq!(
        apply(&mut room, 4, InputKind::Disconnected(LeaveReason::Lost)),
        ["4 follows no more", "4 closed", "4 removed"]
    );
    check(&mut room, 3, "WHO", &["3< USER alice coordinator/USER bob member/USER carol member", "3< OK WHO 3"]);
}

#[test]
fn watcher_becomes_member_without_a_gap() {
    let mut room = ops();
    for session in 4..=6 {
        connect(&mut room, session);
        send_line(&mut room, session, "WATCH #ops");
    }
    check(&mut room, 4, "NICK dave", &["*- JOIN dave in 1, for 4 OK NICK dave"]);
    check(&mut room, 4, "MSG hi", &["*1 MSG dave hi in 1, for 4 OK MSG 1"]);
    send_line(&mut room, 5, "SET echo on");
    check(&mut room, 5, "NICK eve #ops", &["*- JOIN eve in 1", "5< OK NICK eve #ops last=1"]);
    check(
        &mut room,
        6,
        "NICK finn #lobby",
        &["6 follows no more in 1", "*- JOIN finn", "6< OK NICK finn #lobby last=0", "6 follows"],
    );
}

#[test]
fn watch_can_be_off_and_needs_no_name_in_time() {
    let mut off = Sessions::default().without_watch();
    connect(&mut off, 1);
    check(
        &mut off,
        1,
        "WATCH",
        &["1< ERR WATCH watch-off this server does not let clients read without a name; write: NICK name"],
    );
    let timeouts = Timeouts { name_seconds: 60, ..Timeouts::default() };
    let mut room = Sessions::new(SharedState::default(), timeouts);
    connect(&mut room, 1);
    send_line(&mut room, 1, "WATCH");
    assert_eq!(tick(&mut room, 1000), [""; 0]);
}

#[test]
fn resume_takes_back_all_rooms() {
    let mut room = Sessions::new(resumable_state(60), Timeouts::default());
    let secret = Secret::new([1; 16]);
    connect(&mut room, 1);
    apply(&mut room, 1, resumable(secret));
    for line in ["NICK alice #team", "JOIN #lobby,#ops,#dev", "PART #dev", "CHAT #ops"] {
        send_line(&mut room, 1, line);
    }
    connect(&mut room, 2);
    send_line(&mut room, 2, "WATCH #team");
    let out = send_line(&mut room, 2, &format!("RESUME {}", ResumeToken { id: 1, secret }));
    let expected = [
        "2 follows no more in 1",
        "1 closed",
        "1 removed",
        "2< OK RESUME alice",
        "2 follows in 1",
        "2 follows, not home",
        "2 follows in 2, not home",
    ];
    assert_eq!(
        out.iter().filter(|line| !line.contains("ERR - resumed")).collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    let own =
        ["2< ROOM #lobby members=1 in", "2< ROOM #ops members=1 in", "2< ROOM #team members=1 in", "2< OK ROOMS 3"];
    check(&mut room, 2, "ROOMS own", &own);
    check(&mut room, 2, "MSG hi", &["*1 MSG alice hi in 1, for 2 OK MSG 1"]);
    send_line(&mut room, 2, "CHAT");
    assert!(send_line_in(&mut room, 2, "#dev hi", Mode::Chat)[0].contains("room-ambiguous"), "the room is remembered");
}

#[test]
fn status_of_room_has_no_addresses() {
    let mut room = ops();
    let status = "1< in 1 USER alice coordinator id=1 idle=0 online=0/USER bob member id=2 idle=0 online=0";
    check(&mut room, 1, "#ops STATUS", &[status, "1< #ops OK STATUS 2"]);
    check(
        &mut room,
        2,
        "#ops STATUS",
        &["2< #ops ERR STATUS not-coordinator only the coordinator (alice) may see this"],
    );
}

/// Also with `SET rooms on`, and in a session that is in the lobby and has another home.
#[test]
fn shutdown_notice_reaches_each_session_once_without_a_room() {
    let mut room = room(&["alice"]);
    send_line(&mut room, 1, "JOIN #ops");
    send_line(&mut room, 1, "SET rooms on");
    connect(&mut room, 2);
    send_line(&mut room, 2, "NICK bob #ops");
    send_line(&mut room, 2, "JOIN #lobby");
    connect(&mut room, 3);
    send_line(&mut room, 3, "WATCH #ops");
    connect(&mut room, 4);
    send_line(&mut room, 4, "SET tags on");
    let notice = "NOTICE the server is shutting down";
    let expected = [
        format!("1< {notice}"),
        "1 closed".into(),
        "1 removed".into(),
        format!("2< {notice}"),
        "2 closed".into(),
        "2 removed".into(),
        format!("3< {notice}"),
        "3 closed".into(),
        "3 removed".into(),
        format!("4< @- 1970-01-01T00:00:05.000Z {notice}"),
        "4 closed".into(),
        "4 removed".into(),
    ];
    assert_eq!(apply(&mut room, 0, InputKind::Shutdown), expected);
}

/// A hint names the room, unless a line without a room is about it, too.
#[test]
fn hint_names_the_room_that_the_line_names() {
    let mut room = ops();
    let missing = "ERR MSG text-missing the text is missing; write: ";
    check(&mut room, 1, "#OPS MSG", &[&format!("1< #ops {missing}#ops MSG text")]);
    check(&mut room, 3, "#nope MSG", &[&format!("3< #nope {missing}#nope MSG text")]);
    check(
        &mut room,
        1,
        "#ops FOO bar",
        &[
            "1< #ops ERR - verb-unknown unknown command 'FOO' (HELP lists the commands); to say it, write: #ops MSG FOO bar",
        ],
    );
    check(
        &mut room,
        1,
        "#ops DRAW",
        &["1< #ops ERR DRAW colour-invalid the colour is missing: expected #rrggbb, such as #1e90ff; \
           write: #ops DRAW #rrggbb width x,y..., or #ops DRAW clear"],
    );
    check(
        &mut room,
        1,
        "#ops /tell bob psst",
        &["1< #ops ERR - verb-unknown unknown command '/tell' (HELP lists the commands, without a slash); \
           to whisper, write: WHISPER name[,name...] text; to say it to everybody: #ops MSG text"],
    );
    let ahead = "ERR SINCE id-ahead the last id is 0; if your id is from another epoch";
    check(
        &mut room,
        1,
        "#ops SINCE 9",
        &[&format!(
            "1< #ops {ahead} (the reply to NICK, JOIN or WATCH has the current one), write: #ops HISTORY [count]"
        )],
    );
    let in_lobby = format!("1< {ahead} (HELLO has the current one), write: HISTORY [count]");
    check(&mut room, 1, "SINCE 9", &[&in_lobby]);
    check(&mut room, 1, "#lobby SINCE 9", &[&in_lobby]);
}
