//! The page of a program, from the descriptions that `--help` shows.

use argh_shared::{CommandInfoWithArgs, ErrorCodeInfo, FlagInfo, FlagInfoKind, Optionality, PositionalInfo};

use crate::mdoc::{Font, Page, escaped, escaped_code, in_font};
use crate::{HELP, Program, visible_options};

pub(crate) fn render(program: &Program<'_>) -> String {
    let Program { name, section, info, .. } = program;
    for variable in variables(info) {
        let is_known = program.sections.lines().any(|line| line.starts_with(".It Ev ") && line.contains(variable));
        assert!(is_known, "the section ENVIRONMENT in packaging/generate/pages/{name}-sections.mdoc lacks {variable}");
    }
    let source = format!("the options of {name}");
    let (about, _) = info.description.split_once(". ").unwrap_or((info.description, ""));
    let about = without_article(about.split(':').next().unwrap_or(about));
    let mut writer = Writer { program, page: Page::new(name, *section, &about, &source) };
    writer.synopsis();
    writer.description();
    writer.options();
    writer.commands();
    writer.page.line(program.sections.trim_end());
    writer.exit_status();
    writer.examples();
    writer.page.line(program.see_also.trim_end());
    writer.page.finish()
}

/// The variables of the environment that the descriptions name, such as `$HOME`.
fn variables<'a>(info: &CommandInfoWithArgs<'a>) -> Vec<&'a str> {
    let described = |command: &CommandInfoWithArgs<'a>| {
        let options = command.flags.iter().map(|option| option.description);
        options.chain(command.notes.iter().copied()).collect::<Vec<_>>()
    };
    let commands = info.commands.iter().map(|known| &known.command);
    let texts = [info].into_iter().chain(commands).flat_map(described);
    let name = |rest: &'a str| {
        let rest = rest.trim_start_matches('`');
        let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    };
    texts.flat_map(|text| text.split('$').skip(1)).map(name).filter(|name| !name.is_empty()).collect()
}

/// A description as the page's name section has it.
fn without_article(text: &str) -> String {
    let text = ["A ", "An ", "The "].iter().find_map(|article| text.strip_prefix(article)).unwrap_or(text);
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

struct Writer<'a> {
    program: &'a Program<'a>,
    page: Page,
}

impl<'a> Writer<'a> {
    fn synopsis(&mut self) {
        self.page.section("SYNOPSIS");
        self.page.line(".Nm");
        self.usage();
        for known in &self.program.info.commands {
            self.page.line(".Nm");
            self.command_usage(known.name, &known.command);
        }
    }

    /// The arguments in the usage line, such as `[host [port]] [options]`.
    fn usage(&mut self) {
        let spaced = self.program.usage.replace('[', " [ ").replace(']', " ] ");
        for word in spaced.split_ascii_whitespace() {
            match word {
                "[" => self.page.line(".Oo"),
                "]" => self.page.line(".Oc"),
                word => self.page.line(&format!(".Ar {}", escaped_code(word))),
            }
        }
    }

    fn command_usage(&mut self, name: &str, command: &CommandInfoWithArgs<'_>) {
        self.page.line(&format!(".Cm {name}"));
        self.page.line(".Op Ar options");
        for PositionalInfo { name, description, optionality, .. } in command.positionals {
            let is_required = !description.contains("(default: ");
            self.page.line(&match optionality {
                Optionality::Required => format!(".Ar {name}"),
                Optionality::Optional => format!(".Op Ar {name}"),
                // argh has no repeated argument that is required.
                Optionality::Repeating | Optionality::Greedy if is_required => format!(".Ar {name} ..."),
                Optionality::Repeating | Optionality::Greedy => format!(".Op Ar {name} ..."),
            });
        }
    }

    fn description(&mut self) {
        let info = self.program.info;
        self.page.section("DESCRIPTION");
        self.page.fill(&formatted(info.description));
        for note in info.notes {
            self.page.line(".Pp");
            self.page.fill(&formatted(&named(note, self.program.name)));
        }
        self.arguments(info);
    }

    fn options(&mut self) {
        self.page.section("OPTIONS");
        let options: Vec<_> = visible_options(self.program.info).collect();
        for (heading, names) in &self.program.groups {
            let options = in_order(&options, names);
            if !options.is_empty() {
                self.page.subsection(heading);
                self.option_list(&options);
            }
        }
    }

