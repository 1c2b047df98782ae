//! `chinwagd moderate`: has a running server carry out a command of a moderator, on its control socket, with the rights of an operator.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use chinwag::command_line::{print_error, print_output, shown_lines};
use chinwag::control::ControlRequest;
use chinwag::process::quoted_path;

use super::control_client::{AskError, ask};
use super::values::parse_path;
use super::{PROGRAM, control};

/// carry out a command of a moderator on a running server, with the rights of an operator. The server must have a control socket; it needs no
/// accounts.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "moderate",
    help_triggers("-h", "--help"),
    example = "{command_name} KICK bob flooding\n{command_name} BAN 192.0.2.7 1h flooding\n{command_name} BAN @bob 7d\n{command_name} \"#ops\" MUTE bob 10m\n{command_name} \"#ops\" LOCK accounts\n{command_name} \"#lobby\" DELETE 12\n{command_name} BANS\n{command_name} UNBAN 3",
    note = "The commands are KICK, MUTE, UNMUTE, BAN, UNBAN, BANS and, after a room, LOCK, INVITE, MODERATOR and DELETE: see protocol.md, Moderation. Without \
            a room, they are about the whole server. The options come before the command.",
    note = "A reply that ends with stored=no: the command has taken effect but could not be stored, and a restart would undo it.",
    note = "Only root and the user who runs the server may ask.",
    error_code(0, "done"),
    error_code(1, "no server has a control socket there, or it refused the command or did not reply"),
    error_code(2, "invalid command line")
)]
pub(super) struct Moderate {
    /// path of the server's control socket (default: control.sock in the first directory of `$RUNTIME_DIRECTORY` or, without that,
    /// /run/chinwag/control.sock)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    control: Option<PathBuf>,

    /// the command with its arguments
    #[argh(positional, greedy)]
    command: Vec<String>,
}

pub(super) fn run(arguments: Moderate) -> ExitCode {
    let Moderate { control, command } = arguments;
    let path = control.unwrap_or_else(control::default_path);
    let what = match ask(&path, &ControlRequest::Moderate(command.join(" "))) {
        Ok(reply) if reply.is_empty() => return ExitCode::SUCCESS,
        Ok(reply) => return print_output(PROGRAM, &shown_lines(reply.trim_end())),
        Err(AskError::NoServer) => format!(
            "no server listens at {}; start {PROGRAM} with --control PATH, and give that path to moderate",
            quoted_path(&path)
        ),
        Err(AskError::Refused(_, what) | AskError::Failed(what)) => what,
    };
    print_error(PROGRAM, &what);
    ExitCode::FAILURE
}
