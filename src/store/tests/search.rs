//! Tests of searches and of the index.

use super::*;

#[test]
fn search_finds_words() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    let texts = ["tea time", "Tea, and TIME", "no coffee", "a \"quoted\" tea", "Käse OR tee", "NOT NEAR(tea)", "!?"];
    let messages = texts.iter().zip(1..).map(|(text, id)| past(id, text)).collect();
    commit(&store, messages);
    let check = |words: &str, expected: &[u64]| {
        let result = query(&store, Query::Words(Text::truncated(words)), 6);
        assert_eq!(result.ids(), expected, "{words}");
        assert!(result.is_complete(), "{words}");
    };
    check("tea", &[6, 4, 2, 1]);
    check("time tea", &[2, 1]);
    check("\"quoted", &[4]);
    check("kase or", &[5]);
    check("tea OR coffee", &[]);
    check("NOT", &[6]);
    check("tea)", &[6, 4, 2, 1]);
    check("* ( \" - ^", &[]);
    check("text:tea", &[]);
    check("!?", &[]);
    check("!? tea", &[6, 4, 2, 1]);
}

#[test]
fn search_finds_words_in_any_script() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let texts =
        ["η Αθήνα", "ёлка", "Straße", "ｔｅａ", "今日は会議があります", "วันนี้มีประชุม", "오늘 회의가 있다", "会 議"];
    commit(&store, texts.iter().zip(1..).map(|(text, id)| past(id, text)).collect());
    let check = |words: &str, expected: &[u64]| assert_eq!(find_ids(&store, words, 8), expected, "{words}");
    check("αθηνα", &[1]);
    check("ЕЛКА", &[2]);
    check("strasse", &[3]);
    check("tea", &[4]);
    check("会議", &[5]);
    check("会", &[8, 5]);
    check("会議があ", &[5]);
    check("議会", &[]);
    check("ประชุม", &[6]);
    check("회의", &[7]);
    close(store);
    assert_eq!(integrity(&path), "ok");
}

/// SQLite must take each term for one token, and must not change it.
#[test]
fn term_is_one_token() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    close(open(&path, Retention::All).unwrap().0);
    let file = Connection::open(&path).unwrap();
    file.execute_batch("CREATE VIRTUAL TABLE temp.tokens USING fts5vocab(main, words, row); BEGIN").unwrap();
    let chars: Vec<char> = ('\0'..=char::MAX).filter(|c| c.is_alphanumeric() || is_combining_mark(*c)).collect();
    for (chars, room) in chars.chunks(256).flat_map(|chars| [(chars, 1), (chars, 57)]) {
        // Each also begins a word, after the prefix of the room.
        let words: Vec<String> = chars.iter().map(|c| format!("a{c}b{c} {c}a")).collect();
        let terms = message_terms(&RoomPrefix::new(room), &words.join(" "));
        let terms: BTreeSet<_> = terms.split(' ').collect();
        let terms = Vec::from_iter(terms).join(" ");
        file.execute("INSERT INTO words(words) VALUES ('delete-all')", []).unwrap();
        file.execute("INSERT INTO words(rowid, terms) VALUES (1, ?)", [&terms]).unwrap();
        let mut rows = file.prepare_cached("SELECT term FROM temp.tokens ORDER BY term").unwrap();
        let tokens = rows.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<Vec<String>>>().unwrap();
        assert_eq!(tokens.join(" "), terms);
    }
}

/// Messages that have the terms of a query but do not match it are read one by one.
#[test]
fn search_of_many_turns_finds_each_message_once() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    let messages = (1..=600).map(|id| past(id, if id % 50 == 0 { "いろはにほ" } else { "いろは、ろはに、はにほ" }));
    commit(&store, messages.collect());
    let expected: Vec<u64> = (1..=12).rev().map(|n| 50 * n).collect();
    assert_eq!(find_ids(&store, "いろはにほ", 600), expected);
    close(store);
}

