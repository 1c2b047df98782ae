//! Pages: parts of a query's result, as rows.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::schema::key_of;
use crate::limits::{QUERY_PAGE_BYTES, QUERY_ROW_OVERHEAD_BYTES};
use crate::protocol::{MessageId, RoomId};

/// A part of the result of a query: rows in the order of the query.
#[derive(Debug, Default)]
pub struct Page {
    /// Messages that belong before the first row of this page, but were evicted.
    pub evicted: Option<EvictedRange>,
    /// How the query ended; on its last page only.
    pub end: Option<QueryEnd>,
    /// The strings of all rows, in one allocation: three allocations for each row would take more memory than its strings.
    strings: String,
    rows: Vec<PackedRow>,
}

/// A stored message. Another program may have written it: replace unsafe characters before the strings are displayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The id.
    pub id: MessageId,
    /// When it was sent, in RFC 3339.
    pub time: &'a str,
    /// The author's nickname at that time.
    pub name: &'a str,
    /// The text. Empty: the message was deleted.
    pub text: &'a str,
}

/// A range of evicted messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictedRange {
    /// The last id before the range.
    pub after: MessageId,
    /// The last id of the range.
    pub up_to: MessageId,
    /// The oldest message in the store or, if the store is empty, the id after the last evicted one.
    pub oldest: MessageId,
}

/// How a query ended. Each count is the number of rows on all pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryEnd {
    /// The pages have all rows.
    Complete(u64),
    /// A search has used all its CPU time. The rows are the newest matching messages.
    OutOfTime(u64),
    /// The query failed.
    Failed(QueryError),
}

/// Why a query failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// The file cannot be read.
    Read(String),
    /// The words of the newest messages are not in the index, and cannot be added.
    Index(String),
}

/// An id, and the end of each string of the row in [`Page::strings`]; each string begins where the previous one ends.
#[derive(Clone, Copy, Debug)]
struct PackedRow {
    id: MessageId,
    time_end: usize,
    name_end: usize,
    text_end: usize,
}

const _: () = assert!(size_of::<PackedRow>() <= QUERY_ROW_OVERHEAD_BYTES);

impl Page {
    /// Creates a last page without rows.
    pub(super) fn failed(error: QueryError) -> Self {
        Self { end: Some(QueryEnd::Failed(error)), ..Self::default() }
    }

    /// The rows, in the order of the query.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let mut start = 0;
        self.rows.iter().map(move |&PackedRow { id, time_end, name_end, text_end }| {
            let string = |start, end| &self.strings[start..end];
            let (time, name, text) = (string(start, time_end), string(time_end, name_end), string(name_end, text_end));
            start = text_end;
            Row { id, time, name, text }
        })
    }

    /// Number of rows.
    pub(super) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Size of the rows, which bounds a page: their strings, and [`QUERY_ROW_OVERHEAD_BYTES`] for each.
    pub fn bytes(&self) -> usize {
        self.strings.len() + self.rows.len() * QUERY_ROW_OVERHEAD_BYTES
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes() >= QUERY_PAGE_BYTES
    }

    /// Memory of the rows, in bytes.
    #[cfg(test)]
    pub(super) fn allocated_bytes(&self) -> usize {
        self.strings.capacity() + self.rows.capacity() * size_of::<PackedRow>()
    }

    /// Returns unused memory.
    pub(super) fn shrink(&mut self) {
        self.strings.shrink_to_fit();
        self.rows.shrink_to_fit();
    }

    /// Appends messages of a room after one id and up to another, in order; the hidden ones without their texts. If the page is full before the end, returns the id of the last message.
    pub(super) fn fill(
        &mut self,
        connection: &Connection,
        room: RoomId,
        after: MessageId,
        until: MessageId,
        hidden: &BTreeSet<MessageId>,
    ) -> rusqlite::Result<Option<MessageId>> {
        let sql = "SELECT id, time, name, text FROM messages WHERE room = ? AND id > ? AND id <= ? ORDER BY id";
        let mut rows = connection.prepare_cached(sql)?;
        let mut rows = rows.query(params![key_of(room), after.0, until.0])?;
        while let Some(row) = rows.next()? {
            self.push(row, hidden)?;
            if self.is_full() {
                return Ok(self.rows.last().map(|row| row.id));
            }
        }
        Ok(None)
    }

    /// Appends a row with the columns id, time, name and text; without its text, if it is hidden.
    pub(super) fn push(&mut self, row: &rusqlite::Row<'_>, hidden: &BTreeSet<MessageId>) -> rusqlite::Result<()> {
        let (id, time, name, text) = (MessageId(row.get(0)?), string(row, 1)?, string(row, 2)?, string(row, 3)?);
        let text = if hidden.contains(&id) { "" } else { text };
        let mut end_of = |string: &str| {
            self.strings.push_str(string);
            self.strings.len()
        };
        let (time_end, name_end, text_end) = (end_of(time), end_of(name), end_of(text));
        self.rows.push(PackedRow { id, time_end, name_end, text_end });
        Ok(())
    }
}

/// A column as text. Unlike [`rusqlite::Row::get`], it does not copy the text. It returns the same error, which names the column.
pub(super) fn string<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> rusqlite::Result<&'a str> {
    let string = row.get_ref(column)?.as_str();
    string.map_err(|error| row.get::<_, String>(column).err().unwrap_or_else(|| error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(sql: &str) -> rusqlite::Result<Page> {
        let connection = Connection::open_in_memory().unwrap();
        let mut page = Page::default();
        let mut rows = connection.prepare(sql).unwrap();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next()? {
            page.push(row, &BTreeSet::new())?;
        }
        Ok(page)
    }

    #[test]
    fn rows_are_what_was_pushed() {
        let mut page = page("VALUES (3, 'time', '', 'text'), (5, '', 'näme', ''), (9, 't', 'n', '\u{1b}\n')").unwrap();
        page.shrink();
        let row = |id, time, name, text| Row { id: MessageId(id), time, name, text };
        let expected = [row(3, "time", "", "text"), row(5, "", "näme", ""), row(9, "t", "n", "\u{1b}\n")];
        assert_eq!(page.rows().collect::<Vec<_>>(), expected);
        assert_eq!(page.bytes(), 17 + 3 * QUERY_ROW_OVERHEAD_BYTES);
    }

    /// Clients read this text in an error.
    #[test]
    fn row_of_another_type_is_an_error_that_names_the_column() {
        let error = |sql: &str| page(sql).unwrap_err().to_string();
        let expected = "Invalid column type Blob at index: 3, name: text";
        assert_eq!(error("SELECT 1 AS id, 'time' AS time, 'ann' AS name, x'ff' AS text"), expected);
        let expected = "Invalid column type Null at index: 1, name: time";
        assert_eq!(error("SELECT 1 AS id, NULL AS time, 'ann' AS name, 'hi' AS text"), expected);
        let expected = "invalid utf-8 sequence of 1 bytes from index 0 at index 2";
        assert_eq!(error("VALUES (1, 'time', CAST(x'ff' AS TEXT), 'hi')"), expected);
    }
}
