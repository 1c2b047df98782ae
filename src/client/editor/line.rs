//! The text being edited, its cursor, undo and yank. Movements and deletions work on grapheme clusters and words.

use std::mem::take;

use unicode_segmentation::UnicodeSegmentation as _;

use crate::limits::{EDITED_BYTES_MAX, UNDO_STEPS_MAX};
use crate::protocol::sanitize;

/// The target of a movement or a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Motion {
    Left,
    Right,
    Start,
    End,
    /// The beginning of a word (letters and digits).
    WordLeft,
    /// The end of a word.
    WordRight,
    /// The beginning of a word between blanks.
    BlankLeft,
}

/// Text with a cursor in it.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    text: String,
    /// A byte index into `text`, at a boundary of grapheme clusters.
    cursor: usize,
    /// The last deletion of more than a character, for Ctrl-Y.
    killed: String,
    undo: Vec<(String, usize)>,
    /// Whether the last change inserted text. Further insertions are undone together with it.
    is_inserting: bool,
}

impl LineBuffer {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Replaces the whole text, and moves the cursor to its end.
    pub(super) fn set(&mut self, text: &str) {
        self.remember(false);
        self.text.clear();
        self.cursor = 0;
        self.insert(text);
        self.is_inserting = false;
    }

    /// Returns the text, and clears the line.
    pub(super) fn take(&mut self) -> String {
        self.undo.clear();
        self.is_inserting = false;
        self.cursor = 0;
        take(&mut self.text)
    }

    /// Inserts text; replaces characters that a message cannot contain. Returns whether all of the text fitted.
    pub(super) fn insert(&mut self, text: &str) -> bool {
        self.remember(true);
        let safe = text.split('\n').map(sanitize).collect::<Vec<_>>().join("\n");
        let left = EDITED_BYTES_MAX.saturating_sub(self.text.len());
        let fitting = &safe[..safe.floor_char_boundary(left)];
        self.text.insert_str(self.cursor, fitting);
        self.cursor += fitting.len();
        fitting.len() == safe.len()
    }

    /// Replaces the text from `start` to the cursor. Returns whether all of the new text fitted.
    pub(super) fn replace_before_cursor(&mut self, start: usize, text: &str) -> bool {
        self.remember(false);
        self.text.replace_range(start..self.cursor, "");
        self.cursor = start;
        let fitted = self.insert(text);
        self.is_inserting = false;
        fitted
    }

    pub(super) fn move_to(&mut self, to: Motion) {
        self.is_inserting = false;
        self.cursor = self.find(to);
    }

    /// Deletes the text between the cursor and the target.
    pub(super) fn delete(&mut self, to: Motion) {
        let there = self.find(to);
        let range = there.min(self.cursor)..there.max(self.cursor);
        if range.is_empty() {
            return;
        }
        self.remember(false);
        if !matches!(to, Motion::Left | Motion::Right) {
            self.text[range.clone()].clone_into(&mut self.killed);
        }
        self.cursor = range.start;
        self.text.replace_range(range, "");
    }

    /// Inserts the text of the last deletion. Returns whether all of it fitted.
    pub(super) fn yank(&mut self) -> bool {
        let killed = self.killed.clone();
        self.insert(&killed)
    }

    /// Exchanges the characters around the cursor or, at the end, the two before it.
    pub(super) fn transpose(&mut self) {
        let cursor = self.cursor;
        if cursor == self.text.len() {
            self.move_to(Motion::Left);
        }
        let (start, middle, end) = (self.find(Motion::Left), self.cursor, self.find(Motion::Right));
        self.cursor = cursor;
        if start < middle && middle < end {
            self.remember(false);
            let exchanged = [&self.text[middle..end], &self.text[start..middle]].concat();
            self.text.replace_range(start..end, &exchanged);
            self.cursor = end;
        }
    }

    /// Replaces the text up to the end of the next word by the result of `change`.
    pub(super) fn change_word(&mut self, change: impl FnOnce(&str) -> String) {
        self.remember(false);
        let end = self.find(Motion::WordRight);
        let changed = change(&self.text[self.cursor..end]);
        self.text.replace_range(self.cursor..end, &changed);
        self.cursor += changed.len();
    }

    /// Undoes the last change.
    pub(super) fn undo(&mut self) {
        if let Some((text, cursor)) = self.undo.pop() {
            (self.text, self.cursor, self.is_inserting) = (text, cursor, false);
        }
    }

