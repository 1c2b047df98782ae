//! The rows at the bottom of the terminal: pending messages, completions, the input line. After each change, and before a line is printed
//! above them, the caller erases the rows with [`Screen::erase`] and draws them again with [`Screen::draw`]. Both return the text to write.

use std::env;
use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::client::render::LineFormat;
use crate::limits::{CHOICE_ROWS_MAX, SENDING_ROWS_MAX};

/// The size of a terminal, in character cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) struct TerminalSize {
    pub(in crate::client) columns: usize,
    pub(in crate::client) rows: usize,
}

/// The input line to draw.
#[derive(Debug)]
pub(in crate::client) struct InputLine<'a> {
    pub(in crate::client) prompt: String,
    pub(in crate::client) text: &'a str,
    /// A byte index into `text`.
    pub(in crate::client) cursor: usize,
    /// Possible completions.
    pub(in crate::client) choices: &'a [String],
}

/// A cell on the screen, relative to the first drawn row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CellPosition {
    row: usize,
    column: usize,
}

/// The rows that were drawn last.
#[derive(Debug)]
struct DrawnRows {
    rows: Vec<String>,
    cursor: CellPosition,
    columns: usize,
}

/// Differences between terminals.
#[derive(Clone, Copy, Debug, Default)]
struct Traits {
    /// Whether it shows a cluster of several characters (an emoji with joiners) in the cells of one character.
    joins: bool,
    /// Whether, when it becomes narrower, it wraps rows that are too long. Otherwise, it cuts them off.
    reflows: bool,
}

/// Computes the text that draws and erases the rows.
#[derive(Debug)]
pub(in crate::client) struct Screen {
    size: TerminalSize,
    format: LineFormat,
    traits: Traits,
    drawn: Option<DrawnRows>,
}

impl Screen {
    pub(in crate::client) fn new(size: TerminalSize, format: LineFormat) -> Self {
        Self { size, format, traits: Traits::of_terminal(), drawn: None }
    }

    /// Sets the size of the terminal.
    pub(in crate::client) fn resize(&mut self, size: TerminalSize) {
        self.size = size;
    }

    /// Forgets the drawn rows: another program has used the screen.
    pub(in crate::client) fn forget(&mut self) {
        self.drawn = None;
    }

    /// The escape sequence that erases the rows and leaves the cursor at their start.
    pub(in crate::client) fn erase(&mut self) -> String {
        let Some(drawn) = self.drawn.take() else { return String::new() };
        let above = self.rows_above_cursor(&drawn);
        let up = if above > 0 { format!("\x1b[{above}A") } else { String::new() };
        // Erases the first row separately: tmux copies the screen to its scrollback if it is erased from the first cell on.
        format!("\r{up}\x1b[K\x1b[C\x1b[J\r")
    }

    /// The text that draws the rows. The cursor must be at the start of an empty row.
    pub(in crate::client) fn draw(&mut self, sending: &[String], input: &InputLine<'_>) -> String {
        let (input_rows, mut cursor) = self.wrap(&input.prompt, input.text, input.cursor);
        let mut rows = self.sending_rows(sending);
        rows.extend(self.choice_rows(input.choices));
        let dimmed = rows.len();
        cursor.row += dimmed;
        rows.extend(input_rows);
        // Leaves out rows that do not fit, but never the row with the cursor.
        let height = self.size.rows.max(1);
        let first = cursor.row.saturating_sub(height - 1).max(rows.len().saturating_sub(height).min(cursor.row));
        rows = rows.into_iter().skip(first).take(height).collect();
        cursor.row -= first;
        let dimmed = dimmed.saturating_sub(first);
        let mut written = String::new();
        for (at, row) in rows.iter().enumerate() {
            written += if at > 0 { "\r\n" } else { "" };
            written += &if at < dimmed { self.format.dim(row) } else { row.clone() };
        }
        let up = rows.len() - 1 - cursor.row;
        if up > 0 {
            let _ = write!(written, "\x1b[{up}A");
        }
        written.push('\r');
        if cursor.column > 0 {
            let _ = write!(written, "\x1b[{}C", cursor.column);
        }
        self.drawn = Some(DrawnRows { rows, cursor, columns: self.size.columns });
        written
    }

