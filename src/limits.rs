//! Every bound of the server and of the client, each with its reason. Bounds that depend on one another are tied by `const`
//! asserts at the end, so that changing one without the other does not compile. `protocol.md` states those that a client can
//! notice.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

/// Longest line a peer may send, in bytes, without its line ending and after telnet's bytes are taken out.
/// One page: generous for a person, small enough that a partial line for each of 10,000 peers is no burden.
pub const LINE_BYTES_MAX: usize = 4096;

/// Longest text (of a message, whisper, notice or reason), in bytes, after unsafe characters were replaced.
pub const TEXT_BYTES_MAX: usize = LINE_BYTES_MAX;

/// Longest name, in code points. The design's figure: fits a column, and a screen line holds two of them.
pub const NAME_CHARS_MAX: usize = 32;

/// Longest name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = NAME_CHARS_MAX * 4;

/// Most combining marks that may follow one another in a name; more only serves to smear over the neighbouring lines.
pub const NAME_MARKS_IN_A_ROW_MAX: usize = 3;

/// Most names one `WHISPER` may be addressed to.
pub const WHISPER_NAMES_MAX: usize = 32;

/// Longest token of a `PING`, in bytes. A token is echoed, so it bounds what one short line can make the server keep.
pub const TOKEN_BYTES_MAX: usize = 256;

/// Most characters of an unknown word that an error repeats.
pub const ECHO_CHARS_MAX: usize = 32;

/// Longest hint of a refusal, in bytes, in any mode. A refusal's text is cut so that its hint fits after it. The longest hint repeats a
/// word of the client.
pub const HINT_BYTES_MAX: usize = 512;

/// Longest line the server sends, in bytes, with its tag and its line ending.
pub const SERVER_LINE_BYTES_MAX: usize = 4608;

/// Longest line the client reads from a server, in bytes. A server that sends a longer one is not a chinwag server.
pub const CLIENT_LINE_BYTES_MAX: usize = 64 * 1024;

/// Longest the client waits until one address accepts the connection, in milliseconds.
pub const CONNECT_MS_MAX: u64 = 5_000;

/// Longest the client waits for the greeting and for a reply, in milliseconds.
pub const REPLY_MS_MAX: u64 = 10_000;

/// Longest that the client waits for the server within one reply, in milliseconds, however often lines come; for a reply of many
/// messages, [`REPLY_MESSAGE_MS`] more for each. Time that the output takes does not count.
pub const REPLY_TOTAL_MS_MAX: u64 = 30_000;

/// What each message of a reply may add to [`REPLY_TOTAL_MS_MAX`], in milliseconds.
pub const REPLY_MESSAGE_MS: u64 = 10;

/// Most members whose names the client stores for completion. Completion is useless among thousands more.
pub const MEMBERS_NOTED_MAX: usize = 16_384;

/// Most bytes of memory for events that the client holds back until it has read the earlier messages.
pub const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Pause before the client tries the server's next address beside those that have not answered, in milliseconds (RFC 8305, section 5).
pub const NEXT_ADDRESS_MS: u64 = 250;

/// The same pause once the connection is there and only the greeting is missing, in milliseconds: longer, so that a server far away
/// does not get two connections.
pub const NEXT_ADDRESS_GREETING_MS: u64 = 2_000;

/// Most addresses of a server that the client tries.
pub const ADDRESSES_MAX: usize = 16;

/// Longest that the client goes on after a signal, in milliseconds, whatever it waits for: by then the signal ends it.
pub const SIGNAL_GRACE_MS_MAX: u64 = 800;

/// Bytes written at once to a standard stream: as many as a pipe that is ready takes without waiting (`PIPE_BUF`).
pub const PIPE_WRITE_BYTES_MAX: usize = 4096;

/// Bytes of one line of standard input that the client keeps; the rest is skipped. No command is as long, so a longer line is refused.
pub const INPUT_LINE_BYTES_MAX: usize = 2 * LINE_BYTES_MAX;

/// Bytes of standard input without LF that the client keeps to split them at CR when the input ends. Room for a long script; a
/// larger one is refused, because LF may follow.
pub const INPUT_FIRST_LINE_BYTES_MAX: usize = 1 << 20;

/// How long the server may say nothing before the client's system asks whether it is still there, in seconds.
pub const KEEPALIVE_SECONDS: u64 = 60;

/// Time for which a client that was continued in the background of its shell waits for a signal before it stops again, in milliseconds:
/// `kill %1` sends SIGTERM together with SIGCONT.
pub const BACKGROUND_MS_MAX: u64 = 50;

/// Longest the client, after `/quit` or Ctrl-D at a terminal, waits for the server to close the connection, in milliseconds.
pub const FAREWELL_MS_MAX: u64 = 1_000;

/// Longest that the client, ended by a signal or by Ctrl-C at a terminal, waits for the server to close the connection, in milliseconds.
pub const FAREWELL_AT_SIGNAL_MS_MAX: u64 = 400;

