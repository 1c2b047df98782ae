//! The configuration file of the server, `--print-config`, and `--check` with all that it checks. `tests/tcp/command_line.rs` has `--check`
//! without a file, for servers without this feature.

#[path = "../common/mod.rs"]
mod common;

mod check;
mod document;
mod file;
mod print;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory with a configuration file, in which the server runs.
struct Site(tempfile::TempDir);

/// The output of the program, and its exit code.
#[derive(Debug)]
struct Output {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Site {
    /// A configuration file with this content, `x.toml`.
    fn new(content: &str) -> Self {
        let site = Self(tempfile::tempdir().expect("a directory"));
        site.write("x.toml", content);
        site
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.at(name), content).expect("a file");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("NO_COLOR").env_remove("RUNTIME_DIRECTORY");
        command
    }

    /// Runs the program, which must end at once.
    fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Output { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The names of the files, sorted.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("the directory");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("a file").file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    /// Makes a certificate and its key: `NAME-cert.pem`, `NAME-key.pem`.
    #[cfg(feature = "tls")]
    fn make_certificate(&self, name: &str) {
        fs::create_dir(self.at(name)).expect("a directory");
        let made = self.run(&["cert", "--out", name]);
        assert_eq!(made.code, Some(0), "{made:?}");
        for part in ["cert", "key"] {
            let from = self.at(name).join(format!("chinwag-{part}.pem"));
            fs::rename(from, self.at(&format!("{name}-{part}.pem"))).expect("a file");
        }
        fs::remove_dir(self.at(name)).expect("an empty directory");
    }
}
