//! Access to the terminal: its settings, size, input and output, and whether this process group is in its foreground.

use std::io::{self, Read as _, Stdin, Write as _};
use std::time::Duration;

use rustix::process::getpgrp;
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp,
    tcgetwinsize, tcsetattr,
};
use smol::{Async, Task, Timer};

use crate::client::editor::TerminalSize;
use crate::limits::BACKGROUND_MS_MAX;
use crate::process::Stream;

/// Assumed size of a terminal that does not report one.
const SIZE_UNKNOWN: TerminalSize = TerminalSize { columns: 80, rows: 24 };

/// The terminal's original settings, while the client has changed them. Restores them on drop.
#[derive(Default)]
pub(super) struct TerminalSettings(Option<Termios>);

impl TerminalSettings {
    /// Makes the terminal pass on each key at once, unchanged and without echo.
    pub(super) fn change(&mut self) {
        // If this fails, the terminal is gone, and reading from it reports that.
        let Some(before) = self.0.take().or_else(|| tcgetattr(io::stdin()).ok()) else { return };
        // As above.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &without_echo(&before));
        self.0 = Some(before);
    }

    /// Restores the settings, unless the shell has the terminal and has set its own.
    pub(super) fn restore(&mut self) {
        if let Some(before) = self.0.take()
            && is_foreground()
        {
            // If this fails, the terminal is gone.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
        }
    }
}

impl Drop for TerminalSettings {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Settings with which the terminal passes on each key at once, unchanged and without echo.
pub(super) fn without_echo(before: &Termios) -> Termios {
    let mut changed = before.clone();
    changed.input_modes -= InputModes::BRKINT
        | InputModes::ICRNL
        | InputModes::INLCR
        | InputModes::IGNCR
        | InputModes::INPCK
        | InputModes::ISTRIP
        | InputModes::IXON;
    changed.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::IEXTEN | LocalModes::ISIG;
    changed.control_modes |= ControlModes::CS8;
    changed.special_codes[SpecialCodeIndex::VMIN] = 1;
    changed.special_codes[SpecialCodeIndex::VTIME] = 0;
    changed
}

/// The size of the terminal.
pub(super) fn size() -> TerminalSize {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            TerminalSize { columns: size.ws_col.into(), rows: size.ws_row.into() }
        }
        _ => SIZE_UNKNOWN,
    }
}

/// Whether this process group is in the foreground of the terminal. Otherwise (after Ctrl-Z and `bg`), the system stops the process when it
/// reads from the terminal or changes its settings: the client could not even exit.
pub(super) fn is_foreground() -> bool {
    // Without job control, or when the terminal is gone, the system does not stop the process.
    tcgetpgrp(io::stdin()).map_or(true, |group| group == getpgrp())
}

/// Reads typed bytes. `None`: the terminal is gone.
pub(super) async fn read(stdin: &Async<Stdin>) -> Option<Vec<u8>> {
    stdin.readable().await.ok()?;
    while !is_foreground() {
        Timer::after(Duration::from_millis(BACKGROUND_MS_MAX)).await;
    }
    let mut buffer = [0; 4096];
    let length = Stream::new(io::stdin(), None).read(&mut buffer).ok()?;
    (length > 0).then(|| buffer[..length].to_vec())
}

/// Writes to the terminal, on another thread, since it may block. If the terminal is gone, reading from it reports that.
pub(super) fn write(text: String) -> Task<()> {
    smol::unblock(move || {
        let _ = Stream::new(io::stdout(), None).write_all(text.as_bytes());
    })
}
