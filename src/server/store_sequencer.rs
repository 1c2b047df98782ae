//! The sequencer of a server with a store: commits a message, a topic or a change of the accounts before it becomes an entry. While one batch
//! is being committed, it gathers the next one. All other changes become entries at once.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::Receiver;
use futures_lite::{Stream as _, ready};

use super::account_rows::account_writes;
use super::log;
use super::metrics::{CommitTimer, CommitTimes};
use super::unstored_records::UnstoredRecords;
use crate::limits::{
    ACCOUNT_CHANGES_AT_ONCE_MAX, AUDIT_IN_MEMORY_MAX, PAST_OVERHEAD_BYTES, STORE_BATCH_MAX, STORE_CLOSE_MS_MAX,
};
use crate::protocol::{AuditRecord, MessageId, ModerationRecord, Name, OwnDeletion, PastMessage, Timestamp};
use crate::sequencer::{AuditTail, Change, Numbering, Sequenced, Sequencer};
use crate::state::{
    AccountChange, AccountCommand, AccountUpdate, Action, ContentKind, Entry, Message, Moderated, Origin, Room, RoomId,
    SharedState, StoreFailure, TopicChange, Uptime,
};
use crate::store::{Batch, CommitFailure, CommitFate, NewRoom, Report, Store, StoredMessage};

/// The store, the changes that wait for a commit, and the entries that are ready.
#[derive(Debug)]
pub(super) struct StoreSequencer {
    /// `None` once it is closed.
    store: Option<Store>,
    reports: Pin<Box<Receiver<Report>>>,
    numbering: Numbering,
    /// The times of the last change.
    at: Timestamp,
    uptime: Uptime,
    waiting: VecDeque<PendingChange>,
    /// Bytes of the changes that wait or are being committed: at most `bytes_max`.
    bytes: usize,
    bytes_max: usize,
    /// The end of the next turn commits the waiting changes.
    is_batch_open: bool,
    /// The rooms that have vanished. The next batch removes them; if that fails, the next start does.
    removed_rooms: Vec<RoomId>,
    /// Records of moderation that could not be stored. Each batch tries them again, first.
    unstored: UnstoredRecords,
    /// The entries of the audit log that could not be stored. Each batch tries them again with the records.
    audit: AuditTail,
    /// A second has passed since the last try.
    is_retry_due: bool,
    /// The changes in the batch that is being committed, in order, and those that were refused among them.
    committing: Option<Vec<PendingChange>>,
    commit_timer: CommitTimer,
    ready: VecDeque<Entry>,
    /// Why the last commit failed, if it did.
    failure: Option<Arc<str>>,
    /// The log has a failure of a commit, and no commit has succeeded since.
    is_failure_logged: bool,
}

/// A change that waits, or is being committed.
#[derive(Debug)]
struct PendingChange {
    origin: Origin,
    /// The refusal waits, too, so that the client gets its replies in order.
    content: Result<Content, (RefusedContent, StoreFailure)>,
}

/// Content that the store commits and that then becomes an entry.
#[derive(Debug)]
enum Content {
    Message(RoomId, Message),
    Topic(RoomId, TopicChange),
    Account(AccountChange),
    /// The deletion of a message by its author.
    Deletion(OwnDeletion),
    /// Moderation that has taken effect already, and its entry in the audit log.
    Moderation(Moderated, Vec<ModerationRecord>, Option<Box<AuditRecord>>),
}

/// Content that is not stored.
#[derive(Debug)]
enum RefusedContent {
    /// A message or a topic of the member with this nickname.
    Room(RoomId, Name, ContentKind),
    /// A change of the accounts. The name is that of an account that is not created.
    Account(AccountCommand, Option<Name>),
    /// Moderation whose records are tried again.
    Moderation(Moderated),
    /// The deletion of a message by its author.
    Deletion(OwnDeletion),
}

impl Content {
    /// The memory that it needs, in bytes.
    fn memory_cost(&self) -> usize {
        let (name, text) = match self {
            Self::Message(_, Message { name, text, .. }) => (name, Some(text)),
            Self::Topic(_, TopicChange { name, topic, .. }) => (name, topic.as_ref()),
            Self::Account(change) => return size_of::<PendingChange>() + change.update.heap_bytes(),
            // Moderation is never refused for lack of memory.
            Self::Moderation(..) => return 0,
            Self::Deletion(_) => return size_of::<PendingChange>(),
        };
        name.as_str().len() + text.map_or(0, |text| text.as_str().len()) + PAST_OVERHEAD_BYTES
    }

