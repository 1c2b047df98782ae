//! A page from a Markdown document. It knows what protocol.md uses: headings, paragraphs, lists, tables, code blocks and links.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::files::GeneratedFile;
use crate::mdoc::{Font, Page, escaped, escaped_code, in_font, unbroken};
use crate::table::{Cell, Table};

/// The section of the manual for protocols.
const SECTION: u8 = 7;

/// The title of a paragraph that lists the headings, as links. A page cannot link to them, so it lacks the list.
const CONTENTS: &str = "Contents";

/// Makes a page in section 7 from a Markdown document. Its first heading becomes the description of the page.
///
/// # Panics
///
/// If the document uses Markdown that this does not know.
pub fn markdown_page(name: &str, source: &str, markdown: &str, see_also: &str) -> GeneratedFile {
    let mut writer = Writer::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        writer.handle(event);
    }
    let mut page = Page::new(name, SECTION, &writer.title, source);
    page.section("DESCRIPTION");
    let mut text = page.finish();
    text.push_str(&writer.page.finish());
    text.push_str(see_also.trim_end());
    text.push('\n');
    GeneratedFile { path: format!("man/{name}.{SECTION}"), content: text }
}

/// Where the text goes that comes next.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent states")]
struct Writer {
    page: Page,
    /// The first heading, without its article.
    title: String,
    /// The text of the paragraph, heading, item or cell, as source.
    inline: String,
    /// The text as it is printed.
    plain: String,
    is_strong: bool,
    /// Of a link to another document: its address.
    link: Option<String>,
    /// Of each list around the text: the number of the next item, if it has numbers.
    lists: Vec<Option<u64>>,
    /// Whether the next paragraph is the first one after a heading or the start of an item, which needs no space before it.
    is_first: bool,
    is_code_block: bool,
    is_contents: bool,
    table: Table,
}

