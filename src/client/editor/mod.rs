//! The line editor: a state machine from keys to [`KeyOutcome`]s. The caller passes bytes through [`KeyDecoder`] and each key to
//! [`Editor::press`], and draws [`Editor::input`] with [`Screen`]. The editor has no thread, clock or terminal and never waits, so
//! messages can be printed above it at any time: during a search, a paste, or an incomplete key sequence. It is pure, except for the
//! history file (`history`) and a look at the environment (`screen`).
//!
//! No library does this. rustyline (19) blocks during a search, after Ctrl-V and at a question; it fails at a byte that is not UTF-8 and
//! loses the text typed around it; and it draws a wrapped line twice when the terminal becomes narrower. reedline asks the terminal for
//! the cursor position, and fails if the terminal does not reply.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod history;
mod keys;
mod line;
mod screen;

use std::mem::take;

use async_signal::Signal;

pub(super) use self::history::{HistoryFile, InputHistory};
pub(super) use self::keys::{Key, KeyDecoder};
use self::line::{LineBuffer, Motion};
pub(super) use self::screen::{InputLine, Screen, TerminalSize};
use crate::limits::{EDITED_BYTES_MAX, REPEAT_MAX};

/// The effect of a key beyond a change of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyOutcome {
    /// The input is complete. After a paste, it can have several lines.
    Line(String),
    /// Leave the chat.
    Leave,
    /// End the client by the signal that a terminal sends for this key by default.
    Signal(Signal),
    /// Stop the program until the shell continues it.
    Suspend,
    /// Clear the screen.
    Clear,
    /// Warn the user that a key could not be carried out.
    Warning(String),
}

/// Completions of the word before the cursor: the byte index where it begins, and its possible replacements.
pub(super) type Completions = (usize, Vec<String>);

/// The meaning of the next key.
#[derive(Debug, Default)]
enum KeyMode {
    #[default]
    Edit,
    /// Inserts the key literally.
    Quote,
    /// A search of the history for `text`: the index of the entry found, and the line before the search.
    Search { text: String, found: Option<usize>, before: String },
}

/// The input line with its history.
#[derive(Debug, Default)]
pub(super) struct Editor {
    line: LineBuffer,
    pub(super) history: InputHistory,
    mode: KeyMode,
    /// The index of the history entry on the line, and the unfinished line that it replaced.
    browsed: Option<(usize, String)>,
    /// The last line, if it was refused and is not in the history. It counts as the newest entry.
    refused: Option<String>,
    /// The number of times to repeat the next key.
    repeat: Option<usize>,
    /// The possible completions, until the next key.
    choices: Vec<String>,
    /// Whether the line is full and the user has been warned: the rest of a paste is dropped.
    is_full: bool,
}

