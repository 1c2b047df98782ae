//! Renders the metrics: their names, their help and their values.
//!
//! The library puts the unit and `_total` behind the name of a metric. Here, names are written as Prometheus has them, so that they can be
//! found.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::process::ProcessFigures;
use super::{COMMIT_BOUNDS, ServerMetrics, TRANSPORTS, TURN_BOUNDS, reason_index};
use crate::protocol::{CloseReason, ErrorCode, LeaveReason};
use crate::server::hub::HubStatus;
use crate::server::store_interface::StoreBytes;

/// The format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// The text format of Prometheus, for programs that do not ask for `OpenMetrics`.
    Prometheus,
}

impl Format {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// Everything that a scrape shows.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) counted: Arc<ServerMetrics>,
    pub(super) hub: HubStatus,
    /// Clients, as `--max-clients` counts them, and the limit that is in force.
    pub(super) clients: (usize, usize),
    /// `None` without a store, or if its files cannot be read.
    pub(super) store: Option<StoreBytes>,
    pub(super) process: ProcessFigures,
}

impl Figures {
    /// Renders the figures.
    ///
    /// # Errors
    /// The library has refused one of them.
    pub(super) fn render(self, format: Format) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut rendered = String::new();
        match format {
            Format::OpenMetrics => text::encode(&mut rendered, &registry)?,
            Format::Prometheus => prometheus_text::encode(&mut rendered, &registry)?,
        }
        Ok(rendered)
    }
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut to = Exposition(encoder);
        self.encode_connections(&mut to)?;
        self.encode_members(&mut to)?;
        self.encode_messages(&mut to)?;
        self.encode_hub(&mut to)?;
        self.encode_store(&mut to)?;
        self.encode_tls(&mut to)?;
        self.encode_process(&mut to)
    }
}

impl Figures {
    fn encode_connections(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let counted = &self.counted;
        let by_transport = |count: &dyn Fn(usize) -> u64| {
            let all = TRANSPORTS.into_iter().enumerate();
            all.map(|(index, transport)| (transport, count(index))).collect::<Vec<_>>()
        };
        let closed = by_transport(&|index| counted.closed.get(index));
        let opened = by_transport(&|index| counted.opened.get(index));
        let open = opened
            .iter()
            .zip(closed)
            .map(|((transport, opened), (_, closed))| (*transport, opened.saturating_sub(closed)));
        to.gauges("chinwag_connections", "Open connections of clients.", "transport", open)?;
        let help = "Connections of clients that were opened.";
        to.counters("chinwag_connections_opened_total", help, "transport", opened.iter().copied())?;
        let reasons = close_reasons().map(|reason| (reason.as_str(), counted.disconnects.get(reason_index(reason))));
        to.counters("chinwag_disconnects_total", "Connections that were closed, by reason.", "reason", reasons)?;
        let help = "Times that a client read a room too slowly and continued from the store.";
        to.counter("chinwag_catch_ups_total", help, &counted.catch_ups.get(0))?;
        let codes = ErrorCode::ALL.into_iter();
        let codes = codes.map(|code| (code.as_str(), counted.refusals.get(code as usize)));
        to.counters("chinwag_refusals_total", "Refusals of clients, by code.", "code", codes)?;
        let received = by_transport(&|index| counted.bytes.received(index)).into_iter();
        let help = "Bytes from clients in their sessions, with WebSocket headers and encryption.";
        to.counters("chinwag_received_bytes_total", help, "transport", received)?;
        let sent = by_transport(&|index| counted.bytes.sent(index)).into_iter();
        let help = "Bytes of lines to clients in their sessions, without WebSocket headers and encryption.";
        to.counters("chinwag_sent_bytes_total", help, "transport", sent)?;
        to.gauge("chinwag_clients", "Clients that count for --max-clients, also detached members.", &self.clients.0)?;
        to.gauge("chinwag_clients_limit", "The number of clients that can be connected.", &self.clients.1)
    }

