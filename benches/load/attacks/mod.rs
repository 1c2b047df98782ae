//! Measures what each attack costs: the server's memory, CPU time and descriptors during the attack, and the delay of well-behaved members.
//! Each attack runs against a new server. It is a fault if a member loses a message, if the server exits, or if descriptors stay open.

mod list;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use argh::FromArgs;

use self::list::{Attack, MEMBERS};
use crate::attackers::{AttackCounts, AttackPlan, Attackers};
use crate::common::event_loop::EventLoop as _;
use crate::common::figures::{Run, Runs, format_figure};
use crate::common::server::{Server, machine};
use crate::load::{Checking, Load};
use crate::report::Report;
use crate::server::kernel_tcp_bytes;

/// Attacks: what each costs the server, and how long it delays well-behaved members.
#[derive(FromArgs)]
#[argh(subcommand, name = "attacks")]
pub(crate) struct Attacks {
    /// number of attackers, for attacks that need many (default: 1000)
    #[argh(option, default = "1000")]
    attackers: usize,

    /// further members, which only read (default: 0)
    #[argh(option, default = "0")]
    listeners: usize,

    /// seconds of each attack (default: 3)
    #[argh(option, default = "3")]
    seconds: u64,

    /// run only the attack of this name; may be repeated (default: all attacks)
    #[argh(option, arg_name = "name")]
    only: Vec<String>,
}

impl Default for Attacks {
    fn default() -> Self {
        Self { attackers: 1000, listeners: 0, seconds: 3, only: Vec::new() }
    }
}

/// Messages per second of all members together, within the rate limit.
const RATE: u32 = 80;

/// Time for the server to recover after an attack.
const PATIENCE: Duration = Duration::from_secs(15);

/// Observations during an attack that are not figures.
struct Observations {
    counts: AttackCounts,
    /// `LEAVE` lines that the members received, by reason.
    leaves: BTreeMap<String, u64>,
}

impl Attacks {
    /// Prints each row of the table when its attack is measured.
    pub(crate) fn measure_and_print(&self, binary: &Path, runs: usize) -> Vec<Report> {
        let attacks: Vec<_> = list::all().into_iter().filter(|attack| self.includes(attack)).collect();
        assert!(!attacks.is_empty(), "unknown attack: {}", self.only.join(", "));
        println!(
            "\nattacks: {} s each, beside {MEMBERS} members that send {RATE} messages a second and {} that only read; {}",
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
        let (runs, observations): (Vec<_>, Vec<_>) = (0..runs).map(|_| self.run(binary, attack)).unzip();
        let report = Report {
            scenario: format!("attacks {}", attack.name).into(),
            description: attack.description.to_owned(),
            runs: Runs(runs),
        };
        print_row(attack, &report, &observations[0]);
        report
    }

    fn run(&self, binary: &Path, attack: &Attack) -> (Run, Observations) {
        let mut run = Run::default();
        let mut server = Server::start(binary, attack.arguments);
        let mut load = Load::new(server.address(), Checking::All, MEMBERS);
        load.join(self.listeners, MEMBERS);
        load.pace(RATE, Duration::from_millis(250), |_| {});
        let (descriptors, resident) = (server.descriptors(), server.resident_bytes());
        if let Some(further) = attack.descriptors {
            server.limit_descriptors((descriptors + further) as u64);
        }
        let plans: Vec<_> = (0..attack.attackers.unwrap_or(self.attackers)).map(attack.plan).collect();
        let observed = self.measure_attack(&server, &mut load, plans, &mut run);
        run.faults.other += u64::from(!recovers(&mut server, &mut load, descriptors));
        run.add_bytes("resident_growth_bytes_left", server.resident_bytes().saturating_sub(resident));
        // One more message, which all members must receive after the last lines about the attackers.
        load.senders()[0].send(1);
        run.faults.add(load.finish());
        (run, observed)
    }

    fn measure_attack(&self, server: &Server, load: &mut Load, plans: Vec<AttackPlan>, run: &mut Run) -> Observations {
        let count = plans.len() as f64;
        let duration = Duration::from_secs(self.seconds);
        let mut meter = ResourceMeter::start(server);
        load.start_timing();
        let attackers = Attackers::start(server.address(), plans);
        load.pace(RATE, duration / 2, |_| meter.sample());
        meter.halfway();
        load.pace(RATE, duration / 2, |_| meter.sample());
        meter.end(run);
        run.add("attackers_connected", attackers.connected_once() as f64);
        load.wait_for_acknowledgements();
        run.add_latencies_to_max("acknowledged", load.take_latencies());
        run.add_latencies_to_max("arrived", load.take_arrivals());
        // Before `stop`, which causes more `LEAVE` lines.
        let mut leaves = BTreeMap::new();
        load.senders()[0].left.iter().for_each(|(_, reason)| *leaves.entry(reason.clone()).or_default() += 1);
        let counts = attackers.stop();
        run.add("attackers", count);
        run.add("connections", counts.connections as f64);
        run.add("sent_bytes", counts.sent_bytes as f64);
        Observations { counts, leaves }
    }
}

/// Measures the resources that a server uses during an attack.
struct ResourceMeter<'a> {
    server: &'a Server,
    resident_before: u64,
    kernel_before: u64,
    kernel_max: u64,
    descriptors_max: usize,
    /// CPU time and time at the start of the attack, and after half of it.
    start: (Duration, Instant),
    half: (Duration, Instant),
}