    /// The entry that precedes it: its author keeps the nickname until it is stored or refused.
    fn announcement(&self) -> Option<Action> {
        match self {
            Self::Message(room, _) | Self::Topic(room, _) => Some(Action::ContentPending(*room)),
            Self::Account(AccountChange { update: AccountUpdate::Create { .. }, .. }) => Some(Action::AccountPending),
            Self::Account(_) | Self::Moderation(..) | Self::Deletion(_) => None,
        }
    }

    /// The entry once it is stored. `deleted`: whether the author's deletions of the batch found their messages, in order.
    fn into_action(self, deleted: &mut impl Iterator<Item = bool>) -> Action {
        match self {
            Self::Message(room, message) => Action::Say(room, message),
            Self::Topic(room, topic) => Action::SetTopic(room, topic),
            Self::Account(change) => Action::ChangeAccount(change),
            Self::Moderation(moderated, ..) => Action::ModerationStored(moderated, None),
            Self::Deletion(deletion) => Action::OwnDeletionStored(deletion, Ok(deleted.next().unwrap_or_default())),
        }
    }
}

impl From<Content> for RefusedContent {
    fn from(content: Content) -> Self {
        match content {
            Content::Message(room, Message { name, .. }) => Self::Room(room, name, ContentKind::Message),
            Content::Topic(room, TopicChange { name, .. }) => Self::Room(room, name, ContentKind::Topic),
            Content::Account(AccountChange { update, .. }) => {
                let command = update.command();
                let name = if let AccountUpdate::Create { name, .. } = update { Some(name) } else { None };
                Self::Account(command, name)
            }
            Content::Moderation(moderated, ..) => Self::Moderation(moderated),
            Content::Deletion(deletion) => Self::Deletion(deletion),
        }
    }
}

impl RefusedContent {
    fn into_action(self, why: StoreFailure) -> Action {
        match self {
            Self::Room(room, name, kind) => Action::ContentFailed(room, name, kind, why),
            Self::Account(command, name) => Action::AccountChangeFailed(command, name, why),
            Self::Moderation(moderated) => Action::ModerationStored(moderated, Some(why)),
            Self::Deletion(deletion) => Action::OwnDeletionStored(deletion, Err(why)),
        }
    }
}

impl StoreSequencer {
    /// Creates a sequencer that commits to `store`. It refuses changes if more than `bytes_max` bytes would wait or be committed.
    pub(super) fn new(store: Store, bytes_max: usize) -> Self {
        Self {
            reports: Box::pin(store.reports().clone()),
            audit: AuditTail::after(store.last_audit()),
            store: Some(store),
            numbering: Numbering::default(),
            at: Timestamp::default(),
            uptime: Uptime::default(),
            waiting: VecDeque::new(),
            bytes: 0,
            bytes_max,
            is_batch_open: false,
            removed_rooms: Vec::new(),
            unstored: UnstoredRecords::default(),
            is_retry_due: false,
            committing: None,
            commit_timer: CommitTimer::default(),
            ready: VecDeque::new(),
            failure: None,
            is_failure_logged: false,
        }
    }

    /// How long its commits take.
    pub(super) fn commit_times(&self) -> &CommitTimes {
        self.commit_timer.times()
    }

    fn push_entry(&mut self, origin: Origin, action: Action) {
        let change = Change { at: self.at, uptime: self.uptime, origin, action };
        self.ready.push_back(self.numbering.next_entry(change));
    }

    fn enqueue(&mut self, origin: Origin, content: Content) {
        if let Some(action) = content.announcement() {
            self.push_entry(origin, action);
        }
        let bytes = content.memory_cost();
        let is_refused = self.bytes + bytes > self.bytes_max;
        self.bytes += if is_refused { 0 } else { bytes };
        let full = || StoreFailure::NotStored("too many messages already wait for the disk".into());
        let content = if is_refused { Err((content.into(), full())) } else { Ok(content) };
        self.waiting.push_back(PendingChange { origin, content });
    }

