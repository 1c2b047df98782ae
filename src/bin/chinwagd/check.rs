//! `chinwagd --check`: whether a server with these options can start.

use std::process::ExitCode;

use chinwag::command_line::{EXIT_USAGE, GivenOptions, Parsed, print_error, print_output, print_usage_error};
#[cfg(feature = "config")]
use chinwag::process::quoted_path;
use chinwag::server::{self, CheckReport};

use super::{Arguments, PROGRAM, configuration};

/// Prints every error that it finds, or one line about what it has checked. Returns the exit code.
pub(super) fn run(parsed: Parsed<Arguments>) -> ExitCode {
    let Parsed { arguments, options, errors } = parsed;
    let invalid: Vec<_> = errors.iter().filter_map(|error| error.option).collect();
    // An error about an option without its value follows from the error about the value.
    let is_new = |conflict: &String| !invalid.iter().any(|option| conflict.contains(option));
    let conflicts = configuration::find_conflicts(&arguments).filter(is_new).map(|conflict| options.locate(&conflict));
    let errors: Vec<_> = errors.into_iter().map(|error| error.text).chain(conflicts).collect();
    let subject = subject(&arguments);
    let has_no_listener = arguments.listen.is_empty() && invalid.contains(&"--listen");
    let mut server = configuration::server_options(arguments);
    if has_no_listener {
        // Instead of the default one.
        server.listen.clear();
    }
    let report = server::check(&server);
    for error in &errors {
        print_usage_error(PROGRAM, "", error);
    }
    let notes = report.notes.iter().map(|note| format!("note: {note}"));
    for text in report.errors.iter().cloned().chain(notes) {
        print_error(PROGRAM, &text);
    }
    if !errors.is_empty() {
        ExitCode::from(EXIT_USAGE)
    } else if !report.errors.is_empty() {
        ExitCode::FAILURE
    } else {
        print_output(PROGRAM, &format!("{PROGRAM}: {subject} can be used; checked: {}", checked(&options, report)))
    }
}

/// Where the options are.
#[cfg(feature = "config")]
fn subject(arguments: &Arguments) -> String {
    let path = arguments.config.as_deref();
    path.map_or("the command line".to_owned(), |path| format!("the configuration {}", quoted_path(path)))
}

#[cfg(not(feature = "config"))]
fn subject(_: &Arguments) -> String {
    "the command line".to_owned()
}

/// The parts that were checked, as a list.
fn checked(options: &GivenOptions, report: CheckReport) -> String {
    let count = options.names().filter(|name| !["--check", "--config"].contains(name)).count();
    let options = format!("{count} option{}", if count == 1 { "" } else { "s" });
    [options].into_iter().chain(report.checked).collect::<Vec<_>>().join(", ")
}
