//! The regular clients: ten that chat, and one that only reads. They check every line that they read.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::common::{Client, DEADLINE, Server};
use crate::history::{self, History};
use crate::latency::Latencies;

/// The last regular client only reads. If the server forgets to wake it, no reply to a line of its own hides that.
pub(crate) const REGULARS: usize = TALKERS + 1;
pub(crate) const TALKERS: usize = 10;

/// Nine lines a second: within the default rate limit.
const LINE_EVERY: Duration = Duration::from_millis(111);

/// Every sixth line is a whisper.
const WHISPER_EVERY: usize = 6;

/// Every thirteenth line of the first regular client changes its nickname.
const RENAME_EVERY: usize = 13;

/// Longest time from a line to its reply, and from a message to its delivery to each regular client.
///
/// The limit shows that no client is starved. It does not measure the server's speed: the test prints that. The limit must hold on a
/// machine with two busy processors. A server that makes a client wait for the end of another client's flood exceeds it tenfold.
pub(crate) const LATENCY_MAX: Duration = Duration::from_secs(5);

pub(crate) struct Regulars {
    all: Vec<Regular>,
    pub(crate) history: History,
    /// Times from a line to its reply.
    pub(crate) answered: Latencies,
    /// Times from a message to its delivery to another regular client.
    pub(crate) arrived: Latencies,
    scratch: Vec<u8>,
}

impl Regulars {
    /// Joins all regular clients, each with its own dialect. They have then read all earlier events.
    pub(crate) fn join(server: &Server) -> Self {
        let mut clients: Vec<_> = (0..REGULARS).map(|number| Dialect::of(number).join(server, number)).collect();
        clients[0].sync();
        clients[0].send("MSG begin");
        let before = clients[0].expect_start("OK MSG ")["OK MSG ".len()..].parse().expect("an id");
        let begin = format!("MSG {} begin", name(0));
        for client in &mut clients[1..] {
            while !client.next().expect("all that happened").trim_end().ends_with(&begin) {}
        }
        let history = History::new(before, (0..REGULARS).map(name));
        let all = clients.iter().enumerate().map(|(number, client)| Regular::new(number, client.stream())).collect();
        let (answered, arrived) = (Latencies::default(), Latencies::default());
        Self { all, history, answered, arrived, scratch: vec![0; 64 * 1024] }
    }

    /// Lets the regular clients chat until `holds` returns true. Returns false if it does not within `deadline`.
    pub(crate) fn chat_until(&mut self, deadline: Duration, mut holds: impl FnMut(&mut Self) -> bool) -> bool {
        let start = Instant::now();
        while !holds(self) {
            if start.elapsed() >= deadline {
                return false;
            }
            for number in 0..TALKERS {
                if self.all[number].next_line_at <= Instant::now() {
                    self.send_line(number);
                }
            }
            let next = self.all[..TALKERS].iter().map(|regular| regular.next_line_at).min().expect("some");
            self.read_for(next.saturating_duration_since(Instant::now()));
        }
        true
    }

    /// Sends nothing more, and reads until every regular client has read everything.
    pub(crate) fn read_everything(&mut self) {
        let start = Instant::now();
        while !self.have_read_everything() {
            assert!(start.elapsed() < DEADLINE, "some have not read everything within {DEADLINE:?}");
            self.read_for(LATENCY_MAX);
        }
    }

    /// Whether every message, whisper, reply and event has reached every regular client that must read it.
    fn have_read_everything(&self) -> bool {
        let all_whispers = (0..REGULARS).all(|reader| {
            self.all.iter().all(|sender| sender.whispers_sent[reader] == self.all[reader].whispers_read[sender.number])
        });
        let up_to_date = |regular: &Regular| regular.due.is_empty() && regular.position == self.history.len();
        all_whispers && self.history.is_complete() && self.all.iter().all(up_to_date)
    }

    /// Sends nothing for `length`, and checks that no line arrives.
    pub(crate) fn expect_silence(&mut self, length: Duration) {
        let end = Instant::now() + length;
        let before = self.lines_read();
        while let Some(rest) = end.checked_duration_since(Instant::now()) {
            self.read_for(rest);
            assert_eq!(self.lines_read(), before, "the server sent a line without a reason");
        }
    }

    pub(crate) fn lines_read(&self) -> usize {
        self.all.iter().map(|regular| regular.lines_read).sum()
    }

    pub(crate) fn whispers(&self) -> usize {
        self.all.iter().flat_map(|regular| &regular.whispers_read).sum()
    }

