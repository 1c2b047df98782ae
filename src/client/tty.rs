//! A terminal's settings, size, input and output.

use std::io::{self, Read as _, Write as _};

use async_channel::Sender;
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize,
    tcsetattr,
};
use smol::Task;

use super::editor::Size;
use crate::process::Stream;

/// Assumed size of a terminal that does not report one.
const SIZE_UNKNOWN: Size = Size { columns: 80, rows: 24 };

/// The terminal's settings from before the client changed them; restored on drop.
pub(super) struct Settings(Termios);

impl Settings {
    /// Saves the current settings.
    pub(super) fn now() -> io::Result<Self> {
        Ok(Self(tcgetattr(io::stdin())?))
    }

    /// Saves the current settings as those to restore.
    pub(super) fn renew(&mut self) {
        if let Ok(now) = tcgetattr(io::stdin()) {
            self.0 = now;
        }
    }

    /// Makes the terminal pass on every key as it is pressed, unchanged and without an echo.
    pub(super) fn change(&self) {
        let mut changed = self.0.clone();
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
        // If this fails, the terminal is gone, and reading from it says so.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &changed);
    }

    pub(super) fn restore(&self) {
        // If this fails, the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        self.restore();
    }
}

/// The size of the terminal.
pub(super) fn size() -> Size {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            Size { columns: size.ws_col.into(), rows: size.ws_row.into() }
        }
        _ => SIZE_UNKNOWN,
    }
}

/// Reads what is typed until the terminal is gone.
pub(super) fn read(typed: &Sender<Vec<u8>>) {
    let (mut stdin, mut buffer) = (Stream::new(io::stdin(), None), [0; 4096]);
    while let Ok(length @ 1..) = stdin.read(&mut buffer) {
        if typed.send_blocking(buffer[..length].to_vec()).is_err() {
            return;
        }
    }
}

/// Writes to the terminal, on a thread that may block. If the terminal is gone, reading from it reports that.
pub(super) fn write(text: String) -> Task<()> {
    smol::unblock(move || {
        let _ = Stream::new(io::stdout(), None).write_all(text.as_bytes());
    })
}
