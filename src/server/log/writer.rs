//! The thread that writes the log, and its queue. No other thread waits for standard error.

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use async_channel::Sender;

use crate::limits::LOG_LINES_MAX;

/// The queue of lines to write. Up to [`LOG_LINES_MAX`] lines wait; further ones are dropped.
#[derive(Clone, Debug)]
pub(super) struct LogQueue(Sender<Vec<u8>>);

impl Write for LogQueue {
    /// Queues a whole line, or drops it if the queue is full.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.0.try_send(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The thread that writes the log. Dropping this ends the log after the waiting lines are written, at most after `flush_max`.
#[derive(Debug)]
pub(super) struct LogWriter {
    queue: LogQueue,
    /// The thread closes this channel when it ends.
    end: mpsc::Receiver<()>,
    flush_max: Duration,
}

impl LogWriter {
    pub(super) fn new(mut output: impl Write + Send + 'static, flush_max: Duration) -> Self {
        let (queue, lines) = async_channel::bounded::<Vec<u8>>(LOG_LINES_MAX);
        let (writing, end) = mpsc::channel();
        let write = move || {
            while let Ok(line) = lines.recv_blocking() {
                // A line that cannot be written is lost; the next one may be accepted.
                let _ = output.write_all(&line);
            }
            drop(writing);
        };
        // If the thread does not start, nothing is logged. The server then fails to start its other threads, too, and reports that.
        let _ = thread::Builder::new().name("log-writer".to_owned()).spawn(write);
        Self { queue: LogQueue(queue), end, flush_max }
    }

    pub(super) fn queue(&self) -> LogQueue {
        self.queue.clone()
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        // The thread writes the lines in the queue, then ends.
        self.queue.0.close();
        let _ = self.end.recv_timeout(self.flush_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output that accepts a line only after the test has allowed it.
    struct Gate {
        open: mpsc::Receiver<()>,
        written: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            // Open for good once the test has dropped its end.
            let _ = self.open.recv();
            self.written.send(line.to_vec()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gated_log(flush_max: Duration) -> (LogWriter, mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>) {
        let (opener, open) = mpsc::channel();
        let (written, lines) = mpsc::channel();
        (LogWriter::new(Gate { open, written }, flush_max), opener, lines)
    }

    #[test]
    fn dropped_log_writes_all_lines() {
        let (log, opener, lines) = gated_log(Duration::MAX);
        drop(opener);
        for number in 0..1000 {
            log.queue().write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        drop(log);
        let written: Vec<_> = lines.try_iter().collect();
        assert!(written.iter().cloned().eq((0..1000).map(|number| format!("{number}\n").into_bytes())), "{written:?}");
    }

    #[test]
    fn blocked_log_drops_lines_and_ends() {
        let (log, opener, lines) = gated_log(Duration::ZERO);
        for _ in 0..2 * LOG_LINES_MAX {
            log.queue().write_all(b"line\n").unwrap();
        }
        drop(log);
        drop(opener);
        let written = lines.iter().count();
        // The thread may hold one line beside those in the queue.
        assert!((LOG_LINES_MAX..=LOG_LINES_MAX + 1).contains(&written), "{written} lines");
    }
}
