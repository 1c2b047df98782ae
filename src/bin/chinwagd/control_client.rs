//! Asks a running server on its control socket, for the commands of `chinwagd`.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use chinwag::command_line::quoted;
use chinwag::control::{ControlRequest, ReadReply};
use chinwag::limits::{CONTROL_CLIENT_CHANGE_MS_MAX, CONTROL_CLIENT_MS_MAX, CONTROL_REPLY_BYTES_MAX};
use chinwag::process::{error_text, quoted_path};
use socket2::{Domain, SockAddr, Socket, Type};

use super::PROGRAM;

/// Why there is no reply. The texts are for the operator.
#[derive(Debug)]
pub(super) enum AskError {
    /// No server listens at the path.
    NoServer,
    /// The server has refused the request, with this code.
    Refused(
        #[cfg_attr(not(feature = "accounts"), expect(dead_code, reason = "only `chinwagd account` reads it"))] String,
        String,
    ),
    /// Another problem.
    Failed(String),
}

/// Sends a request to the server at this path. Returns the lines of its reply.
pub(super) fn ask(path: &Path, request: &ControlRequest) -> Result<String, AskError> {
    let limit_ms = if request.is_change() { CONTROL_CLIENT_CHANGE_MS_MAX } else { CONTROL_CLIENT_MS_MAX };
    let deadline = Instant::now() + Duration::from_millis(limit_ms);
    let shown = quoted_path(path);
    let mut stream = connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NoServer,
        io::ErrorKind::PermissionDenied => AskError::Failed(format!(
            "cannot connect to {shown}: {}; run this as root or as the user of the server",
            error_text(&error)
        )),
        _ => AskError::Failed(format!("cannot connect to {shown}: {}", error_text(&error))),
    })?;
    // Fails if the server has refused the connection: then the reason can be read.
    let _ = writeln!(stream, "{request}");
    let mut received = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let error = match read_until(deadline, &mut stream, &mut buffer) {
            Ok(0) => Some("the server stopped before the end of its reply; try again".to_owned()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                let seconds = limit_ms / 1000;
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
            ReadReply::Refused(code, why) => {
                return Err(AskError::Refused(code.to_owned(), format!("the server at {shown} refused: {why}")));
            }
            ReadReply::Foreign(line) => {
                let what = format!("{shown} is not the control socket of {PROGRAM}: it sent {}", quoted(line));
                return Err(AskError::Failed(what));
            }
            ReadReply::Incomplete => {}
        }
        if let Some(error) = error {
            return Err(AskError::Failed(format!("cannot read from {shown}: {error}")));
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
