//! The protocols of the servers, as far as the load needs them. All are made of lines, and in all of them the text of a message
//! ends a line.

mod chinwag;
mod irc;
mod nats;
mod redis;
mod relay;

use std::ops::Range;

pub(crate) use self::chinwag::{PLAIN, TAGGED, WITH_CR};
pub(crate) use self::irc::IRC;
pub(crate) use self::nats::NATS;
pub(crate) use self::redis::REDIS;
pub(crate) use self::relay::{GREETING, RELAY};

/// Which readers a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Every message is for all readers.
    All,
    /// A message is for the reader with the number of its sender.
    Pairs,
    /// As many rooms with one sender each. A message is for the readers in the room of its sender.
    Rooms(usize),
}

impl Route {
    /// The room of a client. It is the number of the room's sender.
    pub(crate) fn room(self, client: usize) -> Option<usize> {
        match self {
            Self::All | Self::Pairs => None,
            Self::Rooms(rooms) => Some(client % rooms),
        }
    }

    /// The senders, of this many, whose messages a reader receives.
    pub(crate) fn senders_of(self, reader: usize, senders: usize) -> Range<usize> {
        match self {
            Self::All => 0..senders,
            Self::Pairs => reader..reader + 1,
            Self::Rooms(rooms) => reader % rooms..reader % rooms + 1,
        }
    }
}

/// The part that a client plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads.
    Reader(Route, usize),
    /// Sends, and reads only what the protocol delivers to senders.
    Sender(Route, usize),
    /// Has a name or a subscription and does nothing. If the protocol allows it, other clients are not notified.
    Idle(usize),
}

/// A request, and a part of the line that completes its answer.
pub(crate) struct Step {
    pub(crate) request: Vec<u8>,
    pub(crate) done: &'static str,
}

impl Step {
    fn new(request: impl Into<Vec<u8>>, done: &'static str) -> Self {
        Self { request: request.into(), done }
    }
}

/// The messages that a line from the server acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    Nothing,
    /// The oldest unacknowledged message.
    One,
    /// All messages before the oldest unanswered [`Protocol::write_acknowledgement_request`].
    Batch,
}

pub(crate) trait Protocol: Sync {
    /// The requests of a client before it can send or receive messages.
    fn handshake(&self, role: Role) -> Vec<Step>;

    /// Appends the command with which the sender with this number sends a text.
    fn write_message(&self, out: &mut Vec<u8>, route: Route, number: usize, text: &[u8]);

    /// Appends a request that the server answers after it has taken all messages before it; nothing, if the server
    /// acknowledges each message.
    fn write_acknowledgement_request(&self, _out: &mut Vec<u8>) {}

    /// The messages that a line, without its ending, acknowledges to a sender. If a server returns messages to their sender, they are
    /// their own acknowledgement.
    fn acknowledged(&self, line: &[u8]) -> Acknowledged;

    /// Whether senders receive the messages of other senders.
    fn delivers_to_senders(&self) -> bool;

    /// Whether every reader receives the same bytes, so that comparing them is a complete check.
    fn has_one_order(&self) -> bool;

    /// Whether a line in which these bytes precede the text is a message of this sender.
    fn precedes_text(&self, before: &[u8], sender: usize) -> bool;

    /// Whether this line, which is not a message, may come between messages.
    fn allows(&self, line: &[u8]) -> bool;

    /// The protocol's presence, if it has any.
    fn presence(&self) -> Option<&dyn Presence> {
        None
    }
}

/// How a protocol announces and lists members. A member is the number in its name.
pub(crate) trait Presence {
    /// The member whose joining a line announces.
    fn joined(&self, line: &[u8]) -> Option<usize>;

    /// The request for the member list.
    fn list_request(&self) -> Step;

    /// Calls `on_member` for each member that a line of the list names.
    fn listed(&self, line: &[u8], on_member: &mut dyn FnMut(usize));
}

/// The channel or subject that all clients share.
const TOPIC: &str = "bench";

fn reader_name(number: usize) -> String {
    format!("r{number:05}")
}

fn sender_name(number: usize) -> String {
    format!("s{number:03}")
}

fn name(role: Role) -> String {
    match role {
        Role::Reader(_, number) | Role::Idle(number) => reader_name(number),
        Role::Sender(_, number) => sender_name(number),
    }
}

/// The channel or subject of a client: the shared one, that of its pair, or that of its room.
fn topic(route: Route, number: usize) -> String {
    match route {
        Route::All => TOPIC.into(),
        Route::Pairs => reader_name(number),
        Route::Rooms(rooms) => format!("c{:04}", number % rooms),
    }
}

/// The number in a reader's name.
fn reader_number(name: &[u8]) -> Option<usize> {
    name.strip_prefix(b"r")?
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + usize::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Order, write_text};

    /// A protocol, the lines around the first message of sender 1, as the server sends them to a reader, and a line that
    /// acknowledges messages to a sender, if there is one.
    type Sample = (&'static dyn Protocol, &'static str, Option<(&'static str, Acknowledged)>);

    const SAMPLES: [Sample; 7] = [
        (&RELAY, "TEXT", None),
        (&PLAIN, "MSG s001 TEXT|LEAVE r00002 slow", Some(("OK MSG 12", Acknowledged::One))),
        (&WITH_CR, "WHISPER s001 TEXT\r", Some(("OK WHISPER 1", Acknowledged::One))),
        (&TAGGED, "@12 2026-11-20T12:44:29.138Z MSG s001 TEXT", Some(("OK MSG 12", Acknowledged::One))),
        (&REDIS, "*3|$7|message|$5|bench|$64|TEXT", Some((":3", Acknowledged::One))),
        (&NATS, "MSG bench 1 64|TEXT|PING", Some(("PONG", Acknowledged::Batch))),
        (
            &IRC,
            ":s001!~s001@127.0.0.1 PRIVMSG #bench :TEXT|:r00002!~r00002@127.0.0.1 QUIT :gone",
            Some((":irc.bench PONG irc.bench :batch", Acknowledged::Batch)),
        ),
    ];

    #[test]
    fn each_protocol_accepts_a_message_and_its_acknowledgement() {
        let text = String::from_utf8(write_text(1, 0)).unwrap();
        for (number, (protocol, stream, acknowledgement)) in SAMPLES.into_iter().enumerate() {
            let mut order = Order::new(protocol, 0..2);
            for line in stream.replace("TEXT", &text).split('|') {
                order.check(line.as_bytes());
                assert_eq!(protocol.acknowledged(line.as_bytes()), Acknowledged::Nothing, "{line}");
            }
            assert!(!order.faults.any(), "sample {number}: {stream}: {}", order.faults);
            assert_eq!(order.missing(&[0, 1]), 0, "sample {number}: {stream}");
            if let Some((line, acknowledged)) = acknowledgement {
                assert_eq!(protocol.acknowledged(line.as_bytes()), acknowledged, "{line}");
            }
        }
    }

    #[test]
    fn each_protocol_reports_a_line_that_is_no_message() {
        for (protocol, ..) in SAMPLES {
            let mut order = Order::new(protocol, 0..1);
            order.check(b"MSG s000 the quick brown fox");
            order.check(b"ERR MSG too-long");
            assert_eq!(order.faults.out_of_order, 2);
        }
    }
}
