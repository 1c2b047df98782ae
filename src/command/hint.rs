//! Hints: what a user can do after a refusal, as data. An `ERR` line ends with the hint in protocol syntax. The bundled client and the
//! page parse the hint and word it in their own terms.
//!
//! A hint about a room that the refused line named is wrapped in [`Hint::InRoom`]: its commands name the room, too.

use std::cmp::Reverse;
use std::fmt;
use std::sync::LazyLock;

use super::{RoomUse, Verb};
use crate::protocol::{MessageId, Mode, RoomName, Text, split_word};

/// A hint: what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Write this command.
    Write(Verb),
    /// Write `WHISPER` without spaces between the names.
    JoinNamesByCommas,
    /// Choose another nickname.
    ChooseNickname,
    /// Try the same nickname again later, or choose another one.
    RetryNickname,
    /// Take a nickname first.
    TakeNickname,
    /// Log in to the account that has the nickname, or choose another nickname.
    LogInOrChooseNickname,
    /// Log in to the account, and close the connection that uses it.
    TakeOverAccount,
    /// If somebody else took over the account: take it back, and change the password.
    ChangePassword,
    /// Ask the operator for an account.
    AskOperator,
    /// Ask the operator to let the server have accounts.
    EnableAccounts,
    /// List the access tokens, to see their numbers.
    ListTokens,
    /// Revoke an access token.
    RevokeToken,
    /// List the members.
    ListMembers,
    /// List the bans and mutes.
    ListBans,
    /// Ask a moderator of the room for an invitation.
    AskForInvitation,
    /// List the rooms.
    ListRooms,
    /// Put a slash before the line to send it to the room that it begins with, or a blank to send it here.
    SlashOrBlank,
    /// Put a slash before the line to carry it out as a command, or a blank to send it as a message.
    CommandOrMessage,
    /// Put a blank before the line to send it as a message.
    Blank,
    /// List the commands.
    ListCommands,
    /// The line is not a command: send it as a message. Holds the beginning of the line.
    Say(Text),
    /// The unknown command began with a slash outside of chat mode: whisper, or send a message.
    WhisperOrSay,
    /// The command is unknown in chat mode: whisper, or begin a message with two slashes. Holds the line's first word, without the
    /// slash.
    DoubleSlash(Text),
    /// Enter this room.
    Join(RoomName),
    /// Ask for all messages after this id.
    Since(MessageId),
    /// Ask for the last messages; the id may be from another epoch of the lobby.
    CheckEpoch,
    /// Ask for the last messages; the id may be from another epoch of a room that is not the lobby.
    CheckRoomEpoch,
    /// Ask the operator to store messages.
    EnableStore,
    /// Search for a rarer word.
    AddRarerWord,
    /// Send the rest of a stroke in another `DRAW`.
    SplitStroke,
    /// Send a line in parts.
    SplitLine,
    /// End each line with LF.
    EndLinesWithLf,
    /// Send UTF-8.
    SendUtf8,
    /// Convert UTF-16 to UTF-8.
    ConvertToUtf8,
    /// Try again later.
    RetryLater,
    /// Try again in a second.
    RetryInASecond,
    /// The message may be stored: look for it before trying again.
    CheckHistory,
    /// Close another connection from the same address.
    CloseConnection,
    /// Join again with `NICK` if the connection breaks.
    JoinAgainLater,
    /// Resume on a new connection, before taking a nickname.
    ResumeOnNewConnection,
    /// If somebody else resumed the session: resume it again, and request another token.
    ReplaceToken,
    /// Connect again.
    Reconnect,
    /// Connect again, and take a nickname.
    ReconnectAndJoin,
    /// Connect again, and log in.
    ReconnectAndLogIn,
    /// Connect again, and answer `PING`.
    ReconnectAndPong,
    /// Connect again, and list the commands.
    ReconnectAndHelp,
    /// Connect with nc or telnet, not with an HTTP client.
    UseNetcat,
    /// Connect with TLS.
    ConnectWithTls,
    /// The server has no listener for lines over TLS: connect on its machine.
    ConnectLocally,
    /// Connect without TLS.
    ConnectWithoutTls,
    /// This hint, whose commands name the room. [`Hint::in_room`] creates it.
    InRoom(RoomName, Box<Self>),
}

