//! Sorts the words of a command line for argh, which expects a fixed order: users may write options and the command in any order, and
//! options as `--option value` or `--option=value`. Explains invalid words, for argh's errors do not suggest a correction.

use std::ffi::{OsStr, OsString};
use std::iter::Peekable;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality, PositionalInfo};

use super::given_options::{GivenOption, GivenOptions, GivenValue};
use super::{CommandLine, nearest, quoted};

/// The commands that ask for a password, which users try to write after them.
const ASK_FOR_PASSWORD: [&str; 2] = ["login", "account"];

/// A sorted command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SortedArguments {
    pub(super) options: GivenOptions,
    /// The words before the command or, without a command, all of them.
    leading: Vec<String>,
    /// The command, if the program has commands.
    pub(super) command: Option<&'static str>,
    /// The words after the command.
    arguments: Vec<String>,
    /// Whether the user asked for help, before the first error.
    pub(super) is_help: bool,
    /// Explains each invalid word.
    pub(super) errors: Vec<String>,
}

impl SortedArguments {
    /// Sorts the words. Afterwards, `errors` explains those that are invalid.
    pub(super) fn sort(
        &mut self,
        raw: impl Iterator<Item = OsString>,
        info: &CommandInfoWithArgs,
        command_line: &CommandLine,
    ) {
        let mut raw = raw.map(OsString::into_string).peekable();
        while let Some(word) = raw.next() {
            if let Err(error) = self.take(word, &mut raw, info, command_line) {
                self.errors.push(error);
            }
        }
        if self.options.has("--version") {
            // `--version` is an option of the program, but may follow a command.
            (self.command, self.arguments) = (None, Vec::new());
        }
        if self.errors.is_empty() {
            let error = self.wrong_option(info).or_else(|| self.wrong_argument(info, command_line.example));
            self.errors.extend(error);
        }
    }

    /// Takes a word and, if it is an option, its value.
    fn take(
        &mut self,
        word: Result<String, OsString>,
        raw: &mut Peekable<impl Iterator<Item = Result<String, OsString>>>,
        info: &CommandInfoWithArgs,
        command_line: &CommandLine,
    ) -> Result<(), String> {
        let word = word.map_err(|bytes| not_utf8("argument", &bytes))?;
        if word == "--" {
            return raw.try_for_each(|word| {
                self.add_word(word.map_err(|bytes| not_utf8("argument", &bytes))?, info);
                Ok(())
            });
        }
        if !is_option(&word) || self.takes_all_words(info) {
            self.add_word(word, info);
            return Ok(());
        }
        let (name, value) = split_value(&word);
        if ["-h", "--help"].contains(&name) && value.is_none() {
            self.is_help |= self.errors.is_empty();
            return Ok(());
        }
        let option = find_option(name, info)
            .ok_or_else(|| command_line.explain_absent(name).unwrap_or_else(|| self.explain_unknown(name, info)))?;
        let is_single = option.optionality != Optionality::Repeating && option.kind != FlagInfoKind::Switch;
        if is_single && self.options.has(option.long) {
            return Err(format!("{} is given twice: expected once", option.long));
        }
        let value = match (&option.kind, value) {
            (FlagInfoKind::Switch, None) => GivenValue::Switch(true),
            (FlagInfoKind::Switch, Some(value)) => {
                return Err(format!("unexpected value {} for {name}: it takes none", quoted(value)));
            }
            (FlagInfoKind::Option { .. }, Some(value)) => GivenValue::Text(value.to_owned()),
            (FlagInfoKind::Option { arg_name }, None) => {
                let value = raw.next_if(|next| next.as_ref().map_or(true, |next| is_value(next, info)));
                let missing = || format!("missing value for {name}: expected {name} <{arg_name}>");
                GivenValue::Text(value.ok_or_else(missing)?.map_err(|bytes| not_utf8(name, &bytes))?)
            }
        };
        self.options.all.push(GivenOption { name: option.long, value, line: None });
        Ok(())
    }

