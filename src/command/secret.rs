//! Lines with a secret: the argument of `PASS`, `RESUME`, `LOGIN` and so on, or an access token. No error repeats one, also after a
//! mistyped verb, and none is published by mistake. A command has a secret if its specification says so. The page has the same rules
//! (`web/page/secrets.js`); a table of lines tests both.

use unicode_normalization::UnicodeNormalization as _;

use super::{Verb, split_indent};
use crate::limits::ACCOUNT_PASSWORD_BYTES_MIN;
use crate::protocol::{ACCESS_TOKEN_DIGITS, ACCESS_TOKEN_PREFIX, is_invisible};

/// A secret that a message would publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedSecret {
    /// The message is a command with a secret, without its slash.
    Command(Verb),
    /// The message has a complete access token somewhere.
    AccessToken,
}

impl TypedSecret {
    /// The secrets that a message of chat mode may have. White space before it shows that the user means it as a message.
    pub fn all_in(text: &str) -> impl Iterator<Item = Self> {
        let (indent, typed) = split_indent(text);
        let typed = if indent.contains(char::is_whitespace) { "" } else { typed };
        let command = secret_verbs().find(|verb| begins_with_command(typed, *verb)).map(Self::Command);
        command.into_iter().chain(find_access_token(typed).map(|_| Self::AccessToken))
    }
}

/// Characters that users type between a verb and its secret instead of a space.
pub const SECRET_SEPARATORS: [char; 4] = [':', '=', '：', '＝'];

/// The verbs whose argument is a secret.
fn secret_verbs() -> impl Iterator<Item = Verb> {
    Verb::ALL.iter().copied().filter(|verb| verb.specification().may_be_secret.is_some())
}

/// Whether a text begins with this command, in any letter case and width, and an argument that may be a secret. A character that shows
/// nothing neither hides a verb nor prevents that it ends.
fn begins_with_command(text: &str, verb: Verb) -> bool {
    let mut letters = text.chars().filter(|c| !is_hidden(*c)).nfkc();
    // Fast path: most messages begin with another word.
    if !verb.as_str().chars().all(|letter| letters.next().is_some_and(|c| c.eq_ignore_ascii_case(&letter))) {
        return false;
    }
    let visible: String = text.chars().filter(|c| !is_hidden(*c)).nfkc().collect();
    let spaced: String = text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).nfkc().collect();
    [visible, spaced].iter().any(|text| {
        let (word, rest) = text.split_at_checked(verb.as_str().len()).unwrap_or_default();
        let argument = argument_after_verb(rest).filter(|_| word.eq_ignore_ascii_case(verb.as_str()));
        argument
            .zip(verb.specification().may_be_secret)
            .is_some_and(|(argument, may_be_secret)| may_be_secret(argument))
    })
}

/// Whether a line may have this character in or after a word without a trace on the screen.
fn is_hidden(c: char) -> bool {
    (is_invisible(c) || c.is_control() || c == char::REPLACEMENT_CHARACTER) && !c.is_whitespace()
}

/// Whether users type this character between a verb, a name and a secret.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || [':', '=', ',', ';', '/', '|'].contains(&c)
}

/// The argument in the text after a verb. `None` if the verb is only a part of a word, or of a sentence such as `Password?`
fn argument_after_verb(rest: &str) -> Option<&str> {
    let end = rest.chars().next().filter(|c| !c.is_alphanumeric())?;
    let after = &rest[end.len_utf8()..];
    let argument = after.trim_start_matches(is_separator);
    if end.is_whitespace() || [':', '='].contains(&end) {
        return Some(argument);
    }
    let has_word = argument.contains(char::is_alphanumeric) || argument.len() >= ACCOUNT_PASSWORD_BYTES_MIN;
    (has_word && !ends_sentence(rest) && !is_compound(end, after)).then_some(argument)
}

