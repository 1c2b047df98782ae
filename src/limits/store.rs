//! Limits of the store: queries, searches, commits, the clock, the write-ahead log.

use super::feed::PRIVATE_BYTES_PAUSE;
use super::protocol::TEXT_BYTES_MAX;

/// Size at which a page of messages from the store is full, in bytes. A connection has at most one page, as rows or as text, which counts
/// as part of its unread output from the command on, like other replies.
pub const QUERY_PAGE_BYTES: usize = PRIVATE_BYTES_PAUSE;

/// Bytes that each row of a page counts in addition to its strings: at least the memory of the row, and at least the rest of the row's
/// rendered line. So a page of text is at most as large as the page of rows.
pub const QUERY_ROW_OVERHEAD_BYTES: usize = 32;

/// Most words of a `SEARCH`. A run of text in a script without spaces counts as one word. Each word costs a pass over the messages that
/// contain it.
pub const SEARCH_WORDS_MAX: usize = 32;

/// Characters of a text, after decomposition, that are searched. Most texts have at most one for each byte, but some characters decompose
/// into up to 18 others: a message of these would cost six times as much to index.
pub const SEARCH_CHARS_MAX: usize = TEXT_BYTES_MAX;

/// Most index terms that are looked up for one run of text without spaces: they cover 16 characters of it. The text of each message that
/// has these terms is then compared with the whole run.
pub const SEARCH_RUN_TERMS_MAX: usize = 8;

/// Most CPU time of one `SEARCH`, in milliseconds; then it ends with an error. Among a million messages of eight words, a search for 32
/// common words takes up to half of it, and most searches less than a hundredth.
pub const SEARCH_CPU_MS_MAX: u64 = 200;

/// CPU time of a search's first turns, in milliseconds; its last turn takes the rest. After each turn, searches with fewer turns go
/// first, and the search later continues at the last message that it found. Because the turns double, a search waits no longer than its
/// own CPU time multiplied by the number of waiting searches, and repeats at most half of its work.
pub const SEARCH_TURNS_MS: [u64; 5] = [2, 4, 8, 16, 32];

/// Steps of SQLite's virtual machine between two checks of the CPU time. Reading a page of the index takes a few steps and may compare
/// thousands of messages; reading a message takes some.
pub const SEARCH_STEPS_PER_CHECK: i32 = 10;

/// Messages that one slice counts back to find the start of a `HISTORY`: about one millisecond of work. Other queries get a turn after
/// each slice.
pub const HISTORY_SLICE_ROWS: u64 = 16_384;

/// A reading thread gives one part in this many of its time to the oldest query, and the rest to the query with the fewest turns. So long
/// queries make progress even if short ones arrive without a pause.
pub const QUERY_OLDEST_SHARE: u32 = 8;

/// Most messages that a `SEARCH` returns: the newest ones.
pub const SEARCH_FOUND_MAX: u64 = 50;

/// Most messages in one commit.
pub const STORE_BATCH_MAX: usize = 4_096;

/// Most messages in one commit whose words are indexed in the same commit. More than these arrive without a pause, and should not wait
/// for the index; they are indexed when there is time, or when a search needs them.
pub const STORE_BATCH_INDEXED_MAX: usize = 256;

/// Most bytes of text in one commit whose words are indexed in the same commit: about 20 ms of work in scripts without spaces, where each
/// character makes two terms, and much less in others.
pub const STORE_BATCH_INDEXED_BYTES: usize = 64 * 1024;

/// Pause between commits, in milliseconds, after which there is time to index the remaining messages. Longer than it takes to deliver one
/// commit to a thousand readers.
pub const STORE_INDEX_MS: u64 = 100;

/// Messages by which the index may lag behind the stored messages. Beyond that, messages are indexed even without a pause; a search may
/// then wait for a second or two.
pub const STORE_INDEX_BEHIND_MAX: u64 = 1 << 20;

/// Most messages that are indexed in one step, while commits wait. More than one commit has, so that a search does not wait forever.
pub const STORE_INDEXED_AT_ONCE_MAX: u64 = 2 * STORE_BATCH_MAX as u64;

/// Bytes of text after which a step of indexing ends, because commits wait for it.
pub const STORE_INDEXED_AT_ONCE_BYTES: u64 = 4 * STORE_BATCH_INDEXED_BYTES as u64;

/// Most messages that the store evicts in one step, or twice the number just committed, if that is more: no commit waits long, and
/// eviction keeps up with a flood.
pub const STORE_PRUNED_AT_ONCE_MAX: u64 = 1_000;

/// Most unused pages, of 4 KiB each, that are removed from the store's file after an eviction: several times as many as an eviction
/// leaves unused, but few enough that a commit does not wait long.
pub const STORE_PAGES_FREED_AT_ONCE_MAX: u32 = 1_024;

/// Interval at which an idle store looks for messages that are too old, and tries again what failed, in milliseconds.
pub const STORE_PRUNE_MS: u64 = 1_000;

/// Largest age of `--keep`, in seconds: sums of ages and times in milliseconds cannot overflow.
pub const KEEP_AGE_SECONDS_MAX: u64 = 1 << 50;

