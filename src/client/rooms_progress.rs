//! Tracks which messages have been read in each of the session's rooms, across reconnects. Pure. [`ReadProgress`] does so for one room;
//! this module passes each line to its room, follows the session into and out of rooms, and enters them again on a new connection.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::collections::VecDeque;

use super::own_rooms::OwnRooms;
use super::read_progress::{ReadAction, ReadProgress};
use super::refusal::explain;
use crate::command::{Command, Join, ReceivedLine, Reply, ServerLine};
use crate::protocol::{ErrorCode, Event, LeaveReason, Name, RoomName, Token};

/// An action for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RoomsAction {
    /// An action of the progress in this room.
    InRoom(RoomName, ReadAction),
    /// The session is no longer in this room; the reason.
    Lost(RoomName, String),
    /// All replays have ended.
    Ready,
}

/// How a session is in its rooms at the start of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// It has entered its home, which has this epoch. It enters its other rooms with `JOIN`, if the server has rooms.
    Home { epoch: Option<Token>, has_rooms: bool },
    /// It has been resumed, and is in all its rooms, whose epochs are the same as before.
    Resumed,
}

/// The progress in each room.
#[derive(Debug)]
pub(super) struct RoomsProgress {
    rooms: OwnRooms<ReadProgress>,
    /// The number of earlier messages to read of each room that the user enters.
    past_count: u64,
    /// The rooms for which a `JOIN` of the client itself has no reply yet, in the order in which they were sent.
    joining: VecDeque<RoomName>,
}

impl RoomsProgress {
    /// Reads the last `past_count` messages of each room, and then new ones.
    pub(super) fn from_now(home: RoomName, past_count: u64) -> Self {
        Self { rooms: OwnRooms::new(home, ReadProgress::from_now(past_count)), past_count, joining: VecDeque::new() }
    }

    /// Reads one room.
    pub(super) fn of_one(room: RoomName, progress: ReadProgress) -> Self {
        Self { rooms: OwnRooms::new(room, progress), past_count: 0, joining: VecDeque::new() }
    }

    /// The room whose lines name no room.
    pub(super) fn home(&self) -> &RoomName {
        self.rooms.home()
    }

    /// Whether a replay is in progress. The caller must not send a command with the same reply meanwhile.
    pub(super) fn is_catching_up(&self) -> bool {
        !self.joining.is_empty() || self.rooms.iter().any(|(_, progress)| progress.is_catching_up())
    }

