//! The queue of lines to print above the input line. It is bounded and never blocks: if the terminal accepts no output, the oldest lines
//! are dropped and the chat goes on.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};
use chrono::Local;

use crate::client::chat_state::DisplayItem;
use crate::client::render::LineFormat;
use crate::limits::{PRINT_AT_ONCE_BYTES, PRINT_BYTES_MAX};

/// The queue of formatted lines.
pub(super) struct Printer {
    format: LineFormat,
    queue: Mutex<PrintQueue>,
    wake: (Sender<()>, Receiver<()>),
}

#[derive(Debug, Default)]
struct PrintQueue {
    lines: VecDeque<String>,
    bytes: usize,
    /// Lines dropped since the last print.
    dropped: usize,
}

impl Printer {
    pub(super) fn new(format: LineFormat) -> Self {
        Self { format, queue: Mutex::default(), wake: async_channel::bounded(1) }
    }

    pub(super) fn print(&self, shown: &DisplayItem) {
        self.queue().push(self.format.format_line(shown, &Local::now()));
        self.wake();
    }

    /// Ends the wait of [`Printer::wait`], so that the screen is redrawn.
    pub(super) fn wake(&self) {
        // If this fails, a wake-up is already pending.
        let _ = self.wake.0.try_send(());
    }

    pub(super) fn note(&self, text: impl Into<String>) {
        self.print(&DisplayItem::Note(text.into()));
    }

    pub(super) fn warn(&self, text: impl Into<String>) {
        self.print(&DisplayItem::Warning(text.into()));
    }

    /// Waits for a line to print, or for a change to draw.
    pub(super) async fn wait(&self) {
        // This cannot fail: the sender is held here.
        let _ = self.wake.1.recv().await;
    }

    pub(super) fn has_lines(&self) -> bool {
        !self.queue().lines.is_empty()
    }

    /// Moves the next lines to `text`, up to about [`PRINT_AT_ONCE_BYTES`].
    pub(super) fn take_batch(&self, text: &mut String) {
        let mut queue = self.queue();
        let dropped = std::mem::take(&mut queue.dropped);
        if dropped > 0 {
            let warning = format!(
                "{dropped} lines are missing here: the terminal accepted no output for too long; /history shows the last messages"
            );
            *text += &(self.format.format_line(&DisplayItem::Warning(warning), &Local::now()) + "\r\n");
        }
        let end = text.len() + PRINT_AT_ONCE_BYTES;
        while text.len() < end
            && let Some(line) = queue.pop()
        {
            *text += &line;
            *text += "\r\n";
        }
        if !queue.lines.is_empty() {
            self.wake();
        }
    }

    fn queue(&self) -> MutexGuard<'_, PrintQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PrintQueue {
    fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.bytes > PRINT_BYTES_MAX && self.pop().is_some() {
            self.dropped += 1;
        }
    }

    fn pop(&mut self) -> Option<String> {
        let line = self.lines.pop_front()?;
        self.bytes -= line.len();
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printer_drops_oldest_lines_and_counts_them() {
        let printer = Printer::new(LineFormat::default());
        let line = "x".repeat(1022);
        for number in 0..PRINT_BYTES_MAX / 1024 + 10 {
            printer.note(format!("{number:05} {}", &line[6..]));
        }
        let mut text = String::new();
        printer.take_batch(&mut text);
        let mut lines = text.lines();
        assert!(lines.next().unwrap().starts_with("! 10 lines are missing here"), "{text}");
        assert!(lines.next().unwrap().starts_with("* 00010 x"));
        assert!(printer.has_lines() && text.len() < PRINT_AT_ONCE_BYTES + 2048);
        while printer.has_lines() {
            printer.take_batch(&mut text);
        }
        assert_eq!(text.matches("missing").count(), 1);
    }
}
