//! Standard output and standard error of the commands for scripts. A write waits for a slow reader until a signal or the deadline ends the
//! wait. The chat at a terminal writes through [`super::terminal`] instead.

use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::tcgetattr;

use super::stop::StopSignal;
use super::{Exit, ExitCode, PROGRAM};
use crate::process::{Stream, error_text, was_closed};

/// Standard output and standard error, with the events that end a wait for a reader.
#[derive(Clone, Debug, Default)]
pub(super) struct CommandOutput {
    /// `None` if signals have their default action.
    pub(super) stop: Option<StopSignal>,
    pub(super) deadline: Option<Instant>,
}

impl CommandOutput {
    /// Fails if standard output is closed. Commands call it first, so that they do nothing whose result they cannot print.
    pub(super) fn check() -> Result<(), Exit> {
        if was_closed(io::stdout()) { Err(cannot_write(&Errno::BADF.into())) } else { Ok(()) }
    }

    /// Prints a line to standard output, without a buffer.
    pub(super) fn print(&self, line: &str) -> Result<(), Exit> {
        self.write(io::stdout(), line).map_err(|error| match (self.stopped(), error.kind()) {
            (Some(code), _) => Exit(code, String::new()),
            (_, io::ErrorKind::BrokenPipe) => Exit(ExitCode::Success, String::new()),
            (_, io::ErrorKind::TimedOut) => Exit(ExitCode::TimedOut, "timed out".to_owned()),
            _ => cannot_write(&error),
        })
    }

    /// Prints a message to standard error.
    pub(super) fn report(&self, text: &str) {
        // If this fails, only the exit code reports the problem.
        let _ = self.write(io::stderr(), &format!("{PROGRAM}: {text}"));
    }

    fn write(&self, stream: impl AsFd, line: &str) -> io::Result<()> {
        let timeout = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let mut stream = Stream::new(stream, timeout).with_stop(self.stop.as_ref().map(StopSignal::as_fd));
        stream.write_all(format!("{line}\n").as_bytes())
    }

    fn stopped(&self) -> Option<ExitCode> {
        self.stop.as_ref().and_then(StopSignal::code)
    }
}

/// Waits until standard output has no reader. A closed pipe ends the client with success. A lost terminal or an invalid descriptor is an
/// error.
pub(super) fn wait_until_closed() -> Exit {
    // Without requested events, `poll` returns only on an error or a hang-up.
    while poll(&mut [PollFd::new(&io::stdout(), PollFlags::empty())], None) != Ok(1) {}
    match tcgetattr(io::stdout()) {
        Err(error @ (Errno::IO | Errno::BADF)) => cannot_write(&error.into()),
        _ => Exit(ExitCode::Success, String::new()),
    }
}

fn cannot_write(error: &io::Error) -> Exit {
    Exit(ExitCode::Refused, format!("cannot write to standard output: {}", error_text(error)))
}
