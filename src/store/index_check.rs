//! Checks that the full-text index agrees with the messages. SQLite cannot do that alone: the index has no texts.
//!
//! The terms of all messages are indexed again, in a table that ends with the connection. Both indexes are then read side by side: their
//! entries have one order.

use rusqlite::{Connection, OptionalExtension as _, Rows, params};

use super::check::{Advice, CheckReport};
use super::progress::{Follow, Phase, Progress};
use super::schema::Seq;
use super::words;
use crate::limits::STORE_CHECKED_AT_ONCE;

/// As in [`MIGRATIONS`](super::schema::MIGRATIONS), and a list of the entries of each index.
const TABLES: &str = "
    CREATE VIRTUAL TABLE temp.expected_words USING fts5(terms, content='', columnsize=0, detail=none,
        tokenize=\"unicode61 remove_diacritics 2 categories 'L* M* N* Co Cn So'\");
    CREATE VIRTUAL TABLE temp.expected USING fts5vocab('temp', 'expected_words', 'instance');
    CREATE VIRTUAL TABLE temp.found USING fts5vocab('main', 'words', 'instance');
";

/// An entry of an index: a term, and the `seq` of a message that has it.
type Entry = (Vec<u8>, i64);

pub(super) fn check_index(
    connection: &Connection,
    report: &mut CheckReport,
    follow: Follow<'_>,
) -> rusqlite::Result<()> {
    if !words::has_our_rules(connection)? {
        let note = "the index follows the rules of another version: the next start indexes all messages again";
        report.notes.push(note.to_owned());
        return Ok(());
    }
    connection.execute_batch(TABLES)?;
    index_again(connection, report.messages, follow)?;
    follow(Progress::start(Phase::Index, 0));
    let Comparison { difference, has_orphans } = compare(connection)?;
    if has_orphans {
        let note = "the index has words of messages that another program deleted: SEARCH ignores them";
        report.notes.push(note.to_owned());
    }
    if let Some((is_missing, seq)) = difference {
        let sql = "SELECT rooms.name || ' ' || id FROM messages JOIN rooms USING (room) WHERE seq = ?";
        let message: Option<String> = connection.query_row(sql, [seq], |row| row.get(0)).optional()?;
        let message = message.unwrap_or_else(|| format!("with the seq {seq}"));
        let how = if is_missing { "lacks words" } else { "has words that are not in the text" };
        report.problem(Advice::RebuildIndex, format!("the index {how} of the message {message}; there may be more"));
    }
    Ok(())
}

/// Indexes the messages that the store has indexed.
fn index_again(connection: &Connection, total: u64, follow: Follow<'_>) -> rusqlite::Result<()> {
    words::define_terms(connection)?;
    let (mut after, last) = (Seq(0), words::indexed(connection)?);
    let sql = "SELECT max(seq) FROM (SELECT seq FROM messages WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?)";
    let mut next_end = connection.prepare(sql)?;
    let sql = "INSERT INTO temp.expected_words (rowid, terms) SELECT seq, index_terms(room, text) FROM messages \
               WHERE seq > ? AND seq <= ? AND text <> ''";
    let mut insert = connection.prepare(sql)?;
    for step in 0.. {
        let end = next_end.query_row(params![after.0, last.0, STORE_CHECKED_AT_ONCE], |row| row.get(0))?;
        let Some(end) = end else { break };
        follow(Progress { phase: Phase::Terms, done: step * STORE_CHECKED_AT_ONCE, total });
        insert.execute(params![after.0, end])?;
        after = Seq(end);
    }
    Ok(())
}

/// A comparison of the two indexes.
#[derive(Debug, Default)]
struct Comparison {
    /// The first entry that only one of the indexes has: whether the store's index lacks it, and the `seq` of its message.
    difference: Option<(bool, i64)>,
    /// Whether the store's index has entries of messages that do not exist.
    has_orphans: bool,
}

/// Compares the indexes up to the first difference. Entries of messages that do not exist are none: an operator may delete messages.
fn compare(connection: &Connection) -> rusqlite::Result<Comparison> {
    let mut exists = connection.prepare("SELECT 1 FROM messages WHERE seq = ?")?;
    let mut found = connection.prepare("SELECT term, doc FROM temp.found")?;
    let mut expected = connection.prepare("SELECT term, doc FROM temp.expected")?;
    let (mut found, mut expected) = (found.query([])?, expected.query([])?);
    let mut comparison = Comparison::default();
    let (mut ours, mut theirs) = (next_entry(&mut found)?, next_entry(&mut expected)?);
    while ours.is_some() || theirs.is_some() {
        match (&ours, &theirs) {
            (ours, theirs) if ours == theirs => {}
            (Some(entry), other) if other.as_ref().is_none_or(|other| entry < other) => {
                if exists.exists([entry.1])? {
                    comparison.difference = Some((false, entry.1));
                    return Ok(comparison);
                }
                comparison.has_orphans = true;
                ours = next_entry(&mut found)?;
                continue;
            }
            (_, missing) => {
                comparison.difference = missing.as_ref().map(|entry| (true, entry.1));
                return Ok(comparison);
            }
        }
        (ours, theirs) = (next_entry(&mut found)?, next_entry(&mut expected)?);
    }
    Ok(comparison)
}

fn next_entry(rows: &mut Rows<'_>) -> rusqlite::Result<Option<Entry>> {
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((row.get_ref(0)?.as_bytes()?.to_vec(), row.get(1)?)))
}
