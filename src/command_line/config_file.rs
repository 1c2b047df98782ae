//! The configuration file of `--config`: TOML, whose sections are headings of the help, and whose keys are options without their hyphens.
//! argh checks the values, as it does on the command line.

use std::ops::Range;
use std::path::Path;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};
use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

use super::given_options::{GivenOption, GivenValue};
use super::{CommandLine, OptionGroup, format_size, nearest, quoted};
use crate::limits::CONFIG_FILE_BYTES_MAX;
use crate::process::{SmallFile, SmallFileError, error_text, quoted_path};

/// An error in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfigError {
    /// `None`: the error is about the whole file.
    pub(super) line: Option<usize>,
    /// The option whose value is wrong, if there is one.
    pub(super) option: Option<&'static str>,
    pub(super) text: String,
}

/// Reads a configuration file. Returns its options, in their order, and the errors.
pub(super) fn read(
    path: &Path,
    info: &CommandInfoWithArgs,
    command_line: &CommandLine,
) -> (Vec<GivenOption>, Vec<ConfigError>) {
    let shown = quoted_path(path);
    let text = match SmallFile::read(path, CONFIG_FILE_BYTES_MAX) {
        Ok(file) => return parse(&file.content, info, command_line),
        Err(SmallFileError::Unreadable(error)) => {
            format!("cannot read the configuration file {shown}: {}", error_text(&error))
        }
        Err(SmallFileError::NotAFile(found)) => {
            format!("cannot read the configuration file {shown}: it is {found}; expected a file")
        }
        Err(SmallFileError::TooLong) => {
            let most = format_size(CONFIG_FILE_BYTES_MAX);
            format!("the configuration file {shown} is too long: expected at most {most}")
        }
    };
    (Vec::new(), vec![ConfigError { line: None, option: None, text }])
}

/// Parses the content of a configuration file.
fn parse(
    content: &[u8],
    info: &CommandInfoWithArgs,
    command_line: &CommandLine,
) -> (Vec<GivenOption>, Vec<ConfigError>) {
    let lines = Lines::of(content);
    let content = match str::from_utf8(content) {
        Ok(content) => content,
        Err(error) => {
            let error = ConfigError::at(lines.number(error.valid_up_to()), "invalid text: expected UTF-8".to_owned());
            return (Vec::new(), vec![error]);
        }
    };
    let (document, errors) = DeTable::parse_recoverable(content);
    if errors.is_empty() {
        let mut reader = Reader { info, command_line, lines, options: Vec::new(), errors: Vec::new() };
        reader.read_document(document.get_ref());
        return (reader.options, reader.errors);
    }
    let explain = |error: &toml::de::Error| {
        let span = error.span().unwrap_or_default();
        let text = match (error.message(), content.get(span.clone())) {
            ("duplicate key", Some(key)) => format!("{} is given twice: expected once", quoted(key)),
            (message, _) => format!("invalid TOML: {message}"),
        };
        ConfigError::at(lines.number(span.start), text)
    };
    let mut errors: Vec<_> = errors.iter().map(explain).collect();
    errors.sort_by_key(|error| error.line);
    // Further errors in a line follow from the first one.
    errors.dedup_by_key(|error| error.line);
    (Vec::new(), errors)
}

impl ConfigError {
    fn at(line: usize, text: String) -> Self {
        Self { line: Some(line), option: None, text }
    }
}

/// The lines of a file, to find the number of a line.
struct Lines(Vec<usize>);

impl Lines {
    fn of(content: &[u8]) -> Self {
        let ends = content.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self(ends.map(|(offset, _)| offset).collect())
    }

    /// The number of the line with this byte, from 1 on.
    fn number(&self, offset: usize) -> usize {
        1 + self.0.partition_point(|end| *end < offset)
    }
}

