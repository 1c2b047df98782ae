//! The replies to `WHO` and `STATUS`: rendered once for all clients that ask before the list changes.

use std::sync::Arc;

use crate::feed::{Backlog, SharedLines};
use crate::protocol::{Dialect, User};

/// The latest list for each line ending.
#[derive(Debug, Default)]
pub(super) struct UserLists([Option<UserList>; 2]);

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
        dialect: Dialect,
        backlog: &Arc<Backlog>,
    ) -> (Arc<SharedLines>, usize) {
        let latest = &mut self.0[dialect.ending.index()];
        if let Some(list) = latest.as_ref().filter(|list| Arc::ptr_eq(&list.users, &users)) {
            return (Arc::clone(&list.lines), 0);
        }
        let mut text = Vec::new();
        for user in &*users {
            dialect.write_line(&mut text, user);
        }
        let rendered = text.len();
        let lines = Arc::new(SharedLines::new(text));
        if let Some(before) = latest.replace(UserList { users, lines: Arc::clone(&lines) }) {
            before.lines.retire(backlog);
        }
        (lines, rendered)
    }
}
