//! The thread `receive`: joins, reads the connection, and prints.

use std::time::Duration;

use futures_lite::future::or;

use super::Shared;
use super::enter::Entrance;
use crate::client::Exit;
use crate::client::arguments::ClientOptions;
use crate::client::connection::ServerConnection;
use crate::client::membership::Membership;
use crate::client::rooms_progress::RoomsProgress;
use crate::limits::HISTORY_REPLAYED_DEFAULT;
use crate::protocol::RoomName;

/// Joins and chats until the connection is lost for good or the user leaves; prints meanwhile.
pub(super) async fn run(shared: &Shared, options: &ClientOptions, retry: Option<Duration>) -> Result<(), Exit> {
    let printing = async { match shared.display.run(&shared.chat).await {} };
    or(chat(shared, options, retry), printing).await
}

async fn chat(shared: &Shared, options: &ClientOptions, retry: Option<Duration>) -> Result<(), Exit> {
    let (mut connection, leaving) = (ServerConnection::new(shared.chat.leaving()), shared.chat.leaving());
    connection.password.clone_from(&options.password);
    let left = async {
        // Nothing is ever sent: this returns when the channel is closed.
        let _ = leaving.recv().await;
        None
    };
    let enter = async { Some(Entrance::new(shared, &mut connection, options).enter().await) };
    let Some((address, name)) = or(left, enter).await else {
        // The server may have granted a nickname already, and would keep it reserved.
        connection.quit().await;
        return Ok(());
    };
    shared.chat.with_state(|state| state.set_account(connection.account.clone()));
    shared.start_chat().await;
    let rooms = RoomsProgress::from_now(RoomName::lobby(), HISTORY_REPLAYED_DEFAULT);
    let mut membership = Membership::new(connection, address, Some(name), rooms, retry).await;
    let print = |item: &_| {
        shared.display.printer.print(item);
        Ok(())
    };
    let ended = shared.chat.run(&mut membership, false, print).await;
    membership.quit().await;
    ended
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;
    use crate::client::address::ServerAddress;
    use crate::client::editor::Screen;
    use crate::client::render::LineFormat;
    use crate::client::terminal::tty::size;
    use crate::client::trust::TlsOptions;
    use crate::protocol::Password;

    const DEADLINE: Duration = Duration::from_secs(20);

    /// The replies to the commands by which the client joins, then a message and a `PING`.
    const LINES: &str = "HELLO chinwag/1 hi\nOK SET tags on\nERR SET unknown-setting x\nOK NICK al\nOK HISTORY 0 last=0\n\
                         MSG bob hi\nPING x\n";

    #[test]
    fn password_is_sent_to_no_other_address() {
        let [first, second] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [address, other] = [&first, &second].map(|listener| listener.local_addr().unwrap().to_string());
        let options = ClientOptions {
            address: ServerAddress::Tcp(address),
            tls: TlsOptions::default(),
            nick: Some("al".to_owned()),
            room: RoomName::lobby(),
            password: Password::new("hunter2").ok(),
            account: None,
            stop: None,
            json: false,
            format: LineFormat::default(),
        };
        let shared = Arc::new(Shared::new(options.format));
        shared.answers.0.try_send(other).unwrap();
        let joining = Arc::clone(&shared);
        let client = thread::spawn(move || smol::block_on(chat(&joining, &options, None)));
        let hello = "HELLO chinwag/1 features=secure,password hi\n";
        let (server, _) = first.accept().unwrap();
        (&server).write_all(hello.as_bytes()).unwrap();
        (&server).write_all(b"ERR PASS too-many-attempts try again in 6 s\n").unwrap();
        server.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut lines = BufReader::new(server.try_clone().unwrap()).lines().map(Result::unwrap);
        assert_eq!(lines.next().as_deref(), Some("PASS hunter2"));
        let (server, _) = second.accept().unwrap();
        (&server).write_all(hello.as_bytes()).unwrap();
        server.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut lines = BufReader::new(server.try_clone().unwrap()).lines().map(Result::unwrap);
        assert_eq!(lines.next(), None, "it asks the user first");
        shared.chat.leaving().close();
        client.join().unwrap().unwrap();
    }

    #[test]
    fn busy_editor_delays_printing_only() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = ServerAddress::Tcp(listener.local_addr().unwrap().to_string());
        let format = LineFormat::default();
        let (nick, room) = (Some("al".to_owned()), RoomName::lobby());
        let (tls, password, account, stop) = (TlsOptions::default(), None, None, None);
        let options = ClientOptions { address, tls, nick, room, password, account, stop, json: false, format };
        let shared = Arc::new(Shared::new(format));
        let busy = shared.display.editor.lock_blocking();
        let (print, printed) = mpsc::channel();
        let receiving = Arc::clone(&shared);
        thread::spawn(move || {
            let Shared { chat: shared_chat, display, .. } = &*receiving;
            // Without a terminal: the texts go to the test.
            let printing = async {
                let mut screen = Screen::new(size(), format);
                loop {
                    display.printer.wait().await;
                    print.send(display.next_text(&mut screen, shared_chat).await).unwrap();
                }
            };
            smol::block_on(or(chat(&receiving, &options, Some(Duration::ZERO)), printing)).unwrap();
        });
        let (server, _) = listener.accept().unwrap();
        server.set_read_timeout(Some(DEADLINE)).unwrap();
        (&server).write_all(LINES.as_bytes()).unwrap();
        let mut lines = BufReader::new(server.try_clone().unwrap()).lines().map(Result::unwrap);
        lines.find(|line| line == "PONG x").expect("the client answers PING");
        assert!(printed.try_recv().is_err(), "nothing is printed meanwhile");
        drop(busy);
        let mut text = String::new();
        while !text.contains("bob: hi") {
            text += &printed.recv_timeout(DEADLINE).expect("the message is printed");
        }
    }
}
