//! Limits of the listener for Prometheus.

/// Most connections on `metrics://` listeners at a time; further ones are refused. Two servers of Prometheus scrape at the same time, and
/// an operator looks.
pub const METRICS_CONNECTIONS_MAX: usize = 8;

/// Longest time until a request on a `metrics://` listener is complete, in milliseconds: programs send it at once.
pub const METRICS_REQUEST_MS_MAX: u64 = 5_000;

/// Longest time in which the hub must give its figures, in milliseconds. Prometheus waits for 10 s by default.
pub const METRICS_HUB_MS_MAX: u64 = 2_000;