/// Shortest pause before the client connects again, and the one after which they grow no longer, in milliseconds. Each is twice
/// the one before, and longer by up to itself by chance, so that a thousand clients do not all come back at once. To let in that
/// many, a server takes a third of the shortest.
pub const RECONNECT_MS: [u64; 2] = [50, 15_000];

/// Seconds for which a client of a script tries to connect again, unless `--retry` says otherwise: as long as its name is held.
pub const RETRY_SECONDS_DEFAULT: u64 = RESUME_TIMEOUT_SECONDS_DEFAULT;

/// Lines of the history that the client keeps over its runs.
pub const HISTORY_LINES_MAX: usize = 1_000;

/// Bytes that the client reads from the end of its history file at the start; a longer file is cut.
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

/// Bytes of lines that wait to be printed while the terminal accepts no output (it is stopped, or slow). Beyond that the oldest
/// lines are dropped, and the user is told.
pub const PRINT_BYTES_MAX: usize = 1024 * 1024;

/// Bytes written to the terminal at once: few enough that typing stays visible between two writes.
pub const PRINT_AT_ONCE_BYTES: usize = 16 * 1024;

/// Nicknames that the client tries when the user chose none.
pub const NAMES_TRIED_MAX: u32 = 9;

/// Messages that are kept to be read again, unless `--history` says otherwise: a day of a quiet room, and what somebody missed
/// who was away for a while.
pub const HISTORY_MESSAGES_DEFAULT: usize = 1_000;

/// Largest `--history`. Much before that, [`HISTORY_BYTES_MAX`] decides.
pub const HISTORY_MESSAGES_MAX: usize = 1_000_000;

/// Bytes of messages, with what they cost beside their text, that are kept to be read again. What is rendered of them is kept
/// once more for each line ending in use.
pub const HISTORY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a message or a stroke that is kept counts beside its name and text.
pub const PAST_OVERHEAD_BYTES: usize = 96;

/// Messages that a `HISTORY` without a number asks for: a screen of them.
pub const HISTORY_REPLAYED_DEFAULT: u64 = 20;

/// Past messages that are rendered in one piece, for all who ask: so few that those between two pieces are not rendered again and
/// again, and so many that a piece costs little beside its text.
pub const PAGE_MESSAGES: u64 = 16;

/// Largest coordinate of a point on the canvas; 0 is the smallest. More than a screen has pixels.
pub const COORDINATE_MAX: u16 = 9999;

/// Widest stroke, in the unit of the coordinates: a tenth of the canvas.
pub const STROKE_WIDTH_MAX: u16 = 999;

/// Most points of one stroke: as many as a line has room for, however long they are written.
pub const STROKE_POINTS_MAX: usize = 400;

/// Strokes that are on the canvas at most: of one who draws without a pause, in pieces of an eighth of a second, those of a
/// quarter of an hour.
pub const CANVAS_STROKES_MAX: usize = 8_192;

/// Bytes of strokes that are on the canvas at most, with what they cost beside their text. What is rendered of them is kept
/// once more for each line ending in use.
pub const CANVAS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Strokes that are rendered in one piece, like [`PAGE_MESSAGES`]. More than those, for one who joins is told all of them.
pub const PAGE_STROKES: u64 = 64;

/// Size at which a page of messages from the store is full, in bytes. A connection has at most one page, as rows or as text, which counts
/// as part of its backlog from the command on, like other replies.
pub const QUERY_PAGE_BYTES: usize = PRIVATE_BYTES_PAUSE;

/// Bytes that each row of a page counts in addition to its strings: at least the memory of the row, and at least the rest of the row's
/// rendered line. So a page of text is no larger than the page of rows.
pub const QUERY_ROW_OVERHEAD_BYTES: usize = 32;

/// Most words of a `SEARCH`. A run of text in a script without spaces counts as one word. Each word costs a pass over the
/// messages that contain it.
pub const SEARCH_WORDS_MAX: usize = 32;

/// Characters of a text, after decomposition, that are searched. Most texts have no more than one for each byte; but some
/// characters decompose into up to 18 others, and a message of these would cost six times as much to index.
pub const SEARCH_CHARS_MAX: usize = TEXT_BYTES_MAX;

/// Most index terms that are looked up for one run of text without spaces: they cover 16 characters of it. The text of each
/// message that has these terms is then compared with the whole run.
pub const SEARCH_RUN_TERMS_MAX: usize = 8;

/// Most CPU time that one `SEARCH` may use, in milliseconds; then it ends with an error. Among a million messages of eight words,
/// a search for 32 common words takes up to half of it, and most searches less than a hundredth.
pub const SEARCH_CPU_MS_MAX: u64 = 200;

/// CPU time of a search's first turns, in milliseconds; its last turn takes the rest. After each turn, searches with fewer turns
/// go first, and the search later continues at the last message that it found. Because the turns double, a search waits no longer
/// than its own CPU time multiplied by the number of waiting searches, and repeats at most half of its work.
pub const SEARCH_TURNS_MS: [u64; 5] = [2, 4, 8, 16, 32];

