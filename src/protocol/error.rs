//! The codes of `ERR` lines, for scripts.

use super::MessageId;

/// The code of an error, which never changes; `protocol.md` explains each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// `LOGIN` to an account that another connection uses.
    AccountInUse,
    /// No account has this name.
    AccountUnknown,
    /// The server has too many accounts.
    AccountsFull,
    /// The server has no accounts.
    AccountsOff,
    /// Clients of this address have registered too many accounts in a short time.
    AccountsTooFast,
    /// The address or the network cannot be banned.
    AddressRefused,
    /// The session has logged in before.
    AlreadyLoggedIn,
    /// `RESUME` by a client that has a nickname.
    AlreadyNamed,
    /// The command has too many arguments.
    ArgumentUnexpected,
    /// There is no such ban or mute.
    BanUnknown,
    /// The nickname, the account or the address is banned. Sent instead of the greeting, or last.
    Banned,
    /// There are too many bans and mutes.
    BansTooMany,
    /// Too many passwords wait to be checked.
    Busy,
    /// The cluster does not accept changes at the moment, or the node has lost its place in it.
    ClusterUnavailable,
    /// `DRAW` without a valid colour.
    ColourInvalid,
    /// The duration is not a number and a unit.
    DurationInvalid,
    /// `SINCE` with an epoch that is over.
    EpochChanged,
    /// `SINCE` with an id above the newest one.
    IdAhead,
    /// The client was silent for too long. Sent last, before the connection is closed.
    IdleTimeout,
    /// A password over a connection that others can read.
    Insecure,
    /// The room has too many invitations.
    InvitationsTooMany,
    /// An operator has put the member out. Sent last, before the connection is closed.
    Kicked,
    /// The line is not UTF-8.
    LineNotUtf8,
    /// The line has too many bytes.
    LineTooLong,
    /// The server is for accounts only, and the session has not logged in.
    LoginRequired,
    /// The session has not given its password recently.
    LoginTooOld,
    /// The room has no message with this id, or keeps it no longer.
    MessageUnknown,
    /// The room has too many moderators.
    ModeratorsTooMany,
    /// The member must not speak.
    Muted,
    /// The nickname looks like another member's nickname.
    NameAlike,
    /// The nickname contains something that is not allowed.
    NameInvalid,
    /// `NICK` without a nickname.
    NameMissing,
    /// The nickname belongs to an account, or looks like one that does.
    NameRegistered,
    /// The nickname belonged to an account that was deleted, or looks like one that did.
    NameResting,
    /// Another member has the nickname.
    NameTaken,
    /// The client did not take a nickname in time. Sent last, before the connection is closed.
    NameTimeout,
    /// The nickname has too many characters.
    NameTooLong,
    /// The command needs a nickname.
    NoName,
    /// `SEARCH` on a server without a store.
    NoStore,
    /// `DELETE` of a message of somebody else.
    NotAuthor,
    /// Only the coordinator may send this command.
    NotCoordinator,
    /// The session is not in the room, or the room does not exist.
    NotInRoom,
    /// The session has not logged in.
    NotLoggedIn,
    /// Only moderators, or users of a higher rank, may send this command.
    NotModerator,
    /// The message could not be stored, and was not published.
    NotStored,
    /// An argument is not a number.
    NumberInvalid,
    /// `SET` or `TOKEN` without a known option.
    OptionUnknown,
    /// The new password of an account breaks a rule.
    PasswordInvalid,
    /// A command without its password.
    PasswordMissing,
    /// The server needs a password, and the session has not given it.
    PasswordRequired,
    /// `PASS` on a server without a password, or by a session that has given it.
    PasswordUnexpected,
    /// The password is wrong, or there is no such account.
    PasswordWrong,
    /// `DRAW` without points, or with an invalid point.
    PointInvalid,
    /// `DRAW` with too many points.
    PointsTooMany,
    /// The connection does not come from a proxy, or the proxy does not name its client. Sent instead of the greeting.
    ProxyExpected,
    /// Only the operator adds accounts.
    RegistrationClosed,
    /// The server does not resume sessions.
    ResumeOff,
    /// Another connection resumed the session. Sent last, before the connection is closed.
    Resumed,
    /// The name of a new room looks like that of another room.
    RoomAlike,
    /// A line of chat mode begins with the name of a room, and may be meant for it.
    RoomAmbiguous,
    /// The name of a room contains something that is not allowed.
    RoomInvalid,
    /// The room is locked, and the client may not enter or watch it.
    RoomLocked,
    /// The command has no name of a room.
    RoomMissing,
    /// The command is not about a room, and names one.
    RoomUnexpected,
    /// The server has too many rooms.
    RoomsFull,
    /// Clients of this address have created too many rooms in a short time.
    RoomsTooFast,
    /// The command names too many rooms, or the member is in too many.
    RoomsTooMany,
    /// The `SEARCH` took too long.
    SearchTimeout,
    /// A line of chat mode begins with a command and its secret.
    SecretRefused,
    /// The server has too many connections. Sent instead of the greeting.
    ServerFull,
    /// The client is a slow consumer. Sent last, before the connection is closed.
    Slow,
    /// The store cannot be read.
    StoreFailed,
    /// Another connection logged in to the account. Sent last, before the connection is closed.
    TakenOver,
    /// The recipient of the whisper is not a member.
    TargetAbsent,
    /// The whisper has no recipient.
    TargetMissing,
    /// The command is against a user of the same rank, or of a higher one.
    TargetProtected,
    /// The recipient of the whisper is its author.
    TargetSelf,
    /// The whisper has too many recipients.
    TargetsTooMany,
    /// The message or whisper has no text.
    TextMissing,
    /// The text is too long, after unsafe characters are replaced.
    TextTooLong,
    /// The client sent plain text where TLS is expected. Sent instead of the greeting.
    TlsExpected,
    /// `RESUME` without a token.
    TokenMissing,
    /// The token is too long.
    TokenTooLong,
    /// `RESUME` with a token that resumes no member, or the number of no access token.
    TokenUnknown,
    /// The account has too many access tokens.
    TokensTooMany,
    /// A password after too many wrong ones from this address.
    TooManyAttempts,
    /// Too many lines in a row had no known verb or an unknown token. Sent last, before the connection is closed.
    TooManyErrors,
    /// `SINCE` with an id after which some messages were evicted.
    TooOld,
    /// The value is none of those that the command takes.
    ValueInvalid,
    /// The line names a room, and nothing else.
    VerbMissing,
    /// The first word of the line is not a command.
    VerbUnknown,
    /// The server does not let clients read without a nickname.
    WatchOff,
    /// `DRAW` without a valid width.
    WidthInvalid,
    /// `SEARCH` with too many words.
    WordsTooMany,
    /// The client speaks another protocol. Sent last, before the connection is closed.
    WrongProtocol,
}