/// The first part of a written [`Hint::Say`]; the command follows.
const SAY: &str = " (HELP lists the commands); to say it, write: ";

/// The first part of a written [`Hint::DoubleSlash`]; two slashes and the word follow.
const DOUBLE_SLASH: &str = " (/help lists the commands); to whisper: /msg name[,name...] text; \
                            to begin a message with a slash, type two: ";

/// The first part of a written [`Hint::Join`]; the command and the room follow.
const WRITE: &str = "; write: ";

/// The first part of a written [`Hint::Since`]; the command and the id follow.
const SINCE: &str = "; to get all messages from there on, write: ";

impl Hint {
    /// All hints that have no text and no id.
    pub fn plain() -> impl Iterator<Item = Self> {
        let others = [
            Self::JoinNamesByCommas,
            Self::ChooseNickname,
            Self::RetryNickname,
            Self::TakeNickname,
            Self::LogInOrChooseNickname,
            Self::TakeOverAccount,
            Self::ChangePassword,
            Self::AskOperator,
            Self::EnableAccounts,
            Self::ListTokens,
            Self::RevokeToken,
            Self::ListMembers,
            Self::ListBans,
            Self::AskForInvitation,
            Self::ListRooms,
            Self::SlashOrBlank,
            Self::CommandOrMessage,
            Self::Blank,
            Self::ListCommands,
            Self::WhisperOrSay,
            Self::CheckEpoch,
            Self::CheckRoomEpoch,
            Self::EnableStore,
            Self::AddRarerWord,
            Self::SplitStroke,
            Self::SplitLine,
            Self::EndLinesWithLf,
            Self::SendUtf8,
            Self::ConvertToUtf8,
            Self::RetryLater,
            Self::RetryInASecond,
            Self::CheckHistory,
            Self::CloseConnection,
            Self::JoinAgainLater,
            Self::ResumeOnNewConnection,
            Self::ReplaceToken,
            Self::Reconnect,
            Self::ReconnectAndJoin,
            Self::ReconnectAndLogIn,
            Self::ReconnectAndPong,
            Self::ReconnectAndHelp,
            Self::UseNetcat,
            Self::ConnectWithTls,
            Self::ConnectLocally,
            Self::ConnectWithoutTls,
        ];
        Verb::ALL.iter().copied().map(Self::Write).chain(others)
    }

    /// The hint for a session that can take a nickname only by logging in.
    #[must_use]
    pub fn for_accounts_only(self) -> Self {
        match self {
            Self::Write(Verb::Nick)
            | Self::ChooseNickname
            | Self::RetryNickname
            | Self::TakeNickname
            | Self::LogInOrChooseNickname => Self::Write(Verb::Login),
            Self::ReconnectAndJoin => Self::ReconnectAndLogIn,
            hint => hint,
        }
    }

    /// The hint for a line about this room, whose commands name the room. A hint without a command about a room stays as it is.
    #[must_use]
    pub fn in_room(self, room: RoomName) -> Self {
        if self.names_room() { Self::InRoom(room, Box::new(self)) } else { self }
    }

    /// Whether the hint has a command that a room may precede.
    fn names_room(&self) -> bool {
        match self {
            Self::Write(verb) => verb.specification().room == RoomUse::Prefix,
            Self::Say(_)
            | Self::WhisperOrSay
            | Self::DoubleSlash(_)
            | Self::Since(_)
            | Self::CheckEpoch
            | Self::CheckRoomEpoch
            | Self::CheckHistory
            | Self::ListBans => true,
            _ => false,
        }
    }

    /// Splits the text of an `ERR` line into what is wrong and the hint. An unknown hint stays in the text.
    pub fn split(text: &str) -> (&str, Option<Self>) {
        let split_written =
            |(written, hint): &(String, Self)| Some((text.strip_suffix(written.as_str())?, hint.clone()));
        let split = split_open_hint(text)
            .or_else(|| WRITTEN_HINTS.iter().find_map(split_written))
            .or_else(|| split_hint_in_room(text));
        split.map_or((text, None), |(what, hint)| (what, Some(hint)))
    }

