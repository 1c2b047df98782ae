//! Those who behave: ten who chat, and one who listens. They check every line they read.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::common::{Client, DEADLINE, Server};
use crate::history::{self, History};
use crate::latency::Latencies;

/// The last of them only listens: nothing of its own makes up for what the server forgets to send it.
pub(crate) const REGULARS: usize = TALKERS + 1;
pub(crate) const TALKERS: usize = 10;

/// Nine lines a second: within the rate that every client has by default.
const LINE_EVERY: Duration = Duration::from_millis(111);

/// One line of so many is a whisper, and one of the first regular's a change of name.
const WHISPER_EVERY: usize = 6;
const RENAME_EVERY: usize = 13;

/// Longest that any line may wait for its reply, and any message to be read by each of them.
///
/// It stands for "nobody is starved", and is no measure of how fast the server is; that is printed. It has to hold on a
/// machine whose two processors are busy with something else, this very test included. A server that lets one client
/// wait for the end of another's flood exceeds it tenfold.
pub(crate) const LATENCY_MAX: Duration = Duration::from_secs(5);

pub(crate) struct Regulars {
    all: Vec<Regular>,
    pub(crate) history: History,
    /// How long lines waited for their replies.
    pub(crate) answered: Latencies,
    /// How long messages took to each of the others.
    pub(crate) arrived: Latencies,
    scratch: Vec<u8>,
}

