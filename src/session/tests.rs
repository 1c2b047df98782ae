//! Tests of sessions and their shared state: the outputs of each line. The simulation and the transcripts in `protocol.md` test what several
//! members see, and in which order.

use super::*;
use crate::command::{ClientLine, Command, Set, Setting, Verb};
use crate::limits::{ERRORS_IN_A_ROW_MAX, EXPIRED_PER_TURN_MAX};
use crate::protocol::{DrawnStroke, Ending, MessageId, Secret, Token};
use crate::state::{StateLimits, StoredRoom};

/// A room with these members; the first one has session 1.
pub(super) fn room(names: &[&str]) -> Sessions {
    room_of(SharedState::default(), names)
}

fn room_of(state: SharedState, names: &[&str]) -> Sessions {
    let mut room = Sessions::new(state, Timeouts::default());
    for (session, name) in (1..).zip(names) {
        connect(&mut room, session);
        send_line(&mut room, session, &format!("NICK {name}"));
    }
    room
}

/// A connection over the loopback interface.
pub(super) fn connect(room: &mut Sessions, session: u64) -> Vec<String> {
    apply(room, session, InputKind::Connect(([127, 0, 0, 1], 1024).into()))
}

/// `SET resume on`, with this secret.
pub(super) fn resumable(secret: Secret) -> InputKind {
    InputKind::CommandWithSecret(Set { setting: Setting::Resume, on: true }.into(), secret)
}

/// The outputs of an action: `session< line` for private lines, `* event` for published ones, and the other outputs.
pub(super) fn apply(room: &mut Sessions, session: u64, action: InputKind) -> Vec<String> {
    let mut out = Vec::new();
    room.apply(Input { at: Timestamp(5_000), session: SessionId(session), kind: action }, &mut out);
    // Each line is answered at the end of its outputs, unless it waits.
    let own = Output::Answered(SessionId(session));
    out.pop_if(|last| *last == own);
    // `tests/tcp/log.rs` checks the log.
    out.retain(|output| !matches!(output, Output::Log(_) | Output::WrongPassword(_)));
    out.iter().map(|output| format_output(room, output)).collect()
}

/// An output as `apply` returns it.
pub(super) fn format_output(room: &Sessions, output: &Output) -> String {
    let state = room.state();
    let drawn = |id: RoomId, numbers| {
        let room = state.room(id).unwrap();
        room.canvas().range(numbers).map(DrawnStroke::to_string).collect::<Vec<_>>().join("/")
    };
    let past = |id: RoomId, numbers| {
        let room = state.room(id).unwrap();
        room.history().messages().range(numbers).map(ToString::to_string).collect::<Vec<_>>().join("/")
    };
    // The lobby is not shown.
    let at = |RoomId(room): RoomId| if room == 0 { String::new() } else { format!(" in {room}") };
    match output {
        Output::Answered(SessionId(session)) => format!("{session} answered"),
        Output::QueryStore { session: SessionId(session), room, query, until: MessageId(until), .. } => {
            format!("{session} queries {query:?}{} up to {until}", at(*room))
        }
        Output::SendStrokes(SessionId(session), room, numbers) => {
            format!("{session}<{} {}", at(*room), drawn(*room, numbers.clone()))
        }
        Output::SendMessages(SessionId(session), room, numbers) => {
            format!("{session}<{} {}", at(*room), past(*room, numbers.clone()))
        }
        Output::Send(SessionId(session), _, line) => format!("{session}< {line}"),
        Output::SendAfterAll(SessionId(session), line) => format!("{session}< {line}"),
        Output::SendUsers(SessionId(session), room, users) => {
            let users: Vec<_> = users.iter().map(User::to_string).collect();
            format!("{session}<{} {}", at(*room), users.join("/"))
        }
        Output::Publish { room, id, session: SessionId(session), event, own, .. } => {
            let id = id.map_or_else(|| "-".to_owned(), |id| id.0.to_string());
            let own = match own {
                OwnLine::Event => String::new(),
                OwnLine::Nothing => format!(", not for {session}"),
                OwnLine::Reply(None, reply) => format!(", for {session} {reply}"),
                OwnLine::Reply(Some(room), reply) => format!(", for {session} {room} {reply}"),
            };
            format!("*{id} {event}{}{own}", at(*room))
        }
        Output::CloseRoom(RoomId(room)) => format!("{room} vanishes"),
        Output::Unfollow(SessionId(session), room) => format!("{session} follows no more{}", at(*room)),
        Output::SetDialect(SessionId(session), dialect) => format!("{session} dialect {}", dialect.index()),
        Output::Follow(SessionId(session), room, is_home) => {
            format!("{session} follows{}{}", at(*room), if *is_home { "" } else { ", not home" })
        }
        Output::SetMode(SessionId(session), mode) => format!("{session} mode {mode:?}"),
        Output::Close(SessionId(session), _) => format!("{session} closed"),
        Output::Detach(SessionId(session)) => format!("{session} detached"),
        Output::Remove(SessionId(session)) => format!("{session} removed"),
        Output::CheckPassword(job) => format!("{} {:?}", job.session.0, job.work),
        Output::WrongPassword(address) => format!("wrong password from {address}"),
        Output::AccountChanged(result) => format!("operator: {result:?}"),
        Output::Moderated(line) => format!("operator< {line}"),
        Output::BanNetwork(network, end) => format!("{network} banned: {end:?}"),
        Output::NodeJoined { node, incarnation, is_own } => {
            format!("{node} joined as {}, own: {is_own}", incarnation.0)
        }
        Output::NodeExpired { node, incarnation, is_own } => {
            format!("{node} expired as {}, own: {is_own}", incarnation.0)
        }
        Output::Log(change) => format!("log: {change:?}"),
    }
}

