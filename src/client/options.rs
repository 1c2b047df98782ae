//! The client's command line.

use std::io;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::render::Look;
use crate::command_line::{
    is_colored, is_server, parse_color, parse_number, parse_seconds, quoted, with_port, wrong_server,
};
use crate::limits::RETRY_SECONDS_DEFAULT;
use crate::protocol::{EventId, Name, Token};

/// A client for a chinwag chat: for people at a terminal and, with a command, for scripts.
#[derive(FromArgs, ArgsInfo, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[argh(
    help_triggers("-h", "--help"),
    example = "{command_name}\n{command_name} chat.example.org --nick alice\n{command_name} 10.0.0.9 7000 who\n{command_name} 10.0.0.9:7000 send build 41 is green\n{command_name} tail --json | grep -m1 alice\n{command_name} history 50\n{command_name} search green build\n{command_name} tail --since 1204",
    note = "Commands:\n  send [--to name[,name...]] [text]  say it, or each line of standard input; prints nothing\n  who                                list who else is here, as: name coordinator|member\n  tail [--since id] [--count n] [--from name] [--timeout seconds]\n                                     print what happens, as it happens\n  wait regex [--since id] [--count n] [--from name] [--timeout seconds]\n                                     wait until somebody says what matches; print it\n  history [n]                        print the last n messages (default: 20)\n  search words                       print messages with these words, the newest first, if the\n                                     server stores them\n  raw                                standard input is protocol (protocol.md): send each line\n                                     when the one before has its reply; print what comes\n  help                               print this",
    note = "Options may stand anywhere, as --option value or --option=value. After -- there are none: {command_name} send -- -5 degrees",
    note = "Without a terminal and without a command, each line of standard input is what would be typed at one.",
    error_code(0, "all was done, or whoever read the output wanted no more"),
    error_code(1, "the server refused something, or standard input or output failed"),
    error_code(2, "the command line was wrong"),
    error_code(3, "it could not connect"),
    error_code(4, "the connection was lost"),
    error_code(5, "it timed out"),
    error_code(6, "the name went on with another connection"),
    error_code(129, "ended by SIGHUP; 130: by SIGINT; 143: by SIGTERM")
)]
pub(super) struct Options {
    /// where the server is, as host, host:port or host port (default: 127.0.0.1:9999); then a command. An IPv6 address with a port
    /// takes brackets, and may have a zone: `[fe80::1%eth0]:9999`
    #[argh(positional, arg_name = "host or command")]
    words: Vec<String>,

    /// the nickname to take (default: at a terminal it asks; otherwise the user's name, with a number if that is taken)
    #[argh(option, arg_name = "name", from_str_fn(parse_nick))]
    pub(super) nick: Option<String>,

    /// auto, always or never (default: auto, which is on a terminal, unless `NO_COLOR` is set or TERM is dumb)
    #[argh(option, arg_name = "when", default = "is_colored(&io::stdout())", from_str_fn(parse_color))]
    color: bool,

    /// ring the bell at whispers and where your nickname is mentioned
    #[argh(switch)]
    bell: bool,

    /// with a command: print one JSON object a line
    #[argh(switch)]
    pub(super) json: bool,

    /// with send: whisper the text to these members
    #[argh(option, arg_name = "names", from_str_fn(parse_names))]
    pub(super) to: Option<String>,

    /// with tail and wait: exit after this many lines (default with wait: 1)
    #[argh(option, arg_name = "number", from_str_fn(parse_count))]
    pub(super) count: Option<u64>,

    /// with tail and wait: print only what this member says
    #[argh(option, arg_name = "name")]
    pub(super) from: Option<Name>,

    /// with tail and wait: exit after this time, in seconds, with exit code 5
    #[argh(option, arg_name = "seconds", from_str_fn(parse_seconds))]
    pub(super) timeout: Option<Duration>,

