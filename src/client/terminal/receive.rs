//! The thread `receive`: connects, asks for an address and a nickname if they are missing, reads the connection, and prints.

use std::time::Duration;

use futures_lite::FutureExt as _;
use futures_lite::future::{or, pending};

use super::Shared;
use crate::client::Exit;
use crate::client::arguments::ClientOptions;
use crate::client::connection::ServerConnection;
use crate::client::membership::Membership;
use crate::client::read_progress::ReadProgress;
use crate::command_line::{parse_server, quoted};
use crate::limits::HISTORY_REPLAYED_DEFAULT;
use crate::protocol::Name;

/// Chats until the connection is lost for good or the user has left. Prints meanwhile.
pub(super) async fn run(shared: &Shared, options: &ClientOptions, retry: Option<Duration>) -> Result<(), Exit> {
    let printing = async { match shared.display.run(&shared.chat).await {} };
    or(chat(shared, options, retry), printing).await
}

async fn chat(shared: &Shared, options: &ClientOptions, retry: Option<Duration>) -> Result<(), Exit> {
    let (mut connection, leaving) = (ServerConnection::new(shared.chat.leaving()), shared.chat.leaving());
    let left = async {
        // Nothing is ever sent: this returns when the channel is closed.
        let _ = leaving.recv().await;
        None
    };
    let Some((address, name)) = or(left, async { Some(enter(shared, &mut connection, options).await) }).await else {
        // The server may already have given a nickname, and would keep it reserved.
        connection.quit().await;
        return Ok(());
    };
    shared.start_chat();
    let mut membership =
        Membership::new(connection, address, name, ReadProgress::from_now(HISTORY_REPLAYED_DEFAULT), retry).await;
    let print = |item: &_| {
        shared.display.printer.print(item);
        Ok(())
    };
    let ended = shared.chat.run(&mut membership, false, print).await;
    membership.quit().await;
    ended
}

/// Connects and takes a nickname; asks for another address or nickname until both are accepted.
async fn enter(shared: &Shared, connection: &mut ServerConnection, options: &ClientOptions) -> (String, Name) {
    let printer = &shared.display.printer;
    let (mut address, mut nick) = (options.address.clone(), options.nick.clone());
    let (mut is_connected, mut is_second_try) = (false, false);
    loop {
        if !is_connected {
            if let Err(Exit(_, why)) = connection.open_resumable(&address).await {
                printer.warn(why);
                address = ask_address(shared, address).await;
                continue;
            }
            is_connected = true;
        }
        let raw = match nick.take() {
            Some(raw) => raw,
            None => {
                // While the nickname is typed, the server's PINGs are answered.
                let heard = async {
                    let Exit(_, why) = loop {
                        if let Err(end) = connection.next(false).await {
                            break end;
                        }
                    };
                    printer.warn(format!("{why}; the name you type is used on a new connection"));
                    is_connected = false;
                    pending().await
                };
                is_second_try = false;
                shared.ask("your name: ").or(heard).await
            }
        };
        if !is_connected && !is_second_try {
            (nick, is_second_try) = (Some(raw), true);
            continue;
        }
        match connection.take_name(&raw).await {
            Ok(Ok(name)) => return (address, name),
            // The hint suggests a command, which this prompt does not accept.
            Ok(Err(refusal)) => printer.warn(refusal.what),
            Err(Exit(_, why)) => {
                printer.warn(why);
                is_connected = false;
                // The nickname is tried once more, on a new connection.
                nick = (!is_second_try).then_some(raw);
                is_second_try = true;
            }
        }
    }
}

/// Asks for another address until a valid one is typed; Enter alone keeps the last one.
async fn ask_address(shared: &Shared, last: String) -> String {
    loop {
        let raw = shared.ask("another address, or Enter to try again: ").await;
        match parse_server(&raw) {
            _ if raw.is_empty() => return last,
            Ok(address) => return address,
            Err(why) => shared.display.printer.warn(format!("invalid server {}: {why}", quoted(&raw))),
        }
    }
}
