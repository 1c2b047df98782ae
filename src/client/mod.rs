//! The bundled client, `chinwag`, for users at a terminal and for scripts. It does nothing that a user could not do by hand with nc.
//!
//! These modules are pure, except for the history file and the environment in `editor`: `typed` parses typed lines,
//! `session` turns them and the server's lines into actions, `reading` tracks
//! which messages have been read, `render` formats lines for the output, `json` formats them as objects, `refusal` words the server's
//! refusals for users, `editor` is the line editor. The others do I/O: `options` is the command line, `dial` connects, `wire` is one
//! connection, `link` reconnects, `talk` runs a session over a link, `stop` receives signals, `input` reads standard input, `output`
//! prints, `printer` queues lines for the terminal, `tty` reads and writes it, `terminal` runs the editor and the chat, `script` has
//! the subcommands.

mod dial;
mod editor;
mod input;
mod json;
mod link;
mod options;
mod output;
mod printer;
mod reading;
mod refusal;
mod render;
mod script;
mod session;
mod stop;
mod talk;
mod terminal;
mod tty;
mod typed;
mod wire;

use std::process::ExitCode;

use async_signal::Signal;
use regex_lite::Regex;
use smol::block_on;

use self::options::{COMMANDS, Options};
use self::output::Output;
use self::stop::end_by;
use crate::command::Command;
use crate::command_line::{self, nearest, parse_number, quoted};
use crate::protocol::{Mode, is_blank};

/// The name in errors and in `--version`.
const PROGRAM: &str = "chinwag";

/// Runs the client with the arguments of the process. Returns the exit code.
pub fn main() -> ExitCode {
    let options: Options = match command_line::parse(PROGRAM, &[]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.version {
        return command_line::print(PROGRAM, concat!("chinwag ", env!("CARGO_PKG_VERSION")));
    }
    if options.command().0 == "help" {
        return command_line::print_help::<Options>(PROGRAM);
    }
    match check(&options).map_or_else(|| run(&options), |what| Err(End(Code::Usage, what))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(End(Code::Usage, what)) => command_line::refuse(PROGRAM, &what),
        Err(End(code, what)) => {
            what.lines().for_each(|line| command_line::say_error(PROGRAM, line));
            if let Some(signal) = code.signal() {
                end_by(signal);
            }
            ExitCode::from(code.number())
        }
    }
}

/// Checks the arguments before the command runs. Returns the error, if there is one.
fn check(options: &Options) -> Option<String> {
    let (command, words) = options.command();
    if !command.is_empty() && !COMMANDS.contains(&command) {
        let server = options.host().unwrap_or_default();
        let hint = nearest(server, COMMANDS.into_iter()).map(|near| format!(", did you mean {near}?"));
        let (hint, commands) = (hint.unwrap_or_default(), COMMANDS.join(", "));
        let parsed = format!("{} was parsed as the server{hint}", quoted(server));
        return Some(format!("unknown command {}: expected one of {commands} ({parsed})", quoted(command)));
    }
    if let Some(what) = options.wrong_address() {
        return Some(what);
    }
    if let Some(what) = options.misplaced(command) {
        return Some(what);
    }
    if options.epoch.is_some() && options.since.is_none() {
        return Some("--epoch without --since: expected both, as in --since 1204 --epoch k7qd".to_owned());
    }
    match (command, words) {
        ("send", [_, ..]) if is_blank(&words.concat()) => {
            Some("missing text: the message is blank, expected send TEXT".to_owned())
        }
        ("wait", [_]) => None,
        ("wait", []) => Some("missing regular expression: expected wait REGEX".to_owned()),
        ("wait", [_, surplus, ..]) => Some(format!(
            "unexpected argument {} after wait: put a regular expression with spaces in quotes",
            quoted(surplus)
        )),
        ("search", _) if is_blank(&words.concat()) => {
            Some("missing words to search for: expected search WORDS".to_owned())
        }
        ("raw", []) if options.nick.is_some() => {
            Some("unexpected --nick: raw reads the nickname from its input, as NICK name".to_owned())
        }
        ("history", [count]) => {
            let why = parse_number(count, 0.., "a number of messages").err()?;
            Some(format!("invalid argument {} after history: {why}", quoted(count)))
        }
        ("history", [_, surplus, ..]) | ("who" | "tail" | "raw", [surplus, ..]) => {
            Some(format!("unexpected argument {} after {command}", quoted(surplus)))
        }
        _ => None,
    }
}

fn run(options: &Options) -> Result<(), End> {
    let query = |line: &str| match Command::parse(line, Mode::Commands) {
        Ok(Some(command)) => block_on(script::print_past(options, &command)),
        Ok(None) => Ok(()),
        Err(refusal) => Err(End(Code::Usage, refusal::explain(&refusal.into()))),
    };
    let (command, words) = options.command();
    if command != "send" || options.json {
        Output::check()?;
    }
    match command {
        "send" => block_on(script::send(options, words)),
        "who" => block_on(script::who(options)),
        "tail" => block_on(script::watch(options, None)),
        "wait" => {
            let pattern = words.first().map_or("", String::as_str);
            match Regex::new(pattern) {
                Ok(regex) => block_on(script::watch(options, Some(&regex))),
                Err(why) => Err(End(Code::Usage, format!("invalid regular expression {}: {why}", quoted(pattern)))),
            }
        }
        "history" => query(&format!("HISTORY {}", words.join(" "))),
        "search" => query(&format!("SEARCH {}", words.join(" "))),
        "raw" => block_on(script::raw(options)),
        _ if terminal::is_available() => terminal::run(options),
        _ => block_on(script::talk(options)),
    }
}

/// The exit codes; `--help` explains them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// Success, or the reader of the output closed it.
    Success,
    /// The server refused a command, or standard input or output failed.
    Refused,
    /// Invalid command line.
    Usage,
    /// Could not connect.
    Unreachable,
    /// The connection was lost.
    Lost,
    /// `--timeout` expired, or the server did not answer in time.
    TimedOut,
    /// Another connection resumed the session.
    TakenOver,
    /// Ended by a signal.
    Signal(Signal),
}

impl Code {
    /// The exit code that the parent process sees. For a signal, the code that a shell reports.
    fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Lost => 4,
            Self::TimedOut => 5,
            Self::TakenOver => 6,
            Self::Signal(signal) => 128 + signal as u8,
        }
    }

    /// The signal that ended the client, if any. It must end the process, too.
    fn signal(self) -> Option<Signal> {
        if let Self::Signal(signal) = self { Some(signal) } else { None }
    }

    /// Whether the client ends on request, and not because of a failure.
    fn is_wanted(self) -> bool {
        matches!(self, Self::Success | Self::Signal(_))
    }
}

/// Why the client ends early: the exit code, and the error to print (empty if there is none, or it is printed already).
#[derive(Clone, Debug, PartialEq, Eq)]
struct End(Code, String);
