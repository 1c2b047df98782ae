//! The words of a text, as `SEARCH` compares them: folded, so that case and diacritics do not matter.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};
use unicode_script::{Script, UnicodeScript};

use super::text::is_default_ignorable;
use crate::limits::SEARCH_CHARS_MAX;

/// The folded words of a text, separated by one space. Text without spaces between its words is one word, called a run.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return fold_ascii(text);
    }
    let letters =
        text.nfkd().take(SEARCH_CHARS_MAX).filter(|c| !is_ignored(*c)).flat_map(fold_letter).flat_map(fold_stroke);
    let mut folded = String::with_capacity(text.len());
    // Whether the last word of `folded` is a run; `None` after a separator.
    let mut word: Option<bool> = None;
    for c in letters.nfc() {
        let next = if is_combining_mark(c) { word } else { c.is_alphanumeric().then(|| is_unspaced(c)) };
        if next.is_some() {
            if next != word && !folded.is_empty() {
                folded.push(' ');
            }
            folded.push(c);
        }
        word = next;
    }
    folded
}

/// [`fold`] for ASCII: most texts.
fn fold_ascii(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded.make_ascii_lowercase();
    folded
}

/// Number of words in a text.
pub(crate) fn count_words(text: &str) -> usize {
    fold(text).split_ascii_whitespace().count()
}

/// Whether a character of a decomposed text is ignored, as diacritics and invisible characters are.
///
/// Unicode's combining classes tell diacritics from marks that spell a word. A mark is a diacritic if its class is a position on
/// the letter (accents, the points of Hebrew and Arabic, overlays) or nukta. The other classes have the vowel signs of South and
/// South-East Asian scripts, virama, the tone marks of Thai and Lao, and the voicing marks of kana: without these, different
/// words would look equal. The Burmese tone mark has the class of nukta but spells a word, so it is an exception.
fn is_ignored(c: char) -> bool {
    match c {
        // Stretches Arabic words; Burmese tone; enclosing marks, which have no class.
        '\u{640}' => true,
        '\u{1037}' => false,
        '\u{488}' | '\u{489}' | '\u{1abe}' | '\u{20dd}'..='\u{20e4}' | '\u{a670}'..='\u{a672}' => true,
        // The zero-width space separates words.
        '\u{200b}' => false,
        _ if is_default_ignorable(c) => true,
        _ => matches!(canonical_combining_class(c), 1 | 6 | 7 | 10..=36 | 200..=240),
    }
}

/// Full case folding, which also maps the dotless ı to i (their upper case is the same). Lower, upper and lower case again: this
/// gives the same result for every case form of a letter.
fn fold_letter(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// Folds letters that Unicode does not decompose although they are written as a letter with a stroke, or as two letters.
fn fold_stroke(c: char) -> impl Iterator<Item = char> {
    let (plain, second) = match c {
        'ⱥ' => ('a', None),
        'ƀ' => ('b', None),
        'ȼ' => ('c', None),
        'đ' => ('d', None),
        'ɇ' => ('e', None),
        'ǥ' => ('g', None),
        'ħ' => ('h', None),
        'ɨ' => ('i', None),
        'ɉ' => ('j', None),
        'ł' => ('l', None),
        'ø' => ('o', None),
        'ᵽ' => ('p', None),
        'ɍ' => ('r', None),
        'ŧ' => ('t', None),
        'ʉ' => ('u', None),
        'ɏ' => ('y', None),
        'ƶ' => ('z', None),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        _ => (c, None),
    };
    [plain].into_iter().chain(second)
}

/// Whether a letter or digit is of a script that is written without spaces between words, or of Korean, which attaches particles
/// to its words.
pub(crate) fn is_unspaced(c: char) -> bool {
    use Script::{
        Balinese, Bopomofo, Han, Hangul, Hiragana, Javanese, Katakana, Khitan_Small_Script, Khmer, Lao, Myanmar,
        New_Tai_Lue, Nushu, Tai_Le, Tai_Tham, Tai_Viet, Tangut, Thai, Yi,
    };
    // No such script begins earlier than Thai.
    c >= '\u{e00}'
        && c.script_extension().iter().any(|script| {
            matches!(
                script,
                Balinese
                    | Bopomofo
                    | Han
                    | Hangul
                    | Hiragana
                    | Javanese
                    | Katakana
                    | Khitan_Small_Script
                    | Khmer
                    | Lao
                    | Myanmar
                    | New_Tai_Lue
                    | Nushu
                    | Tai_Le
                    | Tai_Tham
                    | Tai_Viet
                    | Tangut
                    | Thai
                    | Yi
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_count_agrees_with_index() {
        let check = |text: &str, count: usize| assert_eq!(count_words(text), count, "{text}");
        check("", 0);
        check("!? \u{200b} ☕", 0);
        check("tea", 1);
        check("the.the.the", 3);
        check("theⒶtheⒶthe", 1);
        check("the☕the\u{200b}the", 3);
        check("it's", 2);
        check("今日は会議があります", 1);
        check("今日は、会議があります", 2);
        check("PC版とWeb版", 4);
        check("कुल मिलाकर", 2);
        check("\u{301}\u{94d} \u{93f}", 0);
    }

    #[test]
    fn character_that_folds_to_many_stays_bounded() {
        let longest = "\u{fdfa}".repeat(1300);
        assert!(fold(&longest).chars().count() <= SEARCH_CHARS_MAX);
        for text in ["Việt ".repeat(500), "한글".repeat(600), "ガ".repeat(1300)] {
            assert_eq!(fold(&text).chars().count(), text.trim().chars().count(), "all of it is folded");
        }
    }

    /// Every letter, digit and mark of Unicode, except the many ideographs that have only one form.
    fn word_chars() -> impl Iterator<Item = char> {
        let varies = |c: &char| c.script() != Script::Han || !c.nfkd().eq([*c]);
        ('\0'..=char::MAX).filter(|c| c.is_alphanumeric() || is_combining_mark(*c)).filter(varies)
    }

    #[test]
    fn every_letter_folds_to_one_form() {
        for c in word_chars() {
            let text = format!("会{c}b");
            let folded = fold(&text);
            assert_eq!(fold(&folded), folded, "{c:?}");
            assert!(!folded.contains("  ") && folded == folded.trim(), "{c:?}");
            // The iota under a Greek letter is a diacritic in lower case, and a letter in upper case.
            if c.nfd().any(|c| c == '\u{345}') {
                continue;
            }
            for other in [text.to_lowercase(), text.to_uppercase(), text.nfd().collect(), text.nfc().collect()] {
                assert_eq!(fold(&other), folded, "{c:?}");
            }
        }
    }
}
