//! The client's command line.

use std::io;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::render::Look;
use crate::command_line::{
    is_colored, is_server, parse_color, parse_number, parse_seconds, quoted, with_port, wrong_server,
};
use crate::limits::RETRY_SECONDS_DEFAULT;
use crate::protocol::{MessageId, Name, Token};

/// A client for a chinwag chat server: interactive at a terminal and, with a command, for scripts.
#[derive(FromArgs, ArgsInfo, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[argh(
    help_triggers("-h", "--help"),
    example = "{command_name}\n{command_name} chat.example.org --nick alice\n{command_name} 10.0.0.9 7000 who\n{command_name} 10.0.0.9:7000 send build 41 is green\n{command_name} tail --json | grep -m1 alice\n{command_name} history 50\n{command_name} search green build\n{command_name} tail --since 1204",
    note = "Commands:\n  send [--to name[,name...]] [text]  send the text, or each line of standard input; prints nothing\n  who                                list the other members, as: name coordinator|member\n  tail [--since id] [--count n] [--from name] [--timeout seconds]\n                                     print messages and events as they arrive\n  wait regex [--since id] [--count n] [--from name] [--timeout seconds]\n                                     wait for a message that matches the regular expression; print it\n  history [n]                        print the last n messages (default: 20)\n  search words                       print messages with these words, newest first, if the server\n                                     stores messages (chinwagd --data)\n  raw                                send standard input as protocol lines (protocol.md), each after\n                                     the reply to the one before; print every line received\n  help                               print this help",
    note = "Options may stand anywhere, as --option value or --option=value. Everything after -- is text: {command_name} send -- -5 degrees",
    note = "Without a command, chinwag chats: at a terminal interactively (Ctrl-D leaves), otherwise with the lines of standard input as typed lines.",
    error_code(0, "success, or the reader of the output closed it"),
    error_code(1, "the server refused a command, or standard input or output failed"),
    error_code(2, "invalid command line"),
    error_code(3, "could not connect"),
    error_code(4, "the connection was lost"),
    error_code(5, "timed out: --timeout expired, or the server did not answer"),
    error_code(6, "another connection resumed this session"),
    error_code(129, "ended by SIGHUP; 130: by SIGINT (Ctrl-C); 131: by SIGQUIT; 143: by SIGTERM")
)]
pub(super) struct Options {
    /// the server, as host, host:port or host port (default: 127.0.0.1:9999), then a command. Put an IPv6 address with a port in
    /// brackets; it may have a zone: `[fe80::1%eth0]:9999`
    #[argh(positional, arg_name = "host or command")]
    words: Vec<String>,

    /// the nickname to take (default: ask at a terminal; otherwise your login name, with a number if that is taken)
    #[argh(option, arg_name = "name", from_str_fn(parse_nick))]
    pub(super) nick: Option<String>,

    /// print in colour: auto, always or never (default: auto: at a terminal, unless `NO_COLOR` is set or TERM is dumb)
    #[argh(option, arg_name = "when", default = "is_colored(&io::stdout())", from_str_fn(parse_color))]
    color: bool,

    /// ring the terminal's bell for whispers to you and messages that mention your nickname
    #[argh(switch)]
    bell: bool,

    /// with a command: print one JSON object per line
    #[argh(switch)]
    pub(super) json: bool,

    /// with send: whisper to these members (separated by commas)
    #[argh(option, arg_name = "names", from_str_fn(parse_names))]
    pub(super) to: Option<String>,

    /// with tail and wait: exit after this many lines (default: 1 with wait, without limit with tail)
    #[argh(option, arg_name = "number", from_str_fn(parse_count))]
    pub(super) count: Option<u64>,

    /// with tail and wait: print only messages and whispers from this member
    #[argh(option, arg_name = "name")]
    pub(super) from: Option<Name>,

    /// with tail and wait: exit after this many seconds, with exit code 5
    #[argh(option, arg_name = "seconds", from_str_fn(parse_seconds))]
    pub(super) timeout: Option<Duration>,

    /// with tail and wait: begin with the messages after this id (--json prints ids); if the server no longer keeps some of them,
    /// standard error says so
    #[argh(option, arg_name = "id", from_str_fn(parse_id))]
    pub(super) since: Option<MessageId>,

    /// with --since: the epoch of the id (epoch= in the server's greeting); if the server has another one, exit with code 1
    #[argh(option, arg_name = "epoch", from_str_fn(parse_epoch))]
    pub(super) epoch: Option<Token>,

