//! The attacks, as data: who does what to a server that was started how.

use crate::mob::{Plan, Reading};
use crate::wire::ATTACKER;

/// One way to harm a server.
pub(super) struct Attack {
    /// What it is called on the command line.
    pub(super) name: &'static str,
    /// What it is, for people; before it stands how many do it.
    pub(super) what: &'static str,
    /// How many do it, if not as many as the command line says.
    pub(super) attackers: Option<usize>,
    /// What each does, by the number of the attacker.
    pub(super) plan: fn(usize) -> Plan,
    /// What the server is started with.
    pub(super) arguments: &'static [&'static str],
    /// How many descriptors the server may open once the well-behaved are connected.
    pub(super) descriptors: Option<usize>,
}

/// As many as the command line says.
const MANY: Option<usize> = None;

/// Members of the room beside an attack; where a cap is tried, it leaves room for one more.
pub(super) const MEMBERS: usize = 10;

/// All of them.
pub(super) fn all() -> Vec<Attack> {
    [silent(), endless(), floods(), strangers(), unread(), storms()].into_iter().flatten().collect()
}

fn attack(name: &'static str, what: &'static str, attackers: Option<usize>, plan: fn(usize) -> Plan) -> Attack {
    Attack { name, what, attackers, plan, arguments: &[], descriptors: None }
}

impl Attack {
    fn with(self, arguments: &'static [&'static str]) -> Self {
        Self { arguments, ..self }
    }
}

fn silent() -> Vec<Attack> {
    vec![
        attack("nobody", "nobody at all, for comparison", Some(0), |_| Plan::default()),
        attack("silent", "never say anything", MANY, |_| Plan::default()),
        attack("silent-timed-out", "never say anything, and come back when closed", MANY, |_| Plan {
            returns: true,
            ..Plan::default()
        })
        .with(&["--name-timeout", "1"]),
        attack("half-lines", "send a line of 4,095 bytes but for its end", MANY, |_| Plan::once([b'a'; 4095])),
    ]
}

fn endless() -> Vec<Attack> {
    vec![
        attack("endless-line", "sends a line that never ends", Some(1), |_| Plan::flood(b"a")),
        attack("byte-by-byte", "sends such a line in packets of one byte", Some(1), |_| Plan {
            write_bytes_max: 1,
            ..Plan::flood(b"a")
        }),
        attack("byte-by-byte-ten", "send such a line in packets of one byte", Some(10), |_| Plan {
            write_bytes_max: 1,
            ..Plan::flood(b"a")
        }),
        attack("telnet-storm", "sends telnet requests for every option, all the time", Some(1), |_| {
            Plan::flood(&(0..=254).flat_map(|option| [0xff, 0xfd, option, 0xff, 0xfb, option]).collect::<Vec<_>>())
        }),
        attack("subnegotiation", "sends a telnet subnegotiation that never ends", Some(1), |_| Plan {
            first: vec![0xff, 0xfa, 0x18],
            ..Plan::flood(b"a")
        }),
    ]
}

fn floods() -> Vec<Attack> {
    vec![
        attack("blank-lines", "sends blank lines", Some(1), |_| Plan::flood(b"\n")),
        attack("pings", "sends PING, and reads", Some(1), |_| Plan::flood(b"PING\n")),
        attack("pings-unlimited", "sends PING, and reads", Some(1), |_| Plan::flood(b"PING\n"))
            .with(&["--line-rate", "0"]),
        attack("pings-many", "send PING, and read", MANY, |_| Plan::flood(b"PING\n")),
        attack("megabyte", "sends a megabyte of PING at once", Some(1), |_| {
            Plan::once(b"PING\n".repeat(1024 * 1024 / 5))
        }),
        attack("long-messages", "send messages of 4,000 bytes, and read", Some(10), |_| Plan {
            joins: true,
            ..Plan::flood(&text_line("MSG ", 4000))
        }),
        attack("help", "send HELP, and read", MANY, |_| Plan::flood(b"HELP\n")),
    ]
}