    /// Reads what arrives within this time.
    fn read_for(&mut self, time: Duration) {
        let mut sockets: Vec<_> = self.all.iter().map(|regular| PollFd::new(&regular.stream, PollFlags::IN)).collect();
        let time = Timespec::try_from(time).expect("a short time");
        poll(&mut sockets, Some(&time)).expect("poll");
        let ready: Vec<_> = sockets.iter().map(|socket| !socket.revents().is_empty()).collect();
        for number in (0..REGULARS).filter(|&number| ready[number]) {
            self.read(number);
        }
        for regular in &self.all {
            let waiting = regular.due.front().map_or(Duration::ZERO, |due| due.since.elapsed());
            assert!(waiting <= LATENCY_MAX, "regular client {}: no reply for {waiting:?}", regular.number);
        }
    }

    fn read(&mut self, number: usize) {
        loop {
            let regular = &mut self.all[number];
            let count = match regular.stream.read(&mut self.scratch) {
                Ok(0) => panic!("the server closed regular client {number}"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("regular client {number}: {error}"),
            };
            let mut bytes = std::mem::take(&mut regular.partial_line);
            bytes.extend_from_slice(&self.scratch[..count]);
            let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            self.all[number].partial_line = bytes.split_off(whole);
            for line in String::from_utf8(bytes).expect("UTF-8").split_terminator('\n') {
                self.read_line(number, line);
            }
        }
    }

    fn read_line(&mut self, number: usize, line: &str) {
        let regular = &mut self.all[number];
        regular.lines_read += 1;
        let line = regular.dialect.strip_ending(line);
        match line.split(' ').next() {
            Some("OK") => self.read_reply(number, line),
            Some("ERR" | "USER" | "NOTICE" | "HELLO" | "PING") => {
                panic!("regular client {number}: unexpected {line:?}")
            }
            _ => {
                let event = regular.dialect.strip_tag(line, self.history.last_id(regular.position));
                match event.strip_prefix("WHISPER ") {
                    Some(whisper) => regular.read_whisper(whisper),
                    None => self.read_event(number, event),
                }
            }
        }
    }

    /// Checks that this is the reply to the oldest line without one. The client's own event has its place in the order here.
    fn read_reply(&mut self, number: usize, line: &str) {
        let regular = &mut self.all[number];
        let due = regular.due.pop_front().unwrap_or_else(|| panic!("regular client {number}: unexpected {line:?}"));
        self.answered.add(due.since.elapsed());
        if let Some(own) = &due.own_event
            && !regular.dialect.echo
        {
            self.read_event(number, own);
        }
        let id = self.history.last_id(self.all[number].position);
        let expected = if due.reply.is_empty() { format!("OK MSG {id}") } else { due.reply };
        assert_eq!(line, expected, "reply to regular client {number}");
    }

    fn read_event(&mut self, number: usize, event: &str) {
        let regular = &mut self.all[number];
        let position = regular.position;
        regular.position += 1;
        match self.history.record_read(position, event) {
            Ok(latency) => latency.into_iter().for_each(|latency| self.arrived.add(latency)),
            Err(others) => panic!("regular client {number} reads {event:?} where others read {others:?}"),
        }
    }

    fn send_line(&mut self, number: usize) {
        let regular = &mut self.all[number];
        regular.next_line_at = Instant::now() + LINE_EVERY;
        regular.lines_sent += 1;
        if number == 0 && regular.lines_sent.is_multiple_of(RENAME_EVERY) {
            regular.rename();
        } else if regular.lines_sent.is_multiple_of(WHISPER_EVERY) {
            regular.whisper();
        } else {
            let text = history::text(number, self.history.record_send(number));
            let event = format!("MSG {} {text}", regular.name);
            regular.send(&format!("MSG {text}"), String::new(), Some(event));
        }
    }
}

/// A regular client.
struct Regular {
    number: usize,
    name: String,
    dialect: Dialect,
    stream: TcpStream,
    /// The bytes of a line whose end has not arrived.
    partial_line: Vec<u8>,
    lines_read: usize,
    /// Number of events that it has read.
    position: usize,
    /// Lines without a reply so far, the oldest first.
    due: VecDeque<Due>,
    next_line_at: Instant,
    lines_sent: usize,
    /// Number of whispers to each regular client.
    whispers_sent: [usize; REGULARS],
    /// Number of whispers from each regular client.
    whispers_read: [usize; REGULARS],
}

/// The reply and the event that a line must cause.
struct Due {
    since: Instant,
    /// Empty for `OK MSG` with the right id.
    reply: String,
    /// The event that other clients read.
    own_event: Option<String>,
}

impl Regular {
    fn new(number: usize, stream: &TcpStream) -> Self {
        let stream = stream.try_clone().expect("a clone");
        stream.set_nonblocking(true).expect("a socket");
        Self {
            number,
            name: name(number),
            dialect: Dialect::of(number),
            stream,
            partial_line: Vec::new(),
            lines_read: 0,
            position: 0,
            due: VecDeque::new(),
            next_line_at: Instant::now() + Duration::from_millis(11 * number as u64),
            lines_sent: 0,
            whispers_sent: [0; REGULARS],
            whispers_read: [0; REGULARS],
        }
    }

