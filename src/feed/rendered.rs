//! Rendered lines, and an index that finds the last message at each byte of them.

use crate::limits::MARKED_BYTES;
use crate::protocol::{Dialect, Event, MessageId, RoomName, Tag};

/// Lines of one log for the next segment.
#[derive(Debug, Default)]
pub(super) struct RenderBuffer {
    bytes: Vec<u8>,
    marks: Vec<Mark>,
    /// The last message up to the last line.
    last: MessageId,
}

/// The lines of a published segment.
#[derive(Debug)]
pub(super) struct RenderedLines {
    pub(super) bytes: Box<[u8]>,
    /// Marks in the text. Empty if the feed has none.
    marks: Box<[Mark]>,
    /// The last message up to the last line.
    last: MessageId,
}

/// A run of lines of one kind, up to the next mark. It begins at `offset`.
#[derive(Clone, Copy, Debug)]
struct Mark {
    offset: u32,
    lines: Run,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// Messages with consecutive ids, from this one on.
    Messages(MessageId),
    /// Other events, after the message with this id.
    Others(MessageId),
}

impl RenderBuffer {
    /// Appends a line. In a feed with marks, `before` is the id of the last message before it.
    pub(super) fn push(
        &mut self,
        dialect: Dialect,
        tag: Tag,
        room: &RoomName,
        event: &Event,
        before: Option<MessageId>,
    ) {
        if let Some(before) = before {
            self.mark(tag.id.map_or(Run::Others(before), Run::Messages));
        }
        dialect.write_room_event(&mut self.bytes, tag, room, event);
    }

    /// Marks the start of a run of lines, and adds a mark at least every [`MARKED_BYTES`]: so there are few marks, and few lines to count
    /// between two of them.
    fn mark(&mut self, line: Run) {
        let offset = self.bytes.len();
        let continues = match (line, self.marks.last().map(|mark| mark.lines)) {
            (Run::Messages(id), Some(Run::Messages(_))) => id == self.last.next(),
            (Run::Others(id), Some(Run::Others(_))) => id == self.last,
            _ => false,
        };
        let is_near = |mark: &Mark| offset - (mark.offset as usize) < MARKED_BYTES;
        if !continues || !self.marks.last().is_some_and(is_near) {
            // A segment is far smaller than 4 GiB.
            self.marks.push(Mark { offset: u32::try_from(offset).unwrap_or(u32::MAX), lines: line });
        }
        let (Run::Messages(last) | Run::Others(last)) = line;
        self.last = last;
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Memory of the buffer, in bytes.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.bytes.capacity() + self.marks.capacity() * size_of::<Mark>()
    }

    /// Returns the lines and empties the buffer.
    pub(super) fn finish(&mut self) -> RenderedLines {
        let lines =
            RenderedLines { bytes: self.bytes.as_slice().into(), marks: self.marks.as_slice().into(), last: self.last };
        self.bytes.clear();
        self.marks.clear();
        lines
    }
}

impl RenderedLines {
    /// Memory of the lines and the index, in bytes.
    pub(super) fn cost(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.marks)
    }

    /// The last message of which a reader that has read `read` bytes has read at least a part, and the rest of a partly read line. `None`
    /// at the very beginning, and without marks.
    #[expect(clippy::naive_bytecount, reason = "at most a thousand bytes, once for a slow consumer")]
    pub(super) fn last_message(&self, read: usize) -> Option<(MessageId, &[u8])> {
        let last_byte = read.checked_sub(1)?;
        if read == self.bytes.len() && !self.marks.is_empty() {
            return Some((self.last, &[]));
        }
        let mark = self.marks[..self.marks.partition_point(|mark| mark.offset as usize <= last_byte)].last()?;
        let lines_before = self.bytes[mark.offset as usize..last_byte].iter().filter(|&&byte| byte == b'\n').count();
        let id = match mark.lines {
            Run::Messages(first) => MessageId(first.0 + lines_before as u64),
            Run::Others(before) => before,
        };
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

    /// The lines include gaps between ids, lines without ids, and many lengths.
    #[test]
    fn last_message_is_known_at_every_byte() {
        let mut buffer = RenderBuffer::default();
        let mut expected = Vec::new();
        let mut id = 0;
        for number in 0..300_u64 {
            let (before, is_message) = (MessageId(id), number % 50 != 7 && number % 23 > 2);
            id += if number % 37 == 5 { 100 } else { 1 } * u64::from(is_message);
            let tag = Tag { id: is_message.then_some(MessageId(id)), at: Timestamp(0) };
            let text = Text::new(&"x".repeat(1 + usize::try_from(number * 7 % 400).unwrap())).unwrap();
            let start = buffer.len();
            let event = Event::Msg(Name::new("a").unwrap(), text);
            buffer.push(Dialect::default(), tag, &RoomName::lobby(), &event, Some(before));
            expected.push((start, buffer.len(), MessageId(id)));
        }
        let lines = buffer.finish();
        assert!(lines.marks.len() < 100, "{} marks", lines.marks.len());
        assert_eq!(lines.last_message(0), None);
        for (start, end, id) in expected {
            for read in start + 1..=end {
                assert_eq!(lines.last_message(read), Some((id, &lines.bytes[read..end])), "{read}");
            }
        }
    }
}