impl ErrorCode {
    /// All of them, in alphabetical order.
    pub const ALL: [Self; 95] = [
        Self::AccountInUse,
        Self::AccountUnknown,
        Self::AccountsFull,
        Self::AccountsOff,
        Self::AccountsTooFast,
        Self::AddressRefused,
        Self::AlreadyLoggedIn,
        Self::AlreadyNamed,
        Self::ArgumentUnexpected,
        Self::BanUnknown,
        Self::Banned,
        Self::BansTooMany,
        Self::Busy,
        Self::ClusterUnavailable,
        Self::ColourInvalid,
        Self::DurationInvalid,
        Self::EpochChanged,
        Self::IdAhead,
        Self::IdleTimeout,
        Self::Insecure,
        Self::InvitationsTooMany,
        Self::Kicked,
        Self::LineNotUtf8,
        Self::LineTooLong,
        Self::LoginRequired,
        Self::LoginTooOld,
        Self::MessageUnknown,
        Self::ModeratorsTooMany,
        Self::Muted,
        Self::NameAlike,
        Self::NameInvalid,
        Self::NameMissing,
        Self::NameRegistered,
        Self::NameResting,
        Self::NameTaken,
        Self::NameTimeout,
        Self::NameTooLong,
        Self::NoName,
        Self::NoStore,
        Self::NotAuthor,
        Self::NotCoordinator,
        Self::NotInRoom,
        Self::NotLoggedIn,
        Self::NotModerator,
        Self::NotStored,
        Self::NumberInvalid,
        Self::OptionUnknown,
        Self::PasswordInvalid,
        Self::PasswordMissing,
        Self::PasswordRequired,
        Self::PasswordUnexpected,
        Self::PasswordWrong,
        Self::PointInvalid,
        Self::PointsTooMany,
        Self::ProxyExpected,
        Self::RegistrationClosed,
        Self::ResumeOff,
        Self::Resumed,
        Self::RoomAlike,
        Self::RoomAmbiguous,
        Self::RoomInvalid,
        Self::RoomLocked,
        Self::RoomMissing,
        Self::RoomUnexpected,
        Self::RoomsFull,
        Self::RoomsTooFast,
        Self::RoomsTooMany,
        Self::SearchTimeout,
        Self::SecretRefused,
        Self::ServerFull,
        Self::Slow,
        Self::StoreFailed,
        Self::TakenOver,
        Self::TargetAbsent,
        Self::TargetMissing,
        Self::TargetProtected,
        Self::TargetSelf,
        Self::TargetsTooMany,
        Self::TextMissing,
        Self::TextTooLong,
        Self::TlsExpected,
        Self::TokenMissing,
        Self::TokenTooLong,
        Self::TokenUnknown,
        Self::TokensTooMany,
        Self::TooManyAttempts,
        Self::TooManyErrors,
        Self::TooOld,
        Self::ValueInvalid,
        Self::VerbMissing,
        Self::VerbUnknown,
        Self::WatchOff,
        Self::WidthInvalid,
        Self::WordsTooMany,
        Self::WrongProtocol,
    ];

