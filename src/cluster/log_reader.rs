//! Checks that each message of the log is read once, in order.

use super::engine::{EngineRequest, LogMessage, LogPosition, ReaderId};

/// The current reader, and how far it has come.
#[derive(Debug)]
pub(super) struct LogReader {
    id: ReaderId,
    next: LogPosition,
}

impl LogReader {
    /// A reader that has not begun, for a log that is read from this position on.
    pub(super) fn new(next: LogPosition) -> Self {
        Self { id: ReaderId::default(), next }
    }

    /// The position of the next message.
    pub(super) fn next(&self) -> LogPosition {
        self.next
    }

    /// Whether this is the current reader.
    pub(super) fn is_current(&self, reader: ReaderId) -> bool {
        reader == self.id
    }

    /// Begins another reader where the last one has ended.
    pub(super) fn begin(&mut self) -> EngineRequest {
        self.id = ReaderId(self.id.0 + 1);
        EngineRequest::Read { reader: self.id, first: self.next }
    }

    /// Checks the next message of a reader: what an engine's reader returns can have repetitions and gaps.
    pub(super) fn check(&mut self, reader: ReaderId, message: &LogMessage) -> Contiguity {
        if !self.is_current(reader) || message.position < self.next {
            return Contiguity::Repeated;
        }
        if message.position > self.next {
            return Contiguity::Gap(self.begin());
        }
        self.next = message.position.next();
        Contiguity::Next
    }
}

/// How a message follows those before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Contiguity {
    /// It is the next one.
    Next,
    /// It was read before, or an outdated reader has read it.
    Repeated,
    /// Messages before it are missing: this request begins another reader.
    Gap(EngineRequest),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(position: u64) -> LogMessage {
        LogMessage { position: LogPosition(position), engine_ms: 0, run: 1, body: [].into() }
    }

    #[test]
    fn reader_returns_each_message_once() {
        let mut reader = LogReader::new(LogPosition(1));
        let request = reader.begin();
        assert_eq!(request, EngineRequest::Read { reader: ReaderId(1), first: LogPosition(1) });
        let checks = [1, 1, 2, 1, 3].map(|position| reader.check(ReaderId(1), &message(position)));
        let (next, repeated) = (Contiguity::Next, Contiguity::Repeated);
        assert!(checks.iter().eq([&next, &repeated, &next, &repeated, &next]), "{checks:?}");
    }

    #[test]
    fn reader_begins_again_at_gap_and_ignores_its_predecessor() {
        let mut reader = LogReader::new(LogPosition(1));
        reader.begin();
        assert_eq!(reader.check(ReaderId(1), &message(1)), Contiguity::Next);
        let again = EngineRequest::Read { reader: ReaderId(2), first: LogPosition(2) };
        assert_eq!(reader.check(ReaderId(1), &message(3)), Contiguity::Gap(again));
        assert_eq!(reader.check(ReaderId(1), &message(2)), Contiguity::Repeated, "an outdated reader");
        assert_eq!(reader.check(ReaderId(2), &message(2)), Contiguity::Next);
        assert_eq!(reader.next(), LogPosition(3));
    }
}