    /// Whether the command has begun to collect words of which none is an option.
    fn takes_all_words(&self, info: &CommandInfoWithArgs) -> bool {
        let positionals = self.called_command(info).positionals;
        !self.arguments.is_empty() && positionals.iter().any(|known| known.optionality == Optionality::Greedy)
    }

    fn add_word(&mut self, word: String, info: &CommandInfoWithArgs) {
        if !self.errors.is_empty() {
            // It may be the value of an option that is unknown.
        } else if self.command.is_some() {
            self.arguments.push(word);
        } else if let Some(command) = info.commands.iter().find(|command| command.name == word) {
            self.command = Some(command.name);
        } else {
            self.is_help |= word == "help";
            self.leading.push(word);
        }
    }

    /// Explains a word after `help` that is not a command.
    pub(super) fn unknown_topic(&self, info: &CommandInfoWithArgs) -> Option<String> {
        let topic = self.leading.iter().skip_while(|word| *word != "help").nth(1)?;
        let names: Vec<_> = info.commands.iter().map(|command| command.name).collect();
        Some(format!("unknown command {} after help: expected one of {}", quoted(topic), names.join(", ")))
    }

    /// Explains an option of another command, and lists the options of this command.
    fn wrong_option(&self, info: &CommandInfoWithArgs) -> Option<String> {
        let has = |info: &CommandInfoWithArgs, name: &str| info.flags.iter().any(|flag| flag.long == name);
        let shows =
            |info: &CommandInfoWithArgs, name: &str| info.flags.iter().any(|flag| flag.long == name && !flag.hidden);
        let own = self.called_command(info);
        let option = self.options.all.iter().map(|option| option.name).find(|name| !has(own, name))?;
        let commands = info.commands.iter().filter(|command| shows(&command.command, option));
        let commands: Vec<_> = commands.map(|command| command.name).collect();
        let mut places = match commands.as_slice() {
            [] => Vec::new(),
            all if all.len() == info.commands.len() => vec!["with a command".to_owned()],
            some => vec![format!("with {}", some.join(" or "))],
        };
        places.extend(has(info, option).then(|| "without a command".to_owned()));
        let known = own.flags.iter().filter(|flag| !flag.hidden && flag.long != "--help");
        let known = known.map(|flag| flag.long).collect::<Vec<_>>().join(", ");
        let whose = self
            .command
            .map_or("without a command, the options are".to_owned(), |command| format!("the options of {command} are"));
        Some(format!("unexpected {option}: expected it {}; {whose} {known}", places.join(", or ")))
    }

    /// Explains a missing or surplus word. `example` is an option of the program.
    fn wrong_argument(&self, info: &CommandInfoWithArgs, example: &str) -> Option<String> {
        let known = self.called_command(info).positionals;
        let is_required = |known: &&PositionalInfo<'_>| known.optionality == Optionality::Required;
        match (self.command, self.leading.first()) {
            (None, Some(word)) if known.is_empty() => {
                Some(format!("unexpected argument {}: expected options only, such as {example}", quoted(word)))
            }
            (Some(command), _) => {
                if let Some(missing) = known.iter().skip(self.arguments.len()).find(is_required) {
                    return Some(format!("missing <{}>: expected {command} <{}>", missing.name, missing.name));
                }
                let is_open =
                    known.iter().any(|known| matches!(known.optionality, Optionality::Repeating | Optionality::Greedy));
                let surplus = self.arguments.get(known.len()).filter(|_| !is_open)?;
                if ASK_FOR_PASSWORD.contains(&command) {
                    // It may be the password.
                    let hint = "the program asks for a password, or reads it from a file, and never takes it here";
                    return Some(format!("unexpected argument after {command}: {hint}"));
                }
                let hint = match known.last() {
                    None => "expected options only".to_owned(),
                    Some(last) if is_required(&last) => format!("put a <{}> with spaces in quotes", last.name),
                    Some(last) => format!("expected one <{}> at most", last.name),
                };
                Some(format!("unexpected argument {} after {command}: {hint}", quoted(surplus)))
            }
            _ => None,
        }
    }