impl Writer {
    fn handle(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.is_code_block => self.inline.push_str(&text),
            Event::Text(text) => self.push(&escaped(&text), &text),
            Event::Code(code) => {
                let source = unbroken(&escaped_code(&code));
                // A strong text is bold already.
                let source = if self.is_strong { source } else { in_font(Font::Bold, &source) };
                self.push(&source, &code);
            }
            Event::SoftBreak | Event::HardBreak => self.push(" ", " "),
            other => {
                panic!("unexpected {other:?} in a Markdown document: extend packaging/generate/src/markdown_page.rs")
            }
        }
    }

    fn push(&mut self, source: &str, plain: &str) {
        self.inline.push_str(source);
        self.plain.push_str(plain);
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::Heading { .. } | Tag::TableCell | Tag::TableHead | Tag::TableRow => {
                self.flush();
                if matches!(tag, Tag::TableHead | Tag::TableRow) {
                    self.table.rows.push(Vec::new());
                }
            }
            Tag::List(number) => self.start_list(number),
            Tag::Item => self.start_item(),
            Tag::CodeBlock(_) => {
                self.flush();
                self.is_code_block = true;
            }
            Tag::Table(_) => {
                self.flush();
                self.table = Table::default();
            }
            Tag::Strong => {
                self.is_strong = true;
                self.push("\\fB", "");
            }
            Tag::Emphasis => self.push("\\fI", ""),
            Tag::Link { dest_url, .. } => self.link = Some(dest_url.to_string()),
            other => {
                panic!("unexpected {other:?} in a Markdown document: extend packaging/generate/src/markdown_page.rs")
            }
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.end_paragraph(),
            TagEnd::Heading(level) => self.end_heading(level),
            TagEnd::List(_) => self.end_list(),
            TagEnd::Item => self.flush(),
            TagEnd::CodeBlock => {
                self.is_code_block = false;
                self.page.literal(&std::mem::take(&mut self.inline));
                self.is_first = false;
            }
            TagEnd::TableCell => {
                let (text, plain) = self.take();
                let width = plain.chars().count();
                self.table.rows.last_mut().expect("a cell is in a row").push(Cell { text, width });
            }
            TagEnd::TableHead | TagEnd::TableRow => {}
            TagEnd::Table => {
                self.space();
                std::mem::take(&mut self.table).render(&mut self.page);
                self.is_first = false;
            }
            TagEnd::Strong => {
                self.is_strong = false;
                self.push("\\fR", "");
            }
            TagEnd::Emphasis => self.push("\\fR", ""),
            TagEnd::Link => {
                // A link within the document or the repository leads nowhere in a page.
                if let Some(address) = self.link.take().filter(|address| address.contains("://")) {
                    let text = format!(" ({address})");
                    self.push(&escaped(&text), &text);
                }
            }
            other => {
                panic!("unexpected {other:?} in a Markdown document: extend packaging/generate/src/markdown_page.rs")
            }
        }
    }

    fn take(&mut self) -> (String, String) {
        (std::mem::take(&mut self.inline), std::mem::take(&mut self.plain))
    }

    /// Writes the text of an item without paragraphs, which ends where something else begins.
    fn flush(&mut self) {
        let (text, _) = self.take();
        if !text.trim().is_empty() && !self.is_contents {
            self.page.fill(&text);
            self.is_first = false;
        }
    }

    fn end_paragraph(&mut self) {
        if self.plain == CONTENTS {
            self.is_contents = true;
        }
        if !self.is_contents {
            self.space();
        }
        self.flush();
    }

    /// Begins a paragraph, except where the page has space before it anyway.
    fn space(&mut self) {
        if !self.is_first {
            self.page.line(".Pp");
        }
    }

    fn end_heading(&mut self, level: HeadingLevel) {
        let (source, plain) = self.take();
        match level {
            HeadingLevel::H1 => {
                let (article, rest) = plain.split_once(' ').unwrap_or_default();
                self.title = if ["A", "An", "The"].contains(&article) { rest.to_owned() } else { plain };
                self.is_first = true;
                return;
            }
            HeadingLevel::H2 => self.page.document_section(&plain),
            HeadingLevel::H3 => self.page.subsection(&plain),
            _ => {
                self.space();
                self.page.fill(&in_font(Font::Bold, &source));
            }
        }
        self.is_contents = false;
        self.is_first = level <= HeadingLevel::H3;
    }

    fn start_list(&mut self, number: Option<u64>) {
        self.flush();
        self.lists.push(number);
        if !self.is_contents {
            let kind = if number.is_some() { "-tag -width 3n" } else { "-bullet -width 1n" };
            // A list within an item stands close to it.
            let spacing = if self.lists.len() > 1 { " -compact" } else { "" };
            self.page.line(&format!(".Bl {kind}{spacing}"));
        }
    }

    fn start_item(&mut self) {
        self.flush();
        self.is_first = true;
        let number = self.lists.last_mut().expect("an item is in a list");
        let head = number.map_or(".It".to_owned(), |number| format!(".It {number}."));
        *number = number.map(|number| number + 1);
        if !self.is_contents {
            self.page.line(&head);
        }
    }

    fn end_list(&mut self) {
        self.flush();
        self.lists.pop();
        if !self.is_contents {
            self.page.line(".El");
        }
        self.is_first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(markdown: &str) -> String {
        let content = markdown_page("x", "x.md", markdown, "").content;
        content.split_once(".Sh DESCRIPTION\n").unwrap().1.to_owned()
    }

    #[test]
    fn first_heading_names_the_page() {
        let page = markdown_page("chinwag-x", "x.md", "# The x protocol\n\nText.\n", ".Sh SEE ALSO\n");
        assert_eq!(page.path, "man/chinwag-x.7");
        assert!(page.content.contains("\n.Dt CHINWAG-X 7\n.Os\n.Sh NAME\n.Nm chinwag-x\n.Nd x protocol\n"));
        assert!(page.content.ends_with(".Sh DESCRIPTION\nText.\n.Sh SEE ALSO\n"), "{}", page.content);
    }

    #[test]
    fn paragraphs_and_fonts_are_converted() {
        let markdown =
            "# T\n\nA `-x` **b `c`**.\nD [link](#d), [web](https://e.org).\n\nE\n\n## F g\n\nH\n\n### I\n\nJ\n";
        let expected = "A \\fB\\-x\\fR \\fBb c\\fR.\nD link, web (https://e.org).\n.Pp\nE\n.Sh \\&F G\nH\n.Ss I\nJ\n\n";
        assert_eq!(body(markdown), expected);
    }

    #[test]
    fn lists_are_converted() {
        let markdown = "# T\n\n- a\n  - b\n- c\n\n  d\n\n1. e\n2. f\n\ng\n";
        let expected = ".Bl -bullet -width 1n\n.It\na\n.Bl -bullet -width 1n -compact\n.It\nb\n.El\n.It\nc\n.Pp\nd\n.El\n\
                        .Bl -tag -width 3n\n.It 1.\ne\n.It 2.\nf\n.El\n.Pp\ng\n\n";
        assert_eq!(body(markdown), expected);
    }

    #[test]
    fn contents_are_left_out() {
        assert_eq!(body("# T\n\nA\n\n**Contents**\n\n- [B](#b): [C](#c)\n\n## B\n\nC\n"), "A\n.Sh \\&B\nC\n\n");
    }

    #[test]
    fn code_keeps_its_lines() {
        assert_eq!(body("# T\n\nA\n\n```text\n.b\n\n  c\n```\n"), "A\n.Bd -literal -offset 2n\n\\&.b\n\n  c\n.Ed\n\n");
    }

    #[test]
    fn table_is_as_wide_as_the_page_at_most() {
        let long = "word ".repeat(30);
        let source = body(&format!("# T\n\n| a | b |\n|---|---|\n| `.x` | {long} |\n| y | z |\n"));
        let lines: Vec<_> = source.lines().collect();
        assert_eq!(lines[..4], [".TS", "lbw(2n) lbw(67n)", "lw(2n) lw(67n).", "a\tb"]);
        assert_eq!(lines[4], "\\fB.x\\fR\tT{");
        assert!(lines.iter().all(|line| line.len() <= 80));
        assert_eq!(lines[lines.len() - 4..], ["\\&", "y\tz", ".TE", ""]);
    }
}
