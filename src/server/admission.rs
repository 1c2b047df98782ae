//! Admission: limits connections in all, per address, and per second and address. Refuses connections beyond a limit.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::banned_networks::BannedNetworks;
use super::token_bucket::{Rate, TokenBucket};
use super::{ServerOptions, log};
use crate::command::{Hint, Refusal, banned_refusal};
use crate::limits::{ADDRESSES_KEPT_MIN, DESCRIPTORS_RESERVED, METRICS_CONNECTIONS_MAX, REFUSED_MAX};
use crate::protocol::{ErrorCode, PeerAddress};
use crate::session::{NetworkBan, counted_address};
use crate::state::SanctionNotice;

/// The limits, and the counters of connections.
#[derive(Debug)]
pub(super) struct Admission {
    banned: Arc<BannedNetworks>,
    counts: Mutex<ConnectionCounts>,
}

/// The limits on connections. They may change while clients are connected: a lower limit ends no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnectionLimits {
    pub(super) clients_max: usize,
    /// The number of connections that the limit of open files allows.
    pub(super) descriptors: usize,
    /// 0: no limit.
    pub(super) per_address_max: usize,
    pub(super) per_address_rate: Rate,
}

impl ConnectionLimits {
    /// The limits by these options. Raises the limit of open files to its maximum.
    pub(super) fn new(options: &ServerOptions) -> Self {
        let descriptors = raise_descriptor_limit();
        Self {
            clients_max: options.max_clients.unwrap_or(descriptors),
            descriptors,
            per_address_max: options.max_per_address,
            per_address_rate: options.connect_rate,
        }
    }

    /// The number of clients that can be connected.
    pub(super) fn effective_clients_max(&self) -> usize {
        self.clients_max.min(self.descriptors)
    }

    /// Warns if the limit of open files allows fewer clients than the option.
    pub(super) fn warn(&self) {
        if self.clients_max > self.descriptors {
            log::few_descriptors(self.clients_max, self.descriptors);
        }
    }
}

#[derive(Debug)]
struct ConnectionCounts {
    limits: ConnectionLimits,
    /// Admitted clients: at most `clients_max`, unless that was lowered.
    clients: usize,
    /// The addresses of clients, and addresses that had clients until recently.
    by_address: BTreeMap<IpAddr, AddressUsage>,
    /// The size of `by_address` at which addresses without clients are removed.
    addresses_max: usize,
    /// Refused connections that are still open: at most [`REFUSED_MAX`].
    refused: usize,
    /// Connections of operators: at most [`METRICS_CONNECTIONS_MAX`].
    operators: usize,
    /// Refused connections of operators that are still open: at most [`METRICS_CONNECTIONS_MAX`].
    refused_operators: usize,
}

/// The connections from one address.
#[derive(Debug, Default)]
struct AddressUsage {
    clients: usize,
    bucket: TokenBucket,
}

/// Counts one connection until it is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    admission: Arc<Admission>,
    kind: TicketKind,
}

#[derive(Debug)]
enum TicketKind {
    /// An admitted connection of a client at this address. `None`: the address is not known yet, or the client is on a Unix socket, where
    /// only the connections in all are limited.
    Client(Option<IpAddr>),
    /// A refused connection that stays open until the client has read the reason.
    Refused,
    /// A connection that reads the metrics.
    Operator,
    /// A refused connection for metrics that stays open until the other side has read the reason.
    RefusedOperator,
}

/// The limit for which a connection is refused, with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AdmissionLimit {
    /// Connections.
    Clients(usize),
    /// Connections from one address.
    Address(usize),
    /// New connections from one address in a second.
    Rate(u32),
    /// Connections that read the metrics.
    Operators(usize),
    /// None from this address, which is banned.
    Banned(NetworkBan),
}

impl Admission {
    pub(super) fn new(limits: ConnectionLimits, banned: Arc<BannedNetworks>) -> Arc<Self> {
        let counts = ConnectionCounts {
            limits,
            clients: 0,
            by_address: BTreeMap::new(),
            addresses_max: 0,
            refused: 0,
            operators: 0,
            refused_operators: 0,
        };
        Arc::new(Self { banned, counts: Mutex::new(counts) })
    }

    /// Changes the limits. No address gets tokens for new connections by that.
    pub(super) fn set_limits(&self, limits: ConnectionLimits, now: Instant) {
        let mut counts = self.counts();
        counts.limits = limits;
        counts.by_address.values_mut().for_each(|usage| usage.bucket.change_rate(limits.per_address_rate, now));
    }

