//! The bundled client, `chinwag`: for people at a terminal and for scripts. All that it does could be done by hand with nc.
//!
//! What lines mean and how they look is pure: `typed` is what a person types, `session` what follows from that and from what
//! the server sends, `reading` how far that was read, `render` how it is drawn. The rest is thin: `options` is the command
//! line, `dial` how a connection is made, `wire` a connection, `link` one after the other, `stop` the signals, `output` what is
//! printed, `json` a line as an object, `input` the lines of standard input, `refusal` the words for a server's refusals, `talk` a session over them, `editor` the line editor, `terminal` what runs it at
//! a terminal, `script` the subcommands.

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
use crate::command_line::{self, nearest, parse_number, quoted};
use crate::protocol::{Command, Mode, is_blank};

/// The name in errors and in `--version`.
const PROGRAM: &str = "chinwag";

/// The program: reads its command line, and returns the exit code.
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
        let taken = format!("{} was parsed as the server{hint}", quoted(server));
        return Some(format!("unknown command {}: expected one of {commands} ({taken})", quoted(command)));
    }
    if let Some(what) = options.wrong_address() {
        return Some(what);
    }
    if let Some(what) = options.misplaced(command) {
        return Some(what);
    }
    if options.epoch.is_some() && options.since.is_none() {
        return Some("--epoch without --since: expected --since ID, an id of this epoch".to_owned());
    }
    match (command, words) {
        ("send", [_, ..]) if is_blank(&words.concat()) => Some("missing text: the message is blank".to_owned()),
        ("wait", [_]) => None,
        ("wait", _) => Some("wait takes one regular expression: put it in quotes if it has spaces".to_owned()),
        ("search", _) if is_blank(&words.concat()) => Some("missing words: expected search WORDS".to_owned()),
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
    let recall = |line: &str| match Command::parse(line, Mode::Commands) {
        Ok(Some(command)) => block_on(script::recall(options, &command)),
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
        "history" => recall(&format!("HISTORY {}", words.join(" "))),
        "search" => recall(&format!("SEARCH {}", words.join(" "))),
        "raw" => block_on(script::raw(options)),
        _ if terminal::is_one() => terminal::run(options),
        _ => block_on(script::talk(options)),
    }
}

/// The exit codes; `--help` explains them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// All was done, or whoever reads the output wants no more.
    Done,
    /// The server refused something, or standard input or output failed.
    Refused,
    /// The command line is wrong.
    Usage,
    /// There is no server to be reached.
    Unreachable,
    /// The connection ended before all was done.
    Lost,
    /// It took longer than it may.
    TimedOut,
    /// The name went on with another connection.
    TakenOver,
    /// A signal ended the client.
    Signal(Signal),
}

impl Code {
    /// The number that the parent process sees. For a signal, it is the one that shells show.
    fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Lost => 4,
            Self::TimedOut => 5,
            Self::TakenOver => 6,
            Self::Signal(signal) => 128 + signal as u8,
        }
    }

    /// The signal that ended the client, if one did.
    fn signal(self) -> Option<Signal> {
        if let Self::Signal(signal) = self { Some(signal) } else { None }
    }

    /// Whether it is the user's wish, and no failure.
    fn is_wanted(self) -> bool {
        matches!(self, Self::Done | Self::Signal(_))
    }
}

/// Why the client ended before all was done, and what to tell the user, if that was not told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End(Code, String);
