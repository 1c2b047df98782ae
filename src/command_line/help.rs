//! Renders the help of a program or of one of its commands, with options in groups, at most 80 columns wide.
//!
//! argh lists all options under one heading, without the names of their values. So this module renders argh's descriptions itself.
//! [`CommandLine::groups`] says which options stand under which heading.

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality, PositionalInfo};

use super::CommandLine;

/// Width of the help, in columns: that of a common terminal.
const WIDTH: usize = 80;

/// Column at which descriptions of options begin.
const DESCRIPTION_COLUMN: usize = 24;

/// argh leaves out the short form.
const HELP: FlagInfo<'_> = FlagInfo {
    kind: FlagInfoKind::Switch,
    optionality: Optionality::Optional,
    long: "--help",
    short: Some('h'),
    description: "print this help and exit",
    hidden: false,
};

/// Options that stand under one heading in the help.
#[derive(Clone, Copy, Debug)]
pub struct OptionGroup {
    /// The heading, without a colon.
    pub heading: &'static str,
    /// The options, with the hyphens, in the order of the help. Options that this build does not have are left out.
    pub options: &'static [&'static str],
}

#[cfg(feature = "config")]
impl OptionGroup {
    /// The section of a configuration file that has these options.
    pub(super) fn section(&self) -> String {
        self.heading.to_ascii_lowercase().replace(' ', "-")
    }

    /// Those of the options that the program has without a command.
    pub(super) fn flags_in(&self, info: &CommandInfoWithArgs) -> Vec<&'static FlagInfo<'static>> {
        let find = |name: &&str| info.flags.iter().find(|flag| flag.long == *name && !flag.hidden);
        self.options.iter().filter_map(find).collect()
    }
}

impl CommandLine {
    /// Renders the help of the program or of this command from argh's descriptions.
    pub(super) fn render_help(&self, info: &CommandInfoWithArgs, command: Option<&str>) -> String {
        let (name, usage, info) = match info.commands.iter().find(|known| Some(known.name) == command) {
            Some(known) => (format!("{} {}", self.program, known.name), usage(&known.command), &known.command),
            None => (self.program.to_owned(), self.usage.to_owned(), info),
        };
        let mut help = Help::default();
        help.paragraph("", &as_sentence(info.description));
        help.text.push_str(&format!("\nUsage: {name} {usage}\n"));
        help.section("Commands", &info.commands, |help, known| {
            help.item(known.name, known.command.description, DESCRIPTION_COLUMN);
        });
        help.section("Arguments", info.positionals, |help, argument| {
            help.item(&format!("<{}>", argument.name), argument.description, DESCRIPTION_COLUMN);
        });
        for group in self.groups {
            let known = || [&HELP].into_iter().chain(info.flags);
            let find = |name: &&str| known().find(|option| option.long == *name && !option.hidden);
            let options: Vec<_> = group.options.iter().filter_map(find).collect();
            help.section(group.heading, &options, |help, option| {
                help.item(&signature(option), option.description, DESCRIPTION_COLUMN);
            });
        }
        let examples: Vec<_> = info.examples.iter().flat_map(|example| example.lines()).collect();
        help.section("Examples", &examples, |help, line| {
            help.text.push_str(&format!("  {}\n", line.replace("{command_name}", &name)));
        });
        help.section("Notes", info.notes, |help, note| help.paragraph("  - ", &note.replace("{command_name}", &name)));
        help.section("Exit codes", info.error_codes, |help, exit| {
            help.item(&exit.code.to_string(), exit.description, 7);
        });
        help.text
    }
}

/// The arguments in the usage line of a command.
fn usage(command: &CommandInfoWithArgs) -> String {
    let argument = |argument: &PositionalInfo<'_>| match argument.optionality {
        Optionality::Required => format!(" <{}>", argument.name),
        Optionality::Optional => format!(" [<{}>]", argument.name),
        // argh has no repeated argument that is required.
        Optionality::Repeating | Optionality::Greedy if !argument.description.contains("(default: ") => {
            format!(" <{}>...", argument.name)
        }
        Optionality::Repeating | Optionality::Greedy => format!(" [<{}>...]", argument.name),
    };
    format!("[options]{}", command.positionals.iter().map(argument).collect::<String>())
}

