//! Limits of the feed, and of all output that clients have not read.

/// Default of `--backlog`, the feed size: bytes of events that the feed keeps, over all rooms and dialects.
pub const BACKLOG_BYTES_DEFAULT: usize = 8 * 1024 * 1024;

/// Smallest `--backlog`: several times a send buffer, because the feed must not evict what a reader that keeps up has not read yet.
pub const BACKLOG_BYTES_MIN: usize = 1024 * 1024;

/// Largest `--backlog`: a terabyte. More is a typing error.
pub const BACKLOG_BYTES_MAX: u64 = 1 << 40;

/// Limit on the memory for all output that clients have not read, as a multiple of `--backlog`. The feed takes at most one of these
/// parts, so as much again is left for mailboxes.
pub const BACKLOG_FEEDS: usize = 2;

/// Growth of the unread output after which slow consumers are searched for again, as a share of its limit: one of this
/// many parts. A search looks at every client.
pub const BACKLOG_GROWTH_SHARE: usize = 16;

/// Memory of a segment in addition to its text, in bytes: its entries in the log and in the queue of the publisher, and the headers of its
/// allocations.
pub const SEGMENT_OVERHEAD_BYTES: usize = 256;

/// Bytes of the feed for each mark, by which the last message at a position is found. A mark is small beside that text, and the lines
/// between two marks are counted quickly.
pub const MARKED_BYTES: usize = 1024;

/// Share of the feed size that the output of one turn of the hub may fill before it is published: one of this many
/// parts.
pub const SEGMENT_SHARE: usize = 8;

/// Largest segment, in bytes, however large the feed: a reader with an empty send buffer takes the output of a whole
/// turn at once, so it does not fall behind while it keeps up.
pub const SEGMENT_BYTES_MAX: usize = 128 * 1024;

/// Memory of empty buffers that the hub keeps, to render the next turn without new allocations, in bytes: a turn of a busy room, and the
/// turns of many rooms with a line each, fit in.
pub const RENDER_BYTES_KEPT: usize = 8 * SEGMENT_BYTES_MAX;

/// Size of a memory page, in bytes. On systems with larger pages, the memory file takes a little more than is counted.
pub const PAGE_BYTES: usize = 4096;

/// Size from which `sendfile` is cheaper than a copy into the kernel, in bytes.
pub const SENDFILE_BYTES_MIN: usize = 16 * 1024;

/// Number of readers from which a copy in the memory file is worth its cost.
pub const SENDFILE_READERS_MIN: usize = 16;

/// Share of the feed size that the memory file may take: one of this many parts. Most readers are near the end of the
/// feed.
pub const SENDFILE_SHARE: usize = 8;

/// Bytes of private lines waiting for a connection above which the server stops reading its commands: a script that does not read its
/// replies is slowed, and loses nothing.
pub const PRIVATE_BYTES_PAUSE: usize = 16 * 1024;

/// Bytes of whispers waiting for a connection above which the next one disconnects it as a slow consumer. Replies do not count: a client
/// is never disconnected for its own requests.
pub const WHISPER_BYTES_MAX: usize = 256 * 1024;

/// Memory of a private line in addition to its text, in bytes, if it has a feed position of its own.
pub const INSERTION_OVERHEAD_BYTES: usize = 96;
