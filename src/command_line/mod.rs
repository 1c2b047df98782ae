//! The command lines of both programs: [`parse`] sorts the words, adds the options of the configuration file that `--config` names, has
//! argh parse all, and prints `--help` and errors. [`parse_again`] does it while the program runs, and prints nothing. The other functions
//! parse and format values. The programs define their options.

#[cfg(feature = "config")]
mod config_file;
#[cfg(feature = "config")]
mod config_text;
mod given_options;
mod help;
mod parse;
mod server_address;
mod sorted_arguments;
#[cfg(all(test, feature = "config"))]
mod trial;
mod units;

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::ops::{Bound, RangeBounds};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

pub use self::given_options::GivenOptions;
pub use self::help::OptionGroup;
pub use self::parse::{OptionError, Parsed, parse, parse_again};
pub use self::server_address::parse_server;
pub use self::units::{
    count_with_unit, duration_with_unit, format_duration, format_size, parse_duration, parse_seconds, parse_size,
    size_with_unit,
};
use crate::limits::{ERROR_WRITE_MS_MAX, SHOWN_VALUE_CHARS_MAX};
use crate::process::{error_text, write_line};

/// The exit code after an error in the command line, as in most programs.
pub const EXIT_USAGE: u8 = 2;

/// The command line of a program, as errors and `--help` describe it in addition to the descriptions of its options.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandLine {
    /// The name of the program.
    pub program: &'static str,
    /// The arguments in the usage line of the program without a command.
    pub usage: &'static str,
    /// An option, as an error shows it about a word that is not one.
    pub example: &'static str,
    /// The features that add options.
    pub features: &'static [Feature],
    /// The options that have another name now, or that users expect under another name.
    pub renamed: &'static [RenamedOption],
    /// The headings of the help.
    pub groups: &'static [OptionGroup],
    /// The headings whose options the file of `--config` can have, each in a section: `Control socket` is `[control-socket]`.
    pub config_sections: &'static [&'static str],
}

/// An option that an earlier version or another program calls by another name.
#[derive(Clone, Copy, Debug)]
pub struct RenamedOption {
    /// The name that is refused.
    pub old: &'static str,
    /// The option to use instead, with the form of its value if that is new.
    pub new: &'static str,
}

/// A Cargo feature of a program, and the options that it adds.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// Its name in Cargo.
    pub name: &'static str,
    /// Whether this program is built with it.
    pub is_built: bool,
    /// Its options, with the hyphens.
    pub options: &'static [&'static str],
}

