//! `chinwagd status`: asks a running server for its essential figures, on its control socket.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use chinwag::command_line::{print_error, print_output, shown_lines};
use chinwag::control::{ControlRequest, StatusFormat};
use chinwag::process::quoted_path;

use super::control_client::{AskError, ask};
use super::values::parse_path;
use super::{PROGRAM, control};

/// print what a running server does: its listeners, clients, rooms, memory and store. The server must have a control socket.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "status",
    help_triggers("-h", "--help"),
    example = "{command_name}\n{command_name} --control /tmp/control.sock --json",
    note = "Only root and the user who runs the server may ask.",
    error_code(0, "the status was printed"),
    error_code(1, "no server has a control socket there, or it refused or did not reply"),
    error_code(2, "invalid command line")
)]
pub(super) struct Status {
    /// path of the server's control socket (default: control.sock in the first directory of `$RUNTIME_DIRECTORY` or, without that,
    /// /run/chinwag/control.sock)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    control: Option<PathBuf>,

    /// print one JSON object in one line (default: text)
    #[argh(switch)]
    json: bool,
}

pub(super) fn run(arguments: Status) -> ExitCode {
    let path = arguments.control.unwrap_or_else(control::default_path);
    let format = if arguments.json { StatusFormat::Json } else { StatusFormat::Text };
    let what = match ask(&path, &ControlRequest::Status(format)) {
        Ok(status) => return print_output(PROGRAM, &shown_lines(status.trim_end())),
        Err(AskError::NoServer) => format!(
            "no server listens at {}; start {PROGRAM} with --control PATH, and give that path to status",
            quoted_path(&path)
        ),
        Err(AskError::Refused(_, what) | AskError::Failed(what)) => what,
    };
    print_error(PROGRAM, &what);
    ExitCode::FAILURE
}
