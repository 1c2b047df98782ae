//! A new command needs one new module. `echo.patch` adds the command `ECHO`: it adds a module, one line in the list of commands, a test,
//! and lines in protocol.md. The tests of commands pass in a copy of the sources to which it is applied.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PATCH: &str = include_str!("echo.patch");

/// The files that `cargo` needs to build the server and its tests.
const SOURCES: [&str; 9] =
    ["Cargo.toml", "Cargo.lock", "README.md", "protocol.md", "docs", "packaging", "src", "tests", "benches"];

#[test]
fn new_command_touches_one_source_file() {
    let mut lines_added: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines_removed = lines_added.clone();
    let mut file = "";
    for line in PATCH.lines() {
        if let Some(name) = line.strip_prefix("+++ b/") {
            file = name;
        } else if line.starts_with('+') {
            *lines_added.entry(file).or_default() += 1;
        } else if line.starts_with('-') && !line.starts_with("---") {
            *lines_removed.entry(file).or_default() += 1;
        }
    }
    let sources: Vec<_> = lines_added.keys().filter(|file| file.starts_with("src/")).collect();
    assert_eq!(sources, [&"src/command/echo.rs", &"src/command/mod.rs"]);
    assert_eq!(lines_added["src/command/mod.rs"], 1);
    let others: Vec<_> = lines_added.keys().filter(|file| !file.starts_with("src/")).collect();
    assert_eq!(others, [&"protocol.md", &"tests/echo.rs"]);
    assert_eq!(lines_removed.into_keys().collect::<Vec<_>>(), ["protocol.md"]);
}

#[test]
fn new_command_works_once_patched() {
    let directory = patched_copy();
    cargo_test(&directory, &["--lib"], &["command::"]);
    cargo_test(&directory, &["--test", "echo", "--test", "transcripts"], &[]);
}

/// Runs tests of the copy: those of these targets with names that contain the filter.
fn cargo_test(directory: &Path, targets: &[&str], filter: &[&str]) {
    // A target directory of its own: this build must not replace the server that the other tests run.
    let status = Command::new(env!("CARGO"))
        .args(["test", "--no-default-features", "--locked", "--offline"])
        .args(targets)
        .args(["--", "--quiet"])
        .args(filter)
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", directory.with_file_name("new-command-target"))
        .stdin(Stdio::null())
        .status()
        .expect("cargo runs");
    assert!(status.success(), "in {}", directory.display());
}

/// Copies the sources and applies the patch. Unchanged files keep their modification times, so that Cargo recompiles little.
fn patched_copy() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-command");
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    let sources = SOURCES.map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    run(Command::new("cp").arg("-Rp").args(sources).arg(&directory));
    // Without the ceiling, git would find the repository around the copy, and apply nothing.
    let patch = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/new_command/echo.patch");
    let ceiling = directory.parent().expect("it has a parent").to_owned();
    run(Command::new("git").arg("apply").arg(patch).current_dir(&directory).env("GIT_CEILING_DIRECTORIES", ceiling));
    assert!(directory.join("src/command/echo.rs").exists(), "the patch was applied");
    directory
}

fn run(command: &mut Command) {
    assert!(command.status().expect("it runs").success(), "{command:?}");
}
