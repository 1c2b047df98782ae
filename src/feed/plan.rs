//! Plans one write of a cursor: merges its logs and its insertions into one order. Changes nothing.

use std::mem;

use smallvec::SmallVec;

use super::cursor::{Cursor, LogCursor};
use super::log::{Log, ReadSpan, SegmentSlice};
use super::mailbox::{CursorMove, Insertion};
use super::{LogId, Turn};
use crate::limits::{WRITE_BYTES_MAX, WRITE_SLICES_MAX};

/// The next bytes to write, within the limits of one write, and what follows them.
pub(super) struct Plan {
    /// None is empty.
    pub(super) chunks: Chunks,
    /// Number of insertions that are done when all chunks are written.
    pub(super) passed: usize,
    /// The first insertion is reached, and its next page is not loaded.
    pub(super) awaits_page: bool,
    /// A log has evicted what comes next. Only without chunks.
    pub(super) is_evicted: bool,
    /// The first turn that the logs have published and that is not in the chunks. Without one, the turn that is published next.
    pub(super) unread_turn: Turn,
}

/// A part of one write.
pub(super) struct Chunk {
    /// Number of insertions that are done before it.
    pub(super) passed: usize,
    pub(super) part: Part,
}

pub(super) enum Part {
    Urgent,
    /// The text of the insertion with the index [`Chunk::passed`], from this byte on.
    Insertion(usize),
    /// Lines of the log in this slot.
    Lines(usize, SegmentSlice),
}

/// The parts of one write: mostly one, so that nothing is allocated.
pub(super) type Chunks = SmallVec<[Chunk; CHUNKS_INLINE]>;

pub(super) const CHUNKS_INLINE: usize = 4;

/// Most connections follow one room. More would make every plan larger: eight cost 3 % more instructions for each delivery.
const PLANNED_LOGS_INLINE: usize = 2;

/// Stands for the turn of a segment that is evicted: before all others.
const EVICTED: Turn = Turn::ZERO;

/// Reads ahead of a cursor.
struct Planner<'a> {
    cursor: &'a Cursor,
    /// The logs of the cursor, as they are after the insertions that are passed.
    logs: SmallVec<[PlannedLog<'a>; PLANNED_LOGS_INLINE]>,
    /// The slot of the log in whose line the cursor stopped.
    torn: Option<usize>,
    plan: Plan,
    /// Bytes of the chunks.
    bytes: usize,
}

struct PlannedLog<'a> {
    log: &'a Log,
    offset: u64,
    /// The turn of the published segment that follows the offset. [`Turn::NEVER`] if there is none, [`EVICTED`] if it is evicted. `None` if
    /// it is not known yet.
    unread_turn: Option<Turn>,
}

enum Step<'a> {
    /// Write the next insertion.
    Insert(&'a Insertion),
    /// Read the log in this slot up to this offset and this turn.
    Read(usize, u64, Turn),
    /// The log in this slot must catch up.
    CatchUp(usize),
    /// Nothing more to write for now.
    Wait,
}

impl Plan {
    pub(super) fn new(cursor: &Cursor) -> Self {
        let mut planner = Planner::new(cursor);
        if !cursor.urgent.is_empty() {
            planner.add(Part::Urgent);
        }
        while planner.bytes < WRITE_BYTES_MAX && planner.plan.chunks.len() < WRITE_SLICES_MAX && planner.step() {}
        planner.plan.unread_turn = planner.first_unread_turn();
        planner.plan
    }
}

/// The slot of the log that the cursor must read next, but that has evicted what comes next.
pub(super) fn find_evicted(cursor: &Cursor) -> Option<usize> {
    let mut planner = Planner::new(cursor);
    match planner.choose(cursor.insertions.front()) {
        Step::CatchUp(slot) => Some(slot),
        Step::Read(slot, ..) => (planner.unread_turn(slot) == EVICTED).then_some(slot),
        Step::Insert(_) | Step::Wait => None,
    }
}

