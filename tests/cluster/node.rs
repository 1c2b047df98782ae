//! A node that appends and reads: a small model of what the core of a cluster does with the adapter.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use chinwag::cluster::{AppendFailure, EngineReport, EngineRequest, LogMessage, LogPosition, ReaderId, StreamInfo};
use chinwag::server::cluster::{NatsEngine, NatsOptions, NodeName};
use smol::future::FutureExt as _;

use crate::servers::DEADLINE;

/// A node with its own run.
pub(crate) struct Node {
    requests: Sender<EngineRequest>,
    reports: Receiver<EngineReport>,
    pub(crate) run: u64,
    attempt: u64,
    reader: ReaderId,
    /// The last append of this node whose position is known.
    pub(crate) last_own: LogPosition,
    in_flight: Option<Arc<[u8]>>,
    /// The positions of the appends that were acknowledged, with their bodies.
    pub(crate) acknowledged: Vec<(LogPosition, Arc<[u8]>)>,
    /// The messages of the log so far, without gaps.
    pub(crate) read: Vec<LogMessage>,
    /// The readers that were lost, and why.
    pub(crate) lost: Vec<String>,
    /// The appends that failed, and why.
    pub(crate) failures: Vec<String>,
    /// The time of the last acknowledgement, and the longest pause between two.
    pub(crate) acknowledged_at: Instant,
    pub(crate) longest_append_pause: Duration,
    pub(crate) read_at: Instant,
    pub(crate) longest_read_pause: Duration,
}

impl Node {
    /// A node that has found the log, and reads it from the first message.
    #[track_caller]
    pub(crate) fn start(address: &str, replicas: usize) -> Self {
        let mut node = Self::connect(address, replicas);
        let info = node.inspect();
        assert_eq!(info.first, LogPosition(1), "{info:?}");
        node.begin_reader();
        node
    }

    /// A node that asks for nothing yet.
    pub(crate) fn connect(address: &str, replicas: usize) -> Self {
        let options = NatsOptions {
            address: address.parse().expect("an address"),
            credentials: None,
            tls_ca: None,
            node: "test".parse::<NodeName>().expect("a name"),
            replicas,
            retention: Duration::from_hours(1),
        };
        let run = fastrand::u64(1..);
        let (requests, reports) = NatsEngine::start(options).expect("the adapter starts");
        Self {
            requests,
            reports,
            run,
            attempt: 0,
            reader: ReaderId::default(),
            last_own: LogPosition::default(),
            in_flight: None,
            acknowledged: Vec::new(),
            read: Vec::new(),
            lost: Vec::new(),
            failures: Vec::new(),
            acknowledged_at: Instant::now(),
            longest_append_pause: Duration::ZERO,
            read_at: Instant::now(),
            longest_read_pause: Duration::ZERO,
        }
    }

    pub(crate) fn request(&self, request: EngineRequest) {
        self.requests.try_send(request).expect("the adapter runs");
    }

    /// The next report.
    #[track_caller]
    pub(crate) fn report(&self) -> EngineReport {
        self.report_within(DEADLINE).unwrap_or_else(|| panic!("no report within {DEADLINE:?}; {}", self.summary()))
    }

    fn report_within(&self, time: Duration) -> Option<EngineReport> {
        let receive = async { Some(self.reports.recv().await.expect("the adapter runs")) };
        let give_up = async {
            smol::Timer::after(time).await;
            None
        };
        smol::block_on(receive.or(give_up))
    }