    fn encode_members(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let HubStatus { members, detached, unnamed, watching, rooms, occupied_rooms, rooms_max, .. } = self.hub;
        let sessions = [("member", members - detached), ("watcher", watching), ("unnamed", unnamed - watching)];
        to.gauges("chinwag_sessions", "Sessions with a connection.", "state", sessions.into_iter())?;
        let states = [("connected", members - detached), ("detached", detached)];
        to.gauges("chinwag_members", "Members, by whether they have a connection.", "state", states.into_iter())?;
        if let Some((accounts, logged_in)) = self.hub.accounts {
            to.gauge("chinwag_accounts", "Accounts.", &accounts)?;
            to.gauge("chinwag_accounts_logged_in", "Accounts with a member that has logged in.", &logged_in)?;
        }
        to.gauge("chinwag_rooms", "Rooms, with the lobby.", &rooms)?;
        to.gauge("chinwag_occupied_rooms", "Rooms with members, besides the lobby.", &occupied_rooms)?;
        to.gauge("chinwag_occupied_rooms_limit", "The maximum of chinwag_occupied_rooms.", &rooms_max)
    }

    fn encode_messages(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let HubStatus { messages, deliveries, backlog_bytes, backlog_bytes_max, .. } = self.hub;
        to.counter("chinwag_messages_total", "Messages that were published in all rooms.", &messages)?;
        let help = "Messages times readers: a message to a room counts once for each client that reads it, without its author.";
        to.counter("chinwag_deliveries_total", help, &deliveries)?;
        let help = "Output that is kept for clients: the newest events, and what clients have not read.";
        to.gauge("chinwag_backlog_bytes", help, &backlog_bytes)?;
        to.gauge("chinwag_backlog_limit_bytes", "The maximum of chinwag_backlog_bytes.", &backlog_bytes_max)
    }

    fn encode_hub(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let counted = &self.counted;
        let help = "Time of a turn of the hub, the task that processes all commands.";
        to.histogram("chinwag_hub_turn_seconds", help, counted.turns.seconds(), &counted.turns.buckets(&TURN_BOUNDS))?;
        let queues = [
            ("hub", counted.hub_queue.load(Ordering::Relaxed)),
            ("store", self.hub.store_queue),
            ("passwords", self.hub.password_queue),
        ];
        let help =
            "Work that waits: connections with requests for the hub, changes for the store, passwords to be checked.";
        to.gauges("chinwag_queue_length", help, "queue", queues.into_iter())
    }

    fn encode_store(&self, to: &mut Exposition<'_>) -> fmt::Result {
        if self.counted.store.is_none() {
            return Ok(());
        }
        let commits = &self.counted.commits.0;
        let help = "Time from the start of a commit until the hub knows its result.";
        to.histogram("chinwag_store_commit_seconds", help, commits.seconds(), &commits.buckets(&COMMIT_BOUNDS))?;
        let has_failed = usize::from(self.hub.store_failure.is_some());
        to.gauge("chinwag_store_failed", "1 while messages cannot be stored and are refused, else 0.", &has_failed)?;
        if let Some(StoreBytes { database, wal }) = self.store {
            to.gauge("chinwag_store_database_bytes", "Size of the database file.", &database)?;
            to.gauge(
                "chinwag_store_wal_bytes",
                "Size of the write-ahead log, the file -wal beside the database.",
                &wal,
            )?;
        }
        Ok(())
    }

    fn encode_tls(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let Some(certificates) = &self.counted.certificates else { return Ok(()) };
        let handshakes = &self.counted.handshakes;
        let results = [("failed", handshakes.get(0)), ("completed", handshakes.get(1))];
        to.counters("chinwag_tls_handshakes_total", "TLS handshakes.", "result", results.into_iter())?;
        let expiries = certificates.certificates().into_iter().filter_map(|certificate| certificate.expires_at);
        if let Some(first) = expiries.min() {
            let help = "When the first of the certificates expires, in seconds since 1970.";
            to.gauge("chinwag_tls_certificate_expiry_timestamp_seconds", help, &(first.0 / 1000))?;
        }
        Ok(())
    }

