//! The time until a new connection is greeted or refused, and the CPU time of the server, without bans and with many.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::{PROXY_LISTENER, proxy_header};
use crate::common::figures::Run;
use crate::common::server::Server;

/// The address before the first banned one.
const BANNED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);

/// The address before the first one that is not banned.
const NOT_BANNED: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 0);

/// Parts of a run, in which all kinds of connections take turns, so that changes of the machine affect all of them.
const TURNS: u32 = 10;

/// Time in which the server ends the connections that the load generator has closed.
const SETTLE: Duration = Duration::from_millis(20);

/// A server that has loaded bans of addresses from its store.
struct BannedServer {
    server: Server,
    bans: u32,
    start_time: Duration,
    resident_bytes: u64,
    /// Holds the store.
    _directory: TempDir,
}

impl BannedServer {
    fn start(binary: &Path, bans: u32) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("chat.db");
        let options = ["--data", data.to_str().expect("a path"), "--connect-rate", "0"];
        let options = [&PROXY_LISTENER[..], &options].concat();
        // The first start creates the store.
        drop(Server::start(binary, &options));
        insert_bans(&data, bans).expect("the store takes bans");
        let start = Instant::now();
        let server = Server::start(binary, &options);
        let start_time = start.elapsed();
        let resident_bytes = server.resident_bytes();
        Self { server, bans, start_time, resident_bytes, _directory: directory }
    }

    /// Opens connections, one after the other. The client of each has another address.
    fn accept(&self, is_banned: bool, connections: u32, kind: &mut Kind) {
        let cpu_before = self.server.cpu_precise();
        for number in 1..=connections {
            let client = if is_banned { after(BANNED, number % self.bans + 1) } else { after(NOT_BANNED, number) };
            let start = Instant::now();
            let mut stream = TcpStream::connect(self.server.second_address()).expect("the server accepts");
            stream.set_nodelay(true).expect("a socket");
            stream.write_all(proxy_header(client).as_bytes()).expect("the server reads");
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).expect("the server answers");
            kind.latencies.push(start.elapsed());
            kind.wrong_lines += u64::from(!line.starts_with(if is_banned { "ERR - banned " } else { "HELLO " }));
        }
        thread::sleep(SETTLE);
        kind.cpu += self.server.cpu_precise().saturating_sub(cpu_before);
    }
}

/// The measurements of one kind of connections.
#[derive(Default)]
struct Kind {
    latencies: Vec<Duration>,
    cpu: Duration,
    wrong_lines: u64,
}

/// Servers with no ban, with one, and with many.
pub(super) struct Servers {
    none: BannedServer,
    one: BannedServer,
    many: BannedServer,
}

impl Servers {
    pub(super) fn start(binary: &Path, bans: u32) -> Self {
        let [none, one, many] = [0, 1, bans.max(1)].map(|bans| BannedServer::start(binary, bans));
        Self { none, one, many }
    }

    pub(super) fn run(&self, connections: u32) -> Run {
        let kinds = [
            ("no_bans", &self.none, false),
            ("many_bans", &self.many, false),
            ("banned_of_one", &self.one, true),
            ("banned_of_many", &self.many, true),
        ];
        let mut measured = kinds.map(|_| Kind::default());
        for _ in 0..TURNS {
            for ((_, server, is_banned), kind) in kinds.iter().zip(&mut measured) {
                server.accept(*is_banned, connections.div_ceil(TURNS), kind);
            }
        }
        let mut run = Run::default();
        for ((name, ..), Kind { latencies, cpu, wrong_lines }) in kinds.into_iter().zip(measured) {
            run.faults.other += wrong_lines;
            run.add(format!("{name}_cpu_us"), cpu.as_secs_f64() * 1e6 / latencies.len() as f64);
            run.add_latencies_to_max(name, latencies);
        }
        run.add("start_ms_no_bans", self.none.start_time.as_secs_f64() * 1e3);
        run.add("start_ms_many_bans", self.many.start_time.as_secs_f64() * 1e3);
        run.add_bytes("resident_bytes_no_bans", self.none.resident_bytes);
        run.add_bytes("resident_bytes_many_bans", self.many.resident_bytes);
        let grown = self.many.resident_bytes.saturating_sub(self.none.resident_bytes);
        run.add("resident_bytes_per_ban", grown as f64 / f64::from(self.many.bans));
        run
    }
}

/// The address at this distance after the first one.
fn after(first: Ipv4Addr, number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(first.to_bits() + number)
}

/// Adds bans of addresses to the store of a stopped server: as commands, 100,000 would take minutes.
fn insert_bans(data: &Path, bans: u32) -> rusqlite::Result<()> {
    let mut store = Connection::open(data)?;
    let transaction = store.transaction()?;
    let sql = "INSERT INTO sanctions (sanction, kind, target, subjects, created) VALUES (?, 'ban', ?, ?, ?)";
    let mut insert = transaction.prepare(sql)?;
    for number in 1..=bans {
        let address = after(BANNED, number).to_string();
        insert.execute(params![number, address, format!("network={address}"), "2026-11-30T00:00:00.000Z"])?;
    }
    drop(insert);
    transaction.commit()
}
