//! The check of many rooms in `benches/load`, which as a benchmark has no test harness: it must find every fault in what members receive.
#![expect(clippy::cast_precision_loss, reason = "figures have fewer than fifty significant bits")]
#![expect(dead_code, reason = "the modules of the load generator have more than the check needs")]

#[path = "../../common/mod.rs"]
mod common;
#[path = "../../load/rooms/stream.rs"]
mod stream;
#[path = "../../load/wire.rs"]
mod wire;

use self::common::log::Faults;
use self::stream::{MemberStream, Message, RoomLog, member_name, room_name};
use self::wire::write_command;

/// Members 0 to 2 are in room 0, their home, and send to it. Member 3 reads rooms 0 and 1; room 1 is its home, and member 4 sends to it.
struct Load {
    logs: [RoomLog; 2],
    members: [MemberStream; 4],
}

impl Load {
    fn new() -> Self {
        let home = |member| MemberStream::new(member, Some(0), [0]);
        let reader = MemberStream::new(3, Some(1), [0, 1]);
        Self { logs: [RoomLog::new(0..3), RoomLog::new([4])], members: [home(0), home(1), home(2), reader] }
    }

    /// Delivers lines, separated by `|`, to a member. `TEXTn` is the text of the message with this sequence number.
    fn deliver(&mut self, member: usize, lines: &str) -> Vec<Option<Message>> {
        let mut stream = lines.to_owned();
        for sequence in 0..3 {
            stream = stream.replace(&format!("TEXT{sequence}"), &text(sequence));
        }
        stream.split('|').map(|line| self.members[member].check_line(line.as_bytes(), &mut self.logs)).collect()
    }

    /// All faults, given the messages that each member has sent.
    fn faults(&self, sent: [u64; 5]) -> Faults {
        let mut faults = Faults::default();
        self.members.iter().for_each(|member| faults.add(member.final_faults(&self.logs)));
        self.logs.iter().for_each(|log| faults.add(log.final_faults(|sender| sent[sender])));
        faults
    }
}

fn text(sequence: u64) -> String {
    let mut command = Vec::new();
    write_command(&mut command, sequence);
    String::from_utf8(command).unwrap().strip_prefix("MSG ").unwrap().trim_end().to_owned()
}

fn message(sender: usize) -> Message {
    Message { sender, sequence: 0 }
}

/// The lines that each member receives after each of the members 0, 1 and 4 has sent a message.
const FAULTLESS: [&str; 4] = [
    "OK MSG 1|MSG m00001 TEXT0",
    "MSG m00000 TEXT0|OK MSG 2",
    "MSG m00000 TEXT0|MSG m00001 TEXT0",
    "#r0000 MSG m00000 TEXT0|MSG m00004 TEXT0|#r0000 MSG m00001 TEXT0",
];
const SENT: [u64; 5] = [1, 1, 0, 0, 1];

/// The lost lines, and those out of order, if this member receives these lines instead, after the others have received theirs.
fn found(member: usize, lines: &str) -> (u64, u64) {
    let mut load = Load::new();
    for (other, faultless) in FAULTLESS.iter().enumerate().filter(|&(other, _)| other != member) {
        load.deliver(other, faultless);
    }
    load.deliver(member, lines);
    let faults = load.faults(SENT);
    (faults.lost, faults.out_of_order)
}

#[test]
fn names_have_as_many_digits_as_the_check_expects() {
    assert_eq!((room_name(7), member_name(42)), ("#r0007".into(), "m00042".into()));
}

#[test]
fn rooms_without_faults_have_none() {
    let mut load = Load::new();
    for (member, lines) in FAULTLESS[..3].iter().enumerate() {
        assert_eq!(load.deliver(member, lines), [0, 1].map(|sender| Some(message(sender))), "member {member}");
    }
    assert_eq!(load.deliver(3, FAULTLESS[3]), [0, 4, 1].map(|sender| Some(message(sender))));
    assert!(!load.faults(SENT).any(), "{}", load.faults(SENT));
}

#[test]
fn lines_of_different_rooms_come_in_any_order() {
    assert_eq!(found(3, "MSG m00004 TEXT0|#r0000 MSG m00000 TEXT0|#r0000 MSG m00001 TEXT0"), (0, 0));
}

#[test]
fn missing_messages_are_lost() {
    assert_eq!(found(2, "MSG m00000 TEXT0"), (1, 0), "the last");
    assert_eq!(found(2, "MSG m00001 TEXT0"), (1, 0), "not the last");
    assert_eq!(found(0, "OK MSG 1"), (1, 0), "after an acknowledgement");
    assert_eq!(found(3, "#r0000 MSG m00000 TEXT0|#r0000 MSG m00001 TEXT0"), (1, 0), "of one of two rooms");
    let faults = Load::new().faults([1, 0, 0, 0, 2]);
    assert_eq!((faults.lost, faults.out_of_order), (3, 0), "messages that nobody received");
}

