//! The client's command line.

use std::io;
use std::num::NonZero;
use std::time::Duration;

use argh::FromArgs;

use super::render::Look;
use crate::command_line::{is_colored, parse_color, parse_seconds, with_port};
use crate::limits::RETRY_SECONDS_DEFAULT;
use crate::protocol::{EventId, Name, Token};

/// A client for a chinwag chat: for people at a terminal and, with a command, for scripts.
#[derive(FromArgs, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[argh(
    help_triggers("-h", "--help"),
    example = "{command_name}\n{command_name} chat.example.org --nick alice\n{command_name} 10.0.0.9:7000 send build 41 is green\n{command_name} tail --json | grep -m1 alice\n{command_name} history 50\n{command_name} search green build\n{command_name} tail --since 1204",
    note = "Commands:\n  send [--to name[,name...]] [text]  say it, or each line of standard input; prints nothing\n  who                                list who else is here, as: name coordinator|member\n  tail [--since id] [--count n] [--from name] [--timeout seconds]\n                                     print what happens, as it happens\n  wait regex [--since id] [--count n] [--from name] [--timeout seconds]\n                                     wait until somebody says what matches; print it\n  history [n]                        print the last n messages (default: 20)\n  search words                       print messages with these words, the newest first, if the\n                                     server stores them\n  raw                                standard input is protocol (protocol.md): send each line\n                                     when the one before has its reply; print what comes",
    note = "Options may stand anywhere; after -- there are none, as in: {command_name} send -- -5 degrees",
    note = "Without a terminal and without a command, each line of standard input is what would be typed at one.",
    error_code(0, "all was done, or whoever read the output wanted no more"),
    error_code(1, "the server refused something, or the output could not be written"),
    error_code(2, "the command line was wrong"),
    error_code(3, "it could not connect"),
    error_code(4, "the connection was lost"),
    error_code(5, "it timed out"),
    error_code(6, "the name went on with another connection"),
    error_code(129, "SIGHUP said to stop; 130: SIGINT; 143: SIGTERM")
)]
pub(super) struct Options {
    /// where the server is, as host or host:port (default: 127.0.0.1:9999); then a command
    #[argh(positional, arg_name = "host or command")]
    words: Vec<String>,

    /// the name to take (default: at a terminal it asks; otherwise the user's, with a number if that is taken)
    #[argh(option, arg_name = "name")]
    pub(super) nick: Option<String>,

    /// auto, always or never (default: auto, which is on a terminal and without `NO_COLOR`)
    #[argh(option, arg_name = "when", default = "is_colored(&io::stdout())", from_str_fn(parse_color))]
    color: bool,

    /// ring the bell at whispers and where one's own name is mentioned
    #[argh(switch)]
    bell: bool,

    /// with a command: print one JSON object a line
    #[argh(switch)]
    pub(super) json: bool,

    /// with send: whisper it to them
    #[argh(option, arg_name = "names")]
    pub(super) to: Option<String>,

    /// with tail and wait: leave after so many lines (default with wait: 1)
    #[argh(option, arg_name = "number")]
    pub(super) count: Option<NonZero<u64>>,

    /// with tail and wait: only what this one says
    #[argh(option, arg_name = "name")]
    pub(super) from: Option<Name>,

    /// with tail and wait: leave after so many seconds, with exit code 5
    #[argh(option, arg_name = "seconds", from_str_fn(parse_seconds))]
    pub(super) timeout: Option<Duration>,

    /// with tail and wait: begin with what was said after the message or event of this id (--json shows it); if some of it is no
    /// longer kept, standard error says so
    #[argh(option, arg_name = "id", from_str_fn(parse_id))]
    pub(super) since: Option<EventId>,

    /// with --since: what the id belongs to, as the server's greeting says (epoch=), to be refused if ids began anew
    #[argh(option, arg_name = "epoch", from_str_fn(parse_epoch))]
    pub(super) epoch: Option<Token>,

    /// with tail and wait, and without a command: if the connection is lost, try for so many seconds to come back; 0: do not
    /// (default: 60; at a terminal, for ever)
    #[argh(option, arg_name = "seconds", from_str_fn(parse_seconds))]
    pub(super) retry: Option<Duration>,

    /// print the version and leave
    #[argh(switch)]
    pub(super) version: bool,
}

/// The words that are commands; any other first word says where the server is.
const COMMANDS: [&str; 7] = ["send", "who", "tail", "wait", "history", "search", "raw"];

impl Options {
    /// Where the server is, as `host:port`.
    pub(super) fn address(&self) -> String {
        with_port(self.host().unwrap_or("127.0.0.1"))
    }

    /// Whether the port of the address can be one.
    pub(super) fn has_port(&self) -> bool {
        self.address().rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
    }

    /// The command, empty if there is none, and the words after it.
    pub(super) fn command(&self) -> (&str, &[String]) {
        let words = &self.words[usize::from(self.host().is_some())..];
        words.split_first().map_or(("", words), |(command, words)| (command, words))
    }

    /// Whether there is one of those that say what to print and for how long.
    pub(super) fn select(&self) -> bool {
        self.count.is_some() || self.from.is_some() || self.since.is_some() || self.timeout.is_some()
    }

    /// For how long to try to come back where nobody is at a terminal.
    pub(super) fn retry(&self) -> Duration {
        self.retry.unwrap_or(Duration::from_secs(RETRY_SECONDS_DEFAULT))
    }

    /// How things look.
    pub(super) fn look(&self) -> Look {
        Look { color: self.color, bell: self.bell }
    }

    /// The first word, where it says where the server is.
    pub(super) fn host(&self) -> Option<&str> {
        self.words.first().map(String::as_str).filter(|word| !COMMANDS.contains(word))
    }
}

fn parse_id(raw: &str) -> Result<EventId, String> {
    raw.parse().map(EventId).map_err(|_| format!("{raw} is no id; ids are numbers"))
}

fn parse_epoch(raw: &str) -> Result<Token, String> {
    Token::new(raw).map_err(|_| format!("{raw} is no epoch; one is a word"))
}
