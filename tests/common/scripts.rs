//! Runs scripts, each as a test of its own. A script that exits with 77 is ignored for the reason it prints last; whether it
//! may be is for the script to say.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// How long a script may take, in seconds. Its own waits are shorter, and tell more.
const DEADLINE: &str = "240";

/// How long it may take after that to say where it was and to end its programs.
const GRACE: &str = "5";

/// A script's status for: something that I need is not here. Automake's.
const SKIPPED: i32 = 77;

/// The status that timeout has when it had to end the script.
const TIMED_OUT: i32 = 124;

/// Runs the scripts that have this extension, by what `interpreter` names before them, and exits.
pub(crate) fn run_all(directory: &str, extension: &str, interpreter: &'static [&'static str]) -> ! {
    let scripts = find(directory, extension).unwrap_or_else(|error| panic!("{directory} cannot be read: {error}"));
    assert!(!scripts.is_empty(), "{directory} has lost its scripts");
    let trials = scripts.into_iter().map(|script| {
        let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Trial::ignorable_test(name, move || run(interpreter, &script))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit()
}

fn find(directory: &str, extension: &str) -> io::Result<Vec<PathBuf>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut scripts =
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    scripts.retain(|path| path.extension() == Some(OsStr::new(extension)));
    scripts.sort();
    Ok(scripts)
}

fn run(interpreter: &[&str], script: &Path) -> Result<Completion, Failed> {
    // A file, not a pipe: a program left behind by a script cannot keep the test waiting for its end.
    let mut output = tempfile::tempfile()?;
    // timeout ends the script with all the programs it started: its process group.
    let status = Command::new("timeout")
        .args(["--kill-after", GRACE, DEADLINE])
        .args(interpreter)
        .arg(script)
        .env("CHINWAGD", env!("CARGO_BIN_EXE_chinwagd"))
        .env("CHINWAG", env!("CARGO_BIN_EXE_chinwag"))
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .status()?;
    let printed = read_all(&mut output)?;
    match status.code() {
        Some(0) => Ok(Completion::Completed),
        Some(SKIPPED) => Ok(Completion::ignored_with(printed.lines().last().unwrap_or("it does not say why"))),
        Some(TIMED_OUT) => Err(format!("not done after {DEADLINE} s\n{printed}").into()),
        _ => Err(format!("{status}\n{printed}").into()),
    }
}

fn read_all(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
