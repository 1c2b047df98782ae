//! The hub's end of the feed: renders events, appends and evicts segments, and wakes the followers ([`Publisher`]).

use std::collections::VecDeque;
use std::mem;
use std::num::NonZeroU64;
use std::sync::Arc;

use smallvec::SmallVec;

use super::log::{Log, LogEntry};
use super::memory_file::MemoryFile;
use super::rendered::RenderBuffer;
use super::{Feed, LogId, Mailbox, Position, Turn};
use crate::limits::{
    RENDER_BYTES_KEPT, SEGMENT_BYTES_MAX, SEGMENT_SHARE, SENDFILE_BYTES_MIN, SENDFILE_READERS_MIN, SENDFILE_SHARE,
};
use crate::protocol::{Dialect, Event, MessageId, RoomName, Tag};
use crate::state::{DenseMap, RoomId, SessionId};

/// Publishes the events of all rooms, turn by turn. Only the hub has it.
#[derive(Debug)]
pub struct Publisher {
    feed: Arc<Feed>,
    /// The turn that the next publication completes.
    turn: Turn,
    /// A store has the messages that the feed evicts: lines have marks, by which a cursor finds the messages that it missed, and no
    /// follower is slow.
    has_store: bool,
    rooms: DenseMap<RoomId, Box<RoomLogs>>,
    logs_created: u64,
    /// Messages times the followers of their rooms.
    deliveries: u64,
    /// The logs with lines of this turn, in the order of their first lines.
    pending: Vec<LogKey>,
    /// Bytes of these lines.
    pending_bytes: usize,
    /// Empty buffers, kept for their capacity: a log has one only while it has lines of this turn.
    #[expect(clippy::vec_box, reason = "a log holds a pointer, because most logs have no buffer")]
    spare_buffers: Vec<Box<RenderBuffer>>,
    /// Memory of the spare buffers, in bytes. `spare_bytes <= RENDER_BYTES_KEPT`
    spare_bytes: usize,
    /// All segments, in the order of their turns. Each is the oldest of its log when it is the first here.
    retained: VecDeque<RetainedSegment>,
    /// Memory of the segments, in bytes.
    bytes: usize,
    /// Copies of large segments, for sendfile.
    file: Option<MemoryFile>,
    /// The logs of which segments were evicted since the last call of [`Publisher::wake_followers`]. Empty with a store.
    evicted: Vec<LogKey>,
}

/// Where the publisher finds a log.
#[derive(Clone, Copy, Debug)]
struct LogKey {
    room: RoomId,
    log: LogId,
}

/// A segment in the queue of the publisher.
#[derive(Debug)]
struct RetainedSegment {
    log: Arc<Log>,
    turn: Turn,
}

/// A room, with a log for each dialect that its followers use.
#[derive(Debug)]
struct RoomLogs {
    name: RoomName,
    /// The last message so far.
    last_message: MessageId,
    logs: SmallVec<[LogWriter; 1]>,
}

/// The publisher's end of a log. It exists while the log has followers, or lines of this turn.
#[derive(Debug)]
struct LogWriter {
    log: Arc<Log>,
    /// The lines of this turn, if there are any.
    buffer: Option<Box<RenderBuffer>>,
    followers: DenseMap<SessionId, Follower>,
    /// The turn and the end of the last segment that was evicted, until the slow followers are found.
    evicted: Option<(Turn, u64)>,
}

#[derive(Debug)]
struct Follower {
    mailbox: Arc<Mailbox>,
    /// The offset at which the session began to follow the log.
    since: u64,
}

impl Publisher {
    /// Creates a publisher without rooms. Without a store, a follower that has not read what is evicted is slow.
    pub fn new(feed: Arc<Feed>) -> Self {
        let file = MemoryFile::new(feed.bytes_max() / SENDFILE_SHARE);
        Self {
            feed,
            turn: Turn::ZERO.next(),
            has_store: false,
            rooms: DenseMap::default(),
            logs_created: 0,
            deliveries: 0,
            pending: Vec::new(),
            pending_bytes: 0,
            spare_buffers: Vec::new(),
            spare_bytes: 0,
            retained: VecDeque::new(),
            bytes: 0,
            file,
            evicted: Vec::new(),
        }
    }

    /// For a server with a store, from which slow consumers catch up.
    #[must_use]
    pub fn with_store(self) -> Self {
        Self { has_store: true, ..self }
    }

    /// Adds a room whose newest message has the id `last_message`, unless the publisher has it. The caller then lets a session follow it: a
    /// room that has lost its last follower is removed, after its lines of this turn.
    pub fn open_room(&mut self, room: RoomId, name: &RoomName, last_message: MessageId) {
        if self.rooms.get(room).is_none() {
            let logs = RoomLogs { name: name.clone(), last_message, logs: SmallVec::new() };
            self.rooms.insert(room, Box::new(logs));
        }
    }

    /// The room's name.
    pub fn room_name(&self, room: RoomId) -> Option<&RoomName> {
        Some(&self.rooms.get(room)?.name)
    }

