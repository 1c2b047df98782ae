//! Submits changes to the sequencer, and applies the entries that it returns.

use super::{Output, Sessions};
use crate::protocol::Timestamp;
use crate::sequencer::{Change, Sequenced};
use crate::state::{Action, Entry, Origin, Uptime};

impl Sessions {
    /// Submits a change, and applies the entries that are ready.
    pub(super) fn submit(&mut self, at: Timestamp, origin: Origin, action: Action, out: &mut Vec<Output>) {
        self.submit_at(self.state.now(), at, origin, action, out);
    }

    pub(super) fn submit_at(
        &mut self,
        uptime: Uptime,
        at: Timestamp,
        origin: Origin,
        action: Action,
        out: &mut Vec<Output>,
    ) {
        self.sequencer.submit(Change { at, uptime, origin, action });
        while self.advance_once(out) {}
    }

    /// Applies the next entry, if there is one, then carries out the lines that have waited for it. Returns whether there was one.
    pub fn advance(&mut self, out: &mut Vec<Output>) -> bool {
        let has_advanced = self.advance_once(out);
        self.run_released(out);
        has_advanced
    }

    /// Applies the next entry, if there is one. Returns whether there was.
    fn advance_once(&mut self, out: &mut Vec<Output>) -> bool {
        match self.sequencer.next() {
            None => return false,
            Some(Sequenced::Entry(entry)) => self.apply_entry(entry, out),
            Some(Sequenced::Refused(change, why)) => self.refuse_change(*change, why, out),
            Some(Sequenced::Reset(state)) => self.reset(*state, out),
        }
        true
    }

    fn apply_entry(&mut self, entry: Entry, out: &mut Vec<Output>) {
        let (at, origin) = (entry.at, entry.origin);
        let is_end = matches!(entry.action, Action::Detach(_) | Action::Leave(..));
        if matches!(entry.action, Action::Heartbeat) {
            self.note_heartbeat(origin);
        }
        let mut outputs = std::mem::take(&mut self.outputs);
        self.state.apply(entry, &mut outputs);
        for output in outputs.drain(..) {
            self.translate_output(at, output, out);
        }
        self.outputs = outputs;
        if is_end {
            self.end_without_member(origin.session, out);
        }
    }

    /// Records that the state has answered a line of the origin.
    pub(super) fn record_answer(&mut self, origin: Origin, out: &mut Vec<Output>) {
        if !self.is_local(origin.session) {
            return;
        }
        self.release_line(origin.session);
        match &mut self.line {
            Some(line) if line.session == origin.session => line.is_answered = true,
            _ => out.push(Output::Answered(origin.session)),
        }
    }
}
