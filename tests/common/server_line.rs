//! Rules for every line that the server sends.

use chinwag::command::ServerLine;
use chinwag::limits::SERVER_LINE_BYTES_MAX;
use chinwag::protocol::Mode;

/// The line fits with its ending, is safe to show, and says the same when it is read back.
pub(crate) fn check(line: &ServerLine) {
    for mode in [Mode::Commands, Mode::Chat] {
        let written = line.in_mode(mode).to_string();
        assert!(written.len() + "\r\n".len() <= SERVER_LINE_BYTES_MAX, "{} bytes: {written:?}", written.len());
        assert_safe(&written);
        assert_eq!(ServerLine::parse(&written).as_ref(), Some(line), "{written:?}");
    }
}

/// Nothing in it ends a line, moves a cursor or turns the reading order. The library says it in other words.
pub(crate) fn assert_safe(shown: &str) {
    for c in shown.chars() {
        let is_obeyed = matches!(u32::from(c), 0x00..=0x1f | 0x7f..=0x9f | 0x2028..=0x202e | 0x2066..=0x2069);
        assert!(!is_obeyed, "{c:?} in {shown:?}");
    }
}
