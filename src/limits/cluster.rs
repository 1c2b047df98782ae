//! Limits of a cluster.

/// Time without a sign of life after which a node of a cluster expires, in seconds of the log's clock. Nodes give one each second. Longer than
/// a node needs to reach another server of the engine, and short enough that users do not talk to members that are gone.
pub const LEASE_SECONDS_DEFAULT: u64 = 8;

/// Most changes in one message of the log: enough that the engine's time for a message is small beside that for its changes.
pub const LOG_BATCH_CHANGES_MAX: usize = 1024;

/// Most bytes of one message of the log: half of what NATS accepts by default.
pub const LOG_BATCH_BYTES_MAX: usize = 512 * 1024;

/// Ticks, which are seconds, after which a change that was not handed to the engine is refused. An election of the engine's leader takes
/// 4 to 9 seconds: a client should not wait that long without an answer.
pub const LOG_REFUSAL_TICKS: u64 = 5;

/// Ticks, which are seconds, for which the engine may say that the log ends before messages that were read. A leader that was cut off from
/// the others says so until it notices, which takes it a few seconds. After that, the log has lost messages.
pub const LOG_OUTDATED_TICKS_MAX: u64 = 30;

/// Most milliseconds by which one message advances the log's clock. After a silence of the engine, its nodes must not look dead.
pub const LOG_STEP_MS_MAX: u64 = 1000;

/// Longest time that a node that stops waits until the log has its `LeaveCluster`, in milliseconds. Without that, its members leave when its
/// lease ends.
pub const LEAVE_MS_MAX: u64 = 500;