/// Steps of SQLite's virtual machine between two checks of the CPU time. Reading a page of the index takes a few steps and may
/// compare thousands of messages; reading a message takes some.
pub const SEARCH_STEPS_PER_CHECK: i32 = 10;

/// Messages that one slice counts back to find the start of a `HISTORY`: about one millisecond of work. Other queries get a turn
/// after each slice.
pub const HISTORY_SLICE_ROWS: u64 = 16_384;

/// A reading thread gives one part in this many of its time to the query that has waited longest, and the rest to the query with
/// the fewest turns: long queries make progress even if short ones never stop coming.
pub const QUERY_OLDEST_SHARE: u32 = 8;

/// Messages that a `SEARCH` finds at most: the newest.
pub const SEARCH_FOUND_MAX: u64 = 50;

/// Messages that are committed at once, at most.
pub const STORE_BATCH_MAX: usize = 4_096;

/// Messages committed at once whose words are indexed with them, at most. More than that are said without a pause, and are not to
/// wait for each other's words: those are indexed when there is time for it, or somebody searches.
pub const STORE_BATCH_INDEXED_MAX: usize = 256;

/// Most bytes of text in one commit whose words are indexed in the same commit: about 20 ms of work in scripts without spaces,
/// where each character makes two terms, and much less in others.
pub const STORE_BATCH_INDEXED_BYTES: usize = 64 * 1024;

/// Pause after which there is time to index words that were left, in milliseconds: longer than it takes to say to a thousand
/// readers what was committed at once.
pub const STORE_INDEX_MS: u64 = 100;

/// Ids by which the index may be behind what is stored: there need be no pause for words to be indexed then, and who searches waits
/// for a second or two.
pub const STORE_INDEX_BEHIND_MAX: u64 = 1 << 20;

/// Messages whose words are indexed at once, at most, while others wait to be committed. More than are committed at once, so that a
/// search does not wait for ever.
pub const STORE_INDEXED_AT_ONCE_MAX: u64 = 2 * STORE_BATCH_MAX as u64;

/// Bytes of text that are indexed at once, for the same reason: after so many it is enough.
pub const STORE_INDEXED_AT_ONCE_BYTES: u64 = 4 * STORE_BATCH_INDEXED_BYTES as u64;

/// Messages that the store lets go of at once, at most, or twice as many as were just committed, if that is more: nobody's message
/// waits long for that, and a flood does not outrun it.
pub const STORE_PRUNED_AT_ONCE_MAX: u64 = 1_000;

/// Most unused pages, of 4 KiB each, that are removed from the store's file after a deletion: several times as many as a deletion leaves
/// unused, but few enough that a commit does not wait long.
pub const STORE_PAGES_FREED_AT_ONCE_MAX: u32 = 1_024;

/// How often the store looks for what is too old when nothing is said, and tries again what failed, in milliseconds.
pub const STORE_PRUNE_MS: u64 = 1_000;

/// Largest difference between the wall clock and the expected time, in seconds, that counts as a correction or as time during
/// which the server was off: messages are still deleted by age. Beyond it the clock is doubted. A day is more than any time zone
/// error, and shortens the life of a message that is kept for a month only a little.
pub const CLOCK_STEP_SECONDS_MAX: u64 = 24 * 3600;

/// Lower limit of that difference, in seconds, even if `--keep AGE` is short: a restart takes no longer.
pub const CLOCK_STEP_SECONDS_MIN: u64 = 60;

/// That difference is at most `--keep AGE` divided by this: a wrong clock never deletes everything that should be kept.
pub const CLOCK_STEP_AGE_SHARE: u32 = 2;

/// Uptime, in seconds, after which a doubted clock that ran steadily is trusted again, or `--keep AGE` if that is shorter. A day
/// gives an operator time to read the warning.
pub const CLOCK_TRIAL_SECONDS_MAX: u64 = 24 * 3600;

/// Time before that moment, in seconds, at which the server warns for the last time: long enough to set the clock. The warning
/// before that is at half time.
pub const CLOCK_TRIAL_WARNING_SECONDS: u64 = 3600;

/// Size of the store's write-ahead log (`-wal`), in bytes, beyond which the server writes it into the file and empties it; that
/// waits for readers of the store. SQLite itself writes it into the file at 4 MiB, but restarts it only at a moment when nobody
/// reads.
pub const STORE_WAL_CHECKPOINT_BYTES: u64 = 16 * 1024 * 1024;

/// Size of the write-ahead log, in bytes, beyond which emptying it waits up to [`STORE_CHECKPOINT_LONG_MS_MAX`] for readers.
pub const STORE_WAL_URGENT_BYTES: u64 = 2 * STORE_WAL_CHECKPOINT_BYTES;

/// Size in bytes below which the write-ahead log stays, unless another program keeps a read transaction open for more than 1 s: see
/// [`STORE_CHECKPOINT_LONG_MS_MAX`]. Beyond this size, a warning is logged.
pub const STORE_WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Longest time that emptying the write-ahead log waits for readers of the store, in milliseconds: several times what a page or a
/// search takes.
pub const STORE_CHECKPOINT_MS_MAX: u64 = 500;

