//! The commands, a module for each: grammar, permission, effect, reply and help stand together. And what else a line may be answered
//! with: [`Refusal`], [`ServerLine`].
//!
//! To add a command, write its module, add its line to the list below, and document it in `protocol.md`.
//!
//! A line takes this way: [`Command::parse`] on the connection's task, [`Command::run`] in the hub's turn, with the [`Context`] of the
//! session. Pure, like [`crate::protocol`].
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

#[macro_use]
mod definition;
mod arguments;
mod context;
mod heard;
mod hint;
mod line;
mod refusal;
mod rejection;
mod reply;
mod server_line;
mod verb;

pub use self::context::{ConnectionInfo, Context, HistoryQuery};
pub use self::definition::{Definition, Pipelining, Specification};
pub use self::heard::{Heard, HeardRefusal};
pub use self::hint::Hint;
pub use self::line::{split_indent, strip_slash};
pub use self::refusal::Refusal;
pub use self::reply::{Done, NoReply, Replayed, ReplyWords};
pub use self::server_line::{LineInMode, ServerLine};
pub use self::set::{SetReply, Setting};
pub use self::who::list_members;

// In the order in which `HELP` lists them. rustfmt does not see these modules: `scripts/test` formats the folder.
commands! {
    nick: Nick,
    msg: Msg,
    whisper: Whisper,
    who: Who,
    history: History,
    since: Since,
    search: Search,
    chat: Chat,
    quit: Quit,
    set: Set,
    resume: Resume,
    ping: Ping,
    pong: Pong,
    draw: Draw,
    canvas: Canvas,
    status: Status,
    help: Help,
}

#[cfg(test)]
mod tests;
