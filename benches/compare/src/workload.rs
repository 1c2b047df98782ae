//! The workloads, and what is measured while a server handles them.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::clients::{Checking, Clients, Plan};
use crate::common::certificate::Certificate;
use crate::common::event_loop::EventLoop as _;
use crate::common::figures::{Run, percentile_ms};
use crate::common::log::TEXT_BYTES;
use crate::common::server::{Cpu, Server, own_cpu};
use crate::common::tls::{self, TlsClient};
use crate::configuration::BacklogLimit;
use crate::contender::Contender;
use crate::joins;
use crate::protocol::Route;
use crate::text::SENDERS_MAX;

const SENDERS: usize = 10;

/// Most clients of an IRC server, which admits them slowly.
const IRC_MEMBERS_MAX: usize = 1000;

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    kind: Kind,
    /// Compares the dialects of chinwag instead of servers.
    dialects: bool,
    /// All connections use TLS.
    pub(crate) is_encrypted: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Sends as fast as the server takes it.
    Saturated { readers: usize, window: u64 },
    /// Sends `rate` messages a second.
    Paced { readers: usize, rate: usize },
    /// All clients join one room; each is announced to the others.
    Joins { members: usize },
    /// Sends as fast as the server takes it, each message to one reader.
    Whispers { pairs: usize, window: u64 },
    /// All clients connect and send nothing more.
    Idle { clients: usize },
    /// Sends `rate` messages a second to rooms of `members` clients each. In each room, one of them sends and the others read.
    Rooms { rooms: usize, members: usize, rate: usize },
    /// Sends as fast as the server takes it, first without and then with readers that do not read.
    Stuck { readers: usize, stuck: usize, window: u64 },
}

/// All workloads. With `quick`, each has fewer clients.
pub(crate) fn workloads(quick: bool) -> Vec<Workload> {
    let of = |full: usize, short: usize| if quick { short } else { full };
    let saturated = |readers, window| Kind::Saturated { readers, window };
    let list = [
        ("saturated-100", saturated(of(100, 10), 512)),
        ("saturated-1000", saturated(of(1000, 30), 512)),
        // A smaller window, so that the slowest server delivers it within seconds.
        ("saturated-10000", saturated(of(10_000, 100), 128)),
        ("paced-100", Kind::Paced { readers: of(100, 10), rate: 500 }),
        ("paced-1000", Kind::Paced { readers: of(1000, 30), rate: 100 }),
        ("rooms-100", Kind::Rooms { rooms: of(100, 5), members: of(10, 4), rate: of(5000, 500) }),
        ("rooms-1000", Kind::Rooms { rooms: of(1000, 10), members: of(10, 4), rate: of(5000, 500) }),
        ("joins", Kind::Joins { members: of(10_000, 50) }),
        ("whispers", Kind::Whispers { pairs: of(1000, 20), window: 16 }),
        ("idle", Kind::Idle { clients: of(10_000, 100) }),
        ("stuck", Kind::Stuck { readers: of(1000, 30), stuck: of(100, 3), window: 512 }),
        ("dialects", saturated(of(1000, 30), 512)),
        ("tls-saturated-1000", saturated(of(1000, 30), 512)),
        ("tls-paced-1000", Kind::Paced { readers: of(1000, 30), rate: 100 }),
        ("tls-idle", Kind::Idle { clients: of(1000, 100) }),
    ];
    let workload = |(name, kind): (&'static str, _)| {
        let (dialects, is_encrypted) = (name == "dialects", name.starts_with("tls-"));
        Workload { name, kind, dialects, is_encrypted }
    };
    list.map(workload).into()
}

impl Workload {
    pub(crate) fn description(&self) -> String {
        let what = self.kind.description();
        if self.is_encrypted { format!("{what}; all over {}", tls::parameters()) } else { what }
    }

    /// Whether a server supports the workload, and takes part in it by default or was chosen by name.
    pub(crate) fn includes(&self, contender: &Contender, by_name: bool) -> bool {
        let is_dialect = contender.name.starts_with("chinwag-");
        let is_compared = by_name || if self.dialects { contender.name.starts_with("chinwag") } else { !is_dialect };
        is_compared
            && (contender.has_tls() || !self.is_encrypted)
            && match self.kind {
                Kind::Saturated { readers, .. } => {
                    let takes_bursts = by_name || !self.is_encrypted || contender.takes_bursts_over_tls();
                    takes_bursts && (!contender.admits_slowly() || readers <= IRC_MEMBERS_MAX)
                }
                Kind::Joins { .. } => contender.protocol.presence().is_some(),
                Kind::Rooms { rooms, members, .. } => {
                    let is_slow = contender.slows_with_clients() && rooms * members > IRC_MEMBERS_MAX;
                    contender.has_routes() && (by_name || !is_slow)
                }
                Kind::Whispers { .. } => contender.has_routes(),
                Kind::Stuck { .. } => contender.has_backlog_limit(),
                Kind::Paced { .. } | Kind::Idle { .. } => true,
            }
    }