fn strangers() -> Vec<Attack> {
    vec![
        attack("binary", "sends random bytes, and comes back when closed", Some(1), |_| Plan {
            returns: true,
            ..Plan::flood(&random_bytes())
        }),
        attack("http", "sends an HTTP request, and comes back when closed", Some(1), |_| Plan {
            returns: true,
            ..Plan::once("POST / HTTP/1.1\r\nHost: chat\r\nContent-Length: 8\r\n\r\nMSG hi\r\n")
        }),
        attack("tls", "sends a TLS ClientHello, and comes back when closed", Some(1), |_| Plan {
            returns: true,
            ..Plan::once([&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03][..], &[7; 506]].concat())
        }),
    ]
}

fn unread() -> Vec<Attack> {
    vec![
        // In three seconds more than is kept, and no faster than the load itself can read.
        attack("stuck-readers", "never read, while one says 4,000,000 bytes a second", MANY, |number| match number {
            0 => Plan { joins: true, ..Plan::flood(&text_line("MSG ", 4000)) },
            _ => deaf(Plan { joins: true, ..Plan::default() }),
        })
        .with(&["--line-rate", "1000"]),
        attack("pings-unread", "sends PING, and never reads", Some(1), |_| deaf(Plan::flood(b"PING\n")))
            .with(&["--line-rate", "0"]),
        attack("help-unread", "send HELP, and never read", MANY, |_| deaf(Plan::flood(b"HELP\n")))
            .with(&["--line-rate", "0"]),
        attack(
            "whispers-unread",
            "whisper 4,000 bytes all the time to one of them, who never reads",
            Some(100),
            |number| match number {
                0 => deaf(Plan { joins: true, ..Plan::default() }),
                _ => {
                    let line = text_line(&format!("WHISPER {ATTACKER}000000 "), 4000);
                    Plan { joins: true, ..Plan::flood(&line) }
                }
            },
        ),
        attack(
            "whispers-many",
            "take part: nine in ten never read, and the tenth whispers to them all the time",
            MANY,
            |number| {
                if number % 10 == 9 { whisperer(number) } else { deaf(Plan { joins: true, ..Plan::default() }) }
            },
        ),
        attack("who-unread", "send WHO and never read, while one renames itself all the time", MANY, |number| {
            match number {
                0 => Plan { joins: true, ..Plan::flood(b"NICK xa\nNICK xb\n") },
                _ => deaf(Plan { joins: true, ..Plan::flood(b"WHO\n") }),
            }
        }),
        attack("who-read", "send WHO and read, while one renames itself all the time", MANY, |number| match number {
            0 => Plan { joins: true, ..Plan::flood(b"NICK xa\nNICK xb\n") },
            _ => Plan { joins: true, ..Plan::flood(b"WHO\n") },
        }),
    ]
}

fn storms() -> Vec<Attack> {
    vec![
        attack("connect-close", "connect and close, all the time", Some(10), |_| Plan {
            leaves: true,
            returns: true,
            ..Plan::default()
        }),
        attack("join-leave", "connect, join and close, all the time", Some(10), |_| Plan {
            joins: true,
            leaves: true,
            returns: true,
            ..Plan::default()
        }),
        attack("over-cap", "over the cap connect again and again", Some(10), |_| Plan {
            returns: true,
            ..Plan::default()
        })
        .with(&["--max-clients", "11"]),
        attack("over-cap-held", "over the cap do not close their end", MANY, |_| deaf(Plan::default()))
            .with(&["--max-clients", "11"]),
        Attack {
            descriptors: Some(50),
            ..attack("no-descriptors", "connect where there are descriptors for 50", MANY, |_| Plan::default())
        },
    ]
}

/// One that whispers to as many as may be of those who came before and do not read.
fn whisperer(number: usize) -> Plan {
    let names = (number.saturating_sub(35)..number).filter(|other| other % 10 != 9);
    let names: Vec<_> = names.map(|other| format!("{ATTACKER}{other:06}")).collect();
    Plan { joins: true, ..Plan::flood(&text_line(&format!("WHISPER {} ", names.join(",")), 3800)) }
}

/// One that does not read.
fn deaf(plan: Plan) -> Plan {
    Plan { reading: Reading::Nothing, ..plan }
}

fn text_line(command: &str, bytes: usize) -> Vec<u8> {
    format!("{command}{}\n", "x".repeat(bytes)).into_bytes()
}

/// The same ones each time.
fn random_bytes() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(3);
    (0..64 * 1024).map(|_| random.u8(..)).collect()
}
