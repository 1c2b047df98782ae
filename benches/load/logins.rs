//! Logins to accounts: the round trip of a client that sends `PING`, alone and beside many logins at once; and whether the time of a login
//! tells that an account exists. The server has one processor for everything, so this is the worst case.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use argh::FromArgs;

use crate::common::figures::{Run, Runs};
use crate::common::server::Server;
use crate::common::socket::{connect_from, source};
use crate::report::Report;

/// Logins: the round trip of another client's `PING` beside many logins at once, and the time of a login with and without an account.
#[derive(FromArgs)]
#[argh(subcommand, name = "logins")]
pub(crate) struct Logins {
    /// logins at once (default: 60)
    #[argh(option, default = "60")]
    clients: u8,

    /// seconds of each measurement of the round trip (default: 5)
    #[argh(option, default = "5")]
    seconds: u64,

    /// logins with a wrong password, to an account that exists and to one that does not, each (default: 1000)
    #[argh(option, default = "1000")]
    tries: u16,
}

impl Default for Logins {
    fn default() -> Self {
        Self { clients: 60, seconds: 5, tries: 1000 }
    }
}

const PASSWORD: &str = "correct horse battery";

/// A pause between two pings, as that of a user.
const PING_EVERY: Duration = Duration::from_millis(5);

/// A client that waits for each reply.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(from: Ipv4Addr, address: SocketAddr) -> Self {
        let stream = connect_from(from, address);
        stream.set_nodelay(true).expect("a socket");
        let mut client = Self(BufReader::new(stream));
        let hello = client.line();
        assert!(hello.contains(",accounts "), "this build of chinwagd has no accounts: {hello}");
        client
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the server answers");
        line
    }

    fn send(&mut self, line: &str) {
        writeln!(self.0.get_mut(), "{line}").expect("the server reads");
    }

    /// Reads up to a reply.
    fn reply(&mut self) -> String {
        loop {
            let line = self.line();
            if line.is_empty() || line.starts_with("OK ") || line.starts_with("ERR ") {
                return line;
            }
        }
    }

    fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.reply()
    }
}

impl Logins {
    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Vec<Report> {
        let mut report = Report {
            scenario: "logins".into(),
            description: format!(
                "{} clients log in at once, again and again, {} s; beside them, a client sends a PING every {} ms; then {} wrong \
                 passwords each for an account and for none",
                self.clients,
                self.seconds,
                PING_EVERY.as_millis(),
                self.tries
            ),
            runs: Runs::default(),
        };
        report.runs.0.extend((0..runs).map(|_| self.run(binary)));
        vec![report]
    }

    fn run(&self, binary: &Path) -> Run {
        let mut run = Run::default();
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("chat.db");
        let data = data.to_str().expect("a path");
        let server = Server::start(binary, &["--data", data, "--line-rate", "0", "--connect-rate", "0"]);
        let names: Vec<_> = (0..self.clients).map(|number| format!("user{number}")).collect();
        for (number, name) in (0..).zip(&names) {
            // Few accounts are registered from one address.
            let mut client = Client::connect(Ipv4Addr::new(127, 1, 0, number), server.address());
            assert!(client.ask(&format!("NICK {name}")).starts_with("OK "));
            assert!(client.ask(&format!("REGISTER {PASSWORD}")).starts_with("OK "));
            client.ask("QUIT");
        }
        let mut other = Client::connect(source(1), server.address());
        assert!(other.ask("NICK other").starts_with("OK "));
        let until = Instant::now() + Duration::from_secs(self.seconds);
        run.add_latencies_to_max("ping_alone", ping_until(&mut other, || Instant::now() >= until));
        self.ping_beside_logins(&server, &names, &mut other, &mut run);
        run.add_bytes("server_resident_bytes_max", server.resident_bytes_max());
        self.time_wrong_passwords(&server, &mut run);
        run
    }

