//! Names: RFC 8265 usernames. Decides what a valid name is, and which names are the same or look alike: two names
//! collide if their [`Name::key`] (case folded) or the first or the second of their [`Name::skeletons`] (UTS #39) are
//! equal. `room::names` looks names up by these forms; the room decides which member holds which name.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use precis_profiles::UsernameCasePreserved;
use precis_profiles::precis_core::Error;
use precis_profiles::precis_core::profile::{PrecisFastInvocation, Rules as _};
use unicode_normalization::char::is_combining_mark;
use unicode_security::confusable_detection::skeleton;

use super::fold_case;
use super::text::{is_safe, shows_nothing};
use crate::limits::{NAME_CHARS_MAX, NAME_MARKS_IN_A_ROW_MAX};

/// A nickname in its final form (RFC 8265, 3.4: case preserved, width mapped, NFC), with the forms by which it is compared.
///
/// Two names are equal (`==`) if the same characters are displayed; [`Name::key`] and [`Name::skeletons`] decide which names collide.
///
/// One string holds all forms, to save memory: the displayed name, the key and the two skeletons, separated by line feeds. A form that is
/// equal to the previous one, as most are, is stored as an empty string.
#[derive(Clone)]
pub struct Name(Arc<str>);

/// Why text is not a name. `Display` is the text of the `ERR` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// The text is empty.
    Missing,
    /// It has this number of characters, more than [`NAME_CHARS_MAX`].
    TooLong(usize),
    /// It contains white space.
    Space,
    /// It contains a control character or a bidirectional formatting character.
    Control,
    /// It contains a comma, which separates names in `WHISPER`.
    Comma,
    /// It does not begin with a letter or a digit.
    Start(char),
    /// It contains a character that RFC 8264's `IdentifierClass` does not allow.
    Character(char),
    /// It has too many combining marks on one letter.
    Marks,
    /// It breaks a rule on the whole name: it mixes directions (RFC 5893's bidi rule), or has no stable form.
    Shape,
}

impl Name {
    /// Validates a name. Does not trim: white space around it is an error.
    ///
    /// # Errors
    /// The first rule that `raw` breaks.
    pub fn new(raw: &str) -> Result<Self, NameError> {
        check_characters(raw)?;
        Ok(if raw.is_ascii() { Self::from_ascii(raw) } else { Self::from_forms(compute_forms(raw)?) })
    }

    /// A name of printable ASCII that breaks no rule.
    pub(super) fn from_ascii(raw: &str) -> Self {
        Self::from_forms(ascii_forms(raw))
    }

    fn from_forms([shown, rest @ ..]: [String; 4]) -> Self {
        let mut forms = shown.clone();
        let mut before = &shown;
        for form in &rest {
            forms.push('\n');
            forms.push_str(if form == before { "" } else { form });
            before = form;
        }
        Self(forms.into())
    }

    /// An alternative to a name that is taken: `raw-2`, truncated to the maximum length.
    pub fn with_number(raw: &str, number: u32) -> String {
        let suffix = format!("-{number}");
        raw.chars().take(NAME_CHARS_MAX - suffix.len()).collect::<String>() + &suffix
    }

    /// The name as displayed.
    pub fn as_str(&self) -> &str {
        self.form(0)
    }

    /// The form by which names are the same, regardless of case (full case folding, Unicode 3.13).
    pub fn key(&self) -> &str {
        self.form(1)
    }

    /// Two forms; names look alike if their first forms are equal, or their second ones: the UTS #39 skeleton of the key, and the
    /// case-folded skeleton of the displayed name. Both are needed: only the first finds that `rnia` looks like `Mia`, only the second that `AIice` looks like `Alice`.
    pub fn skeletons(&self) -> [&str; 2] {
        [self.form(2), self.form(3)]
    }

    /// The beginning of the keys of all names that begin with `raw`, which need not be a name itself.
    pub(crate) fn key_of_prefix(raw: &str) -> String {
        let mapped = UsernameCasePreserved::new().width_mapping_rule(raw);
        fold_case(mapped.as_deref().unwrap_or(raw))
    }

