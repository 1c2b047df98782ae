//! The words of a text, as `SEARCH` compares them: folded, so that case and diacritics do not matter. In scripts without spaces
//! between words, they are found anywhere in the text.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};
use unicode_script::{Script, UnicodeScript};

use super::text::is_default_ignorable;
use crate::limits::{SEARCH_CHARS_MAX, SEARCH_RUN_TERMS_MAX};

/// The version of this module's rules and of the Unicode tables that they use. Another version may produce other terms.
pub(crate) fn rules_version() -> String {
    const RULES: u32 = 1;
    format!("{RULES} {:?} {:?}", char::UNICODE_VERSION, unicode_script::UNICODE_VERSION)
        + &format!(" {:?}", unicode_normalization::UNICODE_VERSION)
}

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

/// How many words a text has.
pub(crate) fn count_words(text: &str) -> usize {
    fold(text).split_ascii_whitespace().count()
}

/// The terms under which a text is indexed, separated by one space: its words; for a run, its characters and its pairs of
/// adjacent characters.
pub(crate) fn index_terms(text: &str) -> String {
    let folded = fold(text);
    if folded.is_ascii() {
        return folded;
    }
    // Each term once: a long text in few characters would repeat most of them.
    let mut terms = BTreeSet::new();
    for word in folded.split_ascii_whitespace() {
        if is_run(word) {
            terms.extend(pieces::<1>(word).chain(pieces::<2>(word)));
        } else {
            terms.insert(word);
        }
    }
    Vec::from_iter(terms).join(" ")
}

/// The words of a `SEARCH`, as conditions on a text.
#[derive(Debug)]
pub(crate) struct WordQuery {
    /// Each must be among the text's index terms.
    terms: BTreeSet<String>,
    /// Each must occur in the folded text, which their terms alone do not guarantee.
    runs: BTreeSet<String>,
}

impl WordQuery {
    /// Looks for all words of `text`.
    pub(crate) fn new(text: &str) -> Self {
        let (mut terms, mut runs) = (BTreeSet::new(), BTreeSet::new());
        for word in fold(text).split_ascii_whitespace() {
            let chars = if is_run(word) { word.chars().count() } else { 0 };
            if chars < 3 {
                terms.insert(word.to_owned());
                continue;
            }
            // Every second pair covers all characters except perhaps the last one; the last pair covers that one.
            let pairs = pieces::<2>(word).step_by(2).take(SEARCH_RUN_TERMS_MAX - 1).chain(pieces::<2>(word).last());
            terms.extend(pairs.map(str::to_owned));
            runs.insert(word.to_owned());
        }
        Self { terms, runs }
    }

    /// Terms that a text must have in the index.
    pub(crate) fn terms(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(String::as_str)
    }

    /// Whether a text that has all the terms is a result.
    pub(crate) fn accepts(&self, text: &str) -> bool {
        self.runs.is_empty() || {
            let folded = fold(text);
            self.runs.iter().all(|run| folded.contains(run.as_str()))
        }
    }
}

fn is_run(word: &str) -> bool {
    word.chars().next().is_some_and(is_unspaced)
}