pub(super) fn send_line(room: &mut Sessions, session: u64, line: &str) -> Vec<String> {
    send_line_in(room, session, line, Mode::Commands)
}

pub(super) fn send_line_in(room: &mut Sessions, session: u64, line: &str, mode: Mode) -> Vec<String> {
    apply(room, session, ClientLine::parse(line, mode).into())
}

#[test]
fn commands_have_their_outputs_in_order() {
    let mut room = room(&["alice", "bob"]);
    let mut check =
        |session, line: &str, expected: &[&str]| assert_eq!(send_line(&mut room, session, line), expected, "{line}");
    check(1, "MSG hi", &["*1 MSG alice hi, for 1 OK MSG 1"]);
    check(2, "NICK rob", &["*- RENAME bob rob, for 2 OK NICK rob"]);
    check(2, "NICK rob", &["2< OK NICK rob"]);
    check(2, "NICK Rob", &["*- RENAME rob Rob, for 2 OK NICK Rob"]);
    check(1, "WHISPER ROB hi", &["2< WHISPER alice hi", "1< OK WHISPER Rob"]);
    check(1, "SET tags on", &["1< OK SET tags on", "1 dialect 2"]);
    check(2, "WHISPER alice hi", &["1< @- 1970-01-01T00:00:05.000Z WHISPER Rob hi", "2< OK WHISPER alice"]);
    check(1, "SET echo on", &["1< OK SET echo on"]);
    check(1, "MSG again", &["*2 MSG alice again", "1< OK MSG 2"]);
    check(1, "CHAT", &["1 mode Chat", "1< OK CHAT on"]);
    check(1, "PONG x", &[]);
    check(1, "QUIT", &["1< OK QUIT", "1 closed", "1 removed", "*- LEAVE alice quit", "*- COORDINATOR Rob"]);
    check(1, "MSG from beyond", &[]);
}