    fn encode_process(&self, to: &mut Exposition<'_>) -> fmt::Result {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        let help = "1, with the version of the server as a label.";
        to.describe("chinwag_build_info", help, MetricType::Gauge)?.encode_family(&version)?.encode_gauge(&1_u64)?;
        let ProcessFigures { stat, open_files, open_files_max } = &self.process;
        if let Some(stat) = stat {
            let help = "When the process has started, in seconds since 1970.";
            to.gauge("process_start_time_seconds", help, &stat.started_at_seconds)?;
            to.counter("process_cpu_seconds_total", "CPU time of the process, user and system.", &stat.cpu_seconds)?;
            to.gauge("process_resident_memory_bytes", "Resident memory of the process.", &stat.resident_bytes)?;
            to.gauge("process_virtual_memory_bytes", "Virtual memory of the process.", &stat.virtual_bytes)?;
            to.gauge("process_threads", "Threads of the process.", &stat.threads)?;
        }
        if let Some(open_files) = *open_files {
            to.gauge("process_open_fds", "Open file descriptors of the process.", &open_files)?;
        }
        if let Some(max) = *open_files_max {
            to.gauge("process_max_fds", "The maximum of process_open_fds.", &max)?;
        }
        Ok(())
    }
}

/// The reasons for which a connection is closed. `PART` closes none.
fn close_reasons() -> impl Iterator<Item = CloseReason> {
    let left = LeaveReason::ALL.into_iter().filter(|reason| *reason != LeaveReason::Part).map(CloseReason::Left);
    left.chain([CloseReason::Resumed, CloseReason::Stopping])
}

/// Writes metrics, one after the other.
struct Exposition<'a>(DescriptorEncoder<'a>);

impl Exposition<'_> {
    /// Describes a metric. Its values follow.
    fn describe<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'s>, fmt::Error> {
        let name = name.strip_suffix("_total").unwrap_or(name);
        let units = [("_bytes", &Unit::Bytes), ("_seconds", &Unit::Seconds)];
        let of_unit = units.into_iter().find_map(|(suffix, unit)| Some((name.strip_suffix(suffix)?, unit)));
        let (base, unit) = of_unit.map_or((name, None), |(base, unit)| (base, Some(unit)));
        self.0.encode_descriptor(base, help, unit, kind)
    }

    fn counter(&mut self, name: &str, help: &str, value: &impl EncodeCounterValue) -> fmt::Result {
        self.describe(name, help, MetricType::Counter)?.encode_counter::<NoLabelSet, _, u64>(value, None)
    }

    fn gauge(&mut self, name: &str, help: &str, value: &impl EncodeGaugeValue) -> fmt::Result {
        self.describe(name, help, MetricType::Gauge)?.encode_gauge(value)
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        mut values: impl Iterator<Item = (&'static str, u64)>,
    ) -> fmt::Result {
        let mut metric = self.describe(name, help, MetricType::Counter)?;
        values.try_for_each(|(of_label, value)| {
            metric.encode_family(&[(label, of_label)])?.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        mut values: impl Iterator<Item = (&'static str, impl EncodeGaugeValue)>,
    ) -> fmt::Result {
        let mut metric = self.describe(name, help, MetricType::Gauge)?;
        values.try_for_each(|(of_label, value)| metric.encode_family(&[(label, of_label)])?.encode_gauge(&value))
    }

    fn histogram(&mut self, name: &str, help: &str, sum: f64, buckets: &[(f64, u64)]) -> fmt::Result {
        let count = buckets.iter().map(|(_, count)| count).sum();
        let mut metric = self.describe(name, help, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum, count, buckets, None)
    }
}
