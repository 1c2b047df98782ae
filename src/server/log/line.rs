//! One line of the log: a time, a level, a message and fields, rendered as text or as a JSON object.
//!
//! The message is constant; the fields hold everything that varies, including bytes from clients. With any bytes, a line stays one line, no
//! value looks like another field, and no character controls a terminal.

use std::fmt::{self, Debug, Write as _};
use std::io;

use chrono::{Local, SecondsFormat};
use nu_ansi_term::{Color, Style};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level};

use super::LogFormat;
use crate::command_line::is_colored;
use crate::process::journal;
use crate::protocol::{Timestamp, is_invisible};

/// How lines are rendered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LineStyle {
    pub(super) format: LogFormat,
    /// Only text is ever colored.
    pub(super) is_colored: bool,
    /// The journal reads the lines: each begins with its priority, which the journal removes.
    pub(super) is_journal: bool,
}

impl LineStyle {
    /// How lines for standard error are rendered.
    pub(super) fn of_stderr(format: LogFormat) -> Self {
        Self { format, is_colored: is_colored(&io::stderr()), is_journal: journal::reads(io::stderr()) }
    }
}

/// A line of the log, without its line ending. The message comes first; then come the fields, in their order.
#[derive(Debug)]
pub(super) struct LogLine {
    style: LineStyle,
    rendered: String,
    /// Kept between fields for its capacity.
    value: String,
}

/// The name under which `tracing` records the message. In JSON, the message is a field like any other.
const MESSAGE: &str = "message";

impl LogLine {
    /// Renders an event.
    pub(super) fn new(style: LineStyle, at: Timestamp, event: &Event<'_>) -> Self {
        let mut line = Self::start(style, at, *event.metadata().level());
        // The macros of `tracing` record the message before the fields.
        event.record(&mut line);
        line
    }

    /// Renders a line without fields.
    pub(super) fn with_message(style: LineStyle, at: Timestamp, level: Level, message: &str) -> Self {
        let mut line = Self::start(style, at, level);
        line.push_text(MESSAGE, message);
        line
    }

    /// Appends a field with a text.
    pub(super) fn with_text(mut self, key: &str, value: &str) -> Self {
        self.push_text(key, value);
        self
    }

    /// Appends a field with a number.
    pub(super) fn with_number(mut self, key: &str, value: u64) -> Self {
        self.push_literal(key, value);
        self
    }

    /// The rendered line, with a line ending.
    pub(super) fn finish(mut self) -> String {
        if self.style.format == LogFormat::Json {
            self.rendered.push('}');
        }
        self.rendered.push('\n');
        self.rendered
    }