/// Longest such wait if the log is larger than [`STORE_WAL_URGENT_BYTES`], in milliseconds. Commits wait as well. It suffices for
/// readers whose transactions take 1 s, even if they overlap: the checkpoint first waits for transactions that began before it,
/// then for those that began meanwhile; later ones do not use the log. The rest is for the write into the file, for the 0.1 s
/// between two tries and for a busy machine.
pub const STORE_CHECKPOINT_LONG_MS_MAX: u64 = 4_000;

/// Pause after a short or a long wait without success until the next of its kind, as a multiple of its longest time. Growth of the
/// log ends the pause: by [`STORE_WAL_CHECKPOINT_BYTES`], or to twice the size after a long wait beyond [`STORE_WAL_BYTES_MAX`]. Without growth,
/// commits wait at most a fifth of the time for a program that keeps reading.
pub const STORE_CHECKPOINT_PAUSE_FACTOR: u64 = 10;

/// Longest the store waits for another program that reads or writes the file, in milliseconds.
pub const STORE_BUSY_MS_MAX: u64 = 5_000;

/// Longest the end waits for messages to be stored, and again for the file to be closed, in milliseconds.
pub const STORE_CLOSE_MS_MAX: u64 = 150;

/// Characters of an epoch that the server makes up: nobody meets the same again.
pub const EPOCH_CHARS: usize = 6;

/// Longest `--epoch`, in characters.
pub const EPOCH_CHARS_MAX: usize = 32;

/// Most bytes skipped in one unfinished telnet subnegotiation; whatever follows is text again.
pub const SUBNEGOTIATION_BYTES_MAX: usize = 1024;

/// Silence after a CR, in milliseconds, while no line has ended yet, after which CR alone ends the client's lines. Longer than
/// most retransmissions of TCP, so that a CR LF in two packets is rarely taken for two endings; short enough that a user at an
/// old terminal sees the first reply.
pub const LONE_CR_SILENCE_MS: u64 = 1_000;

/// Most bytes taken from a socket at once. One page-aligned read holds several hundred ordinary lines.
pub const READ_BYTES_MAX: usize = 16 * 1024;

/// Most bytes handed to a socket in one vectored write: what a reader far behind catches up by, each turn.
pub const WRITE_BYTES_MAX: usize = 256 * 1024;

/// Most slices in one vectored write (POSIX guarantees 16, Linux takes 1,024).
pub const WRITE_SLICES_MAX: usize = 128;

/// Bytes of kernel send buffer asked for each connection. Linux doubles the figure for its own bookkeeping and then
/// no longer grows it by itself, so a reader that is stuck holds at most twice this in the kernel.
pub const SEND_BUFFER_BYTES: usize = 128 * 1024;

/// The same for the last words to a peer that did not read, whose buffer is full. When it is closed, the kernel keeps all of it
/// until the peer takes it or TCP gives up, which is half of the `--lost-timeout`.
pub const LAST_SEND_BUFFER_BYTES: usize = SEND_BUFFER_BYTES + 64 * 1024;

/// Bytes of kernel receive buffer asked for each connection; doubled like the other. A peer that is not read on, for its rate
/// or its replies, holds at most that.
pub const RECEIVE_BUFFER_BYTES: usize = 128 * 1024;

/// Seconds a peer's socket may take nothing of what waits for it, unless `--write-timeout` says otherwise. Somebody who
/// scrolls back or suspends their client for longer has to connect again. TCP gives up one whose window is closed for half of
/// the `--lost-timeout`, be it there or not; half as long, and it is closed and told in any case.
pub const WRITE_TIMEOUT_SECONDS_DEFAULT: u64 = 30;

/// Seconds within which a host that vanished is found, unless `--lost-timeout` says otherwise. TCP alone takes two hours, or
/// for ever.
pub const LOST_TIMEOUT_SECONDS_DEFAULT: u64 = 120;

/// Smallest `--lost-timeout`, in seconds: TCP measures in whole ones, and each of the parts below has to be one.
pub const LOST_TIMEOUT_SECONDS_MIN: u64 = 8;

/// Largest `--lost-timeout`, in seconds: a day.
pub const LOST_TIMEOUT_SECONDS_MAX: u64 = 24 * 3600;

/// Parts, of eight, of the `--lost-timeout` after which a silent peer's host is asked for a sign of life (RFC 9293, 3.8.4).
pub const KEEPALIVE_IDLE_EIGHTHS: u64 = 3;

/// Parts, of eight, between two such questions.
pub const KEEPALIVE_INTERVAL_EIGHTHS: u64 = 1;

/// Parts, of eight, that what was sent may go without acknowledgement (RFC 5482), and a peer without answering.
pub const USER_TIMEOUT_EIGHTHS: u64 = 4;

/// Connections the kernel holds ready while the accept loop is busy; the kernel lowers it to its own bound.
pub const ACCEPT_BACKLOG: i32 = 4096;