    /// Explains an unknown option, and suggests the nearest known one.
    fn explain_unknown(&self, name: &str, info: &CommandInfoWithArgs) -> String {
        let called = self.called_command(info);
        let known = called.flags.iter().filter(|option| !option.hidden).map(|option| option.long);
        let hint = match nearest(name, known) {
            Some(option) => format!("; did you mean {option}?"),
            // A program with commands takes no text without a command.
            None if called.positionals.is_empty() || !called.commands.is_empty() => String::new(),
            None => "; put -- before text that begins with -".to_owned(),
        };
        format!("unknown option {}{hint}", quoted(name))
    }

    /// The command, or the program without a command.
    fn called_command<'a>(&self, info: &'a CommandInfoWithArgs) -> &'a CommandInfoWithArgs {
        let called = info.commands.iter().find(|command| Some(command.name) == self.command);
        called.map_or(info, |called| &called.command)
    }

    /// Forgets the words that are not options.
    pub(super) fn discard_words(&mut self) {
        self.leading.clear();
    }

    /// The words in the order that argh expects: the options of a command after it, and all other words after `--`.
    pub(super) fn in_argh_order(&self) -> Vec<&str> {
        let options = self.options.all.iter().flat_map(GivenOption::words);
        let leading = ["--"].into_iter().chain(self.leading.iter().map(String::as_str));
        match self.command {
            None => options.chain(leading).collect(),
            Some(command) => {
                let arguments = self.arguments.iter().map(String::as_str);
                leading.chain([command]).chain(options).chain(["--"]).chain(arguments).collect()
            }
        }
    }

    /// Rewrites argh's error about an invalid value in the form of the other errors.
    pub(super) fn explain_argh_error(&self, output: &str) -> String {
        let option = |option: &GivenOption| {
            let (name, value) = (option.name, option.text()?);
            let why = output.strip_prefix(&format!("Error parsing option '{name}' with value '{value}': "))?;
            let error = format!("invalid {} {}: {}", option.shown_name(), quoted(value), why.trim_end());
            Some(self.options.with_place(option.line, &error))
        };
        let argument = |value: &String| {
            let why = output.strip_prefix("Error parsing positional argument ")?;
            let (_, why) = why.split_once(&format!(" with value '{value}': "))?;
            let command = self.command.unwrap_or_default();
            Some(format!("invalid argument {} after {command}: {}", quoted(value), why.trim_end()))
        };
        let explained = self.options.all.iter().find_map(option).or_else(|| self.arguments.iter().find_map(argument));
        explained.unwrap_or_else(|| output.trim_end().replace('\n', " "))
    }
}

/// Whether a word looks like an option; `-` alone does not.
fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

/// Whether a word can be the value of the option before it. A known option or a word that begins with `--` cannot: the user forgot the
/// value. `--option=value` accepts any value.
fn is_value(word: &str, info: &CommandInfoWithArgs) -> bool {
    !word.starts_with("--") && word != "-h" && find_option(word, info).is_none()
}

/// Splits `--name=value`. Other words have no value.
fn split_value(word: &str) -> (&str, Option<&str>) {
    match word.split_once('=') {
        Some((name, value)) if word.starts_with("--") => (name, Some(value)),
        _ => (word, None),
    }
}

/// Finds an option of the program or of one of its commands.
fn find_option(name: &str, info: &CommandInfoWithArgs) -> Option<&'static FlagInfo<'static>> {
    let is_short = |short: char| name.strip_prefix('-').is_some_and(|letter| letter.chars().eq([short]));
    let commands = info.commands.iter().map(|command| command.command.flags);
    let mut known = [info.flags].into_iter().chain(commands).flatten();
    known.find(|option| option.long == name || option.short.is_some_and(is_short))
}

