//! Tracks which messages have been read, across reconnects: passes each message on once and in order, and turns missed messages back into
//! events. Pure; `protocol.md` (History) explains why no message is missed.
//!
//! After each connect, the caller sends the command that [`ReadProgress::begin`] returns, passes every line to [`ReadProgress::receive`],
//! and carries out the actions. When the connection is lost, it calls [`ReadProgress::end`].
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use crate::command::{Command, History, HistoryReply, ReceivedLine, Reply, ServerLine, Since};
use crate::protocol::{ErrorCode, ErrorField, Event, MessageId, PastMessage, Tag, Token};

/// The codes of a server with another numbering of messages.
const OTHER_EPOCH: [&str; 2] = [ErrorCode::EpochChanged.as_str(), ErrorCode::IdAhead.as_str()];

/// An action for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReadAction {
    /// Pass this line to the user.
    Line(ReceivedLine),
    /// Report missing messages to the user, at this place.
    Gap(String),
    /// Send this command.
    Send(Command),
    /// The replay has ended; `false` if messages may be missing in it.
    CaughtUp(bool),
}

/// The last message read, and the replay in progress.
#[derive(Debug, Default)]
pub(super) struct ReadProgress {
    /// Everything up to this id has been read. `None` before the first.
    last: Option<MessageId>,
    /// The epoch of `last`.
    epoch: Option<Token>,
    /// The epoch of the room on the last connection.
    current_epoch: Option<Token>,
    /// The number of messages from before the first connection to pass on, as `PAST`.
    past_count: u64,
    /// The newest message when the session entered the room, if the server said so.
    at_entry: Option<MessageId>,
    /// Whether the user chose `last`. If so, its refusal is passed on.
    is_user_chosen: bool,
    /// The replay in progress.
    replay: Option<Replay>,
}

/// A reply to `HISTORY` or `SINCE` that is not complete yet.
#[derive(Debug)]
struct Replay {
    /// Events that arrived before the end of the reply. The reply repeats the messages among them.
    deferred: Vec<ReceivedLine>,
    /// Whether the reply has missed messages; otherwise, it has messages from before the first connection.
    has_missed: bool,
    /// Whether no message is missing in the reply.
    is_complete: bool,
}

impl ReadProgress {
    /// Reads the last `past_count` messages, and then new ones.
    pub(super) fn from_now(past_count: u64) -> Self {
        Self { past_count, ..Self::default() }
    }

    /// The room's newest message has this id when the session enters it. If the connection is lost before the reply to the first command,
    /// the next replay has all messages since.
    pub(super) fn entered_at(self, newest: MessageId) -> Self {
        Self { at_entry: Some(newest), ..self }
    }

    /// Reads the messages after this id, and then new ones.
    pub(super) fn since(id: MessageId, epoch: Option<Token>) -> Self {
        Self { last: Some(id), epoch, is_user_chosen: true, ..Self::default() }
    }

    /// Whether a replay is in progress. The caller must not send a command with the same reply meanwhile.
    pub(super) fn is_catching_up(&self) -> bool {
        self.replay.is_some()
    }

    /// Begins a replay after entering the room, which has this epoch. Returns the command to send before any other about the room.
    pub(super) fn begin(&mut self, epoch: Option<Token>) -> Command {
        self.current_epoch = epoch;
        self.begin_again()
    }

    /// Begins a replay in the epoch of the previous one.
    pub(super) fn begin_again(&mut self) -> Command {
        let has_missed = self.last.is_some();
        self.replay = Some(Replay { deferred: Vec::new(), has_missed, is_complete: has_missed });
        match self.last {
            Some(last) => Since { after: last, epoch: self.epoch.clone() }.into(),
            // Sent even if the count is 0: the reply has the id of the last message, from which `SINCE` reads on after a reconnect.
            None => History(self.past_count).into(),
        }
    }