/// Bytes of the feed kept for readers that are behind, over all dialects together, unless `--feed-bytes` says otherwise.
pub const FEED_BYTES_DEFAULT: usize = 8 * 1024 * 1024;

/// Smallest `--feed-bytes`: several times what one send buffer takes, or readers in good order would fall off.
pub const FEED_BYTES_MIN: usize = 1024 * 1024;

/// Limit on the memory for all output that clients have not read, as a multiple of `--feed-bytes`. The feed takes at most one of these
/// parts, so as much again is left for mailboxes.
pub const BACKLOG_FEEDS: usize = 2;

/// Growth of the backlog after which slow consumers are searched for again, as a share of its limit: one of this many parts. A search
/// looks at every client.
pub const BACKLOG_GROWTH_SHARE: usize = 16;

/// What a segment counts against the retention beside its text: its place in the log and its allocations' headers.
pub const SEGMENT_OVERHEAD_BYTES: usize = 256;

/// Bytes of the feed for which it is noted once which event they tell, where that is to be known: little beside the text, and
/// the lines in between are soon counted.
pub const MARKED_BYTES: usize = 1024;

/// Share of the retention that the commands carried out in one turn of the hub may fill before it is published:
/// one of this many parts.
pub const SEGMENT_SHARE: usize = 8;

/// Largest segment, in bytes, however large the retention: a reader whose send buffer is empty takes a whole turn's
/// output at once, and so does not fall behind while it keeps up.
pub const SEGMENT_BYTES_MAX: usize = 128 * 1024;

/// Memory is had from the kernel in pages of so many bytes; where they are larger, a little more is taken than is counted.
pub const PAGE_BYTES: usize = 4096;

/// From so many bytes on it is cheaper to have the kernel send a text than to copy it into the kernel.
pub const SENDFILE_BYTES_MIN: usize = 16 * 1024;

/// Readers from whom on it is worth it to copy a text to where the kernel can send it from.
pub const SENDFILE_READERS_MIN: usize = 16;

/// Share of the retention that such copies may take: one of this many parts. Most readers are near the end.
pub const SENDFILE_SHARE: usize = 8;

/// Bytes of one connection's lines that wait for the hub, after which it is not read on until the hub has taken some.
pub const QUEUE_BYTES_MAX: u32 = 4096;

/// Inputs of one connection that the hub carries out before the next connection has its turn.
pub const TURN_LINES_OF_ONE_MAX: usize = 16;

/// Inputs the hub carries out in one turn, before it publishes and lets the writers run.
pub const TURN_INPUTS_MAX: usize = 1024;

/// Bytes of private lines that the hub renders in one turn, before it does the same: a list of a large room takes time,
/// and whoever is whispered to by many has to get a chance to read.
pub const TURN_PRIVATE_BYTES_MAX: usize = 128 * 1024;

/// Lines of one connection handed to the hub and not yet answered. Enough for a turn to be worth its while, and so few
/// that a turn has room for those of sixteen busy connections.
pub const LINES_IN_FLIGHT_MAX: usize = 64;

/// The same for messages on their way to the store, where a turn waits for the disk: four turns' worth, of a few busy connections,
/// are committed and said at once.
pub const MESSAGES_IN_FLIGHT_MAX: usize = 4 * LINES_IN_FLIGHT_MAX;

/// Bytes of one connection's messages, with what they cost beside their text, up to which there may be more than
/// [`LINES_IN_FLIGHT_MAX`] of them: long ones are not to fill up what may wait for the disk.
pub const MESSAGES_IN_FLIGHT_BYTES: usize = 64 * 1024;

/// Lines a second that are carried out of each peer, unless `--line-rate` says otherwise: faster than anybody types, or
/// reads.
pub const LINE_RATE_DEFAULT: u32 = 10;

/// Lines that are carried out at once of a peer that was silent, unless `--line-burst` says otherwise: a script's few
/// lines, or a paragraph that is pasted, do not wait.
pub const LINE_BURST_DEFAULT: u32 = 40;

/// What a read counts at least, in bytes, of those that a line's length of makes a line: one byte a packet is not to be cheaper
/// for the peer than for the server. Somebody who types is read a key at a time, and pays for one line in 64 keys.
pub const READ_COST_BYTES_MIN: usize = 64;

/// Pause between two reads of what comes from a peer that is told to go, in milliseconds: it is read only to be thrown away.
pub const DRAIN_PAUSE_MS: u64 = 10;

/// Largest `--line-rate`, `--line-burst` and `--connect-rate`. Beyond, there is no telling it from no limit.
pub const RATE_MAX: u32 = 1_000_000;

/// Connections a second that are let in from one address, unless `--connect-rate` says otherwise. Those who connect and join
/// only to leave again, for as long as they like, take a small part of one processor; and keep out themselves alone.
pub const CONNECT_RATE_DEFAULT: u32 = 500;

/// Connections that are let in from one address at once, after a silence: a crowd that comes back after a failure is in soon.
pub const CONNECT_BURST: u32 = 1000;

