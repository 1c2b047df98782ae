//! The table `rooms`: the name, epoch and topic of each room, the highest id ever given in it, and up to which id its messages were
//! evicted.
//!
//! Only rooms that have, or had, a message or a topic are in the file.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::Batch;
use super::moderation::{delete_rules, delete_rules_of_others, load_rules, set_rules};
use super::schema::{Seq, key_of, room_of};
use crate::protocol::{MessageId, RoomId, RoomName, RoomRules, Text, Token};

/// A room that is not in the file yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRoom {
    /// The room; its number is above [`StoredState::last_room`](super::StoredState::last_room).
    pub room: RoomId,
    /// Its name.
    pub name: RoomName,
    /// The epoch of its ids.
    pub epoch: Token,
    /// Its owner and its moderators, and who may enter it.
    pub rules: RoomRules,
}

/// A room in the file. Its messages can be queried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRecord {
    /// The room.
    pub room: RoomId,
    /// Its name.
    pub name: RoomName,
    /// The epoch of its ids.
    pub epoch: Token,
    /// The id of its newest message, even if that was deleted: no greater id was ever given in this epoch.
    pub last_id: MessageId,
    /// The messages up to this id were evicted.
    pub evicted: MessageId,
    /// Its topic.
    pub topic: Option<Text>,
    /// Its owner and its moderators, and who may enter it.
    pub rules: RoomRules,
}

/// The epoch of the first room. `None` in a new file.
pub(super) fn lobby_epoch(connection: &Connection) -> rusqlite::Result<Option<Token>> {
    let sql = "SELECT epoch FROM rooms WHERE room = ?";
    let epoch: String = connection.query_row(sql, [key_of(RoomId::LOBBY)], |row| row.get(0))?;
    Ok(Token::new(&epoch).ok())
}

/// Removes the rooms without messages and topic, except the first one. Other programs may have written or deleted messages, too: no id
/// of theirs is given again.
pub(super) fn update_to_messages(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let newest = "(SELECT max(id) FROM messages WHERE messages.room = rooms.room)";
    let sql = format!("DELETE FROM rooms WHERE room <> ? AND topic IS NULL AND {newest} IS NULL");
    transaction.execute(&sql, [key_of(RoomId::LOBBY)])?;
    delete_rules_of_others(transaction)?;
    let sql = format!("UPDATE rooms SET last_id = {newest} WHERE last_id < {newest}");
    transaction.execute(&sql, []).map(drop)
}

/// Sets the epoch of the first room, and that of all others if a new one begins there.
pub(super) fn set_epochs(transaction: &Transaction<'_>, lobby: &Token, others: Option<&Token>) -> rusqlite::Result<()> {
    let lobby_key = key_of(RoomId::LOBBY);
    transaction.execute("UPDATE rooms SET epoch = ? WHERE room = ?", params![lobby.to_string(), lobby_key])?;
    if let Some(epoch) = others {
        transaction.execute("UPDATE rooms SET epoch = ? WHERE room <> ?", params![epoch.to_string(), lobby_key])?;
    }
    Ok(())
}

/// The last id of the first room, up to which id its messages were evicted, its topic and its rules.
pub(super) fn load_lobby(connection: &Connection) -> rusqlite::Result<(MessageId, MessageId, Option<Text>, RoomRules)> {
    let sql = "SELECT last_id, evicted, topic, owner, lock FROM rooms WHERE room = ?";
    connection.query_row(sql, [key_of(RoomId::LOBBY)], |row| {
        let rules = load_rules(connection, RoomId::LOBBY, row, 3)?;
        Ok((MessageId(row.get(0)?), MessageId(row.get(1)?), read_topic(row, 2)?, rules))
    })
}

/// The other rooms, in the order of their numbers. Leaves out rows with invalid numbers or names, which another program or another
/// version may have written; a room with an invalid epoch gets `new_epoch`.
pub(super) fn load_others(connection: &Connection, new_epoch: &Token) -> rusqlite::Result<Vec<RoomRecord>> {
    let sql = "SELECT room, name, epoch, last_id, evicted, topic, owner, lock FROM rooms WHERE room > ? ORDER BY room";
    let mut rows = connection.prepare(sql)?;
    let mut rows = rows.query([key_of(RoomId::LOBBY)])?;
    let mut rooms = Vec::new();
    while let Some(row) = rows.next()? {
        let (key, name, epoch): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Some((room, name)) = room_of(key).zip(RoomName::new(&name).ok()) else { continue };
        let epoch = match Token::new(&epoch) {
            Ok(epoch) => epoch,
            Err(_) => {
                let sql = "UPDATE rooms SET epoch = ? WHERE room = ?";
                connection.prepare_cached(sql)?.execute(params![new_epoch.to_string(), key])?;
                new_epoch.clone()
            }
        };
        let (last_id, evicted) = (MessageId(row.get(3)?), MessageId(row.get(4)?));
        let (topic, rules) = (read_topic(row, 5)?, load_rules(connection, room, row, 6)?);
        rooms.push(RoomRecord { room, name, epoch, last_id, evicted, topic, rules });
    }
    Ok(rooms)
}