    /// Ends the replay because the connection is lost. Returns the deferred events that no later replay repeats.
    pub(super) fn end(&mut self) -> impl Iterator<Item = ReceivedLine> {
        let mut deferred = Vec::new();
        if let Some(replay) = self.replay.take() {
            deferred = replay.deferred;
            if !replay.has_missed {
                // The next replay must repeat the deferred messages: read on from before the first of them.
                let first = deferred.iter().find_map(id_of);
                self.last = self.last.or(first.map(|id| MessageId(id.0.saturating_sub(1)))).or(self.at_entry);
                self.epoch = self.current_epoch.clone();
            }
        }
        deferred.into_iter().filter(|received| id_of(received).is_none())
    }

    /// Handles a line from the server.
    pub(super) fn receive(&mut self, received: ReceivedLine) -> Vec<ReadAction> {
        let Some(replay) = &mut self.replay else { return self.pass_on(received).into_iter().collect() };
        match &received.known {
            Some(ServerLine::Event(..)) => {
                replay.deferred.push(received);
                Vec::new()
            }
            Some(ServerLine::PastMessage(past)) => {
                let past = past.clone();
                self.receive_past(past, received)
            }
            Some(ServerLine::Ok(
                Reply::History(HistoryReply { last, .. }) | Reply::Since(HistoryReply { last, .. }),
            )) => {
                let (last, is_complete) = (*last, replay.is_complete);
                (self.epoch, self.is_user_chosen) = (self.current_epoch.clone(), false);
                let all = self.end_replay(is_complete);
                self.last = self.last.max(Some(last));
                all
            }
            _ if ["ERR SINCE", "ERR HISTORY", "ERR - verb-"]
                .iter()
                .any(|start| received.words().starts_with(start)) =>
            {
                self.receive_refusal(received)
            }
            _ => vec![ReadAction::Line(received)],
        }
    }

    /// Passes a line on, unless it is a message that was passed on before.
    fn pass_on(&mut self, received: ReceivedLine) -> Option<ReadAction> {
        let is_known = id_of(&received).is_some_and(|id| self.last.is_some_and(|last| id <= last));
        let id = if let Some(ServerLine::Ok(Reply::Msg(id))) = received.known { Some(id) } else { id_of(&received) };
        self.last = self.last.max(id);
        (!is_known).then_some(ReadAction::Line(received))
    }

    fn receive_past(&mut self, past: PastMessage, received: ReceivedLine) -> Vec<ReadAction> {
        let Some(mut replay) = self.replay.take() else { return Vec::new() };
        let (id, is_unread) = (Some(past.id), self.last.is_none_or(|last| past.id > last));
        // Usually, all messages of the reply precede the events. A message sent on the previous connection may have been stored only after
        // some of them.
        let earlier =
            replay.deferred.iter().rposition(|deferred| id_of(deferred).is_some_and(|deferred| Some(deferred) < id));
        let earlier = replay.deferred.drain(..earlier.map_or(0, |at| at + 1));
        let mut all: Vec<_> = earlier.filter_map(|deferred| self.pass_on(deferred)).collect();
        if is_unread && !replay.deferred.iter().any(|deferred| id_of(deferred) == id) {
            match past.text {
                Some(text) if replay.has_missed => {
                    let (tag, event) = (Tag { id, at: past.at }, Event::Msg(past.name, text));
                    all.push(ReadAction::Line(ReceivedLine::of_event(received.room, tag, event)));
                }
                _ => all.push(ReadAction::Line(received)),
            }
            self.last = id;
        }
        self.replay = Some(replay);
        all
    }

    fn receive_refusal(&mut self, received: ReceivedLine) -> Vec<ReadAction> {
        let Some(replay) = &mut self.replay else { return Vec::new() };
        let refusal = received.refusal().unwrap_or_default();
        let oldest = if let Some(ErrorField::Oldest(oldest)) = refusal.field { Some(oldest) } else { None };
        let before = oldest.and_then(|oldest| oldest.0.checked_sub(1)).map(MessageId);
        replay.is_complete = false;
        let (missing, next) = match before {
            Some(before) if replay.has_missed && Some(before) > self.last => {
                self.last = Some(before);
                let missing = format!("messages are missing here: the server keeps none before id {}", before.next().0);
                (missing, Since { after: before, epoch: self.current_epoch.clone() }.into())
            }
            _ if self.is_user_chosen => return [vec![ReadAction::Line(received)], self.end_replay(false)].concat(),
            _ if replay.has_missed => {
                (replay.has_missed, self.last, self.past_count) = (false, None, 0);
                let is_other_epoch = OTHER_EPOCH.contains(&refusal.code.as_str());
                let why = if is_other_epoch { "the server no longer has them" } else { &refusal.problem };
                let missing = format!("messages sent while you were disconnected may be missing here: {why}");
                (missing, History(0).into())
            }
            _ => return self.end_replay(false),
        };
        vec![ReadAction::Gap(missing), ReadAction::Send(next)]
    }