/// Addresses that are remembered at least before it is looked which ones can be forgotten.
pub const ORIGINS_KEPT_MIN: usize = 1024;

/// Tasks that run before the sockets are looked at again: a writer takes some ten microseconds, and what a peer sent meanwhile
/// waits for all of them.
pub const TASKS_AT_ONCE_MAX: usize = 16;

/// Changes of sockets taken from the kernel at once: then those whose they are have a turn.
pub const EPOLL_EVENTS_AT_ONCE_MAX: usize = 1024;

/// Connections accepted before those who are in get their turn: so few that nobody notices (a few milliseconds), and enough
/// that in a large room, where a turn of everybody takes long, a crowd joins many at a time.
pub const ACCEPTS_AT_ONCE_MAX: u32 = 256;

/// Seconds a peer may take for its name, unless `--name-timeout` says otherwise. Long enough to type one, or three; short
/// enough that connections which never say anything do not add up.
pub const NAME_TIMEOUT_SECONDS_DEFAULT: u64 = 60;

/// Seconds for which the name of a peer is held that lost its connection and may come back, unless `--resume-timeout` says
/// otherwise. A client's pauses between two tries grow to half of that; a phone has found another network.
pub const RESUME_TIMEOUT_SECONDS_DEFAULT: u64 = 60;

/// Longest `--name-timeout`, `--idle-timeout` and the others like them, in seconds: a year. More is a slip.
pub const TIMEOUT_SECONDS_MAX: u64 = 366 * 24 * 3600;

/// Lines in a row that are no commands at all, after which a peer is closed: whoever types has long read the answers.
pub const ERRORS_IN_A_ROW_MAX: u32 = 50;

/// How often the room is told the time, in milliseconds. It measures in whole seconds.
pub const TICK_MS: u64 = 1000;

/// Members that time out in one turn of the hub; the others leave in the next turns. Few enough that their `LEAVE`s are one
/// segment of the feed, which readers have time to read before the next one.
pub const EXPIRED_PER_TURN_MAX: usize = 64;

/// Bytes of private lines waiting for a connection above which its commands are not read on: a script that does not
/// read its replies is slowed, and loses nothing.
pub const PRIVATE_BYTES_PAUSE: usize = 16 * 1024;

/// Bytes of whispers waiting for a connection above which one more closes it as slow. What it asked for itself does not
/// count: nobody can be closed for asking.
pub const WHISPER_BYTES_MAX: usize = 256 * 1024;

/// What a private line counts beside its text when it stands at a feed position of its own.
pub const INSERTION_OVERHEAD_BYTES: usize = 96;

/// Longest a connection that ended its input may take to read its replies before it is closed, in milliseconds.
pub const FLUSH_MS_MAX: u64 = 10_000;

/// Longest that a closing connection's further input is read and thrown away, in milliseconds, so that the last
/// replies are not lost to a reset (RFC 1122, 4.2.2.13: unread input at close makes one).
pub const DRAIN_MS_MAX: u64 = 2_000;

/// Longest a shutdown waits for peers to take what was acknowledged, in milliseconds; it must end within a second.
pub const SHUTDOWN_MS_MAX: u64 = 600;

/// Time after the signal that stops the server in which another one counts as a copy of it, in milliseconds: `timeout`, `sudo` and
/// wrappers that pass on Ctrl-C send the same signal to a process and to its group.
pub const SIGNAL_COPY_MS_MAX: u64 = 200;

/// Longest the end waits for the operator's log to be written, in milliseconds.
pub const LOG_FLUSH_MS_MAX: u64 = 150;

/// Longest time that an error which ends the server waits for standard error to accept it, in milliseconds. The exit code tells
/// of the failure as well, and a stalled reader must not keep the process alive.
pub const ERROR_WRITE_MS_MAX: u64 = 500;

/// Longest time that the start waits for standard output to accept the lines about listeners, in milliseconds. After that they
/// are written in the background: programs that wait for a line get it as soon as they read.
pub const ANNOUNCE_MS_MAX: u64 = 100;

/// Most bytes of a port file. A longer file is not treated as an old port file, and is left alone.
pub const PORT_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Most characters of a value that are repeated in an error about the command line.
pub const SHOWN_VALUE_CHARS_MAX: usize = 60;

/// Lines of the operator's log waiting for standard error to take them; more are dropped. Whoever reads the log does not
/// hold up the room.
pub const LOG_LINES_MAX: usize = 4096;

/// Longest head of an HTTP request, in bytes: several times what browsers send to a server that sets no cookies.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Most fields in one; browsers send some twenty.
pub const HEAD_FIELDS_MAX: usize = 64;

/// Seconds in which the head of a request has to come, unless `--web-head-timeout` says otherwise.
pub const HEAD_TIMEOUT_SECONDS_DEFAULT: u64 = 10;

/// Longest that the hub may take to show that it is at work, in milliseconds: a thousand times what it takes.
pub const HEALTH_MS_MAX: u64 = 2_000;

/// What a browser that is turned away is told to wait, in seconds.
pub const UNAVAILABLE_RETRY_SECONDS: u64 = 1;

