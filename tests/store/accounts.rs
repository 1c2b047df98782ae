//! Accounts on a server that is killed at any moment.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{Client, Server};

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
