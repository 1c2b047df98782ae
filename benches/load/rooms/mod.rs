//! Many rooms: what a delivery costs, and how long it takes, compared with one room in which as many deliveries are made. The runs alternate,
//! so that changes of the machine affect all of them.

mod members;
pub(crate) mod memory;
pub(crate) mod stream;

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use argh::FromArgs;

use self::members::{Entry, MemberPlan, RoomMembers};
use self::stream::{MEMBERS_MAX, ROOMS_MAX};
use crate::common::figures::{Run, Runs, format_figure};
use crate::common::log::TEXT_BYTES;
use crate::common::server::{Server, own_cpu};
use crate::report::Report;
use crate::saturated::add_cpu;

/// Rooms: the cost and the delay of deliveries in many rooms, compared with one room.
#[derive(FromArgs)]
#[argh(subcommand, name = "rooms")]
pub(crate) struct ManyRooms {
    /// rooms (default: 1000)
    #[argh(option, default = "1000", from_str_fn(parse_rooms))]
    rooms: usize,

    /// members of each room; all send and read (default: 10)
    #[argh(option, default = "10", from_str_fn(parse_members))]
    members: usize,

    /// measure one session that is in this many rooms, each with a sender of its own, instead of --rooms and --members; the comparison is one
    /// room with one sender (at most 100; with --joined 99)
    #[argh(option, from_str_fn(parse_each))]
    each: Option<usize>,

    /// messages per second in all rooms together (default: 5000)
    #[argh(option, default = "5000", from_str_fn(parse_rate))]
    rate: u32,

    /// members of a single room to compare with, in which as many deliveries are made; may be repeated (default: 10, 100 and 10000)
    #[argh(option, arg_name = "members", from_str_fn(parse_members))]
    beside: Vec<usize>,

    /// measure without a comparison
    #[argh(switch)]
    alone: bool,

    /// enter the rooms with JOIN, so that lines name the room, instead of NICK
    #[argh(switch)]
    joined: bool,

    /// seconds of each measurement (default: 4)
    #[argh(option, default = "4")]
    seconds: u64,

    /// seconds of load before the measurement (default: 1)
    #[argh(option, default = "1")]
    warm_up_seconds: u64,
}

impl Default for ManyRooms {
    fn default() -> Self {
        Self {
            rooms: 1000,
            members: 10,
            each: None,
            rate: 5000,
            beside: Vec::new(),
            alone: false,
            joined: false,
            seconds: 4,
            warm_up_seconds: 1,
        }
    }
}

/// The sizes of a single room with which many rooms are compared. In a room of 10, a few sockets carry the load; in one of 10,000, as many as
/// in the default 1,000 rooms.
const BESIDE: [usize; 3] = [10, 100, 10_000];

/// The clients of one measurement, and how often one of them sends.
struct RoomLoad {
    /// The suffix of the scenario's name.
    name: String,
    description: String,
    rooms: usize,
    members: Vec<MemberPlan>,
    interval: Duration,
}

impl ManyRooms {
    /// As `--each`.
    pub(crate) fn each(rooms: usize) -> Self {
        Self { each: Some(rooms), ..Self::default() }
    }

    pub(crate) fn measure(&self, binary: &Path, runs: usize) -> Vec<Report> {
        let loads = self.loads();
        let report = |load: &RoomLoad| Report {
            scenario: format!("rooms, {}", load.name).into(),
            description: format!("{}, {} s{}", load.description, self.seconds, self.entry_description()),
            runs: Runs::default(),
        };
        let mut reports: Vec<_> = loads.iter().map(report).collect();
        for _ in 0..runs {
            let measured: Vec<_> = loads.iter().map(|load| self.run(binary, load)).collect();
            for (report, run) in reports.iter_mut().zip(measured) {
                report.runs.0.push(run);
            }
        }
        add_ratios(&mut reports, &loads);
        reports
    }

    /// The measured load, and after it those with which it is compared.
    fn loads(&self) -> Vec<RoomLoad> {
        let interval = Duration::from_secs(1) / self.rate;
        let mut loads = match self.each {
            Some(rooms) => vec![RoomLoad::one_reader(rooms, interval), RoomLoad::one_reader(1, interval)],
            None => {
                let sizes = if self.beside.is_empty() { &BESIDE } else { &*self.beside };
                let beside = sizes.iter().map(|&members| {
                    // A message has more readers, so there are fewer messages.
                    RoomLoad::even(1, members, interval.mul_f64((members - 1) as f64 / (self.members - 1) as f64))
                });
                [RoomLoad::even(self.rooms, self.members, interval)].into_iter().chain(beside).collect()
            }
        };
        loads.truncate(if self.alone { 1 } else { loads.len() });
        loads
    }

    fn entry(&self) -> Entry {
        if self.joined { Entry::Join } else { Entry::Home }
    }

