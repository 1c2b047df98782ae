//! The notes about the wall clock in the file: the reference, doubted messages, and time shifts.

use std::ops::RangeInclusive;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::clock::ClockNotes;
use super::schema::Seq;
use crate::protocol::Timestamp;

/// Reads the notes about the wall clock. In a file without notes, the time of the newest message is the reference.
pub(super) fn clock_notes(connection: &Connection) -> rusqlite::Result<ClockNotes> {
    let number = |key: &str| {
        let mut row = connection.prepare_cached("SELECT value FROM state WHERE key = ?")?;
        row.query_row([key], |row| row.get::<_, i64>(0)).optional()
    };
    let newest = || -> rusqlite::Result<Option<Timestamp>> {
        // Other programs may have written another value there.
        let sql = "SELECT max(time) FROM messages WHERE time GLOB '[0-9][0-9][0-9][0-9]-*'";
        let time: Option<String> = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(time.and_then(|time| Timestamp::parse(&time)))
    };
    let trusted = number("clock_trusted")?.map(|time| Timestamp(time).clamped());
    let doubted = number("clock_doubted")?.zip(number("clock_steady_ms")?);
    let doubted = doubted.map(|(wall, steady_ms)| {
        (Timestamp(wall).clamped(), Duration::from_millis(u64::try_from(steady_ms).unwrap_or(0)))
    });
    Ok(ClockNotes { trusted: trusted.map_or_else(newest, |trusted| Ok(Some(trusted)))?, doubted })
}

pub(super) fn note_clock(connection: &Connection, notes: ClockNotes) -> rusqlite::Result<()> {
    let set = |key: &str, value: i64| {
        connection.prepare_cached("INSERT OR REPLACE INTO state VALUES (?, ?)")?.execute(params![key, value]).map(drop)
    };
    if let Some(trusted) = notes.trusted {
        set("clock_trusted", trusted.0)?;
    }
    let Some((wall, steady_for)) = notes.doubted else {
        let sql = "DELETE FROM state WHERE key IN ('clock_doubted', 'clock_steady_ms')";
        return connection.prepare_cached(sql)?.execute([]).map(drop);
    };
    set("clock_doubted", wall.0)?;
    set("clock_steady_ms", i64::try_from(steady_for.as_millis()).unwrap_or(i64::MAX))
}

/// Key prefix of a range of messages, followed by the `seq` of the first message; the value is the `seq` of the last one.
const DOUBTED: &str = "clock_doubted_ids:";

/// The messages that were stored while the clock was doubted: their times are unreliable.
pub(super) fn doubted_messages(connection: &Connection) -> rusqlite::Result<Vec<RangeInclusive<Seq>>> {
    let mut rows = connection.prepare("SELECT substr(key, ?), value FROM state WHERE key GLOB ? ORDER BY value")?;
    let rows = rows.query_map(params![DOUBTED.len() + 1, format!("{DOUBTED}*")], |row| {
        Ok(row.get::<_, String>(0)?.parse().ok().map(Seq).zip(Some(Seq(row.get(1)?))))
    })?;
    rows.filter_map(Result::transpose).map(|range| range.map(|(first, last)| first..=last)).collect()
}

pub(super) fn note_doubted(connection: &Connection, messages: &RangeInclusive<Seq>) -> rusqlite::Result<()> {
    let key = format!("{DOUBTED}{}", messages.start().0);
    let sql = "INSERT OR REPLACE INTO state VALUES (?, ?)";
    connection.prepare_cached(sql)?.execute(params![key, messages.end().0]).map(drop)
}

/// Key prefix of a time shift, followed by the `seq` of the last message; the value is in milliseconds.
const TIME_SHIFT: &str = "clock_shift:";

/// After the message `last`, the clock replaced a reference that was `ahead_ms` behind it. Before the times of the messages up to `last`
/// are compared with the clock, `ahead_ms` must be added to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeShift {
    pub(super) last: Seq,
    pub(super) ahead_ms: i64,
}

/// The time shifts, in order.
pub(super) fn time_shifts(connection: &Connection) -> rusqlite::Result<Vec<TimeShift>> {
    let sql = "SELECT CAST(substr(key, ?) AS INTEGER) AS last, value FROM state WHERE key GLOB ? ORDER BY last";
    let mut rows = connection.prepare(sql)?;
    let rows = rows.query_map(params![TIME_SHIFT.len() + 1, format!("{TIME_SHIFT}*")], |row| {
        Ok(TimeShift { last: Seq(row.get(0)?), ahead_ms: row.get(1)? })
    })?;
    rows.collect()
}

pub(super) fn note_time_shift(connection: &Connection, shift: TimeShift) -> rusqlite::Result<()> {
    let key = format!("{TIME_SHIFT}{}", shift.last.0);
    let sql = "INSERT OR REPLACE INTO state VALUES (?, ?)";
    connection.prepare_cached(sql)?.execute(params![key, shift.ahead_ms]).map(drop)
}

/// Removes the notes about the messages up to this one, which are deleted.
pub(super) fn remove_clock_notes(connection: &Connection, up_to: Seq) -> rusqlite::Result<()> {
    let sql = "DELETE FROM state WHERE key GLOB ? AND value <= ?";
    connection.prepare_cached(sql)?.execute(params![format!("{DOUBTED}*"), up_to.0])?;
    let sql = "DELETE FROM state WHERE key GLOB ? AND CAST(substr(key, ?) AS INTEGER) <= ?";
    let shift = params![format!("{TIME_SHIFT}*"), TIME_SHIFT.len() + 1, up_to.0];
    connection.prepare_cached(sql)?.execute(shift).map(drop)
}
