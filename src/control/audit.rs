//! The request for the audit log, and the lines of its reply.

use std::fmt;

use super::ControlError;
use crate::command_line::quoted;
use crate::limits::CONTROL_AUDIT_LISTED_MAX;
use crate::protocol::{
    AccountId, AuditAct, AuditActor, AuditEntry, AuditNumber, AuditQuery, AuditRecord, MessageId, Name, RoomName,
    SanctionId, Text, Timestamp, Until, moderator, parse_moderator, split_word,
};

/// The keys of the words after `audit`.
const BEFORE: &str = "before";
const LIMIT: &str = "limit";
const ROOM: &str = "room";
const BY: &str = "by";

impl AuditQuery {
    /// Parses the words after `audit`. A reply has at most [`CONTROL_AUDIT_LISTED_MAX`] entries.
    pub(super) fn parse(arguments: &str) -> Result<Self, ControlError> {
        let mut query = Self { before: None, limit: CONTROL_AUDIT_LISTED_MAX, room: None, by: None };
        for word in arguments.split_ascii_whitespace() {
            let expected = "before=NUMBER, limit=NUMBER, room=#ROOM or by=NAME";
            let unknown = || ControlError::unknown_argument("audit", word, expected);
            let (key, value) = word.split_once('=').ok_or_else(unknown)?;
            match key {
                BEFORE => query.before = Some(AuditNumber(value.parse().map_err(|_| unknown())?)),
                LIMIT => query.limit = value.parse::<usize>().map_err(|_| unknown())?.min(CONTROL_AUDIT_LISTED_MAX),
                ROOM => query.room = Some(RoomName::new(value).map_err(|error| invalid("room", value, &error))?),
                BY => query.by = Some(Name::new(value).map_err(|error| invalid("name", value, &error))?),
                _ => return Err(unknown()),
            }
        }
        Ok(query)
    }
}

fn invalid(what: &str, value: &str, error: &dyn fmt::Display) -> ControlError {
    ControlError::invalid_audit_argument(&format!("invalid {what} {}: {error}", quoted(value)))
}

/// The words of the request after `audit`.
pub(super) fn write_query(f: &mut fmt::Formatter<'_>, query: &AuditQuery) -> fmt::Result {
    let AuditQuery { before, limit, room, by } = query;
    before.iter().try_for_each(|AuditNumber(before)| write!(f, " {BEFORE}={before}"))?;
    write!(f, " {LIMIT}={limit}")?;
    room.iter().try_for_each(|room| write!(f, " {ROOM}={room}"))?;
    by.iter().try_for_each(|by| write!(f, " {BY}={by}"))
}

/// An entry of the audit log as `audit` lists it: `17 2026-11-30T13:42:00.000Z ann ban #ops @bob by_account=1:ann sanction=4 until=never
/// reason=spam`. The first six words are always there; the others are if they have a value. The reason is the last one, and may have spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// The entry.
    pub record: AuditRecord,
    /// Whether the disk has it.
    pub is_stored: bool,
}

/// Stands for the whole server in place of a room.
const SERVER: &str = "server";

/// Stands for a target that does not exist.
const NO_TARGET: &str = "-";

/// The keys of the words that may be missing.
const BY_ACCOUNT: &str = "by_account";
const ACCOUNT: &str = "account";
const SANCTION: &str = "sanction";
const MESSAGE: &str = "message";
const STORED: &str = "stored";
const REASON: &str = "reason";

/// The value of [`STORED`].
const NO: &str = "no";

impl AuditLine {
    /// Parses a line. Unknown keys are ignored.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(7, ' ');
        let (number, at) = (AuditNumber(words.next()?.parse().ok()?), Timestamp::parse(words.next()?)?);
        let name = parse_moderator(words.next()?).ok()?;
        let act = AuditAct::parse(words.next()?)?;
        let room = Some(words.next()?).filter(|room| *room != SERVER);
        let room = room.map(RoomName::new).transpose().ok()?;
        let target = Some(words.next()?).filter(|target| *target != NO_TARGET);
        let target = target.map(|target| act.parse_target(target)).transpose().ok()?;
        let by = name.map(|name| AuditActor { name, account: None });
        let mut entry = AuditEntry { by, room, target, ..AuditEntry::new(at, act) };
        let (mut rest, mut is_stored) = (words.next(), true);
        while let Some(words) = rest {
            let (word, after) = split_word(words);
            rest = after;
            match word.split_once('=')? {
                (BY_ACCOUNT, value) => {
                    let (id, name) = value.split_once(':')?;
                    entry.by.as_mut()?.account = Some((AccountId(id.parse().ok()?), Name::new(name).ok()?));
                }
                (ACCOUNT, id) => entry.target_account = Some(AccountId(id.parse().ok()?)),
                (SANCTION, id) => entry.sanction = Some(SanctionId(id.parse().ok()?)),
                (MESSAGE, id) => entry.message = Some(MessageId(id.parse().ok()?)),
                (STORED, value) => is_stored = value != NO,
                (REASON, _) => {
                    let (_, reason) = words.split_once('=')?;
                    entry.reason = Some(Text::new(reason).ok()?);
                    rest = None;
                }
                _ => {
                    if let Some(Until(until)) = Until::parse(word) {
                        entry.until = until;
                    }
                }
            }
        }
        Some(Self { record: AuditRecord { number, entry }, is_stored })
    }
}

