//! Shows the progress of a command on standard error, if that is a terminal.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chinwag::store::{Phase, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Interval at which the time is updated.
const TICK: Duration = Duration::from_millis(200);

/// A line that is overwritten. Clones share it.
#[derive(Clone)]
pub(super) struct ProgressLine {
    bar: ProgressBar,
    phase: Arc<Mutex<Option<Phase>>>,
}

impl ProgressLine {
    /// Shows nothing yet; and nothing later, unless standard error is a terminal.
    pub(super) fn new() -> Self {
        Self { bar: ProgressBar::new(0), phase: Arc::default() }
    }

    pub(super) fn show(&self, Progress { phase, done, total }: Progress) {
        if self.phase.lock().unwrap_or_else(PoisonError::into_inner).replace(phase) != Some(phase) {
            self.bar.reset();
            self.bar.set_style(style(total > 0));
            self.bar.set_message(text(phase));
            self.bar.enable_steady_tick(TICK);
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    /// Removes the line for good, before other lines are printed.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
        // Another thread may still work.
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }
}

fn style(has_total: bool) -> ProgressStyle {
    let template =
        if has_total { "{msg} [{bar:30}] {percent:>3} %, {eta} left" } else { "{spinner} {msg}, {elapsed} so far" };
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    style.progress_chars("=> ").tick_chars("-\\|/ ")
}

fn text(phase: Phase) -> &'static str {
    match phase {
        Phase::Copy => "copying",
        Phase::Structure => "checking the file",
        Phase::Messages => "reading the messages",
        Phase::Terms => "computing the words of the messages",
        Phase::Index => "comparing them with the index",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_a_line() {
        let line = ProgressLine::new();
        let phases = [Phase::Copy, Phase::Structure, Phase::Messages, Phase::Terms, Phase::Index];
        for (phase, total) in phases.into_iter().flat_map(|phase| [(phase, 0), (phase, 10)]) {
            line.show(Progress { phase, done: 5, total });
            line.show(Progress { phase, done: 7, total });
        }
        line.clear();
    }
}
