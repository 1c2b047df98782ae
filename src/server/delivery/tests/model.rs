//! The lines that each session should receive, in any order that keeps the rules of the feed.

use std::collections::BTreeMap;

use super::*;

#[derive(Default)]
pub(super) struct Model {
    /// The hub's turns so far.
    pub(super) turn: u64,
    pub(super) has_store: bool,
    /// Whether authors may read a reply in place of their event.
    pub(super) has_own_replies: bool,
    numbers: u64,
    last_ids: BTreeMap<u32, u64>,
    sessions: BTreeMap<u64, SessionModel>,
}

#[derive(Default)]
struct SessionModel {
    dialect: Dialect,
    /// In the order in which the session entered them, and whether each is its home.
    rooms: Vec<(RoomId, bool)>,
    /// In the order of the hub.
    atoms: Vec<Atom>,
}

/// A line, or a change of the followed rooms, which no line shows.
struct Atom {
    kind: AtomKind,
    turn: u64,
    /// The room whose order it keeps.
    room: Option<RoomId>,
    id: Option<MessageId>,
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtomKind {
    Event,
    Private,
    /// A private line after all events so far in all rooms.
    AfterAll,
    Enter,
    Leave,
}

impl Model {
    pub(super) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Gives the room's next message an id, which no other room has, so that no two replies are equal.
    pub(super) fn add_message(&mut self, room: RoomId) -> MessageId {
        let last = self.last_ids.entry(room.0).or_insert(u64::from(room.0) * 1_000);
        *last += 1;
        MessageId(*last)
    }

    /// The room's newest message.
    pub(super) fn last_message(&self, room: RoomId) -> MessageId {
        MessageId(self.last_ids.get(&room.0).copied().unwrap_or(0))
    }

    fn session(&self, session: SessionId) -> Option<&SessionModel> {
        self.sessions.get(&session.0)
    }

    pub(super) fn follows(&self, session: SessionId, room: RoomId) -> bool {
        self.dialect_in(session, room).is_some()
    }

    /// The dialect of lines that are not about a room.
    pub(super) fn dialect(&self, session: SessionId) -> Dialect {
        self.session(session).map_or(Dialect::default(), |session| session.dialect)
    }

    /// The dialect in which a session follows a room.
    pub(super) fn dialect_in(&self, session: SessionId, room: RoomId) -> Option<Dialect> {
        let session = self.session(session)?;
        let (_, is_home) = session.rooms.iter().find(|(followed, _)| *followed == room)?;
        Some(Dialect { room_names: session.dialect.room_names || !is_home, ..session.dialect })
    }

    pub(super) fn set_dialect(&mut self, session: SessionId, dialect: Dialect) {
        self.sessions.entry(session.0).or_default().dialect = dialect;
    }

    pub(super) fn follow(&mut self, session: SessionId, room: RoomId, is_home: bool) {
        if !self.follows(session, room) {
            self.sessions.entry(session.0).or_default().rooms.push((room, is_home));
            self.add(session, AtomKind::Enter, Some(room), Vec::new());
        }
    }

    pub(super) fn unfollow(&mut self, session: SessionId, room: RoomId) {
        if self.follows(session, room) {
            self.add(session, AtomKind::Leave, Some(room), Vec::new());
            self.sessions.entry(session.0).or_default().rooms.retain(|(followed, _)| *followed != room);
        }
    }

    /// Adds what a session should receive. `room` is what it is about, if it is about a room.
    pub(super) fn add(&mut self, session: SessionId, kind: AtomKind, room: Option<RoomId>, line: Vec<u8>) {
        let turn = self.turn;
        let session = self.sessions.entry(session.0).or_default();
        let followed = session.rooms.iter().find(|(followed, _)| Some(*followed) == room);
        let home = || session.rooms.iter().find(|(_, is_home)| *is_home);
        let followed = followed.or_else(home).or(session.rooms.first());
        let room = followed.map(|(room, _)| *room);
        session.atoms.push(Atom { kind, turn, room, id: None, line });
    }

    /// Adds an event that the session may have to read from the store.
    pub(super) fn add_missable(&mut self, session: SessionId, room: RoomId, id: MessageId, line: Vec<u8>) {
        let (turn, session) = (self.turn, self.sessions.entry(session.0).or_default());
        session.atoms.push(Atom { kind: AtomKind::Event, turn, room: Some(room), id: Some(id), line });
    }

