//! One line of the log: a time, a level, a message and fields, rendered as text or as a JSON object.
//!
//! The message is constant; the fields hold everything that varies, including bytes from clients. With any bytes, a line stays one line, no
//! value looks like another field, and no character controls a terminal.

use std::fmt::{Debug, Write as _};

use chrono::{Local, SecondsFormat};
use nu_ansi_term::{Color, Style};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::LogFormat;
use crate::protocol::Timestamp;

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogLine {
    at: Timestamp,
    level: Level,
    message: String,
    fields: Vec<(&'static str, FieldValue)>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FieldValue {
    /// A number, `true` or `false`: the same in both formats.
    Literal(String),
    Text(String),
}

impl LogLine {
    /// Collects the message and the fields of an event.
    pub(super) fn new(at: Timestamp, event: &Event<'_>) -> Self {
        let mut line = Self { at, level: *event.metadata().level(), message: String::new(), fields: Vec::new() };
        event.record(&mut line);
        line
    }

    /// A line with one field, without an event.
    pub(super) fn with_field(at: Timestamp, level: Level, message: &str, key: &'static str, value: &str) -> Self {
        let fields = vec![(key, FieldValue::Text(value.to_owned()))];
        Self { at, level, message: message.to_owned(), fields }
    }

    /// Renders the line, without a line ending. Only text is ever colored.
    pub(super) fn render(&self, format: LogFormat, is_colored: bool) -> String {
        let mut rendered = String::new();
        match format {
            LogFormat::Text => self.render_text(&mut rendered, is_colored),
            LogFormat::Json => self.render_json(&mut rendered),
        }
        rendered
    }

    /// Renders `TIME LEVEL message key=value key="other value"`, with the local time.
    fn render_text(&self, to: &mut String, is_colored: bool) {
        let style = |style: Style| if is_colored { style } else { Style::new() };
        let time = self.at.utc().with_timezone(&Local).to_rfc3339_opts(SecondsFormat::Millis, false);
        *to += &style(Style::new().dimmed()).paint(time).to_string();
        let level = format!("{:>5}", self.level.as_str());
        *to += &format!(" {} ", style(color(self.level).normal()).paint(level));
        push_shown(to, &self.message);
        for (key, value) in &self.fields {
            *to += &format!(" {}", style(Style::new().dimmed()).paint(format!("{key}=")));
            match value {
                FieldValue::Literal(value) => *to += value,
                FieldValue::Text(value) => push_text_value(to, value),
            }
        }
    }

    /// Renders a JSON object (RFC 8259), with the time in UTC.
    fn render_json(&self, to: &mut String) {
        let (time, level) = (self.at, self.level.as_str().to_ascii_lowercase());
        *to += &format!(r#"{{"time":"{time}","level":"{level}","message":"#);
        push_json_string(to, &self.message);
        for (key, value) in &self.fields {
            to.push(',');
            push_json_string(to, key);
            to.push(':');
            match value {
                FieldValue::Literal(value) => *to += value,
                FieldValue::Text(value) => push_json_string(to, value),
            }
        }
        to.push('}');
    }

    fn push_literal(&mut self, field: &Field, value: &impl ToString) {
        self.fields.push((field.name(), FieldValue::Literal(value.to_string())));
    }
}

impl Visit for LogLine {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.fields.push((field.name(), FieldValue::Text(value.to_owned())));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push_literal(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push_literal(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push_literal(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity and no NaN.
        if value.is_finite() { self.push_literal(field, &value) } else { self.record_debug(field, &value) }
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

/// Whether a terminal shows this character as itself. False for control characters, line separators, direction marks and the like.
fn is_shown(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.escape_debug().len() == 1)
}

fn push_shown(to: &mut String, text: &str) {
    for c in text.chars() {
        if is_shown(c) { to.push(c) } else { to.extend(c.escape_debug()) }
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
        if is_shown(c) && c != '"' && c != '\\' { to.push(c) } else { to.extend(c.escape_debug()) }
    }
    to.push('"');
}

/// Appends a JSON string (RFC 8259, section 7). A library would leave DEL, C1 controls and direction marks as they are.
fn push_json_string(to: &mut String, text: &str) {
    to.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            to.extend(['\\', c]);
        } else if is_shown(c) {
            to.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(to, "\\u{unit:04x}");
            }
        }
    }
    to.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn line(fields: &[(&'static str, &str)]) -> LogLine {
        let fields = fields.iter().map(|&(key, value)| (key, FieldValue::Text(value.to_owned()))).collect();
        LogLine { at: Timestamp(0), level: Level::INFO, message: "joined".to_owned(), fields }
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

    /// Whether a terminal acts on the character instead of showing it. On purpose not the log's own rule.
    fn is_obeyed(c: char) -> bool {
        matches!(c, '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    }

    #[track_caller]
    fn check(value: &str) {
        let line = line(&[("nick", value), ("reason", "quit")]);
        let text = line.render(LogFormat::Text, false);
        let json = line.render(LogFormat::Json, false);
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
        let text =
            line(&[("nick", "zoë"), ("address", "[::1]:9999"), ("reason", "it's quit")]).render(LogFormat::Text, false);
        assert!(text.ends_with("  INFO joined nick=zoë address=[::1]:9999 reason=\"it's quit\""), "{text}");
    }

    #[test]
    fn only_text_is_colored() {
        let line = line(&[("nick", "ann")]);
        assert!(line.render(LogFormat::Text, true).contains("\x1b[32m INFO\x1b[0m joined \x1b[2mnick=\x1b[0mann"));
        let json = r#"{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"joined","nick":"ann"}"#;
        assert_eq!(line.render(LogFormat::Json, true), json);
    }
}