#[test]
fn help_in_chat_mode_shows_what_to_type() {
    let mut room = room(&["alice"]);
    let mut help = |line: &str, mode| {
        let command = Command::parse(line, mode).expect("valid").expect("not blank");
        apply(&mut room, 1, InputKind::Command(command))
    };
    assert_eq!(help("HELP /who", Mode::Commands), ["1< NOTICE WHO: list the members", "1< OK HELP"]);
    help("CHAT", Mode::Commands);
    let whisper = "1< NOTICE /msg name[,name...] text: send a message to the named members only";
    let message = "1< NOTICE text: send a message to everybody in the room";
    assert_eq!(help("/help /who", Mode::Chat), ["1< NOTICE /WHO: list the members", "1< OK HELP"]);
    assert_eq!(help("/help w", Mode::Chat), [whisper, "1< OK HELP"]);
    assert_eq!(help("/help msg", Mode::Chat), [whisper, message, "1< OK HELP"]);
    assert!(help("/help draw", Mode::Chat)[0].starts_with("1< NOTICE /DRAW #rrggbb width x,y..., or /DRAW clear: "));
    let all = help("/help", Mode::Chat);
    // The server needs no password, so the list has no `PASS`, and it has no accounts, hence no moderators. The last line is the reply.
    let is_offered = |verb: Verb| verb != Verb::Pass && !verb.is_about_account() && !verb.is_about_moderation();
    let offered = Verb::ALL.iter().filter(|verb| is_offered(**verb));
    assert_eq!(all.len(), offered.count() + 1);
    assert!(all[1..3].iter().map(String::as_str).eq([message, whisper]), "{all:?}");
}

/// The dialect has a bit for each of CR LF, `tags` and `draw`.
#[test]
fn set_changes_one_part_of_dialect() {
    let mut room = room(&["alice"]);
    assert_eq!(apply(&mut room, 1, InputKind::Ending(Ending::CrLf)), ["1 dialect 1"]);
    let changes = [("draw on", 5), ("tags on", 7), ("draw off", 3), ("draw on", 7), ("tags off", 5), ("draw off", 1)];
    for (change, dialect) in changes {
        let expected = [format!("1< OK SET {change}"), format!("1 dialect {dialect}")];
        assert_eq!(send_line(&mut room, 1, &format!("SET {change}")), expected);
    }
}

#[test]
fn who_list_follows_every_change() {
    let mut room = room(&["alice", "bob"]);
    let mut who = |line: &str| {
        send_line(&mut room, 2, line);
        send_line(&mut room, 2, "WHO")
    };
    assert_eq!(who("PING"), ["2< USER alice coordinator/USER bob member", "2< OK WHO 2"]);
    assert_eq!(who("NICK rob"), ["2< USER alice coordinator/USER rob member", "2< OK WHO 2"]);
    connect(&mut room, 3);
    send_line(&mut room, 3, "NICK carol");
    send_line(&mut room, 1, "QUIT");
    assert_eq!(send_line(&mut room, 2, "WHO"), ["2< USER rob coordinator/USER carol member", "2< OK WHO 2"]);
    connect(&mut room, 4);
    send_line(&mut room, 4, "NICK dave");
    send_line(&mut room, 3, "QUIT");
    assert_eq!(send_line(&mut room, 2, "WHO"), ["2< USER rob coordinator/USER dave member", "2< OK WHO 2"]);
    send_line(&mut room, 4, "QUIT");
    assert_eq!(send_line(&mut room, 2, "WHO"), ["2< USER rob coordinator", "2< OK WHO 1"]);
}

