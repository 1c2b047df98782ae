//! The list of attacks: the attackers' plans, and the options of the server under attack.

use crate::attackers::{AttackPlan, Closing, ReadingMode};
use crate::wire::ATTACKER;

/// An attack.
pub(super) struct Attack {
    /// Its name on the command line.
    pub(super) name: &'static str,
    /// Its description, as a verb phrase: the number of attackers precedes it.
    pub(super) description: &'static str,
    /// The number of attackers. `None`: the number given on the command line.
    pub(super) attackers: Option<usize>,
    /// The plan of each attacker, by its number.
    pub(super) plan: fn(usize) -> AttackPlan,
    /// Options of the server.
    pub(super) arguments: &'static [&'static str],
    /// The descriptors that the server may open after the well-behaved clients are connected. `None`: no extra limit.
    pub(super) descriptors: Option<usize>,
}

/// The number given on the command line.
const MANY: Option<usize> = None;

/// Well-behaved members beside an attack. Attacks on `--max-clients` leave room for one more client.
pub(super) const MEMBERS: usize = 10;

/// All attacks, in the order in which they are measured.
pub(super) fn all() -> Vec<Attack> {
    [silent(), endless(), floods(), other_protocols(), unread(), storms()].into_iter().flatten().collect()
}

fn attack(
    name: &'static str,
    description: &'static str,
    attackers: Option<usize>,
    plan: fn(usize) -> AttackPlan,
) -> Attack {
    Attack { name, description, attackers, plan, arguments: &[], descriptors: None }
}

impl Attack {
    fn with(self, arguments: &'static [&'static str]) -> Self {
        Self { arguments, ..self }
    }
}

fn silent() -> Vec<Attack> {
    vec![
        attack("none", "no attack, for comparison", Some(0), |_| AttackPlan::default()),
        attack("silent", "send nothing", MANY, |_| AttackPlan::default()),
        attack("silent-timed-out", "send nothing, and reconnect when disconnected", MANY, |_| AttackPlan {
            reconnects: true,
            ..AttackPlan::default()
        })
        .with(&["--name-timeout", "1"]),
        attack("half-lines", "send 4,095 bytes of a line without its end", MANY, |_| AttackPlan::once([b'a'; 4095])),
    ]
}

fn endless() -> Vec<Attack> {
    vec![
        attack("endless-line", "sends a line that never ends", Some(1), |_| AttackPlan::flood(b"a")),
        attack("byte-by-byte", "sends an endless line in packets of one byte", Some(1), |_| AttackPlan {
            write_bytes_max: 1,
            ..AttackPlan::flood(b"a")
        }),
        attack("byte-by-byte-ten", "send endless lines in packets of one byte", Some(10), |_| AttackPlan {
            write_bytes_max: 1,
            ..AttackPlan::flood(b"a")
        }),
        attack("telnet-storm", "sends telnet requests for every option, all the time", Some(1), |_| {
            AttackPlan::flood(
                &(0..=254).flat_map(|option| [0xff, 0xfd, option, 0xff, 0xfb, option]).collect::<Vec<_>>(),
            )
        }),
        attack("subnegotiation", "sends a telnet subnegotiation that never ends", Some(1), |_| AttackPlan {
            first: vec![0xff, 0xfa, 0x18],
            ..AttackPlan::flood(b"a")
        }),
    ]
}

fn floods() -> Vec<Attack> {
    vec![
        attack("blank-lines", "sends blank lines", Some(1), |_| AttackPlan::flood(b"\n")),
        attack("pings", "sends PING, and reads", Some(1), |_| AttackPlan::flood(b"PING\n")),
        attack("pings-unlimited", "sends PING, and reads", Some(1), |_| AttackPlan::flood(b"PING\n"))
            .with(&["--line-rate", "0"]),
        attack("pings-many", "send PING, and read", MANY, |_| AttackPlan::flood(b"PING\n")),
        attack("megabyte", "sends a megabyte of PING at once", Some(1), |_| {
            AttackPlan::once(b"PING\n".repeat(1024 * 1024 / 5))
        }),
        attack("long-messages", "send messages of 4,000 bytes, and read", Some(10), |_| AttackPlan {
            joins: true,
            ..AttackPlan::flood(&text_line("MSG ", 4000))
        }),
        attack("help", "send HELP, and read", MANY, |_| AttackPlan::flood(b"HELP\n")),
    ]
}

