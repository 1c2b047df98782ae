//! Parses the arguments of the process, with the configuration file.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use argh::{ArgsInfo, CommandInfoWithArgs, TopLevelCommand};

use super::given_options::GivenOption;
use super::sorted_arguments::SortedArguments;
use super::{CommandLine, GivenOptions, print_output, print_usage_error};

/// A command line that was parsed.
#[derive(Debug)]
pub struct Parsed<Arguments> {
    /// The values of the options.
    pub arguments: Arguments,
    /// The options that are given, and where.
    pub options: GivenOptions,
    /// With `--check`, the errors. `arguments` lacks the values that they are about. Without it, there are none.
    pub errors: Vec<OptionError>,
}

/// An error in the command line or in the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionError {
    /// The option whose value is wrong, if there is one.
    pub option: Option<&'static str>,
    /// The problem, with its place in the configuration file.
    pub text: String,
}

/// Why there is nothing to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The user has asked for this text.
    Help(String),
    /// The command, if there is one, and the first error.
    Error(&'static str, String),
}

/// Parses the arguments of the process, and the file of `--config`. Prints the help or the first error, if any. With `--check`, returns all
/// errors instead.
///
/// # Errors
///
/// The exit code of the program: 0 after `--help`, 1 if standard output does not accept the help, 2 after an error.
pub fn parse<Arguments: TopLevelCommand + ArgsInfo>(command_line: &CommandLine) -> Result<Parsed<Arguments>, ExitCode> {
    parse_words(env::args_os().skip(1), command_line).map_err(|end| match end {
        End::Help(text) => print_output(command_line.program, text.trim_end()),
        End::Error(command, what) => print_usage_error(command_line.program, command, &what),
    })
}

/// Parses the arguments of the process again, and reads the file of `--config` again. Prints nothing.
///
/// # Errors
///
/// The first error, with its place in the file.
pub fn parse_again<Arguments: TopLevelCommand + ArgsInfo>(
    command_line: &CommandLine,
) -> Result<Parsed<Arguments>, String> {
    parse_words(env::args_os().skip(1), command_line).map_err(|end| match end {
        End::Help(text) | End::Error(_, text) => text,
    })
}

pub(super) fn parse_words<Arguments: TopLevelCommand + ArgsInfo>(
    raw: impl Iterator<Item = OsString>,
    command_line: &CommandLine,
) -> Result<Parsed<Arguments>, End> {
    let info = Arguments::get_args_info();
    let mut words = SortedArguments::default();
    words.sort(raw, &info, command_line);
    let command = words.command.unwrap_or_default();
    if words.is_help {
        return Err(match words.unknown_topic(&info) {
            Some(what) => End::Error(command, what),
            None => End::Help(command_line.render_help(&info, words.command)),
        });
    }
    let is_check = words.command.is_none() && words.options.has("--check");
    let mut errors: Vec<_> = words.errors.drain(..).map(|text| OptionError { option: None, text }).collect();
    if errors.is_empty() || is_check {
        errors.extend(add_config_file(&mut words.options, &info, command_line));
    }
    if is_check {
        errors.extend(remove_invalid::<Arguments>(&mut words, command_line));
    } else if let Some(OptionError { text, .. }) = errors.first() {
        return Err(End::Error(command, text.clone()));
    }
    match Arguments::from_args(&[command_line.program], &words.in_argh_order()) {
        Ok(arguments) => Ok(Parsed { arguments, options: words.options, errors }),
        Err(exit) => Err(End::Error(command, words.explain_argh_error(&exit.output))),
    }
}

/// Removes the options whose values argh refuses. Returns the errors.
fn remove_invalid<Arguments: TopLevelCommand>(
    words: &mut SortedArguments,
    command_line: &CommandLine,
) -> Vec<OptionError> {
    let parse = |option: &GivenOption| {
        let parsed = Arguments::from_args(&[command_line.program], &option.words().collect::<Vec<_>>());
        parsed.err().map(|exit| OptionError { option: Some(option.name), text: words.explain_argh_error(&exit.output) })
    };
    let found: Vec<_> = words.options.all.iter().map(parse).collect();
    let mut results = found.iter();
    words.options.all.retain(|_| results.next().is_some_and(Option::is_none));
    // A word that is not an option was explained before.
    words.discard_words();
    found.into_iter().flatten().collect()
}

/// Adds the options of the configuration file, except those that the command line has. Returns the errors.
#[cfg(feature = "config")]
fn add_config_file(
    options: &mut GivenOptions,
    info: &CommandInfoWithArgs,
    command_line: &CommandLine,
) -> Vec<OptionError> {
    // argh refuses an empty path.
    let path = options.text("--config").filter(|path| !path.is_empty() && !options.has("--version"));
    let Some(path) = path.map(str::to_owned) else { return Vec::new() };
    options.file = Some(path.clone());
    let (added, errors) = super::config_file::read(path.as_ref(), info, command_line);
    let added: Vec<_> = added.into_iter().filter(|option| !options.has(option.name)).collect();
    options.all.extend(added);
    let located = |error: super::config_file::ConfigError| OptionError {
        text: options.with_place(error.line, &error.text),
        option: error.option,
    };
    errors.into_iter().map(located).collect()
}

