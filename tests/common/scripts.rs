//! Runs scripts, each as a test of its own. A script that exits with 77 is reported as ignored, with the last line that it printed as the
//! reason. The scripts themselves refuse this with `CI=true`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Longest run of a script, in seconds. The waits inside a script have shorter limits and better messages.
const DEADLINE: &str = "240";

/// Time that a script has after that to print where it was and to end its programs, in seconds.
const GRACE: &str = "5";

/// Exit status of a script that needs a missing program, as in Automake.
const SKIPPED: i32 = 77;

/// Exit status of `timeout` when it ended the script.
const TIMED_OUT: i32 = 124;

/// Runs the scripts with this extension by the command `interpreter`, and exits.
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
    // A file, not a pipe: a program that outlives its script would keep the pipe open, and the test waiting.
    let mut output = tempfile::tempfile()?;
    // `timeout` ends the script's process group, with all programs that it started.
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
