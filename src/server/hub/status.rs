//! The figures of the hub, for `chinwagd status` and for the service manager.

use super::Hub;
use crate::limits::BACKLOG_FEEDS;
use crate::protocol::{MessageId, Token};
use crate::state::{Room, RoomId};

/// The figures of the members, the rooms and the retained output, all of one moment: the hub processes no request between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubStatus {
    /// The epoch of the lobby.
    pub epoch: Option<Token>,
    /// Members, with or without a connection.
    pub members: usize,
    /// Members without a connection.
    pub detached: usize,
    /// Sessions without a nickname.
    pub unnamed: usize,
    /// Sessions without a nickname that read a room.
    pub watching: usize,
    /// Accounts, and how many of them have a member that has logged in. `None`: the server has no accounts.
    pub accounts: Option<(usize, usize)>,
    /// Rooms, with the lobby.
    pub rooms: usize,
    /// Rooms with members, besides the lobby.
    pub occupied_rooms: usize,
    /// The limit of `occupied_rooms`.
    pub rooms_max: usize,
    /// Messages that were published in all rooms since the start.
    pub messages: u64,
    /// Messages times their readers, without their authors, since the start.
    pub deliveries: u64,
    /// The id of the newest message in the lobby; 0 before the first one.
    pub newest_id: MessageId,
    /// Output that is kept for clients, in bytes: all unread output, and the newest events, even if every client has read them.
    pub backlog_bytes: usize,
    /// The limit of `backlog_bytes`.
    pub backlog_bytes_max: usize,
    /// Changes that wait for the store, or are being committed.
    pub store_queue: usize,
    /// Passwords that wait to be checked or hashed.
    pub password_queue: usize,
    /// Why the store has not stored the last messages. `None` if it has, or without a store.
    pub store_failure: Option<String>,
}

/// The answer of a hub that is alive. It takes the same time whatever the number of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignOfLife {
    /// Members, with or without a connection.
    pub members: usize,
    /// The store has not stored the last messages.
    pub has_store_failure: bool,
}

impl Hub {
    pub(super) fn sign_of_life(&self) -> SignOfLife {
        let has_store_failure = self.sessions.sequencer().failure().is_some();
        SignOfLife { members: self.sessions.state().member_count(), has_store_failure }
    }

    /// The current figures. Counts the sessions, so it takes longer the more there are.
    pub fn status(&self) -> HubStatus {
        let (sessions, state, feed) = (&self.sessions, self.sessions.state(), self.delivery.feed());
        let lobby = state.room(RoomId::LOBBY);
        let logged_in = state.members().filter(|(_, member)| member.account().is_some()).count();
        HubStatus {
            epoch: lobby.and_then(Room::epoch).cloned(),
            members: state.member_count(),
            detached: sessions.detached_count(),
            unnamed: sessions.unnamed_count(),
            watching: state.watcher_count(),
            accounts: sessions.has_accounts().then(|| (state.accounts().len(), logged_in)),
            rooms: state.room_count(),
            occupied_rooms: state.occupied_room_count(),
            rooms_max: state.policy().rooms,
            messages: self.messages,
            deliveries: self.delivery.deliveries(),
            newest_id: lobby.map(Room::last_id).unwrap_or_default(),
            backlog_bytes: feed.backlog().bytes(),
            backlog_bytes_max: BACKLOG_FEEDS * feed.bytes_max(),
            store_queue: sessions.sequencer().pending_count(),
            password_queue: sessions.password_queue_len(),
            store_failure: sessions.sequencer().failure().map(str::to_owned),
        }
    }
}
