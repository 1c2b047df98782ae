//! Limits of the server: accepting connections, the hub's clock, the shutdown, the log.

/// Connections that the kernel queues while the server is busy; the kernel lowers it to its own limit.
pub const ACCEPT_BACKLOG: i32 = 4096;

/// Longest path of a Unix socket, in bytes: what its address has room for, before a NUL (unix(7)).
pub const UNIX_PATH_BYTES_MAX: usize = 107;

/// Longest wait for another server that creates a Unix socket in the same directory, in milliseconds: many times what that takes.
pub const UNIX_LOCK_MS_MAX: u64 = 2000;

/// Default permissions of a Unix socket: its owner and its group may connect.
pub const UNIX_MODE_DEFAULT: u32 = 0o660;

/// Tasks that run before the sockets are polled again: a writer takes about ten microseconds, and new input waits for all of them.
pub const TASKS_AT_ONCE_MAX: usize = 16;

/// Most socket events from one `epoll_wait(2)`; then the tasks of these sockets run.
pub const EPOLL_EVENTS_AT_ONCE_MAX: usize = 1024;

/// Connections accepted before existing ones get their turn: few enough that the pause is a few milliseconds, and enough that many
/// clients join at a time in a large room, where a turn takes long.
pub const ACCEPTS_AT_ONCE_MAX: u32 = 256;

/// Interval at which the room gets the time, in milliseconds. The room counts whole seconds.
pub const TICK_MS: u64 = 1000;

/// Members that time out in one turn of the hub; the others leave in the next turns. Few enough that their `LEAVE`s are one segment of
/// the feed, which readers have time to read before the next one.
pub const EXPIRED_PER_TURN_MAX: usize = 64;

/// Longest time that a shutdown waits for clients to receive the replies, in milliseconds. The shutdown must take less than a second.
pub const SHUTDOWN_MS_MAX: u64 = 600;

/// Time after the signal that stops the server in which another one counts as a copy of it, in milliseconds: `timeout`, `sudo` and
/// wrappers that pass on Ctrl-C send the same signal to a process and to its group.
pub const SIGNAL_COPY_MS_MAX: u64 = 200;

/// Longest time that the shutdown waits for the operator's log to be written, in milliseconds.
pub const LOG_FLUSH_MS_MAX: u64 = 150;

/// Longest time that an error which ends the server waits for standard error to accept it, in milliseconds. The exit code reports the
/// failure as well, and a stalled reader must not keep the process alive.
pub const ERROR_WRITE_MS_MAX: u64 = 500;

/// Longest time that the start waits for standard output to accept the lines about listeners, in milliseconds. After that they are
/// written in the background: programs that wait for a line get it as soon as they read.
pub const ANNOUNCE_MS_MAX: u64 = 100;

/// Most bytes of a port file. A longer file is not treated as an old port file, and is left alone.
pub const PORT_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Most bytes of the file with the message of the day: more than fits on a screen. Each client that connects gets the text once.
pub const MOTD_FILE_BYTES_MAX: u64 = 8 * 1024;

/// Most lines of the message of the day, without blank ones: about a screen.
pub const MOTD_LINES_MAX: usize = 50;

/// Most characters of a value that an error about the command line repeats.
pub const SHOWN_VALUE_CHARS_MAX: usize = 60;

/// Most bytes of a configuration file: a thousand times as many as one with every option has.
pub const CONFIG_FILE_BYTES_MAX: u64 = 1 << 20;

/// Lines of the operator's log that wait for standard error; more are dropped. A slow reader of the log does not delay the room.
pub const LOG_LINES_MAX: usize = 4096;

/// Most bytes of a request line that a log line about a refused HTTP request shows.
pub const LOGGED_REQUEST_BYTES_MAX: usize = 100;

/// File descriptors that connections cannot use: for standard streams, listeners, the reactor, the log, and connections that are being
/// turned away.
pub const DESCRIPTORS_RESERVED: usize = 64;

/// Connections above the limit that stay open for a moment, so that they can read the reason; further ones are closed at once.
pub const REFUSED_MAX: usize = 32;

/// Shortest interval between two log lines about connections that could not be accepted, about refused connections, and about HTTP
/// requests refused for one reason, in seconds. Each line counts the events since the last one.
pub const REFUSED_LOG_SECONDS: u64 = 60;

/// Pause after an accept failed because descriptors or memory ran out, in milliseconds, so that the loop does not spin.
pub const ACCEPT_RETRY_MS: u64 = 100;

/// Longest interval between two questions to the hub whether it is alive, in milliseconds, if there is a service manager. A watchdog may
/// need a shorter one.
pub const SERVICE_INTERVAL_MS_MAX: u64 = 5_000;

/// Shortest interval between two texts for `systemctl status`, in milliseconds.
pub const SERVICE_STATUS_MS_MIN: u64 = 2_000;

/// The time for which each message of a server that starts asks the service manager, in milliseconds: a store may take long to open.
pub const SERVICE_START_MS: u64 = 120_000;

/// Longest time that a message to the service manager waits for space in its socket, in milliseconds: the stop waits for one such message,
/// and for one that is being sent.
pub const SERVICE_NOTIFY_MS_MAX: u64 = 200;

/// Longest name of an inherited socket, in bytes: that of systemd (`FileDescriptorName=`).
pub const SOCKET_NAME_BYTES_MAX: usize = 255;