    /// The limits in force.
    pub(super) fn limits(&self) -> ConnectionLimits {
        self.counts().limits
    }

    /// Admits a connection, or returns the limit that it exceeds. Once the address of its client is known, [`Ticket::count_for`] follows.
    pub(super) fn admit(self: &Arc<Self>) -> Result<Ticket, AdmissionLimit> {
        let mut counts = self.counts();
        let clients_max = counts.limits.clients_max;
        if counts.clients >= clients_max {
            return Err(AdmissionLimit::Clients(clients_max));
        }
        counts.clients += 1;
        Ok(Ticket { admission: Arc::clone(self), kind: TicketKind::Client(None) })
    }

    /// Admits a connection that reads the metrics, or returns the limit that it exceeds. It counts for no limit of clients: a full server can
    /// be watched.
    pub(super) fn admit_operator(self: &Arc<Self>) -> Result<Ticket, AdmissionLimit> {
        let mut counts = self.counts();
        if counts.operators >= METRICS_CONNECTIONS_MAX {
            return Err(AdmissionLimit::Operators(METRICS_CONNECTIONS_MAX));
        }
        counts.operators += 1;
        Ok(Ticket { admission: Arc::clone(self), kind: TicketKind::Operator })
    }

    /// Number of admitted clients.
    pub(super) fn client_count(&self) -> usize {
        self.counts().clients
    }

    /// Counts a refused connection, so that its socket may stay open until the client has read the reason. `None` if there are too many.
    pub(super) fn admit_refused(self: &Arc<Self>) -> Option<Ticket> {
        let mut counts = self.counts();
        (counts.refused < REFUSED_MAX).then(|| {
            counts.refused += 1;
            Ticket { admission: Arc::clone(self), kind: TicketKind::Refused }
        })
    }

    /// Counts a refused connection for metrics, which takes no place of a refused client. `None` if there are too many.
    pub(super) fn admit_refused_operator(self: &Arc<Self>) -> Option<Ticket> {
        let mut counts = self.counts();
        (counts.refused_operators < METRICS_CONNECTIONS_MAX).then(|| {
            counts.refused_operators += 1;
            Ticket { admission: Arc::clone(self), kind: TicketKind::RefusedOperator }
        })
    }

    fn counts(&self) -> MutexGuard<'_, ConnectionCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionCounts {
    fn usage(&mut self, address: IpAddr, now: Instant) -> &mut AddressUsage {
        if self.by_address.len() >= self.addresses_max {
            self.by_address.retain(|_, usage| usage.clients > 0 || !usage.bucket.is_full(now));
            self.addresses_max = 2 * self.by_address.len() + ADDRESSES_KEPT_MIN;
        }
        self.by_address.entry(address).or_default()
    }
}

impl Ticket {
    /// Counts the connection for the address of its client, too. Returns the limit that the client exceeds; then it is not admitted.
    pub(super) fn count_for(&mut self, address: PeerAddress, now: Instant) -> Result<(), AdmissionLimit> {
        debug_assert!(matches!(self.kind, TicketKind::Client(None)), "a connection counts for one address");
        if let PeerAddress::Ip(address) = address
            && let Some(ban) = self.admission.banned.find(address.ip())
        {
            return Err(AdmissionLimit::Banned(ban));
        }
        let Some(address) = counted_address(address) else { return Ok(()) };
        let mut counts = self.admission.counts();
        let ConnectionLimits { per_address_max, per_address_rate, .. } = counts.limits;
        let usage = counts.usage(address, now);
        if per_address_max > 0 && usage.clients >= per_address_max {
            return Err(AdmissionLimit::Address(per_address_max));
        }
        if !usage.bucket.try_spend(per_address_rate, now) {
            return Err(AdmissionLimit::Rate(per_address_rate.per_second));
        }
        usage.clients += 1;
        self.kind = TicketKind::Client(Some(address));
        Ok(())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        match self.kind {
            TicketKind::Refused => counts.refused -= 1,
            TicketKind::Operator => counts.operators -= 1,
            TicketKind::RefusedOperator => counts.refused_operators -= 1,
            TicketKind::Client(address) => {
                counts.clients -= 1;
                if let Some(usage) = address.and_then(|address| counts.by_address.get_mut(&address)) {
                    usage.clients -= 1;
                }
            }
        }
    }
}

