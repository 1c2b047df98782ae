//! `chinwagd status`: asks a running server for its essential figures, on its control socket.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use argh::{ArgsInfo, FromArgs};
use chinwag::command_line::{print_error, print_output, quoted, shown_lines};
use chinwag::control::{ControlRequest, ReadReply, StatusFormat};
use chinwag::limits::{CONTROL_CLIENT_MS_MAX, CONTROL_REPLY_BYTES_MAX};
use chinwag::process::{error_text, quoted_path};
use socket2::{Domain, SockAddr, Socket, Type};

use super::{PROGRAM, control, parse_path};

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
    match ask(&path, ControlRequest::Status(format)) {
        Ok(status) => print_output(PROGRAM, &shown_lines(status.trim_end())),
        Err(what) => {
            print_error(PROGRAM, &what);
            ExitCode::FAILURE
        }
    }
}

/// Sends a request to the server at this path. Returns the lines of its reply.
fn ask(path: &Path, request: ControlRequest) -> Result<String, String> {
    let deadline = Instant::now() + Duration::from_millis(CONTROL_CLIENT_MS_MAX);
    let shown = quoted_path(path);
    let mut stream = connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            format!("no server listens at {shown}; start {PROGRAM} with --control PATH, and give that path to status")
        }
        io::ErrorKind::PermissionDenied => {
            format!("cannot connect to {shown}: {}; run this as root or as the user of the server", error_text(&error))
        }
        _ => format!("cannot connect to {shown}: {}", error_text(&error)),
    })?;
    // Fails if the server has refused the connection: then the reason can be read.
    let _ = writeln!(stream, "{request}");
    let mut received = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let error = match read_until(deadline, &mut stream, &mut buffer) {
            Ok(0) => Some("the server stopped before the end of its reply; try again".to_owned()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                let seconds = CONTROL_CLIENT_MS_MAX / 1000;
                Some(format!("no reply within {seconds} s; the server is starting, overloaded or stopped by a signal"))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            Err(error) => Some(error_text(&error)),
            Ok(count) => {
                received.extend_from_slice(&buffer[..count]);
                (received.len() > CONTROL_REPLY_BYTES_MAX).then(|| "the reply is too long".to_owned())
            }
        };
        match ReadReply::read(request, &received) {
            ReadReply::Done(body) => return Ok(body.to_owned()),
            ReadReply::Refused(why) => return Err(format!("the server at {shown} refused: {why}")),
            ReadReply::Foreign(line) => {
                return Err(format!("{shown} is not the control socket of {PROGRAM}: it sent {}", quoted(line)));
            }
            ReadReply::Incomplete => {}
        }
        if let Some(error) = error {
            return Err(format!("cannot read from {shown}: {error}"));
        }
    }
}

/// Connects, even if the queue of the socket is full for a moment.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Linux applies it to the connect, too.
    socket.set_write_timeout(Some(Duration::from_millis(CONTROL_CLIENT_MS_MAX)))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket.into())
}

/// Reads once, at most until the deadline.
fn read_until(deadline: Instant, stream: &mut UnixStream, buffer: &mut [u8]) -> io::Result<usize> {
    let left = deadline.saturating_duration_since(Instant::now());
    // A timeout of zero would be none.
    stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
    stream.read(buffer)
}
