//! Limits of the connection to the engine of a cluster: the stream of the log, appends and readers.

/// Longest name of a cluster, in bytes: it is a part of the stream's name and of its subjects.
pub const CLUSTER_NAME_BYTES_MAX: usize = 32;

/// Longest name of a node, in bytes: that of a host (RFC 1035, section 2.3.4).
pub const NODE_NAME_BYTES_MAX: usize = 63;

/// Most servers of the engine that an address has: a stream has at most five copies, and a larger engine needs to be named in part only.
pub const ENGINE_SERVERS_MAX: usize = 16;

/// Default number of copies of the log's stream: it survives the loss of one server.
pub const LOG_REPLICAS_DEFAULT: usize = 3;

/// Most copies of the log's stream: NATS allows no more.
pub const LOG_REPLICAS_MAX: usize = 5;

/// Most bytes of the body of an append: half of what a server of NATS accepts by default, because readers keep several in memory.
pub const LOG_MESSAGE_BYTES_MAX: usize = 512 * 1024;

/// Most bytes of the headers of an append: the guard, which is a name and a number, and the line of the protocol.
pub const LOG_HEADER_BYTES_MAX: usize = 1024;

/// Interval at which the client asks an idle server for a sign of life, in milliseconds. After two unanswered ones it takes another server:
/// a frozen one is noticed within 3 seconds.
pub const ENGINE_PING_MS: u64 = 1000;

/// Longest time to connect to a server of the engine, in milliseconds.
pub const ENGINE_CONNECT_MS_MAX: u64 = 2000;

/// Longest wait for the answer to a request or to an append, in milliseconds. An election takes 4 to 9 seconds, so an append is retried
/// during one.
pub const ENGINE_ANSWER_MS_MAX: u64 = 2000;

/// Pause between two attempts to connect, in milliseconds. There is none before the first one.
pub const ENGINE_RECONNECT_MS: u64 = 100;

/// Shortest time of an append or of an inspection that fails, in milliseconds: during an election, the engine refuses at once.
pub const ENGINE_FAILURE_MS_MIN: u64 = 100;

/// Shortest and longest pause before the report that a reader has ended, in milliseconds.
pub const READER_PAUSE_MS: [u64; 2] = [100, 1000];

/// Interval at which the engine tells a reader that it has no message for it, in milliseconds. The client gives up after twice as long.
pub const READER_HEARTBEAT_MS: u64 = 500;

/// Longest silence of a reader that has not returned the node's own last append, in milliseconds.
pub const READER_SILENCE_MS_MAX: u64 = 1500;

/// Messages that a reader asks for at a time.
pub const READER_MESSAGES_MAX: usize = 64;

/// Time after which the engine forgets a reader that asks for nothing, in milliseconds.
pub const READER_EXPIRY_MS: u64 = 10_000;

/// Reports that wait for the node; further ones wait in the adapter.
pub const ENGINE_REPORTS_MAX: usize = 32;

/// Threads that look up host names and read certificates for the client of the engine.
pub const ENGINE_BLOCKING_THREADS_MAX: usize = 2;

/// Lines of the log about the connection to the engine within [`REFUSED_LOG_SECONDS`](super::REFUSED_LOG_SECONDS); further changes are
/// counted.
pub const ENGINE_LOG_LINES_MAX: u32 = 10;

/// Most bytes of a file with credentials for the engine: a token of NATS' JWT accounts has about a thousand.
pub const ENGINE_CREDENTIALS_BYTES_MAX: u64 = 64 * 1024;