fn not_utf8(what: &str, bytes: &OsStr) -> String {
    let shown = bytes.as_encoded_bytes().escape_ascii().to_string();
    format!("invalid {what} {}: expected UTF-8", quoted(&shown))
}

#[cfg(test)]
mod tests {
    use argh::{ArgsInfo, FromArgs};

    use super::super::{Feature, RenamedOption};
    use super::*;

    /// Options for a trial.
    #[derive(FromArgs, ArgsInfo, Debug)]
    #[expect(dead_code, reason = "only the names of its options are used")]
    struct Trial {
        /// the message
        #[argh(positional)]
        words: Vec<String>,

        /// a number
        #[argh(option)]
        count: Option<u8>,

        /// addresses
        #[argh(option, arg_name = "addr")]
        listen: Vec<String>,

        /// a switch
        #[argh(switch)]
        json: bool,

        /// print the version and exit
        #[argh(switch, short = 'V')]
        version: bool,
    }

    /// Options of a program with commands.
    #[derive(FromArgs, ArgsInfo, Debug)]
    #[expect(dead_code, reason = "only the names of its options are used")]
    struct Program {
        /// the server
        #[argh(positional)]
        server: Vec<String>,

        /// a name
        #[argh(option)]
        nick: Option<String>,

        /// print the version and exit
        #[argh(switch, short = 'V')]
        version: bool,

        #[argh(subcommand)]
        command: Option<TestCommand>,
    }

    #[derive(FromArgs, ArgsInfo, Debug)]
    #[argh(subcommand)]
    #[expect(dead_code, reason = "only the names of its options are used")]
    enum TestCommand {
        Send(SendCommand),
        Wait(WaitCommand),
    }

    /// send a text
    #[derive(FromArgs, ArgsInfo, Debug)]
    #[argh(subcommand, name = "send")]
    #[expect(dead_code, reason = "only the names of its options are used")]
    struct SendCommand {
        /// the text
        #[argh(positional)]
        text: Vec<String>,

        /// a name
        #[argh(option)]
        nick: Option<String>,

        /// print JSON
        #[argh(switch)]
        json: bool,
    }

    /// wait for a text
    #[derive(FromArgs, ArgsInfo, Debug)]
    #[argh(subcommand, name = "wait")]
    #[expect(dead_code, reason = "only the names of its options are used")]
    struct WaitCommand {
        /// the text
        #[argh(positional)]
        regex: String,

        /// how many
        #[argh(option)]
        count: Option<u8>,

        /// print JSON
        #[argh(switch)]
        json: bool,

        /// accepted, without effect
        #[argh(option, hidden_help)]
        nick: Option<String>,
    }

    const COMMAND_LINE: CommandLine = CommandLine {
        program: "chinwagd",
        usage: "",
        example: "--listen a",
        features: &[],
        renamed: &[],
        groups: &[],
        config_sections: &[],
    };

    fn sort_for<A: ArgsInfo>(raw: &[&str]) -> Result<SortedArguments, String> {
        let mut words = SortedArguments::default();
        words.sort(raw.iter().map(OsString::from), &A::get_args_info(), &COMMAND_LINE);
        if words.errors.is_empty() || words.is_help { Ok(words) } else { Err(words.errors.remove(0)) }
    }

    fn sort(raw: &[&str]) -> Result<SortedArguments, String> {
        sort_for::<Trial>(raw)
    }

    #[test]
    fn words_are_sorted_for_argh() {
        let check = |raw: &[&str], expected: &[&str]| {
            assert_eq!(sort(raw).unwrap().in_argh_order(), expected, "{raw:?}");
        };
        check(&["--count=3", "hi", "--json"], &["--count", "3", "--json", "--", "hi"]);
        check(
            &["--listen", "a", "--listen=b=c", "--listen="],
            &["--listen", "a", "--listen", "b=c", "--listen", "", "--"],
        );
        check(&["-V", "-", "a=b", "--", "--count=3", "-h"], &["--version", "--", "-", "a=b", "--count=3", "-h"]);
        check(&["--count", "-5", "--listen=--json"], &["--count", "-5", "--listen", "--json", "--"]);
        check(&["--", "send", "help me"], &["--", "send", "help me"]);
    }

