//! The bundled client, `chinwag`: for people at a terminal and for scripts. All that it does could be done by hand with nc.
//!
//! What lines mean and how they look is pure: `typed` is what a person types, `session` what follows from that and from what
//! the server sends, `reading` how far that was read, `render` how it is drawn. The rest is thin: `options` is the command
//! line, `wire` a connection, `link` one after the other, `talk` a session over them, `terminal` the line editor, `script` the
//! subcommands.

mod link;
mod options;
mod reading;
mod render;
mod script;
mod session;
mod talk;
mod terminal;
mod typed;
mod wire;

use std::process::ExitCode;

use regex_lite::Regex;
use smol::block_on;

use self::options::Options;
use crate::command_line;
use crate::protocol::{Command, Mode, is_blank};

/// The program: reads its command line, and says with what to exit.
pub fn main() -> ExitCode {
    match command_line::parse("chinwag").map(|options| run(&options)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(End(Code::Usage, what))) => command_line::refuse("chinwag", &what),
        Ok(Err(End(code, what))) => {
            what.lines().for_each(script::tell);
            ExitCode::from(code as u8)
        }
        Err(code) => code,
    }
}

fn run(options: &Options) -> Result<(), End> {
    let usage = |what: &str| Err(End(Code::Usage, what.to_owned()));
    let recall = |line: &str| match Command::parse(line, Mode::Commands) {
        Ok(Some(command)) => block_on(script::recall(options, &command)),
        Ok(None) => Ok(()),
        Err(refusal) => {
            usage(&refusal.text.to_string().replace("write: HISTORY", "write: history").replace("SEARCH", "search"))
        }
    };
    let (command, words) = options.command();
    match (command, words) {
        _ if options.version => script::print(concat!("chinwag ", env!("CARGO_PKG_VERSION"))),
        _ if !options.has_port() => usage(&format!("{}: a port is a number up to 65535", options.address())),
        ("", _) if options.json => usage("--json goes with a command"),
        (other, _) if options.to.is_some() && other != "send" => usage("--to goes with send"),
        (other, _) if options.select() && !["tail", "wait"].contains(&other) => {
            usage("--count, --from, --since and --timeout go with tail and wait")
        }
        _ if options.epoch.is_some() && options.since.is_none() => usage("--epoch goes with --since"),
        (other, _) if options.retry.is_some() && !["", "tail", "wait"].contains(&other) => {
            usage("--retry goes with tail and wait, and without a command")
        }
        ("send", [_, ..]) if is_blank(&words.concat()) => usage("there is nothing to say: the text is blank"),
        ("send", text) => block_on(script::send(options, text)),
        ("who", []) => block_on(script::who(options)),
        ("tail", []) => block_on(script::watch(options, None)),
        ("wait", [regex]) => match Regex::new(regex) {
            Ok(regex) => block_on(script::watch(options, Some(&regex))),
            Err(error) => usage(&format!("{regex} is no regular expression: {error}")),
        },
        ("wait", _) => usage("wait takes one regular expression, in quotes if it has spaces"),
        ("history", []) => recall("HISTORY"),
        ("history", [count]) => recall(&format!("HISTORY {count}")),
        ("search", words) => recall(&format!("SEARCH {}", words.join(" "))),
        ("raw", []) if options.nick.is_some() => usage("raw takes its name from its input: write NICK name there"),
        ("raw", []) => block_on(script::raw(options)),
        ("", []) if terminal::is_one() => terminal::run(options),
        ("", []) => block_on(script::talk(options)),
        ("who" | "tail" | "raw" | "history", [.., surplus]) => usage(&format!("{command} takes no {surplus}")),
        _ => {
            let host = options.host().unwrap_or_default();
            let commands = "send, who, tail, wait, history, search and raw";
            usage(&format!("{command} is no command; there are {commands}; {host} was taken for the host"))
        }
    }
}

/// The exit codes; `--help` explains them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// All was done, or whoever reads the output wants no more.
    Done = 0,
    /// The server refused something, or the output cannot be written.
    Refused = 1,
    /// The command line is wrong.
    Usage = 2,
    /// There is no server to be reached.
    Unreachable = 3,
    /// The connection ended before all was done.
    Lost = 4,
    /// It took longer than it may.
    TimedOut = 5,
    /// The name went on with another connection.
    TakenOver = 6,
    /// A signal said to stop: 128 and its number, as a shell has it.
    HungUp = 129,
    /// The same.
    Interrupted = 130,
    /// The same.
    Terminated = 143,
}

impl Code {
    /// Whether it is the user's wish, and no failure.
    fn is_wanted(self) -> bool {
        matches!(self, Self::Done | Self::HungUp | Self::Interrupted | Self::Terminated)
    }
}

/// Why the client ended before all was done, and what to tell the user, if that was not told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End(Code, String);