    /// The rows of a prompt and a text, and the position of the cursor.
    fn wrap(&self, prompt: &str, text: &str, cursor: usize) -> (Vec<String>, CellPosition) {
        let columns = self.size.columns.max(1);
        let (mut rows, mut column, mut place) = (vec![String::new()], 0, None);
        let clusters = text.grapheme_indices(true).map(|(at, cluster)| (Some(at), cluster));
        for (at, cluster) in prompt.graphemes(true).map(|cluster| (None, cluster)).chain(clusters) {
            let width = self.width(cluster).min(columns);
            let is_break = cluster == "\n";
            if !is_break && column + width > columns {
                rows.push(String::new());
                column = 0;
            }
            if at == Some(cursor) {
                place = Some(CellPosition { row: rows.len() - 1, column: column.min(columns - 1) });
            }
            if is_break {
                rows.push(String::new());
                column = 0;
            } else if let Some(row) = rows.last_mut() {
                row.push_str(cluster);
                column += width;
            }
        }
        let place = place.unwrap_or_else(|| {
            if column == columns {
                rows.push(String::new());
                column = 0;
            }
            CellPosition { row: rows.len() - 1, column }
        });
        (rows, place)
    }

    /// The number of rows above the cursor's row now. The size may have changed since they were drawn.
    fn rows_above_cursor(&self, drawn: &DrawnRows) -> usize {
        let at = drawn.cursor;
        if self.size.columns >= drawn.columns || !self.traits.reflows {
            return at.row;
        }
        let (before, cursor_row) = (&drawn.rows[..at.row], &drawn.rows[at.row]);
        let before: usize = before.iter().map(|row| self.wrap("", row, 0).0.len()).sum();
        let mut column = 0;
        let cursor = cursor_row.grapheme_indices(true).find_map(|(index, cluster)| {
            let here = (column >= at.column).then_some(index);
            column += self.width(cluster);
            here
        });
        before + self.wrap("", cursor_row, cursor.unwrap_or(cursor_row.len())).1.row
    }

    /// The rows of pending messages: one for each of the first [`SENDING_ROWS_MAX`].
    fn sending_rows(&self, sending: &[String]) -> Vec<String> {
        let shown = sending.iter().take(SENDING_ROWS_MAX).map(|line| self.cut(&format!("sending: {line}")));
        let more = sending.len().saturating_sub(SENDING_ROWS_MAX);
        shown.chain((more > 0).then(|| self.cut(&format!("sending: {more} more")))).collect()
    }

    /// The rows of completions, in columns.
    fn choice_rows(&self, choices: &[String]) -> Vec<String> {
        let widest = choices.iter().map(|choice| self.width(choice.trim_end())).max().unwrap_or(0);
        let per_row = (self.size.columns / (widest + 2)).max(1);
        let mut rows: Vec<_> = choices
            .chunks(per_row)
            .take(CHOICE_ROWS_MAX)
            .map(|chunk| {
                let padded = chunk.iter().map(|choice| {
                    let choice = choice.trim_end();
                    choice.to_owned() + &" ".repeat(widest + 2 - self.width(choice))
                });
                self.cut(padded.collect::<String>().trim_end())
            })
            .collect();
        let more = choices.len().saturating_sub(per_row * CHOICE_ROWS_MAX);
        rows.extend((more > 0).then(|| self.cut(&format!("and {more} more: type another letter"))));
        rows
    }

    /// Shortens a text to one row.
    fn cut(&self, text: &str) -> String {
        let text = text.replace('\n', " ");
        let columns = self.size.columns.max(1);
        if self.width(&text) < columns {
            return text;
        }
        let mut width = 1;
        let fits = |cluster: &&str| {
            width += self.width(cluster);
            width < columns
        };
        text.graphemes(true).take_while(fits).chain(["…"]).collect()
    }

    fn width(&self, text: &str) -> usize {
        if self.traits.joins { text.width() } else { text.chars().map(|c| c.width().unwrap_or(0)).sum() }
    }
}

