//! The tables `accounts`, `account_tokens` and `resting_names`.
//!
//! No error has a value of these tables, as they have hashes of secrets.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, Transaction, params};

use super::log;
use crate::protocol::{
    AccountId, AccountTokenId, Day, Name, PasswordHash, Role, Text, Timestamp, TokenLabel, Verifier,
};

/// State key: the highest account number that was ever given.
pub(super) const LAST_ACCOUNT: &str = "last_account";

/// An account in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// The number.
    pub id: AccountId,
    /// The nickname.
    pub name: Name,
    /// The hash of the password.
    pub password: PasswordHash,
    /// Grows with each change of the password.
    pub generation: u32,
    /// The rights of its member on the whole server.
    pub role: Role,
    /// When the account was created.
    pub created_at: Timestamp,
    /// The highest number of an access token that the account ever had.
    pub last_token: AccountTokenId,
    /// The access tokens, in the order of their numbers.
    pub tokens: Vec<TokenRecord>,
}

/// An access token in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// The number.
    pub id: AccountTokenId,
    /// Verifies the secret.
    pub verifier: Verifier,
    /// The label.
    pub label: TokenLabel,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it becomes invalid.
    pub expires_at: Timestamp,
    /// The day of the last login with it.
    pub last_used_on: Option<Day>,
}

/// The accounts of a file when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredAccounts {
    /// The accounts, in the order of their numbers.
    pub accounts: Vec<AccountRecord>,
    /// The highest number that was ever given; 0: none.
    pub last: AccountId,
    /// The names that rest, each with the end of its rest, in the order of their deletion.
    pub resting: Vec<(Name, Timestamp)>,
}

/// A change of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountWrite {
    /// Adds an account, without tokens.
    Insert(AccountRecord),
    /// Sets the password and the generation.
    SetPassword(AccountId, PasswordHash, u32),
    /// Sets the role.
    SetRole(AccountId, Role),
    /// Deletes the account and its tokens.
    Delete(AccountId),
    /// Adds a token, with the highest number that the account ever had.
    InsertToken(AccountId, TokenRecord),
    /// Deletes a token.
    DeleteToken(AccountId, AccountTokenId),
    /// Sets the day of the last use of a token.
    SetTokenUse(AccountId, AccountTokenId, Day),
    /// Adds a name that rests until then.
    InsertRest(Name, Timestamp),
    /// Deletes a name that rested.
    DeleteRest(Name),
}

/// Loads the accounts. Rows that another program or another version may have written are left out if their numbers or names are invalid; the
/// log has their count. An account with an invalid hash keeps its name, and has no password.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<StoredAccounts> {
    let mut tokens = load_tokens(connection)?;
    let (mut accounts, mut invalid) = (Vec::new(), 0);
    let sql = "SELECT account, name, password, generation, created, last_token, role FROM accounts ORDER BY account";
    let mut rows = connection.prepare(sql)?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let found = read_text(row, 1).and_then(|name| Name::new(&name).ok());
        let id = read_number(row, 0).filter(|id| *id > 0).map(AccountId);
        let Some((id, name)) = id.zip(found) else {
            invalid += 1;
            continue;
        };
        let tokens = tokens.remove(&id).unwrap_or_default();
        let last_token = tokens.last().map_or(AccountTokenId(0), |token| token.id);
        accounts.push(AccountRecord {
            id,
            name,
            password: read_text(row, 2)
                .and_then(|phc| PasswordHash::new(&phc).ok())
                .unwrap_or_else(PasswordHash::unusable),
            generation: read_number(row, 3).unwrap_or_default(),
            role: read_text(row, 6).and_then(|word| Role::parse(&word)).unwrap_or_default(),
            created_at: read_time(row, 4).unwrap_or_default(),
            last_token: read_number(row, 5).map_or(last_token, |last| last_token.max(AccountTokenId(last))),
            tokens,
        });
    }
    if invalid > 0 {
        log::accounts_invalid(invalid);
    }
    let sql = "SELECT value FROM state WHERE key = ?";
    let last = connection.query_row(sql, [LAST_ACCOUNT], |row| Ok(read_number(row, 0))).optional()?.flatten();
    let newest = accounts.last().map(|account| account.id);
    let last = last.map(AccountId).max(newest).unwrap_or_default();
    Ok(StoredAccounts { accounts, last, resting: load_resting(connection)? })
}

