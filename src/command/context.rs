//! The interface through which a command reads and changes its session and the shared state.

use std::ops::Range;
use std::sync::Arc;

use super::{
    Hint, HistoryReply, PasswordAttempt, PasswordNotChecked, PasswordRequest, Refusal, Reply, ServerLine, Verb,
};
use crate::protocol::{
    AccessToken, AccountId, AccountTokenId, Dialect, ErrorCode, MessageId, Mode, Name, Network, Password, PeerAddress,
    ResumeToken, RoomName, Secret, Text, Timestamp, User, Verifier,
};
use crate::state::{Action, MemberId, Rank, Room, RoomId, SharedState, Uptime};

/// The session that sent the command, and the shared state. The session gets lines in the order in which the command sends them.
pub trait Context {
    /// When the server received the command.
    fn time(&self) -> Timestamp;

    /// The members and the rooms.
    fn state(&self) -> &SharedState;

    /// The room that the command is about, if the session is in it or watches it. For a command that is not about a
    /// room, the home.
    fn room(&self) -> Option<RoomId>;

    /// The name of the room that the command is about, also if the session is not in it. `None`: the line names no room,
    /// and the session has no home.
    fn room_name(&self) -> Option<RoomName>;

    /// Whether the line itself names the room.
    fn names_room(&self) -> bool;

    /// Whether this is the name of the session's home.
    fn is_home(&self, room: &RoomName) -> bool;

    /// The room with this name, if the session is in it or watches it.
    fn find_own_room(&self, room: &RoomName) -> Option<RoomId>;

    /// The rooms that the session is in, or watches.
    fn own_rooms(&self) -> Vec<RoomId>;

    /// Whether the session is in the room with this name or watches it, or may have done so earlier.
    fn may_have_read(&self, room: &RoomName) -> bool;

    /// Whether the session watches a room.
    fn is_watching(&self) -> bool;

    /// Whether sessions without a nickname may watch rooms.
    fn has_watch(&self) -> bool;

    /// Whether the server has a password.
    fn has_password(&self) -> bool;

    /// Whether the server has a password that the session has not given yet.
    fn needs_password(&self) -> bool;

    /// Checks a password, unless the session may not try one now.
    fn try_password(&mut self, password: &Password) -> PasswordAttempt;

    /// Whether the server has a listener for lines over TLS.
    fn has_tls(&self) -> bool;

    /// Whether the server has accounts.
    fn has_accounts(&self) -> bool;

    /// Whether clients may register accounts.
    fn has_registration(&self) -> bool;

    /// Whether the session may send passwords of accounts, and access tokens.
    fn accepts_account_secrets(&self) -> bool;

    /// Whether the server is for accounts only, and the session has not logged in.
    fn needs_login(&self) -> bool;

    /// The account of the session, if it has logged in.
    fn account(&self) -> Option<AccountId>;

    /// Whether the session has given the password of its account recently.
    fn has_fresh_login(&self) -> bool;

    /// Has a password checked or hashed. The result is the reply to the command.
    ///
    /// # Errors
    /// Nobody checks the password now.
    fn check_password(&mut self, request: PasswordRequest) -> Result<(), PasswordNotChecked>;

    /// Logs in to an account, with this valid access token of it. The result is the reply.
    fn log_in(&mut self, account: AccountId, token: AccountTokenId, takes_over: bool);

    /// Keeps the access token that the command is about to make, for the reply.
    fn expect_token(&mut self, token: AccessToken);

    /// Counts rooms that the session is about to create. Returns false if its address has created too many.
    fn spend_room_creations(&mut self, rooms: usize) -> bool;

    /// Whether messages that are not in memory can be read from a store.
    fn has_store(&self) -> bool;

    /// The session's member or, before it has a nickname, the member that it would register.
    fn member(&self) -> MemberId;

    /// The rank of the session's member in a room. `None` as room: on the server.
    fn rank(&self, room: Option<RoomId>) -> Rank;

    /// Whether the network has addresses of a trusted proxy, which cannot be banned.
    fn is_proxy(&self, network: Network) -> bool;

    /// Whether the session's member moderates the server, or one of its rooms.
    fn may_moderate(&self) -> bool {
        let ranks = [None].into_iter().chain(self.own_rooms().into_iter().map(Some)).map(|room| self.rank(room));
        ranks.max() > Some(Rank::Member)
    }

    /// The session's nickname, if it has one.
    fn nickname(&self) -> Option<&Name>;