impl<'a> Planner<'a> {
    fn new(cursor: &'a Cursor) -> Self {
        Self {
            cursor,
            logs: cursor.logs.iter().map(|LogCursor { log, offset, .. }| PlannedLog::new(log, *offset)).collect(),
            torn: cursor.torn.map(usize::from),
            plan: Plan {
                chunks: Chunks::new(),
                passed: 0,
                awaits_page: false,
                is_evicted: false,
                unread_turn: Turn::ZERO,
            },
            bytes: 0,
        }
    }

    /// Adds what comes next. Returns whether another step is possible.
    fn step(&mut self) -> bool {
        match self.choose(self.cursor.insertions.get(self.plan.passed)) {
            Step::Insert(insertion) => self.add_insertion(insertion),
            Step::Read(slot, until, turn_max) => self.add_lines(slot, until, turn_max),
            Step::CatchUp(_) => self.stop_at_evicted(),
            Step::Wait => false,
        }
    }

    /// Decides what comes next: the insertion `next`, or lines before it. The rules are in the head of the module `feed`.
    fn choose(&mut self, next: Option<&'a Insertion>) -> Step<'a> {
        let published = self.cursor.published;
        if next.is_none() && self.cursor.is_closed() {
            return Step::Wait;
        }
        if let [only] = &self.logs[..] {
            return match next {
                Some(next) if only.has_reached(next) => Step::Insert(next),
                _ => Step::Read(0, only.offset_before(next), published),
            };
        }
        if let Some(next) = next.filter(|next| next.turn == Turn::ZERO) {
            return Step::Insert(next);
        }
        if let Some(slot) = self.torn {
            let turn = self.unread_turn(slot);
            return self.read_or_catch_up(slot, next, turn);
        }
        // Both are the first turn, and in this turn the first slot.
        let [mut first, mut second] = [(Turn::NEVER, usize::MAX); 2];
        for slot in 0..self.logs.len() {
            let unread = (self.unread_turn(slot), slot);
            if unread < first {
                second = mem::replace(&mut first, unread);
            } else if unread < second {
                second = unread;
            }
        }
        let ((turn, slot), (turn_of_second, second)) = (first, second);
        let limit = next.map_or(Turn::NEVER, |next| next.turn);
        if turn < limit {
            let turn_max = if slot < second { turn_of_second } else { turn_of_second.before() };
            return self.read_or_catch_up(slot, next, turn_max.min(limit.before()).min(published));
        }
        let Some(next) = next else { return Step::Wait };
        match next.at.and_then(|at| self.slot(at.log)) {
            Some(slot) if !self.logs[slot].has_reached(next) => {
                Step::Read(slot, self.logs[slot].offset_before(Some(next)), published)
            }
            _ => Step::Insert(next),
        }
    }

    fn read_or_catch_up(&mut self, slot: usize, next: Option<&Insertion>, turn_max: Turn) -> Step<'a> {
        if self.unread_turn(slot) == EVICTED {
            return Step::CatchUp(slot);
        }
        Step::Read(slot, self.logs[slot].offset_before(next), turn_max)
    }

    fn add(&mut self, part: Part) {
        self.plan.chunks.push(Chunk { passed: self.plan.passed, part });
    }

    /// Adds the text of an insertion, and follows its move.
    fn add_insertion(&mut self, insertion: &'a Insertion) -> bool {
        let written = if self.plan.passed == 0 { self.cursor.written } else { 0 };
        if written < insertion.text.len() {
            self.bytes += insertion.text.len() - written;
            self.add(Part::Insertion(written));
        }
        if insertion.has_more_pages() {
            self.plan.awaits_page = self.plan.passed == 0 && insertion.text.is_empty();
            return false;
        }
        let slot = insertion.at.and_then(|at| self.slot(at.log));
        match (&insertion.next, slot) {
            (CursorMove::SkipTo(position), Some(slot)) => {
                let log = self.logs[slot].log;
                self.logs[slot] = PlannedLog::new(log, position.offset);
            }
            (CursorMove::Enter(entry), _) => self.logs.push(PlannedLog::new(&entry.log, entry.position.offset)),
            (CursorMove::Switch(entry), Some(slot)) => {
                self.logs[slot] = PlannedLog::new(&entry.log, entry.position.offset);
            }
            (CursorMove::Leave, Some(slot)) => drop(self.logs.remove(slot)),
            _ => {}
        }
        self.plan.passed += 1;
        true
    }