    /// The hint as written at the end of an `ERR` line, for a session in this mode.
    pub(super) fn in_mode(&self, mode: Mode) -> HintInMode<'_> {
        let (hint, room) = match self {
            Self::InRoom(room, hint) => (&**hint, Some(room)),
            hint => (hint, None),
        };
        HintInMode { hint, room, mode }
    }
}

/// All hints that have no text and no id, as written in both modes. The longest come first, because some end with another one.
static WRITTEN_HINTS: LazyLock<Vec<(String, Hint)>> = LazyLock::new(|| {
    let in_both = |hint: Hint| [Mode::Commands, Mode::Chat].map(|mode| (hint.in_mode(mode).to_string(), hint.clone()));
    let mut written: Vec<_> = Hint::plain().flat_map(in_both).collect();
    written.sort_by_key(|(written, _)| Reverse(written.len()));
    written
});

/// Splits off a hint that ends with a user's words, a room or an id.
fn split_open_hint(text: &str) -> Option<(&str, Hint)> {
    // Hints that end with a user's words come first: these words may look like another hint.
    if let Some((what, command)) = text.split_once(SAY) {
        let (room, command) = split_room(command);
        return Some((what, about(room, Hint::Say(Text::truncated(command.strip_prefix("MSG ")?)))));
    }
    if let Some((what, line)) = text.split_once(DOUBLE_SLASH) {
        let (room, message) = split_room(line);
        return Some((what, about(room, Hint::DoubleSlash(Text::truncated(message.strip_prefix("//")?)))));
    }
    if let Some((what, command)) = text.rsplit_once(WRITE)
        && let Some(room) = without_slash(command).strip_prefix("JOIN ")
        && let Ok(room) = RoomName::new(room)
    {
        return Some((what, Hint::Join(room)));
    }
    let (what, command) = text.split_once(SINCE)?;
    let (room, command) = split_room(command);
    Some((what, about(room, Hint::Since(since_id(command)?))))
}

/// Splits off a hint about a room, which its last word with a `#` names.
fn split_hint_in_room(text: &str) -> Option<(&str, Hint)> {
    let room = text.rsplit(' ').find_map(|word| RoomName::new(without_slash(word)).ok())?;
    Hint::plain().filter(Hint::names_room).find_map(|hint| {
        let hint = hint.in_room(room.clone());
        let what = [Mode::Commands, Mode::Chat]
            .into_iter()
            .find_map(|mode| text.strip_suffix(hint.in_mode(mode).to_string().as_str()))?;
        Some((what, hint))
    })
}

fn about(room: Option<RoomName>, hint: Hint) -> Hint {
    match room {
        Some(room) => hint.in_room(room),
        None => hint,
    }
}

/// Splits a written command after the room in front of it, if it names one.
fn split_room(command: &str) -> (Option<RoomName>, &str) {
    let (word, rest) = split_word(command);
    match (RoomName::new(without_slash(word)), rest) {
        (Ok(room), Some(rest)) => (Some(room), rest),
        _ => (None, command),
    }
}

/// A command without the slash of chat mode.
fn without_slash(command: &str) -> &str {
    command.strip_prefix('/').unwrap_or(command)
}

/// The id in `SINCE id` or `/SINCE id`.
fn since_id(command: &str) -> Option<MessageId> {
    let id = without_slash(command).strip_prefix("SINCE ")?;
    let is_number = id.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| id.parse().ok().map(MessageId)).flatten()
}

/// A hint, with commands written for a mode. `Display` begins with the separator from the text before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct HintInMode<'a> {
    hint: &'a Hint,
    /// The room that the commands name.
    room: Option<&'a RoomName>,
    mode: Mode,
}

impl HintInMode<'_> {
    /// The room before a command, with the slash of chat mode and a space; empty without a room.
    fn room(&self) -> String {
        self.room.map_or_else(String::new, |room| format!("{}{room} ", self.mode.prefix()))
    }

    /// The usage of a command, after the room if the command is about one.
    fn usage(&self, verb: Verb) -> String {
        match verb.specification().room {
            RoomUse::None => verb.usage_in_hint("", self.mode),
            RoomUse::Prefix => verb.usage_in_hint(&self.room(), self.mode),
        }
    }
}

