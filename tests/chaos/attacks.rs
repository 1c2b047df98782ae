//! The kinds of attack. Each is a plan for one hostile client; `storm.rs` carries the plans out.

use fastrand::Rng;

use crate::regulars::REGULARS;

/// Size of the block that a flood repeats, in bytes.
const FLOOD_BLOCK_BYTES: usize = 8 * 1024;

const MEBIBYTE: usize = 1024 * 1024;

/// Size of a flood that ends only with its connection.
const ENDLESS: usize = usize::MAX;

/// Length of a line that exceeds the limit, in bytes.
const OVERLONG: usize = 5000;

/// A nickname that only the bodies of HTTP requests contain. The server must never run the command that takes it.
pub(crate) const NOBODY: &str = "evil";

/// The actions of one hostile client, from its connection to its end. Time is counted in turns of [`crate::storm::TURN`].
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: &'static str,
    /// The bytes that it sends first.
    pub(crate) opening: Vec<u8>,
    /// The block that it then repeats, until it has sent `flood_bytes`.
    pub(crate) flood: Vec<u8>,
    pub(crate) flood_bytes: usize,
    /// At the next signal it takes the nickname that all other contenders take.
    pub(crate) contends: bool,
    /// Most bytes that it writes, and reads, in a turn.
    pub(crate) write_max: usize,
    pub(crate) read_max: usize,
    /// Turns until its end.
    pub(crate) turns: usize,
    pub(crate) end: End,
    /// The start of a line that the server must send before it closes the connection.
    pub(crate) expects: Option<&'static str>,
}

/// How a hostile client ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It closes its socket.
    Vanish,
    /// It resets its connection.
    Reset,
    /// It shuts down its sending side, and reads until the server closes.
    HalfClose,
    /// It waits for the server to close.
    Wait,
}

/// Draws plans at random.
pub(crate) struct Planner {
    pub(crate) random: Rng,
    /// Number of nicknames in use by plans so far.
    names: usize,
    /// The nickname of a client that does not read.
    stuck: String,
}

impl Planner {
    pub(crate) fn new(random: Rng) -> Self {
        Self { random, names: 0, stuck: "nobody".to_owned() }
    }

    /// A plan of any kind.
    pub(crate) fn any(&mut self) -> Plan {
        let (kind, make) = KINDS[self.random.usize(..KINDS.len())];
        Plan { kind, ..make(self) }
    }

    /// Connects and disconnects at once.
    pub(crate) fn vanish(&mut self) -> Plan {
        Plan { kind: "vanish", turns: 0, ..self.plan("") }
    }

    /// Sends these bytes as fast as possible, reads everything, and disconnects after a random time.
    fn plan(&mut self, opening: impl Into<Vec<u8>>) -> Plan {
        Plan {
            kind: "",
            opening: opening.into(),
            flood: Vec::new(),
            flood_bytes: 0,
            contends: false,
            write_max: 64 * 1024,
            read_max: 64 * 1024,
            turns: self.random.usize(1..200),
            end: if self.random.bool() { End::Vanish } else { End::Reset },
            expects: None,
        }
    }

    /// Takes a nickname, then acts like [`Planner::plan`].
    fn named(&mut self, lines: &str) -> Plan {
        let name = self.name();
        self.plan(format!("NICK {name}\n{lines}"))
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("hostile{}", self.names)
    }

    /// Sends a mebibyte of this block.
    fn flood(&mut self, block: &[u8]) -> Plan {
        let read_max = if self.random.bool() { 64 * 1024 } else { 0 };
        let flood = block.repeat(FLOOD_BLOCK_BYTES / block.len() + 1);
        Plan { flood, flood_bytes: MEBIBYTE, read_max, ..self.named("") }
    }

    fn stall(&mut self, opening: String) -> Plan {
        Plan { read_max: 0, turns: self.random.usize(300..1000), ..self.plan(opening) }
    }

    /// Sends these lines and ends its input. It must read a line that starts with `expects`.
    fn said(&mut self, lines: impl Into<Vec<u8>>, expects: &'static str) -> Plan {
        Plan { turns: 1, end: End::HalfClose, expects: Some(expects), ..self.plan(lines) }
    }

    /// Sends these lines, for which the server must disconnect it, with a line that starts with `expects`.
    fn refused(&mut self, lines: impl Into<Vec<u8>>, expects: &'static str) -> Plan {
        Plan { turns: 1, end: End::Wait, expects: Some(expects), ..self.plan(lines) }
    }

    fn random_bytes(&mut self, count: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.random.u8(..)).take(count).collect()
    }
}

type Make = fn(&mut Planner) -> Plan;