impl fmt::Display for AuditLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record: AuditRecord { number: AuditNumber(number), entry }, is_stored } = self;
        let AuditEntry { at, by, act, room, target, target_account, sanction, message, until, reason } = entry;
        let room = room.as_ref().map_or(SERVER.to_owned(), ToString::to_string);
        let target = target.as_ref().map_or(NO_TARGET.to_owned(), ToString::to_string);
        let name = moderator(by.as_ref().map(|by| &by.name));
        write!(f, "{number} {at} {name} {} {room} {target}", act.as_str())?;
        if let Some((AccountId(id), name)) = by.as_ref().and_then(|by| by.account.as_ref()) {
            write!(f, " {BY_ACCOUNT}={id}:{name}")?;
        }
        target_account.iter().try_for_each(|AccountId(id)| write!(f, " {ACCOUNT}={id}"))?;
        sanction.iter().try_for_each(|SanctionId(id)| write!(f, " {SANCTION}={id}"))?;
        message.iter().try_for_each(|MessageId(id)| write!(f, " {MESSAGE}={id}"))?;
        if act.begins_sanction() {
            write!(f, " {}", Until(*until))?;
        }
        if !is_stored {
            write!(f, " {STORED}={NO}")?;
        }
        reason.iter().try_for_each(|reason| write!(f, " {REASON}={reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{CONTROL_AUDIT_BYTES_MAX, NAME_BYTES_MAX, NAME_CHARS_MAX, TEXT_BYTES_MAX};

    #[test]
    fn requests_round_trip() {
        let written = |query: &AuditQuery| {
            struct Shown<'a>(&'a AuditQuery);
            impl fmt::Display for Shown<'_> {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write_query(f, self.0)
                }
            }
            Shown(query).to_string()
        };
        for line in [" limit=200", " before=12 limit=1 room=#ops by=ann"] {
            assert_eq!(written(&AuditQuery::parse(line).unwrap()), line);
        }
        assert_eq!(AuditQuery::parse("limit=100000").unwrap().limit, CONTROL_AUDIT_LISTED_MAX);
        assert_eq!(AuditQuery::parse("").unwrap(), AuditQuery::parse("limit=200").unwrap());
        let error = |line: &str| AuditQuery::parse(line).unwrap_err().to_string();
        let expected = "ERR audit unknown-argument unknown argument \"x\" after audit: expected before=NUMBER, limit=NUMBER, room=#ROOM or \
                        by=NAME";
        assert_eq!(error("x"), expected);
        assert!(error("limit=-1").contains(" unknown argument \"limit=-1\" after audit: "));
        assert!(error("room=ops").starts_with("ERR audit unknown-argument invalid room \"ops\": "));
        assert!(error("by=a,b").ends_with("invalid name \"a,b\": a name cannot contain a comma"));
    }

    #[test]
    fn lines_round_trip() {
        for line in [
            "1 2026-11-30T13:42:00.000Z - account-role-operator server ann account=1",
            "2 2026-11-30T13:42:00.000Z ann ban #ops @bob by_account=1:ann sanction=4 until=never stored=no reason=a = b, until=never x=1",
            "3 2026-11-30T13:42:00.000Z annie mute server bob by_account=1:ann account=7 sanction=5 until=2026-12-30T13:42:00.000Z",
            "4 2026-11-30T13:42:00.000Z - unban server 192.0.2.0/24 sanction=3",
            "5 2026-11-30T13:42:00.000Z - kick #ops 192.0.2.1 reason=OK",
            "6 2026-11-30T13:42:00.000Z ann kick #ops - message=17",
        ] {
            assert_eq!(AuditLine::parse(line).expect(line).to_string(), line);
        }
        let line = "4 2026-11-30T13:42:00.000Z - unban server bob sanction=3";
        assert_eq!(AuditLine::parse(&format!("{line} new=field")), AuditLine::parse(line));
        for invalid in
            ["", "x", "4 then - unban server bob", "4 2026-11-30T13:42:00.000Z - jail server bob", &line[..40]]
        {
            assert_eq!(AuditLine::parse(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn longest_line_is_within_the_limit() {
        let name = "я".repeat(NAME_CHARS_MAX);
        let (last, reason) = (u64::MAX, "x".repeat(TEXT_BYTES_MAX));
        let line = format!(
            "{last} 2026-11-30T13:42:00.000Z {name} account-role-operator #{name} @{name} by_account={0}:{name} account={0} sanction={0} \
             message={last} until=2026-12-30T13:42:00.000Z stored=no reason={reason}",
            u32::MAX
        );
        let names = 4 * name.len();
        assert!(line.len() - names - TEXT_BYTES_MAX <= CONTROL_AUDIT_BYTES_MAX && names <= 4 * NAME_BYTES_MAX);
    }
}
