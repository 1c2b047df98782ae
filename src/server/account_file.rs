//! Carries out the operator's requests about accounts on a store that no server uses, by the rules of a running server.

use std::fmt;
use std::path::Path;

use super::account_rows::{account_writes, add_stored_accounts};
use super::clock::wall_time;
use super::operator::{self, OperatorStep};
use super::random_epoch;
use crate::control::{AccountReply, AccountRequest, ControlError};
use crate::state::{AccountChange, AccountOutcome, AccountRejection, Origin, SharedState};
use crate::store::{AccountTables, OpenError};

/// The accounts of a store that this process has locked.
#[derive(Debug)]
pub struct AccountFile {
    file: AccountTables,
    /// Has the accounts, and nothing else.
    state: SharedState,
}

/// Why a request was not carried out.
#[derive(Debug)]
pub enum AccountFileError {
    /// The store cannot be used.
    Store(OpenError),
    /// The request is refused.
    Refused(ControlError),
}

impl fmt::Display for AccountFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Refused(error) => f.write_str(error.text()),
        }
    }
}

impl std::error::Error for AccountFileError {}

impl From<ControlError> for AccountFileError {
    fn from(error: ControlError) -> Self {
        Self::Refused(error)
    }
}

impl From<OpenError> for AccountFileError {
    fn from(error: OpenError) -> Self {
        Self::Store(error)
    }
}

impl AccountFile {
    /// Opens the store at this path, which must exist.
    ///
    /// # Errors
    /// The store cannot be used: for example, a server uses it.
    pub fn open(path: &Path) -> Result<Self, AccountFileError> {
        let (file, stored) = AccountTables::open(path, random_epoch())?;
        let (state, _) = add_stored_accounts(SharedState::default(), stored);
        Ok(Self { file, state })
    }

    /// Carries out a request. A change is on the disk afterwards.
    ///
    /// # Errors
    /// Nothing was changed.
    pub fn run(&mut self, request: AccountRequest) -> Result<AccountReply, AccountFileError> {
        let at = wall_time();
        let (name, update) = match operator::begin(&self.state, at, false, request)? {
            OperatorStep::Reply(reply) => return Ok(reply),
            OperatorStep::Change(name, update) => (name, update),
        };
        let result = self.change(AccountChange { at, update })?;
        Ok(operator::finish(&self.state, at, name, result)?)
    }

    /// Stores a change, then applies it, as the sequencer and the state of a server do.
    fn change(&mut self, change: AccountChange) -> Result<Result<AccountOutcome, AccountRejection>, OpenError> {
        let effect = match self.state.plan_account_change(&change) {
            Ok(effect) => effect,
            Err(why) => return Ok(Err(why)),
        };
        let entry = self.state.audit_account_change(Origin::SERVER, &change, &effect);
        self.file.write(&account_writes(effect), entry)?;
        // An operator's change has a result.
        Ok(operator::apply_change(&mut self.state, change).unwrap_or(Err(AccountRejection::Changed)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::protocol::{AccountId, Name, PasswordHash};

    fn name(raw: &str) -> Name {
        Name::new(raw).unwrap()
    }

    fn run(file: &mut AccountFile, line: &str) -> String {
        let (action, raw) = line.split_once(' ').unwrap_or((line, ""));
        let password = PasswordHash::unusable();
        let request = match action {
            "list" => AccountRequest::List { after: AccountId(0) },
            "add" => AccountRequest::Add { name: name(raw), password, ends_rest: false },
            "revive" => AccountRequest::Add { name: name(raw), password, ends_rest: true },
            "password" => AccountRequest::SetPassword { name: name(raw), password },
            _ => AccountRequest::Remove { name: name(raw) },
        };
        file.run(request).map_or_else(|error| error.to_string(), |reply| reply.to_string())
    }

    /// Numbers, generations and rests survive, as on a server.
    #[test]
    fn changes_follow_the_rules_and_survive() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        fs::write(&path, "").unwrap();
        let reopen = || AccountFile::open(&path).unwrap();
        let mut file = reopen();
        for who in ["ann", "bob"] {
            assert_eq!(run(&mut file, &format!("add {who}")), format!("added the account {who}\n"));
        }
        assert!(run(&mut file, "add ANN").starts_with("ann is an account already; "));
        drop(file);
        let mut file = reopen();
        assert_eq!(run(&mut file, "password Ann"), "set the password of ann\n");
        assert!(run(&mut file, "remove bob").starts_with("removed the account bob; its name rests until "));
        drop(file);
        let mut file = reopen();
        assert!(run(&mut file, "remove bob").starts_with("there is no account bob; "));
        assert!(
            run(&mut file, "add b\u{43e}b").starts_with("b\u{43e}b rests until "),
            "{}",
            run(&mut file, "add b\u{43e}b")
        );
        assert_eq!(run(&mut file, "revive bob"), "added the account bob\n");
        drop(file);
        let mut file = reopen();
        let listed = run(&mut file, "list");
        let lines: Vec<_> = listed.lines().collect();
        assert!(lines[0].starts_with("1 ann ") && lines[1].starts_with("3 bob ") && lines.len() == 2, "{listed}");
        assert!(lines.iter().all(|line| line.ends_with(" tokens=0 token_used=never logged_in=unknown")), "{listed}");
        assert_eq!(file.state.accounts().get(AccountId(1)).map(|ann| ann.generation), Some(1));
    }

    #[test]
    fn missing_or_foreign_file_is_not_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        let open = || AccountFile::open(&path).unwrap_err().to_string();
        assert!(open().contains(": No such file or directory"), "{}", open());
        assert!(!path.exists());
        fs::write(&path, "text, and nothing of a store").unwrap();
        assert!(open().contains(" is not a store of chinwagd, and was not changed"), "{}", open());
        assert_eq!(fs::read(&path).unwrap(), b"text, and nothing of a store");
    }

    #[test]
    fn file_is_locked_while_it_is_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.db");
        fs::write(&path, "").unwrap();
        let file = AccountFile::open(&path).unwrap();
        assert!(matches!(AccountFile::open(&path), Err(AccountFileError::Store(OpenError::Locked(_)))));
        drop(file);
        assert!(AccountFile::open(&path).is_ok());
    }
}
