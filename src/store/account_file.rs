//! The accounts of a file that no server uses, for `chinwagd account`. The file is locked, migrated and checked as a server does it.

use std::io;
use std::path::Path;

use rusqlite::TransactionBehavior;

use super::file::{self, StoreFile};
use super::store_path::Displaced;
use super::{AccountWrite, Durability, OpenError, Options, Retention, StoredAccounts, accounts, audit};
use crate::protocol::{AuditEntry, AuditNumber, AuditRecord, Token};

/// The tables of the accounts, in a file that this process has locked. Dropping this closes the file.
#[derive(Debug)]
pub struct AccountTables(StoreFile);

impl AccountTables {
    /// Opens a file, which must exist. All rooms whose ids may be given again get `new_epoch`, as when a server starts.
    ///
    /// # Errors
    /// The reason why the file cannot be used.
    pub fn open(path: &Path, new_epoch: Token) -> Result<(Self, StoredAccounts), OpenError> {
        if let Err(error) = path.metadata() {
            return Err(OpenError::File(path.to_owned(), error));
        }
        let options = Options { path: path.to_owned(), durability: Durability::Full, keep: Retention::All };
        let (file, state) = file::open(&options, None, new_epoch, 0)?;
        Ok((Self(file), state.accounts))
    }

    /// Carries out changes, all or none, and adds their entry to the audit log. They are on the disk afterwards.
    ///
    /// # Errors
    /// None of them is carried out.
    pub fn write(&mut self, writes: &[AccountWrite], entry: Option<AuditEntry>) -> Result<(), OpenError> {
        let StoreFile { connection, store_path } = &mut self.0;
        let path = store_path.path().to_owned();
        let system = |displaced: Displaced| OpenError::File(path.clone(), io::Error::other(displaced.to_string()));
        store_path.check(connection).map_err(system)?;
        let sqlite = |error| OpenError::from_sqlite(&path, error);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        if !accounts::apply(&transaction, writes).map_err(sqlite)? {
            return Err(sqlite(rusqlite::Error::QueryReturnedNoRows));
        }
        if let Some(entry) = entry {
            let AuditNumber(last) = audit::last_number(&transaction).map_err(sqlite)?;
            let record = AuditRecord { number: AuditNumber(last + 1), entry };
            audit::insert(&transaction, &[record]).map_err(sqlite)?;
        }
        transaction.commit().map_err(sqlite)
    }
}
