//! Limits of a cluster.

/// Time without a sign of life after which a node of a cluster expires, in seconds of the log's clock. Nodes give one each second. Longer than
/// a node needs to reach another server of the engine, and short enough that users do not talk to members that are gone.
pub const LEASE_SECONDS_DEFAULT: u64 = 8;
