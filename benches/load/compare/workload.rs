//! What is asked of each server, and what is measured while it does it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::report::Run;
use crate::server::{Cpu, Server, own_cpu};
use crate::wire::TEXT_BYTES;

use super::contender::{Contender, SlowReaders};
use super::crowd::{Checking, Crowd, Plan};
use super::joins;
use super::protocol::{Role, Route};
use super::text::SENDERS_MAX;

const SENDERS: usize = 10;

/// Most that are members of an IRC channel, or named, at the same time: those servers let newcomers in by and by.
const IRC_MEMBERS_MAX: usize = 1000;

pub(super) struct Workload {
    pub(super) name: &'static str,
    kind: Kind,
    /// Not servers but the dialects of chinwag are compared.
    dialects: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// As much as it takes.
    Saturated { readers: usize, window: u64 },
    /// So many messages a second.
    Paced { readers: usize, rate: u32 },
    /// Everybody is told of everybody who comes.
    Joins { members: usize },
    /// As much as it takes, each to one.
    Whispers { pairs: usize, window: u64 },
    /// Nothing happens.
    Idle { peers: usize },
    /// As much as it takes, without and with some that do not read.
    Stuck { readers: usize, stuck: usize, window: u64 },
}

/// All of them; the short ones do the same with fewer.
pub(super) fn workloads(quick: bool) -> Vec<Workload> {
    let of = |full: usize, short: usize| if quick { short } else { full };
    let saturated = |readers, window| Kind::Saturated { readers, window };
    let list = [
        ("saturated-100", saturated(of(100, 10), 512)),
        ("saturated-1000", saturated(of(1000, 30), 512)),
        // So that the slowest need no more than seconds for what is on its way.
        ("saturated-10000", saturated(of(10_000, 100), 128)),
        ("paced-100", Kind::Paced { readers: of(100, 10), rate: 500 }),
        ("paced-1000", Kind::Paced { readers: of(1000, 30), rate: 100 }),
        ("joins", Kind::Joins { members: of(10_000, 50) }),
        ("whispers", Kind::Whispers { pairs: of(1000, 20), window: 16 }),
        ("idle", Kind::Idle { peers: of(10_000, 100) }),
        ("stuck", Kind::Stuck { readers: of(1000, 30), stuck: of(100, 3), window: 512 }),
        ("dialects", saturated(of(1000, 30), 512)),
    ];
    list.map(|(name, kind)| Workload { name, kind, dialects: name == "dialects" }).into()
}

impl Workload {
    pub(super) fn description(&self) -> String {
        let text = format!("texts of {TEXT_BYTES} bytes");
        match self.kind {
            Kind::Saturated { readers, window } => {
                format!("{readers} readers, {SENDERS} senders with {window} messages on their way each, {text}")
            }
            Kind::Paced { readers, rate } => format!("{readers} readers, one sender, {rate} messages a second, {text}"),
            Kind::Joins { members } => {
                format!("{members} join (IRC: at most {IRC_MEMBERS_MAX}), everybody is told, every roster is checked")
            }
            Kind::Whispers { pairs, window } => {
                format!("{pairs} pairs, {window} messages on their way in each, {text}")
            }
            Kind::Idle { peers } => {
                format!("{peers} peers (IRC: at most {IRC_MEMBERS_MAX}), named or subscribed, idle")
            }
            Kind::Stuck { readers, stuck, window } => format!(
                "{} readers, without and with {stuck} more that do not read; {SENDERS} senders with {window} messages on \
                 their way each, {text}; the servers' own limits for slow readers",
                readers - stuck
            ),
        }
    }

    /// Whether a server can do it; and whether it is one that is compared here, unless it was asked for by name.
    pub(super) fn takes(&self, contender: &Contender, by_name: bool) -> bool {
        let is_dialect = contender.name.starts_with("chinwag-");
        let is_compared = by_name || if self.dialects { contender.name.starts_with("chinwag") } else { !is_dialect };
        is_compared
            && match self.kind {
                Kind::Saturated { readers, .. } => !contender.paces_joins() || readers <= IRC_MEMBERS_MAX,
                Kind::Joins { .. } => contender.protocol.presence().is_some(),
                Kind::Whispers { .. } => contender.has_addresses(),
                // What waits for those who do not read grows without bound there.
                Kind::Stuck { .. } => contender.bounds_slow_readers(),
                Kind::Paced { .. } | Kind::Idle { .. } => true,
            }
    }