impl From<AdmissionLimit> for Refusal {
    fn from(limit: AdmissionLimit) -> Self {
        let (what, hint) = match limit {
            AdmissionLimit::Banned(NetworkBan { until, reason }) => {
                return banned_refusal(&SanctionNotice { room: None, until, reason });
            }
            AdmissionLimit::Clients(max) => {
                (format!("the server has its maximum of {max} connections"), Hint::RetryLater)
            }
            AdmissionLimit::Operators(max) => {
                (format!("the metrics listener has its maximum of {max} connections"), Hint::RetryLater)
            }
            AdmissionLimit::Address(max) => {
                (format!("your address has its maximum of {max} connections"), Hint::CloseConnection)
            }
            AdmissionLimit::Rate(max) => {
                (format!("more than {max} connections a second from your address"), Hint::RetryInASecond)
            }
        };
        Self::new(None, ErrorCode::ServerFull, what).with_hint(hint)
    }
}

/// Raises the limit of open files to its maximum. Returns the number of connections that it allows.
fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // Without a higher limit, there is room for fewer connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let open_files =
        getrlimit(Resource::Nofile).current.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
    open_files - DESCRIPTORS_RESERVED.min(open_files / 2)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::protocol::Text;
    use crate::server::clock::SystemClock;

    const UNLIMITED: Rate = Rate { per_second: 0, burst: 1 };

    fn create(clients_max: usize, per_address_max: usize, per_address_rate: Rate) -> Arc<Admission> {
        let banned = Arc::new(BannedNetworks::new(Arc::new(SystemClock)));
        Admission::new(limits(clients_max, per_address_max, per_address_rate), banned)
    }

    fn limits(clients_max: usize, per_address_max: usize, per_address_rate: Rate) -> ConnectionLimits {
        ConnectionLimits { clients_max, descriptors: usize::MAX, per_address_max, per_address_rate }
    }

    fn admit_at(admission: &Arc<Admission>, address: PeerAddress, now: Instant) -> Result<Ticket, AdmissionLimit> {
        let mut ticket = admission.admit()?;
        ticket.count_for(address, now)?;
        Ok(ticket)
    }

    /// A client at this IP address.
    fn at(address: &str) -> PeerAddress {
        (address.parse::<IpAddr>().unwrap(), 1024).into()
    }

    #[test]
    fn admit_limits_all_clients_and_those_of_one_address() {
        let admission = create(3, 2, UNLIMITED);
        let admit = |address: &str| admit_at(&admission, at(address), Instant::now());
        let first = admit("192.0.2.1").unwrap();
        let _second = admit("::ffff:192.0.2.1").unwrap();
        assert_eq!(admit("192.0.2.1").unwrap_err(), AdmissionLimit::Address(2));
        let _third = admit("192.0.2.2").unwrap();
        assert_eq!(admit("192.0.2.3").unwrap_err(), AdmissionLimit::Clients(3));
        drop(first);
        let _again = admit("192.0.2.1").unwrap();
    }

    /// Also through a proxy, which names the client.
    #[test]
    fn banned_client_is_not_admitted() {
        let admission = create(3, 0, UNLIMITED);
        let ban = NetworkBan { until: None, reason: Some(Text::truncated("flooding")) };
        admission.banned.set("192.0.2.0/24".parse().unwrap(), Some(ban.clone()));
        let admit = |address: &str| admit_at(&admission, at(address), Instant::now()).map(drop);
        assert_eq!(admit("192.0.2.9"), Err(AdmissionLimit::Banned(ban.clone())));
        assert_eq!((admit("192.0.3.9"), admission.counts().clients), (Ok(()), 0));
        let refusal = Refusal::from(AdmissionLimit::Banned(ban)).to_string();
        assert_eq!(refusal, "ERR - banned your address is banned from this server: flooding");
    }

    /// A proxy names the client after the connection was accepted.
    #[test]
    fn connection_counts_before_its_client_is_known() {
        let admission = create(2, 1, UNLIMITED);
        let mut first = admission.admit().unwrap();
        let mut second = admission.admit().unwrap();
        assert_eq!(admission.admit().unwrap_err(), AdmissionLimit::Clients(2));
        assert_eq!(first.count_for(at("192.0.2.1"), Instant::now()), Ok(()));
        assert_eq!(second.count_for(at("192.0.2.1"), Instant::now()), Err(AdmissionLimit::Address(1)));
        drop(second);
        assert!(admit_at(&admission, at("192.0.2.2"), Instant::now()).is_ok());
        drop(first);
        assert!(admit_at(&admission, at("192.0.2.1"), Instant::now()).is_ok());
        assert_eq!(admission.counts().clients, 0);
    }

    #[test]
    fn admit_counts_ipv6_network_as_one_address() {
        let admission = create(10, 1, UNLIMITED);
        let admit = |address: &str| admit_at(&admission, at(address), Instant::now());
        let one = admit("2001:db8::1").unwrap();
        assert_eq!(admit("2001:db8::ffff:0:0:2").unwrap_err(), AdmissionLimit::Address(1));
        let other = admit("2001:db8:0:1::1").unwrap();
        drop((one, other));
    }

    #[test]
    fn admit_counts_unix_clients_in_all_only() {
        let admission = create(3, 1, Rate { per_second: 1, burst: 1 });
        let admit = || admit_at(&admission, PeerAddress::Unix, Instant::now());
        let [first, _second, _third] = [admit(), admit(), admit()].map(Result::unwrap);
        assert_eq!(admit().unwrap_err(), AdmissionLimit::Clients(3));
        drop(first);
        assert!(admit().is_ok());
    }

    /// Clients at other addresses are admitted meanwhile.
    #[test]
    fn admit_limits_rate_of_one_address() {
        let admission = create(10, 0, Rate { per_second: 10, burst: 2 });
        let start = Instant::now();
        let admit = |address: &str, ms| admit_at(&admission, at(address), start + Duration::from_millis(ms));
        let connect = |address, ms| admit(address, ms).map(drop);
        assert_eq!([0, 0, 0, 50].map(|ms| connect("192.0.2.1", ms).is_ok()), [true, true, false, false]);
        assert_eq!(connect("192.0.2.1", 0), Err(AdmissionLimit::Rate(10)));
        assert_eq!(connect("192.0.2.2", 50), Ok(()));
        assert_eq!(connect("192.0.2.1", 100), Ok(()));
    }

    /// A lower limit ends no connection: it refuses new ones, until there are fewer.
    #[test]
    fn changed_limits_apply_to_the_next_connection() {
        let admission = create(2, 0, UNLIMITED);
        let admit = |address: &str| admit_at(&admission, at(address), Instant::now());
        let mut clients = vec![admit("192.0.2.1").unwrap(), admit("192.0.2.2").unwrap()];
        assert_eq!(admit("192.0.2.3").unwrap_err(), AdmissionLimit::Clients(2));
        admission.set_limits(limits(3, 1, UNLIMITED), Instant::now());
        assert_eq!(admit("192.0.2.1").unwrap_err(), AdmissionLimit::Address(1));
        clients.push(admit("192.0.2.3").unwrap());
        admission.set_limits(limits(1, 0, UNLIMITED), Instant::now());
        for expected in [3, 2, 1] {
            assert_eq!(admission.client_count(), expected);
            assert_eq!(admit("192.0.2.4").unwrap_err(), AdmissionLimit::Clients(1));
            clients.pop();
        }
        assert!(admit("192.0.2.4").is_ok());
        admission.set_limits(limits(9, 0, Rate { per_second: 10, burst: 1 }), Instant::now());
        assert_eq!([admit("192.0.2.5").is_ok(), admit("192.0.2.5").is_ok()], [true, false]);
    }

    /// Also an address that waits until its bucket would have been full at the old rate.
    #[test]
    fn lower_rate_gives_no_address_a_burst() {
        let admission = create(2000, 0, Rate { per_second: 500, burst: 1000 });
        let start = Instant::now();
        let admitted = |now| (0..1000).filter(|_| admit_at(&admission, at("192.0.2.1"), now).is_ok()).count();
        assert_eq!(admitted(start), 1000);
        admission.set_limits(limits(2000, 0, Rate { per_second: 1, burst: 1000 }), start);
        assert_eq!([0, 1, 4].map(|seconds| admitted(start + Duration::from_secs(seconds))), [0, 1, 3]);
    }

    #[test]
    fn counters_of_addresses_without_clients_are_removed() {
        let admission = create(10, 0, Rate { per_second: 10, burst: 2 });
        let start = Instant::now();
        for number in 0..100_000_u32 {
            let now = start + Duration::from_millis(number.into());
            drop(admit_at(&admission, (number.to_be_bytes(), 1024).into(), now));
            assert!(admission.counts().by_address.len() <= 2 * ADDRESSES_KEPT_MIN);
        }
    }
}
