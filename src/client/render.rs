//! Formats messages, events and notes for users, one line each. Pure. The parsers of the protocol have replaced control characters
//! before; [`super::json`] formats lines for scripts.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt::Display;

use chrono::{DateTime, TimeZone};
use nu_ansi_term::{Color, Style};

use super::chat_state::DisplayItem;
use crate::command::{RoomListing, SanctionListing};
use crate::protocol::{
    Event, LeaveReason, MessageId, Name, Rank, RoomLock, RoomName, SanctionEvent, SanctionId, SanctionKind,
    SanctionTarget, Text, Timestamp, User,
};

/// How lines are formatted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LineFormat {
    /// Print colours.
    pub(super) color: bool,
    /// Ring the terminal's bell for whispers to the user and mentions of the user.
    pub(super) bell: bool,
}

/// The colours of nicknames: the ones of the terminal's 16 that are legible on black and on white.
const NAME_COLORS: [u8; 10] = [1, 2, 3, 4, 5, 6, 9, 10, 12, 13];

impl LineFormat {
    /// The line to print for `shown`, without a line ending. Times are in the zone of `now`, with the date unless it is today's.
    pub(super) fn format_line<Z: TimeZone<Offset: Display>>(self, shown: &DisplayItem, now: &DateTime<Z>) -> String {
        self.format_in(None, shown, now)
    }

    /// The line with the name of its room, if it is another one than the user's current room.
    fn format_in<Z: TimeZone<Offset: Display>>(
        self,
        room: Option<&RoomName>,
        shown: &DisplayItem,
        now: &DateTime<Z>,
    ) -> String {
        let label = room.map_or_else(String::new, |room| format!("{room} "));
        let (at, event, for_user) = match shown {
            DisplayItem::InRoom(room, shown) => return self.format_in(Some(room), shown, now),
            DisplayItem::Event(at, event, for_user) => (at, event, *for_user),
            DisplayItem::PastMessage(past, shows_id) => {
                let id = if *shows_id { format!(" ({})", past.id.0) } else { String::new() };
                let text = past.text.as_ref().map_or(DELETED, Text::as_str);
                let time = time_of(past.at, now).unwrap_or_default();
                return self.dim(&format!("{time} {label}{}{id}: {text}", past.name));
            }
            DisplayItem::Deleted(at, by, id, author) => {
                let said = deletion(by.as_ref(), *id, author.as_ref());
                let time = at.and_then(|at| time_of(at, now)).map_or_else(String::new, |time| time + " ");
                return self.dim(&format!("{time}{label}{said}"));
            }
            DisplayItem::Whispered(name, to, text) => {
                let to: Vec<_> = to.iter().map(|name| self.name(name)).collect();
                let whispers = self.paint(Color::Purple.bold(), "whispers to");
                let time = self.dim(&now.format("%H:%M").to_string());
                return format!("{time} {} {whispers} {}: {text}", self.name(name), to.join(", "));
            }
            DisplayItem::Note(text) => return self.dim(&format!("* {label}{text}")),
            DisplayItem::Warning(text) => {
                return self.paint(Color::Red.into(), &format!("! {label}{text}"));
            }
        };
        let bell = if for_user && self.bell { "\x07" } else { "" };
        let time = at.map_or_else(String::new, |at| self.dim(&local_time(at, now)) + " ");
        let label = if label.is_empty() { label } else { self.paint(Style::new().bold(), &label) };
        format!("{bell}{time}{label}{}", self.event(event, for_user, *at, now))
    }

    /// A text that is bold for the user, and dim otherwise.
    fn emphasized(self, text: &str, for_user: bool) -> String {
        if for_user { self.paint(Style::new().bold(), text) } else { self.dim(text) }
    }

