//! A simulated engine: one stream in memory, whose network loses, delays, repeats and reorders, whose readers skip and repeat messages, and
//! which has no quorum now and then. It never loses or reorders messages that it has stored.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use chinwag::cluster::{
    AppendFailure, EnginePort, EngineReport, EngineRequest, LogMessage, LogPosition, ReaderId, StreamInfo,
};
use fastrand::Rng;

use super::Coverage;

/// The engine's wall time at the start.
const START_MS: u64 = 1_800_000_000_000;

/// Time after which an adapter gives up waiting for an acknowledgement.
const ACK_TIMEOUT_MS: u64 = 2000;

/// Time after which an adapter notices that its reader gets nothing.
const WATCHDOG_MS: u64 = 1500;

/// The number of a process: a node that was started again is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process(pub(crate) u64);

/// The queues between a node and its adapter.
#[derive(Debug, Default)]
struct Queues {
    requests: Vec<EngineRequest>,
    reports: VecDeque<EngineReport>,
    /// How many reports the node may take.
    allowed: usize,
    runs: Rng,
}

/// A node's end of the way to the engine, and the simulation's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link(Arc<Mutex<Queues>>);

impl Link {
    pub(crate) fn new(seed: u64) -> Self {
        let link = Self::default();
        link.with(|queues| queues.runs = Rng::with_seed(seed));
        link
    }

    fn with<T>(&self, act: impl FnOnce(&mut Queues) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets the node take one report. Returns whether there is one.
    pub(crate) fn allow_one(&self) -> bool {
        self.with(|queues| {
            queues.allowed = 1;
            !queues.reports.is_empty()
        })
    }

    pub(crate) fn draw_run(&self) -> u64 {
        self.with(|queues| queues.runs.u64(1..))
    }
}

impl EnginePort for Link {
    fn send(&mut self, request: EngineRequest) {
        self.with(|queues| queues.requests.push(request));
    }

    fn poll_report(&mut self, _: &mut Context<'_>) -> Poll<Option<EngineReport>> {
        self.with(|queues| {
            if queues.allowed == 0 || queues.reports.is_empty() {
                return Poll::Pending;
            }
            queues.allowed -= 1;
            Poll::Ready(queues.reports.pop_front())
        })
    }

    fn wait_to_leave(&mut self) -> Option<EngineReport> {
        None
    }