    /// with tail and wait, and without a command: after a lost connection, try to reconnect for this many seconds; 0: do not
    /// reconnect (default: 60; at a terminal, without limit)
    #[argh(option, arg_name = "seconds", from_str_fn(parse_seconds))]
    pub(super) retry: Option<Duration>,

    /// print the version and exit
    #[argh(switch, short = 'V')]
    pub(super) version: bool,
}

/// The commands. Any other first word is the server.
pub(super) const COMMANDS: [&str; 8] = ["send", "who", "tail", "wait", "history", "search", "raw", "help"];

impl Options {
    /// The server as `host:port`.
    pub(super) fn address(&self) -> String {
        let host = self.host().unwrap_or("127.0.0.1");
        self.port().map_or_else(|| with_port(host), |port| with_port(&format!("{host} {port}")))
    }

    /// The error if the server has no valid host, or no port from 1 to 65535.
    pub(super) fn wrong_address(&self) -> Option<String> {
        let host = self.host().unwrap_or("127.0.0.1");
        if let Some(port) = self.port()
            && with_port(host) == host
            && is_server(host)
        {
            return Some(format!("two ports for one server: {} and {}, expected one", quoted(host), quoted(port)));
        }
        wrong_server(&self.port().map_or_else(|| host.to_owned(), |port| format!("{host} {port}")))
    }

    /// The command, empty if there is none, and the words after it.
    pub(super) fn command(&self) -> (&str, &[String]) {
        let server = usize::from(self.host().is_some()) + usize::from(self.port().is_some());
        let words = &self.words[server..];
        words.split_first().map_or(("", words), |(command, words)| (command, words))
    }

    /// Reports an option that does not apply to this command; "" stands for no command.
    pub(super) fn misplaced(&self, command: &str) -> Option<String> {
        let (watching, place) = (["tail", "wait"].as_slice(), "tail or wait");
        let options: [(&str, bool, &[&str], &str); 7] = [
            ("--json", self.json, &COMMANDS, "a command"),
            ("--to", self.to.is_some(), &["send"], "send"),
            ("--count", self.count.is_some(), watching, place),
            ("--from", self.from.is_some(), watching, place),
            ("--since", self.since.is_some(), watching, place),
            ("--timeout", self.timeout.is_some(), watching, place),
            ("--retry", self.retry.is_some(), &["", "tail", "wait"], "tail or wait, or without a command"),
        ];
        let is_misplaced =
            |(_, is_given, commands, _): &(_, bool, &[&str], _)| *is_given && !commands.contains(&command);
        let (option, _, _, place) = options.into_iter().find(is_misplaced)?;
        Some(format!("unexpected {option}: expected it with {place}"))
    }

    /// How long to try to reconnect without a terminal.
    pub(super) fn retry(&self) -> Duration {
        self.retry.unwrap_or(Duration::from_secs(RETRY_SECONDS_DEFAULT))
    }

    /// The format of the output.
    pub(super) fn look(&self) -> Look {
        Look { color: self.color, bell: self.bell }
    }

    /// The port, if the word after the host is a number, as in `nc host port`. No command is a number.
    fn port(&self) -> Option<&str> {
        self.host()?;
        let is_number = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        self.words.get(1).map(String::as_str).filter(is_number)
    }

    /// The first word, unless it is a command.
    pub(super) fn host(&self) -> Option<&str> {
        self.words.first().map(String::as_str).filter(|word| !COMMANDS.contains(word))
    }
}

/// Accepts any nickname: the server checks it, and at a terminal the user is asked for another one.
fn parse_nick(raw: &str) -> Result<String, String> {
    if raw.is_empty() { Err("expected a nickname".to_owned()) } else { Ok(raw.to_owned()) }
}

/// Refuses blanks and empty names: with them, the server would read the first word of the text as a name.
fn parse_names(raw: &str) -> Result<String, String> {
    let are_names = raw.split(',').all(|name| Name::new(name).is_ok());
    if are_names { Ok(raw.to_owned()) } else { Err("expected nicknames separated by commas".to_owned()) }
}

fn parse_count(raw: &str) -> Result<u64, String> {
    parse_number(raw, 1.., "a number of lines")
}

fn parse_id(raw: &str) -> Result<MessageId, String> {
    parse_number(raw, 0.., "an id").map(MessageId)
}

fn parse_epoch(raw: &str) -> Result<Token, String> {
    Token::new(raw).map_err(|_| "expected the word after epoch= in the server's greeting, such as k7qd".to_owned())
}
