//! All messages and strokes, and which of them the room must still have.

use chinwag::command::{Command, History, Since};
use chinwag::protocol::{Drawing, DrawnStroke, ErrorCode, Event, MessageId, Name, PastMessage, Text, Timestamp};

/// Messages that the room keeps: so few that some are soon evicted.
pub(super) const KEPT: usize = 20;

/// Strokes that the canvas keeps.
pub(super) const STROKES_KEPT: usize = 3;

#[derive(Default)]
pub(super) struct MessageLog {
    messages: Vec<(MessageId, Timestamp, Name, Option<Text>)>,
    last: MessageId,
    /// Strokes since the canvas was last cleared.
    drawn: Vec<DrawnStroke>,
    /// Number of `CANVAS` replies with strokes.
    pub(super) canvases: u32,
}

impl MessageLog {
    pub(super) fn record(&mut self, id: Option<MessageId>, at: Timestamp, event: &Event) {
        match event {
            Event::Draw(_, Drawing::Clear) => self.drawn.clear(),
            Event::Draw(name, Drawing::Stroke(stroke)) => {
                self.drawn.push(DrawnStroke { name: name.clone(), stroke: stroke.clone() });
            }
            Event::Deleted { id, .. } => self.delete(*id),
            _ => {}
        }
        let Some(id) = id else { return };
        self.last = id;
        if let Event::Msg(name, text) = event {
            self.messages.push((id, at, name.clone(), Some(text.clone())));
        }
    }

    fn delete(&mut self, id: MessageId) {
        let found = self.messages.iter_mut().find(|(said, ..)| *said == id);
        let (.., text) = found.expect("only a message that exists is deleted");
        assert!(text.take().is_some(), "{id:?} is deleted twice");
    }

    /// Whether the message is in memory.
    pub(super) fn keeps(&self, id: MessageId) -> bool {
        self.messages.iter().rev().take(KEPT).any(|(said, ..)| *said == id)
    }

    /// The code with which the room must refuse `SINCE` with this id.
    pub(super) fn refusal(&self, id: MessageId) -> Option<ErrorCode> {
        let missed = self.messages.iter().filter(|(said, ..)| *said > id).count();
        match () {
            () if id > self.last => Some(ErrorCode::IdAhead),
            () if missed > KEPT => Some(ErrorCode::TooOld),
            () => None,
        }
    }

    /// Checks a reply to `CANVAS`.
    pub(super) fn check_canvas(&mut self, strokes: &[&DrawnStroke]) {
        let kept = &self.drawn[self.drawn.len().saturating_sub(STROKES_KEPT)..];
        assert!(kept.iter().eq(strokes.iter().copied()), "{strokes:?} is not the canvas");
        self.canvases += u32::from(!strokes.is_empty());
    }

    /// Checks the past messages in the reply to a command.
    pub(super) fn check(&self, command: &Command, replayed: &[&PastMessage]) {
        let kept = &self.messages[self.messages.len().saturating_sub(KEPT)..];
        let asked = match command {
            Command::History(History(count)) => {
                &kept[kept.len() - kept.len().min(usize::try_from(*count).expect("few"))..]
            }
            Command::Since(Since { after: id, .. }) => &kept[kept.iter().take_while(|(said, ..)| said <= id).count()..],
            _ => panic!("{command:?} must not return past messages"),
        };
        let replayed = replayed.iter().map(|PastMessage { id, at, name, text }| (*id, *at, name.clone(), text.clone()));
        assert!(asked.iter().cloned().eq(replayed), "{command:?} returned other messages");
    }
}
