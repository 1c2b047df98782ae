//! A client that gets output, and the rooms that it follows ([`Client`]).

use std::sync::Arc;

use smallvec::SmallVec;

use crate::feed::{CursorMove, InsertionPoint, Mailbox, Position, Publisher};
use crate::protocol::{Dialect, Mode};
use crate::state::{RoomId, SessionId};

/// A client that gets output.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) mailbox: Arc<Mailbox>,
    /// The rooms that the client follows, in the order in which it entered them.
    follows: SmallVec<[FollowedRoom; 1]>,
    dialect: Dialect,
    /// The mode in which hints write commands.
    pub(super) mode: Mode,
    /// The client is in `Delivery::pending_wakes`.
    pub(super) is_wake_pending: bool,
}

#[derive(Clone, Copy, Debug)]
struct FollowedRoom {
    room: RoomId,
    /// Lines about the room do not name it, unless the client's dialect does in all rooms.
    is_home: bool,
}

impl FollowedRoom {
    /// The dialect of lines about the room, for a client with the dialect `of_client`.
    fn dialect(self, of_client: Dialect) -> Dialect {
        Dialect { room_names: of_client.room_names || !self.is_home, ..of_client }
    }
}

impl Client {
    pub(super) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self {
            mailbox,
            follows: SmallVec::new(),
            dialect: Dialect::default(),
            mode: Mode::default(),
            is_wake_pending: false,
        }
    }

    /// The dialect of lines that are not about a room.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The dialect of lines about this room.
    pub(super) fn dialect_in(&self, room: RoomId) -> Dialect {
        self.followed_dialect(room).unwrap_or(self.dialect)
    }

    /// The dialect in which the client follows this room, if it does.
    pub(super) fn followed_dialect(&self, room: RoomId) -> Option<Dialect> {
        Some(self.followed(room)?.dialect(self.dialect))
    }

    /// Where the next line for this client alone belongs. It is pinned to the room that it is about, or else to the home, or else to
    /// the room that the client has followed for longest.
    pub(super) fn insertion_point(&self, publisher: &Publisher, room: Option<RoomId>) -> InsertionPoint {
        let followed = room.and_then(|room| self.followed(room));
        let home = || self.follows.iter().find(|followed| followed.is_home);
        let followed = followed.or_else(home).or(self.follows.first());
        let at = followed.and_then(|followed| publisher.position(followed.room, followed.dialect(self.dialect)));
        self.insertion_point_at(publisher, at)
    }

    /// The insertion point at this position.
    pub(super) fn insertion_point_at(&self, publisher: &Publisher, at: Option<Position>) -> InsertionPoint {
        InsertionPoint { turn: publisher.turn(), at, is_alone: self.follows.len() <= 1 }
    }

    fn followed(&self, room: RoomId) -> Option<&FollowedRoom> {
        self.follows.iter().find(|followed| followed.room == room)
    }

    /// Makes the client follow a room, after its output so far.
    pub(super) fn follow(&mut self, publisher: &mut Publisher, session: SessionId, room: RoomId, is_home: bool) {
        if self.followed(room).is_some() {
            return;
        }
        let point = self.insertion_point(publisher, None);
        let followed = FollowedRoom { room, is_home };
        let entry = publisher.follow(room, followed.dialect(self.dialect), session, &self.mailbox);
        if let Some(entry) = entry {
            self.follows.push(followed);
            self.mailbox.set_rooms(self.follows.len());
            self.mailbox.insert(point, CursorMove::Enter(Box::new(entry)), |_| {});
        }
    }

    /// The client no longer follows the room, after its output so far.
    pub(super) fn unfollow(&mut self, publisher: &mut Publisher, session: SessionId, room: RoomId) {
        let Some(index) = self.follows.iter().position(|followed| followed.room == room) else { return };
        self.mailbox.insert(self.insertion_point(publisher, Some(room)), CursorMove::Leave, |_| {});
        let followed = self.follows.remove(index);
        self.mailbox.set_rooms(self.follows.len());
        publisher.unfollow(room, followed.dialect(self.dialect), session);
    }

    /// The client follows no room any more. Its output ends after this.
    pub(super) fn unfollow_all(&mut self, publisher: &mut Publisher, session: SessionId) {
        for followed in std::mem::take(&mut self.follows) {
            publisher.unfollow(followed.room, followed.dialect(self.dialect), session);
        }
    }

    /// Sets the client's dialect, after its output so far in each room.
    pub(super) fn set_dialect(&mut self, publisher: &mut Publisher, session: SessionId, dialect: Dialect) {
        for followed in &self.follows {
            let (before, after) = (followed.dialect(self.dialect), followed.dialect(dialect));
            if before == after {
                continue;
            }
            let point = self.insertion_point(publisher, Some(followed.room));
            if let Some(entry) = publisher.follow(followed.room, after, session, &self.mailbox) {
                self.mailbox.insert(point, CursorMove::Switch(Box::new(entry)), |_| {});
                publisher.unfollow(followed.room, before, session);
            }
        }
        self.dialect = dialect;
    }

    /// The insertion point after all events so far in all of the client's rooms. Inserts nothing that the client could read.
    pub(super) fn point_after_all(&self, publisher: &Publisher) -> InsertionPoint {
        // The turns before this one come first anyway.
        let others = if self.follows.len() > 1 { &self.follows[..] } else { &[] };
        for followed in others {
            if publisher.has_pending(followed.room, followed.dialect(self.dialect)) {
                self.mailbox.insert(self.insertion_point(publisher, Some(followed.room)), CursorMove::Stay, |_| {});
            }
        }
        self.insertion_point(publisher, None)
    }
}