    /// Runs it once. An encrypted workload needs a certificate.
    pub(crate) fn run(
        &self,
        contender: &Contender,
        program: &Path,
        seconds: f64,
        certificate: Option<&Certificate>,
    ) -> Run {
        let setup = Setup { contender, program, certificate, duration: Duration::from_secs_f64(seconds) };
        let fewer = |count: usize| if contender.admits_slowly() { count.min(IRC_MEMBERS_MAX) } else { count };
        match self.kind {
            Kind::Saturated { readers, window } => setup.saturated(Route::All, readers, SENDERS, window),
            Kind::Whispers { pairs, window } => setup.saturated(Route::Pairs, pairs, pairs.min(SENDERS_MAX), window),
            Kind::Paced { readers, rate } => setup.paced(Route::All, readers, 1, rate),
            Kind::Rooms { rooms, members, rate } => {
                setup.paced(Route::Rooms(rooms), rooms * (members - 1), rooms, rate)
            }
            Kind::Joins { members } => joins::run(contender, program, fewer(members)),
            Kind::Idle { clients } => setup.idle(fewer(clients)),
            Kind::Stuck { readers, stuck, window } => setup.stuck(readers, stuck, window),
        }
    }
}

impl Kind {
    fn description(self) -> String {
        let text = format!("texts of {TEXT_BYTES} bytes");
        match self {
            Self::Saturated { readers, window } => {
                format!("{readers} readers, {SENDERS} senders with {window} unacknowledged messages each, {text}")
            }
            Self::Paced { readers, rate } => format!("{readers} readers, one sender, {rate} messages a second, {text}"),
            Self::Joins { members } => {
                format!(
                    "{members} clients join (IRC: at most {IRC_MEMBERS_MAX}); announcements and member lists are checked"
                )
            }
            Self::Whispers { pairs, window } => {
                format!("{pairs} pairs with {window} unacknowledged messages each, {text}")
            }
            Self::Idle { clients } => {
                format!(
                    "{clients} idle clients (IRC: at most {IRC_MEMBERS_MAX}), each with a nickname or a subscription"
                )
            }
            Self::Rooms { rooms, members, rate } => format!(
                "{rooms} rooms (channels, subjects) of one sender and {} readers, {rate} messages a second in all rooms \
                 together, {text}",
                members - 1
            ),
            Self::Stuck { readers, stuck, window } => format!(
                "{} readers, without and with {stuck} more that do not read; {SENDERS} senders with {window} unacknowledged \
                 messages each, {text}; the servers' default limits for slow consumers",
                readers - stuck
            ),
        }
    }
}

/// A server to start, and how long to measure it.
struct Setup<'a> {
    contender: &'a Contender,
    program: &'a Path,
    /// The server's certificate, if all connections use TLS.
    certificate: Option<&'a Certificate>,
    duration: Duration,
}