fn other_protocols() -> Vec<Attack> {
    vec![
        attack("binary", "sends random bytes, and reconnects when disconnected", Some(1), |_| AttackPlan {
            reconnects: true,
            ..AttackPlan::flood(&random_bytes())
        }),
        attack("http", "sends an HTTP request, and reconnects when disconnected", Some(1), |_| AttackPlan {
            reconnects: true,
            ..AttackPlan::once("POST / HTTP/1.1\r\nHost: chat\r\nContent-Length: 8\r\n\r\nMSG hi\r\n")
        }),
        attack("tls", "sends a TLS ClientHello, and reconnects when disconnected", Some(1), |_| AttackPlan {
            reconnects: true,
            ..AttackPlan::once(
                [&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03][..], &[7; 506]].concat(),
            )
        }),
    ]
}

fn unread() -> Vec<Attack> {
    vec![
        // Fills the backlog within three seconds. The load generator can read that fast.
        attack("stuck-readers", "never read, while one of them sends 4,000,000 bytes a second", MANY, |number| {
            match number {
                0 => AttackPlan { joins: true, ..AttackPlan::flood(&text_line("MSG ", 4000)) },
                _ => never_reading(AttackPlan { joins: true, ..AttackPlan::default() }),
            }
        })
        .with(&["--line-rate", "1000"]),
        attack("pings-unread", "sends PING, and never reads", Some(1), |_| never_reading(AttackPlan::flood(b"PING\n")))
            .with(&["--line-rate", "0"]),
        attack("help-unread", "send HELP, and never read", MANY, |_| never_reading(AttackPlan::flood(b"HELP\n")))
            .with(&["--line-rate", "0"]),
        attack(
            "whispers-unread",
            "whisper 4,000 bytes again and again to one of them, which never reads",
            Some(100),
            |number| match number {
                0 => never_reading(AttackPlan { joins: true, ..AttackPlan::default() }),
                _ => {
                    let line = text_line(&format!("WHISPER {ATTACKER}000000 "), 4000);
                    AttackPlan { joins: true, ..AttackPlan::flood(&line) }
                }
            },
        ),
        attack(
            "whispers-many",
            "join: nine in ten never read, and the tenth whispers to them all the time",
            MANY,
            |number| {
                if number % 10 == 9 {
                    whisperer(number)
                } else {
                    never_reading(AttackPlan { joins: true, ..AttackPlan::default() })
                }
            },
        ),
        attack("who-unread", "send WHO and never read, while one renames itself all the time", MANY, |number| {
            match number {
                0 => AttackPlan { joins: true, ..AttackPlan::flood(b"NICK xa\nNICK xb\n") },
                _ => never_reading(AttackPlan { joins: true, ..AttackPlan::flood(b"WHO\n") }),
            }
        }),
        attack("who-read", "send WHO and read, while one renames itself all the time", MANY, |number| match number {
            0 => AttackPlan { joins: true, ..AttackPlan::flood(b"NICK xa\nNICK xb\n") },
            _ => AttackPlan { joins: true, ..AttackPlan::flood(b"WHO\n") },
        }),
    ]
}

fn storms() -> Vec<Attack> {
    vec![
        attack("connect-close", "connect and close, all the time", Some(10), |_| AttackPlan {
            closing: Closing::Sent,
            reconnects: true,
            ..AttackPlan::default()
        }),
        attack("join-leave", "connect, join and close, all the time", Some(10), |_| AttackPlan {
            joins: true,
            closing: Closing::Sent,
            reconnects: true,
            ..AttackPlan::default()
        }),
        attack("over-cap", "connect beyond --max-clients, again and again", Some(10), |_| AttackPlan {
            reconnects: true,
            ..AttackPlan::default()
        })
        .with(&["--max-clients", "11"]),
        attack("over-cap-held", "connect beyond --max-clients, and keep their end open", MANY, |_| {
            never_reading(AttackPlan::default())
        })
        .with(&["--max-clients", "11"]),
        Attack {
            descriptors: Some(50),
            ..attack("no-descriptors", "connect while the server has descriptors for 50", MANY, |_| {
                AttackPlan::default()
            })
        },
    ]
}

/// A plan that whispers to as many earlier attackers that do not read as one whisper allows.
fn whisperer(number: usize) -> AttackPlan {
    let names = (number.saturating_sub(35)..number).filter(|other| other % 10 != 9);
    let names: Vec<_> = names.map(|other| format!("{ATTACKER}{other:06}")).collect();
    AttackPlan { joins: true, ..AttackPlan::flood(&text_line(&format!("WHISPER {} ", names.join(",")), 3800)) }
}

/// The same plan, without reading.
fn never_reading(plan: AttackPlan) -> AttackPlan {
    AttackPlan { reading: ReadingMode::Nothing, ..plan }
}

fn text_line(command: &str, bytes: usize) -> Vec<u8> {
    format!("{command}{}\n", "x".repeat(bytes)).into_bytes()
}

/// The bytes are equal in each run.
fn random_bytes() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(3);
    (0..64 * 1024).map(|_| random.u8(..)).collect()
}
