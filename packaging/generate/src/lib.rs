//! Makes the man pages and the completions of the shells.
//!
//! | module | task |
//! |---|---|
//! | `program_page` | the page of a program, from the descriptions that `--help` shows |
//! | `markdown_page` | a page from a Markdown document: protocol.md |
//! | `mdoc`, `table` | the source of a page, in mdoc(7) with tables in tbl(7) |
//! | `completion` | what the shells complete; `bash`, `fish` and `zsh` write it |
//! | `files` | compares files with the committed ones, or writes them |
//!
//! Why no crate makes them: the completions of `argh_complete` know no values and no paths, describe an option by its whole text, and do
//! not find a command behind the server (`chinwag chat.example.org who`). `clap_mangen` and its like need clap or another parser.

mod bash;
mod completion;
mod files;
mod fish;
mod markdown_page;
mod mdoc;
mod program_page;
mod table;
mod zsh;

use argh_shared::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

pub use self::files::{GeneratedFile, check};
pub use self::markdown_page::markdown_page;

/// argh leaves out the short form.
pub(crate) const HELP: FlagInfo<'_> = FlagInfo {
    kind: FlagInfoKind::Switch,
    optionality: Optionality::Optional,
    long: "--help",
    short: Some('h'),
    description: "print this help and exit",
    hidden: false,
};

/// A program, as its command line describes it.
pub struct Program<'a> {
    /// The name.
    pub name: &'a str,
    /// The section of the manual.
    pub section: u8,
    /// The arguments in the usage line, such as `[options] [command]`.
    pub usage: &'a str,
    /// The descriptions of the options, commands, examples, notes and exit codes.
    pub info: &'a CommandInfoWithArgs<'a>,
    /// The headings of the options, each with its options.
    pub groups: Vec<(&'a str, &'a [&'a str])>,
    /// Sections of the page that the descriptions do not have, in mdoc: ENVIRONMENT and FILES.
    pub sections: &'a str,
    /// The last section of the page, in mdoc: SEE ALSO.
    pub see_also: &'a str,
    /// Parses these words, and returns the error of the parser. The words of an option or an argument with a fixed set of values are found
    /// in this error: `expected text or json`.
    pub parse: &'a dyn Fn(&[&str]) -> Result<(), String>,
}

impl Program<'_> {
    /// The man page and the completions.
    pub fn files(&self) -> Vec<GeneratedFile> {
        let completion = completion::Completion::of(self);
        let name = self.name;
        let page = GeneratedFile { path: format!("man/{name}.{}", self.section), content: program_page::render(self) };
        let completions = [
            (format!("completions/{name}.bash"), bash::render(&completion)),
            (format!("completions/{name}.fish"), fish::render(&completion)),
            (format!("completions/_{name}"), zsh::render(&completion)),
        ];
        let completions = completions.map(|(path, content)| GeneratedFile { path, content });
        [page].into_iter().chain(completions).collect()
    }
}

/// The options that users see; `--help` is the last one.
pub(crate) fn visible_options<'a>(command: &'a CommandInfoWithArgs<'a>) -> impl Iterator<Item = &'a FlagInfo<'a>> {
    command.flags.iter().filter(|option| !option.hidden && option.long != HELP.long).chain([&HELP])
}