    pub(super) fn run(&self, contender: &Contender, program: &Path, seconds: f64) -> Run {
        let under = Under { contender, program, duration: Duration::from_secs_f64(seconds) };
        let fewer = |count: usize| if contender.paces_joins() { count.min(IRC_MEMBERS_MAX) } else { count };
        match self.kind {
            Kind::Saturated { readers, window } => under.saturated(Route::Everybody, readers, SENDERS, window),
            Kind::Whispers { pairs, window } => under.saturated(Route::Pairs, pairs, pairs.min(SENDERS_MAX), window),
            Kind::Paced { readers, rate } => under.paced(readers, rate),
            Kind::Joins { members } => joins::run(contender, program, fewer(members)),
            Kind::Idle { peers } => under.idle(fewer(peers)),
            Kind::Stuck { readers, stuck, window } => under.stuck(readers, stuck, window),
        }
    }
}

/// A server to be started, and for how long it is measured.
struct Under<'a> {
    contender: &'a Contender,
    program: &'a Path,
    duration: Duration,
}

impl Under<'_> {
    fn start(&self, slow: SlowReaders) -> Server {
        self.contender.start(self.program, slow)
    }

    fn gather(&self, server: &Server, route: Route, readers: usize, senders: usize, checking: Checking) -> Crowd {
        self.gather_with_stuck(server, route, (readers, 0), senders, checking)
    }

    fn gather_with_stuck(
        &self,
        server: &Server,
        route: Route,
        (readers, stuck): (usize, usize),
        senders: usize,
        checking: Checking,
    ) -> Crowd {
        let joining_max = self.contender.joining_max;
        let plan = Plan { readers, senders, stuck, route, checking, joining_max };
        Crowd::gather(self.contender.protocol, server.address, plan)
    }

    fn saturated(&self, route: Route, readers: usize, senders: usize, window: u64) -> Run {
        let mut run = Run::default();
        let server = self.start(SlowReaders::Wait);
        let empty_bytes = server.resident_bytes();
        let mut crowd = self.gather(&server, route, readers, senders, Checking::Bytes);
        let idle_bytes = server.resident_bytes();
        // What is measured next is not the first of its kind to the kernel.
        crowd.send_and_settle(window);
        if route == Route::Pairs {
            crowd.start_timing();
        }
        self.measure_saturated(&server, &mut crowd, window, &mut run);
        add_latencies(&mut run, crowd.take_arrivals());
        add_bytes_a_connection(&mut run, idle_bytes.saturating_sub(empty_bytes), readers + senders);
        run.faults = crowd.finish();
        run
    }

    /// From the first message sent until the last has arrived everywhere.
    fn measure_saturated(&self, server: &Server, crowd: &mut Crowd, window: u64, run: &mut Run) {
        let (interval, sent_before) = (Interval::begin(server), crowd.sent());
        crowd.keep_sending(window);
        crowd.turn_for(self.duration);
        crowd.settle();
        let deliveries = crowd.deliveries(crowd.sent() - sent_before);
        interval.end(deliveries, run);
    }

    fn paced(&self, readers: usize, rate: u32) -> Run {
        let mut run = Run::default();
        let server = self.start(SlowReaders::Wait);
        let mut crowd = self.gather(&server, Route::Everybody, readers, 1, Checking::Lines);
        crowd.start_timing();
        let (interval, sent_before) = (Interval::begin(&server), crowd.sent());
        let start = Instant::now();
        for number in 0.. {
            let due = Duration::from_secs(1) * number / rate;
            if due >= self.duration {
                break;
            }
            crowd.turn_for((start + due).saturating_duration_since(Instant::now()));
            crowd.senders[0].send(1);
        }
        crowd.settle();
        let deliveries = crowd.deliveries(crowd.sent() - sent_before);
        interval.end(deliveries, &mut run);
        add_latencies(&mut run, crowd.take_arrivals());
        run.faults = crowd.finish();
        run
    }

    fn idle(&self, peers: usize) -> Run {
        let mut run = Run::default();
        let server = self.start(SlowReaders::Wait);
        let empty_bytes = server.resident_bytes();
        let idle = joins::gather_idle(self.contender, server.address, peers, Role::Idle);
        // What was allocated for the joining may be given back.
        joins::rest(Duration::from_secs(1).min(self.duration));
        let bytes = server.resident_bytes().saturating_sub(empty_bytes);
        add_bytes_a_connection(&mut run, bytes, peers);
        run.add_bytes("resident_bytes_empty", empty_bytes);
        run.add("join_seconds", idle.seconds);
        run.faults = idle.faults();
        run
    }

    fn stuck(&self, readers: usize, stuck: usize, window: u64) -> Run {
        let mut run = Run::default();
        let alone = self.beside_stuck((readers - stuck, 0), window, &mut run);
        let beside = self.beside_stuck((readers, stuck), window, &mut run);
        let rate = |run: &Run| run.figures.iter().find(|figure| figure.name == RATE).map_or(0.0, |figure| figure.value);
        run.add("deliveries_per_second_alone", rate(&alone));
        run.add("deliveries_per_second_beside_stuck", rate(&beside));
        run.add("lost_to_the_stuck_percent", (1.0 - rate(&beside) / rate(&alone)) * 100.0);
        run.figures.extend(beside.figures.into_iter().filter(|figure| figure.name != RATE));
        run
    }

    fn beside_stuck(&self, readers: (usize, usize), window: u64, all: &mut Run) -> Run {
        let mut run = Run::default();
        let server = self.start(SlowReaders::AsByDefault);
        let mut crowd = self.gather_with_stuck(&server, Route::Everybody, readers, SENDERS, Checking::Bytes);
        let idle_bytes = server.resident_bytes();
        self.measure_saturated(&server, &mut crowd, window, &mut run);
        run.add_bytes("resident_growth_bytes", server.resident_bytes_max().saturating_sub(idle_bytes));
        all.faults.add(crowd.finish());
        run
    }
}

