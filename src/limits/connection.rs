//! Limits of a connection: buffers, lines in progress, rates, timeouts.

/// Most bytes of one read from a socket: several hundred ordinary lines.
pub const READ_BYTES_MAX: usize = 16 * 1024;

/// Most bytes of one write to a socket: what a reader that is far behind receives in each turn.
pub const WRITE_BYTES_MAX: usize = 256 * 1024;

/// Most slices in one vectored write (POSIX guarantees 16, Linux takes 1,024).
pub const WRITE_SLICES_MAX: usize = 128;

/// Size of the kernel's send buffer for each connection, in bytes. Linux doubles the figure for its own bookkeeping and then no longer
/// adjusts it, so a slow consumer holds at most twice this in the kernel.
pub const SEND_BUFFER_BYTES: usize = 128 * 1024;

/// Size of the send buffer for the last lines to a slow consumer, whose buffer is full, in bytes. After the close, the kernel keeps them
/// until the client reads them or TCP gives up, after half of the `--dead-peer-timeout`.
pub const LAST_SEND_BUFFER_BYTES: usize = SEND_BUFFER_BYTES + 64 * 1024;

/// Size of the kernel's receive buffer for each connection, in bytes; Linux doubles it, too. A client that the server does not read,
/// because of its rate or its unread replies, holds at most that.
pub const RECEIVE_BUFFER_BYTES: usize = 128 * 1024;

/// Default of `--send-timeout`, in seconds: how long a client may read nothing while output waits for it. A user who scrolls back or
/// suspends the client for longer has to connect again. TCP gives up a connection with a closed window after half of the
/// `--dead-peer-timeout`, whether the host is alive or not; this is at most half of that, so that a live client gets the reason first.
pub const SEND_TIMEOUT_SECONDS_DEFAULT: u64 = 30;

/// Default of `--dead-peer-timeout`, in seconds: the time within which a dead host is detected. TCP alone takes two hours, or detects it
/// never.
pub const DEAD_PEER_TIMEOUT_SECONDS_DEFAULT: u64 = 120;

/// Smallest `--dead-peer-timeout`, in seconds. TCP counts whole seconds, and each of the parts below must be at least one.
pub const DEAD_PEER_TIMEOUT_SECONDS_MIN: u64 = 8;

/// Largest `--dead-peer-timeout`, in seconds: a day.
pub const DEAD_PEER_TIMEOUT_SECONDS_MAX: u64 = 24 * 3600;

/// Eighths of the `--dead-peer-timeout` after which TCP probes a silent host (RFC 9293, 3.8.4).
pub const KEEPALIVE_IDLE_EIGHTHS: u64 = 3;

/// Eighths of the `--dead-peer-timeout` between two probes.
pub const KEEPALIVE_INTERVAL_EIGHTHS: u64 = 1;

/// Eighths of the `--dead-peer-timeout` for which sent data or probes may go unacknowledged (RFC 5482).
pub const USER_TIMEOUT_EIGHTHS: u64 = 4;

/// Bytes of one connection's lines that wait for the hub, above which the server stops reading the connection until the hub has processed
/// some.
pub const QUEUE_BYTES_MAX: u32 = 4096;

/// Inputs of one connection that the hub processes before it goes on to the next connection.
pub const TURN_LINES_OF_ONE_MAX: usize = 16;

/// Inputs that the hub processes in one turn, before it publishes and lets the writers run.
pub const TURN_INPUTS_MAX: usize = 1024;

/// Bytes of private lines that the hub renders in one turn, before it publishes: the list of a large room takes time, and a client that
/// receives many whispers must get a chance to read.
pub const TURN_PRIVATE_BYTES_MAX: usize = 128 * 1024;

/// Most lines of one connection that are passed to the hub and not yet answered. Enough that a turn is efficient, and few enough that a
/// turn has room for those of sixteen busy connections.
pub const LINES_IN_FLIGHT_MAX: usize = 64;

/// Most messages of one connection that wait for the store. A turn waits for the disk then, so this allows four turns of a few busy
/// connections in one commit.
pub const MESSAGES_IN_FLIGHT_MAX: usize = 4 * LINES_IN_FLIGHT_MAX;

/// Bytes of one connection's messages, with their overhead, up to which more than [`LINES_IN_FLIGHT_MAX`] of them may be in progress:
/// long messages of one client must not fill the queue for the disk.
pub const MESSAGES_IN_FLIGHT_BYTES: usize = 64 * 1024;

/// Default of `--line-rate`, in lines per second and client: faster than anybody types or reads.
pub const LINE_RATE_DEFAULT: u32 = 10;

/// Default of `--line-burst`, in lines: a script of a few lines, or a pasted paragraph, does not wait.
pub const LINE_BURST_DEFAULT: u32 = 40;

/// Bytes that a read counts at least towards the rate limit, which counts long lines by their length. Otherwise one byte for each packet
/// would cost the client less than the server. A user whose client sends each key alone pays for one line in 64 keys.
pub const READ_COST_BYTES_MIN: usize = 64;

/// Pause between two reads from a connection that is being closed, in milliseconds: this input is discarded.
pub const DRAIN_PAUSE_MS: u64 = 10;

/// Largest `--line-rate`, `--line-burst` and `--connect-rate`. Beyond it, a limit has no effect.
pub const RATE_MAX: u32 = 1_000_000;

/// Default of `--connect-rate`, in connections per second and address. Clients that connect, join and leave again at this rate take a
/// small part of one processor, and keep out only clients of their own address.
pub const CONNECT_RATE_DEFAULT: u32 = 500;

/// Connections from one address that are accepted at once after a pause: a crowd that returns after a failure connects soon.
pub const CONNECT_BURST: u32 = 1000;

/// Number of addresses with counters at which the server first removes those without a connection.
pub const ADDRESSES_KEPT_MIN: usize = 1024;

/// Default of `--name-timeout`, in seconds. Long enough to type a few nicknames; short enough that silent connections do not accumulate.
pub const NAME_TIMEOUT_SECONDS_DEFAULT: u64 = 60;

/// Default of `--resume-timeout`, in seconds: how long a detached member remains. The pauses between a client's attempts to connect grow
/// to half of that, and a phone finds another network in that time.
pub const RESUME_TIMEOUT_SECONDS_DEFAULT: u64 = 60;

/// Largest `--name-timeout`, `--idle-timeout` and the like, in seconds: a year. More is a typing error.
pub const TIMEOUT_SECONDS_MAX: u64 = 366 * 24 * 3600;

/// Lines in a row that are not commands, after which a client is disconnected. A user reads the errors much earlier.
pub const ERRORS_IN_A_ROW_MAX: u32 = 50;

/// Wrong passwords in a row, after which a client is disconnected.
pub const WRONG_PASSWORDS_MAX: u32 = 10;

/// Wrong passwords that clients of one address may try at once after a pause: a user who does not remember it well tries a few.
pub const PASSWORD_BURST: u32 = 10;

/// Interval at which clients of one address may try another wrong password, in seconds. That is 14,400 a day.
pub const PASSWORD_SECONDS: u64 = 6;

/// Addresses whose wrong passwords are counted: 2 MiB.
pub const PASSWORD_ADDRESSES_MAX: usize = 16_384;

/// Longest time that a connection may take to read its replies after the end of its input, in milliseconds; then it is closed.
pub const FLUSH_MS_MAX: u64 = 10_000;

/// Longest time for which the input of a closing connection is read and discarded, in milliseconds. Unread input at the close causes a
/// reset, which loses the last replies (RFC 1122, 4.2.2.13).
pub const DRAIN_MS_MAX: u64 = 2_000;