/// A description as a sentence. In the list of commands, it begins in lower case and has no full stop.
fn as_sentence(description: &str) -> String {
    let text = description.trim().trim_end_matches('.');
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// An option with its short form and the name of its value: `-V, --version` or `--listen <uri>`.
fn signature(option: &FlagInfo<'_>) -> String {
    let short = option.short.map(|short| format!("-{short}, ")).unwrap_or_default();
    let value = match option.kind {
        FlagInfoKind::Switch => String::new(),
        FlagInfoKind::Option { arg_name } => format!(" <{arg_name}>"),
    };
    format!("{short}{}{value}", option.long)
}

#[derive(Default)]
struct Help {
    text: String,
}

impl Help {
    /// A heading with these entries, unless there are none.
    fn section<T>(&mut self, heading: &str, entries: &[T], push: impl Fn(&mut Self, &T)) {
        if entries.is_empty() {
            return;
        }
        self.text.push_str(&format!("\n{heading}:\n"));
        for entry in entries {
            push(self, entry);
        }
    }

    /// A term, and its description from this column on. A long term has a line of its own.
    fn item(&mut self, term: &str, description: &str, column: usize) {
        let first = format!("  {term}");
        if first.len() + 2 <= column {
            self.paragraph(&format!("{first:column$}"), description);
        } else {
            self.text.push_str(&format!("{first}\n"));
            self.paragraph(&" ".repeat(column), description);
        }
    }

    /// Words in lines of at most [`WIDTH`] columns, after `first` in the first line and as many spaces in the others. The first
    /// word of a default stays in one line with its label. Doc comments mark code by backticks, which a terminal does not need.
    fn paragraph(&mut self, first: &str, words: &str) {
        let (mut line, mut is_empty) = (first.to_owned(), true);
        let words = words.replace('`', "").replace("(default: ", "(default:\u{a0}");
        for word in words.split_ascii_whitespace() {
            if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.text.push_str(&line);
                self.text.push('\n');
                (line, is_empty) = (" ".repeat(first.len()), true);
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(&word.replace('\u{a0}', " "));
            is_empty = false;
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use argh::{ArgsInfo, FromArgs};

    use super::*;

    /// A trial.
    #[derive(FromArgs, ArgsInfo, Debug)]
    #[argh(
        example = "{command_name} --size 1",
        note = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen",
        error_code(2, "wrong"),
        error_code(101, "a fault")
    )]
    #[expect(dead_code, reason = "only its description is used")]
    struct Trial {
        /// the size; it is described in more words than one line of eighty columns has room for
        #[argh(option, arg_name = "size")]
        size: Option<u8>,

        /// a name that leaves no room
        #[argh(option, arg_name = "duration")]
        long_name_of_timeout: Option<u8>,

        /// a switch
        #[argh(switch, short = 'v')]
        verbose: bool,

        /// not shown
        #[argh(switch, hidden_help)]
        secret: bool,
    }

    #[test]
    fn help_has_groups_and_80_columns() {
        let groups = &[
            OptionGroup { heading: "Other", options: &["--verbose", "--secret", "--size"] },
            OptionGroup { heading: "Of another build", options: &["--absent"] },
            OptionGroup { heading: "Timeouts", options: &["--long-name-of-timeout", "--help"] },
        ];
        let command_line = CommandLine { program: "trial", usage: "[options]", groups, ..CommandLine::default() };
        let expected = "\
A trial.

Usage: trial [options]

Other:
  -v, --verbose         a switch
  --size <size>         the size; it is described in more words than one line of
                        eighty columns has room for

Timeouts:
  --long-name-of-timeout <duration>
                        a name that leaves no room
  -h, --help            print this help and exit

Examples:
  trial --size 1

Notes:
  - one two three four five six seven eight nine ten eleven twelve thirteen
    fourteen fifteen

Exit codes:
  2    wrong
  101  a fault
";
        assert_eq!(command_line.render_help(&Trial::get_args_info(), None), expected);
    }

    /// A program with a command.
    #[derive(FromArgs, ArgsInfo, Debug)]
    #[expect(dead_code, reason = "only its description is used")]
    struct Program {
        #[argh(subcommand)]
        command: Command,
    }

    #[derive(FromArgs, ArgsInfo, Debug)]
    #[argh(subcommand)]
    #[expect(dead_code, reason = "only its description is used")]
    enum Command {
        Send(Send),
    }

    /// send a text
    #[derive(FromArgs, ArgsInfo, Debug)]
    #[argh(subcommand, name = "send", example = "{command_name} hi")]
    #[expect(dead_code, reason = "only its description is used")]
    struct Send {
        /// the recipient
        #[argh(positional)]
        recipient: String,

        /// the `text`
        #[argh(positional)]
        text: Vec<String>,
    }

    #[test]
    fn help_of_command_has_its_arguments() {
        let groups = &[OptionGroup { heading: "Other", options: &["--help"] }];
        let command_line =
            CommandLine { program: "trial", usage: "[host] [command]", groups, ..CommandLine::default() };
        let info = Program::get_args_info();
        let help = command_line.render_help(&info, None);
        let expected = "\
A program with a command.

Usage: trial [host] [command]

Commands:
  send                  send a text
";
        assert!(help.starts_with(expected), "{help}");
        let expected = "\
Send a text.

Usage: trial send [options] <recipient> <text>...

Arguments:
  <recipient>           the recipient
  <text>                the text

Other:
  -h, --help            print this help and exit

Examples:
  trial send hi
";
        assert_eq!(command_line.render_help(&info, Some("send")), expected);
    }

    #[test]
    fn two_spaces_separate_term_and_description() {
        let render = |term: &str| {
            let mut help = Help::default();
            help.item(term, "text", 8);
            help.text
        };
        assert_eq!(render("term"), "  term  text\n");
        assert_eq!(render("terms"), "  terms\n        text\n");
    }

    #[test]
    fn paragraph_fills_lines_up_to_the_last_column() {
        let render = |words: &str| {
            let mut help = Help::default();
            help.paragraph("- ", words);
            help.text
        };
        let word = "x".repeat(38);
        assert_eq!(render(&format!("{word} {word}y")), format!("- {word} {word}y\n"));
        assert_eq!(render(&format!("{word} {word}yz")), format!("- {word}\n  {word}yz\n"));
        let long = "x".repeat(100);
        assert_eq!(render(&format!("{long} a")), format!("- {long}\n  a\n"));
        assert_eq!(render("  a \n `b`"), "- a b\n");
        assert_eq!(
            render(&format!("{word} {} (default: 5)", "y".repeat(27))),
            format!("- {word} {}\n  (default: 5)\n", "y".repeat(27))
        );
    }
}