/// Reads the options of a document.
struct Reader<'a> {
    info: &'a CommandInfoWithArgs,
    command_line: &'a CommandLine,
    lines: Lines,
    options: Vec<GivenOption>,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    fn read_document(&mut self, document: &DeTable<'_>) {
        for (key, value) in in_order(document) {
            let line = self.line(key.span());
            let name: &str = key.get_ref();
            let section = self.command_line.config_groups().find(|group| group.section() == name);
            match (section, value.get_ref()) {
                (Some(group), DeValue::Table(keys)) => self.read_section(group, keys),
                (Some(_), _) => self.refuse(line, format!("{name} is a section: expected [{name}]")),
                (None, DeValue::Table(_)) => self.refuse(line, self.explain_unknown_section(name)),
                (None, _) => self.refuse(line, self.explain_unknown_key(name, None)),
            }
        }
    }

    fn read_section(&mut self, group: &OptionGroup, keys: &DeTable<'_>) {
        for (key, value) in in_order(keys) {
            let line = self.line(key.span());
            let name: &str = key.get_ref();
            let flags = group.flags_in(self.info);
            match flags.into_iter().find(|flag| flag.long.strip_prefix("--") == Some(name)) {
                Some(flag) => self.read_option(flag, line, value),
                None => self.refuse(line, self.explain_unknown_key(name, Some(group))),
            }
        }
    }

    fn read_option(&mut self, flag: &FlagInfo<'static>, line: usize, value: &Spanned<DeValue<'_>>) {
        let expected = match (&flag.kind, &flag.optionality, value.get_ref()) {
            (FlagInfoKind::Switch, _, DeValue::Boolean(is_on)) => {
                self.options.push(GivenOption { name: flag.long, value: GivenValue::Switch(*is_on), line: Some(line) });
                return;
            }
            (FlagInfoKind::Switch, ..) => "expected true or false",
            (_, Optionality::Repeating, DeValue::Array(values)) if values.is_empty() => {
                let error =
                    format!("invalid {}: the array is empty; expected a value (or remove the key)", shown(flag));
                return self.refuse_value(flag, line, error);
            }
            (_, Optionality::Repeating, DeValue::Array(values)) => {
                for value in values {
                    self.read_value(flag, self.line(value.span()), value.get_ref(), "expected strings in the array");
                }
                return;
            }
            (_, Optionality::Repeating, _) => "expected a string or an array of strings",
            _ => "expected a string or a number",
        };
        self.read_value(flag, line, value.get_ref(), expected);
    }

    /// Reads a string or a number.
    fn read_value(&mut self, flag: &FlagInfo<'static>, line: usize, value: &DeValue<'_>, expected: &str) {
        let found = match (&flag.kind, text_of(value)) {
            (FlagInfoKind::Option { .. }, Some(text)) if text.contains('\0') => "a character NUL",
            (FlagInfoKind::Option { .. }, Some(text)) => {
                self.options.push(GivenOption { name: flag.long, value: GivenValue::Text(text), line: Some(line) });
                return;
            }
            _ => kind_of(value),
        };
        self.refuse_value(flag, line, format!("invalid {}: {expected}, found {found}", shown(flag)));
    }

    fn line(&self, span: Range<usize>) -> usize {
        self.lines.number(span.start)
    }

    fn refuse(&mut self, line: usize, text: String) {
        self.errors.push(ConfigError::at(line, text));
    }

    fn refuse_value(&mut self, flag: &FlagInfo<'static>, line: usize, text: String) {
        self.errors.push(ConfigError { line: Some(line), option: Some(flag.long), text });
    }

    fn explain_unknown_section(&self, name: &str) -> String {
        let sections: Vec<_> = self.command_line.config_groups().map(OptionGroup::section).collect();
        let hint = match nearest(name, sections.iter().map(String::as_str)) {
            Some(section) => format!("did you mean [{section}]?"),
            None => format!("expected one of [{}]", sections.join("], [")),
        };
        format!("unknown section {}; {hint}", quoted(name))
    }

    /// Explains a key that the section does not have. `section` is `None` outside of the sections.
    fn explain_unknown_key(&self, name: &str, section: Option<&OptionGroup>) -> String {
        if let Some(text) = self.explain_absent_key(name, section) {
            return text;
        }
        let unknown = format!("unknown key {}", quoted(name));
        let place = section.map_or("outside a section".to_owned(), |group| format!("in [{}]", group.section()));
        let keys = |group: &OptionGroup| group.flags_in(self.info).into_iter().map(shown);
        let known: Vec<_> = self.command_line.config_groups().flat_map(keys).collect();
        if known.contains(&name) {
            return format!("{unknown} {place}; expected {}", self.with_section(name, section));
        }
        match (nearest(name, known.into_iter()), section) {
            (Some(key), _) => format!("{unknown}; did you mean {}?", self.with_section(key, section)),
            (None, Some(group)) => {
                format!("{unknown} {place}; expected one of {}", keys(group).collect::<Vec<_>>().join(", "))
            }
            (None, None) => format!("{unknown} {place}; expected a section, such as [{}]", self.first_section()),
        }
    }

    /// Explains a key that is an option, but not one of the file, or not one of this program. `None` for other keys.
    fn explain_absent_key(&self, name: &str, section: Option<&OptionGroup>) -> Option<String> {
        let option = format!("--{name}");
        let unknown = format!("unknown key {}", quoted(name));
        let is_in_a_section = self.command_line.config_groups().any(|group| group.options.contains(&option.as_str()));
        if option == "--help" || self.info.flags.iter().any(|flag| flag.long == option) && !is_in_a_section {
            return Some(format!("{unknown}: {option} is for the command line only"));
        }
        if let Some(renamed) = self.command_line.renamed.iter().find(|renamed| renamed.old == option) {
            let (new, form) = renamed.new.split_once(' ').unwrap_or((renamed.new, ""));
            let form = if form.is_empty() { String::new() } else { format!("; as an option: {}", renamed.new) };
            return Some(format!("{unknown}; use {}{form}", self.with_section(new.trim_start_matches('-'), section)));
        }
        let feature = self.command_line.absent_feature(&option).filter(|_| is_in_a_section)?;
        Some(format!("{name} {}", self.command_line.needs_feature(feature.name)))
    }

    /// A key, with its section if that is not `section`: `history in [messages]`.
    fn with_section(&self, key: &str, section: Option<&OptionGroup>) -> String {
        let option = format!("--{key}");
        let group = self.command_line.config_groups().find(|group| group.options.contains(&option.as_str()));
        match group.filter(|group| section.is_none_or(|section| section.heading != group.heading)) {
            Some(group) => format!("{key} in [{}]", group.section()),
            None => key.to_owned(),
        }
    }

    fn first_section(&self) -> String {
        self.command_line.config_groups().next().map(OptionGroup::section).unwrap_or_default()
    }
}

/// The keys and values of a table, in the order of the file.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<(&'a Spanned<DeString<'i>>, &'a Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The key of an option.
fn shown(flag: &FlagInfo<'static>) -> &'static str {
    flag.long.trim_start_matches('-')
}

/// A string or a number as it would be on the command line.
fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(decimal(number)),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

/// An integer in decimal digits.
fn decimal(number: &DeInteger<'_>) -> String {
    let value = u128::from_str_radix(number.as_str(), number.radix());
    value.map_or_else(|_| number.to_string(), |value| value.to_string())
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or a time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests;
