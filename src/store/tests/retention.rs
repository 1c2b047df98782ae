//! Tests of `--keep` by count and size.

use super::*;

#[test]
fn retention_keeps_the_configured_amount() {
    let at_once = STORE_PRUNED_AT_ONCE_MAX;
    let check = |keep: Retention, count: u64, kept: u64| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let (store, _) = open(&path, keep).unwrap();
        commit(&store, (1..=count).map(|id| past(id, &format!("message {id}"))).collect());
        // Each commit evicts a part: make as many as necessary.
        for id in 1..=count / at_once + 1 {
            commit(&store, vec![past(count + id, "more")]);
        }
        let last = count + count / at_once + 1;
        close(store);
        let (store, found) = open(&path, Retention::All).unwrap();
        assert_eq!(found.last_id, MessageId(last));
        let first = query(&store, Query::Last(u64::MAX), last).ids()[0];
        assert_eq!(last + 1 - first, kept, "{keep:?}");
        let old = query(&store, Query::After(MessageId(first - 2)), last);
        let evicted =
            EvictedRange { after: MessageId(first - 2), up_to: MessageId(first - 1), oldest: MessageId(first) };
        assert_eq!(old.evicted, [evicted]);
        let rest = query(&store, Query::After(MessageId(first - 1)), last);
        assert!(rest.is_complete() && rest.rows.len() as u64 == kept, "nothing else is evicted");
        let with_word = query(&store, Query::Words(Text::truncated("1")), last);
        assert_eq!(with_word.ids(), [0; 0], "the words of evicted messages are not in the index");
        close(store);
        assert_eq!(integrity(&path), "ok");
    };
    check(Retention::Count(10), 2500, 10);
    check(Retention::Age(Duration::from_secs(9001)), 2500, 1505);
}

/// Regression: each commit evicted a thousand messages, however many it added.
#[test]
fn eviction_keeps_up_with_a_flood() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::Count(10)).unwrap();
    let file = Connection::open(&path).unwrap();
    for flood in 0..5 {
        commit(&store, many_messages(flood * 3000 + 1..=(flood + 1) * 3000));
        let count: u64 = file.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
        assert!(count <= 3010, "{count} are kept");
    }
    close(store);
    assert_eq!(integrity(&path), "ok");
}

#[test]
fn file_stays_within_its_size() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::Bytes(1 << 20)).unwrap();
    let mut id = 0;
    for _ in 0..60 {
        let messages = (1..=500).map(|n| past(id + n, &format!("{} {n}", "words and more words ".repeat(5)))).collect();
        commit(&store, messages);
        id += 500;
    }
    close(store);
    let bytes = fs::metadata(&path).unwrap().len();
    assert!((1 << 19..2 << 20).contains(&bytes), "{bytes} bytes");
    assert_eq!(integrity(&path), "ok");
}

/// Regression: each deletion removed only one page from the file.
#[test]
fn file_shrinks_after_deletion() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, (1..=2000).map(|id| past(id, &"long ".repeat(200))).collect());
    close(store);
    let before = fs::metadata(&path).unwrap().len();
    let (store, _) = open(&path, Retention::Count(100)).unwrap();
    await_eviction(&store, 1900);
    close(store);
    let after = fs::metadata(&path).unwrap().len();
    assert!(after < before / 4, "{before} bytes, then {after}");
    assert_eq!(integrity(&path), "ok");
}

/// Regression: no message was evicted if there were fewer than a thousand.
#[test]
fn file_of_few_long_messages_stays_within_its_size() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::Bytes(1 << 20)).unwrap();
    for id in 0..900 {
        commit(&store, vec![past(id + 1, &"long ".repeat(700))]);
    }
    close(store);
    let bytes = fs::metadata(&path).unwrap().len();
    assert!((1 << 18..2 << 20).contains(&bytes), "{bytes} bytes");
    assert_eq!(integrity(&path), "ok");
}
