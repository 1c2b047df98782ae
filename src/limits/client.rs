//! Limits of the bundled client.

use super::connection::RESUME_TIMEOUT_SECONDS_DEFAULT;
use super::login::LOGIN_SECONDS;
use super::protocol::LINE_BYTES_MAX;

/// Longest line that the client reads from a server, in bytes. A server that sends a longer one is not a chinwag server.
pub const CLIENT_LINE_BYTES_MAX: usize = 64 * 1024;

/// Longest time that the client waits until one address accepts the connection, in milliseconds.
pub const CONNECT_MS_MAX: u64 = 5_000;

/// Longest time that the client waits for the greeting and for a reply, in milliseconds.
pub const REPLY_MS_MAX: u64 = 10_000;

/// Longest time that the client waits for the server within one reply, in milliseconds, however often lines arrive; for a reply of many
/// messages, [`REPLY_MESSAGE_MS`] more for each. Time that the output takes does not count.
pub const REPLY_TOTAL_MS_MAX: u64 = 30_000;

/// Time that each message of a reply adds to [`REPLY_TOTAL_MS_MAX`], in milliseconds.
pub const REPLY_MESSAGE_MS: u64 = 10;

/// Most members whose names the client stores for completion. With more members, completion is of little use.
pub const MEMBERS_NOTED_MAX: usize = 16_384;

/// Messages of a room whose authors the client remembers, to say whose message was deleted.
pub const MESSAGES_NOTED_MAX: usize = 1_000;

/// Most rooms in which the client follows its user. Servers have a lower limit.
pub const CLIENT_ROOMS_MAX: usize = 256;

/// Most rooms whose names the client stores for completion.
pub const ROOMS_NOTED_MAX: usize = 1_024;

/// Most bytes of memory for events that the client holds back until it has read the earlier messages.
pub const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Pause before the client also tries the server's next address, while the earlier addresses have not answered, in milliseconds
/// (RFC 8305, section 5).
pub const NEXT_ADDRESS_MS: u64 = 250;

/// The pause before the next address if only the greeting is missing, in milliseconds: longer, so that a server far away does not get two
/// connections.
pub const NEXT_ADDRESS_GREETING_MS: u64 = 2_000;

/// Most addresses of a server that the client tries.
pub const ADDRESSES_MAX: usize = 16;

/// Longest time that the client goes on after a signal, in milliseconds, whatever it waits for; then the signal ends it.
pub const SIGNAL_GRACE_MS_MAX: u64 = 800;

/// Bytes of one write to a standard stream: a pipe that is ready accepts this many without blocking (`PIPE_BUF`).
pub const PIPE_WRITE_BYTES_MAX: usize = 4096;

/// Bytes of one line of standard input that the client keeps; the rest is skipped. No command is as long, so a longer line is refused.
pub const INPUT_LINE_BYTES_MAX: usize = 2 * LINE_BYTES_MAX;

/// Bytes of standard input without LF that the client keeps to split them at CR when the input ends. Room for a long script; a larger one
/// is refused, because LF may follow.
pub const INPUT_FIRST_LINE_BYTES_MAX: usize = 1 << 20;

/// Silence of the server, in seconds, after which the client's system probes the connection.
pub const KEEPALIVE_SECONDS: u64 = 60;

/// Time for which a client that was continued in the background of its shell waits for a signal before it stops again, in milliseconds:
/// `kill %1` sends SIGTERM together with SIGCONT.
pub const BACKGROUND_MS_MAX: u64 = 50;

/// Longest time that the client, after `/quit` or Ctrl-D at a terminal, waits for the server to close the connection, in milliseconds.
pub const FAREWELL_MS_MAX: u64 = 1_000;

/// Longest time that the client, ended by a signal or by Ctrl-C at a terminal, waits for the server to close the connection, in
/// milliseconds.
pub const FAREWELL_AT_SIGNAL_MS_MAX: u64 = 400;

/// Shortest and longest pause before the client connects again, in milliseconds. Each pause is twice the previous one, plus a random time
/// of up to as much again, so that a thousand clients do not all return at once. A server accepts that many in a third of the shortest
/// pause.
pub const RECONNECT_MS: [u64; 2] = [50, 15_000];

/// Default of `--retry` for scripts, in seconds: as long as the server keeps the detached member.
pub const RETRY_SECONDS_DEFAULT: u64 = RESUME_TIMEOUT_SECONDS_DEFAULT;

/// Shortest and longest pause before the client tries to log in again while the server is busy, or another connection uses the account, in
/// milliseconds.
pub const LOGIN_PAUSE_MS: [u64; 2] = [250, 4_000];

/// Longest time for which a command tries to log in while the server does not check its password, in seconds: as long as the server may
/// make it wait after wrong passwords, and as much again.
pub const LOGIN_WAIT_SECONDS_MAX: u64 = 2 * LOGIN_SECONDS;

/// Longest time for which a command waits until another connection no longer uses the account, in seconds: commands that send one message
/// each, at the same time, take turns. A user who chats does not leave so soon.
pub const ACCOUNT_IN_USE_SECONDS_MAX: u64 = 5;

/// Lines of input history that the client keeps between runs.
pub const HISTORY_LINES_MAX: usize = 1_000;

/// Bytes that the client reads from the end of its history file at the start; a longer file is truncated.
pub const HISTORY_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Bytes in the client's input line: 16 messages, so that a paste of several lines fits. More is refused.
pub const EDITED_BYTES_MAX: usize = 16 * LINE_BYTES_MAX;

/// Longest parameters of a terminal's control sequence, in bytes, that the client keeps. Those of the known keys are shorter.
pub const KEY_PARAMETER_BYTES_MAX: usize = 16;

/// Changes of the input line that can be undone.
pub const UNDO_STEPS_MAX: usize = 100;

/// Most times that a key is repeated by Alt and digits.
pub const REPEAT_MAX: usize = 1_000;

/// Milliseconds after which a lone Esc is a key, and not the start of a key sequence.
pub const KEY_SEQUENCE_MS_MAX: u64 = 500;

/// Messages without an acknowledgement that are shown, one row each. If there are more, only their number is shown.
pub const SENDING_ROWS_MAX: usize = 4;

/// Rows of possible completions that are shown. If there are more, only their number is shown.
pub const CHOICE_ROWS_MAX: usize = 5;

/// Typed lines that wait to be sent: a long paste waits here for the server's rate limit. More lines are refused.
pub const LINES_WAITING_MAX: usize = 1_000;

/// Bytes of lines that wait to be printed while the terminal accepts no output (it is stopped, or slow). Beyond that the oldest lines are
/// dropped, and a line reports how many.
pub const PRINT_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of one write to the terminal: few enough that typing stays visible between two writes.
pub const PRINT_AT_ONCE_BYTES: usize = 16 * 1024;

/// Nicknames that the client tries when the user chose none.
pub const NAMES_TRIED_MAX: u32 = 9;
