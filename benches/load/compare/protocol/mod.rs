//! What the load has to know of a protocol: how one takes part, says something and learns that the server has it, and what
//! a reader gets for each message. Everything is lines; in every protocol a message's text ends one.

mod chinwag;
mod irc;
mod nats;
mod redis;
mod relay;

pub(super) use self::chinwag::{PLAIN, TAGGED, WITH_CR};
pub(super) use self::irc::IRC;
pub(super) use self::nats::NATS;
pub(super) use self::redis::REDIS;
pub(super) use self::relay::{GREETING, RELAY};

/// To whom what is said goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Everybody reads what anybody says.
    Everybody,
    /// Each reader reads what the sender with its number says, and nothing else.
    Pairs,
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Reads; in a pair if the route says so.
    Reader(Route, usize),
    /// Says something, and reads only what the protocol makes it read.
    Sender(Route, usize),
    /// Has a name, or a subscription, and nothing happens. Nobody is told, if the protocol can do without.
    Idle(usize),
}

/// One thing that a newcomer sends, and what the line has in it that says it is done.
pub(super) struct Step {
    pub(super) send: Vec<u8>,
    pub(super) until: &'static str,
}

impl Step {
    fn new(send: impl Into<Vec<u8>>, until: &'static str) -> Self {
        Self { send: send.into(), until }
    }
}

/// What the server tells a sender of its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acknowledged {
    Nothing,
    /// The oldest that was not yet acknowledged.
    One,
    /// All that was sent before it was asked: see [`Protocol::ask`].
    Batch,
}

pub(super) trait Protocol: Sync {
    /// What one does to take part, step by step.
    fn introduction(&self, role: Role) -> Vec<Step>;

    /// Adds what says a text: to everybody, or to the reader with this number.
    fn publish(&self, out: &mut Vec<u8>, route: Route, number: usize, text: &[u8]);

    /// Adds the question whether all that was sent so far is taken, where messages have no acknowledgement of their own.
    fn ask(&self, _out: &mut Vec<u8>) {}

    /// What a line, without its ending, acknowledges to a sender. One's own text that comes back is an acknowledgement anyway.
    fn acknowledged(&self, line: &[u8]) -> Acknowledged;

    /// Whether senders are made to read what the others say to everybody.
    fn makes_senders_read(&self) -> bool;

    /// Whether every reader gets the same bytes, so that to compare them is enough.
    fn has_one_order(&self) -> bool;

    /// Whether this may stand before a text of this sender, in its line.
    fn carries(&self, before: &[u8], sender: usize) -> bool;

    /// Whether a line without a text may come between the texts.
    fn allows(&self, line: &[u8]) -> bool;

    /// How presence is told, if it is.
    fn presence(&self) -> Option<&dyn Presence> {
        None
    }
}

/// Who is here, as a protocol tells it. Names stand for the numbers in them.
pub(super) trait Presence {
    /// Whose joining a line tells.
    fn joined(&self, line: &[u8]) -> Option<usize>;

    /// What asks for everybody's name, and what the line has in it that ends the answer.
    fn roster(&self) -> Step;

    /// Hands on everybody whom a line of that answer names.
    fn list(&self, line: &[u8], take: &mut dyn FnMut(usize));
}

/// Where everybody reads and writes.
const TOPIC: &str = "bench";

/// The name of a reader.
fn reader_name(number: usize) -> String {
    format!("r{number:05}")
}

/// The name of a sender.
fn sender_name(number: usize) -> String {
    format!("s{number:03}")
}

fn name(role: Role) -> String {
    match role {
        Role::Reader(_, number) | Role::Idle(number) => reader_name(number),
        Role::Sender(_, number) => sender_name(number),
    }
}

/// Where a route leads: to the common topic, or to the one of a pair.
fn topic(route: Route, number: usize) -> String {
    match route {
        Route::Everybody => TOPIC.into(),
        Route::Pairs => reader_name(number),
    }
}

/// The number in a reader's name.
fn number_in(name: &[u8]) -> Option<usize> {
    name.strip_prefix(b"r")?
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + usize::from(digit - b'0')))
}
