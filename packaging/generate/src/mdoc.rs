//! The source of a man page, in mdoc(7). The structure is in macros. Fonts within a text are escapes, so that no word of the text can be
//! taken for a macro.

use chrono::Utc;

/// The macro of the date.
pub(crate) const DATE_MACRO: &str = ".Dd ";

/// Columns of a line of the source.
const WIDTH: usize = 78;

/// Characters of a short code, which is not broken into lines.
pub(crate) const UNBROKEN_MAX: usize = 24;

/// A font within a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Font {
    /// For words that the user types or the programs print.
    Bold,
    /// For a word that stands for another one.
    Italic,
}

/// A page in the making.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
}

impl Page {
    /// A page up to its section NAME.
    pub(crate) fn new(name: &str, section: u8, description: &str, source: &str) -> Self {
        let mut page = Self::default();
        // For man-db, which runs tbl then.
        page.line("'\\\" t");
        page.line(&format!(".\\\" Made from {source} by scripts/generate. Do not edit."));
        page.line(&format!("{DATE_MACRO}{}", Utc::now().format("%B %-d, %Y")));
        page.line(&format!(".Dt {} {section}", name.to_uppercase()));
        page.line(".Os");
        page.section("NAME");
        page.line(&format!(".Nm {name}"));
        page.line(&format!(".Nd {}", escaped(description)));
        page
    }

    /// A line of the source, as it is.
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(crate) fn section(&mut self, heading: &str) {
        self.line(&format!(".Sh {}", escaped(&heading.to_uppercase())));
    }

    /// A section whose heading is that of a document. mandoc would take ROOMS for a misspelt ERRORS.
    pub(crate) fn document_section(&mut self, heading: &str) {
        self.line(&format!(".Sh \\&{}", escaped(&heading.to_uppercase())));
    }

    pub(crate) fn subsection(&mut self, heading: &str) {
        self.line(&format!(".Ss {}", escaped(heading)));
    }

    /// Adds a formatted text, and begins a new line of the source after each sentence, so that the formatter knows its end.
    pub(crate) fn fill(&mut self, text: &str) {
        let mut line = String::new();
        for word in text.split_ascii_whitespace() {
            if !line.is_empty() && (line.len() + 1 + word.len() > WIDTH || ends_sentence(&line)) {
                self.text_line(&line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            self.text_line(&line);
        }
    }

    /// A line of text, which does not begin as a macro does.
    fn text_line(&mut self, line: &str) {
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        self.line(&format!("{guard}{line}"));
    }

    /// Lines that are not filled, such as an example.
    pub(crate) fn literal(&mut self, lines: &str) {
        self.line(".Bd -literal -offset 2n");
        for line in lines.trim_end().split('\n') {
            self.text_line(&escaped_code(line));
        }
        self.line(".Ed");
    }

    /// The source of the page.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// Whether a formatted text ends with a sentence.
fn ends_sentence(text: &str) -> bool {
    let text = text.trim_end_matches("\\fR").trim_end_matches([')', '"']).trim_end_matches("\\fR");
    text.ends_with(['.', '!', '?'])
}

/// A text in this font.
pub(crate) fn in_font(font: Font, escaped: &str) -> String {
    let name = match font {
        Font::Bold => 'B',
        Font::Italic => 'I',
    };
    format!("\\f{name}{escaped}\\fR")
}

/// Escapes prose.
pub(crate) fn escaped(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\'' | '"' | '-') { c.to_string() } else { escaped_char(c) }).collect()
}

/// Escapes text that is meant literally: its hyphens and quotes are those of ASCII also in print, so that it can be copied.
pub(crate) fn escaped_code(text: &str) -> String {
    text.chars().map(escaped_char).collect()
}

/// A short code that is not broken into lines, from its source.
pub(crate) fn unbroken(code: &str) -> String {
    if code.len() <= UNBROKEN_MAX { code.replace(' ', "\\~") } else { code.to_owned() }
}

fn escaped_char(c: char) -> String {
    match c {
        '\\' => "\\e".to_owned(),
        '-' => "\\-".to_owned(),
        '\'' => "\\(aq".to_owned(),
        '"' => "\\(dq".to_owned(),
        '`' => "\\(ga".to_owned(),
        '^' => "\\(ha".to_owned(),
        '~' => "\\(ti".to_owned(),
        _ if c.is_ascii() => c.to_string(),
        _ => format!("\\[u{:04X}]", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        let mut page = Page::default();
        page.fill(text);
        page.finish()
    }

    #[test]
    fn text_is_never_a_macro() {
        assert_eq!(filled(".Nm"), "\\&.Nm\n");
        assert_eq!(filled("'quoted'"), "\\&'quoted'\n");
        let mut page = Page::default();
        page.literal(".Ed\n'x' -y \\");
        assert_eq!(page.finish(), ".Bd -literal -offset 2n\n\\&.Ed\n\\(aqx\\(aq \\-y \\e\n.Ed\n");
    }

    #[test]
    fn sentence_begins_a_line() {
        assert_eq!(filled("One. Two (three.) \\fBfour.\\fR Five"), "One.\nTwo (three.)\n\\fBfour.\\fR\nFive\n");
        let words = "word ".repeat(40);
        assert!(filled(&words).lines().all(|line| line.len() <= WIDTH));
    }

    #[test]
    fn characters_beyond_ascii_are_escaped() {
        assert_eq!(escaped("a…-~"), "a\\[u2026]-\\(ti");
        assert_eq!(escaped_code("--x '"), "\\-\\-x \\(aq");
    }
}
