//! Tests of queries in the order of ids.

use super::*;

#[test]
fn query_in_order_returns_stored_rows() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    let messages: Vec<_> = (1..=2000).map(|id| past(2 * id, &format!("message {id}"))).collect();
    commit(&store, messages.clone());
    let check = |of: Query, until: u64, expected: &[StoredMessage]| {
        let result = query(&store, of, until);
        let row = |StoredMessage { past, .. }: &StoredMessage| {
            (past.id.0, past.at.to_string(), past.name.to_string(), past.text.as_ref().unwrap().to_string())
        };
        assert_eq!(result.rows, expected.iter().map(row).collect::<Vec<_>>());
        assert!(result.is_complete());
    };
    check(Query::Last(3), 4000, &messages[1997..]);
    check(Query::Last(3), 3999, &messages[1996..1999]);
    check(Query::Last(u64::MAX), 4000, &messages);
    check(Query::Last(0), 4000, &[]);
    check(Query::After(MessageId(0)), 4000, &messages);
    check(Query::After(MessageId(3997)), 4000, &messages[1998..]);
    check(Query::After(MessageId(4000)), 4000, &[]);
}

#[test]
fn all_pages_but_the_last_are_full() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    commit(&store, (1..=2000).map(|id| past(id, &format!("message {id}"))).collect());
    let query = start(&store, Query::Last(2000), 2000);
    let pages: Vec<_> = std::iter::from_fn(|| next_page(&query)).collect();
    let (last, others) = pages.split_last().unwrap();
    assert_eq!(last.end, Some(QueryEnd::Complete(2000)));
    assert!(others.len() > 3 && others.iter().all(|page| page.bytes() >= QUERY_PAGE_BYTES && page.end.is_none()));
    assert!(next_page(&query).is_none() && next_page(&query).is_none(), "there is a page after the last one");
    close(store);
}

#[test]
fn query_reports_eviction_between_pages() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::Count(1000)).unwrap();
    commit(&store, (1..=1000).map(|id| past(id, &format!("message {id}"))).collect());
    let queries = [Query::After(MessageId(0)), Query::Last(1000)].map(|of| start(&store, of, 1000));
    let mut results = queries.each_ref().map(|query| {
        let mut result = QueryResult::default();
        result.add(&next_page(query).unwrap());
        result
    });
    // The store makes the next page only on request; otherwise the page would have messages that are evicted here.
    commit(&store, (1001..=1600).map(|id| past(id, "new")).collect());
    await_eviction(&store, 600);
    for (query, result) in queries.iter().zip(&mut results) {
        let after = *result.ids().last().unwrap();
        while let Some(page) = next_page(query) {
            result.add(&page);
        }
        let evicted = EvictedRange { after: MessageId(after), up_to: MessageId(600), oldest: MessageId(601) };
        assert_eq!(result.evicted, [evicted]);
        assert_eq!(result.ids(), (1..=after).chain(601..=1000).collect::<Vec<_>>());
        assert_eq!(result.end, Some(QueryEnd::Complete(result.rows.len() as u64)));
    }
    close(store);
}

/// Only messages that the query asks for are reported.
#[test]
fn query_reports_eviction_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::Count(1000)).unwrap();
    commit(&store, (1..=1500).map(|id| past(2 * id, "hi")).collect());
    commit(&store, vec![past(3001, "more")]);
    await_eviction(&store, 1002);
    let check = |after: u64, until: u64, up_to: Option<u64>, expected: &[u64]| {
        let result = query(&store, Query::After(MessageId(after)), until);
        let evicted = up_to.map(|up_to| EvictedRange {
            after: MessageId(after),
            up_to: MessageId(up_to),
            oldest: MessageId(1004),
        });
        assert_eq!((result.ids(), &*result.evicted), (expected.to_vec(), evicted.as_slice()));
        assert_eq!(result.end, Some(QueryEnd::Complete(expected.len() as u64)));
    };
    check(1002, 1005, None, &[1004]);
    check(1001, 1005, Some(1002), &[1004]);
    check(7, 1006, Some(1002), &[1004, 1006]);
    check(7, 900, Some(900), &[]);
    check(900, 900, None, &[]);
    assert!(query(&store, Query::Last(u64::MAX), 3001).is_complete(), "all retained messages");
    close(store);
}

/// The renderer replaces unsafe characters, not the store.
#[test]
fn rows_of_another_program_are_returned_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(1, "hi")]);
    let row = "INSERT INTO messages (seq, room, id, time, name, text) VALUES (2, 1, 2, 'at\tnoon', 'e v e', 'tea ' || char(27) || '[31m' || char(10))";
    Connection::open(&path).unwrap().execute_batch(row).unwrap();
    let expected = (2, "at\tnoon".to_owned(), "e v e".to_owned(), "tea \u{1b}[31m\n".to_owned());
    assert_eq!(query(&store, Query::Last(1), 2).rows, std::slice::from_ref(&expected));
    assert_eq!(query(&store, Query::Words(Text::truncated("tea")), 2).rows, [expected]);
    close(store);
}

#[test]
fn query_fails_when_file_is_unreadable() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, (1..=1000).map(|id| past(id, &format!("message {id}"))).collect());
    let query = start(&store, Query::After(MessageId(0)), 1000);
    let first = next_page(&query).unwrap();
    assert!(first.end.is_none() && first.rows().count() > 0);
    Connection::open(&path).unwrap().execute_batch("ALTER TABLE messages RENAME TO hidden").unwrap();
    let last = next_page(&query).unwrap();
    let Some(QueryEnd::Failed(QueryError::Read(why))) = &last.end else { panic!("{last:?}") };
    assert!(why.contains("no such table") && last.rows().next().is_none(), "{last:?}");
    assert!(next_page(&query).is_none());
}

/// A query that is dropped before, while or after a thread works on it is freed.
#[test]
fn dropped_query_is_freed() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("chat.db"), Retention::All).unwrap();
    commit(&store, many_messages(1..=1000));
    for pages in 0..=2 {
        for of in [Query::Last(1000), Query::Words(Text::truncated("word"))] {
            let queries = [0; 9].map(|_| start(&store, of.clone(), 1000));
            for query in &queries {
                (0..pages).for_each(|_| drop(next_page(query)));
                // A request for the next page.
                let _ = query.poll_page();
            }
            let freed = queries.each_ref().map(Arc::downgrade);
            drop(queries);
            // A thread drops its references when it works on the next query; the indexing thread drops them soon after.
            assert!(query(&store, of, 1000).is_complete());
            let deadline = Instant::now() + WAIT_MAX;
            while freed.iter().any(|query| query.strong_count() > 0) {
                assert!(Instant::now() < deadline, "a query is left after {pages} pages");
                thread::yield_now();
            }
        }
    }
    close(store);
}