    /// Keeps an entry of the audit log that could not be stored.
    fn keep_audit(&mut self, record: Option<&AuditRecord>) {
        if record.is_some_and(|record| self.audit.push(record.clone())) {
            log::audit_is_full(AUDIT_IN_MEMORY_MAX);
        }
    }

    fn process(&mut self, report: Report) {
        match report {
            // The batch, which shares its texts with the changes, is freed by this thread, too: their counts stay in one cache.
            Report::Committed(_, result) => {
                self.commit_timer.end();
                self.finish_batch(result);
            }
            Report::Evicted(rooms) => {
                for (room, id) in rooms {
                    self.push_entry(Origin::SERVER, Action::Evict(room, id));
                }
            }
        }
    }

    /// Makes entries of a batch. The next batch reuses the ids of a failed one, because no client has seen them.
    fn finish_batch(&mut self, result: Result<Vec<bool>, CommitFailure>) {
        let (deleted, failure) = match result {
            Ok(deleted) => (deleted, None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        let mut deleted = deleted.into_iter();
        let failure = failure.map(|CommitFailure { reason, should_log }| {
            if should_log && !std::mem::replace(&mut self.is_failure_logged, true) {
                log::commit_failed(&reason);
            }
            let reason = self.failure.insert(reason.into());
            StoreFailure::NotStored(Arc::clone(reason))
        });
        if failure.is_none() && self.failure.take().is_some() {
            self.is_failure_logged = false;
            log::commits_recovered();
        }
        if failure.is_none() {
            let stored = self.unstored.take_stored();
            self.note_stored(&stored);
            let lost = self.audit.clear();
            if lost > 0 {
                log::audit_entries_lost(lost);
            }
        }
        for PendingChange { origin, content } in self.committing.take().unwrap_or_default() {
            self.bytes -= content.as_ref().map_or(0, Content::memory_cost);
            match (&content, &failure) {
                (Ok(Content::Moderation(_, records, audit)), Some(_)) => {
                    self.unstored.extend(records);
                    self.keep_audit(audit.as_deref());
                }
                (Ok(Content::Moderation(_, records, _)), None) => self.note_stored(records),
                _ => {}
            }
            let action = match (content, &failure) {
                (Ok(content), None) => content.into_action(&mut deleted),
                (Ok(content), Some(failure)) => RefusedContent::from(content).into_action(failure.clone()),
                (Err((refused, why)), _) => refused.into_action(why),
            };
            self.push_entry(origin, action);
        }
    }

    /// The file does not have these records of moderation yet.
    fn note_unstored(&self, records: &[ModerationRecord]) {
        let Some(store) = &self.store else { return };
        for (room, id) in deleted_messages(records) {
            store.hidden().insert(room, id);
        }
    }

    /// The file has these records of moderation.
    fn note_stored(&self, records: &[ModerationRecord]) {
        let Some(store) = &self.store else { return };
        for (room, id) in deleted_messages(records) {
            store.hidden().remove(room, id);
        }
    }
}

impl Sequencer for StoreSequencer {
    fn submit(&mut self, change: Change) {
        (self.at, self.uptime) = (change.at, change.uptime);
        match change.action {
            Action::Say(room, message) => self.enqueue(change.origin, Content::Message(room, message)),
            Action::SetTopic(room, topic) => self.enqueue(change.origin, Content::Topic(room, topic)),
            Action::ChangeAccount(account) => self.enqueue(change.origin, Content::Account(account)),
            Action::DeleteOwn(deletion) => self.enqueue(change.origin, Content::Deletion(deletion)),
            Action::RecordModeration(mut moderated, records) => {
                self.note_unstored(&records);
                let audit = moderated.audit.take().map(|entry| Box::new(self.audit.number(*entry)));
                self.enqueue(change.origin, Content::Moderation(moderated, records, audit));
            }
            Action::Tick => {
                self.is_retry_due = !self.unstored.is_empty() || !self.audit.is_empty();
                self.push_entry(change.origin, Action::Tick);
            }
            action => self.push_entry(change.origin, action),
        }
    }

    fn remove_room(&mut self, room: RoomId) {
        self.removed_rooms.push(room);
    }

    fn next(&mut self) -> Option<Sequenced> {
        self.ready.pop_front().map(Sequenced::Entry)
    }

    fn has_next(&self) -> bool {
        !self.ready.is_empty()
    }

    fn is_busy(&self) -> bool {
        self.committing.is_some() || !self.waiting.is_empty() || !self.ready.is_empty()
    }

    /// Commits the waiting changes, unless a batch is being committed. Messages get the ids after the last one of their room: no other batch
    /// is being committed, and only messages have ids. For the same reason, the accounts are those on which the changes will act; a change
    /// that the state will reject is not stored.
    ///
    /// A batch stays open for one more turn, in which busy clients send more messages. All of them are committed in one batch, and sent to
    /// each reader at once. Without that turn, small and large batches alternated, and each reader needed twice as many writes.
    fn end_turn(&mut self, state: &SharedState) {
        let Some(store) = &self.store else { return };
        // While entries are ready, the last id of a room may be lower than its last committed id.
        let is_idle = self.waiting.is_empty() && !self.is_retry_due;
        if self.committing.is_some() || !self.ready.is_empty() || is_idle {
            return;
        }
        self.is_batch_open = !self.is_batch_open;
        if self.is_batch_open {
            return;
        }
        let changes = take_batch(&mut self.waiting);
        let changes = refuse_silenced(state, self.at, changes, &mut self.bytes);
        let mut last_ids = BTreeMap::new();
        let removed_rooms = std::mem::take(&mut self.removed_rooms);
        let (messages, moderation) = (Vec::with_capacity(changes.len()), self.unstored.begin_batch(state));
        let audit = self.audit.records().cloned().collect();
        let mut batch = Batch { removed_rooms, messages, moderation, audit, ..Batch::default() };
        self.is_retry_due = false;
        for (origin, content) in
            changes.iter().filter_map(|change| Some((change.origin, change.content.as_ref().ok()?)))
        {
            let room = match content {
                Content::Message(room, _) | Content::Topic(room, _) => *room,
                Content::Account(change) => {
                    if let Ok(effect) = state.plan_account_change(change) {
                        let entry = state.audit_account_change(origin, change, &effect);
                        batch.audit.extend(entry.map(|entry| self.audit.number(entry)));
                        batch.accounts.extend(account_writes(effect));
                    }
                    continue;
                }
                Content::Moderation(_, records, audit) => {
                    batch.moderation.extend(records.iter().cloned());
                    batch.audit.extend(audit.as_deref().cloned());
                    continue;
                }
                Content::Deletion(deletion) => {
                    batch.own_deletions.push(*deletion);
                    continue;
                }
            };
            let last_id = last_ids.entry(room).or_insert_with(|| {
                if let Some(new_room) = new_room(state, room) {
                    let sanctions = state.sanctions().of(Some(room)).cloned();
                    batch.moderation.extend(sanctions.map(ModerationRecord::Sanction));
                    batch.rooms.push(new_room);
                }
                state.room(room).map_or(MessageId(0), Room::last_id)
            });
            match content {
                Content::Message(_, Message { name, account, at, text }) => {
                    *last_id = last_id.next();
                    let past = PastMessage { id: *last_id, at: *at, name: name.clone(), text: Some(text.clone()) };
                    batch.messages.push((room, StoredMessage { past, account: *account }));
                }
                Content::Topic(_, TopicChange { topic, .. }) => batch.topics.push((room, topic.clone())),
                Content::Account(_) | Content::Moderation(..) | Content::Deletion(_) => {}
            }
        }
        self.committing = Some(changes);
        self.commit_timer.begin();
        store.commit(batch);
    }

    fn needs_turn(&self) -> bool {
        self.is_batch_open
    }

    fn process_report(&mut self) -> bool {
        let report = self.reports.try_recv();
        report.map(|report| self.process(report)).is_ok()
    }

    fn pending_count(&self) -> usize {
        self.waiting.len() + self.committing.as_ref().map_or(0, Vec::len)
    }

    fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn unstored_audit(&self) -> Vec<AuditRecord> {
        let pending = self.committing.iter().flatten().chain(&self.waiting);
        let pending = pending.filter_map(|change| match &change.content {
            Ok(Content::Moderation(.., audit)) => audit.as_deref(),
            _ => None,
        });
        self.audit.records().chain(pending).cloned().collect()
    }

    fn poll_report(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let report = ready!(self.reports.as_mut().poll_next(cx));
        Poll::Ready(report.map(|report| self.process(report)).is_some())
    }

    fn refuse_unconfirmed(&mut self) {
        let Some(store) = &self.store else { return };
        let not_stored = StoreFailure::NotStored("the server is shutting down, and the disk is too slow".into());
        let failure = match store.stop_commits() {
            CommitFate::NotStored => not_stored.clone(),
            CommitFate::Unknown => StoreFailure::Unconfirmed("the server is shutting down".into()),
        };
        // The store may have committed the batch before it was abandoned.
        while self.process_report() {}
        let committing = self.committing.take().unwrap_or_default().into_iter().map(|change| (change, &failure));
        let waiting = std::mem::take(&mut self.waiting).into_iter().map(|change| (change, &not_stored));
        for (PendingChange { origin, content }, failure) in committing.chain(waiting) {
            if let Ok(Content::Moderation(.., audit)) = &content {
                self.keep_audit(audit.as_deref());
            }
            let action = match content {
                Ok(content) => RefusedContent::from(content).into_action(failure.clone()),
                Err((refused, _)) => refused.into_action(not_stored.clone()),
            };
            self.push_entry(origin, action);
        }
        (self.is_batch_open, self.bytes) = (false, 0);
    }

    fn close(&mut self) {
        let lost = self.audit.unstored_count();
        if lost > 0 {
            log::audit_entries_lost(lost);
        }
        if let Some(store) = self.store.take() {
            store.close(Duration::from_millis(STORE_CLOSE_MS_MAX));
        }
    }
}

/// Takes the changes of the next batch: up to the first change of the accounts whose effect depends on an earlier one.
fn take_batch(waiting: &mut VecDeque<PendingChange>) -> Vec<PendingChange> {
    let (mut accounts, mut count) = (Vec::<&AccountUpdate>::new(), 0);
    for change in waiting.iter().take(STORE_BATCH_MAX) {
        if let Ok(Content::Account(AccountChange { update, .. })) = &change.content {
            let depends = accounts.iter().any(|earlier| update.depends_on(earlier));
            if depends || accounts.len() == ACCOUNT_CHANGES_AT_ONCE_MAX {
                break;
            }
            accounts.push(update);
        }
        count += 1;
    }
    waiting.drain(..count).collect()
}

/// Refuses the messages and topics whose authors were muted or removed while they waited, and subtracts their memory from `bytes`.
fn refuse_silenced(
    state: &SharedState,
    now: Timestamp,
    changes: Vec<PendingChange>,
    bytes: &mut usize,
) -> Vec<PendingChange> {
    let check = |PendingChange { origin, content }| {
        let content = content.and_then(|content| {
            let (Content::Message(room, _) | Content::Topic(room, _)) = &content else { return Ok(content) };
            let Err(why) = state.check_speech(origin.member, *room, now) else { return Ok(content) };
            *bytes -= content.memory_cost();
            Err((content.into(), StoreFailure::Silenced(why)))
        });
        PendingChange { origin, content }
    };
    changes.into_iter().map(check).collect()
}

fn deleted_messages(records: &[ModerationRecord]) -> impl Iterator<Item = (RoomId, MessageId)> {
    records.iter().filter_map(|record| match record {
        ModerationRecord::Deleted(room, id) => Some((*room, *id)),
        _ => None,
    })
}

/// The room, if the file does not have it yet.
fn new_room(state: &SharedState, id: RoomId) -> Option<NewRoom> {
    let room = state.room(id).filter(|room| !room.is_stored())?;
    let rules = room.rules().cloned().unwrap_or_default();
    Some(NewRoom { room: id, name: room.name().clone(), epoch: room.epoch()?.clone(), rules })
}

#[cfg(test)]
mod account_tests;
#[cfg(test)]
mod audit_tests;
#[cfg(test)]
mod deletion_tests;
#[cfg(test)]
mod moderation_tests;
#[cfg(test)]
mod tests;