    fn rename(&mut self) {
        let to = if self.name == name(0) { "wanderer".to_owned() } else { name(0) };
        let event = format!("RENAME {} {to}", self.name);
        self.send(&format!("NICK {to}"), format!("OK NICK {to}"), Some(event));
        self.name = to;
    }

    /// Whispers to each regular client in turn, except to the first, whose nickname changes.
    fn whisper(&mut self) {
        let others = REGULARS - 1;
        let turn = 1 + self.lines_sent / WHISPER_EVERY % others;
        let to = if turn == self.number { 1 + turn % others } else { turn };
        let text = history::text(self.number, self.whispers_sent[to]);
        self.whispers_sent[to] += 1;
        self.send(&format!("WHISPER {} {text}", name(to)), format!("OK WHISPER {}", name(to)), None);
    }

    fn read_whisper(&mut self, whisper: &str) {
        let (_, text) = whisper.split_once(' ').expect("a text");
        // Hostile clients whisper, too.
        let Some((sender, number)) = history::parse_text(text) else { return };
        assert_eq!(number, self.whispers_read[sender], "regular client {}: out of order: {whisper:?}", self.number);
        self.whispers_read[sender] += 1;
    }

    fn send(&mut self, line: &str, reply: String, own_event: Option<String>) {
        let line = format!("{line}{}", self.dialect.ending());
        self.due.push_back(Due { since: Instant::now(), reply, own_event });
        // A client within its rate limit always has room for a line in the socket's buffer.
        self.stream
            .write_all(line.as_bytes())
            .unwrap_or_else(|error| panic!("regular client {}: {error}", self.number));
    }
}

fn name(number: usize) -> String {
    format!("regular{number}")
}

/// The dialect of a regular client. Together they use all combinations.
#[derive(Clone, Copy)]
struct Dialect {
    crlf: bool,
    tags: bool,
    echo: bool,
}

impl Dialect {
    fn of(number: usize) -> Self {
        Self { crlf: number & 1 > 0, tags: number & 2 > 0, echo: number & 4 > 0 }
    }

    fn join(self, server: &Server, number: usize) -> Client {
        let mut client = server.connect();
        let mut lines = vec![format!("NICK {}", name(number))];
        lines.extend(self.tags.then(|| "SET tags on".to_owned()));
        lines.extend(self.echo.then(|| "SET echo on".to_owned()));
        for line in lines {
            client.send_bytes(format!("{line}{}", self.ending()).as_bytes());
            assert_eq!(self.strip_ending(&client.next().expect("a reply")), format!("OK {line}"));
        }
        client
    }

    fn ending(self) -> &'static str {
        if self.crlf { "\r\n" } else { "\n" }
    }

    fn strip_ending(self, line: &str) -> &str {
        if !self.crlf {
            return line;
        }
        line.strip_suffix('\r').unwrap_or_else(|| panic!("the line ends without CR: {line:?}"))
    }

    /// Removes and checks the tag of an event. A message must have the id after `last_id`; other events have none.
    fn strip_tag(self, line: &str, last_id: u64) -> &str {
        if !self.tags {
            return line;
        }
        let tagged = line.strip_prefix('@').and_then(|line| line.split_once(' '));
        let (id, (_time, event)) = tagged
            .and_then(|(id, rest)| Some((id, rest.split_once(' ')?)))
            .unwrap_or_else(|| panic!("no tag before {line:?}"));
        let expected = if event.starts_with("MSG ") { (last_id + 1).to_string() } else { "-".to_owned() };
        assert_eq!(id, expected, "{line:?}");
        event
    }
}
