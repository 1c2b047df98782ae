//! `chinwagd restore`: puts a backup in the place of a store that no server uses.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use chinwag::command_line::{print_error, print_output, print_usage_error};
use chinwag::process::quoted_path;
use chinwag::store::{CopyError, ExistingStore, PartialFile, RestorePlace};

use super::PROGRAM;
use super::backup::{described, now};
use super::interruption::Interruption;
use super::progress_line::ProgressLine;
use super::values::parse_path;

/// put a backup in the place of a store, while no server uses it, and check it. The old store is kept beside it, under another name.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "restore",
    help_triggers("-h", "--help"),
    example = "{command_name} --data /var/lib/chinwag/chat.db /var/backups/chinwag.db",
    note = "Stop the server first. The file may also be a store of a stopped server, or a copy that another program made. It is not changed.",
    note = "The next start of the server begins a new epoch in every room, so that clients do not confuse two messages with one id.",
    note = "Changes after the backup are undone: messages, accounts, bans. Passwords that were changed and access tokens that were revoked since \
            are valid again: see docs/operating.md, Restore.",
    note = "An error or a signal leaves the old store in its place; if the disk fails in the last step, the error says where the old \
            store is.",
    error_code(0, "the store is the backup now; the report says where the old store is"),
    error_code(
        1,
        "the backup was not put in place, unless the message says so: a server uses the store, the backup cannot be used, or the disk is full \
         or fails; or the report could not be written"
    ),
    error_code(2, "invalid command line"),
    error_code(129, "ended by SIGHUP; nothing was changed"),
    error_code(130, "ended by SIGINT; nothing was changed"),
    error_code(143, "ended by SIGTERM; nothing was changed")
)]
pub(super) struct Restore {
    /// the backup
    #[argh(positional, from_str_fn(parse_path))]
    file: PathBuf,

    /// the store to replace: the path that data has in the options of the server; it need not exist (default: none, it must be given)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    data: Option<PathBuf>,
}

pub(super) fn run(arguments: &Restore) -> ExitCode {
    let Restore { file, data } = arguments;
    let Some(store) = data else {
        return print_usage_error(PROGRAM, "restore", "missing --data: expected restore --data <path> <file>");
    };
    let progress = ProgressLine::new();
    let done = restore(file, store, &progress);
    progress.clear();
    match done {
        Ok(report) => print_output(PROGRAM, &report),
        Err(what) => {
            print_error(PROGRAM, &what);
            ExitCode::FAILURE
        }
    }
}

/// Restores the backup. Returns the report for the user.
fn restore(file: &Path, store: &Path, progress: &ProgressLine) -> Result<String, String> {
    let text = |error: CopyError| error.to_string();
    let source = ExistingStore::open(file).map_err(|error| text(CopyError::Source(error)))?;
    let interruption = Interruption::catch(progress, "nothing was changed")?;
    let place = RestorePlace::lock(store, &source).map_err(text)?;
    let create = || PartialFile::create(place.path(), &source).map(|copy| (copy.path().to_owned(), copy));
    let copy = interruption.create(create).map_err(text)?;
    source.copy_to(&copy, now(), &|done| progress.show(done)).map_err(text)?;
    let summary = described(&ExistingStore::open(copy.path()).and_then(|copy| copy.summary()))?;
    let kept = interruption.finish(|| place.put(copy, now())).map_err(text)?;
    let kept = match kept {
        Some(kept) => format!("the old store is {}", quoted_path(&kept)),
        None => "there was no store at this path".to_owned(),
    };
    Ok(format!(
        "restored {} from {}: {summary}\n{kept}\nthe next start of the server begins a new epoch",
        quoted_path(store),
        quoted_path(file)
    ))
}