    /// Ends the replay, and passes on the deferred events.
    fn end_replay(&mut self, is_complete: bool) -> Vec<ReadAction> {
        let deferred = self.replay.take().map(|replay| replay.deferred).unwrap_or_default();
        let mut all = vec![ReadAction::CaughtUp(is_complete)];
        all.extend(deferred.into_iter().filter_map(|received| self.pass_on(received)));
        all
    }
}

/// The id of a message that arrived as an event.
fn id_of(received: &ReceivedLine) -> Option<MessageId> {
    if let Some(ServerLine::Event(Some(tag), _)) = &received.known { tag.id } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-20T12:44:29.138Z";

    fn since(after: MessageId, epoch: Option<Token>) -> Command {
        Since { after, epoch }.into()
    }

    fn epoch(word: &str) -> Option<Token> {
        Token::new(word).ok()
    }

    /// The actions for these lines (`T` stands for the time), one string each.
    fn read(progress: &mut ReadProgress, lines: &[&str]) -> Vec<String> {
        let received = lines.iter().map(|line| ReceivedLine::new(&line.replace(" T ", &format!(" {TIME} "))));
        let read: Vec<_> = received.flat_map(|received| progress.receive(received)).collect();
        read.into_iter().map(written).collect()
    }

    fn written(read: ReadAction) -> String {
        match read {
            ReadAction::Line(received) => received.line.replace(TIME, "T"),
            ReadAction::Gap(what) => format!("missing: {what}"),
            ReadAction::Send(command) => format!("ask: {}", command.to_line(crate::protocol::Mode::Commands)),
            ReadAction::CaughtUp(is_complete) => format!("caught up: {is_complete}"),
        }
    }

    /// Progress up to id 5 in epoch `a`, with a replay begun on another connection in the epoch `now`.
    fn back(now: &str) -> ReadProgress {
        let mut progress = ReadProgress::default();
        assert_eq!(progress.begin(epoch("a")), History(0).into());
        assert_eq!(read(&mut progress, &["OK HISTORY 0 last=3"]), ["caught up: false"]);
        assert_eq!(read(&mut progress, &["@4 T MSG bob y", "OK MSG 5"]), ["@4 T MSG bob y", "OK MSG 5"]);
        assert_eq!(progress.end().count(), 0);
        assert_eq!(progress.begin(epoch(now)), since(MessageId(5), epoch("a")));
        progress
    }

    #[test]
    fn replay_passes_each_message_on_once_in_order() {
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
        // An own message that was stored only after the client had taken its nickname again.
        check(
            &["@8 T MSG bob c", "PAST 8 T bob c", "PAST 9 T al d", "OK SINCE 2 last=9"],
            &["@8 T MSG bob c", "@9 T MSG al d", "caught up: true"],
        );
        check(&["PAST 5 T bob a", "PAST 6 T bob b", "PAST 6 T bob b"], &["@6 T MSG bob b"]);
        check(&["OK SINCE 0 last=5", "@5 T MSG bob y", "@6 T MSG bob z"], &["caught up: true", "@6 T MSG bob z"]);
    }

    #[test]
    fn replay_resumes_after_a_lost_connection() {
        let mut progress = back("a");
        let lines = ["@8 T MSG bob c", "@- T WHISPER bob w", "PAST 6 T bob a", "PAST 7 T bob b"];
        assert_eq!(read(&mut progress, &lines), ["@6 T MSG bob a", "@7 T MSG bob b"]);
        let deferred: Vec<_> = progress.end().map(ReadAction::Line).map(written).collect();
        assert_eq!(deferred, ["@- T WHISPER bob w"], "no replay repeats it");
        assert_eq!(progress.begin(epoch("a")), since(MessageId(7), epoch("a")));
        assert_eq!(
            read(&mut progress, &["PAST 8 T bob c", "OK SINCE 1 last=8"]),
            ["@8 T MSG bob c", "caught up: true"]
        );
        // A message passed on before the connection was lost is not passed on again.
        let mut progress = back("a");
        let lines = ["@6 T MSG bob a", "@7 T MSG bob b", "PAST 6 T bob a", "PAST 7 T bob b"];
        assert_eq!(read(&mut progress, &lines), ["@6 T MSG bob a"]);
        assert_eq!(progress.end().count(), 0);
        assert_eq!(progress.begin(epoch("a")), since(MessageId(6), epoch("a")));
    }

    #[test]
    fn loss_before_the_first_reply_leaves_no_gap() {
        let check = |lines: &[&str], passed: &[&str], last| {
            let mut progress = ReadProgress::default();
            assert_eq!(progress.begin(epoch("a")), History(0).into());
            assert_eq!(read(&mut progress, lines), [""; 0]);
            assert_eq!(progress.end().map(ReadAction::Line).map(written).collect::<Vec<_>>(), passed);
            assert_eq!(progress.begin(epoch("a")), since(MessageId(last), epoch("a")), "{lines:?}");
        };
        check(&["@- T WHISPER bob w", "@8 T MSG bob c", "@9 T MSG bob d"], &["@- T WHISPER bob w"], 7);
        check(&["@8 T MSG bob c"], &[], 7);
    }

    #[test]
    fn missing_messages_are_reported() {
        let restarted =
            "missing: messages sent while you were disconnected may be missing here: the server no longer has them";
        let mut progress = back("b");
        let lines = ["@2 T MSG bob q", "ERR SINCE epoch-changed the epoch is b", "OK HISTORY 0 last=2"];
        assert_eq!(read(&mut progress, &lines), [restarted, "ask: HISTORY 0", "caught up: false", "@2 T MSG bob q"]);
        assert_eq!(progress.begin(epoch("b")), since(MessageId(2), epoch("b")));

        let mut progress = back("a");
        let old = "missing: messages are missing here: the server keeps none before id 9";
        let lines = ["ERR SINCE too-old 9 is the oldest", "PAST 9 T bob z", "OK SINCE 1 last=9"];
        assert_eq!(read(&mut progress, &lines), [old, "ask: SINCE 8 a", "@9 T MSG bob z", "caught up: false"]);

        // If the server repeats the refusal, the requests stop.
        let lines = ["ERR SINCE too-old 9 is the oldest", "ERR SINCE too-old 9 is the oldest", "ERR HISTORY x y"];
        let again = "missing: messages sent while you were disconnected may be missing here: 9 is the oldest";
        assert_eq!(read(&mut back("a"), &lines), [old, "ask: SINCE 8 a", again, "ask: HISTORY 0", "caught up: false"]);
    }

    #[test]
    fn refusal_of_a_chosen_id_is_passed_on() {
        let mut progress = ReadProgress::since(MessageId(7), epoch("a"));
        assert_eq!(progress.begin(epoch("b")), since(MessageId(7), epoch("a")));
        let refusal = "ERR SINCE epoch-changed the epoch is b";
        assert_eq!(read(&mut progress, &[refusal]), [refusal, "caught up: false"]);
    }

    #[test]
    fn history_reply_is_passed_on_as_past() {
        let mut progress = ReadProgress::from_now(20);
        assert_eq!(progress.begin(None), History(20).into());
        let lines = ["@4 T MSG bob b", "PAST 3 T bob a", "PAST 4 T bob b", "OK HISTORY 2 last=4"];
        assert_eq!(read(&mut progress, &lines), ["PAST 3 T bob a", "caught up: false", "@4 T MSG bob b"]);
    }
}