    /// An event in words. `at`: when it happened, if that is known.
    fn event<Z: TimeZone<Offset: Display>>(
        self,
        event: &Event,
        for_user: bool,
        at: Option<Timestamp>,
        now: &DateTime<Z>,
    ) -> String {
        let text_of =
            |text: &Text| if for_user { self.paint(Style::new().bold(), text.as_str()) } else { text.to_string() };
        match event {
            Event::Msg(from, text) => format!("{}: {}", self.name(from), text_of(text)),
            Event::Whisper(from, text) => {
                format!("{} {} {}", self.name(from), self.paint(Color::Purple.bold(), "whispers:"), text_of(text))
            }
            Event::Draw(name, drawing) => self.dim(&format!("{name} draws: {drawing}")),
            Event::Topic(name, None) => self.dim(&format!("{name} cleared the topic")),
            Event::Topic(name, Some(text)) => self.dim(&format!("{name} set the topic: {text}")),
            Event::Moderator { by, name, on } => {
                let by = moderator(by.as_ref());
                let text = match (for_user, on) {
                    (true, true) => format!("{by} made you a moderator"),
                    (true, false) => format!("{by} took back your moderator rank"),
                    (false, true) => format!("{by} made {name} a moderator"),
                    (false, false) => format!("{by} removed {name} as a moderator"),
                };
                self.emphasized(&text, for_user)
            }
            Event::Lock { by, lock } => self.dim(&format!("{} {}", moderator(by.as_ref()), has_locked(*lock))),
            Event::Invite { by, on: true, .. } if for_user => {
                let what = format!(
                    "{} invited you into the room; to enter it, type /join and its name",
                    moderator(by.as_ref())
                );
                self.emphasized(&what, for_user)
            }
            Event::Invite { by, name, on: true } => self.dim(&format!("{} invited {name}", moderator(by.as_ref()))),
            Event::Invite { by, name, on: false } => {
                self.dim(&format!("{} took the invitation of {name} back", moderator(by.as_ref())))
            }
            Event::Sanction(event) => self.emphasized(&sanction(event, at, now, for_user), for_user),
            Event::Lifted { kind, by, target } => {
                let (by, target) = (moderator(by.as_ref()), target_of(target.as_ref()));
                let text = match (kind, for_user) {
                    (SanctionKind::Ban, _) => format!("{by} lifted the ban of {target}"),
                    (SanctionKind::Mute, true) => format!("{by} lets you speak again"),
                    (SanctionKind::Mute, false) => format!("{by} let {target} speak again"),
                };
                self.emphasized(&text, for_user)
            }
            Event::Join(name) => self.dim(&format!("{name} joined")),
            Event::Leave(name, reason @ (LeaveReason::Kicked | LeaveReason::Banned), Some(text)) => {
                self.dim(&format!("{name} {} {text}", departure(*reason)))
            }
            Event::Leave(name, reason, text) => {
                let text = text.as_ref().map_or(String::new(), |text| format!(": {text}"));
                self.dim(&format!("{name} {}{text}", departure(*reason)))
            }
            Event::Rename { from, to } => self.dim(&format!("{from} is now {to}")),
            Event::Coordinator(name) => self.dim(&format!("{name} is the coordinator")),
            Event::Roster(count) => self.dim(&format!("{}:", member_count(u64::try_from(*count).unwrap_or(u64::MAX)))),
            Event::Notice(text) => self.paint(Color::Yellow.into(), &format!("the server says: {text}")),
            Event::Deleted { by, id } => self.dim(&deletion(by.as_ref(), *id, None)),
            Event::Ping(token) => self.dim(&format!("the server checks the connection: PING {token}")),
        }
    }

    /// A nickname in its colour, which depends on the name alone.
    fn name(self, name: &Name) -> String {
        // FNV-1a gives the same colour on every machine and in every version.
        let hash =
            name.key().bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
        self.paint(Color::Fixed(NAME_COLORS[hash as usize % NAME_COLORS.len()]).bold(), name.as_str())
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.color { style.paint(text).to_string() } else { text.to_owned() }
    }
}

/// Stands for the text of a deleted message.
pub(super) const DELETED: &str = "(deleted)";

/// A deletion in words, with the author of the message if the client knows it.
fn deletion(by: Option<&Name>, id: MessageId, author: Option<&Name>) -> String {
    match (by, author) {
        (Some(by), Some(author)) if author == by => format!("{by} deleted their message {}", id.0),
        (Some(by), Some(author)) => format!("{by} deleted message {} of {author}", id.0),
        (Some(by), None) => format!("{by} deleted message {}", id.0),
        // The operator at the control socket, or it is not known.
        (None, Some(author)) => format!("message {} of {author} was deleted", id.0),
        (None, None) => format!("message {} was deleted", id.0),
    }
}