/// The figure that one looks at first.
pub(super) const RATE: &str = "deliveries_per_second";

/// The figure that one looks at next: microseconds.
pub(super) const COST: &str = "server_cpu_us_a_delivery";

/// What server and load use up from a moment on.
struct Interval<'a> {
    server: &'a Server,
    start: Instant,
    server_cpu: Cpu,
    server_precise: Duration,
    own_cpu: Cpu,
}

impl<'a> Interval<'a> {
    fn begin(server: &'a Server) -> Self {
        let (server_cpu, server_precise, own_cpu) = (server.cpu(), server.cpu_precise(), own_cpu());
        Self { server, start: Instant::now(), server_cpu, server_precise, own_cpu }
    }

    /// Adds what it came to.
    fn end(self, deliveries: u64, run: &mut Run) {
        let seconds = self.start.elapsed().as_secs_f64();
        let cpu = self.server.cpu().since(self.server_cpu);
        let precise = self.server.cpu_precise().saturating_sub(self.server_precise).as_secs_f64();
        let own = own_cpu().since(self.own_cpu).total().as_secs_f64();
        let deliveries = deliveries as f64;
        // The kernel knows the sum to the nanosecond, its parts to a hundredth of a second.
        let user = cpu.user.as_secs_f64() / cpu.total().as_secs_f64().max(f64::MIN_POSITIVE);
        run.add(RATE, deliveries / seconds);
        run.add(COST, precise * 1e6 / deliveries);
        run.add("server_user_us_a_delivery", precise * user * 1e6 / deliveries);
        run.add("server_system_us_a_delivery", precise * (1.0 - user) * 1e6 / deliveries);
        run.add("server_busy_percent", precise / seconds * 100.0);
        run.add("load_busy_percent", own / seconds * 100.0);
    }
}

fn add_bytes_a_connection(run: &mut Run, bytes: u64, connections: usize) {
    run.add("resident_bytes_a_connection", bytes as f64 / connections as f64);
}

/// Adds how long messages took from their sender to a reader, if that was timed.
fn add_latencies(run: &mut Run, mut latencies: Vec<Duration>) {
    if latencies.is_empty() {
        return;
    }
    latencies.sort_unstable();
    for (name, permille) in [("p50", 500), ("p99", 990), ("p99.9", 999), ("max", 1000)] {
        let index = (latencies.len() * permille / 1000).min(latencies.len() - 1);
        run.add(format!("arrived_ms_{name}"), latencies[index].as_secs_f64() * 1e3);
    }
}