    /// Begins a line: `TIME LEVEL` with the local time, or the start of a JSON object (RFC 8259) with the time in UTC. For the journal, a
    /// priority comes first, and text has no time.
    fn start(style: LineStyle, at: Timestamp, level: Level) -> Self {
        let mut line = Self { style, rendered: String::with_capacity(LINE_BYTES), value: String::new() };
        if style.is_journal {
            line.rendered.push_str(priority(level));
        }
        match style.format {
            // The journal has the time of each line.
            LogFormat::Text if style.is_journal => line.rendered.push_str(level.as_str()),
            LogFormat::Text => {
                let time = at.utc().with_timezone(&Local).to_rfc3339_opts(SecondsFormat::Millis, false);
                line.push_painted(Style::new().dimmed(), format_args!("{time}"));
                line.rendered.push(' ');
                line.push_painted(color(level).normal(), format_args!("{:>5}", level.as_str()));
            }
            LogFormat::Json => {
                let level = LevelFilter::from_level(level);
                push_formatted(&mut line.rendered, format_args!(r#"{{"time":"{at}","level":"{level}""#));
            }
        }
        line
    }

    /// Appends a number, `true`, `false` or `null`.
    fn push_literal(&mut self, key: &str, value: impl fmt::Display) {
        self.push_key(key);
        push_formatted(&mut self.rendered, format_args!("{value}"));
    }

    fn push_text(&mut self, key: &str, value: &str) {
        self.push_key(key);
        match self.style.format {
            LogFormat::Text if key == MESSAGE => push_shown(&mut self.rendered, value),
            LogFormat::Text => push_text_value(&mut self.rendered, value),
            LogFormat::Json => push_json_string(&mut self.rendered, value),
        }
    }

    fn push_key(&mut self, key: &str) {
        match self.style.format {
            LogFormat::Text => {
                self.rendered.push(' ');
                if key != MESSAGE {
                    self.push_painted(Style::new().dimmed(), format_args!("{key}="));
                }
            }
            LogFormat::Json => {
                self.rendered.push(',');
                push_json_string(&mut self.rendered, key);
                self.rendered.push(':');
            }
        }
    }

    fn push_painted(&mut self, style: Style, text: fmt::Arguments<'_>) {
        if self.style.is_colored {
            let (prefix, suffix) = (style.prefix(), style.suffix());
            push_formatted(&mut self.rendered, format_args!("{prefix}{text}{suffix}"));
        } else {
            push_formatted(&mut self.rendered, text);
        }
    }
}

impl Visit for LogLine {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = std::mem::take(&mut self.value);
        text.clear();
        push_formatted(&mut text, format_args!("{value:?}"));
        self.push_text(field.name(), &text);
        self.value = text;
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push_text(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push_literal(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push_literal(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push_literal(field.name(), value);
    }

    /// Infinity stands for "no limit". JSON has neither infinity nor NaN; `JSON.stringify` writes `null` for them, too.
    fn record_f64(&mut self, field: &Field, value: f64) {
        match self.style.format {
            _ if value.is_finite() => self.push_literal(field.name(), value),
            LogFormat::Text => self.push_literal(field.name(), "none"),
            LogFormat::Json => self.push_literal(field.name(), "null"),
        }
    }
}

/// The capacity with which a line starts; most lines fit.
const LINE_BYTES: usize = 256;

/// The priority of a line in the journal.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => journal::ERROR,
        Level::WARN => journal::WARNING,
        Level::INFO => journal::INFO,
        _ => journal::DEBUG,
    }
}

fn color(level: Level) -> Color {
    match level {
        Level::ERROR => Color::Red,
        Level::WARN => Color::Yellow,
        Level::INFO => Color::Green,
        _ => Color::Blue,
    }
}

/// Whether a reader sees this character. False for control characters, combining marks and all that [`is_invisible`], such as direction
/// marks.
fn is_shown(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.escape_debug().len() == 1 && !is_invisible(c))
}

fn push_formatted(to: &mut String, text: fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = to.write_fmt(text);
}

/// Appends an escaped character, as in Rust.
fn push_escaped(to: &mut String, c: char) {
    if c.is_ascii() { to.extend(c.escape_debug()) } else { to.extend(c.escape_unicode()) }
}

/// Appends a text. A control character, or one that a reader does not see, is escaped as in Rust.
pub(in crate::server) fn push_shown(to: &mut String, text: &str) {
    for c in text.chars() {
        if is_shown(c) { to.push(c) } else { push_escaped(to, c) }
    }
}

/// Appends a value as it is if it is one plain word; otherwise in quotes, escaped as in Rust.
fn push_text_value(to: &mut String, value: &str) {
    let is_word = |c| is_shown(c) && !matches!(c, ' ' | '=' | '"' | '\\');
    if !value.is_empty() && value.chars().all(is_word) {
        *to += value;
        return;
    }
    to.push('"');
    for c in value.chars() {
        if is_shown(c) && c != '"' && c != '\\' { to.push(c) } else { push_escaped(to, c) }
    }
    to.push('"');
}

/// Appends a JSON string (RFC 8259, section 7). A library would leave DEL, C1 controls and direction marks as they are.
pub fn push_json_string(to: &mut String, text: &str) {
    to.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            to.extend(['\\', c]);
        } else if is_shown(c) {
            to.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                push_formatted(to, format_args!("\\u{unit:04x}"));
            }
        }
    }
    to.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// A line with these fields, without its line ending.
    fn render(format: LogFormat, is_colored: bool, fields: &[(&str, &str)]) -> String {
        let line = LogLine::with_message(
            LineStyle { format, is_colored, ..LineStyle::default() },
            Timestamp(0),
            Level::INFO,
            "joined",
        );
        let line = fields.iter().fold(line, |line, (key, value)| line.with_text(key, value)).finish();
        line.strip_suffix('\n').expect("a line ending").to_owned()
    }

    /// The fields of a text line, read by its rules alone.
    fn read_fields(mut rest: &str) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        while let Some((key, value)) = rest.split_once('=') {
            let (value, after) = match value.strip_prefix('"') {
                None => {
                    value.split_once(' ').map_or((value.to_owned(), ""), |(value, after)| (value.to_owned(), after))
                }
                Some(quoted) => {
                    let (mut value, mut chars) = (String::new(), quoted.chars());
                    loop {
                        match chars.next().expect("a closing quote") {
                            '"' => break,
                            '\\' => value.push(match chars.next().expect("an escape") {
                                'u' => {
                                    let (digits, after) = chars.as_str()[1..].split_once('}').expect("a code point");
                                    chars = after.chars();
                                    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).expect("a character")
                                }
                                'n' => '\n',
                                'r' => '\r',
                                't' => '\t',
                                '0' => '\0',
                                c => c,
                            }),
                            c => value.push(c),
                        }
                    }
                    (value, chars.as_str().strip_prefix(' ').unwrap_or(chars.as_str()))
                }
            };
            fields.push((key.to_owned(), value));
            rest = after;
        }
        assert_eq!(rest, "");
        fields
    }

    /// Whether a terminal or a viewer acts on the character instead of showing it. On purpose not the log's own rule.
    fn is_obeyed(c: char) -> bool {
        matches!(c, '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}')
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    }

    #[track_caller]
    fn check(value: &str) {
        let fields = [("nick", value), ("reason", "quit")];
        let text = render(LogFormat::Text, false, &fields);
        let json = render(LogFormat::Json, false, &fields);
        assert!(!text.contains(is_obeyed) && !json.contains(is_obeyed), "{text:?} {json:?}");
        let (_, fields) = text.split_once(" joined ").unwrap();
        let expected = [("nick", value), ("reason", "quit")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(read_fields(fields), expected);
        let object = serde_json::from_str::<Value>(&json).unwrap_or_else(|error| panic!("{error} in {json:?}"));
        assert_eq!((&object["nick"], &object["reason"]), (&value.into(), &"quit".into()), "{json}");
        assert_eq!(object.as_object().unwrap().len(), 5, "{json}");
    }

    #[test]
    fn any_value_is_read_back_and_forges_nothing() {
        for value in [
            "",
            " ",
            "a reason=lost",
            "a\" reason=\"lost",
            "a\\\" reason=lost",
            "\\",
            "a\n2026-11-29T12:34:35.046+00:00  INFO joined nick=root",
            "a\"}\n{\"level\":\"error\"}",
            "\x1b[2J",
            "\\u{1b}",
            "\u{202e}evil",
            "\u{1f600} zoe\u{308}",
        ] {
            check(value);
        }
        let mut points = ('\0'..=char::MAX).peekable();
        while points.peek().is_some() {
            check(&points.by_ref().take(1000).collect::<String>());
        }
        ('\0'..='\u{300}').for_each(|c| check(&c.to_string()));
    }

    #[test]
    fn plain_words_are_not_quoted() {
        let fields = [("nick", "zoë"), ("address", "[::1]:9999"), ("reason", "it's quit")];
        let text = render(LogFormat::Text, false, &fields);
        assert!(text.ends_with("  INFO joined nick=zoë address=[::1]:9999 reason=\"it's quit\""), "{text}");
    }

    /// The journal has the time, and reads the priority from the prefix of each line.
    #[test]
    fn line_for_the_journal_has_its_priority() {
        let style = LineStyle { is_journal: true, ..LineStyle::default() };
        let render = |style, level| LogLine::with_message(style, Timestamp(0), level, "x").finish();
        for (level, line) in [
            (Level::ERROR, "<3>ERROR x\n"),
            (Level::WARN, "<4>WARN x\n"),
            (Level::INFO, "<6>INFO x\n"),
            (Level::DEBUG, "<7>DEBUG x\n"),
        ] {
            assert_eq!(render(style, level), line);
        }
        let json = LineStyle { format: LogFormat::Json, ..style };
        let line = "<4>{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warn\",\"message\":\"x\"}\n";
        assert_eq!(render(json, Level::WARN), line);
    }

    #[test]
    fn only_text_is_colored() {
        let text = render(LogFormat::Text, true, &[("nick", "ann")]);
        assert!(text.contains("\x1b[32m INFO\x1b[0m joined \x1b[2mnick=\x1b[0mann"), "{text:?}");
        let json = r#"{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"joined","nick":"ann"}"#;
        assert_eq!(render(LogFormat::Json, true, &[("nick", "ann")]), json);
    }

    #[test]
    fn invisible_characters_are_escaped() {
        // Soft hyphen, Mongolian vowel separator, joiner, blank of Braille, Hangul filler, byte order mark, tag.
        for c in ['\u{ad}', '\u{180e}', '\u{200d}', '\u{2800}', '\u{3164}', '\u{feff}', '\u{e0020}'] {
            let value = format!("a{c}b");
            let text = render(LogFormat::Text, false, &[("nick", &value)]);
            assert!(text.ends_with(&format!(" nick=\"a{}b\"", c.escape_unicode())), "{text:?}");
            let json = render(LogFormat::Json, false, &[("nick", &value)]);
            assert!(json.is_ascii(), "{json:?}");
        }
    }
}