/// Prints a text to standard output. Returns the exit code: 0 on success, and even if the reader has closed the pipe.
pub fn print_output(program: &str, text: &str) -> ExitCode {
    match write_line(io::stdout(), text, None) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            print_error(program, &format!("cannot write to standard output: {}", error_text(&error)));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Prints an error in the command line, in one line, with a reference to the `--help` of `command` or, if that is empty, of the program.
/// Returns the exit code.
pub fn print_usage_error(program: &str, command: &str, what: &str) -> ExitCode {
    let separator = if command.is_empty() { "" } else { " " };
    print_error(program, &format!("{what}; see {program}{separator}{command} --help"));
    ExitCode::from(EXIT_USAGE)
}

/// Prints an error to standard error, in one line. Gives up if standard error accepts nothing within [`ERROR_WRITE_MS_MAX`].
pub fn print_error(program: &str, what: &str) {
    let line = format!("{program}: {}", escaped(what.chars()));
    // If this fails, the exit code still reports the error.
    let _ = write_line(io::stderr(), &line, Some(Duration::from_millis(ERROR_WRITE_MS_MAX)));
}

/// Formats a value for an error: in quotes, shortened, safe for a terminal.
pub fn quoted(value: &str) -> String {
    let mut chars = value.chars();
    let start = escaped(chars.by_ref().take(SHOWN_VALUE_CHARS_MAX));
    format!("\"{start}{}\"", if chars.next().is_some() { "…" } else { "" })
}

/// Makes lines of another program safe for a terminal: escapes characters as [`quoted`] does, except for the line endings.
pub fn shown_lines(text: &str) -> String {
    text.split('\n').map(|line| escaped(line.chars())).collect::<Vec<_>>().join("\n")
}

/// Escapes control characters and invisible characters; leaves quotes as they are.
fn escaped(chars: impl Iterator<Item = char>) -> String {
    let escape = |c: char| match c {
        '"' | '\'' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    chars.map(escape).collect()
}

impl CommandLine {
    /// Explains an unknown option that was renamed, or that belongs to a feature which is not built. `None` for other options.
    fn explain_absent(&self, option: &str) -> Option<String> {
        if let Some(renamed) = self.renamed.iter().find(|renamed| renamed.old == option) {
            return Some(format!("unknown option {}; use {}", quoted(option), renamed.new));
        }
        Some(format!("{option} {}", self.needs_feature(self.absent_feature(option)?.name)))
    }

    /// The groups whose options a configuration file can have.
    #[cfg(feature = "config")]
    fn config_groups(&self) -> impl Iterator<Item = &'static OptionGroup> + Clone + use<> {
        let sections = self.config_sections;
        self.groups.iter().filter(|group| sections.contains(&group.heading))
    }

    /// The feature that has this option and is not built.
    fn absent_feature(&self, option: &str) -> Option<&'static Feature> {
        self.features.iter().find(|feature| !feature.is_built && feature.options.contains(&option))
    }

    /// The rest of an error about an option or a value that needs this feature, which is not built.
    pub fn needs_feature(&self, feature: &str) -> String {
        let program = self.program;
        format!(
            "needs the feature {feature}, and this {program} was built without it; build one that has it: \
             cargo build --release --bin {program} --features {feature}"
        )
    }
}

/// The candidate most similar to this word: it begins with the word, or differs from it by at most a third of the letters.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| word.trim_start_matches('-').to_lowercase().replace('_', "-");
    let word = plain(word);
    let distance = |candidate: &'a str| {
        let other = plain(candidate);
        let is_start = word.len() >= 3 && other.starts_with(&word);
        let distance = if is_start { 0 } else { strsim::damerau_levenshtein(&word, &other) };
        (distance <= 1.max(word.len() / 3)).then_some((distance, candidate))
    };
    candidates.filter_map(distance).min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Whether to write to `output` in colour: if it is a terminal, unless `NO_COLOR` is set (no-color.org) or `TERM` is `dumb`, empty or not
/// set.
pub fn is_colored(output: &impl IsTerminal) -> bool {
    let is_plain = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    output.is_terminal() && !is_plain && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Parses `auto`, `always` or `never` to whether standard output is written in colour. `auto` decides by [`is_colored`].
///
/// # Errors
///
/// Another word. The error has the expected ones.
pub fn parse_color(raw: &str) -> Result<bool, String> {
    match raw {
        "auto" => Ok(is_colored(&io::stdout())),
        "always" => Ok(true),
        "never" => Ok(false),
        _ => Err("expected auto, always or never".to_owned()),
    }
}

/// Parses a number within a range; `what` describes it, such as "a number of seconds".
///
/// # Errors
///
/// Not a number, or out of range. The error has the expected numbers.
pub fn parse_number<N: FromStr + PartialOrd + Display>(
    raw: &str,
    range: impl RangeBounds<N>,
    what: &str,
) -> Result<N, String> {
    // Rust's parser also accepts +1.
    let number = raw.parse().ok().filter(|number| range.contains(number) && !raw.starts_with('+'));
    number.ok_or_else(|| match (range.start_bound(), range.end_bound()) {
        (Bound::Included(first), Bound::Included(last)) => format!("expected {what} from {first} to {last}"),
        (Bound::Included(first), _) => format!("expected {what}, {first} or more"),
        _ => format!("expected {what}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_values_are_short_and_safe() {
        assert_eq!(quoted("a b\x1b[2J\u{202e}\n'"), r#""a b\u{1b}[2J\u{202e}\n'""#);
        assert_eq!(quoted(&"x".repeat(100)), format!("\"{}…\"", "x".repeat(SHOWN_VALUE_CHARS_MAX)));
    }
}