/// The time of day, with the date unless it is today's.
fn time_of<Z: TimeZone<Offset: Display>>(at: Timestamp, now: &DateTime<Z>) -> Option<String> {
    let time = DateTime::from_timestamp_millis(at.0)?.with_timezone(&now.timezone());
    let format = if time.date_naive() == now.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    Some(time.format(format).to_string())
}

/// The words for the reason of a LEAVE.
fn departure(reason: LeaveReason) -> &'static str {
    match reason {
        LeaveReason::Part => "left the room",
        LeaveReason::Quit | LeaveReason::Eof => "left",
        LeaveReason::Lost => "left (connection lost)",
        LeaveReason::Slow => "was disconnected (too slow)",
        LeaveReason::Timeout => "was disconnected (silent for too long)",
        LeaveReason::Errors => "was disconnected (too many errors)",
        LeaveReason::Displaced => "was displaced (the owner of the name logged in)",
        LeaveReason::Kicked => "was removed",
        LeaveReason::Banned => "was banned",
    }
}

/// A moderator in words. `None`: the operator at the control socket.
fn moderator(by: Option<&Name>) -> &str {
    by.map_or("the operator", Name::as_str)
}

/// The effect of a lock in words.
fn has_locked(lock: RoomLock) -> &'static str {
    match lock {
        RoomLock::Open => "opened the room to everybody",
        RoomLock::Accounts => "locked the room: only accounts may enter",
        RoomLock::Invited => "locked the room: only the invited may enter",
    }
}

/// A ban or a mute in words. `at`: when it began, if that is known.
fn sanction<Z: TimeZone<Offset: Display>>(
    SanctionEvent { kind, by, target, until, reason }: &SanctionEvent,
    at: Option<Timestamp>,
    now: &DateTime<Z>,
    for_user: bool,
) -> String {
    let (by, target) = (moderator(by.as_ref()), target_of(target.as_ref()));
    let what = match (kind, for_user) {
        (SanctionKind::Ban, _) => format!("banned {target}"),
        (SanctionKind::Mute, true) => "has muted you".to_owned(),
        (SanctionKind::Mute, false) => format!("muted {target}"),
    };
    let term = until.map_or_else(String::new, |until| match at.and_then(|at| whole_duration(at, until)) {
        Some(duration) => format!(" for {duration}"),
        None => format!(" until {}", local_time(until, now)),
    });
    let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    format!("{by} {what}{term}{reason}")
}

