//! Standard output and standard error of the client's commands. Both wait for a slow reader; a signal or the deadline ends the wait.

use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::tcgetattr;

use super::stop::StopSignal;
use super::{Exit, ExitCode, PROGRAM};
use crate::process::{Stream, error_text, was_closed};

/// Standard output and standard error, and what ends a wait for their reader.
#[derive(Clone, Debug, Default)]
pub(super) struct CommandOutput {
    /// None where signals have their default action.
    pub(super) stop: Option<StopSignal>,
    pub(super) deadline: Option<Instant>,
}

impl CommandOutput {
    /// Fails if standard output is closed, before anything is done whose result could not be printed.
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

/// Waits until standard output has no reader any more. A closed pipe ends the client with success; a terminal that is gone, or a
/// descriptor that cannot be written, is an error.
pub(super) fn wait_until_closed() -> Exit {
    // No event is requested, but `poll` always reports an error.
    while poll(&mut [PollFd::new(&io::stdout(), PollFlags::empty())], None) != Ok(1) {}
    match tcgetattr(io::stdout()) {
        Err(error @ (Errno::IO | Errno::BADF)) => cannot_write(&error.into()),
        _ => Exit(ExitCode::Success, String::new()),
    }
}

fn cannot_write(error: &io::Error) -> Exit {
    Exit(ExitCode::Refused, format!("cannot write to standard output: {}", error_text(error)))
}