impl Editor {
    /// The input line to show; `prompt` is the usual prompt.
    pub(super) fn input(&self, prompt: &str) -> InputLine<'_> {
        let prompt = match &self.mode {
            KeyMode::Search { text, found, .. } => {
                format!("({}search)`{text}': ", if found.is_none() && !text.is_empty() { "failed " } else { "" })
            }
            _ => self.repeat.map_or_else(|| prompt.to_owned(), |count| format!("(repeat {count}) ")),
        };
        InputLine { prompt, text: self.line.text(), cursor: self.line.cursor(), choices: &self.choices }
    }

    /// Keeps a refused line that is not in the history. Up recalls it until another line is complete.
    pub(super) fn keep_refused(&mut self, line: &str) {
        self.refused = Some(line.to_owned());
    }

    /// Discards the line, and all that Ctrl-Y or undo would bring back: it may be a secret. Returns whether the line had text.
    pub(super) fn discard_line(&mut self) -> bool {
        let discarded = take(&mut self.line);
        (self.mode, self.browsed, self.repeat) = (KeyMode::Edit, None, None);
        self.choices.clear();
        self.is_full = false;
        !discarded.text().is_empty()
    }

    /// Carries out a key.
    pub(super) fn press(&mut self, key: Key, complete: impl FnOnce(&str) -> Completions) -> Option<KeyOutcome> {
        self.choices.clear();
        self.is_full &= matches!(key, Key::Char(_) | Key::Pasted(_));
        match take(&mut self.mode) {
            KeyMode::Edit => self.edit(key, complete),
            KeyMode::Quote => self.insert(match key {
                Key::Char(c) | Key::Pasted(c) | Key::Alt(c) => c,
                Key::Tab => '\t',
                Key::Enter => '\n',
                // A message cannot have control characters. The server would also replace them.
                _ => char::REPLACEMENT_CHARACTER,
            }),
            KeyMode::Search { text, found, before } => self.search(key, text, found, before, complete),
        }
    }

    fn edit(&mut self, key: Key, complete: impl FnOnce(&str) -> Completions) -> Option<KeyOutcome> {
        if let Key::Alt(digit @ '0'..='9') = key {
            self.count(digit);
            return None;
        }
        if let (Key::Char(digit @ '0'..='9'), Some(_)) = (key, self.repeat) {
            self.count(digit);
            return None;
        }
        let times = self.repeat.take().unwrap_or(1);
        match key {
            Key::Enter => return Some(KeyOutcome::Line(self.accept())),
            Key::Tab => return self.complete(complete),
            Key::Ctrl('c') => return Some(KeyOutcome::Signal(Signal::Int)),
            Key::Ctrl('\\') => return Some(KeyOutcome::Signal(Signal::Quit)),
            Key::Ctrl('d') if self.line.text().is_empty() => return Some(KeyOutcome::Leave),
            Key::Ctrl('z') => return Some(KeyOutcome::Suspend),
            Key::Ctrl('l') => return Some(KeyOutcome::Clear),
            Key::Ctrl('v' | 'q') => self.mode = KeyMode::Quote,
            Key::Ctrl('r' | 's') => {
                self.mode = KeyMode::Search { text: String::new(), found: None, before: self.line.text().to_owned() };
            }
            Key::Alt('<') => self.browse(|_, _| Some(0)),
            Key::Alt('>') => self.browse(|_, _| None),
            Key::Char(_) | Key::Pasted(_) | Key::Ctrl('y') => {
                return (0..times).find_map(|_| match key {
                    Key::Char(c) | Key::Pasted(c) => self.insert(c),
                    _ => {
                        if self.line.yank() {
                            None
                        } else {
                            Some(full())
                        }
                    }
                });
            }
            _ => (0..times).for_each(|_| self.change(key)),
        }
        None
    }

    /// Carries out a key that changes the line and can be repeated.
    fn change(&mut self, key: Key) {
        let line = &mut self.line;
        match key {
            Key::Left | Key::Ctrl('b') => line.move_to(Motion::Left),
            Key::Right | Key::Ctrl('f') => line.move_to(Motion::Right),
            Key::Home | Key::Ctrl('a') => line.move_to(Motion::Start),
            Key::End | Key::Ctrl('e') => line.move_to(Motion::End),
            Key::WordLeft | Key::Alt('b') => line.move_to(Motion::WordLeft),
            Key::WordRight | Key::Alt('f') => line.move_to(Motion::WordRight),
            Key::Backspace => line.delete(Motion::Left),
            Key::Delete | Key::Ctrl('d') => line.delete(Motion::Right),
            Key::Ctrl('k') => line.delete(Motion::End),
            Key::Ctrl('u') => line.delete(Motion::Start),
            Key::Ctrl('w') => line.delete(Motion::BlankLeft),
            Key::Alt('d') => line.delete(Motion::WordRight),
            Key::Alt('\x7f' | '\x08') => line.delete(Motion::WordLeft),
            Key::Ctrl('t') => line.transpose(),
            Key::Ctrl('_') => line.undo(),
            Key::Alt('u') => line.change_word(str::to_uppercase),
            Key::Alt('l') => line.change_word(str::to_lowercase),
            Key::Alt('c') => line.change_word(capitalized),
            Key::Up | Key::Ctrl('p') => self.browse(|at, length| at.unwrap_or(length).checked_sub(1).or(at)),
            Key::Down | Key::Ctrl('n') => self.browse(|at, length| at.map(|at| at + 1).filter(|at| *at < length)),
            _ => {}
        }
    }

    fn insert(&mut self, c: char) -> Option<KeyOutcome> {
        if self.is_full {
            return None;
        }
        self.is_full = !self.line.insert(c.encode_utf8(&mut [0; 4]));
        self.is_full.then(full)
    }

    /// Adds a digit to the number of repetitions.
    fn count(&mut self, digit: char) {
        let digit = digit.to_digit(10).map_or(0, |digit| digit as usize);
        self.repeat = Some((self.repeat.unwrap_or(0) * 10 + digit).min(REPEAT_MAX));
    }

    fn accept(&mut self) -> String {
        self.browsed = None;
        if !self.line.text().trim().is_empty() {
            self.refused = None;
        }
        self.line.take()
    }

    /// Shows another history entry, or the unfinished line. `next` returns the index of the entry, given the current index and the number
    /// of entries.
    fn browse(&mut self, next: impl FnOnce(Option<usize>, usize) -> Option<usize>) {
        let (at, typed) = match self.browsed.take() {
            Some((at, typed)) => (Some(at), typed),
            None => (None, self.line.text().to_owned()),
        };
        let length = self.history.len() + usize::from(self.refused.is_some());
        let next = next(at, length).filter(|next| *next < length);
        match next.map(|next| self.history.get(next).or(self.refused.as_deref()).unwrap_or_default()) {
            _ if next == at => {}
            Some(entry) => self.line.set(entry),
            None => self.line.set(&typed),
        }
        self.browsed = next.map(|next| (next, typed));
    }

    fn complete(&mut self, complete: impl FnOnce(&str) -> Completions) -> Option<KeyOutcome> {
        let (start, mut choices) = complete(self.line.before_cursor());
        let common = common_start(&choices);
        let fitted = common.len() <= self.line.cursor() - start && choices.len() != 1
            || self.line.replace_before_cursor(start, &common);
        if choices.len() > 1 {
            self.choices.append(&mut choices);
        }
        if fitted { None } else { Some(full()) }
    }

    /// Carries out a key during a search of the history.
    fn search(
        &mut self,
        key: Key,
        mut text: String,
        found: Option<usize>,
        before: String,
        complete: impl FnOnce(&str) -> Completions,
    ) -> Option<KeyOutcome> {
        let last = self.history.len().saturating_sub(1);
        let next = match key {
            Key::Char(c) | Key::Pasted(c) if text.len() < EDITED_BYTES_MAX => {
                text.push(c);
                self.history.find_back(&text, found.unwrap_or(last))
            }
            Key::Backspace => {
                text.pop();
                self.history.find_back(&text, last)
            }
            Key::Ctrl('r') => found.and_then(|at| self.history.find_back(&text, at.checked_sub(1)?)).or(found),
            Key::Ctrl('s') => found.and_then(|at| self.history.find_forward(&text, at + 1)).or(found),
            Key::Ctrl('g') => {
                self.line.set(&before);
                return None;
            }
            // Any other key ends the search, and is carried out on the entry found.
            _ => return self.edit(key, complete),
        };
        match next.and_then(|next| self.history.get(next)) {
            Some(entry) if !text.is_empty() => self.line.set(entry),
            _ => {}
        }
        self.mode = KeyMode::Search { found: next.filter(|_| !text.is_empty()), text, before };
        None
    }
}