    /// Makes a session follow the room in this dialect, from here on. Returns where its cursor enters. `None`: there is no such room.
    pub fn follow(
        &mut self,
        room: RoomId,
        dialect: Dialect,
        session: SessionId,
        mailbox: &Arc<Mailbox>,
    ) -> Option<LogEntry> {
        let logs = self.rooms.get_mut(room)?;
        if logs.writer(dialect).is_none() {
            self.logs_created += 1;
            let id = LogId(NonZeroU64::MIN.saturating_add(self.logs_created));
            let log = Log::new(id, room, logs.name.clone(), dialect, logs.last_message);
            logs.logs.push(LogWriter::new(log));
        }
        let position = logs.position(dialect)?;
        let writer = logs.writer(dialect)?;
        writer.followers.insert(session, Follower { mailbox: Arc::clone(mailbox), since: position.offset });
        Some(LogEntry { log: Arc::clone(&writer.log), position })
    }

    /// The session no longer follows the room in this dialect, from here on.
    pub fn unfollow(&mut self, room: RoomId, dialect: Dialect, session: SessionId) {
        let Some(logs) = self.rooms.get_mut(room) else { return };
        if let Some(writer) = logs.writer(dialect) {
            writer.followers.remove(session);
        }
        logs.remove_unused();
        self.remove_if_unused(room);
    }

    /// Adds an event to the room, rendered for its followers. Returns the positions before and after it in this dialect. `None`: no session
    /// follows the room in this dialect.
    pub fn push_between(&mut self, room: RoomId, dialect: Dialect, tag: Tag, event: &Event) -> Option<[Position; 2]> {
        let before = self.position(room, dialect);
        let logs = self.push_to_logs(room, tag, event)?;
        Some([before?, logs.position(dialect)?])
    }

    /// Adds an event to the room, rendered for its followers.
    pub fn push(&mut self, room: RoomId, tag: Tag, event: &Event) {
        self.push_to_logs(room, tag, event);
    }

    fn push_to_logs(&mut self, room: RoomId, tag: Tag, event: &Event) -> Option<&RoomLogs> {
        let logs = self.rooms.get_mut(room)?;
        let before = self.has_store.then_some(logs.last_message);
        for writer in &mut logs.logs {
            if writer.followers.is_empty() || !writer.log.dialect.shows(event) {
                continue;
            }
            let buffer = writer.buffer.get_or_insert_with(|| {
                self.pending.push(LogKey { room, log: writer.log.id });
                let spare = self.spare_buffers.pop().unwrap_or_default();
                self.spare_bytes = self.spare_bytes.saturating_sub(spare.memory());
                spare
            });
            let bytes = buffer.len();
            buffer.push(writer.log.dialect, tag, &logs.name, event, before);
            self.pending_bytes += buffer.len() - bytes;
            self.deliveries += if tag.id.is_some() { writer.followers.len() as u64 } else { 0 };
        }
        logs.last_message = tag.id.unwrap_or(logs.last_message);
        Some(logs)
    }

    /// Messages times the followers of their rooms, authors included, since the start.
    pub fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// The turn that the next publication completes.
    pub fn turn(&self) -> Turn {
        self.turn
    }

    /// The position after all events so far.
    pub fn position(&self, room: RoomId, dialect: Dialect) -> Option<Position> {
        self.rooms.get(room)?.position(dialect)
    }

    /// Whether the room has lines of this turn in this dialect.
    pub fn has_pending(&self, room: RoomId, dialect: Dialect) -> bool {
        let logs = self.rooms.get(room).and_then(|logs| logs.logs.iter().find(|writer| writer.log.dialect == dialect));
        logs.is_some_and(|writer| writer.buffer.is_some())
    }

    /// Whether to publish now: the lines of this turn fill their share of the feed.
    pub fn is_full(&self) -> bool {
        self.pending_bytes >= (self.feed.bytes_max() / SEGMENT_SHARE).min(SEGMENT_BYTES_MAX)
    }

    /// Whether there is nothing to publish.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Publishes the events of this turn, if there are any, and evicts the oldest segments beyond the feed size. Call
    /// [`Publisher::wake_followers`] afterwards.
    pub fn publish(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        for index in 0..self.pending.len() {
            self.append(self.pending[index]);
        }
        while self.total_bytes() > self.feed.bytes_max()
            && self.retained.front().is_some_and(|oldest| oldest.turn < self.turn)
        {
            self.evict_oldest();
        }
        self.pending_bytes = 0;
        self.feed.set_bytes(self.total_bytes());
        self.feed.set_published(self.turn);
        self.turn = self.turn.next();
    }

