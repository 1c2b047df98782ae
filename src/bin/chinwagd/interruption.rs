//! Ends a command on a store by a signal, without harm: SQLite's reads and copies may end at any moment, and a file that is not complete is
//! removed. So a signal ends the process at once, except in a step that must be whole.

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use async_signal::{Signal, Signals};
use chinwag::command_line::print_error;
use chinwag::process::{catch_signals, error_text};
use futures_lite::StreamExt as _;

use super::PROGRAM;
use super::progress_line::ProgressLine;

/// Catches the signals until the process ends.
pub(super) struct Interruption {
    state: Arc<Mutex<State>>,
    /// SIGXFSZ would end the process at a file size limit (`ulimit -f`). It is caught and never read: the write fails.
    _file_size: Signals,
}

#[derive(Default)]
struct State {
    /// The file that is not complete.
    partial: Option<PathBuf>,
    /// It is too late: the command has done everything.
    is_done: bool,
}

impl Interruption {
    /// Catches SIGINT, SIGTERM and SIGHUP, unless they are ignored. `unchanged` says what a signal has prevented.
    pub(super) fn catch(progress: &ProgressLine, unchanged: &'static str) -> Result<Self, String> {
        let failed = |error| format!("cannot catch signals: {}", error_text(&error));
        let state = Arc::<Mutex<State>>::default();
        let mut signals = catch_signals(&[Signal::Int, Signal::Term, Signal::Hup]).map_err(failed)?;
        let file_size = catch_signals(&[Signal::Xfsz]).map_err(failed)?;
        let (shared, progress) = (Arc::clone(&state), progress.clone());
        let end = move || {
            let Some(Ok(signal)) = smol::block_on(signals.next()) else { return };
            let state = lock(&shared);
            if state.is_done {
                return;
            }
            progress.clear();
            if let Some(partial) = &state.partial {
                let _ = fs::remove_file(partial);
            }
            print_error(PROGRAM, &format!("interrupted; {unchanged}"));
            process::exit(128 + signal as i32);
        };
        thread::Builder::new().name("signals".to_owned()).spawn(end).map_err(failed)?;
        Ok(Self { state, _file_size: file_size })
    }

    /// Creates a file that a signal removes.
    pub(super) fn create<T, E>(&self, create: impl FnOnce() -> Result<(PathBuf, T), E>) -> Result<T, E> {
        let mut state = lock(&self.state);
        let (path, created) = create()?;
        state.partial = Some(path);
        Ok(created)
    }

    /// Runs the last step, which a signal does not interrupt.
    pub(super) fn finish<T>(&self, step: impl FnOnce() -> T) -> T {
        let mut state = lock(&self.state);
        state.is_done = true;
        step()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
