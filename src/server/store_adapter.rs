//! SQLite behind the traits [`StoreOpener`] and [`StoreReader`].

use std::error::Error;
use std::sync::Arc;

use super::clock::wall_time;
use super::hub::Hub;
use super::store_interface::StoreOpener;
use super::store_pages::{CatchUp, QueryReply};
use super::store_reader::StoreReader;
use super::store_sequencer::StoreSequencer;
use super::{ServerOptions, log, random_epoch};
use crate::command::HistoryQuery;
use crate::feed::{Feed, Mailbox, MissedMessages, PageSource};
use crate::protocol::{Dialect, MessageId, Mode, RoomName};
use crate::room::{RecentMessages, Room};
use crate::session::Sessions;
use crate::store::{self, QueryQueues, Store, StoredState};

impl StoreOpener for store::Options {
    fn open(&self, options: &ServerOptions, feed: Arc<Feed>) -> Result<Hub, Box<dyn Error + Send + Sync>> {
        let mut history = RecentMessages::new(options.history);
        let opened = Store::open(self, options.epoch.clone(), random_epoch(), options.history, wall_time);
        let (opened, state) = opened?;
        log::store_opened(self, &state);
        let StoredState { epoch, last_id, before, messages, .. } = state;
        for past in messages {
            history.push(past);
        }
        history.evict_up_to(before);
        let room = Room::new(options.resume_seconds).with_epoch(epoch).with_history(history).with_last_id(last_id);
        Ok(create_hub(Sessions::new(room, options.timeouts), feed, opened))
    }
}

/// Creates a hub with these sessions, which commits their messages to the store.
pub(super) fn create_hub(sessions: Sessions, feed: Arc<Feed>, store: Store) -> Hub {
    let queries = Arc::new(store.queries().clone());
    let sequencer = StoreSequencer::new(store, feed.bytes_max());
    Hub::new(sessions.with_store(Box::new(sequencer)), feed).with_store_reader(queries)
}

impl StoreReader for QueryQueues {
    fn start_query(
        &self,
        room: &RoomName,
        query: HistoryQuery,
        until: MessageId,
        dialect: Dialect,
        mode: Mode,
        mailbox: &Arc<Mailbox>,
    ) -> Box<dyn PageSource> {
        Box::new(QueryReply::new(room, query, until, dialect, mode, mailbox, self))
    }

    fn start_catch_up(&self, missed: MissedMessages, mailbox: &Arc<Mailbox>) -> Box<dyn PageSource> {
        Box::new(CatchUp::new(missed, wall_time, mailbox, self))
    }
}
