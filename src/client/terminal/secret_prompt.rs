//! Asks for a secret at the controlling terminal, without showing what the user types. For commands: standard input and output may be
//! files. The chat has prompts of its own.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};

use futures_lite::future::or;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use smol::{Async, block_on};

use super::tty::without_echo;
use crate::client::editor::{Editor, KeyDecoder, KeyOutcome};
use crate::client::stop::StopSignal;
use crate::client::{Exit, ExitCode};
use crate::process::error_text;

/// The terminal's settings before the question. Restores them on drop.
struct Settings {
    terminal: File,
    before: Termios,
}

impl Drop for Settings {
    fn drop(&mut self) {
        // If this fails, the terminal is gone.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Asks, and returns the line that the user typed, and the signals that are caught from now on: a signal must not end the process before
/// the terminal's settings are restored.
pub(in crate::client) fn ask_secret(question: &str) -> Result<(String, StopSignal), Exit> {
    let absent = || {
        let what = "there is no terminal to ask for the password of the account: name a file, by --account-password-file or \
                    --token-file";
        Exit(ExitCode::Password, what.to_owned())
    };
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(|_| absent())?;
    let failed = |error| Exit(ExitCode::Refused, format!("cannot use this terminal: {}", error_text(&error)));
    let stop = StopSignal::new().map_err(failed)?;
    let before = tcgetattr(&terminal).map_err(|_| absent())?;
    let settings = Settings { terminal: terminal.try_clone().map_err(failed)?, before };
    // Discards what was typed before the question: it was typed with echo.
    tcsetattr(&terminal, OptionalActions::Flush, &without_echo(&settings.before))
        .map_err(|error| failed(error.into()))?;
    let write = |text: &str| (&settings.terminal).write_all(text.as_bytes());
    write(question).map_err(failed)?;
    let signalled = async { Err(Exit(stop.wait().await, String::new())) };
    let typed = block_on(or(async { read_line(terminal).await.unwrap_or_else(|error| Err(failed(error))) }, signalled));
    // The user's Enter was not shown.
    write("\n").map_err(failed)?;
    drop(settings);
    Ok((typed?, stop))
}

/// Reads keys up to Enter.
async fn read_line(terminal: File) -> std::io::Result<Result<String, Exit>> {
    let terminal = Async::new(terminal)?;
    let (mut decoder, mut editor) = (KeyDecoder::default(), Editor::default());
    loop {
        let mut buffer = [0; 4096];
        let length = terminal.read_with(|mut terminal| terminal.read(&mut buffer)).await?;
        if length == 0 {
            return Ok(Err(no_password()));
        }
        for key in decoder.decode(&buffer[..length]) {
            match editor.press(key, |_| (0, Vec::new())) {
                Some(KeyOutcome::Line(line)) => return Ok(Ok(line.lines().next().unwrap_or_default().to_owned())),
                Some(KeyOutcome::Leave) => return Ok(Err(no_password())),
                Some(KeyOutcome::Signal(signal)) => return Ok(Err(Exit(ExitCode::Signal(signal), String::new()))),
                _ => {}
            }
        }
    }
}

fn no_password() -> Exit {
    Exit(ExitCode::Password, "no password was typed".to_owned())
}
