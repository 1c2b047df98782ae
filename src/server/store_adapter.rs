//! SQLite behind the traits [`StoreOpener`] and [`StoreReader`].

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::account_rows::add_stored_accounts;
use super::clock::wall_time;
use super::hub::Hub;
use super::store_interface::{StoreBytes, StoreOpener};
use super::store_pages::{CatchUp, QueryReply};
use super::store_reader::{RoomQuery, StoreReader};
use super::store_sequencer::StoreSequencer;
use super::{CheckReport, ServerOptions, log, random_epoch};
use crate::command_line::{format_duration, format_size};
use crate::feed::{Feed, Mailbox, MissedMessages, PageSource};
use crate::process::quoted_path;
use crate::protocol::{AuditQuery, AuditRecord, RoomId, RoomName};
use crate::session::Sessions;
use crate::state::{Author, RecentMessage, SharedState, StoredRoom};
use crate::store::{
    self, Durability, OpenError, QueryQueues, Retention, RoomRecord, Store, StoredMessage, StoredState,
};

impl StoreOpener for store::Options {
    fn open(&self, options: &ServerOptions, feed: Arc<Feed>) -> Result<Hub, Box<dyn Error + Send + Sync>> {
        let opened = Store::open(self, options.epoch.clone(), random_epoch(), options.history, wall_time);
        let (opened, state) = opened?;
        log::store_opened(self, &state);
        let StoredState {
            epoch, last_id, before, messages, topic, rules, rooms, last_room, accounts, sanctions, ..
        } = state;
        let lobby = StoredRoom { epoch: Some(epoch), last_id, evicted: before, topic, rules, ..StoredRoom::default() };
        let state = SharedState::new(options.state_limits()).with_start(random_epoch()).with_store(last_room);
        let messages = messages.into_iter().map(recent_message).collect();
        let mut state = state.with_stored_room(RoomId::LOBBY, RoomName::lobby(), lobby, messages);
        for RoomRecord { room, name, epoch, last_id, evicted: deleted, topic, rules } in rooms {
            // Its messages are not loaded: the store answers the first queries.
            let stored = StoredRoom { epoch: Some(epoch), last_id, deleted, evicted: last_id, topic, rules };
            state = state.with_stored_room(room, name, stored, Vec::new());
        }
        for sanction in sanctions {
            state.add_stored_sanction(sanction);
        }
        let (state, left_out) = add_stored_accounts(state, accounts);
        if left_out > 0 {
            log::accounts_left_out(left_out);
        }
        let sessions = options.create_sessions(state);
        #[cfg(feature = "accounts")]
        let (sessions, passwords) = super::accounts::start(options, sessions)?;
        let hub = create_hub(sessions, feed, opened);
        #[cfg(feature = "accounts")]
        let hub = hub.with_passwords(passwords);
        Ok(hub)
    }

    fn check(&self, report: &mut CheckReport) {
        match store::check_usable(&self.path) {
            Err(OpenError::Locked(path)) => report.notes.push(format!(
                "the store {} is in use by another chinwagd, and was not checked: stop that one before the start",
                quoted_path(&path)
            )),
            checked => {
                report.errors.extend(checked.err().map(|error| error.to_string()));
                report.checked.push("the store".to_owned());
            }
        }
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let path = self.path.display().to_string();
        let durability = shown_durability(self.durability).to_owned();
        vec![("--data", path), ("--durability", durability), ("--keep", shown_retention(self.keep))]
    }

    fn bytes(&self) -> io::Result<StoreBytes> {
        let (database, wal) = store::file_bytes(&self.path)?;
        Ok(StoreBytes { database, wal })
    }
}

/// The durability as the option takes it.
pub(super) fn shown_durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "full",
        Durability::Relaxed => "relaxed",
    }
}

/// The retention as the option takes it.
pub(super) fn shown_retention(keep: Retention) -> String {
    match keep {
        Retention::All => "all".to_owned(),
        Retention::Age(age) => format_duration(age),
        Retention::Bytes(bytes) => format_size(bytes),
        Retention::Count(count) => format!("{count} messages"),
    }
}

fn recent_message(StoredMessage { past, account }: StoredMessage) -> RecentMessage {
    RecentMessage { past, author: Author { member: None, account } }
}

/// Creates a hub with these sessions, which commits their messages to the store.
pub(super) fn create_hub(sessions: Sessions, feed: Arc<Feed>, store: Store) -> Hub {
    let queries = Arc::new(store.queries().clone());
    let sequencer = StoreSequencer::new(store, feed.bytes_max());
    let commits = sequencer.commit_times().clone();
    Hub::new(sessions.with_store(Box::new(sequencer)), feed).with_store_reader(queries).with_commit_times(commits)
}

impl StoreReader for QueryQueues {
    fn start_query(&self, query: RoomQuery, mailbox: &Arc<Mailbox>) -> Box<dyn PageSource> {
        Box::new(QueryReply::new(query, mailbox, self))
    }

    fn start_catch_up(&self, missed: MissedMessages, mailbox: &Arc<Mailbox>) -> Box<dyn PageSource> {
        Box::new(CatchUp::new(missed, wall_time, mailbox, self))
    }

    fn read_audit(&self, query: &AuditQuery) -> Result<Vec<AuditRecord>, String> {
        Self::read_audit(self, query)
    }
}
