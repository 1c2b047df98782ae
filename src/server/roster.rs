//! The lists that `WHO` and `STATUS` ask for: rendered once for all who ask before the list changes, and bounded, however
//! many ask and do not read.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Weak};

use crate::limits::SEGMENT_OVERHEAD_BYTES;
use crate::protocol::{Dialect, Ending, User};
use crate::room::SessionId;

/// The lists that were rendered and that somebody may still have to read.
#[derive(Debug, Default)]
pub(super) struct Rosters {
    /// The last one for each line ending.
    latest: [Option<Rendered>; 2],
    /// All of them, the oldest first.
    lent: VecDeque<Lent>,
    /// What `lent` counts, those read by now included.
    bytes: usize,
}

/// Who is listed, and the lines that say so.
type Rendered = (Arc<[User]>, Arc<[u8]>);

/// A list, and who asked for it.
#[derive(Debug)]
struct Lent {
    text: Weak<[u8]>,
    bytes: usize,
    to: BTreeSet<SessionId>,
}

impl Rosters {
    /// The lines that list these, for this session, and how many bytes had to be rendered for it.
    pub(super) fn lend(&mut self, users: Arc<[User]>, dialect: Dialect, to: SessionId) -> (Arc<[u8]>, usize) {
        let latest = &mut self.latest[usize::from(dialect.ending == Ending::CrLf)];
        if let Some((_, text)) = latest.as_ref().filter(|(rendered, _)| Arc::ptr_eq(rendered, &users)) {
            let same = |lent: &&mut Lent| std::ptr::addr_eq(lent.text.as_ptr(), Arc::as_ptr(text));
            if let Some(lent) = self.lent.iter_mut().rev().find(same) {
                lent.to.insert(to);
            }
            return (Arc::clone(text), 0);
        }
        let mut text = Vec::new();
        for user in &*users {
            dialect.write_line(&mut text, user);
        }
        let rendered = text.len();
        let text: Arc<[u8]> = Arc::from(text);
        let bytes = rendered + SEGMENT_OVERHEAD_BYTES;
        self.lent.push_back(Lent { text: Arc::downgrade(&text), bytes, to: BTreeSet::from([to]) });
        self.bytes += bytes;
        *latest = Some((users, Arc::clone(&text)));
        (text, rendered)
    }

    /// Takes back the oldest lists until the rest counts at most `bytes_max`. Returns who had asked for one that somebody
    /// still has to read, with its length.
    pub(super) fn call_in(&mut self, bytes_max: usize) -> Vec<(SessionId, usize)> {
        if self.bytes <= bytes_max {
            return Vec::new();
        }
        self.lent.retain(|lent| lent.text.strong_count() > 0);
        self.bytes = self.lent.iter().map(|lent| lent.bytes).sum();
        let mut overdue = Vec::new();
        while self.bytes > bytes_max && self.lent.len() > self.latest.len() {
            let Some(oldest) = self.lent.pop_front() else { break };
            self.bytes -= oldest.bytes;
            overdue.extend(oldest.to.into_iter().map(|session| (session, oldest.bytes)));
        }
        overdue
    }
}