    fn draw_run(&mut self) -> u64 {
        Link::draw_run(self)
    }
}

/// An append on its way to the engine.
#[derive(Clone, Debug)]
struct Append {
    process: Process,
    attempt: u64,
    run: u64,
    expected: LogPosition,
    body: Arc<[u8]>,
    /// The acknowledgement reaches the node.
    is_reported: bool,
}

/// Something that happens later.
#[derive(Debug)]
enum Event {
    Append(Append),
    Inspect(Process),
    Report(Process, EngineReport),
}

#[derive(Debug)]
struct Reader {
    id: ReaderId,
    next: u64,
}

pub(crate) struct Engine {
    pub(crate) now_ms: u64,
    /// How far the leader's clock is ahead.
    clock_ms: i64,
    pub(crate) has_quorum: bool,
    /// Nothing goes wrong any more.
    pub(crate) is_healed: bool,
    pub(crate) messages: Vec<LogMessage>,
    last_of_run: BTreeMap<u64, LogPosition>,
    links: BTreeMap<Process, Link>,
    readers: BTreeMap<Process, Reader>,
    events: BTreeMap<(u64, u64), Event>,
    last_event: u64,
    random: Rng,
}

impl Engine {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            now_ms: 0,
            clock_ms: 0,
            has_quorum: true,
            is_healed: false,
            messages: Vec::new(),
            last_of_run: BTreeMap::new(),
            links: BTreeMap::new(),
            readers: BTreeMap::new(),
            events: BTreeMap::new(),
            last_event: 0,
            random: Rng::with_seed(seed),
        }
    }

    pub(crate) fn connect(&mut self, process: Process, link: Link) {
        self.links.insert(process, link);
    }

    /// The process is gone. Its requests are still on their way.
    pub(crate) fn disconnect(&mut self, process: Process) {
        self.links.remove(&process);
        self.readers.remove(&process);
    }

    /// Another server leads, with another clock.
    pub(crate) fn change_leader(&mut self, coverage: &mut Coverage) {
        let before = self.clock_ms;
        self.clock_ms =
            if self.random.u8(..) < 64 { self.random.i64(-90_000..90_000) } else { self.random.i64(-900..900) };
        coverage.clock_back += u32::from(self.clock_ms < before);
        coverage.clock_forward += u32::from(self.clock_ms > before + 1000);
    }

    /// Lets everything happen that is due.
    pub(crate) fn step(&mut self, coverage: &mut Coverage) {
        let requests: Vec<_> = self
            .links
            .iter()
            .map(|(&process, link)| (process, link.with(|queues| std::mem::take(&mut queues.requests))))
            .collect();
        for (process, requests) in requests {
            for request in requests {
                self.receive(process, request, coverage);
            }
        }
        while let Some(entry) = self.events.first_entry()
            && entry.key().0 <= self.now_ms
        {
            match entry.remove() {
                Event::Append(append) => self.append(append, coverage),
                Event::Inspect(process) => self.inspect(process, coverage),
                Event::Report(process, report) => self.report(process, report),
            }
        }
        for process in self.readers.keys().copied().collect::<Vec<_>>() {
            self.read(process, coverage);
        }
    }

    fn schedule(&mut self, delay_ms: u64, event: Event) {
        self.last_event += 1;
        self.events.insert((self.now_ms + delay_ms, self.last_event), event);
    }

    fn report(&self, process: Process, report: EngineReport) {
        if let Some(link) = self.links.get(&process) {
            link.with(|queues| queues.reports.push_back(report));
        }
    }

    /// A short time on the network.
    fn delay(&mut self) -> u64 {
        self.random.u64(1..30)
    }

    /// A number that decides whether something goes wrong. Nothing does at 1000.
    fn luck(&mut self) -> u32 {
        let luck = self.random.u32(..1000);
        if self.is_healed { 1000 } else { luck }
    }

    fn receive(&mut self, process: Process, request: EngineRequest, coverage: &mut Coverage) {
        match request {
            EngineRequest::Inspect => {
                let delay = self.delay();
                self.schedule(delay, Event::Inspect(process));
            }
            EngineRequest::Append { attempt, run, expected, body } => {
                self.send(Append { process, attempt, run, expected, body, is_reported: true }, coverage);
            }
            EngineRequest::Read { reader, first } if self.has_quorum => {
                let outdated = self.readers.insert(process, Reader { id: reader, next: first.0 });
                // The former reader may have sent more already.
                if let Some(outdated) = outdated
                    && let Some(message) = self.message(outdated.next)
                {
                    self.report(process, EngineReport::Read { reader: outdated.id, message });
                }
            }
            EngineRequest::Read { reader, .. } => {
                let lost = EngineReport::ReaderLost { reader, why: "no quorum".to_owned() };
                self.readers.remove(&process);
                self.schedule(500, Event::Report(process, lost));
            }
        }
    }

    /// Sends an append over the network.
    fn send(&mut self, append: Append, coverage: &mut Coverage) {
        let delay = self.delay();
        let Append { process, attempt, .. } = append;
        let unknown = |why: &str| {
            let failure = AppendFailure::Unknown(why.to_owned());
            Event::Report(process, EngineReport::AppendFailed { attempt, failure })
        };
        let unreported = Event::Append(Append { is_reported: false, ..append.clone() });
        match self.luck() {
            0..30 => self.schedule(ACK_TIMEOUT_MS, unknown("the request is lost")),
            30..80 => {
                coverage.late += 1;
                let late = self.random.u64(ACK_TIMEOUT_MS..3 * ACK_TIMEOUT_MS);
                self.schedule(late, unreported);
                self.schedule(ACK_TIMEOUT_MS, unknown("the request is late"));
            }
            80..130 => {
                coverage.lost_acks += 1;
                self.schedule(delay, unreported);
                self.schedule(ACK_TIMEOUT_MS, unknown("the acknowledgement is lost"));
            }
            130..160 => {
                coverage.repeated += 1;
                let again = self.random.u64(..2 * ACK_TIMEOUT_MS);
                self.schedule(delay + again, unreported);
                self.schedule(delay, Event::Append(append));
            }
            160..190 => self.schedule(delay, unknown("error 10164")),
            _ => self.schedule(delay, Event::Append(append)),
        }
    }

    /// An append reaches the engine.
    fn append(&mut self, append: Append, coverage: &mut Coverage) {
        if !self.has_quorum {
            // The leader may have got it, and may keep it.
            if self.random.bool() {
                let later = self.random.u64(500..5000);
                self.schedule(later, Event::Append(Append { is_reported: false, ..append.clone() }));
            }
            if append.is_reported {
                let failure = AppendFailure::Unknown("no quorum".to_owned());
                let failed = EngineReport::AppendFailed { attempt: append.attempt, failure };
                self.schedule(ACK_TIMEOUT_MS, Event::Report(append.process, failed));
            }
            return;
        }
        let Append { process, attempt, run, expected, body, is_reported } = append;
        let report = if self.last_of_run.get(&run).copied().unwrap_or_default() == expected {
            let position = LogPosition(self.messages.len() as u64 + 1);
            let engine_ms = (START_MS + self.now_ms).saturating_add_signed(self.clock_ms);
            self.messages.push(LogMessage { position, engine_ms, run, body });
            self.last_of_run.insert(run, position);
            EngineReport::Appended { attempt, at: position }
        } else {
            coverage.guarded += 1;
            EngineReport::AppendFailed { attempt, failure: AppendFailure::WrongLastPosition }
        };
        if is_reported {
            let delay = self.delay();
            self.schedule(delay, Event::Report(process, report));
        }
    }

    fn inspect(&mut self, process: Process, coverage: &mut Coverage) {
        let is_outdated = !self.has_quorum && self.random.bool();
        if self.has_quorum || is_outdated {
            // A leader that was cut off does not know the newest messages.
            let unknown = if is_outdated { self.random.usize(..6) } else { 0 };
            coverage.outdated += u32::from(unknown > 0);
            let last = LogPosition(self.messages.len().saturating_sub(unknown) as u64);
            let info = StreamInfo { identity: "stream".to_owned(), first: LogPosition(1), last };
            self.report(process, EngineReport::Inspected(Ok(info)));
        } else {
            let failed = EngineReport::Inspected(Err("no quorum".to_owned()));
            self.schedule(500, Event::Report(process, failed));
        }
    }

    fn message(&self, position: u64) -> Option<LogMessage> {
        self.messages.get(usize::try_from(position).ok()?.checked_sub(1)?).cloned()
    }

    /// Lets the reader of a process read on.
    fn read(&mut self, process: Process, coverage: &mut Coverage) {
        while let Some(reader) = self.readers.get(&process) {
            let (id, next) = (reader.id, reader.next);
            let Some(message) = self.message(next) else { return };
            let lost = |why: &str| EngineReport::ReaderLost { reader: id, why: why.to_owned() };
            match self.luck() {
                // It reads on later.
                0..60 => return,
                60..65 if next < self.messages.len() as u64 => {
                    coverage.skipped += 1;
                    self.advance(process, next + 2);
                    if let Some(message) = self.message(next + 1) {
                        self.report(process, EngineReport::Read { reader: id, message });
                    }
                }
                65..75 => {
                    coverage.reread += 1;
                    let from = next.saturating_sub(self.random.u64(1..4)).max(1);
                    self.advance(process, from);
                }
                75..78 => {
                    coverage.lost_readers += 1;
                    self.readers.remove(&process);
                    self.report(process, lost("the consumer is gone"));
                }
                78..80 => {
                    coverage.lost_readers += 1;
                    self.readers.remove(&process);
                    self.schedule(WATCHDOG_MS, Event::Report(process, lost("nothing was heard for 1.5 s")));
                }
                _ => {
                    self.advance(process, next + 1);
                    self.report(process, EngineReport::Read { reader: id, message });
                }
            }
        }
    }

    fn advance(&mut self, process: Process, next: u64) {
        if let Some(reader) = self.readers.get_mut(&process) {
            reader.next = next;
        }
    }
}
