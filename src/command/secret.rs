//! Lines with a secret: the argument of `PASS` or `RESUME`. No error repeats one, also after a mistyped verb, and none is published by
//! mistake. A command has a secret if its specification says so.

use super::{Verb, split_indent};

/// The verbs whose argument is a secret.
fn secret_verbs() -> impl Iterator<Item = Verb> {
    Verb::ALL.iter().copied().filter(|verb| verb.specification().may_be_secret.is_some())
}

/// The verb with which a text begins, if it has an argument that may be a secret. A blank before the verb shows that the text is a
/// message.
pub fn begins_with_secret(text: &str) -> Option<Verb> {
    let (indent, typed) = split_indent(text);
    let (word, rest) = typed.split_once(char::is_whitespace)?;
    let verb = secret_verbs().find(|verb| verb.as_str().eq_ignore_ascii_case(word))?;
    let may_be_secret = verb.specification().may_be_secret?;
    (!indent.contains(char::is_whitespace) && may_be_secret(rest)).then_some(verb)
}

/// The verb with a secret that may have been meant by a word that is not a verb: it begins with the verb (`PASS:secret`, `PASSWORD`), or
/// differs from it by a letter or two.
pub fn resembled_secret_verb(word: &str) -> Option<Verb> {
    let word = word.trim_start_matches(['/', '／']).to_ascii_uppercase();
    secret_verbs().filter(|verb| *verb.as_str() != word).find(|verb| {
        let verb = verb.as_str();
        word.starts_with(verb) || strsim::damerau_levenshtein(&word, verb) <= verb.len() / 3
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_begins_with_a_secret() {
        for text in ["PASS hunter2", "pass hunter2", "Pass a b", "\u{200b}PASS hunter2", "PASS\u{3000}hunter2"] {
            assert_eq!(begins_with_secret(text), Some(Verb::Pass), "{text:?}");
        }
        for text in ["RESUME 17-0a", "resume 1-", "Resume 17-0a0b and so on"] {
            assert_eq!(begins_with_secret(text), Some(Verb::Resume), "{text:?}");
        }
        for text in
            ["", "PASS", "PASS ", " PASS hunter2", "\u{3000}pass x", "PASSED it", "resume at 9", "resume the re-run"]
        {
            assert_eq!(begins_with_secret(text), None, "{text:?}");
        }
    }

    #[test]
    fn mistyped_verb_resembles_one_with_a_secret() {
        for word in ["PASSS", "pas", "PSAS", "past", "PASS:hunter2", "pass=x", "/passs", "／PASSWORD", "password:x"] {
            assert_eq!(resembled_secret_verb(word), Some(Verb::Pass), "{word:?}");
        }
        for word in ["RESUM", "resuem", "/resmue", "RESUMED", "RESUME:17-0a"] {
            assert_eq!(resembled_secret_verb(word), Some(Verb::Resume), "{word:?}");
        }
        for word in ["", "/", "PASS", "/resume", "hello", "press", "hunter2", "compass", "p"] {
            assert_eq!(resembled_secret_verb(word), None, "{word:?}");
        }
    }
}