/// Longest WebSocket message from a peer, in bytes. None of it is kept but the line it is at: the bound is there so that one
/// that never ends has an end.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Default of `--web-ping`, in seconds: a WebSocket connection is pinged after nothing was sent to it for this time, and at the
/// latest after twice this time. Common proxies close a connection that is silent for 60 s (nginx, AWS) or 55 s (Heroku).
pub const WEB_PING_SECONDS_DEFAULT: u64 = 20;

/// Longest header of a frame (RFC 6455, section 5.2).
pub const FRAME_HEADER_BYTES_MAX: usize = 14;

/// Most bytes in a control frame (RFC 6455, section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// Most text in one frame to a peer: as much as a header of four bytes can tell.
pub const TEXT_FRAME_BYTES_MAX: usize = 65_535;

/// Open files kept back from connections: standard streams, listeners, the reactor, the log, and those who are being turned
/// away.
pub const DESCRIPTORS_RESERVED: usize = 64;

/// Connections beyond what may be that are kept for a moment, so that they can read why; more are closed at once.
pub const REFUSED_MAX: usize = 32;

/// How often the log tells, at most, that nobody can be accepted, or that some were turned away, in seconds.
pub const REFUSED_LOG_SECONDS: u64 = 60;

/// Pause after an accept failed for want of a resource (descriptors, memory), in milliseconds: it does not spin.
pub const ACCEPT_RETRY_MS: u64 = 100;