    fn remember(&mut self, is_inserting: bool) {
        if !(is_inserting && self.is_inserting) {
            if self.undo.len() == UNDO_STEPS_MAX {
                self.undo.remove(0);
            }
            self.undo.push((self.text.clone(), self.cursor));
        }
        self.is_inserting = is_inserting;
    }

    fn find(&self, to: Motion) -> usize {
        let (before, after) = self.text.split_at(self.cursor);
        let is_word = |c: char| c.is_alphanumeric();
        match to {
            Motion::Left => self.cursor - before.graphemes(true).next_back().map_or(0, str::len),
            Motion::Right => self.cursor + after.graphemes(true).next().map_or(0, str::len),
            Motion::Start => 0,
            Motion::End => self.text.len(),
            Motion::WordLeft => before.trim_end_matches(|c| !is_word(c)).trim_end_matches(is_word).len(),
            Motion::WordRight => {
                self.text.len() - after.trim_start_matches(|c| !is_word(c)).trim_start_matches(is_word).len()
            }
            Motion::BlankLeft => before.trim_end().trim_end_matches(|c: char| !c.is_whitespace()).len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer with this text and its cursor at the bar.
    fn buffer(text: &str) -> LineBuffer {
        let mut buffer = LineBuffer::default();
        buffer.insert(&text.replace('|', ""));
        buffer.cursor = text.find('|').unwrap();
        buffer
    }

    #[track_caller]
    fn check(before: &str, edit: impl FnOnce(&mut LineBuffer), after: &str) {
        let mut buffer = buffer(before);
        edit(&mut buffer);
        let (left, right) = buffer.text.split_at(buffer.cursor);
        assert_eq!(format!("{left}|{right}"), after);
    }

    #[test]
    fn line_buffer_moves_by_clusters_and_words() {
        check("ae\u{301}|b", |line| line.move_to(Motion::Left), "a|e\u{301}b");
        check("|👩‍👩‍👧x", |line| line.move_to(Motion::Right), "👩‍👩‍👧|x");
        check("one two, |three", |line| line.move_to(Motion::WordLeft), "one |two, three");
        check("one| two, three", |line| line.move_to(Motion::WordRight), "one two|, three");
        check("a|b", |line| line.move_to(Motion::Start), "|ab");
        check("a|b", |line| line.move_to(Motion::End), "ab|");
        check("|", |line| line.move_to(Motion::Left), "|");
    }

    #[test]
    fn line_buffer_deletes_and_yanks() {
        check("日本|語", |line| line.delete(Motion::Left), "日|語");
        check("日本|語", |line| line.delete(Motion::Right), "日本|");
        check("one two-three| x", |line| line.delete(Motion::BlankLeft), "one | x");
        check("one two-three| x", |line| line.delete(Motion::WordLeft), "one two-| x");
        check("one |two", |line| line.delete(Motion::Start), "|two");
        let kill_and_yank_twice = |line: &mut LineBuffer| {
            line.delete(Motion::End);
            line.delete(Motion::Left);
            line.yank();
            line.yank();
        };
        check("one |two", kill_and_yank_twice, "onetwotwo|");
        check("ab|cd", LineBuffer::transpose, "acb|d");
        check("ab|", LineBuffer::transpose, "ba|");
        check("a|", LineBuffer::transpose, "a|");
        check("x |straße", |line| line.change_word(str::to_uppercase), "x STRASSE|");
    }

    #[test]
    fn line_buffer_undoes_typing_in_one_step() {
        let edit = |line: &mut LineBuffer| {
            line.insert("x");
            line.insert("y");
            line.delete(Motion::Left);
            line.undo();
            assert_eq!(line.text(), "abxy");
            line.undo();
            line.undo();
        };
        check("ab|", edit, "|");
    }

    #[test]
    fn line_buffer_replaces_control_characters_and_is_bounded() {
        check("|", |line| assert!(line.insert("a\x1b\tb\nc\x07\u{202e}")), "a\u{fffd} b\nc\u{fffd}\u{fffd}|");
        let mut line = LineBuffer::default();
        assert!(!line.insert(&"é".repeat(EDITED_BYTES_MAX)));
        assert_eq!(line.text().len(), EDITED_BYTES_MAX);
        assert!(!line.insert("x"));
    }
}
