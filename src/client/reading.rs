//! Tracks which messages have been read, across reconnects. Passes each message on once, in order, and missed messages as the events
//! that they were. Pure; `protocol.md` (History) says why this leaves no gap.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::protocol::{
    Command, ErrorCode, Event, EventId, Field, Heard, Past, Replayed, Reply, ServerLine, Tag, Token,
};

/// The requested id belongs to another numbering of messages.
const BEGAN_ANEW: [&str; 2] = [ErrorCode::EpochChanged.as_str(), ErrorCode::IdAhead.as_str()];

/// An action for the caller. Several are carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Pass this line on.
    Heard(Heard),
    /// Report that messages are missing here.
    Missing(String),
    /// Send this command.
    Ask(Command),
    /// All earlier messages have been passed on; `false` if some may be missing.
    CaughtUp(bool),
}

/// The last message read, and the replay in progress.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Everything up to this id has been read. `None` before the first.
    last: Option<EventId>,
    /// The epoch of `last`.
    epoch: Option<Token>,
    /// How many messages from before the first connection to pass on, as `PAST`.
    before: u64,
    /// Whether the user chose `last`: then a refusal of it is passed on.
    chosen: bool,
    /// The replay in progress.
    again: Option<Again>,
}

/// A reply to `HISTORY` or `SINCE` that is not complete yet.
#[derive(Debug)]
struct Again {
    /// The epoch of the connection.
    epoch: Option<Token>,
    /// Events that arrived before the end of the reply. The messages among them are in the reply, too.
    held: Vec<Heard>,
    /// Whether it has the missed messages; otherwise, those from before the first connection.
    missed: bool,
    /// Whether no message is missing in it.
    whole: bool,
}

impl Reading {
    /// Reads from now on, after the last `before` messages.
    pub(super) fn from_now(before: u64) -> Self {
        Self { before, ..Self::default() }
    }

    /// Reads from after this id on.
    pub(super) fn since(id: EventId, epoch: Option<Token>) -> Self {
        Self { last: Some(id), epoch, chosen: true, ..Self::default() }
    }

    /// Whether a replay is in progress. No command with the same reply may be sent meanwhile.
    pub(super) fn is_catching_up(&self) -> bool {
        self.again.is_some()
    }

    /// Begins a replay on a connection with this epoch and a nickname. Returns the command to send before any other.
    pub(super) fn begin(&mut self, epoch: Option<Token>) -> Command {
        let missed = self.last.is_some();
        self.again = Some(Again { epoch, held: Vec::new(), missed, whole: missed });
        match self.last {
            Some(last) => Command::Since(last, self.epoch.clone()),
            // Requested even if no messages are wanted: the reply has the id of the last one, the start of `SINCE` after a reconnect.
            None => Command::History(self.before),
        }
    }

    /// Ends the replay because the connection is lost. Returns the events that no later replay repeats.
    pub(super) fn end(&mut self) -> impl Iterator<Item = Heard> {
        let mut held = Vec::new();
        if let Some(again) = self.again.take() {
            held = again.held;
            if !again.missed {
                // These messages follow the taking of the nickname: from the first one on, the next replay repeats them.
                let first = held.iter().find_map(id_of);
                self.last = self.last.or(first.map(|id| EventId(id.0.saturating_sub(1))));
                self.epoch = again.epoch;
            }
        }
        held.into_iter().filter(|heard| id_of(heard).is_none())
    }

    /// Handles a line from the server.
    pub(super) fn read(&mut self, heard: Heard) -> Vec<Read> {
        let Some(again) = &mut self.again else { return self.pass(heard).into_iter().collect() };
        match &heard.known {
            Some(ServerLine::Event(..)) => {
                again.held.push(heard);
                Vec::new()
            }
            Some(ServerLine::Past(past)) => {
                let past = past.clone();
                self.read_past(past, heard)
            }
            Some(ServerLine::Ok(Reply::History(Replayed { last, .. }) | Reply::Since(Replayed { last, .. }))) => {
                let (last, epoch, whole) = (*last, again.epoch.take(), again.whole);
                (self.epoch, self.chosen) = (epoch, false);
                let all = self.go_on(whole);
                self.last = self.last.max(Some(last));
                all
            }
            _ if ["ERR SINCE", "ERR HISTORY", "ERR - verb-"].iter().any(|start| heard.line.starts_with(start)) => {
                self.read_refusal(heard)
            }
            _ => vec![Read::Heard(heard)],
        }
    }

    /// Passes a line on, unless it was passed on before.
    fn pass(&mut self, heard: Heard) -> Option<Read> {
        let is_known = id_of(&heard).is_some_and(|id| self.last.is_some_and(|last| id <= last));
        let said = if let Some(ServerLine::Ok(Reply::Msg(id))) = heard.known { Some(id) } else { id_of(&heard) };
        self.last = self.last.max(said);
        (!is_known).then_some(Read::Heard(heard))
    }