    /// The code as sent on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountInUse => "account-in-use",
            Self::AccountUnknown => "account-unknown",
            Self::AccountsFull => "accounts-full",
            Self::AccountsOff => "accounts-off",
            Self::AccountsTooFast => "accounts-too-fast",
            Self::AddressRefused => "address-refused",
            Self::AlreadyLoggedIn => "already-logged-in",
            Self::AlreadyNamed => "already-named",
            Self::ArgumentUnexpected => "argument-unexpected",
            Self::BanUnknown => "ban-unknown",
            Self::Banned => "banned",
            Self::BansTooMany => "bans-too-many",
            Self::Busy => "busy",
            Self::ClusterUnavailable => "cluster-unavailable",
            Self::ColourInvalid => "colour-invalid",
            Self::DurationInvalid => "duration-invalid",
            Self::EpochChanged => "epoch-changed",
            Self::IdAhead => "id-ahead",
            Self::IdleTimeout => "idle-timeout",
            Self::Insecure => "insecure",
            Self::InvitationsTooMany => "invitations-too-many",
            Self::Kicked => "kicked",
            Self::LineNotUtf8 => "line-not-utf8",
            Self::LineTooLong => "line-too-long",
            Self::LoginRequired => "login-required",
            Self::LoginTooOld => "login-too-old",
            Self::MessageUnknown => "message-unknown",
            Self::ModeratorsTooMany => "moderators-too-many",
            Self::Muted => "muted",
            Self::NameAlike => "name-alike",
            Self::NameInvalid => "name-invalid",
            Self::NameMissing => "name-missing",
            Self::NameRegistered => "name-registered",
            Self::NameResting => "name-resting",
            Self::NameTaken => "name-taken",
            Self::NameTimeout => "name-timeout",
            Self::NameTooLong => "name-too-long",
            Self::NoName => "no-name",
            Self::NoStore => "no-store",
            Self::NotAuthor => "not-author",
            Self::NotCoordinator => "not-coordinator",
            Self::NotInRoom => "not-in-room",
            Self::NotLoggedIn => "not-logged-in",
            Self::NotModerator => "not-moderator",
            Self::NotStored => "not-stored",
            Self::NumberInvalid => "number-invalid",
            Self::OptionUnknown => "option-unknown",
            Self::PasswordInvalid => "password-invalid",
            Self::PasswordMissing => "password-missing",
            Self::PasswordRequired => "password-required",
            Self::PasswordUnexpected => "password-unexpected",
            Self::PasswordWrong => "password-wrong",
            Self::PointInvalid => "point-invalid",
            Self::PointsTooMany => "points-too-many",
            Self::ProxyExpected => "proxy-expected",
            Self::RegistrationClosed => "registration-closed",
            Self::ResumeOff => "resume-off",
            Self::Resumed => "resumed",
            Self::RoomAlike => "room-alike",
            Self::RoomAmbiguous => "room-ambiguous",
            Self::RoomInvalid => "room-invalid",
            Self::RoomLocked => "room-locked",
            Self::RoomMissing => "room-missing",
            Self::RoomUnexpected => "room-unexpected",
            Self::RoomsFull => "rooms-full",
            Self::RoomsTooFast => "rooms-too-fast",
            Self::RoomsTooMany => "rooms-too-many",
            Self::SearchTimeout => "search-timeout",
            Self::SecretRefused => "secret-refused",
            Self::ServerFull => "server-full",
            Self::Slow => "slow",
            Self::StoreFailed => "store-failed",
            Self::TakenOver => "taken-over",
            Self::TargetAbsent => "target-absent",
            Self::TargetMissing => "target-missing",
            Self::TargetProtected => "target-protected",
            Self::TargetSelf => "target-self",
            Self::TargetsTooMany => "targets-too-many",
            Self::TextMissing => "text-missing",
            Self::TextTooLong => "text-too-long",
            Self::TlsExpected => "tls-expected",
            Self::TokenMissing => "token-missing",
            Self::TokenTooLong => "token-too-long",
            Self::TokenUnknown => "token-unknown",
            Self::TokensTooMany => "tokens-too-many",
            Self::TooManyAttempts => "too-many-attempts",
            Self::TooManyErrors => "too-many-errors",
            Self::TooOld => "too-old",
            Self::ValueInvalid => "value-invalid",
            Self::VerbMissing => "verb-missing",
            Self::VerbUnknown => "verb-unknown",
            Self::WatchOff => "watch-off",
            Self::WidthInvalid => "width-invalid",
            Self::WordsTooMany => "words-too-many",
            Self::WrongProtocol => "wrong-protocol",
        }
    }

    /// The code with this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }
}