fn full() -> KeyOutcome {
    KeyOutcome::Warning(format!("the input line is full ({EDITED_BYTES_MAX} bytes): the rest is dropped"))
}

/// A word with its first letter in upper case and the others in lower case.
fn capitalized(word: &str) -> String {
    let at = word.find(char::is_alphanumeric).unwrap_or(0);
    let next = word[at..].chars().next().map_or(at, |c| at + c.len_utf8());
    [&word[..at], &word[at..next].to_uppercase(), &word[next..].to_lowercase()].concat()
}

/// The longest common prefix.
fn common_start(choices: &[String]) -> String {
    let Some((first, others)) = choices.split_first() else { return String::new() };
    let mut common = first.as_str();
    for other in others {
        let same = common.char_indices().zip(other.chars()).find(|((_, a), b)| a != b);
        let end = same.map_or(common.len().min(other.len()), |((at, _), _)| at);
        common = &common[..end];
    }
    common.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Presses the keys of `bytes`. Returns the outcomes.
    fn press(editor: &mut Editor, bytes: &[u8]) -> Vec<KeyOutcome> {
        let names = |before: &str| {
            let start = before.rfind(' ').map_or(0, |at| at + 1);
            let names = ["alice ", "bert ", "bob "].into_iter().filter(|name| name.starts_with(&before[start..]));
            (start, names.map(ToOwned::to_owned).collect())
        };
        KeyDecoder::default().decode(bytes).into_iter().filter_map(|key| editor.press(key, names)).collect()
    }

    /// An editor with these lines in its history.
    fn editor(history: &[&str]) -> Editor {
        let mut editor = Editor::default();
        for line in history {
            editor.history.add(line);
        }
        editor
    }

    #[track_caller]
    fn check(history: &[&str], bytes: &[u8], expected: &str) {
        let mut editor = editor(history);
        assert_eq!(press(&mut editor, bytes), []);
        let input = editor.input("> ");
        let (before, after) = input.text.split_at(input.cursor);
        assert_eq!(format!("{}{before}|{after}", input.prompt), expected);
    }

    #[test]
    fn editor_applies_editing_keys() {
        check(&[], b"hello\x01X\x05Y", "> XhelloY|");
        check(&[], b"one two\x17three", "> one three|");
        check(&[], b"ab\x1b5x\x1b[D", "> abxxxx|x");
        check(&[], b"ab\x1b15", "(repeat 15) ab|");
        check(&[], b"\x1b3ab\x1b2\x7f", "> aa|");
        check(&[], b"a\x16\x07\x16\tb", "> a\u{fffd} b|");
        check(&[], b"one\x1bb\x1bu", "> ONE|");
        check(&[], b"abc\x1f", "> |");
    }

    #[test]
    fn editor_key_returns_its_outcome() {
        let line = |text: &str| KeyOutcome::Line(text.to_owned());
        let check = |bytes: &[u8], expected: &[KeyOutcome]| assert_eq!(press(&mut editor(&[]), bytes), expected);
        check(b"hi\r\r", &[line("hi"), line("")]);
        check(b"\x1b[200~a\r\nb\x1b[201~c\r", &[line("a\nbc")]);
        check(b"half\x03", &[KeyOutcome::Signal(Signal::Int)]);
        check(b"half\x1c", &[KeyOutcome::Signal(Signal::Quit)]);
        check(b"x\x04\x7f\x04", &[KeyOutcome::Leave]);
        check(b"\x1a\x0c", &[KeyOutcome::Suspend, KeyOutcome::Clear]);
        // In a search, too.
        check(b"\x12x\x03", &[KeyOutcome::Signal(Signal::Int)]);
        check(b"\x1b[200~\x03\x04\x1a\x1b[201~", &[]);
    }

    #[test]
    fn editor_browses_the_history_and_keeps_the_typed_line() {
        let history = &["one", "two", "three"];
        check(history, b"half\x1b[A", "> three|");
        check(history, b"half\x1b[A\x1b[A\x1b[A\x1b[A", "> one|");
        check(history, b"half\x1b[A\x1b[A\x1b[B\x1b[B\x1b[B", "> half|");
        check(history, b"half\x1b<\x1b>", "> half|");
        check(&[], b"half\x1b[A\x1b[B", "> half|");
    }

    #[test]
    fn editor_recalls_a_refused_line_once() {
        let mut editor = editor(&["one"]);
        editor.keep_refused("/wisper bob psst");
        press(&mut editor, b"\r\x1b[A");
        assert_eq!(editor.input("> ").text, "/wisper bob psst");
        press(&mut editor, b"\x1b[A");
        assert_eq!(editor.input("> ").text, "one");
        press(&mut editor, b"\r\x1b[A");
        assert_eq!(editor.input("> ").text, "one");
    }

    #[test]
    fn editor_warns_once_that_line_is_full() {
        let mut editor = editor(&[]);
        let paste = "日".repeat(EDITED_BYTES_MAX / 3 + 9) + "x\ny";
        let pasted = [b"\x1b[200~", paste.as_bytes(), b"\x1b[201~"].concat();
        assert_eq!(press(&mut editor, &pasted), [full()]);
        assert!(editor.input("> ").text.ends_with('日'), "text after a dropped character is dropped, too");
        assert_eq!(press(&mut editor, b"x"), []);
        press(&mut editor, b"\x7f\x7f");
        assert_eq!(press(&mut editor, b"xyzxyz"), []);
        assert_eq!(press(&mut editor, b"xyzxyz"), [full()]);
    }

    #[test]
    fn editor_searches_the_history() {
        let history = &["tea for two", "coffee", "tea for one"];
        check(history, b"\x12tea", "(search)`tea': tea for one|");
        check(history, b"\x12tea\x12", "(search)`tea': tea for two|");
        check(history, b"\x12tea\x12\x13", "(search)`tea': tea for one|");
        check(history, b"\x12fee\x01X", "> X|coffee");
        check(history, b"half\x12xyz", "(failed search)`xyz': half|");
        check(history, b"half\x12tea\x07", "> half|");
        assert_eq!(press(&mut editor(history), b"\x12two\r"), [KeyOutcome::Line("tea for two".to_owned())]);
    }

    #[test]
    fn editor_completes_and_shows_choices_until_the_next_key() {
        check(&[], b"a\t!", "> alice !|");
        check(&[], b"hi b\t", "> hi b|");
        check(&[], b"x\t", "> x|");
        let mut editor = editor(&[]);
        press(&mut editor, b"b\t");
        assert_eq!(editor.input("> ").choices, ["bert ", "bob "]);
        press(&mut editor, b"o");
        assert_eq!(editor.input("> ").choices, [""; 0]);
    }

    #[test]
    fn editor_refuses_key_beyond_the_limit() {
        let mut editor = editor(&[]);
        let long = vec![b'x'; EDITED_BYTES_MAX];
        assert_eq!(press(&mut editor, &long), []);
        assert_eq!(press(&mut editor, b"y"), [full()]);
        assert_eq!(editor.input("> ").text.len(), EDITED_BYTES_MAX);
    }
}