    fn read_past(&mut self, past: Past, heard: Heard) -> Vec<Read> {
        let Some(mut again) = self.again.take() else { return Vec::new() };
        let (id, is_unread) = (Some(past.id), self.last.is_none_or(|last| past.id > last));
        // A message in the reply can follow an event of this connection only if it was sent on the previous one and stored late.
        let earlier = again.held.iter().rposition(|held| id_of(held).is_some_and(|held| Some(held) < id));
        let earlier = again.held.drain(..earlier.map_or(0, |at| at + 1));
        let mut all: Vec<_> = earlier.filter_map(|held| self.pass(held)).collect();
        if is_unread && !again.held.iter().any(|held| id_of(held) == id) {
            if again.missed {
                let line = ServerLine::Event(Some(Tag { id, at: past.at }), Event::Msg(past.name, past.text));
                all.push(Read::Heard(Heard { line: line.to_string(), known: Some(line) }));
            } else {
                all.push(Read::Heard(heard));
            }
            self.last = id;
        }
        self.again = Some(again);
        all
    }

    fn read_refusal(&mut self, heard: Heard) -> Vec<Read> {
        let Some(again) = &mut self.again else { return Vec::new() };
        let refusal = heard.refused().unwrap_or_default();
        let oldest = if let Some(Field::Oldest(oldest)) = refusal.field { Some(oldest) } else { None };
        let before = oldest.and_then(|oldest| oldest.0.checked_sub(1)).map(EventId);
        again.whole = false;
        let (missing, next) = match before {
            Some(before) if again.missed && Some(before) > self.last => {
                self.last = Some(before);
                let missing = format!(
                    "messages are missing here: the server no longer keeps those before id {}",
                    before.next().0
                );
                (missing, Command::Since(before, again.epoch.clone()))
            }
            _ if self.chosen => return [vec![Read::Heard(heard)], self.go_on(false)].concat(),
            _ if again.missed => {
                (again.missed, self.last, self.before) = (false, None, 0);
                let began_anew = BEGAN_ANEW.contains(&refusal.code.as_str());
                let why = if began_anew { "the server was restarted without them" } else { &refusal.what };
                let missing = format!("messages sent while you were disconnected may be missing here: {why}");
                (missing, Command::History(0))
            }
            _ => return self.go_on(false),
        };
        vec![Read::Missing(missing), Read::Ask(next)]
    }

    /// Ends the replay, and passes on the events that arrived during it.
    fn go_on(&mut self, whole: bool) -> Vec<Read> {
        let held = self.again.take().map(|again| again.held).unwrap_or_default();
        let mut all = vec![Read::CaughtUp(whole)];
        all.extend(held.into_iter().filter_map(|heard| self.pass(heard)));
        all
    }
}

