//! The replies to `WHO` and `STATUS` in a room: rendered once for all clients that ask before the list changes.

use std::sync::Arc;

use super::replies::{REPLY_STYLES, ReplyStyle};
use crate::feed::{Backlog, SharedLines};
use crate::protocol::User;

/// The latest list of a room in each style.
#[derive(Debug, Default)]
pub(super) struct UserLists {
    latest: [Option<UserList>; REPLY_STYLES],
    /// Memory of the lines, in bytes.
    bytes: usize,
}

#[derive(Debug)]
struct UserList {
    users: Arc<[User]>,
    lines: Arc<SharedLines>,
}

impl UserLists {
    /// The `USER` lines of these users, and how many bytes were rendered for this call. Retires the list before.
    pub(super) fn render(
        &mut self,
        users: Arc<[User]>,
        style: ReplyStyle<'_>,
        backlog: &Arc<Backlog>,
    ) -> (Arc<SharedLines>, usize) {
        let latest = &mut self.latest[style.index()];
        if let Some(list) = latest.as_ref().filter(|list| Arc::ptr_eq(&list.users, &users)) {
            return (Arc::clone(&list.lines), 0);
        }
        let mut text = Vec::new();
        for user in &*users {
            style.write_line(&mut text, user);
        }
        let rendered = text.len();
        let lines = Arc::new(SharedLines::new(text));
        self.bytes += lines.cost();
        if let Some(before) = latest.replace(UserList { users, lines: Arc::clone(&lines) }) {
            self.bytes -= before.lines.cost();
            before.lines.retire(backlog);
        }
        (lines, rendered)
    }

    /// Retires all lists.
    pub(super) fn retire(&self, backlog: &Arc<Backlog>) {
        self.latest.iter().flatten().for_each(|list| list.lines.retire(backlog));
    }

    /// Memory of the lines, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
