//! The commands. Each has one module with its grammar, permission, effect, reply and help. [`Refusal`] is the `ERR` line, and
//! [`ServerLine`] is any line that the server sends.
//!
//! To add a command, write its module, add its line to the list below, and document it in `protocol.md`.
//!
//! The connection's task parses a line with [`ClientLine::parse`]. Then the hub runs the command with [`Command::run`], which gets the
//! [`Context`] of the session. Pure, like [`crate::protocol`].
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

#[macro_use]
mod definition;
mod account;
mod arguments;
mod context;
mod hint;
mod line;
mod moderation;
mod received_line;
mod refusal;
mod rejection;
mod reply;
mod secret;
mod server_line;
mod unavailable;
mod verb;

pub use self::access_tokens::{TokenListing, TokenReply};
pub use self::account::{PasswordNotChecked, PasswordRequest};
pub use self::bans::{BansReply, SanctionListing};
pub use self::chat::ChatReply;
pub use self::context::{ConnectionInfo, Context, HistoryQuery};
pub use self::definition::{Definition, Pipelining, RoomUse, Specification};
pub use self::hint::Hint;
pub use self::join::RoomPosition;
pub use self::line::{ClientLine, split_indent, strip_slash};
pub use self::moderation::{
    LiftArguments, SanctionArguments, SanctionReply, Stored, banned_refusal, stopping_refusal, watch_end_notice,
};
pub use self::moderator::NamedSwitch;
pub use self::nick::NickReply;
pub use self::pass::PasswordAttempt;
pub use self::received_line::{ReceivedLine, ReceivedRefusal};
pub use self::refusal::Refusal;
pub use self::reply::{EmptyReply, HistoryReply, NoReply, ReplyWords};
pub use self::rooms::{RoomListing, RoomsReply, split_lock};
pub use self::secret::{SECRET_SEPARATORS, TypedSecret, find_access_token, resembled_secret_verb};
pub use self::server_line::{Features, LineInMode, RoomLine, ServerLine};
pub use self::set::{SetReply, Setting};
pub(crate) use self::unavailable::{room_of_action, unavailable_refusal};
pub use self::who::{WhoReply, list_members};

// `HELP` lists the commands in this order. `cargo fmt` does not see modules that a macro declares: `scripts/test` checks this folder.
commands! {
    pass: Pass,
    nick: Nick,
    msg: Msg,
    whisper: Whisper,
    who: Who,
    history: History,
    since: Since,
    search: Search,
    join: Join,
    part: Part,
    rooms: Rooms,
    topic: Topic,
    chat: Chat,
    quit: Quit,
    set: Set,
    resume: Resume,
    login: Login,
    takeover: Takeover,
    register: Register,
    set_password: SetPassword,
    unregister: Unregister,
    access_tokens: AccessTokens,
    ping: Ping,
    pong: Pong,
    draw: Draw,
    canvas: Canvas,
    status: Status,
    kick: Kick,
    mute: Mute,
    unmute: Unmute,
    ban: Ban,
    unban: Unban,
    bans: Bans,
    lock: Lock,
    invite: Invite,
    moderator: Moderator,
    delete: Delete,
    watch: Watch,
    help: Help,
}

#[cfg(test)]
mod tests;
