//! A line of progress on standard error, if that is a terminal, and other lines beside it.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

/// The line that is shown now.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// A line of progress. It is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct TerminalProgress(ProgressBar);

impl TerminalProgress {
    /// Shows a line with this text and 0 %. `None`: standard error is not a terminal.
    pub(crate) fn show(text: &'static str) -> Option<Self> {
        let style = ProgressStyle::with_template("{msg} [{bar:30}] {percent:>3} %, {elapsed} so far");
        let style = style.ok().filter(|_| io::stderr().is_terminal())?.progress_chars("=> ");
        let bar = ProgressBar::new(100).with_style(style).with_message(text);
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Some(Self(bar))
    }

    pub(crate) fn set_percent(&self, percent: u64) {
        self.0.set_position(percent);
    }
}

impl Drop for TerminalProgress {
    fn drop(&mut self) {
        clear_progress();
    }
}

/// Removes the line, if one is shown.
pub(crate) fn clear_progress() {
    if let Some(bar) = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take() {
        bar.finish_and_clear();
    }
}

/// Writes lines to standard error that are not mixed with a line of progress: it moves below them.
#[derive(Debug)]
pub(crate) struct BesideProgress<W>(pub(crate) W);

impl<W: Write> Write for BesideProgress<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match shown {
            Some(bar) => bar.suspend(|| self.0.write(bytes)),
            None => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
