//! Reads the command lines of both programs, and explains errors in them.

mod server;
mod words;

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::ops::{Bound, RangeBounds};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use argh::{ArgsInfo, TopLevelCommand};

pub use self::server::parse_server;
use self::words::Words;
use crate::limits::{ERROR_WRITE_MS_MAX, SHOWN_VALUE_CHARS_MAX};
use crate::process::{reason, write_line};

/// The exit code after a wrong command line, as with most programs.
pub const EXIT_USAGE: u8 = 2;

/// A part of a program that can be left out when it is built, and the options that it adds.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// Its name for Cargo.
    pub name: &'static str,
    /// Whether this program has it.
    pub is_built: bool,
    /// Its options, as they are given.
    pub options: &'static [&'static str],
}

/// The arguments of the program of that name, whose options depend on these features.
///
/// # Errors
///
/// The exit code: 0 after `--help`, 1 if standard output does not accept the help, 2 after an error. The user has already been
/// told.
pub fn parse<Arguments: TopLevelCommand + ArgsInfo>(
    program: &str,
    features: &[Feature],
) -> Result<Arguments, ExitCode> {
    let absent = |name: &str| absent(name, program, features);
    let mut words = Words::default();
    let info = Arguments::get_args_info();
    let sorted = words.sort(env::args_os().skip(1), &info, absent);
    let command = words.command.unwrap_or_default();
    if words.is_help {
        if let Some(what) = words.wrong_topic(&info) {
            return Err(refuse(program, command, &what));
        }
        let asked = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>();
        let help = Arguments::from_args(&[program], &asked).err().map(|exit| exit.output);
        return Err(print(program, help.unwrap_or_default().trim_end()));
    }
    sorted.map_err(|what| refuse(program, command, &what))?;
    let parsed = Arguments::from_args(&[program], &words.all());
    parsed.map_err(|exit| refuse(program, command, &words.explain(&exit.output)))
}

/// Prints to standard output, and returns the exit code for that. A reader that has closed the pipe counts as success.
pub fn print(program: &str, text: &str) -> ExitCode {
    match write_line(io::stdout(), text, None) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say_error(program, &format!("cannot write to standard output: {}", reason(&error)));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Reports a wrong command line in one line, refers to the `--help` of the command (empty: of the program), and returns the exit
/// code.
pub fn refuse(program: &str, command: &str, what: &str) -> ExitCode {
    let separator = if command.is_empty() { "" } else { " " };
    say_error(program, &format!("{what}; see {program}{separator}{command} --help"));
    ExitCode::from(EXIT_USAGE)
}

/// Reports on standard error, in one line, why the program ends. Gives up if standard error accepts nothing for a while.
pub fn say_error(program: &str, what: &str) {
    let line = format!("{program}: {}", escaped(what.chars()));
    // If this fails, the exit code still tells of the error.
    let _ = write_line(io::stderr(), &line, Some(Duration::from_millis(ERROR_WRITE_MS_MAX)));
}

/// A value as errors show it: in quotes, shortened, safe for a terminal.
pub fn quoted(value: &str) -> String {
    let mut chars = value.chars();
    let start = escaped(chars.by_ref().take(SHOWN_VALUE_CHARS_MAX));
    format!("\"{start}{}\"", if chars.next().is_some() { "…" } else { "" })
}

/// Escapes control characters and invisible characters; leaves quotes as they are.
fn escaped(chars: impl Iterator<Item = char>) -> String {
    let escape = |c: char| match c {
        '"' | '\'' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    chars.map(escape).collect()
}

/// Reports an option of a feature that this program was built without.
fn absent(name: &str, program: &str, features: &[Feature]) -> Option<String> {
    let feature = features.iter().find(|feature| !feature.is_built && feature.options.contains(&name))?.name;
    Some(format!(
        "{name} needs the feature {feature}, and this {program} was built without it; build one that has it: \
         cargo build --release --bin {program} --features {feature}"
    ))
}

/// The candidate nearest to this word: with the same start, or few other letters.
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

/// Whether to write in colour there: on a terminal, unless `NO_COLOR` is set (no-color.org) or `TERM` is `dumb`, empty or not set.
pub fn is_colored(output: &impl IsTerminal) -> bool {
    let is_plain = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    output.is_terminal() && !is_plain && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether to colour standard output, from `auto` (where that is wanted), `always` or `never`.
///
/// # Errors
///
/// Says which words are expected.
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
/// Says which numbers are expected.
pub fn parse_number<N: FromStr + PartialOrd + Display>(
    raw: &str,
    range: impl RangeBounds<N>,
    what: &str,
) -> Result<N, String> {
    // Rust would accept +1, too.
    let number = raw.parse().ok().filter(|number| range.contains(number) && !raw.starts_with('+'));
    number.ok_or_else(|| match (range.start_bound(), range.end_bound()) {
        (Bound::Included(first), Bound::Included(last)) => format!("expected {what} from {first} to {last}"),
        (Bound::Included(first), _) => format!("expected {what}, {first} or more"),
        _ => format!("expected {what}"),
    })
}

/// A time from seconds, with decimals or without.
///
/// # Errors
///
/// Says which numbers are expected.
pub fn parse_seconds(raw: &str) -> Result<Duration, String> {
    let seconds = raw.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "expected a number of seconds".to_owned())
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
