//! Names: RFC 8265 usernames that no two peers can confuse. Says what a name is and when two are the same or too alike;
//! who holds which is the room's business.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use precis_profiles::UsernameCasePreserved;
use precis_profiles::precis_core::{Error, profile::PrecisFastInvocation};
use unicode_normalization::char::is_combining_mark;
use unicode_security::confusable_detection::skeleton;

use super::fold_case;
use super::text::{is_safe, shows_nothing};
use crate::limits::{NAME_CHARS_MAX, NAME_MARKS_IN_A_ROW_MAX};

/// A name as its owner wrote it (RFC 8265, 3.4: case preserved, width mapped, NFC), with what it is compared by.
///
/// Equal names (`==`) are written alike; [`Name::key`] and [`Name::skeletons`] say which ones collide.
///
/// The forms are kept in one piece, for rooms are full of names: as it is shown, the key, the two skeletons, with line feeds
/// between; one that is the same as the one before it is left empty, as most are.
#[derive(Clone)]
pub struct Name(Arc<str>);

/// Why something is no name. Its text is what the error line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// There is none.
    Missing,
    /// More than [`NAME_CHARS_MAX`] characters; so many.
    TooLong(usize),
    /// White space in it.
    Space,
    /// A control character, or one that turns the reading order.
    Control,
    /// A comma, which separates names in `WHISPER`.
    Comma,
    /// It begins with neither a letter nor a digit.
    Start(char),
    /// A character that RFC 8264's `IdentifierClass` does not allow.
    Character(char),
    /// Too many combining marks on one letter.
    Marks,
    /// Mixed directions or another rule on the whole (RFC 5893's bidi rule, or no stable form).
    Shape,
}

impl Name {
    /// The name in `raw`, which is taken as it is: white space around it is an error.
    pub fn new(raw: &str) -> Result<Self, NameError> {
        check_characters(raw)?;
        let [shown, rest @ ..] = if raw.is_ascii() { ascii_forms(raw) } else { forms(raw)? };
        let mut forms = shown.clone();
        let mut before = &shown;
        for form in &rest {
            forms.push('\n');
            forms.push_str(if form == before { "" } else { form });
            before = form;
        }
        Ok(Self(forms.into()))
    }

    /// What to take instead of `raw` where that is taken: `raw-2`, cut so that it is not too long.
    pub fn numbered(raw: &str, number: u32) -> String {
        let suffix = format!("-{number}");
        raw.chars().take(NAME_CHARS_MAX - suffix.len()).collect::<String>() + &suffix
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        self.form(0)
    }

    /// The form that is equal for names that are the same in another case (full case folding, Unicode 3.13).
    pub fn key(&self) -> &str {
        self.form(1)
    }

    /// Names are too alike if one of these forms is equal: the UTS #39 skeletons of the key and, case-folded, of the displayed
    /// name. Both are needed: only the first finds that `rnia` looks like `Mia`, only the second that `AIice` looks like `Alice`.
    pub fn skeletons(&self) -> [&str; 2] {
        [self.form(2), self.form(3)]
    }

