//! The server is stopped and started again under load, as an upgrade does it. Its clients notice a pause, and nothing else.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{DEADLINE, EPOCH, Server};

const CLIENTS: usize = 10;
const MESSAGES_PER_SECOND: u32 = 50;
/// Messages of each client.
const QUOTA: usize = 150;
const TOTAL: usize = CLIENTS * QUOTA;
/// The server is replaced when this many messages were delivered.
const UPGRADES_AT: [usize; 2] = [TOTAL / 3, TOTAL * 2 / 3];

/// Each client sends 50 messages a second, and comes back with `RESUME`, `NICK` and `SINCE`. It sends a message again only if the room
/// does not have it.
#[test]
fn upgrades_under_load_lose_and_repeat_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    let data = path.to_str().expect("a path");
    let mut server = Server::with(&["--data", data]);
    let (to_clients, clients): (Vec<_>, Vec<_>) = (0..CLIENTS)
        .map(|number| {
            let (to_client, addresses) = mpsc::channel();
            to_client.send(server.address).expect("the client runs");
            (to_client, thread::spawn(move || ScriptClient::new(number, addresses).run()))
        })
        .unzip();
    let mut delivered = 0;
    for upgrade_at in UPGRADES_AT {
        let mut observer = server.connect();
        observer.send_bytes(format!("SET tags on\nWATCH\nSINCE {delivered} {EPOCH}\n").as_bytes());
        while delivered < upgrade_at {
            let line = observer.next().expect("the server is not stopped yet");
            let mut words = line.split(' ').map(|word| word.trim_start_matches('@'));
            let id = match (words.next(), words.next(), words.next()) {
                (Some("PAST"), Some(id), _) | (Some(id), Some(_), Some("MSG")) => id,
                _ => continue,
            };
            delivered = id.parse::<usize>().expect("an id").max(delivered);
        }
        // The server waits for clients that do not close their end.
        drop(observer);
        server.signal("-TERM");
        assert!(server.wait().0.success());
        server = Server::with(&["--data", data]);
        for to_client in &to_clients {
            to_client.send(server.address).expect("the client runs");
        }
    }
    let mut pauses = Vec::new();
    let mut first: Option<Vec<String>> = None;
    for client in clients {
        let client = client.join().expect("a client");
        assert_eq!(client.stream.iter().collect::<BTreeSet<_>>().len(), TOTAL, "each message once");
        for (id, text) in client.acknowledged {
            assert_eq!(client.stream[id - 1], text, "{id} was acknowledged");
        }
        let stream = first.get_or_insert_with(|| client.stream.clone());
        assert_eq!(*stream, client.stream, "one order");
        pauses.extend(client.pauses);
    }
    pauses.sort_unstable();
    assert_eq!(pauses.len(), CLIENTS * UPGRADES_AT.len());
    println!("pauses: median {:?}, longest {:?}", pauses[pauses.len() / 2], pauses[pauses.len() - 1]);
}

/// A client as a script would be: it knows the last id that it has read, and which of its messages were acknowledged.
struct ScriptClient {
    nick: String,
    addresses: Receiver<SocketAddr>,
    /// The texts of all messages, by id.
    stream: Vec<String>,
    /// Messages with the ids of their replies.
    acknowledged: Vec<(usize, String)>,
    /// Messages that the room may not have, the oldest first.
    unacknowledged: Vec<String>,
    sent: usize,
    resume_token: Option<String>,
    /// From the last line of each connection to the reply of `SINCE` on the next one.
    pauses: Vec<Duration>,
}

impl ScriptClient {
    fn new(number: usize, addresses: Receiver<SocketAddr>) -> Self {
        let (stream, acknowledged, unacknowledged, pauses) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let nick = format!("client{number}");
        Self { nick, addresses, stream, acknowledged, unacknowledged, sent: 0, resume_token: None, pauses }
    }

    /// Reads and sends, on one connection after the other, until the client has read all messages of all clients.
    fn run(mut self) -> Self {
        let mut lost_at = None;
        while self.stream.len() < TOTAL {
            let address = self.addresses.recv_timeout(DEADLINE).expect("a server");
            let mut connection = Connection::open(address);
            self.catch_up(&mut connection);
            self.pauses.extend(lost_at.map(|lost_at: Instant| lost_at.elapsed()));
            self.chat(&mut connection);
            lost_at = Some(Instant::now());
        }
        self
    }