    fn commands(&mut self) {
        let commands = &self.program.info.commands;
        if commands.is_empty() {
            return;
        }
        self.page.section("COMMANDS");
        self.page.fill(&formatted("With --help, each command describes itself."));
        let common = self.common_notes();
        for note in &common {
            self.page.fill(&formatted(&named(note, self.program.name)));
        }
        let shared = self.shared_options();
        if !shared.is_empty() {
            self.page.line(".Pp");
            self.page.fill("Several commands have these options:");
            self.option_list(&shared);
        }
        for known in commands {
            let full_name = format!("{} {}", self.program.name, known.name);
            self.page.subsection(&full_name);
            self.page.line(".Nm");
            self.command_usage(known.name, &known.command);
            self.page.line(".Pp");
            self.page.fill(&formatted(&as_sentence(known.command.description)));
            self.arguments(&known.command);
            self.command_options(&known.command, &shared);
            for note in known.command.notes.iter().filter(|note| !common.contains(note)) {
                self.page.line(".Pp");
                self.page.fill(&formatted(&named(note, &full_name)));
            }
            self.example_lines(&known.command, &full_name);
            self.command_exit_status(&known.command);
        }
    }

    /// The notes that all commands have.
    fn common_notes(&self) -> Vec<&'a str> {
        let commands = &self.program.info.commands;
        let is_common = |note: &&str| commands.iter().all(|known| known.command.notes.contains(note));
        commands.first().map_or(&[][..], |known| known.command.notes).iter().copied().filter(is_common).collect()
    }

    /// The options that several commands have with the same description, and that differ from those of the program.
    fn shared_options(&self) -> Vec<&'a FlagInfo<'a>> {
        let all = self.program.info.commands.iter().flat_map(|known| visible_options(&known.command));
        let all: Vec<_> = all.filter(|option| !is_in(option, visible_options(self.program.info))).collect();
        let is_shared = |option: &&FlagInfo<'_>| all.iter().filter(|other| is_same(option, other)).count() > 1;
        let mut shared: Vec<&FlagInfo<'_>> = Vec::new();
        for option in all.iter().copied().filter(is_shared) {
            if !is_in(option, shared.iter().copied()) {
                shared.push(option);
            }
        }
        in_order(&shared, &self.order())
    }

    /// The options of a command: with a description if no other command has the same one, otherwise only with the name.
    fn command_options(&mut self, command: &'a CommandInfoWithArgs<'a>, shared: &[&FlagInfo<'_>]) {
        let order = self.order();
        let options: Vec<_> = visible_options(command).filter(|option| option.long != HELP.long).collect();
        let options = in_order(&options, &order);
        let of_program = |option: &&FlagInfo<'_>| is_in(option, visible_options(self.program.info));
        let (described, own): (Vec<_>, Vec<_>) =
            options.into_iter().partition(|option| of_program(option) || is_in(option, shared.iter().copied()));
        let names: Vec<_> = described.iter().map(|option| in_font(Font::Bold, &escaped_code(option.long))).collect();
        if !own.is_empty() {
            self.option_list(&own);
        }
        if names.is_empty() {
            return;
        }
        self.page.line(".Pp");
        let also = if own.is_empty() { "It has" } else { "It also has" };
        self.page.fill(&format!("{also} these options, which are described above: {}.", names.join(", ")));
    }

    /// All options, in the order of their groups.
    fn order(&self) -> Vec<&'a str> {
        self.program.groups.iter().flat_map(|(_, names)| names.iter().copied()).collect()
    }

    fn arguments(&mut self, command: &CommandInfoWithArgs<'_>) {
        if command.positionals.is_empty() {
            return;
        }
        self.page.line(".Bl -tag -width Ds");
        for argument in command.positionals {
            self.page.line(&format!(".It Ar {}", escaped_code(argument.name)));
            self.page.fill(&formatted(argument.description));
        }
        self.page.line(".El");
    }

    fn option_list(&mut self, options: &[&FlagInfo<'_>]) {
        self.page.line(".Bl -tag -width Ds");
        for option in options {
            let short = option.short.map(|short| format!("Fl {short} , ")).unwrap_or_default();
            let value = match option.kind {
                FlagInfoKind::Switch => String::new(),
                FlagInfoKind::Option { arg_name } => format!(" Ar {}", escaped_code(arg_name)),
            };
            let long = option.long.strip_prefix('-').unwrap_or(option.long);
            self.page.line(&format!(".It {short}Fl {}{value}", escaped_code(long)));
            self.page.fill(&formatted(option.description));
        }
        self.page.line(".El");
    }

    /// The exit codes of a command that mean something else than those of the program.
    fn command_exit_status(&mut self, command: &CommandInfoWithArgs<'_>) {
        let says = |general: &ErrorCodeInfo<'_>, code: &ErrorCodeInfo<'_>| {
            general.code == code.code && general.description.starts_with(code.description)
        };
        let is_general =
            |code: &&ErrorCodeInfo<'_>| self.program.info.error_codes.iter().any(|general| says(general, code));
        let own: Vec<_> = command.error_codes.iter().filter(|code| !is_general(code)).collect();
        if !own.is_empty() {
            self.page.line(".Pp");
            self.page.fill("Its exit status:");
            self.exit_codes(&own, " -compact");
        }
    }

    fn exit_status(&mut self) {
        self.page.section("EXIT STATUS");
        self.exit_codes(&self.program.info.error_codes.iter().collect::<Vec<_>>(), "");
    }

    fn exit_codes(&mut self, codes: &[&ErrorCodeInfo<'_>], spacing: &str) {
        self.page.line(&format!(".Bl -tag -width 3n -offset 2n{spacing}"));
        for ErrorCodeInfo { code, description } in codes {
            self.page.line(&format!(".It {code}"));
            self.page.fill(&formatted(description));
        }
        self.page.line(".El");
    }

    fn examples(&mut self) {
        self.page.section("EXAMPLES");
        self.example_lines(self.program.info, self.program.name);
    }

    fn example_lines(&mut self, command: &CommandInfoWithArgs<'_>, full_name: &str) {
        if command.examples.is_empty() {
            return;
        }
        self.page.literal(&named(&command.examples.join("\n"), full_name));
    }
}

/// A text with the name of the command, which argh leaves to its help, and of the page that stands for a document.
fn named(text: &str, full_name: &str) -> String {
    text.replace("{command_name}", full_name).replace("protocol.md", "chinwag-protocol(7)")
}

fn is_same(option: &FlagInfo<'_>, other: &FlagInfo<'_>) -> bool {
    option.long == other.long && option.description == other.description
}

fn is_in<'a>(option: &FlagInfo<'_>, mut options: impl Iterator<Item = &'a FlagInfo<'a>>) -> bool {
    options.any(|other| is_same(option, other))
}