#[test]
fn history_is_replayed_on_request() {
    let limits = StateLimits { history_messages: 2, ..StateLimits::default() };
    let mut room = room_of(SharedState::new(limits).with_epoch(Token::truncated("k7qd")), &["alice", "bob"]);
    let mut check =
        |session, line: &str, expected: &[&str]| assert_eq!(send_line(&mut room, session, line), expected, "{line}");
    let time = "1970-01-01T00:00:05.000Z";
    let [one, two, three] = ["1 {} alice one", "2 {} alice two", "3 {} alice three"]
        .map(|past| format!("1< PAST {}", past.replace("{}", time)));
    check(1, "HISTORY", &["1< ", "1< OK HISTORY 0 last=0"]);
    check(1, "SINCE 0 k7qd", &["1< ", "1< OK SINCE 0 last=0"]);
    check(1, "MSG one", &["*1 MSG alice one, for 1 OK MSG 1"]);
    check(1, "MSG two", &["*2 MSG alice two, for 1 OK MSG 2"]);
    check(2, "WHISPER alice psst", &["1< WHISPER bob psst", "2< OK WHISPER alice"]);
    check(1, "HISTORY 1", &[&two, "1< OK HISTORY 1 last=2"]);
    check(1, "HISTORY 0", &["1< ", "1< OK HISTORY 0 last=2"]);
    check(1, "SINCE 0", &[&format!("{one}/{}", &two[3..]), "1< OK SINCE 2 last=2"]);
    check(1, "NICK al", &["*- RENAME alice al, for 1 OK NICK al"]);
    check(1, "NICK alice", &["*- RENAME al alice, for 1 OK NICK alice"]);
    check(1, "MSG three", &["*3 MSG alice three, for 1 OK MSG 3"]);
    check(1, "SINCE 1", &[&format!("{two}/{}", &three[3..]), "1< OK SINCE 2 last=3"]);
    check(1, "SINCE 2", &[&three, "1< OK SINCE 1 last=3"]);
    let old = "1< ERR SINCE too-old the oldest message that is kept has id 2; to get all messages from there on, write: SINCE 1";
    check(1, "SINCE 0", &[old]);
    let ahead = "1< ERR SINCE id-ahead the last id is 3; if your id is from another epoch (HELLO has the current one), write: HISTORY [count]";
    check(1, "SINCE 9", &[ahead]);
    let changed = "1< ERR SINCE epoch-changed the epoch is k7qd, not older: ids of another epoch are not valid; write: HISTORY [count]";
    check(1, "SINCE 9 older", &[changed]);
}

#[test]
fn history_beyond_memory_is_read_from_store() {
    let state = SharedState::new(StateLimits { history_messages: 2, ..StateLimits::default() });
    let mut room = Sessions::new(state, Timeouts::default()).with_store(Box::new(MemorySequencer::default()));
    connect(&mut room, 1);
    for line in ["NICK alice", "MSG one", "MSG two", "MSG three"] {
        send_line(&mut room, 1, line);
    }
    let past = |id, text| format!("PAST {id} 1970-01-01T00:00:05.000Z alice {text}");
    let both = format!("1< {}/{}", past(2, "two"), past(3, "three"));
    let mut check = |line: &str, expected: &[&str]| assert_eq!(send_line(&mut room, 1, line), expected, "{line}");
    check("HISTORY 2", &[&both, "1< OK HISTORY 2 last=3"]);
    check("HISTORY 3", &["1 queries Last(3) up to 3"]);
    check("HISTORY", &["1 queries Last(20) up to 3"]);
    check("SINCE 1", &[&both, "1< OK SINCE 2 last=3"]);
    check("SINCE 0", &["1 queries Since(MessageId(0)) up to 3"]);
    let ahead = "1< ERR SINCE id-ahead the last id is 3; if your id is from another epoch (HELLO has the current one), write: HISTORY [count]";
    check("SINCE 4", &[ahead]);
    check("SEARCH one", &["1 queries Words(Text(\"one\")) up to 3"]);
}

