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

    /// Bytes of the store's files.
    ///
    /// # Errors
    /// A file is not there, or cannot be read.
    fn file_bytes(&self) -> io::Result<u64>;
}
