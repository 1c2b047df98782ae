//! The bundled client, `chinwag`, for users at a terminal and for scripts. It sends only what a user could type with nc.
//!
//! `main` parses the command line and starts either the chat at a terminal or a command for scripts.
//!
//! | modules | task |
//! |---|---|
//! | pure | |
//! | `address`, `trust` | the address of a server; which certificates it may have |
//! | `typed`, `offered_commands` | parse typed lines; the commands of `/help` |
//! | `account_input` | the commands of accounts, and the questions for their passwords |
//! | `chat_state` | turns typed lines and the server's lines into actions |
//! | `own_rooms` | the rooms of a session, each with a value |
//! | `read_progress`, `rooms_progress` | track which messages have been read, in one room and in all, across connections |
//! | `refusal`, `render`, `json` | word refusals for users; format lines for users and for scripts |
//! | `editor` | the line editor; only its history file and its look at the environment are not pure |
//! | I/O | |
//! | `arguments` | the command line |
//! | `password` | reads the password of the server, and gives it |
//! | `account`, `token_file`, `secret_file` | the account to log in to; the files with an access token or a password |
//! | `entrance` | enters a room: with a nickname, as a watcher, or with a login |
//! | `dial`, `tls`, `transport`, `line_reader`, `connection` | connect; encrypt; both sides of a stream over any transport; read lines; requests and replies |
//! | `membership` | keeps a nickname across connections: reconnects and catches up |
//! | `shared_chat` | runs a chat over a membership |
//! | `script`, `login_command`, `terminal` | the commands for scripts; `chinwag login`; the chat at a terminal, on two threads |
//! | `input`, `output`, `stop` | standard input; standard output and error; signals |

mod account;
mod account_input;
mod address;
mod arguments;
mod chat_state;
mod connection;
mod dial;
mod editor;
mod entrance;
mod input;
mod json;
mod line_reader;
mod login_command;
mod membership;
mod offered_commands;
mod output;
mod own_rooms;
mod password;
mod read_progress;
mod refusal;
mod render;
mod rooms_progress;
mod script;
mod secret_file;
mod shared_chat;
mod stop;
mod terminal;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
mod token_file;
mod transport;
mod trust;
mod typed;

use std::process;

use async_signal::Signal;
use smol::block_on;

use self::arguments::{Arguments, ClientOptions, Subcommand};
use self::output::CommandOutput;
use crate::command::{self, Command};
use crate::command_line::{self, CommandLine, OptionGroup};
use crate::limits::SEARCH_FOUND_MAX;
use crate::process::end_by;
use crate::protocol::Mode;

/// The name in errors and in `--version`.
const PROGRAM: &str = "chinwag";

/// The layout of `--help`. argh has the descriptions of the options.
const COMMAND_LINE: CommandLine = CommandLine {
    program: PROGRAM,
    usage: "[host [port]] [options] [command]",
    example: "--nick alice",
    features: &[],
    renamed: &[],
    groups: &[
        OptionGroup {
            heading: "Messages",
            options: &["--room", "--to", "--from", "--since", "--epoch", "--count", "--timeout"],
        },
        OptionGroup {
            heading: "Connection",
            options: &[
                "--server",
                "--tls",
                "--tls-ca",
                "--tls-fingerprint",
                "--password-file",
                "--nick",
                "--login",
                "--account-password-file",
                "--token-file",
                "--retry",
            ],
        },
        OptionGroup { heading: "Access token", options: &["--label", "--days"] },
        OptionGroup { heading: "Output", options: &["--json", "--color", "--bell"] },
        OptionGroup { heading: "Other", options: &["--version", "--help"] },
    ],
    config_sections: &[],
};

/// Runs the client with the arguments of the process. Returns the exit code.
pub fn main() -> process::ExitCode {
    let arguments = match command_line::parse::<Arguments>(&COMMAND_LINE) {
        Ok(parsed) => parsed.arguments,
        Err(code) => return code,
    };
    if arguments.version {
        return command_line::print_output(PROGRAM, concat!("chinwag ", env!("CARGO_PKG_VERSION")));
    }
    match arguments.options().map_err(|what| Exit(ExitCode::Usage, what)).and_then(|options| run(&arguments, options)) {
        Ok(()) => process::ExitCode::SUCCESS,
        Err(Exit(ExitCode::Usage, what)) => command_line::print_usage_error(PROGRAM, arguments.command_name(), &what),
        Err(Exit(code, what)) => {
            what.lines().for_each(|line| command_line::print_error(PROGRAM, line));
            if let Some(signal) = code.signal() {
                end_by(signal);
            }
            process::ExitCode::from(code.number())
        }
    }
}

