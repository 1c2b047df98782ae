//! Text that is safe to display: messages, reasons for leaving, words that an error repeats. [`sanitize`] replaces unsafe characters
//! where a text comes in: from a client, from the database file, and in the client from the server and the user. Code that gets a
//! [`Text`] does not check it again.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use unicode_normalization::char::is_combining_mark;

use super::{Name, fold_case};
use crate::limits::{TEXT_BYTES_MAX, TOKEN_BYTES_MAX};

/// Text with something visible, of at most [`TEXT_BYTES_MAX`] bytes, without characters that end a line, move a cursor or change the
/// reading order: having a `Text` is the proof. Clones share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Arc<str>);

/// Why text is not a [`Text`] or a [`Token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextError {
    /// It has only white space and invisible characters.
    Blank,
    /// It has too many bytes, after unsafe characters are replaced.
    TooLong,
    /// It has several words, and a token has one.
    SeveralWords,
}

impl Text {
    /// Replaces unsafe characters. White space stays as it is, but a tab becomes a space.
    ///
    /// # Errors
    /// The text is blank or too long.
    pub fn new(raw: &str) -> Result<Self, TextError> {
        if is_blank(raw) {
            return Err(TextError::Blank);
        }
        Self::sanitized(raw)
    }

    /// Like [`Text::new`], but also accepts invisible text.
    fn sanitized(raw: &str) -> Result<Self, TextError> {
        let safe = sanitize(raw);
        if safe.len() > TEXT_BYTES_MAX {
            return Err(TextError::TooLong);
        }
        Ok(Self(Arc::from(&*safe)))
    }

    /// Text of the server, which may repeat a client's words: replaces unsafe characters and truncates it to [`TEXT_BYTES_MAX`].
    pub(crate) fn truncated(raw: &str) -> Self {
        let safe = sanitize(raw);
        Self(safe[..safe.floor_char_boundary(TEXT_BYTES_MAX)].into())
    }

