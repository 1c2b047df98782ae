//! Accounts in the file of a server: after a kill at any moment, and for other users of the machine.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::common::{Client, Server};
use crate::paths::serve;

const KILLS: usize = 6;
const NAMES: [&str; 6] = ["ann", "bob", "carol", "dave", "erin", "frank"];
const PASSWORD: &str = "correct horse battery";

/// The numbers of the accounts in the file, by name.
fn stored(path: &Path) -> BTreeMap<String, u32> {
    let file = rusqlite::Connection::open(path).expect("the file opens");
    let mut rows = file.prepare("SELECT name, account FROM accounts").expect("a statement");
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("accounts");
    rows.collect::<rusqlite::Result<_>>().expect("accounts")
}

/// The name of the account that the client has registered, if the server has replied.
fn registered(client: &mut Client) -> Option<String> {
    let line = std::iter::from_fn(|| client.next_if_any()).find(|line| line.starts_with("OK REGISTER "));
    line.map(|line| line["OK REGISTER ".len()..].to_owned())
}

/// An account that was not acknowledged may be there, too. No number is given twice.
#[test]
fn acknowledged_accounts_survive_kills() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let data = path.to_str().expect("a path");
    let seed = std::env::var("CHINWAG_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a number"));
    println!("CHINWAG_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut acknowledged, mut last) = (Vec::new(), 0);
    for round in 0..KILLS {
        let server = Server::with(&["--data", data]);
        let mut clients: Vec<_> = NAMES.iter().map(|name| server.join(&format!("{name}-{round}"))).collect();
        for client in &mut clients {
            client.send(&format!("REGISTER {PASSWORD}"));
        }
        let quota = random.usize(1..=NAMES.len());
        for client in &mut clients[..quota] {
            let line = client.until_start("OK REGISTER ");
            acknowledged.push(line["OK REGISTER ".len()..].to_owned());
        }
        server.signal("-KILL");
        acknowledged.extend(clients[quota..].iter_mut().filter_map(registered));
        drop(server);
        let accounts = stored(&path);
        assert!(acknowledged.iter().all(|name| accounts.contains_key(name)), "{acknowledged:?}, not {accounts:?}");
        let new: Vec<_> = accounts.iter().filter(|(name, _)| name.ends_with(&format!("-{round}"))).collect();
        assert!(new.iter().all(|(_, number)| **number > last), "numbers up to {last} were given: {new:?}");
        last = accounts.values().copied().max().unwrap_or_default();
        assert_eq!(accounts.values().collect::<std::collections::BTreeSet<_>>().len(), accounts.len());
    }
    let server = Server::with(&["--data", data]);
    let mut client = server.connect();
    for name in &acknowledged {
        client.send(&format!("NICK {name}"));
        client.expect_start("ERR NICK name-registered ");
    }
    let name = acknowledged.first().expect("each round has an account");
    client.send(&format!("LOGIN {name} {PASSWORD}"));
    client.expect(&format!("OK LOGIN {name}"));
}

/// The hash of the only password in the file.
fn stored_hash(path: &Path) -> String {
    let file = rusqlite::Connection::open(path).expect("the file opens");
    file.query_row("SELECT password FROM accounts", [], |row| row.get(0)).expect("a hash")
}

#[test]
fn new_store_is_readable_by_its_user_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let start = || Server::spawn(&mut serve(directory.path(), "chat.db"));
    let server = start();
    let mut ann = server.join("ann");
    ann.send("MSG hello");
    ann.until_start("OK MSG ");
    for name in ["chat.db", "chat.db-wal", "chat.db-shm"] {
        let mode = fs::metadata(directory.path().join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} has the mode {mode:o}");
    }
    assert_eq!(server.stop(), "");
    // An operator who has made the file readable keeps it so, and is warned once it has accounts.
    fs::set_permissions(directory.path().join("chat.db"), Permissions::from_mode(0o644)).expect("the mode is set");
    let server = start();
    let mut ann = server.join("ann");
    ann.send(&format!("REGISTER {PASSWORD}"));
    ann.until("OK REGISTER ann");
    assert_eq!(server.stop(), "");
    let log = start().stop();
    assert!(log.contains("every user of this machine can read the store"), "{log:?}");
}

#[test]
fn replaced_and_deleted_passwords_are_overwritten_in_the_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let mut hashes = Vec::new();
    for lines in [
        [format!("REGISTER {PASSWORD}"), "TOKEN new build server of ann".to_owned()].as_slice(),
        &[format!("LOGIN ann {PASSWORD}"), "PASSWORD another good one".to_owned(), "TOKEN revoke 1".to_owned()],
    ] {
        let server = Server::spawn(&mut serve(directory.path(), "chat.db"));
        let mut client = if hashes.is_empty() { server.join("ann") } else { server.connect() };
        for line in lines {
            client.send(line);
            let verb = line.split(' ').next().expect("a verb");
            client.until_start(&format!("OK {verb}"));
        }
        assert_eq!(server.stop(), "");
        hashes.push(stored_hash(&path));
    }
    let server = Server::spawn(&mut serve(directory.path(), "chat.db"));
    let mut client = server.connect();
    client.send("LOGIN ann another good one");
    client.until("OK LOGIN ann");
    client.send("UNREGISTER another good one");
    client.until_start("OK UNREGISTER");
    assert_eq!(server.stop(), "");
    let bytes = fs::read(&path).expect("the file");
    for old in hashes.iter().map(String::as_str).chain(["build server of ann"]) {
        let is_there = bytes.windows(old.len()).any(|window| window == old.as_bytes());
        assert!(!is_there, "the file still has {old:?}");
    }
}
