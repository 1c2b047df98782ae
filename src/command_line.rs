//! What the command lines of both programs have in common: how they are read and answered.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::net::Ipv6Addr;
use std::process::ExitCode;
use std::time::Duration;

use argh::TopLevelCommand;

/// The exit code after a wrong command line, as with most programs.
pub const EXIT_USAGE: u8 = 2;

/// The arguments of the program of that name.
///
/// # Errors
///
/// With what to exit: 0 after `--help`, 2 after an error; the user has been told by then.
pub fn parse<Arguments: TopLevelCommand>(program: &str) -> Result<Arguments, ExitCode> {
    let mut words = Vec::new();
    for word in env::args_os().skip(1) {
        words.push(word.into_string().map_err(|word| refuse(program, &format!("{} is not UTF-8", word.display())))?);
    }
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    Arguments::from_args(&[program], &words).map_err(|exit| match exit.status {
        Ok(()) => {
            say(&mut io::stdout(), exit.output.trim_end());
            ExitCode::SUCCESS
        }
        Err(()) => refuse(program, &exit.output),
    })
}

/// Says in one line what is wrong with the command line, and where to find what is right.
pub fn refuse(program: &str, what: &str) -> ExitCode {
    let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
    say(&mut io::stderr(), &format!("{program}: {what}; see {program} --help"));
    ExitCode::from(EXIT_USAGE)
}

/// Says a line to somebody who may be gone.
pub fn say(to: &mut impl Write, line: &str) {
    // There is nobody left to tell if this fails.
    let _ = writeln!(to, "{line}");
}

/// Whether what is written there is to be in colour: on a terminal, unless `NO_COLOR` is set (no-color.org).
pub fn is_colored(output: &impl IsTerminal) -> bool {
    output.is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// `raw`, which is `host`, `host:port` or an IPv6 address with or without a port, as `host:port`.
pub fn with_port(raw: &str) -> String {
    let port = raw.rsplit_once(':').map(|(_, port)| port);
    match raw.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]:9999"),
        Err(_) if port.is_some_and(|port| !port.ends_with(']')) => raw.to_owned(),
        Err(_) => format!("{raw}:9999"),
    }
}

/// Whether to colour standard output, from `auto` (where that is wanted), `always` or `never`.
///
/// # Errors
///
/// What is wrong with another word.
pub fn parse_color(raw: &str) -> Result<bool, String> {
    match raw {
        "auto" => Ok(is_colored(&io::stdout())),
        "always" => Ok(true),
        "never" => Ok(false),
        _ => Err(format!("{raw} is not auto, always or never")),
    }
}

/// A time from seconds, with decimals or without.
///
/// # Errors
///
/// What is wrong with what is no such number.
pub fn parse_seconds(raw: &str) -> Result<Duration, String> {
    let seconds = raw.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("{raw} is no number of seconds"))
}

#[cfg(test)]
mod tests {
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
    }
}
