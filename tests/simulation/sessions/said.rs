//! All that was said, and what of it the room still has to know.

use chinwag::protocol::{Command, ErrorCode, Event, EventId, Name, Past, Text, Timestamp};

/// So few that they are soon too few.
pub(super) const KEPT: usize = 20;

#[derive(Default)]
pub(super) struct Said {
    messages: Vec<(EventId, Timestamp, Name, Text)>,
    last: EventId,
}

impl Said {
    pub(super) fn take(&mut self, id: EventId, at: Timestamp, event: &Event) {
        self.last = id;
        if let Event::Msg(name, text) = event {
            self.messages.push((id, at, name.clone(), text.clone()));
        }
    }

    /// Why `SINCE` this has to be refused.
    pub(super) fn refusal(&self, id: EventId) -> Option<ErrorCode> {
        let missed = self.messages.iter().filter(|(said, ..)| *said > id).count();
        match () {
            () if id > self.last => Some(ErrorCode::IdAhead),
            () if missed > KEPT => Some(ErrorCode::TooOld),
            () => None,
        }
    }

    /// The lines that the command asks for are these, and no others.
    pub(super) fn check(&self, command: &Command, replayed: &[&Past]) {
        let kept = &self.messages[self.messages.len().saturating_sub(KEPT)..];
        let asked = match command {
            Command::History(count) => &kept[kept.len() - kept.len().min(usize::try_from(*count).expect("few"))..],
            Command::Since(id, _) => &kept[kept.iter().take_while(|(said, ..)| said <= id).count()..],
            _ => panic!("{command:?} asks for nothing of it"),
        };
        let replayed = replayed.iter().map(|Past { id, at, name, text }| (*id, *at, name.clone(), text.clone()));
        assert!(asked.iter().cloned().eq(replayed), "{command:?} is answered with something else");
    }
}
