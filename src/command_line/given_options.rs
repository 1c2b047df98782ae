//! The options that are given, on the command line and in the configuration file.

use std::collections::BTreeSet;

use super::escaped;

/// The options that are given: those of the command line, then those of the configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenOptions {
    pub(super) all: Vec<GivenOption>,
    /// The path of the configuration file, as the user has written it.
    pub(super) file: Option<String>,
}

/// An option with its value. An option that is repeated is there once for each value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GivenOption {
    /// With the hyphens.
    pub(super) name: &'static str,
    pub(super) value: GivenValue,
    /// The line of the configuration file. `None`: it is on the command line.
    pub(super) line: Option<usize>,
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GivenValue {
    Text(String),
    /// A configuration file can also say that a switch is off.
    Switch(bool),
}

impl GivenOption {
    /// The words for argh.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        let (name, value) = match &self.value {
            GivenValue::Text(value) => (Some(self.name), Some(value.as_str())),
            GivenValue::Switch(is_on) => (is_on.then_some(self.name), None),
        };
        name.into_iter().chain(value)
    }

    /// The value; `None` for a switch.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            GivenValue::Text(value) => Some(value),
            GivenValue::Switch(_) => None,
        }
    }

    /// The name in an error: a key of the configuration file has no hyphens in front.
    pub(super) fn shown_name(&self) -> &'static str {
        if self.line.is_some() { self.name.trim_start_matches('-') } else { self.name }
    }
}

impl GivenOptions {
    /// Whether the option is given.
    pub fn has(&self, name: &str) -> bool {
        self.all.iter().any(|option| option.name == name)
    }

    /// The options that are given, each once.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.all.iter().map(|option| option.name).collect::<BTreeSet<_>>().into_iter()
    }

    /// The value of an option that is given once.
    #[cfg(feature = "config")]
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.all.iter().find(|option| option.name == name)?.text()
    }

    /// Puts the place in front of an error about options that depend on each other: that of the first option in the text that the
    /// configuration file has.
    pub fn locate(&self, error: &str) -> String {
        let words = error.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let line = |word: &str| self.all.iter().filter(|option| option.name == word).find_map(|option| option.line);
        self.with_place(words.filter(|word| word.starts_with("--")).find_map(line), error)
    }

    /// An error with its place in front: `/etc/chinwag.toml:12: ` for a line of the configuration file.
    pub(super) fn with_place(&self, line: Option<usize>, error: &str) -> String {
        line.map_or_else(|| error.to_owned(), |line| format!("{}: {error}", self.place(line)))
    }

    /// A line of the configuration file: `/etc/chinwag.toml:12`.
    pub(super) fn place(&self, line: usize) -> String {
        format!("{}:{line}", escaped(self.file.as_deref().unwrap_or_default().chars()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_has_the_place_of_the_first_option_in_the_file() {
        let option = |name, line| GivenOption { name, value: GivenValue::Text("1s".to_owned()), line };
        let all = vec![option("--idle-timeout", None), option("--name-timeout", Some(3)), option("--name", Some(4))];
        let options = GivenOptions { all, file: Some("/etc/a\nb.toml".to_owned()) };
        for (error, place) in [
            ("invalid --name-timeout: expected less than --name", "/etc/a\\nb.toml:3: "),
            ("two --name options", "/etc/a\\nb.toml:4: "),
            ("--idle-timeout without --name-timeout", "/etc/a\\nb.toml:3: "),
            ("--idle-timeout is long", ""),
            ("--names and name-timeout", ""),
        ] {
            assert_eq!(options.locate(error), format!("{place}{error}"));
        }
    }
}