/// Every kind of attack.
const KINDS: &[(&str, Make)] = &[
    // Connections.
    ("vanish", Planner::vanish),
    ("come and go", |by| by.named("MSG hello\nMSG goodbye\n")),
    ("end the input in a line", |by| {
        let name = by.name();
        by.said(format!("NICK {name}\nMSG half a li"), "OK MSG ")
    }),
    ("stall, named", |by| {
        let name = by.name();
        by.stuck.clone_from(&name);
        by.stall(format!("NICK {name}\n"))
    }),
    ("stall, nameless", |by| by.stall(String::new())),
    ("take no name", |by| by.refused("\n", "ERR - name-timeout ")),
    ("stall in a line", |by| by.stall("NICK ".to_owned())),
    ("read a byte at a time", |by| Plan { read_max: 1, ..by.named("WHO\nHELP\n") }),
    ("write a byte at a time", |by| Plan { write_max: 1, ..by.named("MSG slowly\nWHO\nMSG and slowly\n") }),
    ("quit in a burst", |by| {
        let name = by.name();
        let lines = format!("NICK {name}\n{}QUIT\n{}", "PING\n".repeat(20), "PING\n".repeat(1000));
        by.refused(lines, "OK QUIT")
    }),
    // Floods.
    ("flood of pings", |by| by.flood(b"PING\n")),
    ("flood of messages", |by| by.flood(b"MSG a\n")),
    ("flood of whispers to a regular", |by| {
        let to = by.random.usize(1..REGULARS);
        by.flood(format!("WHISPER regular{to} psst\n").as_bytes())
    }),
    ("flood of whispers to a client that does not read", |by| {
        let line = format!("WHISPER {} {}\n", by.stuck, "psst".repeat(500));
        by.flood(line.as_bytes())
    }),
    ("flood of lists", |by| by.flood(b"WHO\nSTATUS\n")),
    ("flood of blank lines", |by| by.flood(b"\n")),
    ("flood of help", |by| by.flood(b"HELP\n")),
    ("flood of dialects", |by| by.flood(b"SET tags on\nSET tags off\nSET echo on\nSET echo off\n")),
    ("flood of modes", |by| by.flood(b"CHAT\nhello\n/who\n/chat\n")),
    ("flood of names", |by| {
        let (one, other) = (by.name(), by.name());
        by.flood(format!("NICK {one}\nNICK {other}\nNICK regular1\nNICK REGULAR2\n").as_bytes())
    }),
    ("long messages", |by| by.named(&format!("MSG {}\n", "loud ".repeat(400)).repeat(30))),
    // Bytes.
    ("flood of bytes", |by| {
        let bytes = by.random_bytes(FLOOD_BLOCK_BYTES);
        by.flood(&bytes)
    }),
    ("a line without end", |by| Plan { flood_bytes: ENDLESS, ..by.flood(b"x") }),
    ("a line without end, slowly", |by| Plan { flood_bytes: ENDLESS, write_max: 7, ..by.flood(b"x") }),
    ("a line too long", |by| by.said(format!("PING {}\nPING", "x".repeat(OVERLONG)), "ERR - line-too-long ")),
    ("half a character", |by| by.said(*b"PING \xe2\x82\nPING\xe2", "ERR - line-not-utf8 ")),
    ("terminal control codes", |by| {
        by.named("MSG \x1b[2J\x07\u{9b}31m\u{202e}\u{2028}\nNICK \x1b]0;x\x07\nQUIT \x1b[H\n")
    }),
    ("invalid commands", |by| {
        let lines = b"\xff\xfe\xfd\x00\x01\n".repeat(60);
        by.refused(lines, "ERR - too-many-errors ")
    }),
    // Telnet.
    ("telnet options", |by| {
        let options: Vec<u8> =
            (0..=255).flat_map(|option| (251..=254).flat_map(move |verb| [255, verb, option])).collect();
        by.flood(&options)
    }),
    ("telnet timing marks", |by| by.flood(&[255, 253, 6])),
    ("a telnet subnegotiation without end", |by| Plan {
        flood_bytes: ENDLESS,
        opening: vec![255, 250, 24],
        ..by.flood(b"x")
    }),
    // Other protocols.
    ("http", |by| by.refused("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "ERR - wrong-protocol ")),
    ("http, with a body", |by| {
        let body = format!("NICK {NOBODY}\nMSG evil\n").repeat(100);
        by.refused(format!("POST / HTTP/1.1\nContent-Length: 2000\n\n{body}"), "ERR - wrong-protocol ")
    }),
    ("tls", |by| by.refused(*b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "ERR - wrong-protocol ")),
    // Names. Each kind stands here twice, so that there are enough contenders.
    ("take the name that all take", |by| Plan { contends: true, ..by.plan("") }),
    ("take the name that all take", |by| Plan { contends: true, ..by.plan("") }),
    ("change to the name that all take", |by| Plan { contends: true, ..by.named("") }),
    ("change to the name that all take", |by| Plan { contends: true, ..by.named("") }),
];
