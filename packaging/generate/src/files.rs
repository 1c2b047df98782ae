//! The generated files: compares them with the committed ones, or writes them.

use std::path::Path;
use std::{env, fs};

use crate::mdoc::DATE_MACRO;

/// A file of the directory `packaging`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Its path in the directory.
    pub path: String,
    /// Its text. The date of a man page is today.
    pub content: String,
}

/// Compares the files with those in the directory `packaging` of the repository at `root`. With `CHINWAG_GENERATE` in the environment,
/// writes the files that differ instead. A man page that differs only in its date is not changed: the date is the day of the last change.
///
/// # Panics
///
/// If a file differs or cannot be written. The text names the command that writes the files.
pub fn check(root: &str, files: &[GeneratedFile]) {
    let directory = Path::new(root).join("packaging");
    for GeneratedFile { path, content } in files {
        let target = directory.join(path);
        let present = fs::read_to_string(&target).unwrap_or_default();
        if without_date(&present) == without_date(content) {
            continue;
        }
        assert!(
            env::var_os("CHINWAG_GENERATE").is_some(),
            "packaging/{path} is not what the options and protocol.md make of it now; write it with: scripts/generate\n{}",
            first_difference(&present, content)
        );
        fs::write(&target, content).unwrap_or_else(|error| panic!("cannot write {}: {error}", target.display()));
    }
}

fn without_date(text: &str) -> Vec<&str> {
    text.split('\n').filter(|line| !line.starts_with(DATE_MACRO)).collect()
}

fn first_difference(present: &str, content: &str) -> String {
    let [mut present, mut content] = [present, content].map(|text| without_date(text).into_iter());
    loop {
        match (present.next(), content.next()) {
            (Some(old), Some(new)) if old == new => {}
            (old, new) => {
                let [old, new] = [old, new].map(|line| line.unwrap_or("(end of the file)"));
                return format!("the file: {old}\nnow:      {new}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_alone_is_no_difference() {
        assert_eq!(without_date(".Dd May 1, 2026\na\n"), without_date(".Dd June 1, 2026\na\n"));
        assert_ne!(without_date(".Dd May 1, 2026\na\n"), without_date(".Dd May 1, 2026\nb\n"));
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), "the file: b\nnow:      c");
        assert_eq!(first_difference("a", "a\nc"), "the file: (end of the file)\nnow:      c");
    }
}