    fn form(&self, index: usize) -> &str {
        let mut rest = &*self.0;
        let mut last = "";
        for _ in 0..=index {
            // They are short: to look at every byte takes less time than to prepare for a search.
            let end = rest.bytes().position(|byte| byte == b'\n').unwrap_or(rest.len());
            if end > 0 {
                last = &rest[..end];
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        last
    }
}

/// A character in an error.
fn shown(c: char) -> String {
    let code = u32::from(c);
    if shows_nothing(c) {
        format!("an invisible character (U+{code:04X})")
    } else if c.escape_debug().len() > "\\n".len() {
        format!("U+{code:04X}")
    } else {
        format!("{c:?}")
    }
}

/// Our own bounds, beside those of PRECIS; checked before its mappings (so that a hostile name costs little) and after.
fn check_characters(raw: &str) -> Result<(), NameError> {
    let first = raw.chars().next().ok_or(NameError::Missing)?;
    if raw.contains(char::is_whitespace) {
        return Err(NameError::Space);
    }
    if !raw.chars().all(is_safe) {
        return Err(NameError::Control);
    }
    let chars = raw.chars().count();
    if chars > NAME_CHARS_MAX {
        return Err(NameError::TooLong(chars));
    }
    if raw.contains(',') {
        return Err(NameError::Comma);
    }
    // Some marks count as letters.
    if !first.is_alphanumeric() || is_combining_mark(first) {
        return Err(NameError::Start(first));
    }
    let mut marks = 0;
    for c in raw.chars() {
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        if marks > NAME_MARKS_IN_A_ROW_MAX {
            return Err(NameError::Marks);
        }
    }
    Ok(())
}

/// As it is shown, the key, the skeletons.
fn forms(raw: &str) -> Result<[String; 4], NameError> {
    let shown = stable(raw)?;
    check_characters(&shown)?;
    let key = fold_case(&shown);
    let of_key = skeleton(&key).collect::<String>().replace(DOTTED_TWICE, "i");
    let of_shown = fold_case(&skeleton(&shown).collect::<String>());
    Ok([shown, key, of_key, of_shown])
}

/// An i with a dot above, the case folding of İ. It looks like i.
const DOTTED_TWICE: &str = "i\u{307}";

/// The same of printable ASCII, which the class allows (RFC 8264, 9.11), and of which every mapping but that of case leaves
/// each character alone: names are looked up more often than taken, and most are such.
fn ascii_forms(raw: &str) -> [String; 4] {
    static SKELETONS: LazyLock<Vec<String>> =
        LazyLock::new(|| ('\0'..='\x7f').map(|c| skeleton(c.encode_utf8(&mut [0; 4])).collect()).collect());
    let skeleton = |text: &str| text.bytes().map(|c| SKELETONS[usize::from(c)].as_str()).collect::<String>();
    let key = raw.to_ascii_lowercase();
    let (of_key, of_shown) = (skeleton(&key), fold_case(&skeleton(raw)));
    [raw.to_owned(), key, of_key, of_shown]
}

/// Applies the profile until it changes nothing more; RFC 8264, 7 warns that once may not be enough.
fn stable(raw: &str) -> Result<String, NameError> {
    let mut form = raw.to_owned();
    for _ in 0..4 {
        let next = UsernameCasePreserved::enforce(form.as_str()).map_err(NameError::from_precis)?;
        if next == form {
            return Ok(form);
        }
        form = next.into_owned();
    }
    Err(NameError::Shape)
}

impl NameError {
    fn from_precis(error: Error) -> Self {
        match error {
            Error::BadCodepoint(info) => char::from_u32(info.cp).map_or(Self::Shape, Self::Character),
            Error::Invalid | Error::Unexpected(_) => Self::Shape,
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no name"),
            Self::TooLong(chars) => write!(f, "a name has at most {NAME_CHARS_MAX} characters, this has {chars}"),
            Self::Space => f.write_str("a name cannot contain a space"),
            Self::Control => f.write_str("a name cannot contain control or direction characters"),
            Self::Comma => f.write_str("a name cannot contain a comma"),
            Self::Start(c) => write!(f, "a name begins with a letter or a digit, not with {}", shown(*c)),
            Self::Character(c) => write!(f, "a name cannot contain {}", shown(*c)),
            Self::Marks => write!(f, "a name has at most {NAME_MARKS_IN_A_ROW_MAX} combining marks in a row"),
            Self::Shape => f.write_str("these letters cannot stand together in a name"),
        }
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(raw: &str) -> Result<Self, NameError> {
        Self::new(raw)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Name {}

#[cfg(test)]
mod tests {
    use unicode_normalization::UnicodeNormalization as _;

    use super::*;
    use crate::protocol::{is_blank, made_safe};

    #[test]
    fn a_numbered_name_fits() {
        assert_eq!(Name::numbered("alice", 2), "alice-2");
        assert_eq!(Name::numbered(&"x".repeat(32), 10), format!("{}-10", "x".repeat(29)));
    }

    #[test]
    fn names_are_shown_as_written_but_for_width_and_composition() {
        let check = |raw: &str, shown: &str| assert_eq!(Name::new(raw).unwrap().as_str(), shown, "{raw:?}");
        check("alice", "alice");
        check("Alice", "Alice");
        check("Ａｌｉｃｅ", "Alice");
        check("e\u{301}mile", "émile");
        check("bob-2.0_x", "bob-2.0_x");
        check("Ἀθηνᾶ", "Ἀθηνᾶ");
        check("שלום", "שלום");
        check("李雷", "李雷");
        check("42", "42");
        check(&"x".repeat(NAME_CHARS_MAX), &"x".repeat(NAME_CHARS_MAX));
    }

    /// The short way gives what the long way does, for every such character and for every two.
    #[test]
    fn ascii_is_mapped_as_the_profiles_say() {
        for a in ' '..='~' {
            for b in ' '..='~' {
                let raw: String = ['x', a, b, 'X'].iter().collect();
                if check_characters(&raw).is_ok() {
                    assert_eq!(forms(&raw), Ok(ascii_forms(&raw)), "{raw}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_its_reason() {
        let check = |raw: &str, expected| assert_eq!(Name::new(raw), Err(expected), "{raw:?}");
        check("", NameError::Missing);
        check("two words", NameError::Space);
        check("no\u{a0}break", NameError::Space);
        check("a\x07", NameError::Control);
        check("a\u{202e}b", NameError::Control);
        check(&"x".repeat(33), NameError::TooLong(33));
        check("a,b", NameError::Comma);
        check("@alice", NameError::Start('@'));
        check("-", NameError::Start('-'));
        check("/who", NameError::Start('/'));
        check("\u{301}a", NameError::Start('\u{301}'));
        check("\u{345}", NameError::Start('\u{345}'));
        check("\u{93e}a", NameError::Start('\u{93e}'));
        check("a\u{2800}", NameError::Character('\u{2800}'));
        check("a\u{200d}b", NameError::Character('\u{200d}'));
        check("smile😀", NameError::Character('😀'));
        check("a\u{fffd}", NameError::Character('\u{fffd}'));
        check("z\u{316}\u{317}\u{318}\u{319}", NameError::Marks);
        check("aשלום", NameError::Shape);
    }

    /// For every code point there is, in a name that is taken and in the error if it cannot be.
    #[test]
    fn no_code_point_gets_through_that_a_terminal_obeys() {
        for c in '\0'..=char::MAX {
            let shown = match Name::new(&format!("a{c}")) {
                Ok(name) => name.to_string(),
                Err(error) => made_safe(&error.to_string()).into_owned(),
            };
            assert!(shown.chars().all(|c| is_safe(c) && c >= ' ' && c != '\x7f'), "{c:?}");
        }
    }

    #[test]
    fn the_same_name_in_another_case_or_width_has_the_same_key() {
        let check = |a: &str, b: &str| assert_eq!(Name::new(a).unwrap().key(), Name::new(b).unwrap().key(), "{a} {b}");
        check("alice", "ALICE");
        check("alice", "Ａｌｉｃｅ");
        check("ÉMILE", "e\u{301}mile");
        check("ΝΙΚΟΣ", "νικος");
        check("Νικος", "νικοσ");
        check("STRASSE", "straße");
        check("STRAẞE", "Strasse");
        check("ΑΙ", "ᾳ");
        check("İzmir", "i\u{307}zmir");
        check("Ｓｔｒａßｅ", "STRASSE");
    }

    /// Checks every code point that has another case, alone and between others: all cases give the same name.
    #[test]
    fn key_is_the_same_in_every_case() {
        for c in '\0'..=char::MAX {
            let is_cased =
                !c.to_uppercase().eq([c]) || !c.to_lowercase().eq([c]) || fold_case(&c.to_string()) != c.to_string();
            // ı is a letter of its own, although its upper case is that of i. Names with it are too alike to those with i.
            if !is_cased || c == 'ı' {
                continue;
            }
            for raw in [c.to_string(), format!("a{c}"), format!("x{c}\u{301}y")] {
                let Ok(name) = Name::new(&raw) else { continue };
                // Case mapping is defined on the canonical form (Unicode 3.13): all marks must come before U+0345, which becomes
                // a letter.
                let decomposed: String = name.as_str().nfd().collect();
                for other in [decomposed.to_uppercase(), decomposed.to_lowercase()] {
                    if let Ok(other) = Name::new(&other) {
                        assert_eq!(other.key(), name.key(), "{raw} {other}");
                    }
                }
                assert_eq!(fold_case(name.key()), name.key(), "{raw}");
            }
        }
    }

    /// Checks every code point that shows nothing by itself: no name consists of it, and none contains it, unless it is a mark on
    /// a letter.
    #[test]
    fn name_has_no_character_that_shows_nothing() {
        for c in ('\0'..=char::MAX).filter(|&c| is_blank(&c.to_string())) {
            assert!(Name::new(&c.to_string()).is_err() && Name::new(&format!("{c}a")).is_err(), "{c:?}");
            let is_on_a_letter = is_combining_mark(c) && skeleton(&c.to_string()).next().is_some();
            assert!(is_on_a_letter || Name::new(&format!("a{c}b")).is_err(), "{c:?}");
        }
    }

    #[test]
    fn look_alikes_share_a_skeleton() {
        let alike = |a: &str, b: &str| {
            let (a, b) = (Name::new(a).unwrap(), Name::new(b).unwrap());
            a.skeletons().into_iter().zip(b.skeletons()).any(|(a, b)| a == b)
        };
        assert!(alike("alice", "аlice"), "Cyrillic а");
        assert!(alike("Mia", "rnia"), "rn for m");
        assert!(alike("Alice", "AIice"), "capital I for l");
        assert!(alike("İzmir", "izmir"), "a second dot on an i");
        assert!(alike("ışık", "işik"), "an i without a dot");
        assert!(alike("क\u{94d}\u{200d}ष", "क\u{94d}ष"), "a joiner");
        assert!(!alike("alice", "bob"));
        assert!(!alike("carol", "carola"));
    }
}