    #[test]
    fn options_follow_their_command() {
        let check = |raw: &[&str], expected: &[&str]| {
            assert_eq!(sort_for::<Program>(raw).unwrap().in_argh_order(), expected, "{raw:?}");
        };
        check(&["--nick", "al", "host"], &["--nick", "al", "--", "host"]);
        check(
            &["--nick=al", "host", "7", "send", "--json", "hi", "send", "help"],
            &["--", "host", "7", "send", "--nick", "al", "--json", "--", "hi", "send", "help"],
        );
        check(&["send", "--", "--json"], &["--", "send", "--", "--json"]);
        check(&["wait", "--nick", "al", "x"], &["--", "wait", "--nick", "al", "--", "x"]);
        check(&["send", "hi", "-V"], &["--version", "--"]);
        assert!(Program::from_args(&["x"], &["--", "host", "7", "send", "--json", "--", "--nick"]).is_ok());
    }

    #[test]
    fn option_of_another_command_is_refused_with_the_known_ones() {
        let check = |raw: &[&str], expected: &str| {
            assert_eq!(sort_for::<Program>(raw).unwrap_err(), expected, "{raw:?}");
        };
        check(
            &["send", "--count", "3", "x"],
            "unexpected --count: expected it with wait; the options of send are --nick, --json",
        );
        check(
            &["--json"],
            "unexpected --json: expected it with a command; without a command, the options are --nick, --version",
        );
        check(&["wait"], "missing <regex>: expected wait <regex>");
        check(&["wait", "a", "b"], "unexpected argument \"b\" after wait: put a <regex> with spaces in quotes");
        check(&["send", "--jsn"], "unknown option \"--jsn\"; did you mean --json?");
    }

    #[test]
    fn help_is_found_as_option_or_word() {
        for raw in [&["-h"][..], &["--help"], &["help"], &["--json", "help", "send"], &["--help", "--unknown"]] {
            assert!(sort(raw).unwrap().is_help, "{raw:?}");
        }
        for (raw, command) in [
            (&["send", "--help"][..], Some("send")),
            (&["-h", "host", "wait"], Some("wait")),
            (&["help", "send"], Some("send")),
            (&["host", "help"], None),
        ] {
            let words = sort_for::<Program>(raw).unwrap();
            assert_eq!((words.is_help, words.command), (true, command), "{raw:?}");
        }
        assert!(!sort_for::<Program>(&["send", "help"]).unwrap().is_help);
    }

    #[test]
    fn help_for_unknown_command_is_refused() {
        let check = |raw: &[&str], expected: Option<&str>| {
            let words = sort_for::<Program>(raw).unwrap();
            assert_eq!(words.unknown_topic(&Program::get_args_info()).as_deref(), expected, "{raw:?}");
        };
        check(&["help", "sned"], Some("unknown command \"sned\" after help: expected one of send, wait"));
        for raw in [&["help"][..], &["help", "send", "sned"], &["host", "help"], &["--help", "host"]] {
            check(raw, None);
        }
    }

    #[test]
    fn wrong_words_are_explained() {
        let check = |raw: &[&str], expected: &str| assert_eq!(sort(raw).unwrap_err(), expected, "{raw:?}");
        check(&["--cuont=3"], "unknown option \"--cuont\"; did you mean --count?");
        check(&["-listen"], "unknown option \"-listen\"; did you mean --listen?");
        check(&["--LIST"], "unknown option \"--LIST\"; did you mean --listen?");
        check(&["-5"], "unknown option \"-5\"; put -- before text that begins with -");
        check(&["--count", "3", "--count=4"], "--count is given twice: expected once");
        check(&["--listen", "--json"], "missing value for --listen: expected --listen <addr>");
        check(&["--listen", "-h"], "missing value for --listen: expected --listen <addr>");
        check(&["--count"], "missing value for --count: expected --count <count>");
        assert_eq!(sort_for::<Program>(&["-n", "al"]).unwrap_err(), "unknown option \"-n\"");
        check(&["--json=true"], "unexpected value \"true\" for --json: it takes none");
    }

