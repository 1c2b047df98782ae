//! Opens a store ([`StoreOpener`]). `store_reader` reads from an open one; `store_adapter` implements both traits for
//! SQLite (feature `store`). Commits go through the sequencer. A server without a store keeps its messages in memory.

use std::error::Error;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::hub::Hub;
use super::{CheckReport, ServerOptions};
use crate::feed::Feed;

/// The sizes of a store's files, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreBytes {
    /// The database.
    pub database: u64,
    /// Its write-ahead log.
    pub wal: u64,
}

impl StoreBytes {
    /// The bytes of all files.
    pub fn total(self) -> u64 {
        self.database + self.wal
    }
}

/// Opens a store.
pub trait StoreOpener: Debug + Send + Sync {
    /// Opens the store. Returns the hub of a server with these options, whose room has the newest stored messages.
    ///
    /// # Errors
    /// The store cannot be opened. The error is for the operator.
    fn open(&self, options: &ServerOptions, feed: Arc<Feed>) -> Result<Hub, Box<dyn Error + Send + Sync>>;

    /// Adds to the report whether the store can be opened, and the store to what was checked if it was. Changes nothing.
    fn check(&self, report: &mut CheckReport);

    /// The path of the store.
    fn path(&self) -> &Path;

    /// The options of the store, as on the command line, with their values.
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("--data", self.path().display().to_string())]
    }

    /// The sizes of the store's files.
    ///
    /// # Errors
    /// The database is not there, or cannot be read.
    fn bytes(&self) -> io::Result<StoreBytes>;
}