#[test]
fn messages_before_one_that_is_new_to_all_are_lost() {
    let mut load = Load::new();
    load.deliver(0, "OK MSG 1|MSG m00001 TEXT0");
    load.deliver(2, "MSG m00000 TEXT1");
    let faults = load.faults([2, 1, 0, 0, 0]);
    // Member 0 lost its second acknowledgement, member 2 the two messages before, members 1 and 3 all three.
    assert_eq!((faults.lost, faults.out_of_order), (1 + 2 + 3 + 3, 0));
}

#[test]
fn messages_that_nobody_sent_are_out_of_order() {
    let mut load = Load::new();
    FAULTLESS.iter().enumerate().for_each(|(member, lines)| drop(load.deliver(member, lines)));
    let faults = load.faults([1, 0, 0, 0, 1]);
    assert_eq!((faults.lost, faults.out_of_order), (0, 1));
}

#[test]
fn line_without_room_is_out_of_order_for_a_member_without_home() {
    let mut logs = [RoomLog::new([0])];
    let mut member = MemberStream::new(1, None, [0]);
    assert_eq!(member.check_line(format!("MSG m00000 {}", text(0)).as_bytes(), &mut logs), None);
    assert_eq!(member.check_line(format!("#r0000 MSG m00000 {}", text(0)).as_bytes(), &mut logs), Some(message(0)));
    assert_eq!(member.final_faults(&logs).out_of_order, 1);
}

#[test]
fn missing_acknowledgement_is_lost() {
    assert_eq!(found(0, "MSG m00001 TEXT0"), (1, 0));
}

#[test]
fn repeated_and_reordered_messages_are_out_of_order() {
    assert_eq!(found(2, "MSG m00000 TEXT0|MSG m00000 TEXT0|MSG m00001 TEXT0"), (0, 1));
    assert_eq!(found(2, "MSG m00001 TEXT0|MSG m00000 TEXT0"), (1, 1));
    assert_eq!(found(1, "OK MSG 1|MSG m00000 TEXT0"), (1, 1), "an acknowledgement that overtakes a message");
}

#[test]
fn messages_in_the_wrong_room_are_out_of_order() {
    assert_eq!(found(2, &format!("{}|MSG m00004 TEXT0", FAULTLESS[2])), (0, 1), "as if in the home");
    assert_eq!(found(2, &format!("{}|#r0001 MSG m00004 TEXT0", FAULTLESS[2])), (0, 1), "in a room of others");
    assert_eq!(found(3, &format!("{}|MSG m00000 TEXT0", FAULTLESS[3])), (0, 1), "in the other room");
}

#[test]
fn lines_that_differ_in_one_byte_are_out_of_order() {
    for (right, wrong) in [
        ("MSG m00000", "MSG m00002"),
        ("MSG m00000", "#r0000 MSG m00000"),
        ("MSG m00000", "MSG m0000"),
        ("MSG m00000 ", "MSG m00000  "),
        ("MSG m00001 TEXT0", "MSG m00001 TEXT0 "),
        ("MSG m00001 TEXT0", "MSG m00001 TEXT1"),
    ] {
        let lines = FAULTLESS[2].replacen(right, wrong, 1);
        assert_ne!(found(2, &lines), (0, 0), "{wrong}");
    }
    assert_ne!(found(3, &FAULTLESS[3].replacen("#r0000 ", "#r0000", 1)), (0, 0));
    let line = format!("MSG m00000 {}", text(0));
    for (at, _) in line.char_indices() {
        let mut changed = line.clone().into_bytes();
        changed[at] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        assert_ne!(found(2, &format!("{changed}|MSG m00001 TEXT0")), (0, 0), "{changed}");
    }
}

#[test]
fn wrong_acknowledgements_are_out_of_order() {
    assert_eq!(found(0, "OK MSG 2|MSG m00001 TEXT0").1, 1, "another id");
    assert_eq!(found(0, &format!("OK MSG 1|MSG m00000 TEXT0|MSG m00001 {}", text(0))).1, 1, "and its own message");
    assert_eq!(found(0, "MSG m00000 TEXT0|MSG m00001 TEXT0"), (1, 1), "its own message instead");
    assert_ne!(found(2, &format!("{}|OK MSG 3", FAULTLESS[2])), (0, 0), "of no message");
    assert_ne!(found(0, "#r0000 OK MSG 1|MSG m00001 TEXT0"), (0, 0), "with the name of the home");
}

#[test]
fn events_and_errors_are_out_of_order() {
    for line in ["JOIN m00004", "LEAVE m00001 slow", "#r0000 LEAVE m00001 slow", "ERR MSG text-missing", ""] {
        assert_eq!(found(2, &format!("{}|{line}", FAULTLESS[2])), (0, 1), "{line}");
    }
}
