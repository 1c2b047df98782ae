//! All limits of the server and of the client, each with its reason. `const` asserts at the end tie limits that depend on each other:
//! code that changes only one of them does not compile. `protocol.md` states the limits that a client can notice.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod account;
mod client;
mod cluster;
mod connection;
mod control;
mod engine;
mod feed;
mod login;
mod metrics;
mod moderation;
mod protocol;
mod proxy;
mod room;
mod server;
mod store;
mod tls;
mod web;

pub use self::account::*;
pub use self::client::*;
pub use self::cluster::*;
pub use self::connection::*;
pub use self::control::*;
pub use self::engine::*;
pub use self::feed::*;
pub use self::login::*;
pub use self::metrics::*;
pub use self::moderation::*;
pub use self::protocol::*;
pub use self::proxy::*;
pub use self::room::*;
pub use self::server::*;
pub use self::store::*;
pub use self::tls::*;
pub use self::web::*;

const _: () = {
    // No room takes the space of all others.
    assert!(SANCTIONS_PER_ROOM_MAX * 10 <= SANCTIONS_MAX - SANCTIONS_RESERVED);
    // The longest line: a tagged LEAVE with a reason, ended by CR LF.
    let tag = "@18446744073709551615 2026-01-01T00:00:00.000Z ".len();
    let leave = "LEAVE ".len() + NAME_BYTES_MAX + " displaced ".len() + TEXT_BYTES_MAX;
    assert!(tag + ROOM_PREFIX_BYTES_MAX + leave + 2 <= SERVER_LINE_BYTES_MAX);
    // A refusal and its hint are at most one text.
    assert!(HINT_BYTES_MAX < TEXT_BYTES_MAX && 4 * (ECHO_CHARS_MAX + 1) < HINT_BYTES_MAX / 2);
    assert!("PAST ".len() + tag + NAME_BYTES_MAX + 1 + TEXT_BYTES_MAX + 2 <= SERVER_LINE_BYTES_MAX);
    // A stored message's line without time, name and text: as a reply, or as an event with a tag.
    assert!("PAST ".len() + "18446744073709551615".len() + 3 + 2 <= QUERY_ROW_OVERHEAD_BYTES);
    assert!("@".len() + "18446744073709551615".len() + " ".len() + " MSG ".len() + 1 + 2 <= QUERY_ROW_OVERHEAD_BYTES);
    // A stroke with the most points fits into a line of a client and, with its author, into a line of the server.
    let stroke = "#rrggbb 999".len() + STROKE_POINTS_MAX * " 9999,9999".len();
    assert!(COORDINATE_MAX == 9999 && STROKE_WIDTH_MAX == 999 && "/DRAW ".len() + stroke <= LINE_BYTES_MAX);
    assert!(tag + "STROKE ".len() + NAME_BYTES_MAX + 1 + stroke + 2 <= SERVER_LINE_BYTES_MAX);
    // A client that asks for all strokes gets at most the unread output that pauses it.
    let insertions = CANVAS_STROKES_MAX as u64 / PAGE_STROKES + 2;
    assert!(insertions * INSERTION_OVERHEAD_BYTES as u64 <= PRIVATE_BYTES_PAUSE as u64);
    assert!(EPOCH_CHARS <= EPOCH_CHARS_MAX && EPOCH_CHARS_MAX <= TOKEN_BYTES_MAX);
    assert!(PASSWORD_BYTES_MAX < LINE_BYTES_MAX && (PASSWORD_BYTES_MAX as u64) < PASSWORD_FILE_BYTES_MAX);
    assert!(ACCOUNT_PASSWORD_BYTES_MIN < ACCOUNT_PASSWORD_BYTES_MAX);
    assert!((HASH_MEMORY_KIB as usize) << 10 < HASH_ALLOCATION_BYTES);
    assert!("/TAKEOVER ".len() + NAME_BYTES_MAX + 1 + ACCOUNT_PASSWORD_BYTES_MAX < LINE_BYTES_MAX);
    // A password in decomposed form is not longer than a line, so it is checked, too.
    assert!(4 * ACCOUNT_PASSWORD_BYTES_MAX < LINE_BYTES_MAX);
    // Guesses at one account do not use up those at the others.
    assert!(LOGIN_BURST < LOGIN_ADDRESS_BURST && LOGIN_ADDRESS_SECONDS < LOGIN_SECONDS);
    assert!(LOGINS_WAITING_OF_ONE_MAX * 8 <= LOGINS_WAITING_MAX);
    // A wrong password counts as several invalid lines.
    assert!(ERRORS_IN_A_ROW_MAX.is_multiple_of(WRONG_PASSWORDS_MAX));
    assert!(ROOM_CREATION_BURST as usize >= ROOMS_PER_MEMBER_MAX);
    // The longest lists of names in replies. The epoch of a room is a word of the server's start, a dot and a number; only that of the
    // lobby may be longer.
    let entered = ROOM_PREFIX_BYTES_MAX + " epoch=.4294967295 last=18446744073709551615".len() + EPOCH_CHARS;
    assert!("OK JOIN".len() + ROOMS_PER_COMMAND_MAX * entered + 4 * EPOCH_CHARS_MAX + 2 <= SERVER_LINE_BYTES_MAX);
    // All listed rooms fit into what one turn may render, and one more.
    assert!(ROOMS_LISTED_MAX * (ROOM_PREFIX_BYTES_MAX + TOPIC_BYTES_MAX + 64) <= TURN_PRIVATE_BYTES_MAX);
    assert!("OK WHISPER ".len() + WHISPER_NAMES_MAX * (NAME_BYTES_MAX + 1) + 2 <= SERVER_LINE_BYTES_MAX);
    // A turn may exceed a segment by one line in each of eight dialects, and even the smallest feed retains the segment.
    assert!(BACKLOG_BYTES_MIN / SEGMENT_SHARE + 8 * SERVER_LINE_BYTES_MAX <= BACKLOG_BYTES_MIN / 2);
    assert!(BACKLOG_BYTES_MIN <= BACKLOG_BYTES_DEFAULT && BACKLOG_BYTES_DEFAULT as u64 <= BACKLOG_BYTES_MAX);
    // A turn in which members expire may exceed it by a LEAVE and a COORDINATOR for each.
    assert!(EXPIRED_PER_TURN_MAX * 8 * 2 * (tag + NAME_BYTES_MAX + 32) <= BACKLOG_BYTES_MIN / 4);
    assert!(SEGMENT_BYTES_MAX <= SEND_BUFFER_BYTES && 4 * SEND_BUFFER_BYTES <= BACKLOG_BYTES_MIN);
    assert!(TURN_PRIVATE_BYTES_MAX <= SEND_BUFFER_BYTES && 2 * TURN_PRIVATE_BYTES_MAX <= WHISPER_BYTES_MAX);
    assert!(TURN_LINES_OF_ONE_MAX <= LINES_IN_FLIGHT_MAX && LINES_IN_FLIGHT_MAX * 16 <= TURN_INPUTS_MAX);
    // The last turn gets most of a search's time: the earlier turns take less than half as much.
    assert!(4 * SEARCH_TURNS_MS[SEARCH_TURNS_MS.len() - 1] < SEARCH_CPU_MS_MAX);
    // One client alone does not fill the queue for the disk.
    assert!(LINES_IN_FLIGHT_MAX * LINE_BYTES_MAX + MESSAGES_IN_FLIGHT_BYTES <= BACKLOG_BYTES_MIN / 2);
    assert!(TOKEN_BYTES_MAX < LINE_BYTES_MAX && NAME_BYTES_MAX < LINE_BYTES_MAX);
    // A host may vanish just before a probe is due, and data may be sent to it just then.
    assert!(KEEPALIVE_IDLE_EIGHTHS + KEEPALIVE_INTERVAL_EIGHTHS + USER_TIMEOUT_EIGHTHS <= 8);
    assert!(KEEPALIVE_IDLE_EIGHTHS + KEEPALIVE_INTERVAL_EIGHTHS <= USER_TIMEOUT_EIGHTHS);
    // Linux accepts no larger keepalive time.
    assert!(DEAD_PEER_TIMEOUT_SECONDS_MAX * KEEPALIVE_IDLE_EIGHTHS / 8 <= 32_767);
    // A live slow consumer gets the reason before TCP gives the connection up.
    assert!(SEND_TIMEOUT_SECONDS_DEFAULT <= DEAD_PEER_TIMEOUT_SECONDS_DEFAULT * USER_TIMEOUT_EIGHTHS / 16);
    // The client ends within a second of a signal, and has time to close the connection properly.
    // At a terminal, it waits for the server, and then for the terminal.
    assert!(2 * FAREWELL_AT_SIGNAL_MS_MAX <= SIGNAL_GRACE_MS_MAX && SIGNAL_GRACE_MS_MAX < 1000);
    assert!(NEXT_ADDRESS_MS <= NEXT_ADDRESS_GREETING_MS && NEXT_ADDRESS_GREETING_MS < CONNECT_MS_MAX);
    assert!(
        CONNECT_MS_MAX < REPLY_MS_MAX
            && REPLY_MS_MAX < REPLY_TOTAL_MS_MAX
            && LINE_BYTES_MAX + ROOM_PREFIX_BYTES_MAX < INPUT_LINE_BYTES_MAX
            && INPUT_LINE_BYTES_MAX <= INPUT_FIRST_LINE_BYTES_MAX
    );
    // Even after the longest pause, a client tries to connect before its member expires.
    assert!(RECONNECT_MS[1] * 2 <= RESUME_TIMEOUT_SECONDS_DEFAULT * 1000);
    assert!(REFUSED_MAX * 2 <= DESCRIPTORS_RESERVED);
    // The longest input line fits into the history file, and the longest server line into the print queue.
    assert!(EDITED_BYTES_MAX as u64 <= HISTORY_FILE_BYTES_MAX && SERVER_LINE_BYTES_MAX < PRINT_AT_ONCE_BYTES);
    assert!(2 * PRINT_AT_ONCE_BYTES <= PRINT_BYTES_MAX);
    assert!(SERVER_LINE_BYTES_MAX < CLIENT_LINE_BYTES_MAX && RECONNECT_MS[0] <= RECONNECT_MS[1]);
    // The ping comes before proxies close a silent connection.
    assert!(2 * HTTP_PING_INTERVAL_SECONDS_DEFAULT < 55);
    // Every frame has room for a whole line, and the last send buffer for a partly sent frame and the reason for the close.
    assert!(SERVER_LINE_BYTES_MAX < TEXT_FRAME_BYTES_MAX);
    assert!(TEXT_FRAME_BYTES_MAX < 2 * (LAST_SEND_BUFFER_BYTES - SEND_BUFFER_BYTES));
    // So does the last send buffer for a partly sent record, and a last line.
    assert!(2 * TLS_WRITE_BYTES_MAX < LAST_SEND_BUFFER_BYTES - SEND_BUFFER_BYTES);
    assert!(SHUTDOWN_MS_MAX + LOG_FLUSH_MS_MAX < 1000);
    // An operator reads why the server does not reply.
    assert!(CONTROL_REPLY_MS_MAX < CONTROL_CLIENT_MS_MAX && CONTROL_CHANGE_MS_MAX < CONTROL_CLIENT_CHANGE_MS_MAX);
    assert!("account password ".len() + NAME_BYTES_MAX + PASSWORD_HASH_BYTES_MAX < CONTROL_REQUEST_BYTES_MAX);
    assert!(CONTROL_ACCOUNTS_LISTED_MAX * (NAME_BYTES_MAX + CONTROL_ACCOUNT_BYTES_MAX) < CONTROL_REPLY_BYTES_MAX);
    // The moderator, its account, the room and the target.
    let audited = 4 * NAME_BYTES_MAX + TEXT_BYTES_MAX + CONTROL_AUDIT_BYTES_MAX;
    assert!(CONTROL_AUDIT_LISTED_MAX * audited < CONTROL_REPLY_BYTES_MAX);
    assert!("audit before=18446744073709551615 limit=18446744073709551615 room=#".len() + NAME_BYTES_MAX < 256);
    assert!(256 + " by=".len() + NAME_BYTES_MAX < CONTROL_REQUEST_BYTES_MAX);
    assert!(CONTROL_CONNECTIONS_MAX <= CONTROL_CHANGES_MAX);
    // Admitted scrapers, and those that read why they are refused.
    assert!(CONTROL_CONNECTIONS_MAX + REFUSED_MAX + 2 * METRICS_CONNECTIONS_MAX < DESCRIPTORS_RESERVED);
    // A second signal can end the shutdown early.
    assert!(2 * SIGNAL_COPY_MS_MAX < SHUTDOWN_MS_MAX);
    // A failed start ends within a second, too, even if nothing reads standard error: signals are not handled at that time.
    assert!(ERROR_WRITE_MS_MAX + LOG_FLUSH_MS_MAX < 1000);
    // The log has room for the commits before a short wait, and then for those before a long one.
    assert!(STORE_WAL_URGENT_BYTES + STORE_WAL_CHECKPOINT_BYTES < STORE_WAL_BYTES_MAX);
    assert!(STORE_CHECKPOINT_MS_MAX < STORE_CHECKPOINT_LONG_MS_MAX);
    // No commit waits longer for our own checkpoint than for another program.
    assert!(STORE_CHECKPOINT_LONG_MS_MAX <= STORE_BUSY_MS_MAX);
    assert!(CLOCK_STEP_SECONDS_MIN < CLOCK_STEP_SECONDS_MAX && CLOCK_STEP_AGE_SHARE > 1);
    assert!(CLOCK_TRIAL_WARNING_SECONDS < CLOCK_TRIAL_SECONDS_MAX / 2);
    // The engine's readers are bounded for messages of this size.
    assert!(LOG_BATCH_BYTES_MAX <= LOG_MESSAGE_BYTES_MAX);
    // A server with NATS' default limit of 1 MiB accepts every append.
    assert!(LOG_MESSAGE_BYTES_MAX + LOG_HEADER_BYTES_MAX <= 1 << 20);
    // The engine does not forget a reader before the client has noticed its silence. The waiting messages take at most 48 MiB.
    assert!(2 * READER_HEARTBEAT_MS < READER_SILENCE_MS_MAX && READER_SILENCE_MS_MAX < READER_EXPIRY_MS);
    assert!((READER_MESSAGES_MAX + ENGINE_REPORTS_MAX) * LOG_MESSAGE_BYTES_MAX <= 48 << 20);
    assert!(READER_PAUSE_MS[0] < READER_PAUSE_MS[1] && ENGINE_FAILURE_MS_MIN < ENGINE_ANSWER_MS_MAX);
};