#[test]
fn search_without_time_left_is_interrupted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    close(open(&path, Retention::All).unwrap().0);
    // No message has both words, so SQLite returns nothing before its end.
    let messages = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                    INSERT INTO messages (seq, room, id, time, name, text) SELECT i, 1, i, '2026-11-20T12:44:29.138Z', 'ann', iif(i % 2, 'odd', 'even') FROM n;
                    INSERT INTO words(rowid, terms) SELECT seq, text FROM messages;
                    UPDATE state SET value = 100000 WHERE key = 'indexed'";
    Connection::open(&path).unwrap().execute_batch(messages).unwrap();
    let (store, _) = open_in_turn(&path);
    let query = start(&store, Query::Words(Text::truncated("odd even")), 100_000);
    query.use_up(Duration::from_millis(SEARCH_CPU_MS_MAX));
    assert_eq!(read_all(&query).end, Some(QueryEnd::OutOfTime(0)));
    assert_eq!(find_ids(&store, "odd", 100_000)[..2], [99_999, 99_997], "and others have their answer");
    close(store);
}

#[test]
fn search_waits_until_words_are_indexed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let last = 2 * STORE_INDEXED_AT_ONCE_MAX + 9;
    commit(&store, many_messages(1..=last));
    assert_eq!(find_ids(&store, "word", last)[..2], [last, last - 1]);
    commit(&store, many_messages(last + 1..=last + 400));
    assert_eq!(find_ids(&store, "word", last + 400)[0], last + 400);
    let few = last + 401;
    commit(&store, vec![past(few, "a few")]);
    assert_eq!(find_ids(&store, "word", few)[0], last + 400);
    commit(&store, many_messages(few + 1..=few + 400));
    close(store);
    // The remaining messages are indexed after the next start.
    let (store, _) = open_in_turn(&path);
    assert_eq!(find_ids(&store, "word", few + 400)[0], few + 400);
    assert_eq!(find_ids(&store, "few", few + 400), [few]);
    close(store);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn search_fails_when_indexing_fails() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    Connection::open(&path).unwrap().execute_batch("DROP TABLE words").unwrap();
    commit(&store, many_messages(1..=1000));
    let result = query(&store, Query::Words(Text::truncated("word")), 1000);
    assert!(matches!(result.end, Some(QueryEnd::Failed(QueryError::Index(_)))), "{:?}", result.end);
    assert!(result.rows.is_empty());
    assert!(query(&store, Query::Last(5), 1000).is_complete(), "other queries go on");
    close(store);
}

/// Regression: the result was one page of any length.
#[test]
fn search_returns_pages() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    commit(&store, (1..=60).map(|id| past(id, &format!("tea {}", "x".repeat(4000)))).collect());
    let expected: Vec<u64> = (11..=60).rev().collect();
    for words in ["tea", "Tea tea TEA"] {
        let result = query(&store, Query::Words(Text::truncated(words)), 100);
        assert_eq!((result.ids(), result.end), (expected.clone(), Some(QueryEnd::Complete(SEARCH_FOUND_MAX))));
    }
    close(store);
}

/// Regression: the search, and the commands after it, got no result.
#[test]
fn search_ends_when_store_closes() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    let last = 3 * STORE_INDEXED_AT_ONCE_MAX;
    commit(&store, many_messages(1..=last));
    let query = start(&store, Query::Words(Text::truncated("word")), last);
    assert!(query.poll_page().is_pending());
    close(store);
    let end = read_all(&query).end;
    let failed = matches!(end, Some(QueryEnd::Failed(QueryError::Index(_))));
    assert!(failed || end == Some(QueryEnd::Complete(SEARCH_FOUND_MAX)), "{end:?}");
}

/// Regression: the search waited forever for a message that another program had written between the last stored id and the newest id.
#[test]
fn search_finds_rows_of_another_program() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(1, "ours")]);
    let row = "INSERT INTO messages (seq, room, id, time, name, text) VALUES (10, 1, 10, '2026-11-20T12:44:29.138Z', 'eve', 'theirs')";
    Connection::open(&path).unwrap().execute_batch(row).unwrap();
    assert_eq!(find_ids(&store, "theirs", 100), [10]);
    close(store);
}
