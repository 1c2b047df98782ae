//! Lines with a secret: the argument of `PASS`, `RESUME`, `LOGIN` and so on. No error repeats one, also after a mistyped verb, and none is published by
//! mistake. A command has a secret if its specification says so.

use unicode_normalization::UnicodeNormalization as _;

use super::{Verb, split_indent};

/// Characters that users type between a verb and its secret instead of a space.
pub const SECRET_SEPARATORS: [char; 4] = [':', '=', '：', '＝'];

/// The verbs whose argument is a secret.
fn secret_verbs() -> impl Iterator<Item = Verb> {
    Verb::ALL.iter().copied().filter(|verb| verb.specification().may_be_secret.is_some())
}

/// The verb with which a text begins, in any width, if it has an argument that may be a secret: after white space, a colon or an equals
/// sign. A blank before the verb shows that the text is a
/// message.
pub fn begins_with_secret(text: &str) -> Option<Verb> {
    let (indent, typed) = split_indent(text);
    let is_separator = |c: char| c.is_whitespace() || SECRET_SEPARATORS.contains(&c);
    let (word, rest) = typed.split_once(is_separator)?;
    let rest = rest.trim_start_matches(is_separator);
    let verb = secret_verbs().find(|verb| has_letters_of(word, *verb))?;
    let may_be_secret = verb.specification().may_be_secret?;
    (!indent.contains(char::is_whitespace) && may_be_secret(rest)).then_some(verb)
}

/// Whether a word is the verb, in any case and width.
fn has_letters_of(word: &str, verb: Verb) -> bool {
    // No form of a letter has more than 4 bytes.
    word.len() <= 4 * verb.as_str().len() && word.nfkc().collect::<String>().eq_ignore_ascii_case(verb.as_str())
}

/// The verb with a secret that may have been meant by a word that is not a verb: it differs from the verb by a letter or two, has it in
/// another width, or begins with it (`PASS:secret`).
pub fn resembled_secret_verb(word: &str) -> Option<Verb> {
    // The refusal of a verb with a superfluous slash does not repeat the line either.
    if Verb::from_word(word.trim_start_matches('/')).is_some() {
        return None;
    }
    let word = word.trim_start_matches(['/', '／']).nfkc().collect::<String>().to_ascii_uppercase();
    // The words after TOKEN are not secret.
    let verbs = || secret_verbs().filter(|verb| *verb != Verb::AccessTokens);
    let distances = verbs().map(|verb| (strsim::damerau_levenshtein(&word, verb.as_str()), verb));
    let near = distances.filter(|(distance, verb)| *distance <= verb.as_str().len() / 3);
    let begun = || verbs().filter(|verb| word.starts_with(verb.as_str())).max_by_key(|verb| verb.as_str().len());
    near.min_by_key(|(distance, _)| *distance).map(|(_, verb)| verb).or_else(begun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_begins_with_a_secret() {
        for text in ["PASS hunter2", "pass hunter2", "Pass a b", "\u{200b}PASS hunter2", "PASS\u{3000}hunter2"] {
            assert_eq!(begins_with_secret(text), Some(Verb::Pass), "{text:?}");
        }
        for text in
            ["PASS:hunter2", "pass=hunter2", "PASS: hunter2", "PASS : hunter2", "ＰＡＳＳ hunter2", "ｐａｓｓ：hunter2"]
        {
            assert_eq!(begins_with_secret(text), Some(Verb::Pass), "{text:?}");
        }
        for text in [
            "RESUME 17-0a",
            "RESUME: 17-0a",
            "resume=17-0a",
            "ＲＥＳＵＭＥ 17-0a",
            "resume 1-",
            "Resume 17-0a0b and so on",
        ] {
            assert_eq!(begins_with_secret(text), Some(Verb::Resume), "{text:?}");
        }
        for (text, verb) in [
            ("LOGIN alice hunter22", Verb::Login),
            ("login: alice hunter22", Verb::Login),
            ("takeover alice hunter22", Verb::Takeover),
            ("Register hunter22", Verb::Register),
            ("PASSWORD hunter22", Verb::SetPassword),
            ("ｐａｓｓｗｏｒｄ：hunter22", Verb::SetPassword),
            ("UNREGISTER hunter22", Verb::Unregister),
            ("TOKEN new build", Verb::AccessTokens),
            ("token cwt_0a", Verb::AccessTokens),
        ] {
            assert_eq!(begins_with_secret(text), Some(verb), "{text:?}");
        }
        for text in [
            "",
            "PASS",
            "PASS ",
            "PASS:",
            "PASS: ",
            "compass: x",
            "resume: at 9",
            " PASS hunter2",
            " LOGIN alice hunter22",
            "login",
            "login please",
            "REGISTER",
            "token of thanks",
            "\u{3000}pass x",
            "PASSED it",
            "resume at 9",
            "resume the re-run",
        ] {
            assert_eq!(begins_with_secret(text), None, "{text:?}");
        }
    }

    #[test]
    fn mistyped_verb_resembles_one_with_a_secret() {
        for word in
            ["PASSS", "pas", "PSAS", "past", "PASS:hunter2", "pass=x", "/passs", "ＰＡＳＳＳ", "ＰＡＳＳ", "／PASS"]
        {
            assert_eq!(resembled_secret_verb(word), Some(Verb::Pass), "{word:?}");
        }
        for (word, verb) in [
            ("LOGON", Verb::Login),
            ("login:alice", Verb::Login),
            ("TAKEOVR", Verb::Takeover),
            ("REGSITER", Verb::Register),
            ("passwort", Verb::SetPassword),
            ("password:x", Verb::SetPassword),
            ("／PASSWORD", Verb::SetPassword),
            ("UNREGISTERED", Verb::Unregister),
        ] {
            assert_eq!(resembled_secret_verb(word), Some(verb), "{word:?}");
        }
        for word in ["RESUM", "resuem", "/resmue", "RESUMED", "RESUME:17-0a"] {
            assert_eq!(resembled_secret_verb(word), Some(Verb::Resume), "{word:?}");
        }
        for word in ["", "/", "PASS", "/resume", "hello", "press", "hunter2", "compass", "p", "/login", "tokens"] {
            assert_eq!(resembled_secret_verb(word), None, "{word:?}");
        }
    }
}