/// The time from `at` to `until` in the largest unit that it has a whole number of, from minutes on.
fn whole_duration(at: Timestamp, until: Timestamp) -> Option<String> {
    let seconds = until.0.checked_sub(at.0)? / 1000;
    let units = [("day", 86_400), ("hour", 3600), ("minute", 60)];
    let (unit, size) = units.into_iter().find(|(_, size)| seconds >= *size && seconds % size == 0)?;
    let count = seconds / size;
    Some(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
}

/// A time in the zone of `now`, with the date unless it is today's.
fn local_time<Z: TimeZone<Offset: Display>>(at: Timestamp, now: &DateTime<Z>) -> String {
    let time = at.utc().with_timezone(&now.timezone());
    let format = if time.date_naive() == now.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    time.format(format).to_string()
}

/// The target of a ban or a mute in words.
pub(super) fn target_of(target: Option<&SanctionTarget>) -> String {
    match target {
        Some(SanctionTarget::Connection(name)) => format!("the connection of {name}"),
        Some(target) => target.to_string(),
        None => "an address".to_owned(),
    }
}

/// A ban or a mute in words, as in the list of them.
pub(super) fn listed_sanction(listed: &SanctionListing) -> String {
    let SanctionListing { id: SanctionId(number), kind, target, by, until, reason, .. } = listed;
    let (target, by) = (target_of(target.as_ref()), moderator(by.as_ref()));
    let until = until.map_or_else(String::new, |until| format!(" until {}", until.utc().format("%Y-%m-%d %H:%M UTC")));
    let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    format!("{number}: {} of {target} by {by}{until}{reason}", kind.as_str())
}

/// A listed member in words, with its times and its address if the line has them.
pub(super) fn listed_user(user: &User) -> String {
    let rank = user.rank.word().map_or_else(String::new, |rank| format!(", {rank}"));
    let line = User { rank: Rank::Member, ..user.clone() }.to_string();
    format!("{}{rank}", line.strip_prefix("USER ").unwrap_or(&line))
}

/// A number of members in words.
pub(super) fn member_count(count: u64) -> String {
    if count == 1 { "1 member".to_owned() } else { format!("{count} members") }
}

/// A room in words, as in the list of rooms.
pub(super) fn listed_room(listed: &RoomListing) -> String {
    let RoomListing { name, members, is_in, topic, lock } = listed;
    let own = if *is_in { ", you are in it" } else { "" };
    let lock = match lock {
        RoomLock::Open => "",
        RoomLock::Accounts => ", only for accounts",
        RoomLock::Invited => ", only for the invited",
    };
    let topic = topic.as_ref().map_or_else(String::new, |topic| format!(": {topic}"));
    format!("{name}, {}{own}{lock}{topic}", member_count(*members))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{ReceivedLine, ServerLine};
    use crate::protocol::PastMessage;

    fn draw(format: LineFormat, line: &str, for_user: bool) -> String {
        let received = ReceivedLine::new(line);
        let shown = match received.known {
            Some(ServerLine::Event(tag, event)) => DisplayItem::Event(tag.map(|tag| tag.at), event, for_user),
            other => panic!("{line:?}: {other:?}"),
        };
        format.format_line(&shown, &DateTime::parse_from_rfc3339("2026-11-21T01:50:00+02:00").unwrap())
    }

    #[test]
    fn events_are_drawn_as_sentences() {
        let check =
            |line: &str, expected: &str| assert_eq!(draw(LineFormat::default(), line, true), expected, "{line:?}");
        check("@12 2026-11-20T23:44:29.138Z MSG bob hi", "01:44 bob: hi");
        check("MSG bob hi", "bob: hi");
        check("@- 2026-11-20T12:44:29.138Z WHISPER bob psst", "2026-11-20 14:44 bob whispers: psst");
        check("JOIN bob", "bob joined");
        check("LEAVE bob eof", "bob left");
        check("LEAVE bob lost", "bob left (connection lost)");
        check("LEAVE bob slow", "bob was disconnected (too slow)");
        check("LEAVE bob quit tea", "bob left: tea");
        check("RENAME bob rob", "bob is now rob");
        check("COORDINATOR bob", "bob is the coordinator");
        check("DELETE - 7", "message 7 was deleted");
        check("LOCK bob invited", "bob locked the room: only the invited may enter");
        check("LOCK - open", "the operator opened the room to everybody");
        check("INVITE bob eve on", "bob invited you into the room; to enter it, type /join and its name");
        check("INVITE bob eve off", "bob took the invitation of eve back");
        check("NOTICE the server stops", "the server says: the server stops");
        check("LEAVE bob kicked by ann: too loud", "bob was removed by ann: too loud");
        check("LEAVE bob banned by the operator", "bob was banned by the operator");
        check("PING idle", "the server checks the connection: PING idle");
    }

    #[test]
    fn events_of_moderators_are_drawn_as_sentences() {
        let check = |line: &str, for_user, expected: &str| {
            assert_eq!(draw(LineFormat::default(), line, for_user), expected, "{line:?}");
        };
        let at = "@- 2026-11-20T23:44:29.138Z";
        let tagged = |rest: &str| format!("{at} {rest}");
        check(
            &tagged("MUTE ann bob until=2026-11-20T23:54:29.138Z spam"),
            true,
            "01:44 ann has muted you for 10 minutes: spam",
        );
        check(&tagged("MUTE ann bob until=2026-11-21T00:44:29.138Z"), false, "01:44 ann muted bob for 1 hour");
        check(&tagged("MUTE ann bob until=never too loud"), false, "01:44 ann muted bob: too loud");
        check(&tagged("MUTE - bob until=never"), true, "01:44 the operator has muted you");
        check(
            &tagged("BAN ann @bob until=2026-11-27T23:44:29.138Z"),
            false,
            "01:44 ann banned the connection of bob for 7 days",
        );
        check("BAN ann - until=2026-11-21T10:00:00.000Z", false, "ann banned an address until 12:00");
        check("BAN ann bob until=2026-11-23T10:00:00.000Z", false, "ann banned bob until 2026-11-23 12:00");
        check("UNMUTE ann bob", true, "ann lets you speak again");
        check("UNMUTE ann bob", false, "ann let bob speak again");
        check("UNBAN ann bob", false, "ann lifted the ban of bob");
        check("MODERATOR ann bob on", true, "ann made you a moderator");
        check("MODERATOR ann bob off", true, "ann took back your moderator rank");
        check("MODERATOR ann bob on", false, "ann made bob a moderator");
    }

    #[test]
    fn listed_user_has_its_rank() {
        let listed = |line| match ReceivedLine::new(line).known {
            Some(ServerLine::User(user)) => listed_user(&user),
            other => panic!("{line:?}: {other:?}"),
        };
        assert_eq!(listed("USER bob member"), "bob member");
        assert_eq!(listed("USER bob member rank=owner"), "bob member, owner");
        let line = "USER bob coordinator id=1 address=127.0.0.1:5 idle=2 online=3 rank=operator";
        assert_eq!(listed(line), "bob coordinator id=1 address=127.0.0.1:5 idle=2 online=3, operator");
    }

    #[test]
    fn colour_marks_text_for_the_user_and_dims_events() {
        let format = LineFormat { color: true, bell: false };
        let check = |line: &str, for_user, expected: &str| {
            assert_eq!(draw(format, line, for_user), expected, "{line:?}");
        };
        check("MSG bob hi", false, "\x1b[1;38;5;5mbob\x1b[0m: hi");
        check("MSG bob hi", true, "\x1b[1;38;5;5mbob\x1b[0m: \x1b[1mhi\x1b[0m");
        check("WHISPER bob hi", true, "\x1b[1;38;5;5mbob\x1b[0m \x1b[1;35mwhispers:\x1b[0m \x1b[1mhi\x1b[0m");
        check("JOIN bob", false, "\x1b[2mbob joined\x1b[0m");
    }

    #[test]
    fn name_colour_ignores_case() {
        let format = LineFormat { color: true, bell: false };
        let color = |raw: &str| format.name(&Name::new(raw).unwrap()).replace(raw, "");
        assert_eq!(color("alice"), color("ALICE"));
        let names = ["alice", "bob", "carol", "dave", "eve", "mallory", "trent", "peggy"];
        let colors: std::collections::BTreeSet<_> = names.into_iter().map(color).collect();
        assert!(colors.len() >= 4, "{colors:?}");
    }

    #[test]
    fn own_whisper_names_its_targets() {
        let [alice, bob, eve] = ["alice", "bob", "eve"].map(|name| Name::new(name).unwrap());
        let shown = DisplayItem::Whispered(alice, vec![bob, eve], Text::new("psst").unwrap());
        let now = DateTime::parse_from_rfc3339("2026-11-21T01:50:00+02:00").unwrap();
        assert_eq!(LineFormat::default().format_line(&shown, &now), "01:50 alice whispers to bob, eve: psst");
    }

    #[test]
    fn deleted_messages_are_drawn_without_text() {
        let now = DateTime::parse_from_rfc3339("2026-11-21T01:50:00+02:00").unwrap();
        let name = |name: &str| Name::new(name).unwrap();
        let draw = |shown: &DisplayItem| LineFormat::default().format_line(shown, &now);
        let at = Timestamp::parse("2026-11-20T23:44:29.138Z").unwrap();
        let past = |text: Option<Text>, shows_id| {
            draw(&DisplayItem::PastMessage(PastMessage { id: MessageId(7), at, name: name("bob"), text }, shows_id))
        };
        assert_eq!(past(Text::new("hi").ok(), false), "01:44 bob: hi");
        assert_eq!(past(Text::new("hi").ok(), true), "01:44 bob (7): hi");
        assert_eq!(past(None, true), "01:44 bob (7): (deleted)");
        let deleted = |by: Option<&str>, author: Option<&str>| {
            draw(&DisplayItem::Deleted(Some(at), by.map(name), MessageId(7), author.map(name)))
        };
        assert_eq!(deleted(Some("ann"), Some("bob")), "01:44 ann deleted message 7 of bob");
        assert_eq!(deleted(Some("bob"), Some("bob")), "01:44 bob deleted their message 7");
        assert_eq!(deleted(None, None), "01:44 message 7 was deleted");
    }

    #[test]
    fn bell_rings_if_enabled_and_for_the_user() {
        let format = LineFormat { color: false, bell: true };
        assert_eq!(draw(format, "MSG bob hi", true), "\x07bob: hi");
        assert_eq!(draw(format, "MSG bob hi", false), "bob: hi");
    }
}