    /// The members of a room, in the order in which they entered it.
    fn members(&mut self, room: RoomId) -> Arc<[User]>;

    /// The member's connection, or its last one if it is detached; `None` if there is no such member.
    fn connection_of(&self, member: MemberId) -> Option<ConnectionInfo>;

    /// 128 random bits, new for each command. `None` if the system has no randomness, or
    /// [`Definition::needs_secret`](super::Definition::needs_secret) is false.
    fn secret(&self) -> Option<Secret>;

    /// The mode in which the session's lines are parsed.
    fn mode(&self) -> Mode;

    /// Sets the mode, from the session's next line on.
    fn set_mode(&mut self, mode: Mode);

    /// Sets the room that lines of chat mode go to; `None`: the home.
    fn set_chat_room(&mut self, room: Option<RoomName>);

    /// How lines are rendered for the session.
    fn dialect(&self) -> Dialect;

    /// Sets how lines are rendered for the session, from here on.
    fn set_dialect(&mut self, dialect: Dialect);

    /// Sets whether the session also gets the events of its own commands.
    fn set_echo(&mut self, echo: bool);

    /// The verifier of the resume token that the session requested before it took a nickname.
    fn verifier(&self) -> Option<Verifier>;

    /// Sets the resume token of the session's member; `None`: it cannot be resumed. Without a nickname, it applies once the session takes
    /// one. Sends the reply to `SET resume`.
    fn set_resume(&mut self, token: Option<ResumeToken>);

    /// Submits a change of the shared state. Its result is the reply to the command.
    fn submit(&mut self, action: Action);

    /// Ends the session; its member leaves for this reason.
    fn quit(&mut self, reason: Option<Text>);

    /// Sends a line to the session.
    fn send(&mut self, line: ServerLine);

    /// Sends the final reply.
    fn reply(&mut self, reply: Reply) {
        self.send(ServerLine::Ok(reply));
    }

    /// Sends the final reply after everything that has happened in the session's rooms.
    fn reply_after_all(&mut self, reply: Reply);

    /// Sends the message of the day, which a session without the password of the server has not got.
    fn send_motd(&mut self);

    /// Sends a `USER` line for each member in the list.
    fn send_users(&mut self, users: Arc<[User]>);

    /// Sends a `PAST` line for each message with these numbers in the room's history.
    fn send_messages(&mut self, numbers: Range<u64>);

    /// Sends a `STROKE` line for each stroke with these numbers on the room's canvas.
    fn send_strokes(&mut self, numbers: Range<u64>);

    /// Passes the command to the store, which replies to it.
    fn query_store(&mut self, query: HistoryQuery);
}

/// The room that a command is about.
///
/// # Errors
/// The refusal if the session is not in it, which does not tell whether it exists.
pub(super) fn room_of(context: &dyn Context, verb: Verb) -> Result<(RoomId, &Room), Refusal> {
    let room = context.room().and_then(|id| Some((id, context.state().room(id)?)));
    room.ok_or_else(|| not_in_room(verb, context.room_name().as_ref()))
}

/// The refusal of a command about a room in which the session is not.
pub(super) fn not_in_room(verb: Verb, room: Option<&RoomName>) -> Refusal {
    let (what, hint) = match room {
        Some(room) => (format!("you are not in {room}"), Hint::Join(room.clone())),
        None => ("you are not in this room".to_owned(), Hint::Write(Verb::Join)),
    };
    Refusal::new(verb, ErrorCode::NotInRoom, what).with_hint(hint)
}

/// The address of a connection, and its last sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The address of the client.
    pub address: PeerAddress,
    /// When the last line arrived.
    pub last_line_at: Uptime,
}

/// A command that needs messages from the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryQuery {
    /// `HISTORY`: the last messages, this many.
    Last(u64),
    /// `SINCE`: the messages with greater ids.
    Since(MessageId),
    /// `SEARCH`: the messages with all these words, the newest first.
    Words(Text),
}

impl HistoryQuery {
    /// The verb of the command.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Last(_) => Verb::History,
            Self::Since(_) => Verb::Since,
            Self::Words(_) => Verb::Search,
        }
    }

    /// The final reply, sent after all messages.
    pub fn reply(&self, replayed: HistoryReply) -> Reply {
        match self {
            Self::Last(_) => Reply::History(replayed),
            Self::Since(_) => Reply::Since(replayed),
            Self::Words(_) => Reply::Search(replayed.count),
        }
    }
}
