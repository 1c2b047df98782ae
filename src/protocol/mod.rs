//! The wire of chinwag/1, both directions: bytes to meaning and back, as `protocol.md` has it.
//!
//! Pure: no clock, no socket, no randomness (the two lints below hold it to that). It knows nothing of who is in the
//! room; [`crate::room`] decides what a command does, this says only what it is.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod case;
mod command;
mod dialect;
mod drawing;
mod error;
mod event;
mod foreign;
mod heard;
mod hint;
mod line;
mod name;
mod past;
mod reply;
mod resume;
mod text;
mod verb;
pub(crate) mod words;

pub(crate) use case::fold_case;
pub use command::{Command, Mode, Setting, split_indent, strip_slash};
pub use dialect::{DIALECTS, Dialect};
pub use drawing::{Drawing, Drawn, NoStroke, Stroke};
pub use error::{ErrorCode, Field, Refusal};
pub use event::{Closing, Event, LeaveReason, MessageId, Tag, Timestamp};
pub use foreign::Foreign;
pub use heard::{Heard, HeardRefusal};
pub use hint::Hint;
pub use line::{BYTE_ORDER_MARK, Decoded, Ending, LineDecoder, LineError};
pub use name::{Name, NameError};
pub use past::Past;
pub use reply::{Details, LineInMode, Replayed, Reply, ServerLine, User};
pub use resume::{NoToken, ResumeToken, Secret};
pub(crate) use text::is_blank;
pub use text::{Text, TextError, Token, made_safe};
pub use verb::Verb;

/// The protocol's name and version, as `HELLO` says it.
pub const VERSION: &str = "chinwag/1";

/// What separates the words of a line (WSP of RFC 5234): a space or a tab.
pub(crate) fn is_space(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// Splits a line at its first space: the word, and what follows that one space, verbatim. `None` where no space is.
pub(crate) fn split_word(line: &str) -> (&str, Option<&str>) {
    match line.split_once(is_space) {
        Some((word, rest)) => (word, Some(rest)),
        None => (line, None),
    }
}
