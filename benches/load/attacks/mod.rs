//! What each attack costs: the server's memory, processor time and descriptors while it goes on, and what a well-behaved
//! group waits beside it. Each is done to a server of its own. Whatever the attack, the group loses nothing, the server
//! lives, and in the end its descriptors are back where they were.

mod list;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use argh::FromArgs;

use self::list::{Attack, MEMBERS};
use crate::common::event_loop::EventLoop as _;
use crate::common::figures::{Run, Runs, format_figure};
use crate::common::server::{Server, machine};
use crate::load::{Checking, Load};
use crate::mob::{Mob, Plan, Tally};
use crate::report::Report;
use crate::server::kernel_tcp_bytes;

/// What each attack costs the server and those who are well-behaved.
#[derive(FromArgs)]
#[argh(subcommand, name = "attacks")]
pub(crate) struct Attacks {
    /// how many attack where it takes many (default: 1000)
    #[argh(option, default = "1000")]
    many: usize,

    /// how many in the room only listen (default: 0)
    #[argh(option, default = "0")]
    listeners: usize,

    /// seconds that each attack is measured (default: 3)
    #[argh(option, default = "3")]
    seconds: u64,

    /// one attack only, by its name; may be repeated (default: all)
    #[argh(option, arg_name = "name")]
    only: Vec<String>,
}

impl Default for Attacks {
    fn default() -> Self {
        Self { many: 1000, listeners: 0, seconds: 3, only: Vec::new() }
    }
}

/// Messages a second in the room beside an attack, of all members together: within the rate limit.
const RATE: u32 = 80;

/// How long the server may take to be as it was.
const PATIENCE: Duration = Duration::from_secs(15);

/// What an attack came to that is no figure.
struct Account {
    tally: Tally,
    /// Why those who left had to, as the members saw it, and how many.
    leaves: BTreeMap<String, u64>,
}

impl Attacks {
    /// Prints each row of the table as soon as it is there.
    pub(crate) fn measure_and_print(&self, binary: &Path, runs: usize) -> Vec<Report> {
        let attacks: Vec<_> = list::all().into_iter().filter(|attack| self.includes(attack)).collect();
        assert!(!attacks.is_empty(), "no attack is called {}", self.only.join(", "));
        println!(
            "\nattacks: {} s each, beside {MEMBERS} members who say {RATE} messages a second and {} who listen; {}",
            self.seconds,
            self.listeners,
            machine()
        );
        print_head();
        attacks.iter().map(|attack| self.measure(binary, attack, runs)).collect()
    }

    fn includes(&self, attack: &Attack) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == attack.name)
    }

    fn measure(&self, binary: &Path, attack: &Attack, runs: usize) -> Report {
        let (runs, accounts): (Vec<_>, Vec<_>) = (0..runs).map(|_| self.run(binary, attack)).unzip();
        let report = Report {
            scenario: format!("attacks {}", attack.name).into(),
            description: attack.what.to_owned(),
            runs: Runs(runs),
        };
        print_row(attack, &report, &accounts[0]);
        report
    }

    fn run(&self, binary: &Path, attack: &Attack) -> (Run, Account) {
        let mut run = Run::default();
        let mut server = Server::start(binary, attack.arguments);
        let mut load = Load::new(server.address(), Checking::All, MEMBERS);
        load.join(self.listeners, MEMBERS);
        load.pace(RATE, Duration::from_millis(250), |_| {});
        let (descriptors, resident) = (server.descriptors(), server.resident_bytes());
        if let Some(further) = attack.descriptors {
            server.limit_descriptors((descriptors + further) as u64);
        }
        let plans: Vec<_> = (0..attack.attackers.unwrap_or(self.many)).map(attack.plan).collect();
        let account = self.measure_attack(&server, &mut load, plans, &mut run);
        run.faults.other += u64::from(!recovers(&mut server, &mut load, descriptors));
        run.add_bytes("resident_growth_bytes_left", server.resident_bytes().saturating_sub(resident));
        // After all that the attackers left behind comes one more line that everybody is to see.
        load.senders()[0].send(1);
        run.faults.add(load.finish());
        (run, account)
    }

    fn measure_attack(&self, server: &Server, load: &mut Load, plans: Vec<Plan>, run: &mut Run) -> Account {
        let attackers = plans.len() as f64;
        let duration = Duration::from_secs(self.seconds);
        let mut watch = Watch::start(server);
        load.start_timing();
        let mob = Mob::start(server.address(), plans);
        load.pace(RATE, duration / 2, |_| watch.look());
        watch.halfway();
        load.pace(RATE, duration / 2, |_| watch.look());
        watch.end(run);
        run.add("gathered", mob.gathered() as f64);
        load.settle();
        run.add_latencies_to_max("acknowledged", load.take_latencies());
        run.add_latencies_to_max("arrived", load.take_arrivals());
        // Later they leave because they are stopped.
        let mut leaves = BTreeMap::new();
        load.senders()[0].left.iter().for_each(|(_, reason)| *leaves.entry(reason.clone()).or_default() += 1);
        let tally = mob.stop();
        run.add("attackers", attackers);
        run.add("connections", tally.connections as f64);
        run.add("sent_bytes", tally.sent_bytes as f64);
        Account { tally, leaves }
    }
}

/// What a server uses up while an attack goes on.
struct Watch<'a> {
    server: &'a Server,
    resident_before: u64,
    kernel_before: u64,
    kernel_max: u64,
    descriptors_max: usize,
    /// Processor time used up by then: when it began, and when half of it was over.
    start: (Duration, Instant),
    half: (Duration, Instant),
}

