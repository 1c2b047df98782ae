//! Case folding: maps texts that differ only in case to one form.

use caseless::Caseless as _;
use unicode_normalization::UnicodeNormalization as _;

/// Full case folding (Unicode 3.13, `CaseFolding.txt`, statuses C and F) of the canonical form, composed (NFC). Applied to its
/// own result, it changes nothing.
///
/// Lower-casing is not enough: it keeps ß apart from SS, and a final ς from σ.
pub(crate) fn fold_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfd().default_case_fold().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks every code point, followed by a mark that folds to a letter and by another mark.
    #[test]
    fn fold_case_of_its_own_result_changes_nothing() {
        for c in '\0'..=char::MAX {
            let folded = fold_case(&format!("{c}\u{345}\u{301}"));
            assert_eq!(fold_case(&folded), folded, "{c:?}");
        }
    }

    #[test]
    fn fold_case_maps_every_case_to_one_form() {
        let check = |all: &[&str], folded: &str| assert!(all.iter().all(|text| fold_case(text) == folded), "{all:?}");
        check(&["ΝΙΚΟΣ", "νικος", "Νικοσ"], "νικοσ");
        check(&["STRASSE", "straße", "STRAẞE"], "strasse");
        check(&["ﬀ", "FF", "Ff"], "ff");
        check(&["ſ", "S"], "s");
        check(&["ꭰ", "Ꭰ"], "Ꭰ");
        check(&["ᾳ", "ᾼ", "ΑΙ", "α\u{345}"], "αι");
        check(&["É", "e\u{301}"], "é");
        check(&["İ", "i\u{307}"], "i\u{307}");
        check(&["ı"], "ı");
    }

    #[test]
    fn fold_case_of_ascii_is_its_lower_case() {
        for c in '\0'..='\x7f' {
            assert_eq!(fold_case(&format!("{c}é")), format!("{}é", c.to_ascii_lowercase()));
        }
    }
}