/// Those of the options that have these names, in this order.
fn in_order<'a>(options: &[&'a FlagInfo<'a>], names: &[&str]) -> Vec<&'a FlagInfo<'a>> {
    let find = |name: &&str| options.iter().copied().find(|option| option.long == *name);
    names.iter().filter_map(find).collect()
}

/// The description of a command as a sentence.
fn as_sentence(description: &str) -> String {
    let mut chars = description.trim().trim_end_matches('.').chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}

/// A description as the source of a text: options and words in backquotes are bold, `<value>` is in italics.
fn formatted(description: &str) -> String {
    let mut text = String::new();
    // The first word of a default stays in one line with its label.
    let description = description.replace("(default: ", "(default:\u{a0}");
    for (index, part) in description.split('`').enumerate() {
        if index % 2 == 1 {
            text.push_str(&in_font(Font::Bold, &escaped_code(part)));
        } else {
            let words: Vec<_> = part.split(' ').map(formatted_word).collect();
            text.push_str(&words.join(" "));
        }
    }
    text.replace("\\[u00A0]", "\\~")
}

/// Formats a word without the punctuation around it. One that is not prose, such as an address, is not broken at its hyphens.
fn formatted_word(word: &str) -> String {
    const PUNCTUATION: [char; 7] = ['(', ')', ',', '.', ':', ';', '?'];
    let core = word.trim_matches(PUNCTUATION);
    let Some(start) = word.find(core).filter(|_| !core.is_empty()) else { return escaped(word) };
    let (before, after) = (&word[..start], &word[start + core.len()..]);
    let core = match core.strip_prefix('<').and_then(|value| value.strip_suffix('>')) {
        Some(value) => in_font(Font::Italic, &escaped(value)),
        None if core.starts_with("--") => in_font(Font::Bold, &escaped_code(core)),
        None if core.contains(['/', '=', '(']) => escaped_code(core),
        None => escaped(core),
    };
    format!("{}{core}{}", escaped(before), escaped(after))
}