    /// with tail and wait: begin with what was said after the message or event with this id (--json shows ids); if some of it is
    /// no longer kept, standard error says so
    #[argh(option, arg_name = "id", from_str_fn(parse_id))]
    pub(super) since: Option<EventId>,

    /// with --since: the epoch of the id (epoch= in the server's greeting); the id is refused if the server has another epoch
    #[argh(option, arg_name = "epoch", from_str_fn(parse_epoch))]
    pub(super) epoch: Option<Token>,

    /// with tail and wait, and without a command: after a lost connection, try to reconnect for this time, in seconds; 0: do not
    /// (default: 60; at a terminal, without limit)
    #[argh(option, arg_name = "seconds", from_str_fn(parse_seconds))]
    pub(super) retry: Option<Duration>,

    /// print the version and exit
    #[argh(switch, short = 'V')]
    pub(super) version: bool,
}

/// The words that are commands; any other first word says where the server is.
pub(super) const COMMANDS: [&str; 8] = ["send", "who", "tail", "wait", "history", "search", "raw", "help"];

impl Options {
    /// Where the server is, as `host:port`.
    pub(super) fn address(&self) -> String {
        let host = self.host().unwrap_or("127.0.0.1");
        self.port().map_or_else(|| with_port(host), |port| with_port(&format!("{host} {port}")))
    }

    /// Explains what is wrong with the address, if it has no host, or no port that can be connected to.
    pub(super) fn wrong_address(&self) -> Option<String> {
        let host = self.host().unwrap_or("127.0.0.1");
        if let Some(port) = self.port()
            && with_port(host) == host
            && is_server(host)
        {
            return Some(format!("two ports for one server: {} and {}", quoted(host), quoted(port)));
        }
        wrong_server(&self.port().map_or_else(|| host.to_owned(), |port| format!("{host} {port}")))
    }

    /// The command, empty if there is none, and the words after it.
    pub(super) fn command(&self) -> (&str, &[String]) {
        let server = usize::from(self.host().is_some()) + usize::from(self.port().is_some());
        let words = &self.words[server..];
        words.split_first().map_or(("", words), |(command, words)| (command, words))
    }

    /// Reports an option that does not apply to this command; "" is no command.
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

    /// For how long to try to come back where nobody is at a terminal.
    pub(super) fn retry(&self) -> Duration {
        self.retry.unwrap_or(Duration::from_secs(RETRY_SECONDS_DEFAULT))
    }

    /// How things look.
    pub(super) fn look(&self) -> Look {
        Look { color: self.color, bell: self.bell }
    }

    /// The second word, where it is a number after the host: nc's way to write a port. No command is a number.
    fn port(&self) -> Option<&str> {
        self.host()?;
        let is_number = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        self.words.get(1).map(String::as_str).filter(is_number)
    }

    /// The first word, where it says where the server is.
    pub(super) fn host(&self) -> Option<&str> {
        self.words.first().map(String::as_str).filter(|word| !COMMANDS.contains(word))
    }
}

/// Only the server knows which other nicknames are valid; at a terminal, the user is asked for another one.
fn parse_nick(raw: &str) -> Result<String, String> {
    if raw.is_empty() { Err("expected a nickname".to_owned()) } else { Ok(raw.to_owned()) }
}

/// A blank, or a missing name, would make the server read a part of the text as a name.
fn parse_names(raw: &str) -> Result<String, String> {
    let are_names = raw.split(',').all(|name| Name::new(name).is_ok());
    if are_names { Ok(raw.to_owned()) } else { Err("expected nicknames, with commas between them".to_owned()) }
}

fn parse_count(raw: &str) -> Result<u64, String> {
    parse_number(raw, 1.., "a number of lines")
}

fn parse_id(raw: &str) -> Result<EventId, String> {
    parse_number(raw, 0.., "an id").map(EventId)
}

fn parse_epoch(raw: &str) -> Result<Token, String> {
    Token::new(raw).map_err(|_| "expected a word, as in epoch=k7qd of the server's greeting".to_owned())
}
