//! The terms by which `SEARCH` finds messages in the index.

use std::collections::BTreeSet;
use std::fmt;

use super::schema::key_of;
use crate::limits::SEARCH_RUN_TERMS_MAX;
use crate::protocol::RoomId;
use crate::protocol::words::{fold, is_unspaced};

/// The version of the rules for terms and folding, and of the Unicode tables that they use. Another version may produce other terms.
pub(super) fn rules_version() -> String {
    const RULES: u32 = 1;
    format!("{RULES} {:?} {:?}", char::UNICODE_VERSION, unicode_script::UNICODE_VERSION)
        + &format!(" {:?}", unicode_normalization::UNICODE_VERSION)
}

/// The terms under which a text is indexed, separated by one space: its words or, for a run of text without spaces, its characters and
/// its pairs of adjacent characters.
pub(super) fn index_terms(text: &str) -> String {
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

/// The terms under which a message of a room is indexed: those of its text, each with the room's prefix.
pub(super) fn message_terms(room: &RoomPrefix, text: &str) -> String {
    let terms = index_terms(text);
    if room.0.is_empty() || terms.is_empty() {
        return terms;
    }
    let count = 1 + terms.bytes().filter(|byte| *byte == b' ').count();
    let mut prefixed = String::with_capacity(terms.len() + count * room.0.len());
    for term in terms.split(' ') {
        prefixed.push_str(if prefixed.is_empty() { "" } else { " " });
        prefixed.push_str(&room.0);
        prefixed.push_str(term);
    }
    prefixed
}

/// The beginning of all terms of a room in the index. So each room has terms of its own, and a search does not read the matches of other
/// rooms: in FTS5, a further term that all messages of a room have would make most searches several times slower.
#[derive(Debug)]
pub(super) struct RoomPrefix(String);

impl RoomPrefix {
    /// The prefix of the room with this key: none for the first room. No term of a text has a degree sign.
    pub(super) fn new(key: i64) -> Self {
        Self(if key == key_of(RoomId::LOBBY) { String::new() } else { format!("{key}°") })
    }
}

impl fmt::Display for RoomPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The words of a `SEARCH`, as conditions on a text.
#[derive(Debug)]
pub(super) struct WordQuery {
    /// Each must be among the text's index terms.
    terms: BTreeSet<String>,
    /// Each must occur in the folded text. A text with all terms does not always contain the run.
    runs: BTreeSet<String>,
}

impl WordQuery {
    /// Looks for all words of `text`.
    pub(super) fn new(text: &str) -> Self {
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
    pub(super) fn terms(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(String::as_str)
    }

    /// Whether a text that has all the terms is a result.
    pub(super) fn accepts(&self, text: &str) -> bool {
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
    fn run_matches_only_adjacent_characters() {
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
    fn long_run_has_a_bounded_number_of_terms() {
        let run: String = ('一'..).take(1000).collect();
        let query = WordQuery::new(&run);
        assert_eq!(query.terms().count(), SEARCH_RUN_TERMS_MAX);
        assert!(query.accepts(&run) && !query.accepts(&run.replace('\u{5000}', "x")));
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