impl Traits {
    /// Reads the traits from the environment.
    #[expect(clippy::disallowed_methods, reason = "the environment says which terminal it is")]
    fn of_terminal() -> Self {
        let (program, term) = (env::var("TERM_PROGRAM"), env::var("TERM"));
        let is_tmux = program.as_deref() == Ok("tmux");
        let cuts =
            env::var_os("XTERM_VERSION").is_some() || env::var_os("STY").is_some() || term.as_deref() == Ok("linux");
        Self {
            joins: matches!(program.as_deref(), Ok("tmux" | "Apple_Terminal" | "iTerm.app" | "WezTerm")),
            // Within tmux, the variables are those of the terminal that it was started from.
            reflows: is_tmux || !cuts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(columns: usize, rows: usize) -> Screen {
        let traits = Traits { joins: true, reflows: true };
        Screen { size: TerminalSize { columns, rows }, format: LineFormat::default(), traits, drawn: None }
    }

    fn draw(screen: &mut Screen, text: &str, cursor: usize) -> String {
        screen.draw(&[], &InputLine { prompt: "> ".to_owned(), text, cursor, choices: &[] })
    }

    /// The sequence that erases the rows, with `above` of them above the cursor.
    fn erased(above: usize) -> String {
        let up = if above > 0 { format!("\x1b[{above}A") } else { String::new() };
        format!("\r{up}\x1b[K\x1b[C\x1b[J\r")
    }

    #[test]
    fn screen_wraps_and_places_the_cursor() {
        let check = |text: &str, cursor: usize, expected: &str| {
            assert_eq!(draw(&mut screen(6, 9), text, cursor), expected, "{text:?} {cursor}");
        };
        check("", 0, "> \r\x1b[2C");
        check("abc", 1, "> abc\r\x1b[3C");
        // After a full row, the cursor is in the next one.
        check("abcd", 4, "> abcd\r\n\r");
        check("abcd", 3, "> abcd\r\x1b[5C");
        check("abcdef", 4, "> abcd\r\nef\r");
        check("abcdef", 2, "> abcd\r\nef\x1b[1A\r\x1b[4C");
        // A wide character that does not fit moves to the next row.
        check("abc日本", 3, "> abc\r\n日本\r");
        check("日👩‍👩‍👧日", 21, "> 日👩‍👩‍👧\r\n日\r");
        check("a\nb", 2, "> a\r\nb\r");
        check("abcd\nb", 4, "> abcd\r\nb\x1b[1A\r\x1b[5C");
    }

    #[test]
    fn screen_shows_rows_around_cursor_of_long_line() {
        let mut screen = screen(4, 2);
        assert_eq!(draw(&mut screen, "abcdefghij", 10), "cdef\r\nghij\r\n\r".replacen("cdef\r\n", "", 1));
        assert_eq!(screen.erase(), erased(1));
        assert_eq!(draw(&mut screen, "abcdefghij", 0), "> ab\r\ncdef\x1b[1A\r\x1b[2C");
        assert_eq!(screen.erase(), erased(0));
        assert_eq!(screen.erase(), "");
    }

    #[test]
    fn screen_erases_rows_after_a_resize() {
        let resized = |text: &str, cursor: usize, columns: usize, reflows: bool| {
            let mut screen = screen(10, 9);
            screen.traits.reflows = reflows;
            draw(&mut screen, text, cursor);
            screen.resize(TerminalSize { columns, rows: 9 });
            screen.erase()
        };
        let text = "abcdefghijklm";
        assert_eq!(resized(text, 13, 20, true), erased(1), "rows with an ending stay as they are");
        assert_eq!(resized(text, 13, 4, true), erased(4));
        assert_eq!(resized(text, 0, 4, true), erased(0));
        assert_eq!(resized(text, 13, 4, false), erased(1));
        assert_eq!(resized("日本語日本", 15, 5, true), erased(3));
    }

    #[test]
    fn screen_shows_pending_messages_and_completions() {
        let choices: Vec<_> = (0..40).map(|number| format!("name{number:02} ")).collect();
        let input = InputLine { prompt: "> ".to_owned(), text: "n", cursor: 1, choices: &choices };
        let drawn = screen(20, 20).draw(&["one", "a line that is too long"].map(str::to_owned), &input);
        let rows: Vec<_> = drawn.split("\r\n").collect();
        assert_eq!(rows[..3], ["sending: one", "sending: a line th…", "name00  name01"]);
        assert_eq!(rows[2 + CHOICE_ROWS_MAX], "and 30 more: type …");
        assert_eq!(rows.last(), Some(&"> n\r\x1b[3C"));
        let drawn = screen(20, 20).draw(&["x"; 9].map(str::to_owned), &input);
        assert!(drawn.contains("sending: 5 more"), "{drawn:?}");
    }
}
