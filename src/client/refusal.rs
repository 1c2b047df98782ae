//! Rewrites the hints of refusals for users: the server's hints name commands of the protocol; these name options and commands of
//! `chinwag` at a command line, and slash commands at a terminal. The problem keeps the server's words. Pure.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use super::offered_commands::usage_of;
use crate::command::{Hint, ReceivedRefusal, Verb};
use crate::protocol::{ErrorCode, MessageId};

/// The problem, and a hint for the command line.
pub(super) fn explain(refusal: &ReceivedRefusal) -> String {
    let hint = match ErrorCode::from_word(&refusal.code) {
        Some(ErrorCode::VerbUnknown) => return OLD_SERVER.to_owned(),
        Some(ErrorCode::EpochChanged) => "; chinwag history prints the last messages".to_owned(),
        _ => refusal.hint.as_ref().map(at_command_line).unwrap_or_default(),
    };
    format!("{}{hint}", refusal.problem)
}

/// The problem, and a hint for the terminal.
pub(super) fn explain_at_terminal(refusal: &ReceivedRefusal) -> String {
    if ErrorCode::from_word(&refusal.code) == Some(ErrorCode::VerbUnknown) {
        return OLD_SERVER.to_owned();
    }
    format!("{}{}", refusal.problem, refusal.hint.as_ref().map(at_terminal).unwrap_or_default())
}

const OLD_SERVER: &str = "the server does not support this command: it is older than this client";

fn at_command_line(hint: &Hint) -> String {
    match hint {
        Hint::Write(Verb::Nick) | Hint::ChooseNickname => "; choose another with --nick".to_owned(),
        Hint::RetryNickname => "; try again later, or choose another with --nick".to_owned(),
        Hint::LogInOrChooseNickname => "; log in to it with --login, or choose another with --nick".to_owned(),
        Hint::Write(Verb::Login) => "; log in with --login".to_owned(),
        Hint::TakeOverAccount => "; end that one first, or log in at a terminal, which can take it over".to_owned(),
        Hint::ChangePassword => {
            "; if it was not yours, log in again, with /takeover at a terminal, and change the password with /password"
                .to_owned()
        }
        Hint::TakeNickname => "; take one with --nick".to_owned(),
        Hint::JoinNamesByCommas => "; separate the names by commas, without spaces".to_owned(),
        Hint::ListTokens | Hint::RevokeToken => {
            "; list and revoke them at a terminal, with /token list and /token revoke number".to_owned()
        }
        Hint::ListMembers => "; chinwag who lists the members".to_owned(),
        Hint::ListBans => "; list them at a terminal, with /bans".to_owned(),
        Hint::ListRooms => "; chinwag rooms lists the rooms".to_owned(),
        Hint::Since(MessageId(id)) => format!("; to get all from there on, use --since {id}"),
        Hint::CheckEpoch | Hint::CheckRoomEpoch => {
            "; expected an id of this server: chinwag history --json prints some".to_owned()
        }
        Hint::CheckHistory => "; check with chinwag history before you send it again".to_owned(),
        Hint::InRoom(_, hint) => at_command_line(hint),
        hint => without_commands(hint).to_owned(),
    }
}

fn at_terminal(hint: &Hint) -> String {
    let write = |before: &str, verb| usage_of(verb).map(|usage| format!("; {before}{usage}")).unwrap_or_default();
    match hint {
        Hint::Write(verb) => write("type: ", *verb),
        Hint::JoinNamesByCommas => write("type: ", Verb::Whisper) + ", with no space in the list",
        Hint::ChooseNickname => write("choose another and type: ", Verb::Nick),
        Hint::RetryNickname => write("try again later, or choose another and type: ", Verb::Nick),
        Hint::LogInOrChooseNickname => write("log in to it with /login, or choose another and type: ", Verb::Nick),
        Hint::TakeOverAccount => write("to close that one, type: ", Verb::Takeover),
        Hint::TakeNickname => write("take one first: ", Verb::Nick),
        Hint::ListTokens => "; /token list shows the numbers".to_owned(),
        Hint::RevokeToken => "; to revoke one, type: /token revoke number".to_owned(),
        Hint::ListMembers => "; /who lists names".to_owned(),
        Hint::ListBans => "; /bans lists them".to_owned(),
        Hint::ListRooms => "; /rooms lists rooms".to_owned(),
        Hint::ListCommands => "; /help lists the commands".to_owned(),
        Hint::Join(room) => format!("; to enter it, type: /join {room}"),
        Hint::Since(MessageId(id)) => format!("; to get all from there on, type: /since {id}"),
        Hint::CheckEpoch | Hint::CheckRoomEpoch => write("is the id from another epoch? type: ", Verb::History),
        Hint::CheckHistory => "; check with /history before you send it again".to_owned(),
        // The client names the room that the prompt shows in every line: the user need not.
        Hint::InRoom(_, hint) => at_terminal(hint),
        hint => without_commands(hint).to_owned(),
    }
}