impl<'a> Watch<'a> {
    fn start(server: &'a Server) -> Self {
        server.reset_resident_bytes_max();
        let start = (server.cpu_precise(), Instant::now());
        let kernel_before = kernel_tcp_bytes();
        Self {
            server,
            resident_before: server.resident_bytes(),
            kernel_before,
            kernel_max: kernel_before,
            descriptors_max: 0,
            start,
            half: start,
        }
    }

    fn look(&mut self) {
        self.descriptors_max = self.descriptors_max.max(self.server.descriptors());
        self.kernel_max = self.kernel_max.max(kernel_tcp_bytes());
    }

    /// Whoever was to come is there by now: what is used up from here on, the attack itself takes.
    fn halfway(&mut self) {
        self.half = (self.server.cpu_precise(), Instant::now());
    }

    fn end(self, run: &mut Run) {
        let cpu_since = |(before, _): (Duration, _)| self.server.cpu_precise().saturating_sub(before).as_secs_f64();
        let growth = self.server.resident_bytes_max().saturating_sub(self.resident_before);
        run.add_bytes("resident_growth_bytes", growth);
        run.add_bytes("kernel_both_ends_growth_bytes", self.kernel_max - self.kernel_before);
        run.add("cpu_ms", cpu_since(self.start) * 1e3);
        run.add("cpu_percent_second_half", cpu_since(self.half) / self.half.1.elapsed().as_secs_f64() * 100.0);
        run.add("descriptors_max", self.descriptors_max as f64);
    }
}

/// Whether the server lives, has no more descriptors open than before, and takes somebody new. The members stay.
fn recovers(server: &mut Server, load: &mut Load, descriptors: usize) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while server.is_alive() && server.descriptors() > descriptors && Instant::now() < deadline {
        load.turn_for(Duration::from_millis(10));
    }
    let problem = if !server.is_alive() {
        "it exited"
    } else if server.descriptors() > descriptors {
        "it keeps descriptors open"
    } else if greeting(server).is_none_or(|line| !line.starts_with("HELLO ")) {
        "it greets nobody new"
    } else {
        return true;
    };
    eprintln!("load: the server does not recover: {problem}");
    false
}

/// What somebody new reads first.
fn greeting(server: &Server) -> Option<String> {
    let stream = TcpStream::connect_timeout(&server.address(), PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    Some(line)
}

fn print_head() {
    let columns = [
        "attack",
        "the server's memory grows by",
        "its CPU",
        "descriptors",
        "others' acknowledgement, median and longest",
        "the attackers read",
        "others see",
    ];
    println!("\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
}

fn print_row(attack: &Attack, report: &Report, account: &Account) {
    let figure = |name| format_figure(report.median(name));
    let columns = [
        described(attack, report),
        memory(report),
        processor_time(report),
        figure("descriptors_max"),
        format!("{} ms, {} ms", figure("acknowledged_ms_p50"), figure("acknowledged_ms_max")),
        read_by_attackers(&account.tally),
        listed(account.leaves.iter().map(|(reason, count)| (format!("LEAVE {reason}"), *count))),
    ];
    println!("| {} |", columns.join(" | "));
    if report.faults().any() {
        println!("\nFAULT in {}: {}\n", attack.name, report.faults());
    }
}

fn described(attack: &Attack, report: &Report) -> String {
    let attackers = report.median("attackers");
    let who = if attackers > 0.0 { whole(attackers) + " " } else { String::new() };
    let server = if attack.arguments.is_empty() { String::new() } else { format!(" `{}`", attack.arguments.join(" ")) };
    format!("`{}`{server}: {who}{}", attack.name, attack.what)
}

fn memory(report: &Report) -> String {
    let (attackers, growth) = (report.median("attackers"), report.median("resident_growth_bytes"));
    let each = if attackers > 1.0 { format!(" ({} B each)", whole(growth / attackers)) } else { String::new() };
    let kernel = whole(report.median("kernel_both_ends_growth_bytes") / 1e3);
    let left = whole(report.median("resident_growth_bytes_left") / 1e3);
    format!("{} KB{each}, {left} KB in the end; kernel, both ends {kernel} KB", whole(growth / 1e3))
}

fn processor_time(report: &Report) -> String {
    let (cpu_ms, connections) = (report.median("cpu_ms"), report.median("connections"));
    let share = format_figure(report.median("cpu_percent_second_half"));
    let storm = if connections > report.median("attackers") {
        format!("; {} connections, {} µs each", whole(connections), format_figure(cpu_ms * 1e3 / connections))
    } else {
        String::new()
    };
    format!("{} ms; {share} % in the second half{storm}", whole(cpu_ms))
}

fn whole(value: f64) -> String {
    if value < 100.0 { format!("{value:.0}") } else { format_figure(value) }
}

fn read_by_attackers(tally: &Tally) -> String {
    let ok = (tally.ok_lines > 0).then(|| ("OK".to_owned(), tally.ok_lines));
    let errors = tally.errors.iter().map(|(code, count)| (format!("ERR {code}"), *count));
    let ends = [("end".to_owned(), tally.closed), ("no connection".to_owned(), tally.refused)];
    listed(ok.into_iter().chain(errors).chain(ends).filter(|(_, count)| *count > 0))
}

/// What, and how often.
fn listed(counts: impl Iterator<Item = (String, u64)>) -> String {
    counts.map(|(what, count)| format!("{what} ×{}", whole(count as f64))).collect::<Vec<_>>().join(", ")
}
