//! The elements of chinwag/1, as `protocol.md` defines them: lines, names, texts, ids, events. [`crate::command`] has the commands and
//! replies.
//!
//! Pure: no clock, no I/O, no randomness. The two lints below check this.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod account;
mod account_password;
mod audit;
mod case;
mod dialect;
mod drawing;
mod duration;
mod error;
mod event;
mod line;
mod mode;
mod moderation;
mod motd;
mod name;
mod network;
mod other_protocol;
mod password;
mod past_message;
mod peer_address;
mod resume;
mod room_id;
mod room_name;
mod sanction_event;
mod text;
mod user;
mod verifier;
pub(crate) mod words;

pub use account::{AccountId, AccountTokenId, Day, InvalidPasswordHash, LabelTooLong, PasswordHash, Role, TokenLabel};
pub(crate) use account_password::{ACCESS_TOKEN_DIGITS, ACCESS_TOKEN_PREFIX};
pub use account_password::{AccessToken, AccountPassword, Credential, GivenPassword, InvalidAccountPassword};
pub use audit::{AuditAct, AuditActor, AuditEntry, AuditNumber, AuditQuery, AuditRecord};
pub(crate) use case::fold_case;
pub use dialect::{DIALECTS, Dialect};
pub(crate) use drawing::CLEAR;
pub use drawing::{Drawing, DrawnStroke, Stroke, StrokeError};
pub use duration::{InvalidDuration, parse_duration};
pub use error::{ErrorCode, ErrorField};
pub use event::{CloseReason, Event, LeaveReason, MessageId, Tag, Timestamp};
pub(crate) use event::{moderator, on_off, parse_moderator};
pub use line::{BYTE_ORDER_MARK, DecoderOutput, END_OF_MESSAGE, Ending, LineDecoder, LineError};
pub use mode::Mode;
pub use moderation::{
    CONNECTION_MARK, ModerationRecord, OwnDeletion, Rank, RoomLock, RoomRules, Sanction, SanctionId, SanctionKind,
    SanctionTarget, Subject, TargetError,
};
pub use motd::{InvalidMotd, Motd};
pub use name::{Name, NameError};
pub use network::{Network, NetworkError};
pub use other_protocol::OtherProtocol;
pub use password::{InvalidPassword, Password};
pub use past_message::PastMessage;
pub use peer_address::{ClientOrigin, Peer, PeerAddress, ProxyHop};
pub use resume::{InvalidToken, ResumeToken, Secret};
pub use room_id::RoomId;
pub(crate) use room_name::ROOM_MARK;
pub use room_name::{RoomName, RoomNameError};
pub use sanction_event::{SanctionEvent, Until};
pub(crate) use sanction_event::{parse_shown_target, shown_target};
pub use text::{Text, TextError, Token, sanitize};
pub(crate) use text::{is_blank, is_invisible, shows_nothing};
pub use user::{Details, User};
pub use verifier::Verifier;

/// The protocol's name and version, as in `HELLO`.
pub const VERSION: &str = "chinwag/1";

/// Whether a character separates the words of a line (WSP of RFC 5234): a space or a tab.
pub(crate) fn is_space(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// Splits a line at its first space, into the word and the rest; `None` without a space.
pub(crate) fn split_word(line: &str) -> (&str, Option<&str>) {
    match line.split_once(is_space) {
        Some((word, rest)) => (word, Some(rest)),
        None => (line, None),
    }
}