/// A value in the text of a refusal, for programs: the first number in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorField {
    /// Of `too-old`: the oldest id that is kept, or the next one if no message is kept.
    Oldest(MessageId),
    /// Of `id-ahead`: the id of the newest message.
    Last(MessageId),
}

impl ErrorField {
    /// Reads the field from the text of an `ERR` line with this code.
    pub fn parse(code: ErrorCode, text: &str) -> Option<Self> {
        let field = match code {
            ErrorCode::TooOld => Self::Oldest,
            ErrorCode::IdAhead => Self::Last,
            _ => return None,
        };
        let digits = text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?;
        digits.parse().ok().map(|id| field(MessageId(id)))
    }

    /// The name of the field.
    pub fn key(self) -> &'static str {
        match self {
            Self::Oldest(_) => "oldest",
            Self::Last(_) => "last",
        }
    }

    /// The value of the field.
    pub fn id(self) -> MessageId {
        match self {
            Self::Oldest(id) | Self::Last(id) => id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The norm explains every code, once, and no other.
    #[test]
    fn protocol_lists_error_codes() {
        let norm = include_str!("../../protocol.md");
        let (_, section) = norm.split_once("\n## Error codes\n").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let (_, codes) = section.split_once("\n| code | reply to | reason |\n").unwrap();
        let mut listed: Vec<_> = codes.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        listed.sort_unstable();
        assert_eq!(listed, ErrorCode::ALL.map(ErrorCode::as_str));
    }

    /// The table in protocol.md lists exactly the codes that have a field.
    #[test]
    fn protocol_lists_error_fields() {
        let norm = include_str!("../../protocol.md");
        let (_, table) = norm.split_once("\n| code | field | its value |\n|---|---|---|\n").unwrap();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let listed: Vec<_> = rows.map(|row| row.split('`').skip(1).step_by(2).take(2).collect::<Vec<_>>()).collect();
        let has_field = |code: ErrorCode| Some(vec![code.as_str(), ErrorField::parse(code, "at 31, not 5")?.key()]);
        assert_eq!(listed, ErrorCode::ALL.into_iter().filter_map(has_field).collect::<Vec<_>>());
    }
}
