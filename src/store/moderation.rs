//! The tables `moderators`, `invitations` and `sanctions`, and the owners and locks in the table `rooms`.

use rusqlite::{Connection, Row, Transaction, params};

use super::schema::{key_of, room_of};
use super::{deletion, log};
use crate::protocol::{
    AccountId, ModerationRecord, Name, RoomId, RoomLock, RoomRules, Sanction, SanctionId, SanctionKind, SanctionTarget,
    Subject, Text, Timestamp,
};

/// Precede the subjects of a sanction.
const ACCOUNT: &str = "account=";
const NAME: &str = "name=";
const NETWORK: &str = "network=";

/// Carries out records. A record about a room that the file does not have is without effect, so that one that is tried again never fails.
pub(super) fn apply(transaction: &Transaction<'_>, records: &[ModerationRecord]) -> rusqlite::Result<()> {
    records.iter().try_for_each(|record| match record {
        ModerationRecord::Rules(room, rules) => set_rules(transaction, *room, rules),
        ModerationRecord::Sanction(sanction) => insert_sanction(transaction, sanction),
        ModerationRecord::Lifted(SanctionId(id)) => {
            transaction.prepare_cached("DELETE FROM sanctions WHERE sanction = ?")?.execute([id]).map(drop)
        }
        ModerationRecord::Deleted(room, id) => deletion::remove_text(transaction, *room, *id),
    })
}

/// The tables of accounts that a room has, besides its owner.
const TABLES: [&str; 2] = ["moderators", "invitations"];

/// Sets the rules of a room, if the file has it.
pub(super) fn set_rules(transaction: &Transaction<'_>, room: RoomId, rules: &RoomRules) -> rusqlite::Result<()> {
    let RoomRules { owner, moderators, lock, invited } = rules;
    let sql = "UPDATE rooms SET owner = ?, lock = ? WHERE room = ?";
    let row = params![owner.map(|owner| owner.0), lock.as_str(), key_of(room)];
    let is_known = transaction.prepare_cached(sql)?.execute(row)? == 1;
    delete_rules(transaction, room)?;
    for (table, accounts) in TABLES.into_iter().zip([moderators, invited]) {
        let mut insert = transaction.prepare_cached(&format!("INSERT INTO {table} VALUES (?, ?)"))?;
        for account in accounts.iter().filter(|_| is_known) {
            insert.execute(params![key_of(room), account.0])?;
        }
    }
    Ok(())
}

/// Deletes the moderators and the invitations of a room.
pub(super) fn delete_rules(transaction: &Transaction<'_>, room: RoomId) -> rusqlite::Result<()> {
    let delete = |table| transaction.prepare_cached(&format!("DELETE FROM {table} WHERE room = ?"));
    TABLES.into_iter().try_for_each(|table| delete(table)?.execute([key_of(room)]).map(drop))
}

/// Deletes the moderators and the invitations of rooms that the file does not have.
pub(super) fn delete_rules_of_others(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let sql = |table| format!("DELETE FROM {table} WHERE room NOT IN (SELECT room FROM rooms)");
    TABLES.into_iter().try_for_each(|table| transaction.execute(&sql(table), []).map(drop))
}

fn insert_sanction(transaction: &Transaction<'_>, sanction: &Sanction) -> rusqlite::Result<()> {
    let Sanction { id, kind, room, target, subjects, at, until, by, reason } = sanction;
    let subject = |subject: &Subject| match subject {
        Subject::Account(AccountId(number)) => format!("{ACCOUNT}{number}"),
        Subject::Name(name) => format!("{NAME}{name}"),
        Subject::Network(network) => format!("{NETWORK}{network}"),
    };
    let subjects: Vec<_> = subjects.iter().map(subject).collect();
    let until = until.map(|until| until.to_string());
    let (by, reason) = (by.as_ref().map(Name::as_str), reason.as_ref().map(Text::as_str));
    // A room that is stored later brings the sanctions that it has then: one of an earlier time may be lifted since.
    let sql = "INSERT OR REPLACE INTO sanctions SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 \
               WHERE ?3 IS NULL OR EXISTS (SELECT 1 FROM rooms WHERE room = ?3)";
    let room = room.map(key_of);
    let row =
        params![id.0, kind.as_str(), room, target.to_string(), subjects.join(" "), at.to_string(), until, by, reason];
    transaction.prepare_cached(sql)?.execute(row).map(drop)
}