#[test]
fn strokes_have_no_id_and_are_evicted_or_cleared() {
    let limits = StateLimits { canvas_strokes: 2, ..StateLimits::default() };
    let mut room = room_of(SharedState::new(limits), &["alice", "bob"]);
    let mut check =
        |session, line: &str, expected: &[&str]| assert_eq!(send_line(&mut room, session, line), expected, "{line}");
    check(2, "SET draw on", &["2< OK SET draw on", "2 dialect 4"]);
    check(1, "CANVAS", &["1< ", "1< OK CANVAS 0"]);
    check(1, "DRAW #FF0000 9 1,2", &["*- DRAW alice #ff0000 9 1,2, for 1 OK DRAW"]);
    check(1, "MSG like this", &["*1 MSG alice like this, for 1 OK MSG 1"]);
    check(2, "SET echo on", &["2< OK SET echo on"]);
    check(2, "DRAW #0000ff 9 3,4 5,6", &["*- DRAW bob #0000ff 9 3,4 5,6", "2< OK DRAW"]);
    check(1, "CANVAS", &["1< STROKE alice #ff0000 9 1,2/STROKE bob #0000ff 9 3,4 5,6", "1< OK CANVAS 2"]);
    check(1, "DRAW #ff0000 9 7,8", &["*- DRAW alice #ff0000 9 7,8, for 1 OK DRAW"]);
    check(2, "CANVAS", &["2< STROKE bob #0000ff 9 3,4 5,6/STROKE alice #ff0000 9 7,8", "2< OK CANVAS 2"]);
    check(1, "DRAW clear", &["*- DRAW alice clear, for 1 OK DRAW"]);
    check(2, "CANVAS", &["2< ", "2< OK CANVAS 0"]);
    check(2, "SET draw off", &["2< OK SET draw off", "2 dialect 0"]);
    check(
        1,
        "DRAW #000000 0 1,1",
        &[
            "1< ERR DRAW width-invalid invalid width '0': expected 1 to 999; write: DRAW #rrggbb width x,y..., or DRAW clear",
        ],
    );
    check(1, "HISTORY", &["1< PAST 1 1970-01-01T00:00:05.000Z alice like this", "1< OK HISTORY 1 last=1"]);
}

#[test]
fn fifty_invalid_lines_in_a_row_end_the_session() {
    let mut room = room(&["alice"]);
    for _ in 1..ERRORS_IN_A_ROW_MAX {
        assert_eq!(send_line(&mut room, 1, "nonsense").len(), 1);
    }
    // Any known command interrupts the row, also a refused one. A blank line does not.
    for command in ["MSG", "PING"] {
        send_line(&mut room, 1, command);
        for _ in 1..ERRORS_IN_A_ROW_MAX {
            assert_eq!(send_line(&mut room, 1, "nonsense").len(), 1);
            apply(&mut room, 1, InputKind::Blank);
        }
    }
    let why = "1< ERR - too-many-errors 50 invalid lines in a row; connect again and write: HELP";
    assert_eq!(send_line(&mut room, 1, "nonsense")[1..], [why, "1 closed", "1 removed", "*- LEAVE alice errors"]);
}

/// An `OK` would promise a delivery that cannot happen.
#[test]
fn whisper_to_leaving_member_is_refused() {
    let mut room = room(&["alice", "bob"]);
    apply(&mut room, 2, InputKind::EndOfInput);
    let refusal = "ERR WHISPER target-absent bob is leaving and receives no more messages; nothing was delivered";
    assert_eq!(send_line(&mut room, 1, "WHISPER bob hi"), [format!("1< {refusal}")]);
}

#[test]
fn whisper_to_own_name_is_refused() {
    let mut room = room(&["alice", "bob"]);
    let refused = send_line(&mut room, 1, "WHISPER bob,ALICE hi");
    assert!(refused.len() == 1 && refused[0].starts_with("1< ERR WHISPER target-self "), "{refused:?}");
}

#[test]
fn own_join_is_an_event_only_with_echo() {
    let mut room = room(&["alice"]);
    connect(&mut room, 2);
    assert_eq!(send_line(&mut room, 2, "NICK bob"), ["*- JOIN bob", "2< OK NICK bob", "2 follows"]);
    connect(&mut room, 3);
    send_line(&mut room, 3, "SET echo on");
    assert_eq!(send_line(&mut room, 3, "NICK carol"), ["3 follows", "*- JOIN carol", "3< OK NICK carol"]);
}