    /// Adds lines of a log. There may be none before the offset `until`, if they are not published yet.
    fn add_lines(&mut self, slot: usize, until: u64, turn_max: Turn) -> bool {
        let PlannedLog { log, offset: from, .. } = self.logs[slot];
        if from >= log.end() {
            return false;
        }
        let span = ReadSpan {
            from,
            until,
            turn_max,
            bytes_max: WRITE_BYTES_MAX - self.bytes,
            slices_max: WRITE_SLICES_MAX - self.plan.chunks.len(),
        };
        let before = self.bytes;
        let read = log.read(&span, |slice| {
            self.bytes += slice.bytes().len();
            self.plan.chunks.push(Chunk { passed: self.plan.passed, part: Part::Lines(slot, slice) });
        });
        let Ok(unread_turn) = read else { return self.stop_at_evicted() };
        let read = self.bytes - before;
        let log = &mut self.logs[slot];
        log.offset += read as u64;
        log.unread_turn = Some(self.cursor.up_to_published(unread_turn));
        self.torn = None;
        read > 0
    }

    /// Write the chunks before what is evicted first.
    fn stop_at_evicted(&mut self) -> bool {
        self.plan.is_evicted = self.plan.chunks.is_empty();
        false
    }

    fn slot(&self, log: LogId) -> Option<usize> {
        self.logs.iter().position(|planned| planned.log.id == log)
    }

    fn unread_turn(&mut self, slot: usize) -> Turn {
        if let Some(turn) = self.logs[slot].unread_turn {
            return turn;
        }
        let PlannedLog { log, offset, .. } = self.logs[slot];
        let turn = match log.turn_after(offset) {
            Ok(turn) => self.cursor.up_to_published(turn),
            // The insertion comes before what is evicted. Not noted, because this holds only up to the insertion.
            Err(_) if self.is_at_insertion(slot) => return Turn::NEVER,
            Err(_) => EVICTED,
        };
        self.logs[slot].unread_turn = Some(turn);
        turn
    }

    /// Whether an insertion is pinned to the current position in a log.
    fn is_at_insertion(&self, slot: usize) -> bool {
        let PlannedLog { log, offset, .. } = self.logs[slot];
        let mut pinned = self.cursor.insertions.iter().skip(self.plan.passed).filter_map(|insertion| insertion.at);
        pinned.find(|at| at.log == log.id).is_some_and(|at| at.offset <= offset)
    }

    fn first_unread_turn(&mut self) -> Turn {
        let turns = (0..self.logs.len()).map(|slot| self.unread_turn(slot));
        turns.min().unwrap_or(Turn::NEVER).min(self.cursor.published.next())
    }
}

impl<'a> PlannedLog<'a> {
    fn new(log: &'a Log, offset: u64) -> Self {
        Self { log, offset, unread_turn: None }
    }

    /// The offset up to which the log can be read before the insertion.
    fn offset_before(&self, next: Option<&Insertion>) -> u64 {
        next.and_then(|next| next.at).filter(|at| at.log == self.log.id).map_or(u64::MAX, |at| at.offset)
    }

    /// Whether nothing in this log comes before the insertion, except for segments of earlier turns.
    fn has_reached(&self, next: &Insertion) -> bool {
        next.at.is_none_or(|at| at.log != self.log.id || at.offset <= self.offset)
    }
}