    /// The missed messages of a session, as the store has them. `None` without a store.
    pub(super) fn missed(&self, session: SessionId, missed: &MissedMessages) -> Option<Box<dyn PageSource>> {
        let session = self.session(session).filter(|_| self.has_store)?;
        assert_eq!(missed.room_name, room_name(missed.room));
        let ids = missed.after.next()..=missed.until;
        let is_missed = |atom: &&Atom| atom.room == Some(missed.room) && atom.id.is_some_and(|id| ids.contains(&id));
        let lines: Vec<_> = session.atoms.iter().filter(is_missed).map(|atom| atom.line.clone()).collect();
        // The prefix and the ending are those of the dialect in which the session follows the room at that position.
        for line in &lines {
            let (line, ending) = (String::from_utf8_lossy(line), missed.dialect.ending.as_bytes());
            assert!(line.as_bytes().ends_with(ending) && line.starts_with('@') == missed.dialect.tags, "{line}");
            assert_eq!(line.contains('#'), missed.dialect.room_names, "{line}");
        }
        Some(Box::new(Lines(lines.into_iter())))
    }

    /// Checks what a session has received: all of its lines, each once and not torn; the order of each room; the order of private lines
    /// over all rooms; nothing of an earlier turn after something of a later one; and for each line after all rooms, join and leave, its
    /// exact place. Returns the number of lines.
    pub(super) fn check(&self, session: SessionId, output: &[u8], is_complete: bool) -> usize {
        let Some(model) = self.session(session) else { return 0 };
        let shown = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
        let with_lines = model.atoms.iter().enumerate().filter(|(_, atom)| !atom.line.is_empty());
        let expected: BTreeMap<&[u8], usize> = with_lines.map(|(index, atom)| (&*atom.line, index)).collect();
        let mut lines: Vec<_> = output.split_inclusive(|&byte| byte == b'\n').collect();
        if !is_complete && lines.last().is_some_and(|line| !line.ends_with(b"\n")) {
            lines.pop();
        }
        let is_own = |line: &&&[u8]| !line.starts_with(b"BEHIND") && !line.starts_with(b"CAUGHT UP");
        let read: Vec<usize> = lines
            .iter()
            .filter(is_own)
            .map(|&line| *expected.get(line).unwrap_or_else(|| panic!("torn or foreign: {:?}", shown(line))))
            .collect();
        let mut place = vec![None; model.atoms.len()];
        for (position, &index) in read.iter().enumerate() {
            assert_eq!(place[index].replace(position), None, "repeated: {:?}", shown(&model.atoms[index].line));
        }
        assert!(!is_complete || read.len() == expected.len(), "{} lines are missing", expected.len() - read.len());
        for (index, atom) in model.atoms.iter().enumerate() {
            let Some(place_after) = place[index] else { continue };
            for (before_index, before) in model.atoms[..index].iter().enumerate() {
                if self.comes_before(model, before_index, index) {
                    let is_before = place[before_index].is_some_and(|place| place < place_after);
                    let lines = [shown(&before.line), shown(&atom.line)];
                    assert!(
                        is_before,
                        "{lines:?}, of the turns {} and {}, are in the wrong order",
                        before.turn, atom.turn
                    );
                }
            }
        }
        read.len()
    }

    /// Whether the first line must come before the second one.
    fn comes_before(&self, model: &SessionModel, before: usize, after: usize) -> bool {
        use AtomKind::{AfterAll, Enter, Event, Leave, Private};
        let (first, second) = (&model.atoms[before], &model.atoms[after]);
        let between = &model.atoms[before + 1..after];
        match (first.kind, second.kind) {
            (Enter | Leave, _) | (_, Enter | Leave) => false,
            (Private | AfterAll, Private | AfterAll) | (_, AfterAll) => true,
            _ if first.room == second.room => true,
            // While a reader catches up in one room, its messages may overtake those of other rooms.
            _ if first.turn < second.turn && !self.has_store => true,
            (Private | AfterAll, Event) => between.iter().any(|atom| atom.kind == Enter && atom.room == second.room),
            (Event, Private) => between.iter().any(|atom| atom.kind == Leave && atom.room == first.room),
            (Event, Event) => false,
        }
    }
}

/// Pages of one line each.
#[derive(Debug)]
struct Lines(std::vec::IntoIter<Vec<u8>>);

impl PageSource for Lines {
    fn next(&mut self) -> NextPage {
        self.0.next().map_or(NextPage::End, NextPage::Text)
    }
}