impl Setup<'_> {
    fn start(&self, limit: BacklogLimit) -> Server {
        self.contender.start(self.program, limit, self.certificate)
    }

    fn tls(&self) -> Option<TlsClient> {
        self.certificate.map(TlsClient::new)
    }

    fn connect(&self, server: &Server, plan: Plan) -> Clients {
        Clients::connect_all(self.contender.protocol, server.address(), plan)
    }

    /// A plan without stuck readers.
    fn plan(&self, route: Route, readers: usize, senders: usize, checking: Checking) -> Plan {
        let handshakes_max = self.contender.handshakes_max;
        Plan { readers, senders, stuck: 0, route, checking, handshakes_max, tls: self.tls() }
    }

    fn saturated(&self, route: Route, readers: usize, senders: usize, window: u64) -> Run {
        let mut run = Run::default();
        let server = self.start(BacklogLimit::Highest);
        let empty_bytes = server.resident_bytes();
        let mut clients = self.connect(&server, self.plan(route, readers, senders, Checking::Bytes));
        let idle_bytes = server.resident_bytes();
        // Before the measurement, so that the kernel has allocated what the first messages need.
        clients.send_and_drain(window);
        if route == Route::Pairs {
            clients.start_timing();
        }
        self.measure_saturated(&server, &mut clients, window, &mut run);
        add_latencies(&mut run, clients.take_latencies());
        add_bytes_a_connection(&mut run, idle_bytes.saturating_sub(empty_bytes), readers + senders);
        run.faults = clients.finish();
        run
    }

    /// Measures from the first message sent until the last has arrived at all readers.
    fn measure_saturated(&self, server: &Server, clients: &mut Clients, window: u64, run: &mut Run) {
        let (interval, sent_before) = (Interval::begin(server), clients.sent());
        clients.keep_sending(window);
        clients.turn_for(self.duration);
        clients.drain();
        let deliveries = clients.deliveries(clients.sent() - sent_before);
        interval.end(deliveries, run);
    }

    /// The senders take turns.
    fn paced(&self, route: Route, readers: usize, senders: usize, rate: usize) -> Run {
        let mut run = Run::default();
        let server = self.start(BacklogLimit::Highest);
        let mut clients = self.connect(&server, self.plan(route, readers, senders, Checking::Lines));
        clients.start_timing();
        let (interval, sent_before) = (Interval::begin(&server), clients.sent());
        let start = Instant::now();
        for number in 0.. {
            let due = Duration::from_secs_f64(number as f64 / rate as f64);
            if due >= self.duration {
                break;
            }
            clients.turn_until_due(start + due);
            clients.senders[number % senders].send(1);
        }
        clients.drain();
        let deliveries = clients.deliveries(clients.sent() - sent_before);
        interval.end(deliveries, &mut run);
        add_latencies(&mut run, clients.take_latencies());
        run.faults = clients.finish();
        run
    }

    fn idle(&self, clients: usize) -> Run {
        let mut run = Run::default();
        let server = self.start(BacklogLimit::Highest);
        let empty_bytes = server.resident_bytes();
        let members = joins::join_idle(self.contender, server.address(), clients, self.tls());
        // Gives the server time to free what it allocated for the handshakes.
        std::thread::sleep(Duration::from_secs(1).min(self.duration));
        let bytes = server.resident_bytes().saturating_sub(empty_bytes);
        add_bytes_a_connection(&mut run, bytes, clients);
        run.add_bytes("resident_bytes_empty", empty_bytes);
        run.add("join_seconds", members.join_seconds);
        run.faults = members.faults();
        run
    }

    fn stuck(&self, readers: usize, stuck: usize, window: u64) -> Run {
        let mut run = Run::default();
        let alone = self.saturated_beside(0, readers - stuck, window, &mut run);
        let beside = self.saturated_beside(stuck, readers, window, &mut run);
        let rate = |run: &Run| run.find(RATE).unwrap_or(0.0);
        run.add("deliveries_per_second_alone", rate(&alone));
        run.add("deliveries_per_second_beside_stuck", rate(&beside));
        run.add("throughput_lost_percent", (1.0 - rate(&beside) / rate(&alone)) * 100.0);
        run.figures.extend(beside.figures.into_iter().filter(|figure| figure.name != RATE));
        run
    }

    fn saturated_beside(&self, stuck: usize, readers: usize, window: u64, all: &mut Run) -> Run {
        let mut run = Run::default();
        let server = self.start(BacklogLimit::Default);
        let plan = Plan { stuck, ..self.plan(Route::All, readers, SENDERS, Checking::Bytes) };
        let mut clients = self.connect(&server, plan);
        let idle_bytes = server.resident_bytes();
        self.measure_saturated(&server, &mut clients, window, &mut run);
        run.add_bytes("resident_growth_bytes", server.resident_bytes_max().saturating_sub(idle_bytes));
        all.faults.add(clients.finish());
        run
    }
}

/// The most important figure.
pub(crate) const RATE: &str = "deliveries_per_second";

/// The second most important figure, in microseconds.
pub(crate) const COST: &str = "server_cpu_us_a_delivery";

/// The start of a measurement: the time, and the processor time that server and load generator had used.
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

    /// Adds the figures of the time since then.
    fn end(self, deliveries: u64, run: &mut Run) {
        let seconds = self.start.elapsed().as_secs_f64();
        let precise = self.server.cpu_precise().saturating_sub(self.server_precise);
        let cpu = self.server.cpu().since(self.server_cpu).scaled_to(precise);
        let own = own_cpu().since(self.own_cpu).total().as_secs_f64();
        let deliveries = deliveries as f64;
        run.add(RATE, deliveries / seconds);
        run.add(COST, precise.as_secs_f64() * 1e6 / deliveries);
        run.add("server_user_us_a_delivery", cpu.user.as_secs_f64() * 1e6 / deliveries);
        run.add("server_system_us_a_delivery", cpu.system.as_secs_f64() * 1e6 / deliveries);
        run.add("server_busy_percent", precise.as_secs_f64() / seconds * 100.0);
        run.add("load_busy_percent", own / seconds * 100.0);
    }
}

fn add_bytes_a_connection(run: &mut Run, bytes: u64, connections: usize) {
    run.add("resident_bytes_a_connection", bytes as f64 / connections as f64);
}

/// Adds the latencies from sender to reader, if they were measured.
fn add_latencies(run: &mut Run, mut latencies: Vec<Duration>) {
    if latencies.is_empty() {
        return;
    }
    latencies.sort_unstable();
    for (name, permille) in [("p50", 500), ("p99", 990), ("p99.9", 999), ("max", 1000)] {
        run.add(format!("arrived_ms_{name}"), percentile_ms(&latencies, permille));
    }
}
