//! Limits of the listener for Prometheus.

/// Most connections on `metrics://` listeners at a time; further ones are refused. Two servers of Prometheus scrape at the same time, and
/// an operator looks.
pub const METRICS_CONNECTIONS_MAX: usize = 8;

/// Longest time until a request on a `metrics://` listener is complete, in milliseconds: programs send it at once.
pub const METRICS_REQUEST_MS_MAX: u64 = 5_000;

/// How long all scrapers get the same figures of the hub, of the files and of the process, in milliseconds: the hub counts its sessions for
/// them, so it must not be asked for each scrape. Prometheus scrapes every 15 s or so.
pub const METRICS_SAMPLE_MS: u64 = 1_000;

/// Longest time in which the sizes of the store's files must be read, in milliseconds. A scrape of a server whose disk hangs lacks them.
pub const METRICS_FILES_MS_MAX: u64 = 1_000;

/// Longest time in which the hub must give its figures, in milliseconds. Prometheus waits for 10 s by default.
pub const METRICS_HUB_MS_MAX: u64 = 2_000;