/// Whether the text begins with the end of a sentence.
fn ends_sentence(text: &str) -> bool {
    let rest = text.trim_start_matches(['.', '!', '?']);
    rest.len() < text.len() && (rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// Whether this character joins a verb and the next word, as in `password-protected` and `login.js`, and no password follows.
fn is_compound(joint: char, after: &str) -> bool {
    let mut words = after.split(char::is_whitespace);
    let word = words.next().unwrap_or_default().trim_end_matches(SENTENCE_SIGNS);
    let is_word = !word.is_empty() && word.chars().all(char::is_alphabetic);
    ['-', '_', '.', '\'', '’'].contains(&joint) && is_word && !words.any(may_be_password)
}

/// Signs that may end a word of a sentence.
const SENTENCE_SIGNS: [char; 11] = ['.', ',', '!', '?', ';', ':', ')', '"', '\'', '’', '”'];

/// The longest word of letters that is not taken for a password.
const LETTERS_MAX: usize = 16;

/// Whether a word may be the password of an account rather than a word of a sentence.
fn may_be_password(word: &str) -> bool {
    let word = word.trim_end_matches(SENTENCE_SIGNS);
    let is_word = word.chars().all(char::is_alphabetic) && word.chars().count() <= LETTERS_MAX;
    let has_inner_capital =
        word.chars().zip(word.chars().skip(1)).any(|(left, right)| left.is_lowercase() && right.is_uppercase());
    word.len() >= ACCOUNT_PASSWORD_BYTES_MIN && (!is_word || has_inner_capital)
}

/// Whether the arguments of a login may have a secret: a name with something after it, or a password without a name.
pub(super) fn has_name_and_secret(arguments: &str) -> bool {
    let mut words = arguments.split(is_separator).filter(|word| !word.is_empty());
    match (words.next(), words.next()) {
        (Some(word), None) => may_be_password(word),
        (_, second) => second.is_some(),
    }
}

/// Where the first complete access token begins, in any letter case and width, also with characters in it that show nothing.
pub fn find_access_token(text: &str) -> Option<usize> {
    let begins = |(at, c): &(usize, char)| narrow(*c).eq_ignore_ascii_case(&'c') && is_access_token(&text[*at..]);
    text.char_indices().find(begins).map(|(at, _)| at)
}

fn is_access_token(text: &str) -> bool {
    let mut shown = text.chars().filter(|c| !is_hidden(*c)).map(narrow);
    let has_prefix =
        ACCESS_TOKEN_PREFIX.chars().all(|c| shown.next().is_some_and(|shown| shown.eq_ignore_ascii_case(&c)));
    has_prefix && shown.take(ACCESS_TOKEN_DIGITS).filter(char::is_ascii_hexdigit).count() == ACCESS_TOKEN_DIGITS
}

/// A full-width character of ASCII in its usual width.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => c,
    }
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
    use serde_json::Value;

    use super::*;

    /// The page reads the same lines in `tests/browser/scenarios/account-secrets.mjs`.
    #[test]
    fn line_with_secret_is_recognized() {
        let table: Value = serde_json::from_str(include_str!("../../tests/common/secret-lines.json")).unwrap();
        let lines = |list: &str| table[list].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
        let secret = |line: &str| TypedSecret::all_in(line).next();
        let said: Vec<_> = lines("refused").filter(|line| secret(line).is_none()).collect();
        let refused: Vec<_> = lines("said").filter(|line| secret(line).is_some()).collect();
        assert_eq!((said, refused), (vec![], vec![]), "said, refused");
        assert!(lines("refused").count() > 60 && lines("said").count() > 50);
    }

    #[test]
    fn secret_is_named_after_its_command() {
        let token = "cwt_0123456789abcdef0123456789abcdef";
        for (text, secrets) in [
            ("PASSWORD hunter22", &[TypedSecret::Command(Verb::SetPassword)][..]),
            ("L\u{200b}OGIN/alice/hunter22", &[TypedSecret::Command(Verb::Login)]),
            (&format!("LOGIN alice {token}"), &[TypedSecret::Command(Verb::Login), TypedSecret::AccessToken]),
            (&format!("see {token}"), &[TypedSecret::AccessToken]),
            ("hello", &[]),
        ] {
            assert_eq!(TypedSecret::all_in(text).collect::<Vec<_>>(), secrets, "{text}");
        }
        assert_eq!(find_access_token(&format!("é {token}")), Some(3));
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