    fn form(&self, index: usize) -> &str {
        let mut rest = &*self.0;
        let mut last = "";
        for _ in 0..=index {
            // Names are short: testing every byte takes less time than preparing a search.
            let end = rest.bytes().position(|byte| byte == b'\n').unwrap_or(rest.len());
            if end > 0 {
                last = &rest[..end];
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        last
    }
}

/// A character, as shown in an error.
fn describe_char(c: char) -> String {
    let code = u32::from(c);
    if shows_nothing(c) {
        format!("an invisible character (U+{code:04X})")
    } else if c.escape_debug().len() > "\\n".len() {
        format!("U+{code:04X}")
    } else {
        format!("{c:?}")
    }
}

/// Checks the rules that PRECIS does not have. Called before its mappings, so that a hostile name costs little, and again after them.
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

/// The displayed name, the key and the skeletons.
fn compute_forms(raw: &str) -> Result<[String; 4], NameError> {
    let shown = enforce_profile(raw)?;
    check_characters(&shown)?;
    let key = fold_case(&shown);
    let key_skeleton = skeleton(&key).collect::<String>().replace(DOTTED_TWICE, "i");
    let shown_skeleton = fold_case(&skeleton(&shown).collect::<String>());
    Ok([shown, key, key_skeleton, shown_skeleton])
}

/// An i with a dot above, the case folding of İ. It looks like i.
const DOTTED_TWICE: &str = "i\u{307}";

/// Like [`compute_forms`], for printable ASCII. The class allows all of it (RFC 8264, 9.11), and no mapping but that of case changes it.
/// Most names are ASCII, and names are looked up more often than taken.
fn ascii_forms(raw: &str) -> [String; 4] {
    static SKELETONS: LazyLock<Vec<String>> =
        LazyLock::new(|| ('\0'..='\x7f').map(|c| skeleton(c.encode_utf8(&mut [0; 4])).collect()).collect());
    let skeleton = |text: &str| text.bytes().map(|c| SKELETONS[usize::from(c)].as_str()).collect::<String>();
    let key = raw.to_ascii_lowercase();
    let (key_skeleton, shown_skeleton) = (skeleton(&key), fold_case(&skeleton(raw)));
    [raw.to_owned(), key, key_skeleton, shown_skeleton]
}

/// Applies the profile until it changes nothing; once may not be enough (RFC 8264, 7).
fn enforce_profile(raw: &str) -> Result<String, NameError> {
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
            Self::Missing => f.write_str("the name is missing"),
            Self::TooLong(chars) => write!(f, "the name has {chars} characters: expected at most {NAME_CHARS_MAX}"),
            Self::Space => f.write_str("a name cannot contain a space"),
            Self::Control => f.write_str("a name cannot contain control or direction characters"),
            Self::Comma => f.write_str("a name cannot contain a comma"),
            Self::Start(c) => write!(f, "a name must begin with a letter or a digit, not with {}", describe_char(*c)),
            Self::Character(c) => write!(f, "a name cannot contain {}", describe_char(*c)),
            Self::Marks => write!(f, "a name cannot have more than {NAME_MARKS_IN_A_ROW_MAX} combining marks in a row"),
            Self::Shape => f.write_str("a name cannot combine these characters"),
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
    use crate::protocol::{is_blank, sanitize};

    #[test]
    fn name_with_number_fits_the_limit() {
        assert_eq!(Name::with_number("alice", 2), "alice-2");
        assert_eq!(Name::with_number(&"x".repeat(32), 10), format!("{}-10", "x".repeat(29)));
    }

    #[test]
    fn name_is_displayed_with_case_preserved_and_width_mapped() {
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

    /// The fast path gives the same forms as the full one, for each pair of printable ASCII characters.
    #[test]
    fn ascii_forms_equal_full_forms() {
        for a in ' '..='~' {
            for b in ' '..='~' {
                let raw: String = ['x', a, b, 'X'].iter().collect();
                if check_characters(&raw).is_ok() {
                    assert_eq!(compute_forms(&raw), Ok(ascii_forms(&raw)), "{raw}");
                }
            }
        }
    }

    #[test]
    fn invalid_name_is_refused_with_its_reason() {
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

    /// Checks every code point: in a valid name, and in the error about an invalid one.
    #[test]
    fn no_code_point_controls_the_terminal() {
        for c in '\0'..=char::MAX {
            let shown = match Name::new(&format!("a{c}")) {
                Ok(name) => name.to_string(),
                Err(error) => sanitize(&error.to_string()).into_owned(),
            };
            assert!(shown.chars().all(|c| is_safe(c) && c >= ' ' && c != '\x7f'), "{c:?}");
        }
    }

    #[test]
    fn key_ignores_case_and_width() {
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

    /// Checks every code point that is mapped.
    #[test]
    fn key_of_prefix_maps_width_and_case_as_key_does() {
        let is_mapped = |c: &char| !c.nfkc().eq([*c]) || fold_case(&c.to_string()) != c.to_string();
        for c in ('\0'..=char::MAX).filter(is_mapped) {
            for raw in [c.to_string(), format!("Ａ{c}"), format!("e{c}\u{301}")] {
                if let Ok(name) = Name::new(&raw) {
                    assert_eq!(Name::key_of_prefix(&raw), name.key(), "{raw:?}");
                }
            }
        }
        assert_eq!([".", "", "－Ｘ", "a,B"].map(Name::key_of_prefix), [".", "", "-x", "a,b"]);
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
    fn name_has_no_invisible_character() {
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
