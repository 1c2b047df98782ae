//! All that was said and drawn, and what of it the room still has to know.

use chinwag::command::{Command, History, Since};
use chinwag::protocol::{Drawing, DrawnStroke, ErrorCode, Event, MessageId, Name, PastMessage, Text, Timestamp};

/// So few that they are soon too few.
pub(super) const KEPT: usize = 20;
pub(super) const STROKES_KEPT: usize = 3;

#[derive(Default)]
pub(super) struct Said {
    messages: Vec<(MessageId, Timestamp, Name, Text)>,
    last: MessageId,
    /// Since the canvas was cleared.
    drawn: Vec<DrawnStroke>,
    /// How often somebody asked for the canvas, and something was on it.
    pub(super) canvases: u32,
}

impl Said {
    pub(super) fn take(&mut self, id: Option<MessageId>, at: Timestamp, event: &Event) {
        match event {
            Event::Draw(_, Drawing::Clear) => self.drawn.clear(),
            Event::Draw(name, Drawing::Stroke(stroke)) => {
                self.drawn.push(DrawnStroke { name: name.clone(), stroke: stroke.clone() });
            }
            _ => {}
        }
        let Some(id) = id else { return };
        self.last = id;
        if let Event::Msg(name, text) = event {
            self.messages.push((id, at, name.clone(), text.clone()));
        }
    }

    /// Why `SINCE` this has to be refused.
    pub(super) fn refusal(&self, id: MessageId) -> Option<ErrorCode> {
        let missed = self.messages.iter().filter(|(said, ..)| *said > id).count();
        match () {
            () if id > self.last => Some(ErrorCode::IdAhead),
            () if missed > KEPT => Some(ErrorCode::TooOld),
            () => None,
        }
    }

    /// What is on the canvas is this.
    pub(super) fn check_canvas(&mut self, told: &[&DrawnStroke]) {
        let kept = &self.drawn[self.drawn.len().saturating_sub(STROKES_KEPT)..];
        assert!(kept.iter().eq(told.iter().copied()), "{told:?} is not on the canvas");
        self.canvases += u32::from(!told.is_empty());
    }

    /// The lines that the command asks for are these, and no others.
    pub(super) fn check(&self, command: &Command, replayed: &[&PastMessage]) {
        let kept = &self.messages[self.messages.len().saturating_sub(KEPT)..];
        let asked = match command {
            Command::History(History(count)) => {
                &kept[kept.len() - kept.len().min(usize::try_from(*count).expect("few"))..]
            }
            Command::Since(Since { after: id, .. }) => &kept[kept.iter().take_while(|(said, ..)| said <= id).count()..],
            _ => panic!("{command:?} asks for nothing of it"),
        };
        let replayed = replayed.iter().map(|PastMessage { id, at, name, text }| (*id, *at, name.clone(), text.clone()));
        assert!(asked.iter().cloned().eq(replayed), "{command:?} is answered with something else");
    }
}
