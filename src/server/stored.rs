//! The SQLite store as the server's [`Storage`].

use std::error::Error;
use std::sync::Arc;

use super::clock::wall_time;
use super::hub::Hub;
use super::query::{CatchUp, QueryReply};
use super::storage::{Storage, StoredMessages};
use super::store_sequencer::StoreSequencer;
use super::{Options, console, random_epoch};
use crate::command::HistoryQuery;
use crate::feed::{Feed, Mailbox, MissedMessages, PageSource};
use crate::protocol::{Dialect, MessageId, Mode};
use crate::room::{RecentMessages, Room};
use crate::session::Sessions;
use crate::store::{self, Durability, QueryQueues, Store, StoredState};

impl Storage for store::Options {
    fn open(&self, options: &Options, feed: Arc<Feed>) -> Result<Hub, Box<dyn Error + Send + Sync>> {
        let mut history = RecentMessages::new(options.history);
        let opened = Store::open(self, options.epoch.clone(), random_epoch(), options.history, wall_time);
        let (opened, StoredState { epoch, last_id, before, messages }) = opened?;
        for past in messages {
            history.push(past);
        }
        history.evict_up_to(before);
        if self.durability == Durability::Relaxed {
            console::relaxed();
        }
        let room = Room::new(options.resume_seconds).with_epoch(epoch).with_history(history).with_last_id(last_id);
        Ok(hub(Sessions::new(room, options.timeouts), feed, opened))
    }
}

/// A hub with these sessions, which stores their messages.
pub(super) fn hub(sessions: Sessions, feed: Arc<Feed>, store: Store) -> Hub {
    let queries = Arc::new(store.queries().clone());
    let sequencer = StoreSequencer::new(store, feed.bytes_max());
    Hub::new(sessions.with_store(Box::new(sequencer)), feed).with_stored(queries)
}

impl StoredMessages for QueryQueues {
    fn answer(
        &self,
        query: HistoryQuery,
        until: MessageId,
        dialect: Dialect,
        mode: Mode,
        mailbox: &Arc<Mailbox>,
    ) -> Box<dyn PageSource> {
        Box::new(QueryReply::new(query, until, dialect, mode, mailbox, self))
    }

    fn missed(&self, missed: MissedMessages, mailbox: &Arc<Mailbox>) -> Box<dyn PageSource> {
        Box::new(CatchUp::new(missed, wall_time, mailbox, self))
    }
}