    /// The room with which a line about `room` begins.
    pub(super) fn prefix_of<'a>(&self, room: &'a RoomName) -> Option<&'a RoomName> {
        self.rooms.prefix_of(room)
    }

    /// Begins the replays on a new connection.
    pub(super) fn begin(&mut self, entry: &Entry) -> Vec<RoomsAction> {
        let send = |room: &RoomName, command| RoomsAction::InRoom(room.clone(), ReadAction::Send(command));
        let Entry::Home { epoch, has_rooms } = entry else {
            return self.rooms.iter_mut().map(|(room, progress)| send(room, progress.begin_again())).collect();
        };
        let home = self.rooms.home().clone();
        if !self.rooms.contains(&home) {
            self.rooms.insert(home.clone(), ReadProgress::from_now(0));
        }
        let others: Vec<_> = self.rooms.iter().map(|(room, _)| room.clone()).skip(1).collect();
        let begun = self.rooms.get_mut(&home).map(|progress| send(&home, progress.begin(epoch.clone())));
        let enter = |room: RoomName| {
            if *has_rooms {
                self.joining.push_back(room.clone());
                send(&home, Join(vec![room]).into())
            } else {
                self.rooms.remove(&room);
                RoomsAction::Lost(room, "the server has only one room".to_owned())
            }
        };
        begun.into_iter().chain(others.into_iter().map(enter)).collect()
    }

    /// Ends the replays because the connection is lost. Returns the deferred events that no later replay repeats.
    pub(super) fn end(&mut self) -> Vec<ReceivedLine> {
        self.joining.clear();
        self.rooms.iter_mut().flat_map(|(_, progress)| progress.end()).collect()
    }

    /// The session was removed from the room of a line.
    pub(super) fn leave(&mut self, room: Option<&RoomName>) {
        let room = self.rooms.of_line(room).clone();
        self.rooms.remove(&room);
    }

    /// Handles a line from the server.
    pub(super) fn receive(&mut self, received: ReceivedLine) -> Vec<RoomsAction> {
        let was_catching_up = self.is_catching_up();
        let mut actions = self.receive_line(received);
        if was_catching_up && !self.is_catching_up() {
            // Before the deferred events of the room, like the end of its replay.
            let is_end = |action: &RoomsAction| matches!(action, RoomsAction::InRoom(_, ReadAction::CaughtUp(_)));
            let at = actions.iter().position(is_end).map_or(actions.len(), |at| at + 1);
            actions.insert(at, RoomsAction::Ready);
        }
        actions
    }

    fn receive_line(&mut self, received: ReceivedLine) -> Vec<RoomsAction> {
        let room = self.rooms.of_line(received.room.as_ref()).clone();
        match &received.known {
            _ if !self.joining.is_empty() && is_reply_to_join(&received) => self.receive_join(&received),
            Some(ServerLine::Ok(Reply::Join(entered))) => {
                let mut actions = Vec::new();
                for entered in entered {
                    let progress = ReadProgress::from_now(self.past_count).entered_at(entered.last);
                    if !self.rooms.contains(&entered.room) && self.rooms.insert(entered.room.clone(), progress) {
                        actions.extend(self.begin_in(&entered.room, entered.epoch.clone()));
                    }
                }
                actions.push(RoomsAction::InRoom(room, ReadAction::Line(received)));
                actions
            }
            Some(ServerLine::Ok(Reply::Part(left))) => {
                self.rooms.remove(left);
                vec![RoomsAction::InRoom(room, ReadAction::Line(received))]
            }
            _ => self.receive_in(room, received),
        }
    }

    /// Passes a line to its room.
    fn receive_in(&mut self, room: RoomName, received: ReceivedLine) -> Vec<RoomsAction> {
        let Some(progress) = self.rooms.get_mut(&room) else {
            return vec![RoomsAction::InRoom(room, ReadAction::Line(received))];
        };
        let code = received.refusal().map(|refusal| refusal.code);
        if progress.is_catching_up() && code.as_deref() == Some(ErrorCode::NotInRoom.as_str()) {
            // A `PART` whose reply was lost.
            self.rooms.remove(&room);
            return vec![RoomsAction::Lost(room, "you left it".to_owned())];
        }
        let actions = progress.receive(received).into_iter();
        actions.map(|action| RoomsAction::InRoom(room.clone(), action)).collect()
    }

    /// Handles the reply to a `JOIN` of the client itself.
    fn receive_join(&mut self, received: &ReceivedLine) -> Vec<RoomsAction> {
        let Some(room) = self.joining.pop_front() else { return Vec::new() };
        if let Some(ServerLine::Ok(Reply::Join(entered))) = &received.known
            && let Some(entered) = entered.first()
        {
            return self.begin_in(&room, entered.epoch.clone()).into_iter().collect();
        }
        self.rooms.remove(&room);
        let why = received.refusal().map_or_else(|| received.line.clone(), |refusal| explain(&refusal));
        vec![RoomsAction::Lost(room, why)]
    }

    /// Begins the replay in a room that the session has entered.
    fn begin_in(&mut self, room: &RoomName, epoch: Option<Token>) -> Option<RoomsAction> {
        let command: Command = self.rooms.get_mut(room)?.begin(epoch);
        Some(RoomsAction::InRoom(room.clone(), ReadAction::Send(command)))
    }
}

fn is_reply_to_join(received: &ReceivedLine) -> bool {
    ["OK JOIN ", "ERR JOIN "].iter().any(|start| received.words().starts_with(start))
}

