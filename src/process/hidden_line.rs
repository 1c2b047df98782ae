//! Asks for a line at the terminal that the terminal does not show.

use std::io::{self, Read as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use async_signal::Signal;
use futures_lite::StreamExt as _;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use super::{Stream, catch_signals, end_by, write_line};
use crate::limits::ERROR_WRITE_MS_MAX;

/// The bytes of Ctrl-C and Ctrl-\.
const CANCEL: [u8; 2] = [3, 28];

/// Prints a prompt to standard error, and reads a line from the terminal that is standard input. `None`: the user has cancelled it with Ctrl-C,
/// Ctrl-\ or Ctrl-D. The terminal has its settings again when this returns: these keys send no signal meanwhile.
///
/// # Errors
/// Standard input is not a terminal, or the terminal is gone.
pub fn read_hidden_line(prompt: &str) -> io::Result<Option<String>> {
    let _settings = HiddenInput::begin()?;
    let mut stderr = Stream::new(io::stderr(), None);
    stderr.write_all(prompt.as_bytes())?;
    let Some(line) = read_line()? else {
        // The terminal has shown no line ending.
        stderr.write_all(b"\n")?;
        return Ok(None);
    };
    let line = str::from_utf8(&line).map_err(|_| io::Error::other("the line is not UTF-8"))?;
    Ok(Some(line.to_owned()))
}

/// Reads a line, without its ending. `None`: it is cancelled.
fn read_line() -> io::Result<Option<Vec<u8>>> {
    let (mut stdin, mut line) = (Stream::new(io::stdin(), None), Vec::new());
    // The terminal passes on a whole line, in one read unless it is very long.
    let mut buffer = [0; 4096];
    loop {
        let count = stdin.read(&mut buffer)?;
        line.extend_from_slice(&buffer[..count]);
        match line.last() {
            Some(b'\n') => {
                line.pop();
                return Ok(Some(line));
            }
            Some(last) if count == 0 || CANCEL.contains(last) => return Ok(None),
            None => return Ok(None),
            Some(_) => {}
        }
    }
}

/// The terminal's settings before it hides what is typed, while it does.
static SETTINGS: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal shows nothing that is typed, except a line ending. Restores its settings on drop, and before a signal ends the process.
struct HiddenInput;

impl HiddenInput {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        end_restored()?;
        let mut changed = before.clone();
        changed.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
        changed.local_modes |= LocalModes::ECHONL | LocalModes::ICANON;
        // The keys end the line, so that it is read at once.
        [changed.special_codes[SpecialCodeIndex::VEOL], changed.special_codes[SpecialCodeIndex::VEOL2]] = CANCEL;
        let mut settings = SETTINGS.lock().unwrap_or_else(PoisonError::into_inner);
        // Discards what was typed before, which the terminal has shown.
        tcsetattr(io::stdin(), OptionalActions::Flush, &changed)?;
        *settings = Some(before);
        Ok(Self)
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        restore(&mut SETTINGS.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn restore(settings: &mut Option<Termios>) {
    if let Some(before) = settings.take() {
        // If this fails, the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
}

/// From now on, signals that end the process restore the terminal's settings first. Once caught, a signal has its default action only here:
/// so they are caught to the end of the process.
fn end_restored() -> io::Result<()> {
    static IS_STARTED: Mutex<bool> = Mutex::new(false);
    let mut is_started = IS_STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if *is_started {
        return Ok(());
    }
    let mut signals = catch_signals(&[Signal::Hup, Signal::Int, Signal::Quit, Signal::Term])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        while let Some(Ok(signal)) = smol::block_on(signals.next()) {
            // The other thread cannot change the settings any more.
            let mut settings = SETTINGS.lock().unwrap_or_else(PoisonError::into_inner);
            if settings.is_some() {
                restore(&mut settings);
                // The terminal has shown no line ending. If this fails, the program ends without it.
                let _ = write_line(io::stderr(), "", Some(Duration::from_millis(ERROR_WRITE_MS_MAX)));
            }
            end_by(signal);
        }
    })?;
    *is_started = true;
    Ok(())
}
