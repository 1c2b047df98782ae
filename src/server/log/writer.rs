//! The thread that writes the log, and its queue. No other thread waits for standard error.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use crate::limits::LOG_LINES_MAX;

/// The queue of lines to write. Up to [`LOG_LINES_MAX`] lines wait; further ones are dropped and counted.
#[derive(Clone, Debug, Default)]
pub(super) struct LogQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<QueueState>,
    /// Notified when an entry is added, and when the queue is closed.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    entries: VecDeque<Entry>,
    is_closed: bool,
}

#[derive(Debug)]
enum Entry {
    /// A line, with its line ending.
    Line(Vec<u8>),
    /// This number of lines was dropped here.
    Dropped(u64),
}

impl LogQueue {
    /// Removes the first entry; waits until there is one. `None` if the queue is closed and empty.
    fn next(&self) -> Option<Entry> {
        let is_waiting = |state: &mut QueueState| state.entries.is_empty() && !state.is_closed;
        let mut state = self.0.changed.wait_while(self.state(), is_waiting).unwrap_or_else(PoisonError::into_inner);
        state.entries.pop_front()
    }

    fn close(&self) {
        self.state().is_closed = true;
        self.0.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueState {
    /// Adds a line, or drops it if the queue is full. After a dropped line, further ones are dropped until half of the queue is free: so one
    /// count stands for the whole gap.
    fn push(&mut self, line: &[u8]) {
        let waiting = self.entries.len();
        match self.entries.back_mut() {
            _ if self.is_closed => {}
            Some(Entry::Dropped(count)) if waiting > LOG_LINES_MAX / 2 => *count += 1,
            _ if waiting >= LOG_LINES_MAX => self.entries.push_back(Entry::Dropped(1)),
            _ => self.entries.push_back(Entry::Line(line.to_vec())),
        }
    }
}

impl Write for LogQueue {
    /// Queues a whole line, or drops it if the queue is full.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.state().push(line);
        self.0.changed.notify_one();
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
    /// Starts the thread. `render_dropped` renders the line for a number of dropped lines.
    pub(super) fn new(
        mut output: impl Write + Send + 'static,
        flush_max: Duration,
        render_dropped: impl Fn(u64) -> String + Send + 'static,
    ) -> Self {
        let queue = LogQueue::default();
        let (writing, end) = mpsc::channel();
        let entries = queue.clone();
        let write = move || {
            while let Some(entry) = entries.next() {
                // A line that cannot be written is lost; the next one may be accepted.
                let _ = match entry {
                    Entry::Line(line) => output.write_all(&line),
                    Entry::Dropped(count) => output.write_all(render_dropped(count).as_bytes()),
                };
            }
            drop(writing);
        };
        // If the thread does not start, nothing is logged. The server then fails to start its other threads, too, and reports that.
        let _ = thread::Builder::new().name("log-writer".to_owned()).spawn(write);
        Self { queue, end, flush_max }
    }

    pub(super) fn queue(&self) -> LogQueue {
        self.queue.clone()
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        // The thread writes the lines in the queue, then ends.
        self.queue.close();
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
        let render_dropped = |count| format!("dropped {count}\n");
        (LogWriter::new(Gate { open, written }, flush_max, render_dropped), opener, lines)
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

    /// Logs the lines with these numbers.
    fn log_numbers(log: &LogWriter, numbers: std::ops::Range<usize>) {
        for number in numbers {
            log.queue().write_all(format!("{number}\n").as_bytes()).unwrap();
        }
    }

    /// Counts the numbers up to the end, written or dropped, and the gaps. Panics if a number is missing.
    fn counted(lines: &[Vec<u8>]) -> (usize, usize) {
        let (mut next, mut gaps) = (0, 0);
        for line in lines {
            let line = str::from_utf8(line).unwrap().trim_end();
            match line.strip_prefix("dropped ") {
                Some(count) => (next, gaps) = (next + count.parse::<usize>().unwrap(), gaps + 1),
                None => {
                    assert_eq!(line, next.to_string());
                    next += 1;
                }
            }
        }
        (next, gaps)
    }

    #[test]
    fn blocked_log_counts_dropped_lines_and_ends() {
        let (log, opener, lines) = gated_log(Duration::ZERO);
        log_numbers(&log, 0..2 * LOG_LINES_MAX);
        drop(log);
        drop(opener);
        let written: Vec<_> = lines.iter().collect();
        // The thread may hold one line beside those in the queue.
        assert!((LOG_LINES_MAX + 1..=LOG_LINES_MAX + 2).contains(&written.len()), "{} lines", written.len());
        assert_eq!(counted(&written), (2 * LOG_LINES_MAX, 1));
    }

    /// While a reader is slow, a line with a count stands for many dropped lines, where they are missing.
    #[test]
    fn slow_log_counts_dropped_lines_in_their_place() {
        let (log, opener, lines) = gated_log(Duration::MAX);
        let mut logged = 0;
        let mut written = Vec::new();
        for _ in 0..10 {
            log_numbers(&log, logged..logged + LOG_LINES_MAX);
            logged += LOG_LINES_MAX;
            for _ in 0..LOG_LINES_MAX / 4 {
                opener.send(()).unwrap();
                written.push(lines.recv().unwrap());
            }
        }
        drop(opener);
        drop(log);
        written.extend(lines.iter());
        let (total, gaps) = counted(&written);
        assert_eq!(total, logged);
        assert!((2..=10).contains(&gaps), "{gaps} gaps");
    }
}