    /// After [`Publisher::publish`]: wakes the followers that wait for an event. Without a store, calls `find_slow` with each follower
    /// whose next event was evicted.
    pub fn wake_followers(&mut self, mut find_slow: impl FnMut(SessionId)) {
        let mut published = mem::take(&mut self.pending);
        let mut evicted = mem::take(&mut self.evicted);
        for key in published.drain(..) {
            let Some(logs) = self.rooms.get_mut(key.room) else { continue };
            if let Some(writer) = logs.writer_of(key.log) {
                writer.find_slow(true, &mut find_slow);
                logs.remove_unused();
            }
            self.remove_if_unused(key.room);
        }
        for key in evicted.drain(..) {
            let writer = self.rooms.get_mut(key.room).and_then(|logs| logs.writer_of(key.log));
            if let Some(writer) = writer.filter(|writer| writer.evicted.is_some()) {
                writer.find_slow(false, &mut find_slow);
            }
        }
        (self.pending, self.evicted) = (published, evicted);
    }

    /// Appends the lines of this turn to a log.
    fn append(&mut self, key: LogKey) {
        let Some(logs) = self.rooms.get_mut(key.room) else { return };
        let last_message = logs.last_message;
        let Some(writer) = logs.writer_of(key.log) else { return };
        let Some(mut buffer) = writer.buffer.take() else { return };
        let for_kernel = buffer.len() >= SENDFILE_BYTES_MIN && writer.followers.len() >= SENDFILE_READERS_MIN;
        let lines = buffer.finish();
        let file_range = self.file.as_mut().filter(|_| for_kernel).and_then(|file| file.append(&lines.bytes));
        if self.spare_bytes + buffer.memory() <= RENDER_BYTES_KEPT {
            self.spare_bytes += buffer.memory();
            self.spare_buffers.push(buffer);
        }
        self.bytes += writer.log.append(self.turn, lines, file_range.unwrap_or_default(), last_message);
        self.retained.push_back(RetainedSegment { log: Arc::clone(&writer.log), turn: self.turn });
    }

    fn evict_oldest(&mut self) {
        let Some(oldest) = self.retained.pop_front() else { return };
        let Some(segment) = oldest.log.evict_oldest() else { return };
        self.bytes -= segment.cost();
        if self.has_store {
            return;
        }
        let key = LogKey { room: oldest.log.room, log: oldest.log.id };
        let writer = self.rooms.get_mut(key.room).and_then(|logs| logs.writer_of(key.log));
        if let Some(writer) = writer
            && writer.evicted.replace((segment.turn(), segment.end())).is_none()
        {
            self.evicted.push(key);
        }
    }

    fn remove_if_unused(&mut self, room: RoomId) {
        if self.rooms.get(room).is_some_and(|logs| logs.logs.is_empty()) {
            self.rooms.remove(room);
        }
    }

    /// Memory of the segments and of the memory file, in bytes.
    fn total_bytes(&self) -> usize {
        self.bytes + self.file.as_ref().map_or(0, MemoryFile::bytes)
    }

    /// Memory of the file, by the kernel's count, in bytes.
    #[cfg(test)]
    pub(super) fn file_bytes(&self) -> u64 {
        self.file.as_ref().map_or(0, MemoryFile::system_bytes)
    }

    /// The room's log in this dialect.
    #[cfg(test)]
    pub(super) fn log(&self, room: RoomId, dialect: Dialect) -> Option<&Log> {
        let logs = &self.rooms.get(room)?.logs;
        logs.iter().find(|writer| writer.log.dialect == dialect).map(|writer| &*writer.log)
    }
}

impl RoomLogs {
    fn writer(&mut self, dialect: Dialect) -> Option<&mut LogWriter> {
        self.logs.iter_mut().find(|writer| writer.log.dialect == dialect)
    }

    fn writer_of(&mut self, log: LogId) -> Option<&mut LogWriter> {
        self.logs.iter_mut().find(|writer| writer.log.id == log)
    }

    fn position(&self, dialect: Dialect) -> Option<Position> {
        let writer = self.logs.iter().find(|writer| writer.log.dialect == dialect)?;
        let pending = writer.buffer.as_ref().map_or(0, |buffer| buffer.len() as u64);
        Some(Position { log: writer.log.id, offset: writer.log.end() + pending, last_message: self.last_message })
    }

    /// Removes logs without followers. A log with lines of this turn stays until these are published, for the clients that have just left
    /// it.
    fn remove_unused(&mut self) {
        self.logs.retain(|writer| writer.buffer.is_some() || !writer.followers.is_empty());
    }
}

impl LogWriter {
    fn new(log: Log) -> Self {
        Self { log: Arc::new(log), buffer: None, followers: DenseMap::default(), evicted: None }
    }

    /// Calls `find_slow` with the followers that have not read what was evicted. Wakes the followers if there is something new.
    fn find_slow(&mut self, has_grown: bool, find_slow: &mut impl FnMut(SessionId)) {
        let evicted = self.evicted.take();
        for (session, follower) in self.followers.iter() {
            if has_grown {
                follower.mailbox.wake_if_awaiting_feed();
            }
            if let Some((turn, end)) = evicted
                && follower.since < end
                && follower.mailbox.unread_turn() <= turn
            {
                find_slow(session);
            }
        }
    }
}