    /// For `--check`. A word after an unknown option may be its value.
    #[test]
    fn every_invalid_option_is_explained() {
        let mut words = SortedArguments::default();
        let raw = ["--cuont", "send", "--json=yes", "help", "--help", "--listen", "a", "--nope"].map(OsString::from);
        words.sort(raw.into_iter(), &Program::get_args_info(), &COMMAND_LINE);
        let expected = [
            "unknown option \"--cuont\"",
            "unexpected value \"yes\" for --json: it takes none",
            "unknown option \"--listen\"",
            "unknown option \"--nope\"",
        ];
        assert_eq!(words.errors, expected);
        assert_eq!((words.command, words.is_help), (None, false));
    }

    #[test]
    fn option_of_absent_feature_is_explained() {
        let with = CommandLine {
            features: &[Feature { name: "store", is_built: true, options: &["--data"] }],
            ..COMMAND_LINE
        };
        let without = CommandLine {
            features: &[Feature { name: "store", is_built: false, options: &["--data"] }],
            ..COMMAND_LINE
        };
        assert_eq!(with.explain_absent("--data"), None);
        assert_eq!(without.explain_absent("--date"), None);
        let error = without.explain_absent("--data").unwrap();
        assert_eq!(
            error,
            "--data needs the feature store, and this chinwagd was built without it; build one that has it: \
             cargo build --release --bin chinwagd --features store"
        );
        let raw = ["--date=x", "--data=x"].map(OsString::from);
        let info = Trial::get_args_info();
        let sort = |raw: &[OsString]| {
            let mut words = SortedArguments::default();
            words.sort(raw.iter().cloned(), &info, &without);
            words.errors
        };
        assert!(sort(&raw)[0].starts_with("unknown option"));
        assert_eq!(sort(&raw)[1..], sort(&raw[1..]));
        assert_eq!(sort(&raw[1..]), [error]);
    }

    #[test]
    fn renamed_option_names_the_new_one() {
        let renamed = &[RenamedOption { old: "--list", new: "--listen URI" }];
        let command_line = CommandLine { renamed, ..COMMAND_LINE };
        let sort = |raw: &str| {
            let mut words = SortedArguments::default();
            words.sort([OsString::from(raw)].into_iter(), &Trial::get_args_info(), &command_line);
            words.errors
        };
        let error = "unknown option \"--list\"; use --listen URI";
        assert_eq!(sort("--list"), [error]);
        assert_eq!(sort("--list=x"), [error]);
        assert_eq!(sort("--lis"), ["unknown option \"--lis\"; did you mean --listen?"]);
    }

    #[test]
    fn parse_error_names_option_and_value() {
        let words = sort(&["--listen=x", "--count", "many\n"]).unwrap();
        let error = Trial::from_args(&["trial"], &words.in_argh_order()).unwrap_err();
        let error = words.explain_argh_error(&error.output);
        assert!(error.starts_with(r#"invalid --count "many\n": "#), "{error}");
    }

    #[test]
    fn word_that_is_not_utf8_is_shown_escaped() {
        let latin1 = std::os::unix::ffi::OsStringExt::from_vec(b"caf\xe9".to_vec());
        let words = [OsString::from("--listen"), latin1].into_iter();
        let mut sorted = SortedArguments::default();
        sorted.sort(words, &Trial::get_args_info(), &COMMAND_LINE);
        assert_eq!(sorted.errors, [r#"invalid --listen "caf\xe9": expected UTF-8"#]);
    }
}