#[cfg(test)]
mod tests {
    use argh_shared::SubCommandInfo;

    use super::*;

    const fn switch(long: &'static str, description: &'static str) -> FlagInfo<'static> {
        let (kind, optionality) = (FlagInfoKind::Switch, Optionality::Optional);
        FlagInfo { kind, optionality, long, short: None, description, hidden: false }
    }

    const CODES: [ErrorCodeInfo<'_>; 2] =
        [ErrorCodeInfo { code: 1, description: "failed, or stopped" }, ErrorCodeInfo { code: 2, description: "wrong" }];

    fn command(name: &'static str, flags: &'static [FlagInfo<'static>]) -> SubCommandInfo<'static> {
        let notes = &["For {command_name}, see protocol.md."];
        let codes = &[ErrorCodeInfo { code: 1, description: "failed" }, ErrorCodeInfo { code: 3, description: "late" }];
        let command = CommandInfoWithArgs {
            description: "do it",
            flags,
            notes,
            error_codes: codes,
            ..CommandInfoWithArgs::default()
        };
        SubCommandInfo { name, command }
    }

    fn page(sections: &str) -> String {
        const ALL: FlagInfo<'_> = switch("--all", "everything; see $`HOME`");
        const BOTH: FlagInfo<'_> = switch("--both", "shared");
        const ONE: &[FlagInfo<'_>] = &[ALL, BOTH, switch("--own", "only with --all")];
        const TWO: &[FlagInfo<'_>] = &[BOTH];
        let info = CommandInfoWithArgs {
            description: "A program: it does <much>. More.",
            flags: &[ALL],
            commands: vec![command("one", ONE), command("two", TWO)],
            error_codes: &CODES,
            ..CommandInfoWithArgs::default()
        };
        let program = Program {
            name: "x",
            section: 1,
            usage: "[host [port]] [options]",
            info: &info,
            groups: vec![("All", &["--all", "--both", "--own"])],
            sections,
            see_also: ".Sh SEE ALSO",
            parse: &|_| Ok(()),
        };
        render(&program)
    }

    #[test]
    fn page_describes_each_option_once() {
        let page = page(".Sh ENVIRONMENT\n.It Ev HOME");
        let commands = page.split_once(".Sh COMMANDS\n").unwrap().1;
        let list = ".Bl -tag -width Ds\n.It Fl \\-both\nshared\n.El\n";
        let one = ".Ss x one\n.Nm\n.Cm one\n.Op Ar options\n.Pp\nDo it.\n.Bl -tag -width Ds\n.It Fl \\-own\n\
                   only with \\fB\\-\\-all\\fR\n.El\n.Pp\nIt also has these options, which are described above: \
                   \\fB\\-\\-all\\fR,\n\\fB\\-\\-both\\fR.\n.Pp\nIts exit status:\n\
                   .Bl -tag -width 3n -offset 2n -compact\n.It 3\nlate\n.El\n";
        assert!(commands.contains(&format!("Several commands have these options:\n{list}{one}")), "{commands}");
        assert!(commands.contains("For x, see chinwag\\-protocol(7).\n"), "{commands}");
        assert!(page.contains(".Nd program\n.Sh SYNOPSIS\n.Nm\n.Oo\n.Ar host\n.Oo\n.Ar port\n.Oc\n.Oc\n"), "{page}");
        assert!(page.contains("A program: it does \\fImuch\\fR.\nMore.\n"), "{page}");
    }

    #[test]
    #[should_panic(expected = "x-sections.mdoc lacks HOME")]
    fn page_lists_the_variables_of_its_descriptions() {
        page(".Sh ENVIRONMENT");
    }
}
