//! Limits of rooms: how many there are, and their history and canvas in memory.

/// Default of `--history`, in messages of each room: a day of a quiet room, or what a member missed in a short absence.
pub const HISTORY_MESSAGES_DEFAULT: usize = 1_000;

/// Largest `--history`. [`HISTORY_BYTES_MAX`] usually takes effect much earlier.
pub const HISTORY_MESSAGES_MAX: usize = 1_000_000;

/// Most bytes of messages in memory, over all rooms together, with their overhead. Rendered pages of them take as much again for each line ending in use.
pub const HISTORY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Memory of a message or stroke in addition to its name and text, in bytes.
pub const PAST_OVERHEAD_BYTES: usize = 96;

/// Messages that `HISTORY` without a number returns: about a screen.
pub const HISTORY_REPLAYED_DEFAULT: u64 = 20;

/// Messages that are rendered in one page, which all clients share. Few, so that a new message does not cause many to be rendered again;
/// enough that the overhead of a page is small compared with its text.
pub const PAGE_MESSAGES: u64 = 16;

/// Most strokes on a room's canvas: a quarter of an hour of one user who draws without a pause, in strokes of an eighth of a second.
pub const CANVAS_STROKES_MAX: usize = 8_192;

/// Most bytes of strokes on all canvases together, with their overhead. Rendered pages of them take as much again for each line ending in use.
pub const CANVAS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Strokes that are rendered in one page, like [`PAGE_MESSAGES`]. More than messages, because a client that asks for the canvas gets all
/// strokes.
pub const PAGE_STROKES: u64 = 64;

/// Most moderators of a room, besides the account that created it.
pub const MODERATORS_MAX: usize = 100;

/// Most invitations into a room, of accounts and guests: each change of those of accounts stores all of them.
pub const INVITATIONS_MAX: usize = 1_000;

/// Most rooms of a member.
pub const ROOMS_PER_MEMBER_MAX: usize = 100;

/// Most rooms of one `JOIN`.
pub const ROOMS_PER_COMMAND_MAX: usize = 16;

/// Rooms that have members at the same time, besides the lobby: the default of `--max-rooms`. An empty one takes about a kilobyte.
pub const ROOMS_MAX_DEFAULT: usize = 10_000;

/// Largest `--max-rooms`. More is a typing error.
pub const ROOMS_MAX: usize = 10_000_000;

/// Rooms without members that a store keeps, for each room of `--max-rooms`. Beyond that, no room is created: a client could otherwise fill
/// the memory with rooms of one message each. One takes about 400 bytes and its topic.
pub const STORED_ROOMS_PER_ROOM: usize = 10;

/// Most rooms that `ROOMS` lists in one reply: with the longest topics, they fit into the output of one turn.
pub const ROOMS_LISTED_MAX: usize = 100;

/// Longest topic, in bytes: several screen lines.
pub const TOPIC_BYTES_MAX: usize = 512;

/// Rooms that clients of one address may create at once, after a pause: all rooms of a member, which enters them again after a restart of
/// a server without a store.
pub const ROOM_CREATION_BURST: u32 = 100;

/// Seconds after which clients of one address may create another room.
pub const ROOM_CREATION_SECONDS: u64 = 60;

/// Most addresses for which the creation of rooms is counted. Each is forgotten once it may create [`ROOM_CREATION_BURST`] rooms again, or
/// earlier while there are more addresses: first the one that is closest to that.
pub const ROOM_CREATORS_MAX: usize = 16 * 1024;

/// Former rooms that a session remembers. In chat mode, a line that begins with the name of one of them is refused; after more former
/// rooms, one that begins with the name of any room.
pub const FORMER_ROOMS_MAX: usize = 100;

/// Member lists that are kept for the next `WHO`: those of the rooms that were asked for last.
pub const ROSTERS_KEPT_MAX: usize = 8;
