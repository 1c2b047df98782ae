//! Tests of the accounts in a file.

use super::*;
use crate::protocol::{AccountId, AccountTokenId, Day, PasswordHash, Role, TokenLabel, Verifier};

const ANN: AccountId = AccountId(1);
const BOB: AccountId = AccountId(2);

fn name(raw: &str) -> Name {
    Name::new(raw).unwrap()
}

fn hash(word: &str) -> PasswordHash {
    PasswordHash::new(&format!("$argon2id${word}")).unwrap()
}

pub(super) fn account(id: AccountId, raw: &str) -> AccountRecord {
    let last_token = AccountTokenId(0);
    AccountRecord {
        id,
        name: name(raw),
        password: hash("first"),
        generation: 0,
        role: Role::User,
        created_at: NOW,
        last_token,
        tokens: vec![],
    }
}

fn token(id: u32) -> TokenRecord {
    TokenRecord {
        id: AccountTokenId(id),
        verifier: Verifier::from_bytes([u8::try_from(id).unwrap(); 32]),
        label: TokenLabel::new(Text::new("build server").unwrap()).unwrap(),
        created_at: NOW,
        expires_at: Timestamp(NOW.0 + 1),
        last_used_on: None,
    }
}

fn commit_accounts(store: &Store, accounts: Vec<AccountWrite>) {
    assert_eq!(try_commit(store, Batch { accounts, ..Batch::default() }), Ok(()));
}

/// Closes the store, and opens the file again.
fn reopen(store: Store, path: &Path) -> (Store, StoredAccounts) {
    close(store);
    let (store, found) = open_in_turn(path);
    (store, found.accounts)
}

#[test]
fn reopened_store_has_accounts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, found) = open(&path, Retention::All).unwrap();
    assert_eq!(found.accounts, StoredAccounts::default());
    let writes = [
        AccountWrite::Insert(account(ANN, "ann")),
        AccountWrite::Insert(account(BOB, "Ёлка")),
        AccountWrite::InsertToken(ANN, token(1)),
        AccountWrite::InsertToken(ANN, token(2)),
        AccountWrite::InsertToken(BOB, token(1)),
        AccountWrite::InsertRest(name("eve"), Timestamp(NOW.0 + 5)),
        AccountWrite::InsertRest(name("adam"), Timestamp(NOW.0 + 4)),
    ];
    commit_accounts(&store, writes.into());
    let (store, found) = reopen(store, &path);
    let last_token = AccountTokenId(2);
    let ann = AccountRecord { last_token, tokens: vec![token(1), token(2)], ..account(ANN, "ann") };
    let bob = AccountRecord { last_token: AccountTokenId(1), tokens: vec![token(1)], ..account(BOB, "Ёлка") };
    assert_eq!((&found.accounts, found.last), (&vec![ann.clone(), bob], BOB));
    assert_eq!(found.resting, [(name("eve"), Timestamp(NOW.0 + 5)), (name("adam"), Timestamp(NOW.0 + 4))]);
    let day = Day::from(NOW);
    let writes = [
        AccountWrite::SetPassword(ANN, hash("second"), 7),
        AccountWrite::DeleteToken(ANN, AccountTokenId(2)),
        AccountWrite::SetTokenUse(ANN, AccountTokenId(1), day),
        AccountWrite::Delete(BOB),
        AccountWrite::DeleteRest(name("eve")),
    ];
    commit_accounts(&store, writes.into());
    let (store, found) = reopen(store, &path);
    let used = TokenRecord { last_used_on: Some(day), ..token(1) };
    let ann = AccountRecord { password: hash("second"), generation: 7, tokens: vec![used], ..ann };
    assert_eq!((found.accounts, found.last), (vec![ann], BOB), "the number of the deleted account is not forgotten");
    assert_eq!(found.resting, [(name("adam"), Timestamp(NOW.0 + 4))]);
    close(store);
    let file = Connection::open(&path).unwrap();
    let tokens: u32 = file.query_row("SELECT count(*) FROM account_tokens", [], |row| row.get(0)).unwrap();
    assert_eq!(tokens, 1, "the tokens of a deleted account are deleted");
}

