//! Reads the command lines of both programs, and explains errors in them.

use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::net::Ipv6Addr;
use std::ops::{Bound, RangeBounds};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality, TopLevelCommand};

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
    let explain = |name: &str| absent(name, program, features);
    let words = match Words::sort(env::args_os().skip(1), &Arguments::get_args_info(), explain) {
        Ok(Some(words)) => words,
        Ok(None) => return Err(print_help::<Arguments>(program)),
        Err(what) => return Err(refuse(program, &what)),
    };
    Arguments::from_args(&[program], &words.all()).map_err(|exit| refuse(program, &words.explain(&exit.output)))
}

/// Prints what `--help` prints.
pub fn print_help<Arguments: TopLevelCommand>(program: &str) -> ExitCode {
    let help = Arguments::from_args(&[program], &["--help"]).err().map(|exit| exit.output);
    print(program, help.unwrap_or_default().trim_end())
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

/// Reports a wrong command line in one line, refers to `--help`, and returns the exit code.
pub fn refuse(program: &str, what: &str) -> ExitCode {
    say_error(program, &format!("{what}; see {program} --help"));
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

/// A command line in the order that argh expects: each option in a word of its own, then its value, and all other words at the
/// end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Words {
    /// Options and their values; switches have none.
    options: Vec<(&'static str, Option<String>)>,
    positionals: Vec<String>,
}

impl Words {
    /// Sorts the words. `None` if the user asks for help. `absent` explains an option that this program could have but does not.
    ///
    /// # Errors
    /// Explains the first wrong word.
    fn sort(
        raw: impl Iterator<Item = OsString>,
        info: &CommandInfoWithArgs,
        absent: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, String> {
        let mut sorted = Self::default();
        let mut given = BTreeSet::new();
        let mut raw = raw.map(OsString::into_string).peekable();
        while let Some(word) = raw.next() {
            let word = word.map_err(|bytes| not_utf8("argument", &bytes))?;
            if word == "--" {
                let rest: Result<Vec<_>, _> = raw.collect();
                sorted.positionals.extend(rest.map_err(|bytes| not_utf8("argument", &bytes))?);
                break;
            }
            if !is_option(&word) {
                sorted.positionals.push(word);
                continue;
            }
            let (name, value) = split(&word);
            if ["-h", "--help"].contains(&name) && value.is_none() {
                return Ok(None);
            }
            let option = find(name, info.flags).ok_or_else(|| absent(name).unwrap_or_else(|| unknown(name, info)))?;
            if option.optionality != Optionality::Repeating
                && option.kind != FlagInfoKind::Switch
                && !given.insert(option.long)
            {
                return Err(format!("{} is given twice: expected once", option.long));
            }
            let value = match (&option.kind, value) {
                (FlagInfoKind::Switch, None) => None,
                (FlagInfoKind::Switch, Some(value)) => {
                    return Err(format!("unexpected value {} for {name}: it takes none", quoted(value)));
                }
                (FlagInfoKind::Option { .. }, Some(value)) => Some(value.to_owned()),
                (FlagInfoKind::Option { arg_name }, None) => {
                    let value = raw.next_if(|next| next.as_ref().map_or(true, |next| is_value(next, info.flags)));
                    let missing = || format!("missing value for {name}: expected {name} <{arg_name}>");
                    Some(value.ok_or_else(missing)?.map_err(|bytes| not_utf8(name, &bytes))?)
                }
            };
            sorted.options.push((option.long, value));
        }
        match sorted.positionals.first() {
            Some(word) if word == "help" => Ok(None),
            Some(word) if info.positionals.is_empty() => {
                Err(format!("unexpected argument {}: expected options only", quoted(word)))
            }
            _ => Ok(Some(sorted)),
        }
    }

    /// The words for argh.
    fn all(&self) -> Vec<&str> {
        let options = self.options.iter().flat_map(|(name, value)| [Some(*name), value.as_deref()]).flatten();
        options.chain(["--"]).chain(self.positionals.iter().map(String::as_str)).collect()
    }

    /// Turns argh's text about a value that cannot be parsed into our form.
    fn explain(&self, output: &str) -> String {
        let explain = |(name, value): &(&str, Option<String>)| {
            let value = value.as_deref()?;
            let why = output.strip_prefix(&format!("Error parsing option '{name}' with value '{value}': "))?;
            Some(format!("invalid {name} {}: {}", quoted(value), why.trim_end()))
        };
        self.options.iter().find_map(explain).unwrap_or_else(|| output.trim_end().replace('\n', " "))
    }
}

/// Whether a word looks like an option; `-` alone does not.
fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

/// Whether a word can be the value of the option before it. A word that looks like an option cannot: the value was forgotten.
/// After `=`, any value can be given.
fn is_value(word: &str, known: &[FlagInfo<'static>]) -> bool {
    !word.starts_with("--") && word != "-h" && find(word, known).is_none()
}

/// The name and the value of `--name=value`.
fn split(word: &str) -> (&str, Option<&str>) {
    match word.split_once('=') {
        Some((name, value)) if word.starts_with("--") => (name, Some(value)),
        _ => (word, None),
    }
}

fn find<'a>(name: &str, known: &'a [FlagInfo<'static>]) -> Option<&'a FlagInfo<'static>> {
    let is_short = |short: char| name.strip_prefix('-').is_some_and(|letter| letter.chars().eq([short]));
    known.iter().find(|option| option.long == name || option.short.is_some_and(is_short))
}

/// Reports an option of a feature that this program was built without.
fn absent(name: &str, program: &str, features: &[Feature]) -> Option<String> {
    let feature = features.iter().find(|feature| !feature.is_built && feature.options.contains(&name))?.name;
    Some(format!(
        "{name} needs the feature {feature}, and this {program} was built without it; build one that has it: \
         cargo build --release --bin {program} --features {feature}"
    ))
}

/// Reports an unknown option, and suggests the nearest known one.
fn unknown(name: &str, info: &CommandInfoWithArgs) -> String {
    let hint = match nearest(name, info.flags.iter().map(|option| option.long)) {
        Some(option) => format!("; did you mean {option}?"),
        None if info.positionals.is_empty() => String::new(),
        None => "; put -- before text that begins with -".to_owned(),
    };
    format!("unknown option {}{hint}", quoted(name))
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

fn not_utf8(what: &str, bytes: &OsStr) -> String {
    let shown = bytes.as_encoded_bytes().escape_ascii().to_string();
    format!("invalid {what} {}: expected UTF-8", quoted(&shown))
}

/// Whether to write in colour there: on a terminal, unless `NO_COLOR` is set (no-color.org) or `TERM` is `dumb`, empty or not set.
pub fn is_colored(output: &impl IsTerminal) -> bool {
    let is_plain = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    output.is_terminal() && !is_plain && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A server as `host:port`, from `host`, `host:port`, `host port` or an IPv6 address, which may have brackets and a zone
/// (`fe80::1%eth0`).
pub fn with_port(raw: &str) -> String {
    if let Some((host, port)) = raw.trim().split_once(char::is_whitespace) {
        return format!("{}:{}", bracketed(host), port.trim_start());
    }
    let port = raw.rsplit_once(':').map(|(_, port)| port);
    match bracketed(raw) {
        host if host != raw => format!("{host}:9999"),
        _ if port.is_some_and(|port| !port.ends_with(']')) => raw.to_owned(),
        host => format!("{host}:9999"),
    }
}

/// Explains what is wrong with a server as [`with_port`] takes it, if it has no host, or no port that can be connected to.
pub fn wrong_server(raw: &str) -> Option<String> {
    if is_server(&with_port(raw)) {
        return None;
    }
    let is_ipv6 = raw.matches(':').count() > 1 && !raw.contains('/');
    let hint = if is_ipv6 { "; an IPv6 address before a port takes brackets, such as [::1]:9999" } else { "" };
    let expected = "expected host, host:port or host port, with a port from 1 to 65535";
    Some(format!("invalid server {}: {expected}{hint}", quoted(raw)))
}

/// Whether this is a `host:port` that can be connected to.
pub fn is_server(address: &str) -> bool {
    let is_port = |port: &str| parse_number(port, 1..=u16::MAX, "").is_ok();
    address.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && is_port(port))
}

/// Whether this can be the host of a `host:port`: a name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    if host.starts_with('[') {
        let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        return inside.is_some_and(|address| bracketed(address) == host);
    }
    !host.is_empty() && !host.contains(|c: char| matches!(c, '[' | ']' | ':' | '/') || c.is_whitespace())
}

/// An IPv6 address in brackets; other hosts as they are.
fn bracketed(host: &str) -> String {
    let (address, zone) = host.split_once('%').unwrap_or((host, ""));
    // What follows a colon would be a port that belongs after the brackets; the system would ignore it.
    let is_address = address.parse::<Ipv6Addr>().is_ok() && !zone.contains(':');
    if is_address { format!("[{host}]") } else { host.to_owned() }
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
    use argh::FromArgs;

    use super::*;

    #[test]
    fn an_address_has_a_port() {
        let check = |raw: &str, expected: &str| assert_eq!(with_port(raw), expected, "{raw:?}");
        check("localhost", "localhost:9999");
        check("10.0.0.9", "10.0.0.9:9999");
        check("10.0.0.9:7", "10.0.0.9:7");
        check("::1", "[::1]:9999");
        check("[::1]", "[::1]:9999");
        check("[::1]:7", "[::1]:7");
        check("fe80::1%eth0", "[fe80::1%eth0]:9999");
        check("[fe80::1%eth0]", "[fe80::1%eth0]:9999");
        check("[fe80::1%eth0]:7", "[fe80::1%eth0]:7");
        check("localhost 7", "localhost:7");
        check("::1 7", "[::1]:7");
        check("fe80::1%eth0 7", "[fe80::1%eth0]:7");
    }

    #[test]
    fn host_has_brackets_only_around_an_ipv6_address() {
        for host in ["localhost", "10.0.0.9", "[::1]", "[fe80::1%eth0]"] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "",
            "[",
            "]",
            "[]",
            "[:",
            "[::1",
            "::1]",
            "[[::1]]",
            "[::1]]",
            "[::1]x",
            "[localhost]",
            "a]",
            "a:b",
            "::1",
            " ",
            " a",
            "a b",
            "a\u{a0}",
            "a/",
            "fe80::1%eth0",
            "[fe80::1%eth0:7]",
        ] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn wrong_server_explains_brackets_where_they_are_missing() {
        for raw in ["localhost", "localhost:7", "localhost 7", "::1", "[::1]:7", "fe80::1%eth0", "fe80::1%eth0 7"] {
            assert_eq!(wrong_server(raw), None, "{raw}");
        }
        for (raw, is_ipv6) in [
            ("", false),
            (" localhost:7", false),
            ("localhost:", false),
            ("localhost:0", false),
            ("localhost 65536", false),
            ("tcp://localhost:7", false),
            ("http://localhost/", false),
            ("localhost/", false),
            ("fe80::1%eth0:7", true),
            ("[::1", true),
            ("::1]:7", true),
        ] {
            let why = wrong_server(raw).unwrap();
            let expected = "expected host, host:port or host port, with a port from 1 to 65535";
            assert!(why.starts_with(&format!("invalid server \"{raw}\": {expected}")), "{why}");
            assert_eq!(why.ends_with("takes brackets, such as [::1]:9999"), is_ipv6, "{why}");
        }
    }

    /// Options for a trial.
    #[derive(FromArgs, ArgsInfo, Debug)]
    #[expect(dead_code, reason = "only its words are looked at")]
    struct Trial {
        /// what is said
        #[argh(positional)]
        words: Vec<String>,

        /// a number
        #[argh(option)]
        count: Option<u8>,

        /// addresses
        #[argh(option, arg_name = "addr")]
        listen: Vec<String>,

        /// a switch
        #[argh(switch)]
        json: bool,

        /// print the version and exit
        #[argh(switch, short = 'V')]
        version: bool,
    }

    fn sort(raw: &[&str]) -> Result<Option<Words>, String> {
        Words::sort(raw.iter().map(OsString::from), &Trial::get_args_info(), |_| None)
    }

    #[test]
    fn words_are_sorted_for_argh() {
        let check = |raw: &[&str], expected: &[&str]| {
            assert_eq!(sort(raw).unwrap().unwrap().all(), expected, "{raw:?}");
        };
        check(&["--count=3", "hi", "--json"], &["--count", "3", "--json", "--", "hi"]);
        check(
            &["--listen", "a", "--listen=b=c", "--listen="],
            &["--listen", "a", "--listen", "b=c", "--listen", "", "--"],
        );
        check(&["-V", "-", "a=b", "--", "--count=3", "-h"], &["--version", "--", "-", "a=b", "--count=3", "-h"]);
        check(&["--count", "-5", "--listen=--json"], &["--count", "-5", "--listen", "--json", "--"]);
        check(&["send", "help"], &["--", "send", "help"]);
    }

    #[test]
    fn help_is_asked_for_by_option_or_first_word() {
        for raw in [&["-h"][..], &["--help"], &["help"], &["--json", "help", "send"], &["send", "--help"]] {
            assert_eq!(sort(raw), Ok(None), "{raw:?}");
        }
    }

    #[test]
    fn wrong_words_are_explained() {
        let check = |raw: &[&str], expected: &str| assert_eq!(sort(raw).unwrap_err(), expected, "{raw:?}");
        check(&["--cuont=3"], "unknown option \"--cuont\"; did you mean --count?");
        check(&["-listen"], "unknown option \"-listen\"; did you mean --listen?");
        check(&["--LIST"], "unknown option \"--LIST\"; did you mean --listen?");
        check(&["-5"], "unknown option \"-5\"; put -- before text that begins with -");
        check(&["--count", "3", "--count=4"], "--count is given twice: expected once");
        check(&["--listen", "--json"], "missing value for --listen: expected --listen <addr>");
        check(&["--listen", "-h"], "missing value for --listen: expected --listen <addr>");
        check(&["--count"], "missing value for --count: expected --count <count>");
        check(&["--json=true"], "unexpected value \"true\" for --json: it takes none");
    }

    #[test]
    fn option_of_absent_feature_is_explained() {
        let feature = |is_built| Feature { name: "store", is_built, options: &["--data"] };
        assert_eq!(absent("--data", "chinwagd", &[feature(true)]), None);
        assert_eq!(absent("--date", "chinwagd", &[feature(false)]), None);
        let error = absent("--data", "chinwagd", &[feature(false)]).unwrap();
        assert_eq!(
            error,
            "--data needs the feature store, and this chinwagd was built without it; build one that has it: \
             cargo build --release --bin chinwagd --features store"
        );
        let raw = ["--date=x", "--data=x"].map(OsString::from);
        let explain = |name: &str| absent(name, "chinwagd", &[feature(false)]);
        let info = Trial::get_args_info();
        assert!(Words::sort(raw.clone().into_iter(), &info, explain).unwrap_err().starts_with("unknown option"));
        assert_eq!(Words::sort(raw.into_iter().skip(1), &info, explain), Err(error));
    }

    #[test]
    fn parse_error_names_option_and_value() {
        let words = sort(&["--listen=x", "--count", "many\n"]).unwrap().unwrap();
        let error = Trial::from_args(&["trial"], &words.all()).unwrap_err();
        let said = words.explain(&error.output);
        assert!(said.starts_with(r#"invalid --count "many\n": "#), "{said}");
    }

    #[test]
    fn shown_values_are_short_and_safe() {
        assert_eq!(quoted("a b\x1b[2J\u{202e}\n'"), r#""a b\u{1b}[2J\u{202e}\n'""#);
        assert_eq!(quoted(&"x".repeat(100)), format!("\"{}…\"", "x".repeat(SHOWN_VALUE_CHARS_MAX)));
        let latin1 = std::os::unix::ffi::OsStringExt::from_vec(b"caf\xe9".to_vec());
        let words = [OsString::from("--listen"), latin1].into_iter();
        let error = Words::sort(words, &Trial::get_args_info(), |_| None).unwrap_err();
        assert_eq!(error, r#"invalid --listen "caf\xe9": expected UTF-8"#);
    }
}