/// The id of an event, if it is a message.
fn id_of(heard: &Heard) -> Option<EventId> {
    if let Some(ServerLine::Event(Some(tag), _)) = &heard.known { tag.id } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-20T12:44:29.138Z";

    fn epoch(word: &str) -> Option<Token> {
        Token::new(word).ok()
    }

    /// The actions for these lines (`T` stands for the time), one string each.
    fn read(reading: &mut Reading, lines: &[&str]) -> Vec<String> {
        let heard = lines.iter().map(|line| Heard::new(&line.replace(" T ", &format!(" {TIME} "))));
        let read: Vec<_> = heard.flat_map(|heard| reading.read(heard)).collect();
        read.into_iter().map(written).collect()
    }

    fn written(read: Read) -> String {
        match read {
            Read::Heard(heard) => heard.line.replace(TIME, "T"),
            Read::Missing(what) => format!("missing: {what}"),
            Read::Ask(command) => format!("ask: {}", command.to_line(crate::protocol::Mode::Commands)),
            Read::CaughtUp(whole) => format!("caught up: {whole}"),
        }
    }

    /// A reading up to id 5 in epoch a that begins a replay on another connection.
    fn back(now: &str) -> Reading {
        let mut reading = Reading::default();
        assert_eq!(reading.begin(epoch("a")), Command::History(0));
        assert_eq!(read(&mut reading, &["OK HISTORY 0 last=3"]), ["caught up: false"]);
        assert_eq!(read(&mut reading, &["@4 T MSG bob y", "OK MSG 5"]), ["@4 T MSG bob y", "OK MSG 5"]);
        assert_eq!(reading.end().count(), 0);
        assert_eq!(reading.begin(epoch(now)), Command::Since(EventId(5), epoch("a")));
        reading
    }

    #[test]
    fn what_is_told_twice_is_passed_on_once_in_order() {
        let check = |lines: &[&str], expected: &[&str]| assert_eq!(read(&mut back("a"), lines), expected);
        check(
            &["PAST 6 T bob z", "OK SINCE 1 last=6", "@- T JOIN eve"],
            &["@6 T MSG bob z", "caught up: true", "@- T JOIN eve"],
        );
        check(
            &[
                "@8 T MSG bob c",
                "@- T JOIN eve",
                "@- T WHISPER bob w",
                "PAST 6 T bob a",
                "PAST 8 T bob c",
                "OK SINCE 2 last=8",
            ],
            &["@6 T MSG bob a", "caught up: true", "@8 T MSG bob c", "@- T JOIN eve", "@- T WHISPER bob w"],
        );
        // An own message that was stored only after the nickname was taken back.
        check(
            &["@8 T MSG bob c", "PAST 8 T bob c", "PAST 9 T al d", "OK SINCE 2 last=9"],
            &["@8 T MSG bob c", "@9 T MSG al d", "caught up: true"],
        );
        check(&["PAST 5 T bob a", "PAST 6 T bob b", "PAST 6 T bob b"], &["@6 T MSG bob b"]);
        check(&["OK SINCE 0 last=5", "@5 T MSG bob y", "@6 T MSG bob z"], &["caught up: true", "@6 T MSG bob z"]);
    }

    #[test]
    fn it_breaks_anywhere_and_goes_on_from_there() {
        let mut reading = back("a");
        let lines = ["@8 T MSG bob c", "@- T WHISPER bob w", "PAST 6 T bob a", "PAST 7 T bob b"];
        assert_eq!(read(&mut reading, &lines), ["@6 T MSG bob a", "@7 T MSG bob b"]);
        let held: Vec<_> = reading.end().map(Read::Heard).map(written).collect();
        assert_eq!(held, ["@- T WHISPER bob w"], "no replay repeats it");
        assert_eq!(reading.begin(epoch("a")), Command::Since(EventId(7), epoch("a")));
        assert_eq!(read(&mut reading, &["PAST 8 T bob c", "OK SINCE 1 last=8"]), ["@8 T MSG bob c", "caught up: true"]);
        // A message that was passed on before the end of the reply is not passed on again.
        let mut reading = back("a");
        let lines = ["@6 T MSG bob a", "@7 T MSG bob b", "PAST 6 T bob a", "PAST 7 T bob b"];
        assert_eq!(read(&mut reading, &lines), ["@6 T MSG bob a"]);
        assert_eq!(reading.end().count(), 0);
        assert_eq!(reading.begin(epoch("a")), Command::Since(EventId(6), epoch("a")));
    }

    #[test]
    fn it_breaks_before_the_first_reply_and_misses_nothing() {
        let check = |lines: &[&str], passed: &[&str], last| {
            let mut reading = Reading::default();
            assert_eq!(reading.begin(epoch("a")), Command::History(0));
            assert_eq!(read(&mut reading, lines), [""; 0]);
            assert_eq!(reading.end().map(Read::Heard).map(written).collect::<Vec<_>>(), passed);
            assert_eq!(reading.begin(epoch("a")), Command::Since(EventId(last), epoch("a")), "{lines:?}");
        };
        check(&["@- T WHISPER bob w", "@8 T MSG bob c", "@9 T MSG bob d"], &["@- T WHISPER bob w"], 7);
        check(&["@8 T MSG bob c"], &[], 7);
    }

    #[test]
    fn what_is_missing_is_said() {
        let anew = "missing: messages sent while you were disconnected may be missing here: the server was restarted without them";
        let mut reading = back("b");
        let lines = ["@2 T MSG bob q", "ERR SINCE epoch-changed the epoch is b", "OK HISTORY 0 last=2"];
        assert_eq!(read(&mut reading, &lines), [anew, "ask: HISTORY 0", "caught up: false", "@2 T MSG bob q"]);
        assert_eq!(reading.begin(epoch("b")), Command::Since(EventId(2), epoch("b")));

        let mut reading = back("a");
        let old = "missing: messages are missing here: the server no longer keeps those before id 9";
        let lines = ["ERR SINCE too-old 9 is the oldest", "PAST 9 T bob z", "OK SINCE 1 last=9"];
        assert_eq!(read(&mut reading, &lines), [old, "ask: SINCE 8 a", "@9 T MSG bob z", "caught up: false"]);

        // A server that repeats the refusal gets no endless requests.
        let lines = ["ERR SINCE too-old 9 is the oldest", "ERR SINCE too-old 9 is the oldest", "ERR HISTORY x y"];
        let again = "missing: messages sent while you were disconnected may be missing here: 9 is the oldest";
        assert_eq!(read(&mut back("a"), &lines), [old, "ask: SINCE 8 a", again, "ask: HISTORY 0", "caught up: false"]);
    }

    #[test]
    fn an_id_that_the_user_chose_is_refused_to_the_user() {
        let mut reading = Reading::since(EventId(7), epoch("a"));
        assert_eq!(reading.begin(epoch("b")), Command::Since(EventId(7), epoch("a")));
        let refusal = "ERR SINCE epoch-changed the epoch is b";
        assert_eq!(read(&mut reading, &[refusal]), [refusal, "caught up: false"]);
    }

    #[test]
    fn what_was_said_before_is_passed_on_as_such() {
        let mut reading = Reading::from_now(20);
        assert_eq!(reading.begin(None), Command::History(20));
        let lines = ["@4 T MSG bob b", "PAST 3 T bob a", "PAST 4 T bob b", "OK HISTORY 2 last=4"];
        assert_eq!(read(&mut reading, &lines), ["PAST 3 T bob a", "caught up: false", "@4 T MSG bob b"]);
    }
}