    fn ping_beside_logins(&self, server: &Server, names: &[String], other: &mut Client, run: &mut Run) {
        let address = server.address();
        let clients: Vec<_> = names.iter().map(|_| Client::connect(source(2), address)).collect();
        let until = Instant::now() + Duration::from_secs(self.seconds);
        let names = names.to_vec();
        let cpu_before = server.cpu_precise();
        let logins = thread::spawn(move || log_in_until(clients, &names, until));
        let latencies = ping_until(other, || logins.is_finished());
        let Bursts { count, logins, time, longest } = logins.join().expect("the clients' thread does not panic");
        let busy = server.cpu_precise().saturating_sub(cpu_before).as_secs_f64() / time.as_secs_f64();
        run.add_latencies_to_max("ping_beside_logins", latencies);
        run.add("bursts", f64::from(count));
        run.add("logins_per_second", f64::from(logins) / time.as_secs_f64());
        run.add("longest_burst_ms", longest.as_secs_f64() * 1e3);
        run.add("server_busy_percent", busy * 100.0);
    }

    /// Tries an account that exists and one that does not, in turn; which one is the first on a connection alternates, too. Each pair has
    /// an address of its own, because wrong passwords of an address are limited.
    fn time_wrong_passwords(&self, server: &Server, run: &mut Run) {
        let mut times = [Vec::new(), Vec::new()];
        for number in 0..self.tries {
            let [high, low] = number.to_be_bytes();
            let mut client = Client::connect(Ipv4Addr::new(127, 2, high, low), server.address());
            let first = usize::from(number % 2 == 1);
            for which in [first, 1 - first] {
                let start = Instant::now();
                let reply = client.ask(&format!("LOGIN {} incorrect horse", ["user0", "nobody"][which]));
                times[which].push(start.elapsed());
                run.faults.other += u64::from(!reply.starts_with("ERR LOGIN password-wrong "));
            }
        }
        let [existing, missing] = times;
        run.add("existing_slower_percent", slower_percent(&existing, &missing));
        run.add_latencies_to_max("login_existing", existing);
        run.add_latencies_to_max("login_missing", missing);
    }
}

/// Sends pings, one after the other, until `is_over`. Returns the round trips.
fn ping_until(client: &mut Client, mut is_over: impl FnMut() -> bool) -> Vec<Duration> {
    let mut latencies = Vec::new();
    while !is_over() {
        let start = Instant::now();
        assert_eq!(client.ask("PING"), "OK PING\n");
        let latency = start.elapsed();
        latencies.push(latency);
        thread::sleep(PING_EVERY.saturating_sub(latency));
    }
    latencies
}

/// Counts and times of the clients that log in.
#[derive(Default)]
struct Bursts {
    count: u32,
    logins: u32,
    time: Duration,
    longest: Duration,
}

/// Lets all clients log in at once; once all have, again.
fn log_in_until(mut clients: Vec<Client>, names: &[String], until: Instant) -> Bursts {
    let start = Instant::now();
    let mut bursts = Bursts::default();
    while Instant::now() < until {
        let burst = Instant::now();
        for (client, name) in clients.iter_mut().zip(names) {
            client.send(&format!("LOGIN {name} {PASSWORD}"));
        }
        for client in &mut clients {
            assert!(client.reply().starts_with("OK LOGIN "), "a login is refused");
            bursts.logins += 1;
        }
        bursts.count += 1;
        bursts.longest = bursts.longest.max(burst.elapsed());
    }
    Bursts { time: start.elapsed(), ..bursts }
}

/// How often a time of `these` is greater than one of `others`, in percent of all pairs: 50 if the two do not differ.
fn slower_percent(these: &[Duration], others: &[Duration]) -> f64 {
    let mut sorted = others.to_vec();
    sorted.sort_unstable();
    let shorter: usize = these.iter().map(|time| sorted.partition_point(|other| other < time)).sum();
    let pairs = these.len() * others.len();
    shorter as f64 / pairs.max(1) as f64 * 100.0
}
