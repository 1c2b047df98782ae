//! Why a request gets no reply.

use std::fmt;

use super::{ControlRequest, REQUESTS};
use crate::command::Refusal;
use crate::command_line::quoted;
use crate::protocol::{Day, Mode, Name, RoomName};
use crate::state::{AccountRejection, StoreFailure};

/// The kind of an error: a word for programs, which never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlCode {
    /// There is no such request.
    UnknownRequest,
    /// An argument of the request is invalid.
    UnknownArgument,
    /// The request is too long.
    TooLong,
    /// There was no request, or there is no reply, in time.
    Timeout,
    /// The client belongs to a user who may not use the socket.
    Denied,
    /// Too many connections or changes.
    Busy,
    /// The server has no accounts.
    AccountsOff,
    /// The server has its maximum of accounts.
    AccountsFull,
    /// There is no such account.
    AccountUnknown,
    /// The name belongs to an account already.
    NameRegistered,
    /// The name of a deleted account rests.
    NameResting,
    /// The change could not be stored.
    NotStored,
    /// A command of moderation is invalid, or is refused.
    ModerationRefused,
    /// The store cannot be read.
    StoreUnreadable,
}

impl ControlCode {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownRequest => "unknown-request",
            Self::UnknownArgument => "unknown-argument",
            Self::TooLong => "too-long",
            Self::Timeout => "timeout",
            Self::Denied => "denied",
            Self::Busy => "busy",
            Self::AccountsOff => "accounts-off",
            Self::AccountsFull => "accounts-full",
            Self::AccountUnknown => "account-unknown",
            Self::NameRegistered => "name-registered",
            Self::NameResting => "name-resting",
            Self::NotStored => "not-stored",
            Self::ModerationRefused => "moderation-refused",
            Self::StoreUnreadable => "store-unreadable",
        }
    }
}

/// Why a request gets no reply: a line `ERR verb code text`, or `ERR - code text` without a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlError {
    verb: Option<&'static str>,
    code: ControlCode,
    text: String,
}

impl ControlError {
    fn new(code: ControlCode, text: impl Into<String>) -> Self {
        Self { verb: None, code, text: text.into() }
    }

    fn of_account(code: ControlCode, text: impl Into<String>) -> Self {
        Self { verb: Some("account"), ..Self::new(code, text) }
    }

    fn of_moderation(text: impl Into<String>) -> Self {
        Self { verb: Some("moderate"), ..Self::new(ControlCode::ModerationRefused, text) }
    }

    /// The server refuses a command of moderation. The text has the code of the refusal.
    pub fn moderation_refused(refusal: &Refusal) -> Self {
        Self::of_moderation(format!("{}: {}", refusal.code.as_str(), refusal.text(Mode::Commands)))
    }

    /// There is no command.
    pub fn moderation_missing() -> Self {
        Self::of_moderation(
            "the command is missing: expected KICK, MUTE, UNMUTE, BAN, UNBAN, BANS, LOCK, INVITE, MODERATOR or DELETE",
        )
    }

    /// There is no such room.
    pub fn room_unknown(room: &RoomName) -> Self {
        Self::of_moderation(format!("there is no room {room} with members or stored messages"))
    }

    /// The code.
    pub fn code(&self) -> ControlCode {
        self.code
    }