fn read_topic(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Text>> {
    let topic: Option<String> = row.get(column)?;
    Ok(topic.and_then(|topic| Text::new(&topic).ok()))
}

/// The room with the highest number, also of rooms of which the file has only messages.
pub(super) fn last_room(connection: &Connection) -> rusqlite::Result<RoomId> {
    let sql = "SELECT max((SELECT max(room) FROM rooms WHERE room <= ?1), \
                          ifnull((SELECT max(room) FROM messages WHERE room <= ?1), 0))";
    let key = connection.query_row(sql, [key_of(RoomId(u32::MAX))], |row| row.get(0))?;
    Ok(room_of(key).unwrap_or(RoomId::LOBBY))
}

/// Removes and adds the rooms of a batch; sets the last ids and topics of the rooms that it names. Returns false if the file lacks one of
/// these.
pub(super) fn apply(transaction: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<bool> {
    for room in &batch.removed_rooms {
        let sql = "DELETE FROM rooms WHERE room = ? AND topic IS NULL \
                   AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.room = rooms.room)";
        if transaction.prepare_cached(sql)?.execute([key_of(*room)])? == 1 {
            delete_rules(transaction, *room)?;
            transaction.prepare_cached("DELETE FROM sanctions WHERE room = ?")?.execute([key_of(*room)])?;
        }
    }
    // A row with this name could not be loaded, because another program wrote it.
    let sql = "INSERT INTO rooms (room, name, epoch, last_id, evicted) VALUES (?, ?, ?, 0, 0) \
               ON CONFLICT (name) DO UPDATE SET room = excluded.room, epoch = excluded.epoch, last_id = 0, evicted = 0, topic = NULL";
    for NewRoom { room, name, epoch, rules } in &batch.rooms {
        let row = params![key_of(*room), name.to_string(), epoch.to_string()];
        transaction.prepare_cached(sql)?.execute(row)?;
        set_rules(transaction, *room, rules)?;
    }
    // Usually one run: most batches have messages of one room.
    let runs = batch.messages.chunk_by(|(room, _), (next, _)| room == next);
    let last_ids: BTreeMap<_, _> =
        runs.filter_map(<[_]>::last).map(|(room, message)| (*room, message.past.id)).collect();
    let mut has_all = true;
    let mut set_last_id = transaction.prepare_cached("UPDATE rooms SET last_id = ? WHERE room = ?")?;
    for (room, id) in last_ids {
        has_all &= set_last_id.execute(params![id.0, key_of(room)])? == 1;
    }
    for (room, topic) in &batch.topics {
        let mut set_topic = transaction.prepare_cached("UPDATE rooms SET topic = ? WHERE room = ?")?;
        has_all &= set_topic.execute(params![topic.as_ref().map(Text::as_str), key_of(*room)])? == 1;
    }
    Ok(has_all)
}

/// The highest evicted id of a room; 0 if no message was evicted.
pub(super) fn evicted(connection: &Connection, room: RoomId) -> rusqlite::Result<MessageId> {
    let mut row = connection.prepare_cached("SELECT evicted FROM rooms WHERE room = ?")?;
    // A room without a row has no messages.
    Ok(row.query_row([key_of(room)], |row| row.get(0).map(MessageId)).optional()?.unwrap_or_default())
}

/// Within a room, the order of ids is that of `seq`. Without NOT INDEXED, SQLite would read the index of all messages.
const SET_EVICTED: &str = "UPDATE rooms SET evicted = gone.last \
    FROM (SELECT room, max(id) AS last FROM messages NOT INDEXED WHERE seq <= ? GROUP BY room) AS gone \
    WHERE rooms.room = gone.room AND evicted < gone.last RETURNING rooms.room, evicted";

/// Records that the messages up to this one are evicted. Call it before they are deleted. Returns the rooms that have such messages,
/// with the last id of each.
pub(super) fn set_evicted(transaction: &Transaction<'_>, up_to: Seq) -> rusqlite::Result<Vec<(RoomId, MessageId)>> {
    let mut rows = transaction.prepare_cached(SET_EVICTED)?;
    let rows = rows.query_map([up_to.0], |row| Ok(room_of(row.get(0)?).zip(Some(MessageId(row.get(1)?)))))?;
    rows.filter_map(Result::transpose).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::MIGRATIONS;

    /// Regression: each eviction read an index of all messages in the file.
    #[test]
    fn eviction_reads_evicted_messages_only() {
        let file = Connection::open_in_memory().unwrap();
        file.execute_batch(&MIGRATIONS.concat()).unwrap();
        let mut plan = file.prepare(&format!("EXPLAIN QUERY PLAN {SET_EVICTED}")).unwrap();
        let steps = plan.query_map([1], |row| row.get("detail")).unwrap().collect::<rusqlite::Result<Vec<String>>>();
        let steps = steps.unwrap().join("; ");
        assert!(steps.contains("SEARCH messages USING INTEGER PRIMARY KEY"), "{steps}");
    }
}
