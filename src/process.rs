//! The process state that a program inherits: ignored signals, and standard streams that may be closed or non-blocking.

mod closed;
#[cfg(feature = "accounts")]
mod hidden_line;
mod small_file;

use std::fs::{self, FileType};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use async_signal::{Signal, Signals};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

pub(crate) use self::closed::was_closed;
#[cfg(feature = "accounts")]
pub use self::hidden_line::read_hidden_line;
pub use self::small_file::exposed_file_text;
#[cfg(feature = "store")]
pub(crate) use self::small_file::is_exposed;
pub(crate) use self::small_file::{LineError, SmallFile, SmallFileError, only_line};
use crate::limits::PIPE_WRITE_BYTES_MAX;

/// Catches these signals, unless they are ignored since the start of the program: `nohup` ignores SIGHUP, and a shell script ignores SIGINT
/// for programs that it starts with `&`. Must run before any other handler for them is installed.
///
/// # Errors
/// Errors of the system, such as too many open files.
pub fn catch_signals(signals: &[Signal]) -> io::Result<Signals> {
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

/// Ends the process by the default action of a signal that was caught. A shell stops a loop if a signal ends a command in it, but not if
/// the command exits with a code.
#[cfg(any(feature = "accounts", feature = "client"))]
pub(crate) fn end_by(signal: Signal) {
    // This returns only if the default action of the signal does not end the process.
    let _ = signal_hook::low_level::emulate_default_handler(signal as i32);
}

/// Writes a line to a standard stream. Waits while the stream is full, even if another program has made it
/// non-blocking.
///
/// # Errors
/// Errors of the stream. `TimedOut` if it accepts nothing within `timeout` (`None`: no limit).
pub fn write_line(stream: impl AsFd, line: &str, timeout: Option<Duration>) -> io::Result<()> {
    Stream::new(stream, timeout).write_all(format!("{line}\n").as_bytes())
}

/// Waits until a read from the stream returns at once.
///
/// # Errors
/// Errors of the system.
pub fn wait_readable(stream: impl AsFd) -> io::Result<()> {
    wait_ready(stream.as_fd(), PollFlags::IN, None, None)
}

/// Waits until the stream is ready or has an error.
///
/// # Errors
/// `TimedOut` after `timeout`. [`Errno::CANCELED`] once `stop` is readable or closed.
fn wait_ready(
    stream: BorrowedFd<'_>,
    readiness: PollFlags,
    timeout: Option<Duration>,
    stop: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut both = [PollFd::from_borrowed_fd(stream, readiness), PollFd::from_borrowed_fd(stream, readiness)];
        let count = 1 + usize::from(stop.is_some());
        if let Some(stop) = stop {
            both[1] = PollFd::from_borrowed_fd(stop, PollFlags::IN);
        }
        match poll(&mut both[..count], left.as_ref()) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) if stop.is_some() && !both[1].revents().is_empty() => return Err(Errno::CANCELED.into()),
            Ok(_) => return Ok(()),
        }
    }
}

/// A standard stream, read and written without a buffer. Unlike the streams of `std::io`, it waits if the descriptor is non-blocking, and
/// fails if the descriptor is closed or cannot be used (EBADF).
#[derive(Debug)]
pub struct Stream<'a, S> {
    inner: S,
    timeout: Option<Duration>,
    stop: Option<BorrowedFd<'a>>,
}

impl<'a, S: AsFd> Stream<'a, S> {
    /// Waits for at most `timeout` until the stream is ready; `None` waits without limit.
    pub fn new(stream: S, timeout: Option<Duration>) -> Self {
        Self { inner: stream, timeout, stop: None }
    }

    /// Fails with [`Errno::CANCELED`] instead of waiting once `stop` is readable or closed.
    #[must_use]
    pub fn with_stop(self, stop: Option<BorrowedFd<'a>>) -> Self {
        Self { stop, ..self }
    }

