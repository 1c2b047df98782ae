//! The process state that the parent sets up: ignored signals, and standard streams in any condition.

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use async_signal::{Signal, Signals};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Catches these signals, except those that the parent process has set to be ignored: `nohup` does so with SIGHUP, and a shell
/// script with SIGINT for programs started with `&`. Must run before any other handler for them is installed.
///
/// # Errors
/// Those of the system, such as running out of descriptors.
pub fn catch(signals: &[Signal]) -> io::Result<Signals> {
    // Without /proc, ignored signals cannot be detected; then all are caught.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignored_in(&status);
    Signals::new(signals.iter().filter(|&&signal| ignored & (1 << (signal as u32 - 1)) == 0))
}

/// The ignored signals in a `/proc/PID/status`: bit 0 is signal 1.
fn ignored_in(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

/// Writes a line to a standard stream. Waits while the stream is full, also if another program has made it non-blocking.
///
/// # Errors
/// Those of the stream; `TimedOut` if it accepts nothing within `timeout` (`None`: no limit).
pub fn write_line(stream: impl AsFd, line: &str, timeout: Option<Duration>) -> io::Result<()> {
    Stream::new(stream, timeout).write_all(format!("{line}\n").as_bytes())
}

/// Waits until the stream accepts bytes, or reports an error at the next write.
///
/// # Errors
/// `TimedOut` after `timeout` (`None`: no limit).
pub fn wait_writable(stream: impl AsFd, timeout: Option<Duration>) -> io::Result<()> {
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(&mut [PollFd::new(&stream, PollFlags::OUT)], timeout.as_ref())? {
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

/// A standard stream, written without a buffer. Unlike `io::Stdout` and `io::Stderr`, it waits on a non-blocking descriptor
/// instead of failing, and reports a descriptor that cannot be written (EBADF) instead of claiming success.
#[derive(Debug)]
pub struct Stream<S> {
    stream: S,
    timeout: Option<Duration>,
}

impl<S: AsFd> Stream<S> {
    /// Waits for at most `timeout` until the stream accepts bytes; `None` waits without limit.
    pub fn new(stream: S, timeout: Option<Duration>) -> Self {
        Self { stream, timeout }
    }
}

impl<S: AsFd> Write for Stream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A blocking descriptor would wait longer than the timeout.
        let mut is_full = self.timeout.is_some();
        loop {
            if is_full {
                wait_writable(&self.stream, self.timeout)?;
            }
            match rustix::io::write(&self.stream, bytes) {
                Err(Errno::AGAIN) => is_full = true,
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The system's text for an error, without Rust's "(os error N)".
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, _)) if error.raw_os_error().is_some() => words.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::thread;

    use rustix::fs::{OFlags, fcntl_setfl};

    use super::*;

    #[test]
    fn ignored_signals_are_read_from_status() {
        assert_eq!(ignored_in("Name:\tx\nSigIgn:\t0000000000001007\nSigCgt:\t0000000000000440\n"), 0x1007);
        assert_eq!(ignored_in("SigIgn:\tnonsense\n"), 0);
        assert_eq!(ignored_in(""), 0);
    }

    #[test]
    fn write_waits_for_nonblocking_reader() {
        let (mut reader, writer) = io::pipe().unwrap();
        fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
        let full = write_line(&writer, "late", Some(Duration::ZERO)).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::TimedOut);
        let written = thread::spawn(move || write_line(writer, &"y".repeat(100_000), None));
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        written.join().unwrap().unwrap();
        assert!(bytes.ends_with(&[&b"y".repeat(100_000)[..], b"\n"].concat()));
    }

    #[test]
    fn write_reports_unwritable_descriptor() {
        let read_only = fs::File::open("/").unwrap();
        assert_eq!(write_line(&read_only, "x", None).unwrap_err().raw_os_error(), Some(Errno::BADF.raw_os_error()));
    }

    #[test]
    fn reason_omits_error_number() {
        assert_eq!(reason(&Errno::NOENT.into()), "No such file or directory");
        assert_eq!(reason(&io::Error::other("x (os error 2)")), "x (os error 2)");
    }
}
