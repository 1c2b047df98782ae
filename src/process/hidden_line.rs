//! Asks for a line at the terminal that the terminal does not show.

use std::io::{self, Read as _, Stdin, Write as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use super::Stream;

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

/// The terminal shows nothing that is typed, except a line ending. Restores its settings on drop.
struct HiddenInput {
    terminal: Stdin,
    before: Termios,
}

impl HiddenInput {
    fn begin() -> io::Result<Self> {
        let terminal = io::stdin();
        let before = tcgetattr(&terminal)?;
        let mut changed = before.clone();
        changed.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
        changed.local_modes |= LocalModes::ECHONL | LocalModes::ICANON;
        // The keys end the line, so that it is read at once.
        [changed.special_codes[SpecialCodeIndex::VEOL], changed.special_codes[SpecialCodeIndex::VEOL2]] = CANCEL;
        // Discards what was typed before, which the terminal has shown.
        tcsetattr(&terminal, OptionalActions::Flush, &changed)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        // If this fails, the terminal is gone.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