#[cfg(not(feature = "config"))]
fn add_config_file(_: &mut GivenOptions, _: &CommandInfoWithArgs, _: &CommandLine) -> Vec<OptionError> {
    Vec::new()
}

#[cfg(test)]
#[cfg(feature = "config")]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::super::trial::{COMMAND_LINE, Trial};
    use super::*;

    /// A configuration file in a directory of its own.
    struct ConfigFile {
        path: PathBuf,
        _directory: tempfile::TempDir,
    }

    impl ConfigFile {
        fn new(content: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("x.toml");
            fs::write(&path, content).unwrap();
            Self { path, _directory: directory }
        }

        fn parse(&self, words: &[&str]) -> Result<Parsed<Trial>, End> {
            let words =
                ["--config", self.path.to_str().unwrap()].into_iter().chain(words.iter().copied()).map(OsString::from);
            parse_words(words, &COMMAND_LINE)
        }

        fn error(&self, words: &[&str]) -> String {
            match self.parse(words).unwrap_err() {
                End::Error(_, error) => error.replace(self.path.to_str().unwrap(), "FILE"),
                End::Help(text) => panic!("{text}"),
            }
        }
    }

    #[test]
    fn options_of_the_command_line_win() {
        let file = ConfigFile::new(
            "[listeners]\nlisten = [\"a\", \"b\"]\n[limits]\nmax-clients = 7\nno-watch = false\nidle-timeout = 5\n",
        );
        let config = Some(file.path.to_str().unwrap().to_owned());
        let of_file = Trial {
            listen: vec!["a".to_owned(), "b".to_owned()],
            max_clients: Some(7),
            idle_timeout: Some(5),
            config,
            ..Trial::default()
        };
        let mut parsed = file.parse(&[]).unwrap();
        assert_eq!(parsed.arguments, of_file);
        parsed = file.parse(&["--listen", "c", "--no-watch", "--max-clients=8"]).unwrap();
        let expected = Trial { listen: vec!["c".to_owned()], max_clients: Some(8), no_watch: true, ..of_file };
        assert_eq!(parsed.arguments, expected);
    }

    #[test]
    fn first_error_has_its_place() {
        let file = ConfigFile::new("[limits]\nidle-timeout = 300\nmax-clients = \"x\"\n");
        assert!(file.error(&[]).starts_with("FILE:2: invalid idle-timeout \"300\": "), "{}", file.error(&[]));
        let error = file.error(&["--idle-timeout=3"]);
        assert!(error.starts_with("FILE:3: invalid max-clients \"x\": "), "{error}");
        // A value that the command line replaces is not checked.
        assert!(file.parse(&["--idle-timeout=3", "--max-clients=3"]).is_ok());
        assert_eq!(ConfigFile::new("[limits]\nx = 1\ny = 1\n").error(&[]).split(':').nth(1), Some("2"));
    }

    #[test]
    fn check_finds_every_error() {
        let file = ConfigFile::new("[limits]\nidle-timeout = 300\nmax-clients = \"x\"\nno-watch = 1\n[x]\n");
        let parsed = file.parse(&["--check", "--nope", "--listen", "a", "--idle-timeout"]).unwrap();
        let places: Vec<_> = parsed.errors.iter().map(|error| (error.option, error.text.split(':').nth(1))).collect();
        assert_eq!(parsed.errors[0].text, "unknown option \"--nope\"");
        assert!(parsed.errors[1].text.starts_with("missing value for --idle-timeout"));
        let of_file = [
            (Some("--no-watch"), Some("4")),
            (None, Some("5")),
            (Some("--idle-timeout"), Some("2")),
            (Some("--max-clients"), Some("3")),
        ];
        assert_eq!(places[2..], of_file);
        assert_eq!((parsed.arguments.max_clients, parsed.arguments.idle_timeout), (None, None));
        assert_eq!(parsed.arguments.listen, ["a"]);
        assert_eq!(file.parse(&["--check", "surplus"]).unwrap().errors.len(), 5);
    }

    #[test]
    fn file_is_read_only_for_the_program_itself() {
        let file = ConfigFile::new("nonsense");
        assert!(file.parse(&["--version"]).unwrap().arguments.version);
        assert!(matches!(file.parse(&["--help"]), Err(End::Help(_))));
        assert!(file.error(&["status"]).starts_with("unexpected --config: expected it without a command"));
        // The option's own parser refuses an empty path, if it wants to.
        assert!(parse_words::<Trial>(["--config="].map(OsString::from).into_iter(), &COMMAND_LINE).is_ok());
    }

    /// The program of this test has arguments of its own, which `Trial` does not know.
    #[test]
    fn parsing_again_reads_the_file_again() {
        let file = ConfigFile::new("[limits]\nmax-clients = 7\n");
        assert_eq!(file.parse(&[]).unwrap().arguments.max_clients, Some(7));
        fs::write(&file.path, "[limits]\nmax-clients = 8\n").unwrap();
        assert_eq!(file.parse(&[]).unwrap().arguments.max_clients, Some(8));
        fs::write(&file.path, "[limits]\nmax-clients = -8\n").unwrap();
        assert!(file.error(&[]).starts_with("FILE:2: invalid max-clients \"-8\": "));
    }
}