/// Also the last number is as before: the next try gets it.
#[test]
fn batch_that_fails_changes_no_account() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    commit(&store, vec![past(1, "one")]);
    let accounts = vec![AccountWrite::Insert(account(ANN, "ann"))];
    let failed = try_commit(&store, Batch { accounts, ..lobby_batch(vec![past(1, "again")]) });
    assert!(failed.unwrap_err().contains("UNIQUE"));
    for write in [AccountWrite::SetPassword(ANN, hash("x"), 1), AccountWrite::InsertToken(ANN, token(1))] {
        let batch = Batch { accounts: vec![write], ..lobby_batch(vec![past(2, "two")]) };
        assert_eq!(try_commit(&store, batch), Err("the store's file lacks an account that was changed".to_owned()));
    }
    let (store, found) = reopen(store, &path);
    assert_eq!(found, StoredAccounts::default());
    assert_eq!(query(&store, Query::After(MessageId(0)), 9).ids(), [1]);
    close(store);
}

/// Clients and the operator read the errors.
#[test]
fn errors_and_debug_output_have_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let writes = [
        AccountWrite::Insert(account(ANN, "ann")),
        AccountWrite::SetPassword(ANN, hash("second"), 7),
        AccountWrite::InsertToken(ANN, TokenRecord { verifier: Verifier::from_bytes([0xab; 32]), ..token(3) }),
    ];
    for write in writes {
        Connection::open(&path).unwrap().execute_batch("ALTER TABLE accounts RENAME TO gone").unwrap();
        let shown = format!("{write:?}");
        let error = try_commit(&store, Batch { accounts: vec![write], ..Batch::default() }).unwrap_err();
        for secret in ["argon2", "first", "second", "abab", "171"] {
            assert!(!error.contains(secret) && !shown.contains(secret), "{secret}: {error}; {shown}");
        }
        Connection::open(&path).unwrap().execute_batch("ALTER TABLE gone RENAME TO accounts").unwrap();
    }
    close(store);
}

/// A damaged hash must not free the name, and a damaged token must not log in.
#[test]
fn rows_of_other_programs_are_read_with_caution() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    let (store, _) = open(&path, Retention::All).unwrap();
    let carol = AccountId(3);
    let writes = [
        AccountWrite::Insert(account(ANN, "ann")),
        AccountWrite::Insert(account(BOB, "bob")),
        AccountWrite::Insert(account(carol, "carol")),
        AccountWrite::InsertToken(carol, token(1)),
        AccountWrite::InsertToken(carol, token(2)),
    ];
    commit_accounts(&store, writes.into());
    close(store);
    let damage = "UPDATE accounts SET name = 'a b' WHERE account = 1;
        UPDATE accounts SET password = x'00', generation = 'x', created = 'yesterday' WHERE account = 2;
        UPDATE accounts SET last_token = 0 WHERE account = 3;
        UPDATE account_tokens SET verifier = x'01' WHERE token = 1;
        UPDATE accounts SET role = 'king' WHERE account = 3;
        INSERT INTO accounts VALUES (-1, 'x', '$x', 0, 'x', 0, ''), (0, 'z', '$z', 0, 'z', 0, ''), (5000000000, 'y', '$y', 0, 'y', 0, '');
        INSERT INTO resting_names VALUES ('a b', '2027-01-01T00:00:00Z'), ('eve', 'tomorrow')";
    Connection::open(&path).unwrap().execute_batch(damage).unwrap();
    let (store, found) = open_in_turn(&path);
    let (created_at, password) = (Timestamp::default(), PasswordHash::unusable());
    let bob = AccountRecord { password, created_at, ..account(BOB, "bob") };
    let carol = AccountRecord { last_token: AccountTokenId(2), tokens: vec![token(2)], ..account(carol, "carol") };
    assert_eq!((found.accounts.accounts, found.accounts.last), (vec![bob, carol], AccountId(3)));
    assert_eq!(found.accounts.resting, []);
    close(store);
}