/// All substrings of `CHARS` adjacent characters.
fn pieces<const CHARS: usize>(word: &str) -> impl Iterator<Item = &str> {
    let ends = word.char_indices().skip(CHARS).map(|(end, _)| end).chain([word.len()]);
    let starts = word.char_indices().map(|(start, _)| start);
    starts.zip(ends).map(|(start, end)| &word[start..end])
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
fn is_unspaced(c: char) -> bool {
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
    use crate::protocol::Text;

    fn finds(words: &str, text: &str) -> bool {
        let (query, terms) = (WordQuery::new(words), index_terms(text));
        let terms: BTreeSet<_> = terms.split(' ').collect();
        query.terms().all(|term| terms.contains(term)) && query.accepts(text)
    }

    #[test]
    fn words_match_in_any_case() {
        for words in [
            "tea TEA Tea",
            "νικος ΝΙΚΟΣ Νίκος",
            "straße STRASSE STRAẞE Strasse",
            "istanbul İstanbul ISTANBUL",
            "ısparta ISPARTA isparta",
            "елка ЁЛКА ёлка",
            "ǆep ǅep Ǆep džep",
            "ꮳꮃꭹ ᏣᎳᎩ",
            "ﬁn FIN",
            "ſeven SEVEN",
        ] {
            for one in words.split(' ') {
                assert!(words.split(' ').all(|other| finds(one, other)), "{one} in {words}");
            }
        }
    }

    #[test]
    fn words_match_with_diacritics_or_without() {
        for words in [
            "cafe café cafe\u{301} CAFÉ",
            "αθηνα αθήνα ΑΘΗΝΑ Ἀθῆναι\u{345}",
            "елка ёлка е\u{308}лка",
            "tieng tiếng TIẾNG",
            "duong đường ĐƯỜNG",
            "lodz Łódź łódź",
            "kobenhavn København",
            "coeur cœur CŒUR",
            "aero ærø",
            "محمد مُحَمَّد محـمد",
            "اسلام إسلام أسلام",
            "שלום שָׁלוֹם",
            "ज\u{93c}रा \u{95b}रा जरा",
            "zalgo z\u{321}\u{334}\u{489}a\u{20dd}lgo",
            "résumé re\u{ad}sume re\u{200d}sume",
        ] {
            let words: Vec<_> = words.split(' ').map(|word| word.trim_end_matches("ι\u{345}")).collect();
            for one in &words {
                assert!(words.iter().all(|other| finds(one, other)), "{one} in {words:?}");
            }
        }
    }

    #[test]
    fn words_match_in_any_width_and_composition() {
        let check = |one: &str, other: &str| assert!(finds(one, other) && finds(other, one), "{one} {other}");
        check("chat", "ｃｈａｔ");
        check("CHAT 42", "ｃｈａｔ ４２");
        check("ガギグ", "ｶﾞｷﾞｸﾞ");
        check("한국", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}");
        check("が", "か\u{3099}");
        check("葛", "葛\u{e0100}");
        check("1", "1\u{fe0f}\u{20e3}");
    }

    #[test]
    fn signs_that_spell_words_are_kept() {
        let check = |one: &str, other: &str| assert!(!finds(one, other) && !finds(other, one), "{one} {other}");
        check("कल", "कुल");
        check("कि", "की");
        check("कर", "क\u{94d}र");
        check("が", "か");
        check("ハハ", "パパ");
        check("ขาว", "ข\u{e48}าว");
        assert!(!finds("ပဲ\u{1037}", "ပဲ"));
        check("দিন", "দান");
        check("தமிழ்", "தமழ்");
    }

    #[test]
    fn words_match_within_unspaced_text() {
        let check = |text: &str, found: &str| {
            for words in found.split(' ') {
                assert!(finds(words, text), "{words} in {text}");
            }
            assert!(finds(found, text), "{found} in {text}");
        };
        check("今日は会議があります", "会議 会 今日 す 会議があ 今日は会議があります は会");
        check("ﾃｽﾄサーバー再起動", "テスト サーバー ー 再起動 バー再");
        check("明天下午开会，请准时参加。", "开会 下午 参加 准时 请");
        check("오늘 회의가 있습니다", "회의 회 오늘 있습니다 습니");
        check("วันนี้มีประชุมตอนบ่าย", "ประชุม บ่าย วันนี้");
        check("ວັນນີ້ມີກອງປະຊຸມ", "ປະຊຸມ ມື້ນີ້".split(' ').next().unwrap());
        check("ថ្ងៃនេះមានប្រជុំ", "ប្រជុំ មាន");
        check("ဒီနေ့အစည်းအဝေးရှိတယ်", "အစည်းအဝေး ဒီနေ့");
        check("iPhone版のLINE", "iphone 版 line iPhone版");
        check("3月14日", "3 月 14 14日");
    }

    #[test]
    fn neighbours_alone_are_no_word() {
        let check = |words: &str, text: &str| assert!(!finds(words, text), "{words} in {text}");
        check("会議", "会 議");
        check("会議", "議会");
        // The text has all pairs, but not adjacent to each other.
        check("いろはに", "いろは、ろはに");
        check("東京都庁", "東京 京都 都庁");
        check("日会", "今日 会議");
        check("te", "tea");
        check("會", "会");
    }

    #[test]
    fn words_are_counted_as_they_are_indexed() {
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
    fn character_that_stands_for_many_costs_no_more() {
        let longest = "\u{fdfa}".repeat(1300);
        assert!(fold(&longest).chars().count() <= SEARCH_CHARS_MAX);
        for text in ["Việt ".repeat(500), "한글".repeat(600), "ガ".repeat(1300)] {
            assert_eq!(fold(&text).chars().count(), text.trim().chars().count(), "all of it is folded");
        }
    }

    #[test]
    fn a_query_has_few_terms_however_long_its_runs_are() {
        let run: String = ('一'..).take(1000).collect();
        let query = WordQuery::new(&run);
        assert_eq!(query.terms().count(), SEARCH_RUN_TERMS_MAX);
        assert!(query.accepts(&run) && !query.accepts(&run.replace('\u{5000}', "x")));
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

    #[test]
    fn any_text_is_found_by_its_own_words() {
        arbtest::arbtest(|u| {
            let text = u.arbitrary::<String>()?;
            let Ok(text) = Text::new(&text) else { return Ok(()) };
            assert!(finds(text.as_str(), text.as_str()), "{text:?}");
            Ok(())
        });
    }
}
