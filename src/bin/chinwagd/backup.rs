//! `chinwagd backup`: copies a store into a file, while a server uses it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use chinwag::command_line::{print_error, print_output, print_usage_error};
use chinwag::process::quoted_path;
use chinwag::protocol::Timestamp;
use chinwag::store::{ExistingStore, OpenError, PartialFile, StoreSummary};
use chrono::Utc;

use super::PROGRAM;
use super::interruption::Interruption;
use super::progress_line::ProgressLine;
use super::store_of_server::{find_conflict, find_store};
use super::values::parse_path;

/// copy a store into a new file, also while a server uses it, and check the copy. It has everything that was acknowledged before. Put it
/// back with chinwagd restore.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "backup",
    help_triggers("-h", "--help"),
    example = "{command_name} /var/backups/chinwag.db\n{command_name} --data chat.db backup.db",
    note = "The file must not exist. It has the mode 600, as it has the hashes of passwords. Until it is complete, its name ends with .partial; \
            an error or a signal leaves no file behind.",
    note = "The server goes on meanwhile; the -wal of the store can grow. Run it as the user of the server, or as root.",
    error_code(0, "the backup is complete, checked and on the disk; a line says what it has"),
    error_code(
        1,
        "no backup was made: the store cannot be read or is damaged, or the file exists or cannot be written; or the report could not be \
         written"
    ),
    error_code(2, "invalid command line"),
    error_code(129, "ended by SIGHUP; no backup was made"),
    error_code(130, "ended by SIGINT; no backup was made"),
    error_code(143, "ended by SIGTERM; no backup was made")
)]
pub(super) struct Backup {
    /// the file to write; its directory must exist
    #[argh(positional, from_str_fn(parse_path))]
    file: PathBuf,

    /// the store (default: that of the running server, which needs a control socket)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    data: Option<PathBuf>,

    /// path of the server's control socket (default: control.sock in the first directory of `$RUNTIME_DIRECTORY` or, without that,
    /// /run/chinwag/control.sock)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    control: Option<PathBuf>,
}

pub(super) fn run(arguments: Backup) -> ExitCode {
    let Backup { file, data, control } = arguments;
    if let Some(what) = find_conflict(data.as_ref(), control.as_ref()) {
        return print_usage_error(PROGRAM, "backup", &what);
    }
    let progress = ProgressLine::new();
    let made = find_store("backup", data, control).and_then(|store| back_up(&store, &file, &progress));
    progress.clear();
    match made {
        Ok(report) => print_output(PROGRAM, &report),
        Err(what) => {
            print_error(PROGRAM, &what);
            ExitCode::FAILURE
        }
    }
}

/// Makes the backup. Returns the report for the user.
fn back_up(store: &Path, file: &Path, progress: &ProgressLine) -> Result<String, String> {
    let source = ExistingStore::open(store).map_err(|error| error.to_string())?;
    let interruption = Interruption::catch(progress, "no backup was made")?;
    let create = || PartialFile::create_new(file, &source).map(|copy| (copy.path().to_owned(), copy));
    let copy = interruption.create(create).map_err(|error| error.to_string())?;
    source.copy_to(&copy, now(), &|done| progress.show(done)).map_err(|error| error.to_string())?;
    let summary = ExistingStore::open(copy.path()).and_then(|copy| copy.summary());
    let bytes = copy.path().metadata().map_or(0, |metadata| metadata.len());
    let report = format!("wrote {}: {}; {bytes} bytes", quoted_path(file), described(&summary)?);
    interruption.finish(|| copy.put_in_place()).map_err(|error| error.to_string())?;
    Ok(report)
}

/// The time for the mark of a copy.
pub(super) fn now() -> Timestamp {
    Timestamp(Utc::now().timestamp_millis()).clamped()
}

/// The essence of a copy, for the user.
pub(super) fn described(summary: &Result<StoreSummary, OpenError>) -> Result<String, String> {
    let StoreSummary { messages, newest, .. } = summary.as_ref().map_err(ToString::to_string)?;
    let newest = newest.map(|newest| format!(", the newest of {newest}")).unwrap_or_default();
    Ok(format!("{messages} {}{newest}", if *messages == 1 { "message" } else { "messages" }))
}