    /// Takes the nickname, reads what was missed, and sends again what the room does not have.
    fn catch_up(&mut self, connection: &mut Connection) {
        connection.send("SET tags on\nSET echo on\n");
        if let Some(token) = self.resume_token.take() {
            // Members do not survive a restart.
            connection.send(&format!("RESUME {token}\n"));
            connection.until("ERR RESUME token-unknown ", |_| {});
        }
        connection.send(&format!("NICK {}\nSET resume on\nSINCE {} {EPOCH}\n", self.nick, self.stream.len()));
        let token = connection.until("OK SET resume on ", |_| {});
        self.resume_token = Some(token);
        // Events before the reply of SINCE may be in it, too.
        let mut early = Vec::new();
        connection.until("OK SINCE ", |line| match line.strip_prefix("PAST ") {
            Some(past) => self.read_message(past, 1),
            None => early.push(line.to_owned()),
        });
        for line in early {
            self.read_event(&line);
        }
        for text in self.unacknowledged.clone() {
            connection.send(&format!("MSG {text}\n"));
        }
    }

    /// Sends at the rate, and reads events, until the server closes the connection, or the client has everything.
    fn chat(&mut self, connection: &mut Connection) {
        let period = Duration::from_secs(1) / MESSAGES_PER_SECOND;
        let mut next_at = Instant::now();
        while self.stream.len() < TOTAL {
            if self.sent < QUOTA && next_at <= Instant::now() {
                let text = format!("message {} of {}", self.sent, self.nick);
                connection.send(&format!("MSG {text}\n"));
                self.unacknowledged.push(text);
                self.sent += 1;
                next_at += period;
            }
            let deadline = if self.sent < QUOTA { next_at } else { Instant::now() + DEADLINE };
            match connection.next_before(deadline) {
                Next::Line(line) => self.read_event(&line),
                Next::Timeout => assert!(self.sent < QUOTA, "no line within {DEADLINE:?}"),
                Next::End => return,
            }
        }
    }

    fn read_event(&mut self, line: &str) {
        if let Some(id) = line.strip_prefix("OK MSG ") {
            let id: usize = id.parse().expect("an id");
            // The event of the message came before.
            self.acknowledged.push((id, self.stream[id - 1].clone()));
        } else if let Some((tag, rest)) = line.strip_prefix('@').and_then(|line| line.split_once(' '))
            && rest.split(' ').nth(1) == Some("MSG")
        {
            self.read_message(&format!("{tag} {rest}"), 2);
        } else {
            assert!(!line.starts_with("ERR"), "{line}");
        }
    }

    /// Reads `id time [MSG] name text`; the name is the word after `before` further ones.
    fn read_message(&mut self, message: &str, before: usize) {
        let mut words = message.splitn(before + 3, ' ');
        let id: usize = words.next().and_then(|id| id.parse().ok()).expect("an id");
        let (name, text) = (words.nth(before).expect("a name"), words.next().expect("a text"));
        if id <= self.stream.len() {
            assert_eq!(self.stream[id - 1], text, "{id} has two texts");
            return;
        }
        assert_eq!(id, self.stream.len() + 1, "{} misses a message", self.nick);
        self.stream.push(text.to_owned());
        if name == self.nick {
            assert_eq!(self.unacknowledged.remove(0), text, "own messages keep their order");
        }
    }
}

struct Connection {
    reader: BufReader<TcpStream>,
    line: Vec<u8>,
}

enum Next {
    Line(String),
    Timeout,
    End,
}

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self { reader: BufReader::new(stream), line: Vec::new() }
    }

    /// Sends lines. A connection that has ended is noticed by the reader.
    fn send(&mut self, lines: &str) {
        let _ = self.reader.get_ref().write_all(lines.as_bytes());
    }

    fn next_before(&mut self, deadline: Instant) -> Next {
        let time = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.reader.get_ref().set_read_timeout(Some(time)).expect("a timeout");
        match self.reader.read_until(b'\n', &mut self.line) {
            Ok(_) if self.line.pop() == Some(b'\n') => {
                Next::Line(String::from_utf8(std::mem::take(&mut self.line)).expect("UTF-8"))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Next::Timeout,
            // The end, orderly or not.
            _ => Next::End,
        }
    }

    /// Reads up to a line that begins like this, and passes the lines before it on. Returns the rest of the line.
    fn until(&mut self, start: &str, mut read: impl FnMut(&str)) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let Next::Line(line) = self.next_before(deadline) else { panic!("no {start:?}") };
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
            read(&line);
        }
    }
}