    /// Waits until the engine is ready, and returns the state of the log, which it creates. Nothing else may be under way.
    #[track_caller]
    pub(crate) fn inspect(&mut self) -> StreamInfo {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.request(EngineRequest::Inspect);
            match self.report() {
                EngineReport::Inspected(Ok(info)) => return info,
                EngineReport::Inspected(Err(error)) => {
                    assert!(Instant::now() < deadline, "the engine is not ready: {error}");
                }
                other => panic!("unexpected report: {other:?}"),
            }
        }
    }

    fn begin_reader(&mut self) {
        self.reader.0 += 1;
        let first = LogPosition(self.read.len() as u64 + 1);
        self.request(EngineRequest::Read { reader: self.reader, first });
    }

    /// Hands an append to the engine, with this guard. Returns the number of the attempt.
    pub(crate) fn append_with(&mut self, expected: LogPosition, body: &Arc<[u8]>) -> u64 {
        self.attempt += 1;
        self.request(EngineRequest::Append { run: self.run, attempt: self.attempt, expected, body: Arc::clone(body) });
        self.attempt
    }

    /// The report about an attempt, without those of readers.
    #[track_caller]
    pub(crate) fn outcome(&mut self, attempt: u64) -> Result<LogPosition, AppendFailure> {
        loop {
            match self.report() {
                EngineReport::Appended { attempt: reported, at } if reported == attempt => return Ok(at),
                EngineReport::AppendFailed { attempt: reported, failure } if reported == attempt => {
                    return Err(failure);
                }
                other => self.take(other),
            }
        }
    }

    /// Begins to append this body; `serve` retries it until its fate is known.
    pub(crate) fn begin_append(&mut self, body: Arc<[u8]>) {
        assert!(self.in_flight.is_none());
        self.append_with(self.last_own, &body);
        self.in_flight = Some(body);
    }

    pub(crate) fn is_appending(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Takes one report, if there is one within this time.
    pub(crate) fn serve(&mut self, time: Duration) {
        if let Some(report) = self.report_within(time) {
            self.take(report);
        }
    }

    /// Appends a body and waits until its fate is known.
    #[track_caller]
    pub(crate) fn append(&mut self, body: &str) {
        self.begin_append(body.as_bytes().into());
        let deadline = Instant::now() + DEADLINE;
        while self.is_appending() {
            assert!(Instant::now() < deadline, "{body} has no fate; {}", self.summary());
            self.serve(Duration::from_millis(100));
        }
    }

    /// Reads until this position.
    #[track_caller]
    pub(crate) fn read_to(&mut self, last: LogPosition) {
        let deadline = Instant::now() + DEADLINE;
        while (self.read.len() as u64) < last.0 {
            assert!(Instant::now() < deadline, "{last:?} is not read; {}", self.summary());
            self.serve(Duration::from_millis(100));
        }
    }

    fn take(&mut self, report: EngineReport) {
        match report {
            EngineReport::Appended { attempt, at } if attempt == self.attempt => self.acknowledge(at),
            EngineReport::AppendFailed { attempt, failure } if attempt == self.attempt => self.retry(failure),
            EngineReport::Read { reader, message } if reader == self.reader => self.take_message(message),
            EngineReport::ReaderLost { reader, why } if reader == self.reader => {
                self.lost.push(why);
                self.begin_reader();
            }
            // Outdated.
            EngineReport::Appended { .. }
            | EngineReport::AppendFailed { .. }
            | EngineReport::Read { .. }
            | EngineReport::ReaderLost { .. } => {}
            EngineReport::Inspected(result) => panic!("unexpected report: {result:?}"),
        }
    }

    fn acknowledge(&mut self, at: LogPosition) {
        // It may have been read back before.
        let Some(body) = self.in_flight.take() else { return };
        assert!(at > self.last_own, "{at:?} after {:?}", self.last_own);
        self.last_own = at;
        self.acknowledged.push((at, body));
        self.longest_append_pause = self.longest_append_pause.max(self.acknowledged_at.elapsed());
        self.acknowledged_at = Instant::now();
    }

    fn retry(&mut self, failure: AppendFailure) {
        let Some(body) = self.in_flight.clone() else { return };
        match failure {
            AppendFailure::Unknown(why) => {
                self.failures.push(why);
                self.append_with(self.last_own, &body);
            }
            // It is in the log: the reader returns it.
            AppendFailure::WrongLastPosition => self.failures.push("wrong last position".to_owned()),
        }
    }

    fn take_message(&mut self, message: LogMessage) {
        let next = LogPosition(self.read.len() as u64 + 1);
        if message.position < next {
            return;
        }
        if message.position > next {
            self.lost.push(format!("skipped {next:?}"));
            self.begin_reader();
            return;
        }
        self.longest_read_pause = self.longest_read_pause.max(self.read_at.elapsed());
        self.read_at = Instant::now();
        if message.run == self.run && message.position > self.last_own && self.in_flight.as_ref() == Some(&message.body)
        {
            self.acknowledge(message.position);
        }
        self.read.push(message);
    }

    /// Counts and pauses, for a test that fails, and for measurements.
    pub(crate) fn summary(&self) -> String {
        let count = |all: &[String]| {
            let mut counts = BTreeMap::<_, usize>::new();
            for why in all {
                *counts.entry(why.clone()).or_default() += 1;
            }
            counts
        };
        format!(
            "{} acknowledged, {} read, longest pause of appends {:?}, of reads {:?}, readers lost: {:?}, appends failed: {:?}",
            self.acknowledged.len(),
            self.read.len(),
            self.longest_append_pause,
            self.longest_read_pause,
            count(&self.lost),
            count(&self.failures),
        )
    }
}
