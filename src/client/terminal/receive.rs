//! The thread `receive`: connects, asks for another address or a nickname where needed, reads the connection, and prints.

use std::time::Duration;

use futures_lite::FutureExt as _;
use futures_lite::future::{or, pending};

use super::Shared;
use crate::client::address::ServerAddress;
use crate::client::arguments::ClientOptions;
use crate::client::connection::ServerConnection;
use crate::client::membership::Membership;
use crate::client::rooms_progress::RoomsProgress;
use crate::client::trust::TlsOptions;
use crate::client::{Exit, ExitCode};
use crate::command_line::quoted;
use crate::limits::HISTORY_REPLAYED_DEFAULT;
use crate::protocol::{InvalidPassword, Name, Password, RoomName};

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
    let Some((address, name)) = or(left, async { Some(enter(shared, &mut connection, options).await) }).await else {
        // The server may have granted a nickname already, and would keep it reserved.
        connection.quit().await;
        return Ok(());
    };
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

/// Connects and takes a nickname; asks for another address or nickname until both are accepted.
async fn enter(shared: &Shared, connection: &mut ServerConnection, options: &ClientOptions) -> (ServerAddress, Name) {
    let printer = &shared.display.printer;
    let (mut address, mut nick) = (options.address.clone(), options.nick.clone());
    // An attacker who breaks the handshake brings the user to the prompt for another address: it must not lead to plain TCP.
    let is_required = options.tls.is_required || address.is_tls();
    let tls = TlsOptions { is_required, ..options.tls.clone() };
    let (mut is_connected, mut is_second_try) = (false, false);
    loop {
        if !is_connected {
            match connection.open_resumable(&address).await {
                Ok(()) => is_connected = true,
                Err(Exit(ExitCode::Password, why)) if connection.can_give_password() => {
                    // The server does not wait for the user: the password is given on a new connection.
                    connection.close();
                    connection.password = Some(ask_password(shared, connection.password.take().map(|_| why)).await);
                    continue;
                }
                Err(Exit(_, why)) => {
                    printer.warn(why);
                    let next = ask_address(shared, address.clone(), &tls).await;
                    if next != address {
                        // The password is for the server at the old address.
                        (connection.password, address) = (None, next);
                    }
                    continue;
                }
            }
        }
        let raw = match nick.take() {
            Some(raw) => raw,
            None => {
                // While the user types a nickname, the connection replies to PING.
                let lost = async {
                    let Exit(_, why) = loop {
                        if let Err(end) = connection.next(false).await {
                            break end;
                        }
                    };
                    printer.warn(format!("{why}; your nickname will be used on a new connection"));
                    is_connected = false;
                    pending().await
                };
                is_second_try = false;
                shared.ask("your nickname: ").or(lost).await
            }
        };
        if !is_connected && !is_second_try {
            (nick, is_second_try) = (Some(raw), true);
            continue;
        }
        match connection.take_name(&raw, &RoomName::lobby()).await {
            Ok(Ok(name)) => return (address, name),
            // Without the hint, which suggests a command: this prompt accepts only a nickname.
            Ok(Err(refusal)) => printer.warn(refusal.problem),
            Err(Exit(_, why)) => {
                printer.warn(why);
                is_connected = false;
                // Tries the nickname once more, on a new connection.
                nick = (!is_second_try).then_some(raw);
                is_second_try = true;
            }
        }
    }
}

/// Asks for the password of the server until the user types a valid one. `refusal`: why the server refused the one before.
async fn ask_password(shared: &Shared, refusal: Option<String>) -> Password {
    let printer = &shared.display.printer;
    if let Some(why) = refusal {
        printer.warn(why);
    }
    loop {
        match Password::new(&shared.ask_secret("password of the server: ", "connecting...").await) {
            Ok(password) => return password,
            Err(InvalidPassword::Missing) => printer.warn("the password is missing".to_owned()),
            Err(InvalidPassword::TooLong | InvalidPassword::ControlCharacter) => {
                printer.warn("the password is wrong".to_owned());
            }
        }
    }
}

/// Asks for another address until the user types a valid one; Enter alone keeps the last one.
async fn ask_address(shared: &Shared, last: ServerAddress, tls: &TlsOptions) -> ServerAddress {
    loop {
        let raw = shared.ask("another address, or Enter to try again: ").await;
        match ServerAddress::parse(&raw, tls) {
            _ if raw.is_empty() => return last,
            Ok(address) => return address,
            Err(why) => shared.display.printer.warn(format!("invalid server {}: {why}", quoted(&raw))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;
    use crate::client::editor::Screen;
    use crate::client::render::LineFormat;
    use crate::client::terminal::tty::size;

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
        let options =
            ClientOptions { address, tls: TlsOptions::default(), nick, room, password: None, json: false, format };
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