impl fmt::Display for HintInMode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, room) = (self.mode.prefix(), self.room());
        match self.hint {
            Hint::Write(verb) => write!(f, "{WRITE}{}", self.usage(*verb)),
            Hint::JoinNamesByCommas => write!(f, "{WRITE}{}, with no space in the list", self.usage(Verb::Whisper)),
            Hint::ChooseNickname => write!(f, "; choose another and write: {}", self.usage(Verb::Nick)),
            Hint::RetryNickname => {
                write!(f, "; try again later, or choose another and write: {}", self.usage(Verb::Nick))
            }
            Hint::TakeNickname => write!(f, "; take one first: {}", self.usage(Verb::Nick)),
            Hint::LogInOrChooseNickname => {
                write!(f, "; log in to it, or choose another and write: {}", self.usage(Verb::Nick))
            }
            Hint::TakeOverAccount => write!(f, "; to close that one, write: {}", self.usage(Verb::Takeover)),
            // On a new connection, which begins outside of chat mode.
            Hint::ChangePassword => {
                f.write_str("; if it was not yours, log in with TAKEOVER and change the password with PASSWORD")
            }
            Hint::AskOperator => f.write_str("; ask the operator for one"),
            Hint::EnableAccounts => f.write_str(" (to enable them, start chinwagd with --data PATH)"),
            Hint::ListTokens => write!(f, "; {prefix}TOKEN list shows the numbers"),
            Hint::RevokeToken => write!(f, "; to revoke one, write: {prefix}TOKEN revoke number"),
            Hint::ListMembers => write!(f, "; {prefix}WHO lists names"),
            Hint::ListBans => write!(f, "; {} lists them", self.usage(Verb::Bans)),
            Hint::AskForInvitation => f.write_str("; ask a moderator of the room to INVITE you"),
            Hint::ListRooms => write!(f, "; {prefix}ROOMS lists rooms"),
            Hint::SlashOrBlank => f.write_str("; to send it there, put a slash before it; to send it here, a blank"),
            Hint::CommandOrMessage => {
                f.write_str("; to give it to the server, put a slash before it; to send it as a message, a blank")
            }
            Hint::Blank => f.write_str("; to send it as a message, put a blank before it"),
            Hint::ListCommands => write!(f, "; {prefix}HELP lists the commands"),
            // The server writes these two outside of chat mode only.
            Hint::Say(message) => write!(f, "{SAY}{room}MSG {message}"),
            Hint::WhisperOrSay => write!(
                f,
                " (HELP lists the commands, without a slash); to whisper, write: {}; to say it to everybody: {room}{}",
                Verb::Whisper.usage(),
                Verb::Msg.usage()
            ),
            Hint::DoubleSlash(word) => write!(f, "{DOUBLE_SLASH}{room}//{word}"),
            Hint::Join(room) => write!(f, "{WRITE}{prefix}JOIN {room}"),
            Hint::Since(MessageId(id)) => write!(f, "{SINCE}{room}{prefix}SINCE {id}"),
            Hint::CheckEpoch => write!(
                f,
                "; if your id is from another epoch (HELLO has the current one), write: {}",
                self.usage(Verb::History)
            ),
            Hint::CheckRoomEpoch => write!(
                f,
                "; if your id is from another epoch (the reply to NICK, JOIN or WATCH has the current one), write: {}",
                self.usage(Verb::History)
            ),
            Hint::EnableStore => f.write_str(" (to enable it, start chinwagd with --data PATH)"),
            Hint::AddRarerWord => f.write_str("; add a rarer word"),
            Hint::SplitStroke => f.write_str("; send the rest in another DRAW"),
            Hint::SplitLine => f.write_str("; send it in parts"),
            Hint::EndLinesWithLf => {
                f.write_str("; end each line with LF, or send the first line alone and wait for its reply")
            }
            Hint::SendUtf8 => f.write_str("; send it as UTF-8"),
            Hint::ConvertToUtf8 => f.write_str("; convert it first: iconv -f UTF-16 -t UTF-8"),
            Hint::RetryLater => f.write_str("; try again later"),
            Hint::RetryInASecond => f.write_str("; try again in a second"),
            Hint::CheckHistory if self.room.is_some() => {
                write!(f, "; look for it in {room}{prefix}HISTORY before you try again")
            }
            Hint::CheckHistory => f.write_str("; look for it in HISTORY before you try again"),
            Hint::CloseConnection => f.write_str("; close one first"),
            // These hints are about a new connection, which begins outside of chat mode.
            Hint::JoinAgainLater => f.write_str("; if your connection breaks, join again with NICK"),
            Hint::ResumeOnNewConnection => {
                f.write_str("; to resume a session, send RESUME on a new connection, instead of NICK")
            }
            Hint::ReplaceToken => {
                f.write_str("; if it was not yours, RESUME the session and SET resume on to replace the token")
            }
            Hint::Reconnect => f.write_str("; connect again"),
            Hint::ReconnectAndJoin => f.write_str("; connect again and write: NICK name"),
            Hint::ReconnectAndLogIn => f.write_str("; connect again and write: LOGIN name password"),
            Hint::ReconnectAndPong => f.write_str("; connect again and answer PING"),
            Hint::ReconnectAndHelp => f.write_str("; connect again and write: HELP"),
            Hint::UseNetcat => f.write_str("; connect with nc or telnet and write: NICK name"),
            Hint::ConnectWithTls => f.write_str("; connect with: openssl s_client -quiet -connect HOST:PORT"),
            Hint::ConnectLocally => {
                f.write_str("; connect on the machine of the server, or ask its operator for a tls:// address")
            }
            Hint::ConnectWithoutTls => f.write_str("; connect without TLS and write: NICK name"),
            // `Hint::in_mode` has taken it apart.
            Hint::InRoom(..) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_split_before_its_hint() {
        let check = |text: &str, what: &str, hint| assert_eq!(Hint::split(text), (what, hint), "{text:?}");
        check("no name; write: NICK name", "no name", Some(Hint::Write(Verb::Nick)));
        check("no name; write: /NICK name", "no name", Some(Hint::Write(Verb::Nick)));
        check("no text; write: text", "no text", Some(Hint::Write(Verb::Msg)));
        check("no text; write: MSG text", "no text", Some(Hint::Write(Verb::Msg)));
        check("the disk is full; try again later", "the disk is full", Some(Hint::RetryLater));
        check("it is gone; look for it in HISTORY before you try again", "it is gone", Some(Hint::CheckHistory));
        check(
            "5; if your id is from another epoch (HELLO has the current one), write: HISTORY [count]",
            "5",
            Some(Hint::CheckEpoch),
        );
        check("9; to get all messages from there on, write: SINCE 8", "9", Some(Hint::Since(MessageId(8))));
        check("9; to get all messages from there on, write: /SINCE 8", "9", Some(Hint::Since(MessageId(8))));
        let in_ops = |hint: Hint| Some(hint.in_room(RoomName::new("#ops").unwrap()));
        check("no #x; write: #ops MSG text", "no #x", in_ops(Hint::Write(Verb::Msg)));
        check("no; write: /#ops text", "no", in_ops(Hint::Write(Verb::Msg)));
        check("9; to get all messages from there on, write: #ops SINCE 8", "9", in_ops(Hint::Since(MessageId(8))));
        check("it is gone; look for it in #ops HISTORY before you try again", "it is gone", in_ops(Hint::CheckHistory));
        check("no; write: #ops NICK name", "no; write: #ops NICK name", None);
    }

    /// Servers of later versions may have other hints.
    #[test]
    fn unknown_hint_stays_in_text() {
        for text in [
            "no",
            "",
            "no; write: SING la",
            "no; write: NICK name, now",
            "9; to get all messages from there on, write: SINCE x",
            "9; to get all messages from there on, write: SINCE 99999999999999999999",
        ] {
            assert_eq!(Hint::split(text), (text, None));
        }
    }

    /// A user's words are not parsed as a hint.
    #[test]
    fn words_in_hint_are_not_split() {
        let said = "x; write: NICK name";
        let text = format!("unknown command 'x;'{SAY}MSG {said}");
        assert_eq!(Hint::split(&text), ("unknown command 'x;'", Some(Hint::Say(Text::truncated(said)))));
    }
}