/// Loads the sanctions, and deletes those of rooms that the file does not have: their numbers may be given to other rooms. Rows that
/// another program or another version may have written are left out if they are invalid; the log has their count.
pub(super) fn load_sanctions(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<Sanction>> {
    transaction.execute("DELETE FROM sanctions WHERE room IS NOT NULL AND room NOT IN (SELECT room FROM rooms)", [])?;
    let (sanctions, invalid) = read_sanctions(transaction)?;
    if invalid > 0 {
        log::sanctions_invalid(invalid);
    }
    Ok(sanctions)
}

/// Reads the sanctions. Also returns the number of rows that cannot be read.
pub(super) fn read_sanctions(connection: &Connection) -> rusqlite::Result<(Vec<Sanction>, u32)> {
    let sql = "SELECT sanction, kind, room, target, subjects, created, until, moderator, reason FROM sanctions ORDER BY sanction";
    let mut rows = connection.prepare(sql)?;
    let mut rows = rows.query([])?;
    let (mut sanctions, mut invalid) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        match read_sanction(row) {
            Some(sanction) => sanctions.push(sanction),
            None => invalid += 1,
        }
    }
    Ok((sanctions, invalid))
}

fn read_sanction(row: &Row<'_>) -> Option<Sanction> {
    let text = |column| row.get_ref(column).ok()?.as_str().ok().map(str::to_owned);
    let id: i64 = row.get(0).ok()?;
    // An end that cannot be read must not make the sanction last forever.
    let until: Option<String> = row.get(6).ok()?;
    let room: Option<i64> = row.get(2).ok()?;
    let kind = SanctionKind::parse(&text(1)?)?;
    Some(Sanction {
        id: SanctionId(u32::try_from(id).ok().filter(|id| *id > 0)?),
        kind,
        room: match room {
            Some(key) => Some(room_of(key)?),
            None => None,
        },
        target: SanctionTarget::parse(kind, &text(3)?).ok()?,
        subjects: text(4)?.split(' ').map(parse_subject).collect::<Option<_>>()?,
        at: Timestamp::parse(&text(5)?)?,
        until: match until {
            Some(until) => Some(Timestamp::parse(&until)?),
            None => None,
        },
        by: text(7).and_then(|name| Name::new(&name).ok()),
        reason: text(8).and_then(|reason| Text::new(&reason).ok()),
    })
}

fn parse_subject(word: &str) -> Option<Subject> {
    if let Some(number) = word.strip_prefix(ACCOUNT) {
        return number.parse().ok().map(|number| Subject::Account(AccountId(number)));
    }
    if let Some(name) = word.strip_prefix(NAME) {
        return Name::new(name).ok().map(Subject::Name);
    }
    word.strip_prefix(NETWORK)?.parse().ok().map(Subject::Network)
}

/// The rules of a room, whose row has its owner in this column and its lock in the next one. Leaves out numbers that no account can have,
/// which another program wrote; a lock that it wrote lets only the invited in.
pub(super) fn load_rules(
    connection: &Connection,
    room: RoomId,
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<RoomRules> {
    let accounts = |table| {
        let mut accounts = connection.prepare_cached(&format!("SELECT account FROM {table} WHERE room = ?"))?;
        let accounts = accounts.query_map([key_of(room)], |row| Ok(read_account(row, 0)))?;
        accounts.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()
    };
    let lock = row.get_ref(column + 1)?.as_str().ok().and_then(RoomLock::parse);
    Ok(RoomRules {
        owner: read_account(row, column),
        moderators: accounts("moderators")?,
        lock: lock.unwrap_or(RoomLock::Invited),
        invited: accounts("invitations")?,
    })
}

pub(super) fn read_account(row: &Row<'_>, column: usize) -> Option<AccountId> {
    let number = row.get_ref(column).ok()?.as_i64().ok()?;
    u32::try_from(number).ok().filter(|number| *number > 0).map(AccountId)
}