impl Regulars {
    /// All of them, who joined, each with habits of their own, and have read all that happened until then.
    pub(crate) fn join(server: &Server) -> Self {
        let mut clients: Vec<_> = (0..REGULARS).map(|number| Habits::of(number).join(server, number)).collect();
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

    /// Lets them chat until it holds. Returns false if it does not within `deadline`.
    pub(crate) fn chat_until(&mut self, deadline: Duration, mut holds: impl FnMut(&mut Self) -> bool) -> bool {
        let start = Instant::now();
        while !holds(self) {
            if start.elapsed() >= deadline {
                return false;
            }
            for number in 0..TALKERS {
                if self.all[number].next_line_at <= Instant::now() {
                    self.speak(number);
                }
            }
            let next = self.all[..TALKERS].iter().map(|regular| regular.next_line_at).min().expect("some");
            self.listen(next.saturating_duration_since(Instant::now()));
        }
        true
    }

    /// Nobody says anything more, until everybody has read everything.
    pub(crate) fn fall_silent(&mut self) {
        let start = Instant::now();
        while !self.have_read_everything() {
            assert!(start.elapsed() < DEADLINE, "some have not read everything within {DEADLINE:?}");
            self.listen(LATENCY_MAX);
        }
    }

    /// Nothing that was sent is lost: no message, no whisper, no reply, and no event that one of them read.
    fn have_read_everything(&self) -> bool {
        let all_whispers = (0..REGULARS).all(|reader| {
            self.all.iter().all(|sender| sender.whispered[reader] == self.all[reader].heard[sender.number])
        });
        let up_to_date = |regular: &Regular| regular.due.is_empty() && regular.position == self.history.len();
        all_whispers && self.history.is_complete() && self.all.iter().all(up_to_date)
    }

    /// Nobody says anything for so long, and nobody reads anything.
    pub(crate) fn expect_silence(&mut self, length: Duration) {
        let end = Instant::now() + length;
        let before = self.lines_read();
        while let Some(rest) = end.checked_duration_since(Instant::now()) {
            self.listen(rest);
            assert_eq!(self.lines_read(), before, "somebody is told something for nothing");
        }
    }

    pub(crate) fn lines_read(&self) -> usize {
        self.all.iter().map(|regular| regular.lines_read).sum()
    }

    pub(crate) fn whispers(&self) -> usize {
        self.all.iter().flat_map(|regular| &regular.heard).sum()
    }

    /// Reads what comes within this time.
    fn listen(&mut self, time: Duration) {
        let mut sockets: Vec<_> = self.all.iter().map(|regular| PollFd::new(&regular.stream, PollFlags::IN)).collect();
        let time = Timespec::try_from(time).expect("a short time");
        poll(&mut sockets, Some(&time)).expect("poll");
        let ready: Vec<_> = sockets.iter().map(|socket| !socket.revents().is_empty()).collect();
        for number in (0..REGULARS).filter(|&number| ready[number]) {
            self.read(number);
        }
        for regular in &self.all {
            let waiting = regular.due.front().map_or(Duration::ZERO, |due| due.since.elapsed());
            assert!(waiting <= LATENCY_MAX, "regular {} waits for a reply since {waiting:?}", regular.number);
        }
    }

    fn read(&mut self, number: usize) {
        loop {
            let regular = &mut self.all[number];
            let count = match regular.stream.read(&mut self.scratch) {
                Ok(0) => panic!("regular {number} was closed"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("regular {number} lost its connection: {error}"),
            };
            let mut bytes = std::mem::take(&mut regular.part);
            bytes.extend_from_slice(&self.scratch[..count]);
            let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            self.all[number].part = bytes.split_off(whole);
            for line in String::from_utf8(bytes).expect("UTF-8").split_terminator('\n') {
                self.take_line(number, line);
            }
        }
    }

    fn take_line(&mut self, number: usize, line: &str) {
        let regular = &mut self.all[number];
        regular.lines_read += 1;
        let line = regular.habits.strip_ending(line);
        match line.split(' ').next() {
            Some("OK") => self.take_reply(number, line),
            Some("ERR" | "USER" | "NOTICE" | "HELLO" | "PING") => panic!("regular {number} did not ask for {line:?}"),
            _ => {
                let event = regular.habits.strip_tag(line, self.history.last_id(regular.position));
                match event.strip_prefix("WHISPER ") {
                    Some(whisper) => regular.take_whisper(whisper),
                    None => self.take_event(number, event),
                }
            }
        }
    }

    /// What a reply is to must be what was sent first of all that has none; its event stands in the one order here.
    fn take_reply(&mut self, number: usize, line: &str) {
        let regular = &mut self.all[number];
        let due = regular.due.pop_front().unwrap_or_else(|| panic!("regular {number} did not ask for {line:?}"));
        self.answered.add(due.since.elapsed());
        if let Some(own) = &due.own_event
            && !regular.habits.echo
        {
            self.take_event(number, own);
        }
        let id = self.history.last_id(self.all[number].position);
        let expected = if due.reply.is_empty() { format!("OK MSG {id}") } else { due.reply };
        assert_eq!(line, expected, "regular {number} reads another reply");
    }

    fn take_event(&mut self, number: usize, event: &str) {
        let regular = &mut self.all[number];
        let position = regular.position;
        regular.position += 1;
        match self.history.reads(position, event) {
            Ok(latency) => latency.into_iter().for_each(|latency| self.arrived.add(latency)),
            Err(others) => panic!("regular {number} reads {event:?} where others read {others:?}"),
        }
    }

    fn speak(&mut self, number: usize) {
        let regular = &mut self.all[number];
        regular.next_line_at = Instant::now() + LINE_EVERY;
        regular.spoken += 1;
        if number == 0 && regular.spoken.is_multiple_of(RENAME_EVERY) {
            regular.rename();
        } else if regular.spoken.is_multiple_of(WHISPER_EVERY) {
            regular.whisper();
        } else {
            let text = history::text(number, self.history.sends(number));
            let event = format!("MSG {} {text}", regular.name);
            regular.send(&format!("MSG {text}"), String::new(), Some(event));
        }
    }
}

/// One of them, by the number they tell themselves apart by.
struct Regular {
    number: usize,
    name: String,
    habits: Habits,
    stream: TcpStream,
    /// What was read of a line that has not all come.
    part: Vec<u8>,
    lines_read: usize,
    /// How many events were read.
    position: usize,
    /// Lines sent that have no reply yet, the oldest first.
    due: VecDeque<Due>,
    next_line_at: Instant,
    /// Lines sent.
    spoken: usize,
    /// Whispers sent to, and heard from, each of them.
    whispered: [usize; REGULARS],
    heard: [usize; REGULARS],
}

/// What a line that was sent waits for.
struct Due {
    since: Instant,
    /// Empty for `OK MSG` with the right id.
    reply: String,
    /// What the others read.
    own_event: Option<String>,
}

impl Regular {
    fn new(number: usize, stream: &TcpStream) -> Self {
        let stream = stream.try_clone().expect("a clone");
        stream.set_nonblocking(true).expect("a socket");
        Self {
            number,
            name: name(number),
            habits: Habits::of(number),
            stream,
            part: Vec::new(),
            lines_read: 0,
            position: 0,
            due: VecDeque::new(),
            next_line_at: Instant::now() + Duration::from_millis(11 * number as u64),
            spoken: 0,
            whispered: [0; REGULARS],
            heard: [0; REGULARS],
        }
    }

    fn rename(&mut self) {
        let to = if self.name == name(0) { "wanderer".to_owned() } else { name(0) };
        let event = format!("RENAME {} {to}", self.name);
        self.send(&format!("NICK {to}"), format!("OK NICK {to}"), Some(event));
        self.name = to;
    }

    /// To another, each in turn, but never to the first, whose name changes.
    fn whisper(&mut self) {
        let others = REGULARS - 1;
        let turn = 1 + self.spoken / WHISPER_EVERY % others;
        let to = if turn == self.number { 1 + turn % others } else { turn };
        let text = history::text(self.number, self.whispered[to]);
        self.whispered[to] += 1;
        self.send(&format!("WHISPER {} {text}", name(to)), format!("OK WHISPER {}", name(to)), None);
    }

    fn take_whisper(&mut self, whisper: &str) {
        let (_, text) = whisper.split_once(' ').expect("a text");
        // Others whisper, too.
        let Some((sender, number)) = history::parse_text(text) else { return };
        assert_eq!(number, self.heard[sender], "regular {} hears {whisper:?}", self.number);
        self.heard[sender] += 1;
    }

    fn send(&mut self, line: &str, reply: String, own_event: Option<String>) {
        let line = format!("{line}{}", self.habits.ending());
        self.due.push_back(Due { since: Instant::now(), reply, own_event });
        // It is within its rate: there is always room for a line.
        self.stream.write_all(line.as_bytes()).unwrap_or_else(|error| panic!("regular {}: {error}", self.number));
    }
}

fn name(number: usize) -> String {
    format!("regular{number}")
}

/// How one of them talks to the server. Among them are all combinations, so all dialects are spoken.
#[derive(Clone, Copy)]
struct Habits {
    crlf: bool,
    tags: bool,
    echo: bool,
}

impl Habits {
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
        line.strip_suffix('\r').unwrap_or_else(|| panic!("no CR at the end of {line:?}"))
    }

    /// An event without its tag. A message has the id after `last_id`; other events have none.
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
