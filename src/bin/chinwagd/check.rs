//! `chinwagd check`: checks a store, also while a server uses it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use chinwag::command_line::{print_error, print_output, print_usage_error};
use chinwag::process::quoted_path;
use chinwag::store::{CheckReport, ExistingStore};

use super::PROGRAM;
use super::interruption::Interruption;
use super::progress_line::ProgressLine;
use super::store_of_server::{find_conflict, find_store};
use super::values::parse_path;

/// check a store or a backup: the file itself, its rows, and whether the search index agrees with the messages. No data is
/// changed, and a server may use the store meanwhile.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "check",
    help_triggers("-h", "--help"),
    example = "{command_name}\n{command_name} --data backup.db",
    note = "It reads the store as it is at the start. If many messages arrive meanwhile, the -wal of the store grows: check a backup instead.",
    note = "Beside the store of a stopped server, SQLite may leave an empty -wal and a -shm.",
    note = "It needs about as much space for temporary files, in $TMPDIR or /var/tmp, as the search index has.",
    error_code(0, "nothing is wrong"),
    error_code(1, "something is wrong, and the lines on standard error say what; or the store cannot be read"),
    error_code(2, "invalid command line"),
    error_code(129, "ended by SIGHUP"),
    error_code(130, "ended by SIGINT"),
    error_code(143, "ended by SIGTERM")
)]
pub(super) struct Check {
    /// the store or backup (default: the store of the running server, which needs a control socket)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    data: Option<PathBuf>,

    /// path of the server's control socket (default: control.sock in the first directory of `$RUNTIME_DIRECTORY` or, without that,
    /// /run/chinwag/control.sock)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    control: Option<PathBuf>,
}

pub(super) fn run(arguments: Check) -> ExitCode {
    let Check { data, control } = arguments;
    if let Some(what) = find_conflict(data.as_ref(), control.as_ref()) {
        return print_usage_error(PROGRAM, "check", &what);
    }
    let progress = ProgressLine::new();
    let checked = find_store("check", data, control).and_then(|store| check(&store, &progress));
    progress.clear();
    match checked {
        Ok((store, report)) => print_report(&store, &report),
        Err(what) => {
            print_error(PROGRAM, &what);
            ExitCode::FAILURE
        }
    }
}

fn check(store: &Path, progress: &ProgressLine) -> Result<(PathBuf, CheckReport), String> {
    let store = ExistingStore::open(store).map_err(|error| error.to_string())?;
    let _interruption = Interruption::catch(progress, "the check is not complete")?;
    let report = store.check(&|done| progress.show(done)).map_err(|error| error.to_string())?;
    Ok((store.path().to_owned(), report))
}

fn print_report(store: &Path, report: &CheckReport) -> ExitCode {
    for note in &report.notes {
        print_error(PROGRAM, &format!("note: {note}"));
    }
    if report.problems.is_empty() {
        let CheckReport { messages, rooms, accounts, version, .. } = report;
        let rows = if report.is_file_only { String::new() } else { format!(", rooms: {rooms}, accounts: {accounts}") };
        let counts = format!("messages: {messages}{rows}, version: {version}");
        return print_output(PROGRAM, &format!("{}: nothing is wrong; {counts}", quoted_path(store)));
    }
    for problem in &report.problems {
        print_error(PROGRAM, &format!("{}: {problem}", quoted_path(store)));
    }
    for advice in &report.advice {
        print_error(PROGRAM, &advice.to_string());
    }
    ExitCode::FAILURE
}