    /// The text, for the operator.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn unknown_request(verb: &str) -> Self {
        Self::new(ControlCode::UnknownRequest, format!("unknown request {}: expected {REQUESTS}", quoted(verb)))
    }

    pub(super) fn unknown_argument(verb: &'static str, argument: &str, expected: &str) -> Self {
        let text = format!("unknown argument {} after {verb}: expected {expected}", quoted(argument));
        Self { verb: Some(verb), ..Self::new(ControlCode::UnknownArgument, text) }
    }

    /// Arguments of `account` are missing or invalid. The text does not repeat secrets.
    pub(super) fn invalid_argument(what: &str) -> Self {
        Self::of_account(ControlCode::UnknownArgument, what)
    }

    /// An argument of `audit` is invalid.
    pub(super) fn invalid_audit_argument(what: &str) -> Self {
        Self { verb: Some("audit"), ..Self::new(ControlCode::UnknownArgument, what) }
    }

    /// The audit log cannot be read, for this reason.
    pub fn audit_unreadable(why: &str) -> Self {
        let text = format!("the audit log cannot be read: {why}");
        Self { verb: Some("audit"), ..Self::new(ControlCode::StoreUnreadable, text) }
    }

    /// The request is longer than `bytes_max`.
    pub fn too_long(bytes_max: usize) -> Self {
        Self::new(ControlCode::TooLong, format!("a request has at most {bytes_max} bytes"))
    }

    /// No request has arrived in `seconds`.
    pub fn no_request(seconds: u64) -> Self {
        Self::new(ControlCode::Timeout, format!("no request arrived within {seconds} s"))
    }

    /// The server has not found its reply in `seconds`.
    pub fn no_reply(request: &ControlRequest, seconds: u64) -> Self {
        let text = if request.is_change() {
            format!(
                "the server or its disk is overloaded or hangs: it did not confirm the change within {seconds} s, and may still \
                 carry it out; look at account list before you try again"
            )
        } else {
            format!("the server is overloaded or hangs: it found no reply within {seconds} s")
        };
        Self { verb: Some(request.verb()), ..Self::new(ControlCode::Timeout, text) }
    }

    /// The kernel does not say to which user the client belongs.
    pub fn unknown_user() -> Self {
        let text = "the server cannot find out which user you are; connect from its own PID namespace (container)";
        Self::new(ControlCode::Denied, text)
    }

    /// The client belongs to another user than `owner`, who runs the server.
    pub fn denied(owner: u32) -> Self {
        let text = format!("only root and the user of the server (uid {owner}) may use the control socket");
        Self::new(ControlCode::Denied, text)
    }

    /// There are `connections_max` connections already.
    pub fn busy(connections_max: usize) -> Self {
        let text = format!("the control socket has its maximum of {connections_max} connections; try again");
        Self::new(ControlCode::Busy, text)
    }

    /// This number of changes of accounts waits for the disk already.
    pub fn too_many_changes(count: usize) -> Self {
        let text = format!("{count} changes of accounts wait for the disk already; try again when it is faster");
        Self::of_account(ControlCode::Busy, text)
    }

    /// The server has no store.
    pub fn accounts_off() -> Self {
        let text = "this server has no accounts: start it with --data PATH, the file to store them in";
        Self::of_account(ControlCode::AccountsOff, text)
    }

    /// The server's program lacks the feature.
    pub fn accounts_not_built() -> Self {
        let text = "this server has no accounts: its program was built without the feature accounts";
        Self::of_account(ControlCode::AccountsOff, text)
    }

    /// There is no account with this name.
    pub fn account_unknown(name: &Name) -> Self {
        let text = format!("there is no account {name}; account list shows all accounts");
        Self::of_account(ControlCode::AccountUnknown, text)
    }

    /// A change that the state of the accounts does not allow.
    pub fn rejected(name: &Name, why: &AccountRejection) -> Self {
        let (code, text) = match why {
            AccountRejection::Registered(_, owner) if owner.key() == name.key() => {
                let text = format!("{owner} is an account already; set its password with account password");
                (ControlCode::NameRegistered, text)
            }
            AccountRejection::Registered(_, owner) => (
                ControlCode::NameRegistered,
                format!("{name} looks too much like the account {owner}; choose another name"),
            ),
            AccountRejection::Resting(_, former, until) => {
                let until = Day::from(*until);
                let text = format!(
                    "{name} rests until {until} UTC, because the account {former} was deleted: choose another name, or add the \
                     account with --end-rest if its owner is the same person"
                );
                (ControlCode::NameResting, text)
            }
            AccountRejection::TooMany(count) => {
                (ControlCode::AccountsFull, format!("there are {count} accounts, the maximum; remove one first"))
            }
            AccountRejection::NotStored(StoreFailure::NotStored(why)) => {
                (ControlCode::NotStored, format!("nothing was changed, because it could not be stored: {why}"))
            }
            AccountRejection::NotStored(StoreFailure::Unconfirmed(why)) => {
                let text = format!("{why}; the change may have been stored: look at account list before you try again");
                (ControlCode::NotStored, text)
            }
            // Another operator, or the owner, was faster.
            _ => return Self::account_unknown(name),
        };
        Self::of_account(code, text)
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ERR {} {} {}", self.verb.unwrap_or("-"), self.code.as_str(), self.text)
    }
}