    fn entry_description(&self) -> &'static str {
        match self.entry() {
            Entry::Home => "",
            Entry::Join => "; entered with JOIN",
        }
    }

    fn run(&self, binary: &Path, load: &RoomLoad) -> Run {
        let mut run = Run::default();
        let server = Server::start(binary, &["--line-rate", "0", "--connect-rate", "0", "--max-rooms", "20000"]);
        let mut members = RoomMembers::join(server.address(), load.rooms, &load.members, self.entry());
        members.pace(load.interval, Duration::from_secs(self.warm_up_seconds));
        members.drain();
        members.start_timing();
        let (cpu_before, precise_before, own_before) = (server.cpu(), server.cpu_precise(), own_cpu());
        let (counts_before, start) = (members.counts(), Instant::now());
        members.pace(load.interval, Duration::from_secs(self.seconds));
        members.drain();
        let seconds = start.elapsed().as_secs_f64();
        let precise = server.cpu_precise().saturating_sub(precise_before);
        let cpu = server.cpu().since(cpu_before).scaled_to(precise);
        let own_cpu = own_cpu().since(own_before);
        let counts = members.counts().since(counts_before);
        let (arrivals, acknowledgements) = members.take_delays();
        run.faults = members.finish();
        // At least 1, so that the figures of a server that delivers nothing are finite.
        let deliveries = counts.deliveries.max(1) as f64;
        run.add("deliveries_per_second", deliveries / seconds);
        run.add("messages_per_second", counts.acknowledgements as f64 / seconds);
        add_cpu(&mut run, cpu, deliveries);
        // About 1 if the server writes each line by itself and the load generator keeps up.
        run.add("lines_a_read", (counts.deliveries + counts.acknowledgements) as f64 / counts.reads.max(1) as f64);
        run.add("server_busy_percent", cpu.total().as_secs_f64() / seconds * 100.0);
        run.add("load_busy_percent", own_cpu.total().as_secs_f64() / seconds * 100.0);
        run.add_latencies(["arrived_ms_p50", "arrived_ms_p99"], arrivals);
        run.add_latencies(["acknowledged_ms_p50", "acknowledged_ms_p99"], acknowledgements);
        run
    }
}

impl RoomLoad {
    /// Rooms of as many members each. All members send and read.
    fn even(rooms: usize, members: usize, interval: Duration) -> Self {
        // Member by member, so that consecutive messages are for different rooms.
        let all = (0..members).flat_map(|_| 0..rooms);
        let plan = |room| MemberPlan { rooms: room..room + 1, sends: true };
        Self {
            name: format!("{rooms} of {members}"),
            description: format!(
                "{} of {members} members that all send and read (every line checked), {} messages a second of {TEXT_BYTES} \
                 bytes",
                count_rooms(rooms),
                format_figure(1.0 / interval.as_secs_f64())
            ),
            rooms,
            members: all.map(plan).collect(),
            interval,
        }
    }

    /// Rooms with a sender each, and one reader, which is in all of them.
    fn one_reader(rooms: usize, interval: Duration) -> Self {
        let senders = (0..rooms).map(|room| MemberPlan { rooms: room..room + 1, sends: true });
        let reader = MemberPlan { rooms: 0..rooms, sends: false };
        Self {
            name: format!("one reader in {rooms}"),
            description: format!(
                "one reader (every line checked) in {} with one sender each, {} messages a second of {TEXT_BYTES} bytes",
                count_rooms(rooms),
                format_figure(1.0 / interval.as_secs_f64())
            ),
            rooms,
            members: senders.chain([reader]).collect(),
            interval,
        }
    }
}

fn count_rooms(rooms: usize) -> String {
    if rooms == 1 { "one room".into() } else { format!("{rooms} rooms") }
}

/// Adds to each run of the first report how its cost compares with that of the run after it in each of the other reports.
fn add_ratios(reports: &mut [Report], loads: &[RoomLoad]) {
    let cost = |run: &Run| run.find(COST).expect("every run has it");
    let Some((measured, others)) = reports.split_first_mut() else { return };
    for (other, load) in others.iter().zip(&loads[1..]) {
        for (run, beside) in measured.runs.0.iter_mut().zip(&other.runs.0) {
            run.add(format!("cpu_ratio_to_{}", load.name.replace(' ', "_")), cost(run) / cost(beside));
        }
    }
}

const COST: &str = "server_cpu_us_a_delivery";

/// Most rooms of one session: the protocol's limit.
const ROOMS_A_SESSION: usize = 100;

fn parse_rooms(raw: &str) -> Result<usize, String> {
    parse_within(raw, 1..=ROOMS_MAX)
}

fn parse_each(raw: &str) -> Result<usize, String> {
    parse_within(raw, 1..=ROOMS_A_SESSION)
}

/// A message needs a sender and a reader.
fn parse_members(raw: &str) -> Result<usize, String> {
    parse_within(raw, 2..=MEMBERS_MAX)
}

fn parse_rate(raw: &str) -> Result<u32, String> {
    parse_within(raw, 1..=1_000_000)
}

fn parse_within<N: FromStr + PartialOrd + Display>(raw: &str, range: RangeInclusive<N>) -> Result<N, String> {
    let number = raw.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("expected {} to {}", range.start(), range.end()))
}