/// Whether the line says that the owner of the nickname `own` has logged in, and the session has no nickname any more.
pub(super) fn is_displacement(received: &ReceivedLine, own: Option<&Name>) -> bool {
    // To the other members, the line has no text.
    match &received.known {
        Some(ServerLine::Event(_, Event::Leave(name, LeaveReason::Displaced, Some(_)))) => {
            received.room.is_none() && own.is_some_and(|own| own.key() == name.key())
        }
        _ => false,
    }
}

/// The room of the line, if it says that a moderator has removed the member `own` from it; and what happened, by whom, and why.
pub(super) fn removal<'a>(received: &'a ReceivedLine, own: Option<&Name>) -> Option<(Option<&'a RoomName>, String)> {
    let Some(ServerLine::Event(_, Event::Leave(name, reason, Some(by)))) = &received.known else { return None };
    let what = match reason {
        LeaveReason::Kicked => "removed",
        LeaveReason::Banned => "banned",
        _ => return None,
    };
    own.is_some_and(|own| own.key() == name.key()).then(|| (received.room.as_ref(), format!("you were {what} {by}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-20T12:44:29.138Z";

    fn home(epoch: &str) -> Entry {
        Entry::Home { epoch: Token::new(epoch).ok(), has_rooms: true }
    }

    fn written(actions: Vec<RoomsAction>) -> Vec<String> {
        let write = |action| match action {
            RoomsAction::InRoom(_, ReadAction::Line(received)) => received.line.replace(TIME, "T"),
            RoomsAction::InRoom(room, ReadAction::Gap(what)) => format!("missing in {room}: {what}"),
            RoomsAction::InRoom(room, ReadAction::Send(command)) => {
                format!("send in {room}: {}", command.to_line(crate::protocol::Mode::Commands))
            }
            RoomsAction::InRoom(room, ReadAction::CaughtUp(is_complete)) => {
                format!("caught up in {room}: {is_complete}")
            }
            RoomsAction::Lost(room, why) => format!("lost {room}: {why}"),
            RoomsAction::Ready => "ready".to_owned(),
        };
        actions.into_iter().map(write).collect()
    }

    /// The actions for these lines (`T` stands for the time), one string each.
    fn read(progress: &mut RoomsProgress, lines: &[&str]) -> Vec<String> {
        let received = lines.iter().map(|line| ReceivedLine::new(&line.replace(" T ", &format!(" {TIME} "))));
        written(received.flat_map(|received| progress.receive(received)).collect())
    }

    /// In #lobby, up to id 5 in epoch `a`, and in #ops, up to id 7 in epoch `b`.
    fn in_two_rooms() -> RoomsProgress {
        let mut progress = RoomsProgress::from_now(RoomName::lobby(), 20);
        assert_eq!(written(progress.begin(&home("a"))), ["send in #lobby: HISTORY 20"]);
        assert_eq!(read(&mut progress, &["OK HISTORY 0 last=5"]), ["caught up in #lobby: false", "ready"]);
        let join = "OK JOIN #ops epoch=b last=7";
        assert_eq!(read(&mut progress, &[join]), ["send in #ops: HISTORY 20", join]);
        assert!(progress.is_catching_up());
        let lines = ["#ops PAST 7 T eve x", "MSG bob hi", "@8 T #ops MSG eve y", "#ops OK HISTORY 1 last=7"];
        let expected =
            ["#ops PAST 7 T eve x", "MSG bob hi", "caught up in #ops: false", "ready", "@8 T #ops MSG eve y"];
        assert_eq!(read(&mut progress, &lines), expected, "the home goes on meanwhile");
        assert!(!progress.is_catching_up());
        progress
    }

    #[test]
    fn resumed_session_catches_up_in_each_room() {
        let mut progress = in_two_rooms();
        assert!(progress.end().is_empty());
        let sent = written(progress.begin(&Entry::Resumed));
        assert_eq!(sent, ["send in #lobby: SINCE 5 a", "send in #ops: SINCE 8 b"]);
        let lines = ["@9 T #ops MSG eve z", "#ops PAST 9 T eve z", "PAST 6 T bob q", "OK SINCE 1 last=6"];
        assert_eq!(read(&mut progress, &lines), ["@6 T MSG bob q", "caught up in #lobby: true"]);
        let lines = ["#ops OK SINCE 1 last=9", "@9 T #ops MSG eve z"];
        assert_eq!(read(&mut progress, &lines), ["caught up in #ops: true", "ready", "@9 T #ops MSG eve z"]);
    }

    /// The user has read that the session is in the room: no later message may be missing.
    #[test]
    fn connection_lost_before_the_first_replay_loses_no_message_after_the_entry() {
        let mut progress = RoomsProgress::from_now(RoomName::lobby(), 0);
        progress.begin(&home("a"));
        read(&mut progress, &["OK HISTORY 0 last=5", "OK JOIN #ops epoch=b last=7"]);
        assert!(progress.end().is_empty());
        assert_eq!(written(progress.begin(&Entry::Resumed))[1], "send in #ops: SINCE 7 b");
    }

    #[test]
    fn new_session_enters_rooms_again() {
        let mut progress = in_two_rooms();
        read(&mut progress, &["OK JOIN #dev epoch=c last=0", "#dev OK HISTORY 0 last=0"]);
        assert!(progress.end().is_empty());
        let sent = written(progress.begin(&home("a2")));
        assert_eq!(sent, ["send in #lobby: SINCE 5 a", "send in #lobby: JOIN #dev", "send in #lobby: JOIN #ops"]);
        assert_eq!(read(&mut progress, &["OK SINCE 0 last=5"]), ["caught up in #lobby: true"]);
        let lines = ["ERR JOIN rooms-full the server has too many rooms", "OK JOIN #ops epoch=b2 last=1"];
        let expected = ["lost #dev: the server has too many rooms", "send in #ops: SINCE 8 b"];
        assert_eq!(read(&mut progress, &lines), expected);
        let missing = "missing in #ops: messages sent while you were disconnected may be missing here: \
                       the server no longer has them";
        let lines = ["#ops ERR SINCE epoch-changed the epoch is b2", "#ops OK HISTORY 0 last=1"];
        let expected = [missing, "send in #ops: HISTORY 0", "caught up in #ops: false", "ready"];
        assert_eq!(read(&mut progress, &lines), expected);
        assert_eq!(read(&mut progress, &["@1 T #dev MSG eve hi"]), ["@1 T #dev MSG eve hi"], "it is not in this room");
        progress.end().clear();
        assert_eq!(written(progress.begin(&Entry::Resumed))[1], "send in #ops: SINCE 1 b2");
    }

    #[test]
    fn server_without_rooms_loses_them() {
        let mut progress = in_two_rooms();
        progress.end().clear();
        let sent = written(progress.begin(&Entry::Home { epoch: Token::new("a").ok(), has_rooms: false }));
        assert_eq!(sent, ["send in #lobby: SINCE 5 a", "lost #ops: the server has only one room"]);
    }

    #[test]
    fn parted_room_is_not_entered_again() {
        let mut progress = in_two_rooms();
        assert_eq!(read(&mut progress, &["OK PART #OPS", "OK PART #lobby"]), ["OK PART #OPS", "OK PART #lobby"]);
        progress.end().clear();
        assert_eq!(written(progress.begin(&Entry::Resumed)), [""; 0]);
        progress.end().clear();
        // `NICK` enters the home in any case.
        assert_eq!(written(progress.begin(&home("a"))), ["send in #lobby: HISTORY 0"]);
    }

    /// The reply to `PART` was lost with the connection.
    #[test]
    fn room_left_meanwhile_is_lost() {
        let mut progress = in_two_rooms();
        progress.end().clear();
        progress.begin(&Entry::Resumed);
        let lines = ["OK SINCE 0 last=5", "#ops ERR SINCE not-in-room you are not in #ops"];
        let expected = ["caught up in #lobby: true", "lost #ops: you left it", "ready"];
        assert_eq!(read(&mut progress, &lines), expected);
    }
}
