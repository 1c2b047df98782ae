//! The check of what a member of rooms receives. All members of a room must receive the same messages in the same order, each message in
//! its room only, and each line byte for byte as the protocol has it. A member receives the acknowledgement of its own message in the place
//! that the message has for the others, so the streams of two members differ, and they are compared message by message.

use std::collections::BTreeMap;

use crate::common::log::Faults;
use crate::wire::{parse_digits, parse_text};

const ROOM_DIGITS: usize = 4;
const MEMBER_DIGITS: usize = 5;

/// Most rooms that four digits can name.
pub(crate) const ROOMS_MAX: usize = 10_000;

/// Most members that five digits can name.
pub(crate) const MEMBERS_MAX: usize = 100_000;

/// The name of a room.
pub(crate) fn room_name(room: usize) -> String {
    format!("#r{room:0ROOM_DIGITS$}")
}

/// The nickname of a member.
pub(crate) fn member_name(member: usize) -> String {
    format!("m{member:0MEMBER_DIGITS$}")
}

/// A message: its sender, and its number among the messages of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) sender: usize,
    pub(crate) sequence: u64,
}

/// The messages of one room, in the order in which the member that is furthest ahead received them.
#[derive(Debug)]
pub(crate) struct RoomLog {
    messages: Vec<Message>,
    /// The sequence number that is expected from each member that sends to the room.
    next: BTreeMap<usize, u64>,
    faults: Faults,
}

impl RoomLog {
    pub(crate) fn new(senders: impl IntoIterator<Item = usize>) -> Self {
        let next = senders.into_iter().map(|sender| (sender, 0)).collect();
        Self { messages: Vec::new(), next, faults: Faults::default() }
    }

    /// Checks the message that a member received after the first `position` messages of the room. Returns its new position.
    fn check(&mut self, position: usize, message: Message, faults: &mut Faults) -> usize {
        let rest = &self.messages[position..];
        if let Some(skipped) = rest.iter().position(|known| *known == message) {
            faults.lost += skipped as u64;
            return position + skipped + 1;
        }
        match self.next.get_mut(&message.sender) {
            Some(next) if message.sequence >= *next => {
                faults.lost += rest.len() as u64;
                self.faults.check_sequence(Some(next), message.sequence);
                self.messages.push(message);
                self.messages.len()
            }
            // Repeated, late, or of a client that sends to another room.
            _ => {
                faults.out_of_order += 1;
                position
            }
        }
    }

    /// The faults of the room, given the number of messages that each sender has sent to it: also the messages that no member received,
    /// and those that nobody sent.
    pub(crate) fn final_faults(&self, sent: impl Fn(usize) -> u64) -> Faults {
        let mut faults = self.faults;
        for (&sender, &next) in &self.next {
            faults.lost += sent(sender).saturating_sub(next);
            faults.out_of_order += next.saturating_sub(sent(sender));
        }
        faults
    }
}

/// The lines that one member has received from its rooms.
#[derive(Debug)]
pub(crate) struct MemberStream {
    member: usize,
    /// The room whose lines do not name it.
    home: Option<usize>,
    /// Its rooms, each with the number of messages that it has received from it, its own included.
    positions: BTreeMap<usize, usize>,
    acknowledged: u64,
    faults: Faults,
}

impl MemberStream {
    pub(crate) fn new(member: usize, home: Option<usize>, rooms: impl IntoIterator<Item = usize>) -> Self {
        let positions = rooms.into_iter().map(|room| (room, 0)).collect();
        Self { member, home, positions, acknowledged: 0, faults: Faults::default() }
    }

    /// Checks a line, without its LF. If it is a message of another member, or acknowledges one of its own, returns the message.
    pub(crate) fn check_line(&mut self, line: &[u8], logs: &mut [RoomLog]) -> Option<Message> {
        let message = self.check_event(line, logs);
        self.faults.out_of_order += u64::from(message.is_none());
        message
    }

    fn check_event(&mut self, line: &[u8], logs: &mut [RoomLog]) -> Option<Message> {
        let (room, event) = match split_room(line)? {
            (Some(room), event) if self.home != Some(room) => (room, event),
            (None, event) => (self.home?, event),
            _ => return None,
        };
        let position = self.positions.get_mut(&room)?;
        let message = match event.strip_prefix(b"OK MSG ") {
            Some(id) if id == (*position + 1).to_string().as_bytes() => {
                Message { sender: self.member, sequence: self.acknowledged }
            }
            Some(_) => return None,
            None => parse_message(event).filter(|message| message.sender != self.member)?,
        };
        *position = logs[room].check(*position, message, &mut self.faults);
        self.acknowledged += u64::from(message.sender == self.member);
        Some(message)
    }

    /// The faults, after everything should have arrived.
    pub(crate) fn final_faults(&self, logs: &[RoomLog]) -> Faults {
        let missing = self.positions.iter().map(|(&room, position)| (logs[room].messages.len() - position) as u64);
        Faults { lost: self.faults.lost + missing.sum::<u64>(), ..self.faults }
    }
}

/// Splits `#r0012 MSG …` into the room and the rest. The room is `None` if the line names none.
fn split_room(line: &[u8]) -> Option<(Option<usize>, &[u8])> {
    let Some(rest) = line.strip_prefix(b"#r") else { return Some((None, line)) };
    let (room, rest) = rest.split_at_checked(ROOM_DIGITS)?;
    Some((Some(number(room)?), rest.strip_prefix(b" ")?))
}

/// Parses `MSG m00012 0000000000000042 the quick …`.
fn parse_message(event: &[u8]) -> Option<Message> {
    let (sender, text) = event.strip_prefix(b"MSG m")?.split_at_checked(MEMBER_DIGITS)?;
    Some(Message { sender: number(sender)?, sequence: parse_text(text.strip_prefix(b" ")?)? })
}

fn number(digits: &[u8]) -> Option<usize> {
    usize::try_from(parse_digits(digits)?).ok()
}
