//! Limits of the room: history and canvas in memory.

/// Default of `--history`, in messages: a day of a quiet room, or what a member missed in a short absence.
pub const HISTORY_MESSAGES_DEFAULT: usize = 1_000;

/// Largest `--history`. [`HISTORY_BYTES_MAX`] usually takes effect much earlier.
pub const HISTORY_MESSAGES_MAX: usize = 1_000_000;

/// Most bytes of messages in memory, with their overhead. Rendered pages of them take as much again for each line ending in use.
pub const HISTORY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Memory of a message or stroke in addition to its name and text, in bytes.
pub const PAST_OVERHEAD_BYTES: usize = 96;

/// Messages that `HISTORY` without a number returns: about a screen.
pub const HISTORY_REPLAYED_DEFAULT: u64 = 20;

/// Messages that are rendered in one page, which all clients share. Few, so that a new message does not cause many to be rendered again;
/// enough that the overhead of a page is small compared with its text.
pub const PAGE_MESSAGES: u64 = 16;

/// Most strokes on the canvas: a quarter of an hour of one user who draws without a pause, in strokes of an eighth of a second.
pub const CANVAS_STROKES_MAX: usize = 8_192;

/// Most bytes of strokes on the canvas, with their overhead. Rendered pages of them take as much again for each line ending in use.
pub const CANVAS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Strokes that are rendered in one page, like [`PAGE_MESSAGES`]. More than messages, because a client that asks for the canvas gets all
/// strokes.
pub const PAGE_STROKES: u64 = 64;