impl<'a> ResourceMeter<'a> {
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

    fn sample(&mut self) {
        self.descriptors_max = self.descriptors_max.max(self.server.descriptors());
        self.kernel_max = self.kernel_max.max(kernel_tcp_bytes());
    }

    /// The attackers have had time to connect: CPU time from here on is that of the attack itself.
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

/// Whether the server still runs, has no more descriptors open than before, and admits a new client. The members stay connected.
pub(crate) fn recovers(server: &mut Server, load: &mut Load, descriptors: usize) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while server.is_alive() && server.descriptors() > descriptors && Instant::now() < deadline {
        load.turn_for(Duration::from_millis(10));
    }
    let problem = if !server.is_alive() {
        "it has exited"
    } else if server.descriptors() > descriptors {
        "it keeps descriptors open"
    } else if greeting(server).is_none_or(|line| !line.starts_with("HELLO ")) {
        "it does not greet a new client"
    } else {
        return true;
    };
    eprintln!("load: the server does not recover: {problem}");
    false
}

/// The first line that a new client receives.
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
        "growth of the server's memory",
        "server CPU",
        "descriptors",
        "acknowledgement to members, median and longest",
        "attackers read",
        "members see",
    ];
    println!("\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
}

fn print_row(attack: &Attack, report: &Report, observed: &Observations) {
    let figure = |name| format_figure(report.median(name));
    let columns = [
        described(attack, report),
        memory(report),
        processor_time(report),
        figure("descriptors_max"),
        format!("{} ms, {} ms", figure("acknowledged_ms_p50"), figure("acknowledged_ms_max")),
        read_by_attackers(&observed.counts),
        listed(observed.leaves.iter().map(|(reason, count)| (format!("LEAVE {reason}"), *count))),
    ];
    println!("| {} |", columns.join(" | "));
    if report.faults().any() {
        println!("\nFAULT in {}: {}\n", attack.name, report.faults());
    }
}

fn described(attack: &Attack, report: &Report) -> String {
    let attackers = report.median("attackers");
    let number = if attackers > 0.0 { whole(attackers) + " " } else { String::new() };
    let server = if attack.arguments.is_empty() { String::new() } else { format!(" `{}`", attack.arguments.join(" ")) };
    format!("`{}`{server}: {number}{}", attack.name, attack.description)
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

fn read_by_attackers(counts: &AttackCounts) -> String {
    let ok = (counts.ok_lines > 0).then(|| ("OK".to_owned(), counts.ok_lines));
    let errors = counts.errors.iter().map(|(code, count)| (format!("ERR {code}"), *count));
    let ends = [("end".to_owned(), counts.closed), ("no connection".to_owned(), counts.refused)];
    listed(ok.into_iter().chain(errors).chain(ends).filter(|(_, count)| *count > 0))
}

/// Each item with its count.
fn listed(counts: impl Iterator<Item = (String, u64)>) -> String {
    counts.map(|(what, count)| format!("{what} ×{}", whole(count as f64))).collect::<Vec<_>>().join(", ")
}