/// The text of a hint that names no command. Empty if the client follows the hint itself, such as reconnecting.
fn without_commands(hint: &Hint) -> &'static str {
    match hint {
        Hint::EnableStore => "; its operator can enable it with chinwagd --data PATH",
        Hint::EnableAccounts => "; its operator can enable them with chinwagd --data PATH",
        Hint::AskOperator => "; ask the operator for one",
        Hint::AskForInvitation => "; ask a moderator of the room to invite you",
        Hint::ChangePassword => "; if it was not yours, take the account back, and change its password",
        Hint::AddRarerWord => "; add a rarer word",
        Hint::SplitLine => "; send it in parts",
        Hint::EndLinesWithLf => "; end each line with LF",
        Hint::SendUtf8 => "; send it as UTF-8",
        Hint::ConvertToUtf8 => "; convert it first: iconv -f UTF-16 -t UTF-8",
        Hint::RetryLater => "; try again later",
        Hint::RetryInASecond => "; try again in a second",
        Hint::CloseConnection => "; close one first",
        Hint::ConnectWithTls => "; connect with --tls",
        Hint::ConnectLocally => "; connect on the machine of the server, or ask its operator for an encrypted address",
        Hint::ConnectWithoutTls => "; connect without --tls",
        Hint::CommandOrMessage | Hint::Blank => "; to send it as a message, put a blank before it",
        Hint::SlashOrBlank => "; to send it there, put a slash before it; to send it here, a blank",
        Hint::Write(_)
        | Hint::JoinNamesByCommas
        | Hint::ChooseNickname
        | Hint::RetryNickname
        | Hint::LogInOrChooseNickname
        | Hint::TakeOverAccount
        | Hint::TakeNickname
        | Hint::ListTokens
        | Hint::RevokeToken
        | Hint::ListMembers
        | Hint::ListBans
        | Hint::ListRooms
        | Hint::ListCommands
        | Hint::Say(_)
        | Hint::WhisperOrSay
        | Hint::DoubleSlash(_)
        | Hint::Join(_)
        | Hint::Since(_)
        | Hint::CheckEpoch
        | Hint::CheckRoomEpoch
        | Hint::CheckHistory
        | Hint::SplitStroke
        | Hint::JoinAgainLater
        | Hint::ResumeOnNewConnection
        | Hint::ReplaceToken
        | Hint::Reconnect
        | Hint::ReconnectAndJoin
        | Hint::ReconnectAndLogIn
        | Hint::ReconnectAndPong
        | Hint::ReconnectAndHelp
        | Hint::UseNetcat
        | Hint::InRoom(..) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, ReceivedLine, Refusal};
    use crate::protocol::{Mode, RoomName, Text};

    fn refused(line: &str) -> ReceivedRefusal {
        ReceivedLine::new(line).refusal().unwrap()
    }

    #[test]
    fn refusal_suggests_options_at_command_line() {
        let check = |line: &str, expected: &str| assert_eq!(explain(&refused(line)), expected, "{line:?}");
        check(
            "ERR NICK name-taken al is taken; choose another and write: NICK name",
            "al is taken; choose another with --nick",
        );
        check(
            "ERR NICK name-taken al is reserved until x is stored; try again later, or choose another and write: NICK name",
            "al is reserved until x is stored; try again later, or choose another with --nick",
        );
        check(
            "ERR WHISPER target-absent al is not here; nothing was delivered; WHO lists names",
            "al is not here; nothing was delivered; chinwag who lists the members",
        );
        check(
            "ERR WHISPER target-missing a name is missing; write: WHISPER name[,name...] text, with no space in the list",
            "a name is missing; separate the names by commas, without spaces",
        );
        check(
            "ERR SINCE epoch-changed the epoch is k7qd, not zzzz: ids of another epoch are not valid; write: HISTORY [count]",
            "the epoch is k7qd, not zzzz: ids of another epoch are not valid; chinwag history prints the last messages",
        );
        check(
            "ERR SINCE id-ahead the last id is 5; if your id is from another epoch (HELLO has the current one), write: HISTORY [count]",
            "the last id is 5; expected an id of this server: chinwag history --json prints some",
        );
        check(
            "ERR SINCE too-old the oldest message that is kept has id 9; to get all messages from there on, write: SINCE 8",
            "the oldest message that is kept has id 9; to get all from there on, use --since 8",
        );
        check(
            "ERR WATCH not-in-room #ops does not exist; ROOMS lists rooms",
            "#ops does not exist; chinwag rooms lists the rooms",
        );
        check(
            "#ops ERR SINCE id-ahead the last id is 5; if your id is from another epoch (the reply to NICK, JOIN or WATCH has the \
             current one), write: #ops HISTORY [count]",
            "the last id is 5; expected an id of this server: chinwag history --json prints some",
        );
        check("ERR - slow you read too slowly; connect again", "you read too slowly");
        check("ERR - idle-timeout too quiet; connect again and answer PING", "too quiet");
        check("ERR MSG not-stored the disk is full; try again later", "the disk is full; try again later");
        check("ERR SEARCH verb-unknown unknown command", OLD_SERVER);
    }

    #[test]
    fn refusal_suggests_slash_commands_at_terminal() {
        let check = |line: &str, expected: &str| assert_eq!(explain_at_terminal(&refused(line)), expected, "{line:?}");
        check(
            "ERR NICK name-taken al is taken; choose another and write: NICK name",
            "al is taken; choose another and type: /nick name",
        );
        check("ERR MSG text-missing the text is missing; write: MSG text", "the text is missing; type: text");
        check("ERR WHO argument-unexpected x is too many; write: WHO", "x is too many; type: /who");
        check("#ops ERR WHO argument-unexpected x is too many; write: #ops WHO", "x is too many; type: /who");
        check("ERR MSG no-name no name yet; take one first: NICK name", "no name yet; take one first: /nick name");
        check(
            "ERR SINCE too-old the oldest message that is kept has id 9; to get all messages from there on, write: SINCE 8",
            "the oldest message that is kept has id 9; to get all from there on, type: /since 8",
        );
        check(
            "ERR SET option-unknown unknown option 'x'; write: SET echo|tags|draw|resume|rooms on|off",
            "unknown option 'x'",
        );
        check(
            "ERR - verb-unknown unknown command 'SEARCH' (HELP lists the commands); to say it, write: MSG x",
            OLD_SERVER,
        );
    }

    /// A server of a later version may send other codes and hints.
    #[test]
    fn unknown_hint_is_shown_as_it_is() {
        let refusal = refused("ERR MSG later-code no; write: SING la");
        assert_eq!([explain(&refusal), explain_at_terminal(&refusal)], ["no; write: SING la"; 2]);
        let refusal = refused("ERR SING later-code no; try again later");
        assert_eq!([explain(&refusal), explain_at_terminal(&refusal)], ["no; try again later"; 2]);
    }

    /// No hint, of any code, shows a line of the protocol.
    #[test]
    fn hints_have_no_protocol_syntax() {
        let open =
            [Hint::Say(Text::truncated("x")), Hint::DoubleSlash(Text::truncated("x")), Hint::Since(MessageId(8))];
        let in_room = |hint: Hint| [hint.clone(), hint.in_room(RoomName::lobby())];
        for hint in Hint::plain().chain(open).flat_map(in_room) {
            for code in ErrorCode::ALL {
                let refusal = Refusal::new(None, code, "it is wrong").with_hint(hint.clone()).into();
                for words in [explain(&refusal), explain_at_terminal(&refusal)] {
                    let words = words.replace("UTF-", "").replace("LF", "").replace("PATH", "");
                    let has_verb = words.contains("write: ") || words.contains(|c: char| c.is_ascii_uppercase());
                    assert!(!has_verb && !words.is_empty(), "{code:?} {hint:?}: {words}");
                }
            }
        }
    }

    /// The refusals of commands that the client checks itself.
    #[test]
    fn local_refusal_has_no_protocol_syntax() {
        let words = "a ".repeat(99);
        let lines = ["NICK a,b", "NICK", "HISTORY x", "HISTORY 1 2", "SEARCH", "WHISPER bob", "WHISPER", "MSG"];
        for line in lines.into_iter().map(ToOwned::to_owned).chain([format!("SEARCH {words}")]) {
            if let Err(refusal) = Command::parse(&line, Mode::Commands) {
                let explained = explain(&refusal.into());
                let is_plain = !explained.contains("write: ") && !explained.contains("NICK") && !explained.is_empty();
                assert!(is_plain, "{line:?}: {explained}");
            }
        }
    }
}