/// Largest size of `--keep`, in bytes: more than a file can have.
pub const KEEP_BYTES_MAX: u64 = 1 << 50;

/// Largest difference between the wall clock and the expected time, in seconds, that counts as a correction or as time during which the
/// server was off: messages are still deleted by age. Beyond it the clock is doubted. A day is more than any time zone error, and
/// shortens the life of a message that is kept for a month only a little.
pub const CLOCK_STEP_SECONDS_MAX: u64 = 24 * 3600;

/// Lower limit of that difference, in seconds, even if `--keep AGE` is short: a restart takes no longer.
pub const CLOCK_STEP_SECONDS_MIN: u64 = 60;

/// That difference is at most `--keep AGE` divided by this: a wrong clock never deletes everything that should be kept.
pub const CLOCK_STEP_AGE_SHARE: u32 = 2;

/// Uptime, in seconds, after which a doubted clock that ran steadily is trusted again, or `--keep AGE` if that is shorter. A day gives an
/// operator time to read the warning.
pub const CLOCK_TRIAL_SECONDS_MAX: u64 = 24 * 3600;

/// Time before that moment, in seconds, at which the server warns for the last time: long enough to set the clock. The previous warning
/// is at half time.
pub const CLOCK_TRIAL_WARNING_SECONDS: u64 = 3600;

/// Size of the store's write-ahead log (`-wal`), in bytes, beyond which the server writes it into the file and empties it, and waits for
/// readers of the store. SQLite itself writes it into the file at 4 MiB, but restarts it only while nothing reads the store.
pub const STORE_WAL_CHECKPOINT_BYTES: u64 = 16 * 1024 * 1024;

/// Size of the write-ahead log, in bytes, beyond which emptying it waits up to [`STORE_CHECKPOINT_LONG_MS_MAX`] for readers.
pub const STORE_WAL_URGENT_BYTES: u64 = 2 * STORE_WAL_CHECKPOINT_BYTES;

/// Size in bytes below which the write-ahead log stays, unless another program keeps a read transaction open for more than 1 s: see
/// [`STORE_CHECKPOINT_LONG_MS_MAX`]. Beyond this size, a warning is logged.
pub const STORE_WAL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Longest time that emptying the write-ahead log waits for readers of the store, in milliseconds: several times what a page or a search
/// takes.
pub const STORE_CHECKPOINT_MS_MAX: u64 = 500;

/// Longest such wait if the log is larger than [`STORE_WAL_URGENT_BYTES`], in milliseconds. Commits wait as well. It suffices for readers
/// whose transactions take 1 s, even if they overlap: the checkpoint first waits for transactions that began before it, then for those
/// that began meanwhile; later ones do not use the log. The rest is for the write into the file, for the 0.1 s between two tries and for
/// a busy machine.
pub const STORE_CHECKPOINT_LONG_MS_MAX: u64 = 4_000;

/// Pause after a checkpoint whose wait for readers failed, as a multiple of the longest time of that wait (short or long). The next wait
/// of that kind comes after the pause, or earlier if the log has grown: by [`STORE_WAL_CHECKPOINT_BYTES`], or to twice its size after a
/// long wait beyond [`STORE_WAL_BYTES_MAX`]. If the log does not grow, commits wait at most a fifth of the time for a program that keeps
/// reading.
pub const STORE_CHECKPOINT_PAUSE_FACTOR: u64 = 10;

/// Pages, usually of 4 KiB, that a backup copies between two reports of its progress.
pub const STORE_COPIED_AT_ONCE_PAGES: i32 = 2_048;

/// Such steps, of 64 MiB together, after which a backup has the disk write them: a signal then ends it within about a second, also on a
/// slow disk. It is not done more often, because the server cannot empty the write-ahead log meanwhile.
pub const STORE_COPY_STEPS_PER_SYNC: u32 = 8;

/// Numbers of accounts that are skipped when a server uses a backup as its store: more than accounts that were added after the backup. So no
/// number means two accounts.
pub const STORE_RESTORED_ACCOUNTS_SKIPPED: u32 = 1_000_000;

/// Most problems of one kind that `chinwagd check` describes.
pub const STORE_PROBLEMS_SHOWN_MAX: usize = 20;

/// Messages that `chinwagd check` reads between two reports of its progress.
pub const STORE_CHECKED_AT_ONCE: u64 = 10_000;

/// Interval at which the log reports the progress of a migration or of the index, in milliseconds.
pub const STORE_PROGRESS_LOG_MS: u64 = 5_000;

/// Steps of SQLite's virtual machine between two looks at that clock.
pub const STORE_MIGRATION_STEPS_PER_CHECK: i32 = 100_000;

/// Longest time that the store waits for another program that reads or writes the file, in milliseconds.
pub const STORE_BUSY_MS_MAX: u64 = 5_000;

/// Longest time that a start waits for the lock of the store, in milliseconds. `chinwagd --check` has the lock for less.
pub const STORE_LOCK_MS_MAX: u64 = 200;

/// Longest time that the shutdown waits for messages to be stored, and again for the file to be closed, in milliseconds.
pub const STORE_CLOSE_MS_MAX: u64 = 150;