#[test]
fn name_is_free_at_once_after_leave() {
    let mut room = room(&["alice", "bob"]);
    send_line(&mut room, 1, "NICK carol");
    assert_eq!(send_line(&mut room, 2, "NICK ALICE"), ["*- RENAME bob ALICE, for 2 OK NICK ALICE"]);
    apply(&mut room, 1, InputKind::Disconnected(LeaveReason::Lost));
    assert_eq!(send_line(&mut room, 2, "NICK carol"), ["*- RENAME ALICE carol, for 2 OK NICK carol"]);
}

#[test]
fn end_of_input_is_not_a_leave() {
    let mut room = room(&["alice"]);
    assert_eq!(apply(&mut room, 1, InputKind::EndOfInput), ["1 closed"]);
    assert_eq!(
        apply(&mut room, 1, InputKind::Disconnected(LeaveReason::Eof)),
        ["1 closed", "1 removed", "*- LEAVE alice eof"]
    );
    assert_eq!(apply(&mut room, 1, InputKind::Disconnected(LeaveReason::Eof)), Vec::<String>::new());
}

#[test]
fn connection_during_shutdown_is_refused() {
    let mut room = room(&["alice"]);
    let farewell = "NOTICE the server is shutting down";
    assert_eq!(apply(&mut room, 0, InputKind::Shutdown), [&format!("1< {farewell}"), "1 closed", "1 removed"]);
    let late = connect(&mut room, 2);
    assert_eq!(late, [&format!("2< {farewell}"), "2 closed", "2 removed"]);
    assert_eq!((room.connected_count(), room.names().count()), (0, 0));
}

#[test]
fn status_has_idle_and_online_seconds() {
    let mut room = room(&["alice", "bob"]);
    tick(&mut room, 40);
    apply(&mut room, 2, InputKind::Blank);
    connect(&mut room, 3);
    tick(&mut room, 50);
    send_line(&mut room, 3, "NICK carol");
    tick(&mut room, 63);
    let bob = "USER bob member id=2 address=127.0.0.1:1024 idle=23 online=63";
    let alice = "USER alice coordinator id=1 address=127.0.0.1:1024 idle=0 online=63";
    let carol = "USER carol member id=3 address=127.0.0.1:1024 idle=13 online=13";
    let expected = [format!("1< {alice}/{bob}/{carol}"), "1< OK STATUS 3".to_owned()];
    assert_eq!(send_line(&mut room, 1, "STATUS"), expected);
}

#[test]
fn ids_continue_after_last_id_of_room() {
    let stored = StoredRoom { last_id: MessageId(5), ..StoredRoom::default() };
    let mut room = room_of(
        SharedState::default().with_stored_room(RoomId::LOBBY, RoomName::lobby(), stored, Vec::new()),
        &["alice"],
    );
    assert_eq!(send_line(&mut room, 1, "MSG hi"), ["*6 MSG alice hi, for 1 OK MSG 6"]);
}

pub(super) fn tick(room: &mut Sessions, seconds: u64) -> Vec<String> {
    apply(room, SessionId::SERVER.0, InputKind::Tick(Uptime(seconds)))
}

#[test]
fn name_timeout_ends_session_despite_lines() {
    let mut room = Sessions::new(SharedState::default(), Timeouts { name_seconds: 60, ..Timeouts::default() });
    for session in 1..=3 {
        connect(&mut room, session);
    }
    send_line(&mut room, 1, "NICK alice");
    assert_eq!(tick(&mut room, 60), Vec::<String>::new());
    send_line(&mut room, 2, "PING still typing");
    apply(&mut room, 3, InputKind::EndOfInput);
    let why = "ERR - name-timeout you did not take a name within 60 s; connect again and write: NICK name";
    assert_eq!(tick(&mut room, 61), [&format!("2< {why}"), "2 closed", "2 removed"]);
    assert_eq!(tick(&mut room, 1000), Vec::<String>::new());
}

