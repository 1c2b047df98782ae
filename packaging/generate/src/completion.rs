//! The words that the shells complete: options, commands, and the values that are known.

use argh_shared::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

use crate::{Program, visible_options};

/// A value that no parser expects.
const UNEXPECTED: &str = "?";

/// A program, as its completion needs it.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) program: String,
    /// The options without a command.
    pub(crate) options: Vec<CompletedOption>,
    pub(crate) commands: Vec<CompletedCommand>,
}

/// A command with its options.
#[derive(Debug)]
pub(crate) struct CompletedCommand {
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) options: Vec<CompletedOption>,
    /// The values of its first argument.
    pub(crate) argument: Values,
}

/// An option.
#[derive(Debug)]
pub(crate) struct CompletedOption {
    /// With the hyphens.
    pub(crate) long: String,
    pub(crate) short: Option<char>,
    pub(crate) summary: String,
    pub(crate) is_repeated: bool,
    /// The name of its value; `None` for a switch.
    pub(crate) value: Option<String>,
    pub(crate) values: Values,
}

/// The words that complete a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    Files,
    Words(Vec<String>),
    Unknown,
}

impl Values {
    /// The values of an option or argument with this name, or those that are known.
    fn of(name: &str, known: Vec<String>) -> Self {
        match name {
            "path" | "file" | "directory" => Self::Files,
            _ if known.is_empty() => Self::Unknown,
            _ => Self::Words(known),
        }
    }

    /// The words, separated by spaces.
    pub(crate) fn words(&self) -> String {
        if let Self::Words(words) = self { words.join(" ") } else { String::new() }
    }
}

impl Completion {
    pub(crate) fn of(program: &Program<'_>) -> Self {
        let command = |name: &str, command: &CommandInfoWithArgs<'_>| CompletedCommand {
            name: name.to_owned(),
            summary: summary(command.description),
            options: options(program, Some(name), command),
            argument: match command.positionals.first() {
                Some(argument) => Values::of(argument.name, known_values(program, &[name])),
                None => Values::Unknown,
            },
        };
        let commands = program.info.commands.iter().map(|known| command(known.name, &known.command)).collect();
        let options = options(program, None, program.info);
        Self { program: program.name.to_owned(), options, commands }
    }

    /// Each option once.
    pub(crate) fn all_options(&self) -> Vec<&CompletedOption> {
        let mut all: Vec<&CompletedOption> = Vec::new();
        for option in self.commands.iter().flat_map(|command| &command.options).chain(&self.options) {
            match all.iter().find(|known| known.long == option.long) {
                Some(known) => assert!(
                    known.value.is_some() == option.value.is_some() && known.values == option.values,
                    "{}: two commands complete it in different ways, which the completions do not know yet",
                    option.long
                ),
                None => all.push(option),
            }
        }
        all.sort_by(|a, b| a.long.cmp(&b.long));
        all
    }

    /// The options that have a value, each once.
    pub(crate) fn valued_options(&self) -> String {
        let all = self.all_options().into_iter().filter(|option| option.value.is_some());
        all.map(|option| option.long.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The names of the commands.
    pub(crate) fn command_names(&self) -> String {
        self.commands.iter().map(|command| command.name.as_str()).collect::<Vec<_>>().join(" ")
    }
}

fn options(program: &Program<'_>, command: Option<&str>, info: &CommandInfoWithArgs<'_>) -> Vec<CompletedOption> {
    let complete = |option: &FlagInfo<'_>| {
        let value = match option.kind {
            FlagInfoKind::Switch => None,
            FlagInfoKind::Option { arg_name } => Some(arg_name.to_owned()),
        };
        let known = match value {
            Some(_) => known_values(program, &command.into_iter().chain([option.long]).collect::<Vec<_>>()),
            None => Vec::new(),
        };
        let values = Values::of(value.as_deref().unwrap_or_default(), known);
        CompletedOption {
            long: option.long.to_owned(),
            short: option.short,
            summary: summary(option.description),
            is_repeated: option.optionality == Optionality::Repeating,
            value,
            values,
        }
    };
    visible_options(info).map(complete).collect()
}

/// The values that may follow these words: the parser names them when it refuses another one, and accepts them.
fn known_values(program: &Program<'_>, words: &[&str]) -> Vec<String> {
    let refusal = |value: &str| (program.parse)(&words.iter().copied().chain([value]).collect::<Vec<_>>()).err();
    let Some(error) = refusal(UNEXPECTED) else { return Vec::new() };
    let Some((_, expected)) = error.trim_end().rsplit_once("expected ") else { return Vec::new() };
    let values: Vec<_> = expected.split(", ").flat_map(|part| part.split(" or ")).map(str::to_owned).collect();
    let is_value = |value: &String| {
        // A value may be valid only with others.
        let is_accepted = refusal(value).is_none_or(|error| !error.contains("expected "));
        value.chars().all(|c| c.is_ascii_lowercase()) && is_accepted
    };
    if values.len() > 1 && values.iter().all(is_value) { values } else { Vec::new() }
}

/// The first statement of a description.
fn summary(description: &str) -> String {
    let end = ["; ", ". ", " (default"].iter().filter_map(|mark| description.find(mark)).min();
    description[..end.unwrap_or(description.len())].trim_end_matches('.').replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_is_the_first_statement() {
        for (description, expected) in [
            ("listen on this address; may be repeated", "listen on this address"),
            ("list the members. More.", "list the members"),
            ("what to log: off or on (default: on)", "what to log: off or on"),
            ("the server (default: $`SERVER`)", "the server"),
            ("send `x`.", "send x"),
        ] {
            assert_eq!(summary(description), expected);
        }
    }

    #[test]
    fn values_are_those_that_the_parser_names() {
        let parse = |words: &[&str]| match words {
            ["--log", "off" | "on" | "debug"] => Ok(()),
            ["--log", _] => Err("invalid --log: expected off, on or debug\n".to_owned()),
            ["--keep", _] => Err("invalid --keep: expected an age (30d) or a count".to_owned()),
            ["--lies", _] => Err("invalid --lies: expected this or that".to_owned()),
            _ => Ok(()),
        };
        let program = Program {
            name: "x",
            section: 1,
            usage: "",
            info: &CommandInfoWithArgs::default(),
            groups: Vec::new(),
            sections: "",
            see_also: "",
            parse: &parse,
        };
        assert_eq!(known_values(&program, &["--log"]), ["off", "on", "debug"]);
        for option in ["--keep", "--lies", "--any"] {
            assert!(known_values(&program, &[option]).is_empty(), "{option}");
        }
    }
}