    /// Whether the text contains `name` as a word, in any case.
    pub fn mentions(&self, name: &Name) -> bool {
        let text = fold_case(&self.0);
        let is_part_of_word = |c: char| c.is_alphanumeric() || is_combining_mark(c);
        text.match_indices(name.key()).any(|(at, found)| {
            let before = text[..at].chars().next_back();
            let after = text[at + found.len()..].chars().next();
            ![before, after].into_iter().flatten().any(is_part_of_word)
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One word of at most [`TOKEN_BYTES_MAX`] bytes. A `PING` carries it and the answer repeats it; an epoch is one, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token(Text);

impl Token {
    /// Validates a token, without the white space around it.
    ///
    /// # Errors
    /// The token is empty, has several words, or is too long.
    pub fn new(raw: &str) -> Result<Self, TextError> {
        let word = raw.trim();
        if word.contains(char::is_whitespace) {
            return Err(TextError::SeveralWords);
        }
        if word.is_empty() {
            return Err(TextError::Blank);
        }
        // A token may be invisible: only its sender knows what it means.
        let text = Text::sanitized(word)?;
        if text.as_str().len() > TOKEN_BYTES_MAX {
            return Err(TextError::TooLong);
        }
        Ok(Self(text))
    }

    /// A token of the server, which must be short and not blank.
    pub(crate) fn truncated(word: &str) -> Self {
        Self(Text::truncated(word))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a character is safe to print to a terminal.
///
/// Unsafe are control characters (C0, DEL and C1: Unicode's Cc), line and paragraph separators, and the explicit bidirectional
/// embeddings, overrides and isolates (UAX #9, 2). Joiners, variation selectors and the implicit direction marks are safe: emoji and
/// several scripts need them, and their effect ends with the word.
pub(super) fn is_safe(c: char) -> bool {
    !(c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

/// Whether the text has no visible character.
pub(crate) fn is_blank(text: &str) -> bool {
    // Fast path: most texts begin with a visible ASCII character.
    !text.as_bytes().first().is_some_and(u8::is_ascii_graphic) && text.chars().all(shows_nothing)
}

/// Whether a character is invisible by itself: an invisible one, or a combining mark without a base character.
pub(crate) fn shows_nothing(c: char) -> bool {
    is_invisible(c) || is_combining_mark(c)
}

/// Whether a character is invisible anywhere: white space, a character that Unicode lets a display ignore, or one of a few with an
/// empty glyph.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_whitespace() || is_default_ignorable(c) || is_empty_glyph(c)
}

/// `Default_Ignorable_Code_Point` (`DerivedCoreProperties.txt` of Unicode 18): soft hyphen, joiners, Hangul fillers, direction
/// marks, variation selectors, tags, byte order mark. Includes code points that are not assigned yet.
pub(super) fn is_default_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Characters that fonts draw as nothing, although they are not default-ignorable: the blank Braille pattern, interlinear
/// annotation marks, the object replacement character, the musical null notehead.
fn is_empty_glyph(c: char) -> bool {
    matches!(c, '\u{2800}' | '\u{fff9}'..='\u{fffc}' | '\u{1d159}')
}

/// Replaces all characters that are unsafe to print to a terminal, in a text of any length.
pub fn sanitize(raw: &str) -> Cow<'_, str> {
    if is_printable_ascii(raw) || raw.chars().all(is_safe) {
        return Cow::Borrowed(raw);
    }
    let made = raw
        .chars()
        .map(|c| match c {
            '\t' => ' ',
            c if is_safe(c) => c,
            _ => char::REPLACEMENT_CHARACTER,
        })
        .collect();
    Cow::Owned(made)
}

/// Tests every byte, without an early exit, so that the compiler can use vector instructions.
fn is_printable_ascii(text: &str) -> bool {
    text.bytes().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use unicode_security::confusable_detection::skeleton;

    use super::*;

    #[test]
    fn text_replaces_only_unsafe_characters() {
        let check = |raw: &str, expected: &str| assert_eq!(Text::new(raw).unwrap().as_str(), expected, "{raw:?}");
        check("hi", "hi");
        check("  two  spaces  ", "  two  spaces  ");
        check("a\tb", "a b");
        check("\x1b[31mred", "\u{fffd}[31mred");
        check("bell\x07 del\x7f c1\u{9b}", "bell\u{fffd} del\u{fffd} c1\u{fffd}");
        check("right\u{202e}tfel", "right\u{fffd}tfel");
        check("one\u{2028}two", "one\u{fffd}two");
        check("👩‍👩‍👧 ❤️ שלום\u{200f}", "👩‍👩‍👧 ❤️ שלום\u{200f}");
    }

    #[test]
    fn mention_is_a_whole_word() {
        let al = Name::new("Al").unwrap();
        let check = |text: &str, expected| assert_eq!(Text::new(text).unwrap().mentions(&al), expected, "{text:?}");
        check("al", true);
        check("@AL: hi", true);
        check("is al, or Al?", true);
        check("also", false);
        check("hal al", true);
        check("loyal", false);
        check("al\u{301}", false);
        let mentions = |text: &str, name: &str| Text::new(text).unwrap().mentions(&Name::new(name).unwrap());
        assert!(mentions("hej STRASSE!", "Straße") && mentions("straße?", "STRASSE"));
        assert!(mentions("ΝΙΚΟΣ, έλα", "νικος") && mentions("Νίκος", "ΝΊΚΟΣ") && !mentions("νικοςα", "νικος"));
        assert!(mentions("ask e\u{301}mile", "Émile"));
    }

    #[test]
    fn blank_and_overlong_text_is_refused() {
        let check = |raw: &str, expected| assert_eq!(Text::new(raw), Err(expected), "{raw:?}");
        check("", TextError::Blank);
        check(" \t\u{3000}", TextError::Blank);
        let blank = [
            "\u{200b}",
            "\u{2800}",
            "\u{3164}",
            "\u{ad}",
            "\u{fe0f}",
            "\u{feff}",
            "\u{200d}",
            "\u{200e}",
            "\u{61c}",
            "\u{202e}",
            "\u{2060}",
            "\u{115f}",
            "\u{1160}",
            "\u{ffa0}",
            "\u{34f}",
            "\u{180e}",
            "\u{17b4}",
            "\u{e0001}",
            "\u{e0041}",
            "\u{e0100}",
            "\u{fff9}",
            "\u{fffc}",
            "\u{1d159}",
            "\u{1d173}",
            "\u{301}",
            "\u{20e3}",
        ];
        for one in blank {
            check(one, TextError::Blank);
            check(&format!(" {one}\t{one}"), TextError::Blank);
        }
        check(&blank.concat(), TextError::Blank);
        check(&"x".repeat(TEXT_BYTES_MAX + 1), TextError::TooLong);
        check(&"\x01".repeat(TEXT_BYTES_MAX / 3 + 1), TextError::TooLong);
        assert!(Text::new(&"x".repeat(TEXT_BYTES_MAX)).is_ok());
    }

    #[test]
    fn truncated_text_ends_at_a_character() {
        let cut = Text::truncated(&"é".repeat(TEXT_BYTES_MAX));
        assert_eq!(cut.as_str().len(), TEXT_BYTES_MAX);
        assert_eq!(Text::truncated("a\nb").as_str(), "a\u{fffd}b");
    }

    #[test]
    fn token_of_several_words_is_refused() {
        assert_eq!(Token::new(" sync ").unwrap().to_string(), "sync");
        assert_eq!(Token::new("two words"), Err(TextError::SeveralWords));
        assert_eq!(Token::new(""), Err(TextError::Blank));
        assert_eq!(Token::new("\u{200b}").unwrap().to_string(), "\u{200b}");
        assert_eq!(Token::new(&"x".repeat(TOKEN_BYTES_MAX + 1)), Err(TextError::TooLong));
    }

    #[test]
    fn visible_text_is_unchanged() {
        let england = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";
        let texts = [
            "👩\u{200d}👩\u{200d}👧",
            "❤\u{fe0f}",
            england,
            "1\u{fe0f}\u{20e3}",
            "e\u{301}",
            "soft\u{ad}hyphen",
            "\u{2801}",
        ];
        for text in texts.into_iter().chain(["\u{1161}", "\u{200b}x", "می\u{200c}خواهم", "\u{e33}", "\u{fffd}"])
        {
            assert_eq!(Text::new(text).unwrap().as_str(), text);
        }
        assert_eq!(Text::new("\x01").unwrap().as_str(), "\u{fffd}", "a control character can be seen");
    }

    /// The table agrees with UTS #39, which has its own table of the characters that a skeleton leaves out.
    #[test]
    fn default_ignorable_agrees_with_skeleton() {
        for c in '\0'..=char::MAX {
            assert_eq!(is_default_ignorable(c), skeleton(&c.to_string()).next().is_none(), "{c:?}");
        }
    }

    /// Checks every code point: the result contains no character that a terminal obeys.
    #[test]
    fn no_code_point_controls_the_terminal() {
        for c in '\0'..=char::MAX {
            if let Ok(text) = Text::new(&format!("a{c}b")) {
                assert!(text.as_str().chars().all(|c| is_safe(c) && c >= ' ' && c != '\x7f'), "{c:?}");
            }
        }
    }
}