/// The valid tokens of each account.
fn load_tokens(connection: &Connection) -> rusqlite::Result<BTreeMap<AccountId, Vec<TokenRecord>>> {
    let sql =
        "SELECT account, token, verifier, label, created, expires, used FROM account_tokens ORDER BY account, token";
    let mut rows = connection.prepare(sql)?;
    let mut rows = rows.query([])?;
    let mut tokens: BTreeMap<_, Vec<_>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let read = || {
            let label = TokenLabel::new(Text::new(&read_text(row, 3)?).ok()?).ok()?;
            Some(TokenRecord {
                id: AccountTokenId(read_number(row, 1)?),
                verifier: Verifier::from_bytes(row.get_ref(2).ok()?.as_blob().ok()?.try_into().ok()?),
                label,
                created_at: read_time(row, 4)?,
                expires_at: read_time(row, 5)?,
                last_used_on: read_text(row, 6).and_then(|date| Day::parse(&date)),
            })
        };
        if let Some((account, token)) = read_number(row, 0).map(AccountId).zip(read()) {
            tokens.entry(account).or_default().push(token);
        }
    }
    Ok(tokens)
}

fn load_resting(connection: &Connection) -> rusqlite::Result<Vec<(Name, Timestamp)>> {
    let mut rows = connection.prepare("SELECT name, until FROM resting_names ORDER BY rowid")?;
    let mut rows = rows.query([])?;
    let mut resting = Vec::new();
    while let Some(row) = rows.next()? {
        let name = read_text(row, 0).and_then(|name| Name::new(&name).ok());
        resting.extend(name.zip(read_time(row, 1)));
    }
    Ok(resting)
}

/// Reads the number of an account or of a token; `None` if another program wrote something else.
fn read_number(row: &Row<'_>, column: usize) -> Option<u32> {
    row.get_ref(column).ok()?.as_i64().ok()?.try_into().ok()
}

fn read_text(row: &Row<'_>, column: usize) -> Option<String> {
    Some(row.get_ref(column).ok()?.as_str().ok()?.to_owned())
}

fn read_time(row: &Row<'_>, column: usize) -> Option<Timestamp> {
    Timestamp::parse(&read_text(row, column)?)
}

/// Carries out changes. Returns false if the file lacks an account that must be there.
pub(super) fn apply(transaction: &Transaction<'_>, writes: &[AccountWrite]) -> rusqlite::Result<bool> {
    let mut has_all = true;
    for write in writes {
        has_all &= apply_one(transaction, write)?;
    }
    Ok(has_all)
}

fn apply_one(transaction: &Transaction<'_>, write: &AccountWrite) -> rusqlite::Result<bool> {
    let run = |sql: &str, values: &[&dyn ToSql]| -> rusqlite::Result<usize> {
        transaction.prepare_cached(sql)?.execute(values)
    };
    match write {
        AccountWrite::Insert(record) => {
            let AccountRecord { id, name, password, generation, role, created_at, last_token, tokens: _ } = record;
            let (name, password, role) = (name.as_str(), password.as_str(), role.as_str());
            let created = created_at.to_string();
            // A row with this name could not be loaded, because another program wrote it.
            let sql = "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?)";
            run(sql, params![id.0, name, password, generation, created, last_token.0, role])?;
            run("UPDATE state SET value = max(value, ?) WHERE key = ?", params![id.0, LAST_ACCOUNT])?;
        }
        AccountWrite::SetPassword(id, password, generation) => {
            let sql = "UPDATE accounts SET password = ?, generation = ? WHERE account = ?";
            return Ok(run(sql, params![password.as_str(), generation, id.0])? == 1);
        }
        AccountWrite::SetRole(id, role) => {
            let sql = "UPDATE accounts SET role = ? WHERE account = ?";
            return Ok(run(sql, params![role.as_str(), id.0])? == 1);
        }
        AccountWrite::Delete(id) => {
            run("DELETE FROM account_tokens WHERE account = ?", params![id.0])?;
            run("DELETE FROM accounts WHERE account = ?", params![id.0])?;
        }
        AccountWrite::InsertToken(account, token) => {
            let TokenRecord { id, verifier, label, created_at, expires_at, last_used_on } = token;
            let (created, expires) = (created_at.to_string(), expires_at.to_string());
            let used = last_used_on.map(|day| day.to_string());
            let sql = "INSERT OR REPLACE INTO account_tokens VALUES (?, ?, ?, ?, ?, ?, ?)";
            run(sql, params![account.0, id.0, verifier.as_bytes(), label.as_str(), created, expires, used])?;
            let sql = "UPDATE accounts SET last_token = ? WHERE account = ?";
            return Ok(run(sql, params![id.0, account.0])? == 1);
        }
        AccountWrite::DeleteToken(account, token) => {
            run("DELETE FROM account_tokens WHERE account = ? AND token = ?", params![account.0, token.0])?;
        }
        AccountWrite::SetTokenUse(account, token, on) => {
            let sql = "UPDATE account_tokens SET used = ? WHERE account = ? AND token = ?";
            run(sql, params![on.to_string(), account.0, token.0])?;
        }
        AccountWrite::InsertRest(name, until) => {
            run("INSERT OR REPLACE INTO resting_names VALUES (?, ?)", params![name.as_str(), until.to_string()])?;
        }
        AccountWrite::DeleteRest(name) => {
            run("DELETE FROM resting_names WHERE name = ?", params![name.as_str()])?;
        }
    }
    Ok(true)
}
