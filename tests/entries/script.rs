//! Drives a room with bytes, which choose valid and invalid entries. A second room, restored from a snapshot at random points, must give
//! the same outputs.

use std::sync::Arc;

use chinwag::protocol::{Drawing, LeaveReason, MessageId, Name, Secret, Stroke, Text, Timestamp, Token};
use chinwag::room::{
    Action, Entry, MemberId, Message, Origin, RecentMessages, RecentStrokes, Room, RoomOutput, SessionId, StoreFailure,
    Uptime, Verifier,
};

/// Only a few nicknames, so that they collide: some differ only in case, or look alike.
const NAMES: [&str; 8] = ["ann", "Ann", "bob", "b0b", "аnn", "carol", "dave", "Dave"];
const MEMBERS: u64 = 6;
const STROKE: &str = "#1e90ff 40 0,0 9,9";

/// Counts of outputs, so that a test can check that the entries had effects.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) events: u32,
    pub(crate) rejections: u32,
}

/// The remaining bytes.
struct Script<'a>(std::slice::Iter<'a, u8>);

impl Script<'_> {
    fn below(&mut self, bound: u64) -> Option<u64> {
        self.0.next().map(|byte| u64::from(*byte) % bound)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let at = self.below(all.len() as u64)?;
        all.get(usize::try_from(at).ok()?).copied()
    }

    fn name(&mut self) -> Option<Name> {
        Name::new(self.one_of(&NAMES)?).ok()
    }

    fn text(&mut self) -> Option<Text> {
        Text::new(&"x".repeat(1 + usize::try_from(self.below(40)?).ok()?)).ok()
    }

    fn reason(&mut self) -> Option<LeaveReason> {
        self.one_of(&LeaveReason::ALL)
    }

    fn verifier(&mut self) -> Option<Verifier> {
        Some(Verifier::new(&Secret::new([u8::try_from(self.below(3)?).ok()?; 16])))
    }

    fn action(&mut self) -> Option<Action> {
        Some(match self.below(20)? {
            0..=2 => Action::Register(self.name()?, self.verifier().filter(|_| self.0.len().is_multiple_of(2))),
            3 | 4 => Action::Rename(self.name()?),
            5..=7 => Action::Say(Message { name: self.name()?, at: Timestamp(7), text: self.text()? }),
            8 => Action::SayPending,
            9 => Action::SayFailed(self.name()?, StoreFailure::NotStored(Arc::from("the disk is full"))),
            10 => {
                let names = (0..self.below(3)?).map(|_| self.name()).collect::<Option<_>>()?;
                Action::Whisper(names, self.text()?)
            }
            11 => Action::Draw(Drawing::Stroke(Stroke::new(STROKE).ok()?)),
            12 => Action::Draw(Drawing::Clear),
            13 => Action::SetVerifier(self.verifier().filter(|_| self.0.len().is_multiple_of(2))),
            14 => Action::Resume(MemberId(self.below(MEMBERS)?), self.verifier()?),
            15 => Action::EndOfInput,
            16 => Action::Detach(self.reason()?),
            17 => Action::Leave(self.reason()?, Some(self.text()?)),
            18 => Action::Evict(MessageId(self.one_of(&[0, 1, 3, 9, 30, u64::MAX])?)),
            _ if self.below(40)? == 0 => Action::Stop,
            _ => Action::Tick,
        })
    }

    fn entry(&mut self, seq: u64, uptime: &mut Uptime) -> Option<Entry> {
        uptime.0 += self.below(4)?;
        let (session, member) = (SessionId(self.below(9)?), MemberId(self.below(MEMBERS)?));
        let at = Timestamp(i64::try_from(seq).ok()?);
        Some(Entry { seq, at, uptime: *uptime, origin: Origin { session, member }, action: self.action()? })
    }
}

fn empty_room() -> Room {
    let room = Room::new(3).with_epoch(Token::new("k7qd").expect("a token"));
    room.with_history(RecentMessages::new(5)).with_canvas(RecentStrokes::new(3, 10_000))
}

/// A room with members, messages, strokes, reservations and detached members.
#[allow(dead_code, reason = "the fuzz target runs scripts only")]
pub(crate) fn some_room() -> Room {
    let mut room = empty_room();
    let name = |name| Name::new(name).expect("a name");
    let text = || Text::new("hello").expect("a text");
    let verifier = Verifier::new(&Secret::new([7; 16]));
    let message = |author| Message { name: name(author), at: Timestamp(5), text: text() };
    for (seq, (member, action)) in (1..).zip([
        (1, Action::Register(name("ann"), Some(verifier))),
        (2, Action::Register(name("bob"), None)),
        (2, Action::SayPending),
        (2, Action::Rename(name("rob"))),
        (1, Action::Say(message("ann"))),
        (1, Action::Draw(Drawing::Stroke(Stroke::new(STROKE).expect("a stroke")))),
        (2, Action::EndOfInput),
        (1, Action::Detach(LeaveReason::Lost)),
    ]) {
        let origin = Origin { session: SessionId(member), member: MemberId(member) };
        room.apply(Entry { seq, at: Timestamp(5), uptime: Uptime(3), origin, action }, &mut Vec::new());
    }
    room
}

/// Applies the entries that the bytes choose.
pub(crate) fn run(bytes: &[u8]) -> Seen {
    let (mut room, mut restored) = (empty_room(), empty_room());
    let (mut script, mut uptime, mut seen) = (Script(bytes.iter()), Uptime(0), Seen::default());
    for seq in 1.. {
        let Some(entry) = script.entry(seq, &mut uptime) else { break };
        let (mut outputs, mut again) = (Vec::new(), Vec::new());
        room.apply(entry.clone(), &mut outputs);
        restored.apply(entry, &mut again);
        assert_eq!(outputs, again, "a restored room has the same outputs");
        if script.below(8) == Some(0) {
            let snapshot = room.snapshot();
            assert_eq!(snapshot, restored.snapshot(), "equal states have equal bytes");
            restored = Room::restore(&snapshot).expect("a snapshot can be read");
        }
        for output in &outputs {
            seen.events += u32::from(matches!(output, RoomOutput::Event { .. }));
            seen.rejections += u32::from(matches!(output, RoomOutput::Rejected(..)));
        }
        check(&room);
    }
    seen
}

/// Checks that all nicknames differ, and that the coordinator is the first member.
fn check(room: &Room) {
    let members: Vec<_> = room.members().collect();
    assert_eq!(room.coordinator(), members.first().map(|(id, _)| *id));
    for (at, (_, member)) in members.iter().enumerate() {
        for (_, other) in &members[..at] {
            assert_ne!(member.name().key(), other.name().key());
        }
    }
    let history = room.history();
    assert!(history.messages().all().end - history.messages().all().start <= 5);
    assert!(history.oldest().is_none_or(|oldest| oldest <= room.last_id()));
}