const _: () = {
    // The longest line: a tagged LEAVE that carries a reason's text, ended by CR LF.
    let tag = "@18446744073709551615 2026-01-01T00:00:00.000Z ".len();
    let leave = "LEAVE ".len() + NAME_BYTES_MAX + " timeout ".len() + TEXT_BYTES_MAX;
    assert!(tag + leave + 2 <= SERVER_LINE_BYTES_MAX);
    // A refusal and its hint are at most one text.
    assert!(HINT_BYTES_MAX < TEXT_BYTES_MAX && 4 * (ECHO_CHARS_MAX + 1) < HINT_BYTES_MAX / 2);
    assert!("PAST ".len() + tag + NAME_BYTES_MAX + 1 + TEXT_BYTES_MAX + 2 <= SERVER_LINE_BYTES_MAX);
    // The rest of a stored message's line beside time, name and text: as a reply, or as an event with a tag.
    assert!("PAST ".len() + "18446744073709551615".len() + 3 + 2 <= QUERY_ROW_OVERHEAD_BYTES);
    assert!("@".len() + "18446744073709551615".len() + " ".len() + " MSG ".len() + 1 + 2 <= QUERY_ROW_OVERHEAD_BYTES);
    // A stroke of so many points can be sent, and be told with who drew it.
    let stroke = "#rrggbb 999".len() + STROKE_POINTS_MAX * " 9999,9999".len();
    assert!(COORDINATE_MAX == 9999 && STROKE_WIDTH_MAX == 999 && "/DRAW ".len() + stroke <= LINE_BYTES_MAX);
    assert!(tag + "STROKE ".len() + NAME_BYTES_MAX + 1 + stroke + 2 <= SERVER_LINE_BYTES_MAX);
    // Who has to be told all strokes is kept no more for it than for other answers.
    let pins = CANVAS_STROKES_MAX as u64 / PAGE_STROKES + 2;
    assert!(pins * INSERTION_OVERHEAD_BYTES as u64 <= PRIVATE_BYTES_PAUSE as u64);
    assert!(EPOCH_CHARS <= EPOCH_CHARS_MAX && EPOCH_CHARS_MAX <= TOKEN_BYTES_MAX);
    // The longest list of names in a reply.
    assert!("OK WHISPER ".len() + WHISPER_NAMES_MAX * (NAME_BYTES_MAX + 1) + 2 <= SERVER_LINE_BYTES_MAX);
    // A turn may overshoot a segment by one line in each of eight dialects, and still a smallest feed keeps the segment.
    assert!(FEED_BYTES_MIN / SEGMENT_SHARE + 8 * SERVER_LINE_BYTES_MAX <= FEED_BYTES_MIN / 2);
    assert!(FEED_BYTES_MIN <= FEED_BYTES_DEFAULT);
    // So does a turn in which members expire, by a LEAVE and a COORDINATOR for each.
    assert!(EXPIRED_PER_TURN_MAX * 8 * 2 * (tag + NAME_BYTES_MAX + 32) <= FEED_BYTES_MIN / 4);
    assert!(SEGMENT_BYTES_MAX <= SEND_BUFFER_BYTES && 4 * SEND_BUFFER_BYTES <= FEED_BYTES_MIN);
    assert!(TURN_PRIVATE_BYTES_MAX <= SEND_BUFFER_BYTES && 2 * TURN_PRIVATE_BYTES_MAX <= WHISPER_BYTES_MAX);
    assert!(TURN_LINES_OF_ONE_MAX <= LINES_IN_FLIGHT_MAX && LINES_IN_FLIGHT_MAX * 16 <= TURN_INPUTS_MAX);
    // The last turn gets most of a search's time: the earlier turns take less than half as much.
    assert!(4 * SEARCH_TURNS_MS[SEARCH_TURNS_MS.len() - 1] < SEARCH_CPU_MS_MAX);
    // One alone does not fill up what may wait for the disk.
    assert!(LINES_IN_FLIGHT_MAX * LINE_BYTES_MAX + MESSAGES_IN_FLIGHT_BYTES <= FEED_BYTES_MIN / 2);
    assert!(TOKEN_BYTES_MAX < LINE_BYTES_MAX && NAME_BYTES_MAX < LINE_BYTES_MAX);
    // A host may vanish just before it would have been asked, and something be sent to it just then.
    assert!(KEEPALIVE_IDLE_EIGHTHS + KEEPALIVE_INTERVAL_EIGHTHS + USER_TIMEOUT_EIGHTHS <= 8);
    assert!(KEEPALIVE_IDLE_EIGHTHS + KEEPALIVE_INTERVAL_EIGHTHS <= USER_TIMEOUT_EIGHTHS);
    // Linux takes no more seconds.
    assert!(LOST_TIMEOUT_SECONDS_MAX * KEEPALIVE_IDLE_EIGHTHS / 8 <= 32_767);
    // One that is there and does not read is told, rather than given up by TCP.
    assert!(WRITE_TIMEOUT_SECONDS_DEFAULT <= LOST_TIMEOUT_SECONDS_DEFAULT * USER_TIMEOUT_EIGHTHS / 16);
    // The client is gone within a second of a signal; before that, it has had time to say good-bye.
    // At a terminal, it waits for the server, and then for the terminal.
    assert!(2 * FAREWELL_AT_SIGNAL_MS_MAX <= SIGNAL_GRACE_MS_MAX && SIGNAL_GRACE_MS_MAX < 1000);
    assert!(NEXT_ADDRESS_MS <= NEXT_ADDRESS_GREETING_MS && NEXT_ADDRESS_GREETING_MS < CONNECT_MS_MAX);
    assert!(
        CONNECT_MS_MAX < REPLY_MS_MAX
            && REPLY_MS_MAX < REPLY_TOTAL_MS_MAX
            && LINE_BYTES_MAX < INPUT_LINE_BYTES_MAX
            && INPUT_LINE_BYTES_MAX <= INPUT_FIRST_LINE_BYTES_MAX
    );
    // Whoever waits the longest between two tries to connect has one in time.
    assert!(RECONNECT_MS[1] * 2 <= RESUME_TIMEOUT_SECONDS_DEFAULT * 1000);
    assert!(REFUSED_MAX * 2 <= DESCRIPTORS_RESERVED);
    // The longest input line fits into the history file, and the longest server line into the print queue.
    assert!(EDITED_BYTES_MAX as u64 <= HISTORY_FILE_BYTES_MAX && SERVER_LINE_BYTES_MAX < PRINT_AT_ONCE_BYTES);
    assert!(2 * PRINT_AT_ONCE_BYTES <= PRINT_BYTES_MAX);
    assert!(SERVER_LINE_BYTES_MAX < CLIENT_LINE_BYTES_MAX && RECONNECT_MS[0] <= RECONNECT_MS[1]);
    // The ping comes before proxies close a silent connection.
    assert!(2 * WEB_PING_SECONDS_DEFAULT < 55);
    // There is a whole line in every frame, and room for a frame that was begun when its peer is told why it is closed.
    assert!(SERVER_LINE_BYTES_MAX < TEXT_FRAME_BYTES_MAX);
    assert!(TEXT_FRAME_BYTES_MAX < 2 * (LAST_SEND_BUFFER_BYTES - SEND_BUFFER_BYTES));
    assert!(SHUTDOWN_MS_MAX + LOG_FLUSH_MS_MAX < 1000);
    // A second signal can cut the stop short.
    assert!(2 * SIGNAL_COPY_MS_MAX < SHUTDOWN_MS_MAX);
    // So does a failed start if nothing reads standard error: by then nobody handles signals.
    assert!(ERROR_WRITE_MS_MAX + LOG_FLUSH_MS_MAX < 1000);
    // The log has room for the commits before a short wait, and after it for those before a long one.
    assert!(STORE_WAL_URGENT_BYTES + STORE_WAL_CHECKPOINT_BYTES < STORE_WAL_BYTES_MAX);
    assert!(STORE_CHECKPOINT_MS_MAX < STORE_CHECKPOINT_LONG_MS_MAX);
    // No commit waits longer for our own checkpoint than for another program.
    assert!(STORE_CHECKPOINT_LONG_MS_MAX <= STORE_BUSY_MS_MAX);
    assert!(CLOCK_STEP_SECONDS_MIN < CLOCK_STEP_SECONDS_MAX && CLOCK_STEP_AGE_SHARE > 1);
    assert!(CLOCK_TRIAL_WARNING_SECONDS < CLOCK_TRIAL_SECONDS_MAX / 2);
};
