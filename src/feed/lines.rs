//! Lines rendered one after the other, and which event each of them tells.

use crate::limits::MARKED_BYTES;
use crate::protocol::{Dialect, Event, EventId, Tag};

/// Lines that are being rendered in one dialect.
#[derive(Debug, Default)]
pub(super) struct Rendering {
    bytes: Vec<u8>,
    marks: Vec<Mark>,
    last: EventId,
}

/// Lines that are published.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) bytes: Box<[u8]>,
    /// None if nobody wants to know.
    marks: Box<[Mark]>,
    /// What the last line tells.
    last: EventId,
}

/// The line that begins here tells this event, and each that follows, up to the next mark, the one after.
#[derive(Clone, Copy, Debug)]
struct Mark {
    offset: u32,
    id: EventId,
}

impl Rendering {
    /// Appends a line. If it is to be known which event it tells, `said` is the last message before it.
    pub(super) fn push(&mut self, dialect: Dialect, tag: Tag, event: &Event, said: Option<EventId>) {
        if let Some(said) = said {
            // What has no id may be the first that is rendered in this dialect, or the first in a long time.
            self.mark(tag.id.unwrap_or(self.last.max(said)));
        }
        dialect.write_event(&mut self.bytes, tag, event);
    }

    /// One mark for each stretch of so many bytes: they are few, and the lines in between are soon counted.
    fn mark(&mut self, id: EventId) {
        let offset = self.bytes.len();
        let is_near = |mark: &Mark| offset - (mark.offset as usize) < MARKED_BYTES;
        if id != self.last.next() || !self.marks.last().is_some_and(is_near) {
            // A segment is far smaller.
            self.marks.push(Mark { offset: u32::try_from(offset).unwrap_or(u32::MAX), id });
        }
        self.last = id;
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What was rendered; what comes next begins anew.
    pub(super) fn take(&mut self) -> Lines {
        let lines = Lines { bytes: self.bytes.as_slice().into(), marks: self.marks.as_slice().into(), last: self.last };
        self.bytes.clear();
        self.marks.clear();
        lines
    }
}

impl Lines {
    /// Memory that it takes.
    pub(super) fn cost(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.marks)
    }

    /// Where a reader stands who has read up to here: which event it read of last, and what is left of its line. None at the very
    /// begin, and if it is not known.
    #[expect(clippy::naive_bytecount, reason = "a thousand bytes, for one who is behind")]
    pub(super) fn standing(&self, read: usize) -> Option<(EventId, &[u8])> {
        let last_byte = read.checked_sub(1)?;
        if read == self.bytes.len() && !self.marks.is_empty() {
            return Some((self.last, &[]));
        }
        let mark = self.marks[..self.marks.partition_point(|mark| mark.offset as usize <= last_byte)].last()?;
        let lines_before = self.bytes[mark.offset as usize..last_byte].iter().filter(|&&byte| byte == b'\n').count();
        let id = EventId(mark.id.0 + lines_before as u64);
        if self.bytes[last_byte] == b'\n' {
            return Some((id, &[]));
        }
        let rest = &self.bytes[read..];
        let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
        Some((id, &rest[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Name, Text, Timestamp};

    /// With ids that are left out, a line that has none, and lines of many lengths.
    #[test]
    fn wherever_a_reader_stands_it_is_known_of_which_line() {
        let mut rendering = Rendering::default();
        let mut expected = Vec::new();
        let mut id = 0;
        for number in 0..300_u64 {
            id += if number % 37 == 5 { 100 } else { u64::from(number % 50 != 7) };
            let tag = Tag { id: (number % 50 != 7).then_some(EventId(id)), at: Timestamp(0) };
            let text = Text::new(&"x".repeat(1 + usize::try_from(number * 7 % 400).unwrap())).unwrap();
            let before = rendering.len();
            rendering.push(Dialect::default(), tag, &Event::Msg(Name::new("a").unwrap(), text), Some(EventId(0)));
            expected.push((before, rendering.len(), EventId(id)));
        }
        let lines = rendering.take();
        assert!(lines.marks.len() < 100, "{} marks", lines.marks.len());
        assert_eq!(lines.standing(0), None);
        for (start, end, id) in expected {
            for read in start + 1..=end {
                assert_eq!(lines.standing(read), Some((id, &lines.bytes[read..end])), "{read}");
            }
        }
    }
}