    fn wait(&self, readiness: PollFlags) -> io::Result<()> {
        wait_ready(self.inner.as_fd(), readiness, self.timeout, self.stop)
    }

    /// Repeats a system call until it does not fail with EAGAIN or EINTR. Waits for the stream in between.
    fn retry(&self, readiness: PollFlags, mut call: impl FnMut(&S) -> Result<usize, Errno>) -> io::Result<usize> {
        if was_closed(&self.inner) {
            return Err(Errno::BADF.into());
        }
        // A blocking descriptor would ignore the timeout and `stop`.
        let mut must_wait = self.timeout.is_some() || self.stop.is_some();
        loop {
            if must_wait {
                self.wait(readiness)?;
            }
            match call(&self.inner) {
                Err(Errno::AGAIN) => must_wait = true,
                Err(Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }
}

impl<S: AsFd> Write for Stream<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A larger write can block although the pipe is ready.
        let bytes = &bytes[..bytes.len().min(PIPE_WRITE_BYTES_MAX)];
        self.retry(PollFlags::OUT, |stream| rustix::io::write(stream, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: AsFd> Read for Stream<'_, S> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.retry(PollFlags::IN, |stream| rustix::io::read(stream, &mut *bytes))
    }
}

/// Checks that a file can be created, replaced or removed in the directory of this path.
///
/// # Errors
/// The directory does not exist, or this user may not write it.
pub(crate) fn check_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(accessat(CWD, directory, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?)
}

/// The kind of a file, for an error about a path.
pub(crate) fn kind_of(found: FileType) -> &'static str {
    match found {
        _ if found.is_file() => "a file",
        _ if found.is_dir() => "a directory",
        _ if found.is_symlink() => "a symbolic link",
        _ if found.is_fifo() => "a FIFO",
        _ if found.is_socket() => "a socket",
        _ => "a device",
    }
}

/// The system's text for an error, without Rust's "(os error N)".
pub fn error_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, _)) if error.raw_os_error().is_some() => words.to_owned(),
        _ => text,
    }
}

/// A text as a word of a shell.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || "/._-+,@%=:".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A path in an error, in quotes.
pub fn quoted_path(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

#[cfg(test)]
mod tests {
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
    fn read_waits_for_nonblocking_writer() {
        let (reader, mut writer) = io::pipe().unwrap();
        fcntl_setfl(&reader, OFlags::NONBLOCK).unwrap();
        let read = thread::spawn(move || {
            let mut text = String::new();
            Stream::new(reader, None).read_to_string(&mut text).unwrap();
            text
        });
        writer.write_all(b"late").unwrap();
        drop(writer);
        assert_eq!(read.join().unwrap(), "late");
    }

    #[test]
    fn wait_ends_when_stop_is_closed() {
        for flags in [OFlags::empty(), OFlags::NONBLOCK] {
            let (_unread, writer) = io::pipe().unwrap();
            fcntl_setfl(&writer, flags).unwrap();
            let (stop, running) = io::pipe().unwrap();
            let write = thread::spawn(move || {
                let mut stream = Stream::new(&writer, None).with_stop(Some(stop.as_fd()));
                stream.write_all(&vec![b'x'; 1_000_000])
            });
            drop(running);
            assert_eq!(write.join().unwrap().unwrap_err().raw_os_error(), Some(Errno::CANCELED.raw_os_error()));
        }
    }

    #[test]
    fn write_reports_unwritable_descriptor() {
        let read_only = fs::File::open("/").unwrap();
        assert_eq!(write_line(&read_only, "x", None).unwrap_err().raw_os_error(), Some(Errno::BADF.raw_os_error()));
    }

    #[test]
    fn reason_omits_error_number() {
        assert_eq!(error_text(&Errno::NOENT.into()), "No such file or directory");
        assert_eq!(error_text(&io::Error::other("x (os error 2)")), "x (os error 2)");
    }
}