fn run(arguments: &Arguments, mut options: ClientOptions) -> Result<(), Exit> {
    if options.json || !matches!(arguments.command, Some(Subcommand::Send(_))) {
        CommandOutput::check()?;
    }
    if let Some(what) = arguments.unknown_command()
        && !block_on(dial::is_found(&options.address))
    {
        return Err(Exit(ExitCode::Usage, what));
    }
    if arguments.command.is_none() && terminal::is_available() {
        return terminal::run(options, arguments.retry);
    }
    options.ask_for_secret()?;
    let options = &options;
    match &arguments.command {
        None => block_on(script::chat(options, arguments.retry)),
        Some(Subcommand::Send(send)) => block_on(script::send(options, send)),
        Some(Subcommand::Who(_)) => block_on(script::who(options)),
        Some(Subcommand::Tail(tail)) => block_on(script::watch(options, &tail.filter(), None)),
        Some(Subcommand::Wait(wait)) => block_on(script::watch(options, &wait.filter(), Some(&wait.regex))),
        Some(Subcommand::History(history)) => {
            block_on(script::print_past(options, &command::History(history.count).into(), history.count))
        }
        Some(Subcommand::Search(search)) => {
            let command = Command::parse(&format!("SEARCH {}", search.words.join(" ")), Mode::Commands);
            match command.map_err(|refusal| Exit(ExitCode::Usage, refusal::explain(&refusal.into())))? {
                Some(command) => block_on(script::print_past(options, &command, SEARCH_FOUND_MAX)),
                None => Ok(()),
            }
        }
        Some(Subcommand::Rooms(rooms)) => block_on(script::rooms(options, rooms.prefix.as_ref())),
        Some(Subcommand::Login(login)) => block_on(login_command::log_in(options, login)),
        Some(Subcommand::Raw(_)) => block_on(script::raw(options)),
    }
}

/// The exit codes, as in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExitCode {
    /// Success, or the reader of the output closed it.
    Success,
    /// The server refused a command, or standard input or output failed.
    Refused,
    /// The server needs a password, or the account does, and the client has none, or it is wrong: it is useless to try again.
    Password,
    /// Invalid command line.
    Usage,
    /// Could not connect.
    Unreachable,
    /// The connection was lost.
    Lost,
    /// `--timeout` expired, or the server did not answer in time.
    TimedOut,
    /// Another connection resumed the session, or took over its account or nickname.
    TakenOver,
    /// A signal ended the client.
    Signal(Signal),
}

impl ExitCode {
    /// The exit code that the parent process sees. For a signal, the code that a shell reports.
    fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Refused | Self::Password => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Lost => 4,
            Self::TimedOut => 5,
            Self::TakenOver => 6,
            Self::Signal(signal) => 128 + signal as u8,
        }
    }

    /// The signal that ended the client, if any. The process must end by the same signal.
    fn signal(self) -> Option<Signal> {
        if let Self::Signal(signal) = self { Some(signal) } else { None }
    }

    /// Whether the user ended the client. Otherwise, it failed.
    fn is_requested(self) -> bool {
        matches!(self, Self::Success | Self::Signal(_))
    }
}

/// The reason why the client ends: the exit code, and the error to print. The error is empty if there is none, or if it is printed
/// already.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exit(ExitCode, String);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use argh::ArgsInfo as _;

    use super::*;

    /// Otherwise the help would leave the option out.
    #[test]
    fn every_option_is_in_one_group() {
        let info = Arguments::get_args_info();
        let commands = info.commands.iter().map(|known| known.command.flags);
        let options = [info.flags].into_iter().chain(commands).flatten().filter(|option| !option.hidden);
        let options: BTreeSet<_> = options.map(|option| option.long).collect();
        let mut grouped: Vec<_> = COMMAND_LINE.groups.iter().flat_map(|group| group.options).copied().collect();
        grouped.sort_unstable();
        assert_eq!(grouped, options.into_iter().collect::<Vec<_>>());
    }
}