#[test]
fn silent_session_gets_ping_then_leaves() {
    let mut room = Sessions::new(SharedState::default(), Timeouts { name_seconds: 60, idle_seconds: 20 });
    for (session, name) in [(1, "alice"), (2, "bob"), (3, "carol")] {
        connect(&mut room, session);
        send_line(&mut room, session, &format!("NICK {name}"));
    }
    send_line(&mut room, 3, "SET tags on");
    assert_eq!(tick(&mut room, 10), Vec::<String>::new());
    assert_eq!(tick(&mut room, 11), ["1< PING idle", "2< PING idle", "3< @- 1970-01-01T00:00:05.000Z PING idle"]);
    assert_eq!(tick(&mut room, 12), Vec::<String>::new(), "is_pinged once");
    send_line(&mut room, 1, "PONG idle");
    apply(&mut room, 2, InputKind::Blank);
    send_line(&mut room, 3, "nonsense is a sign of life, too");
    assert_eq!(tick(&mut room, 23), ["1< PING idle", "2< PING idle", "3< @- 1970-01-01T00:00:05.000Z PING idle"]);
    send_line(&mut room, 3, "PONG idle");
    let why = "ERR - idle-timeout you sent no line for 20 s; connect again and answer PING";
    let left = ["*- LEAVE alice timeout", "*- COORDINATOR bob", "*- LEAVE bob timeout", "*- COORDINATOR carol"];
    let expected = |session| [format!("{session}< {why}"), format!("{session} closed"), format!("{session} removed")];
    let mut out = expected(1).to_vec();
    out.extend([left[0].to_owned(), left[1].to_owned()]);
    out.extend(expected(2));
    out.extend([left[2].to_owned(), left[3].to_owned()]);
    assert_eq!(tick(&mut room, 32), Vec::<String>::new());
    assert_eq!(tick(&mut room, 33), out);
}

#[test]
fn caught_up_session_gets_member_list() {
    let mut room = room(&["alice", "bob"]);
    send_line(&mut room, 2, "SET tags on");
    let users = "USER alice coordinator/USER bob member";
    assert_eq!(
        apply(&mut room, 1, InputKind::CaughtUp(RoomId::LOBBY)),
        ["1< ROSTER 2".to_owned(), format!("1< {users}")]
    );
    let tagged = "2< @- 1970-01-01T00:00:05.000Z ROSTER 2";
    assert_eq!(apply(&mut room, 2, InputKind::CaughtUp(RoomId::LOBBY)), [tagged.to_owned(), format!("2< {users}")]);
    send_line(&mut room, 2, "QUIT");
    assert_eq!(apply(&mut room, 2, InputKind::CaughtUp(RoomId::LOBBY)), [""; 0]);
}

#[test]
fn expired_members_leave_in_turns_at_the_same_tick() {
    let mut room = Sessions::new(SharedState::default(), Timeouts { idle_seconds: 20, ..Timeouts::default() });
    for session in 1..=EXPIRED_PER_TURN_MAX as u64 * 2 + 1 {
        connect(&mut room, session);
        send_line(&mut room, session, &format!("NICK {session:0>32}"));
    }
    let mut turn = || (tick(&mut room, 21).iter().filter(|line| line.ends_with("removed")).count(), room.has_expired());
    let turns = [turn(), turn(), turn(), turn()];
    assert_eq!(turns, [(EXPIRED_PER_TURN_MAX, true), (EXPIRED_PER_TURN_MAX, true), (1, false), (0, false)]);
}

/// Telnet's AYT is a sign of life, like a line.
#[test]
fn are_you_there_gets_a_notice_and_postpones_the_idle_timeout() {
    let mut room = Sessions::new(SharedState::default(), Timeouts { idle_seconds: 20, ..Timeouts::default() });
    connect(&mut room, 1);
    tick(&mut room, 10);
    assert_eq!(apply(&mut room, 1, InputKind::AreYouThere), ["1< NOTICE yes, the server is here"]);
    assert_eq!(tick(&mut room, 20), Vec::<String>::new());
    assert_eq!(tick(&mut room, 21), ["1< PING idle"]);
}
