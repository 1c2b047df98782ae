//! Limits of the protocol: lines, texts, names, drawings.

/// Longest line of a client, in bytes, without line ending and telnet sequences. One page: enough for a person, and a partial line of
/// each of 10,000 clients takes little memory.
pub const LINE_BYTES_MAX: usize = 4096;

/// Longest text (of a message, whisper, notice or reason), in bytes, after unsafe characters are replaced.
pub const TEXT_BYTES_MAX: usize = LINE_BYTES_MAX;

/// Longest name, in code points: it fits into a column, and a screen line holds two.
pub const NAME_CHARS_MAX: usize = 32;

/// Longest name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = NAME_CHARS_MAX * 4;

/// Longest room in front of a line, in bytes: in chat mode a slash, then `#`, a name and a space.
pub const ROOM_PREFIX_BYTES_MAX: usize = "/#".len() + NAME_BYTES_MAX + " ".len();

/// Most combining marks in a row in a name. More of them would draw over the neighbouring lines.
pub const NAME_MARKS_IN_A_ROW_MAX: usize = 3;

/// Most recipients of one `WHISPER`.
pub const WHISPER_NAMES_MAX: usize = 32;

/// Longest token of a `PING`, in bytes. The server repeats the token, so this limits the memory that a short line can cost.
pub const TOKEN_BYTES_MAX: usize = 256;

/// Longest password of a server, in bytes: longer than anybody types, and far shorter than a line.
pub const PASSWORD_BYTES_MAX: usize = 256;

/// Longest password file, in bytes. A longer one is another file by mistake.
pub const PASSWORD_FILE_BYTES_MAX: u64 = 4096;

/// Most characters of an unknown word that an error repeats.
pub const ECHO_CHARS_MAX: usize = 32;

/// Longest hint of a refusal, in bytes, in any mode. A refusal's text is truncated so that its hint fits after it. The longest hint
/// repeats a word of the client.
pub const HINT_BYTES_MAX: usize = 512;

/// Longest line of the server, in bytes, with its tag and line ending.
pub const SERVER_LINE_BYTES_MAX: usize = 4608;

/// Largest coordinate of a point on the canvas; 0 is the smallest. More than a screen has pixels.
pub const COORDINATE_MAX: u16 = 9999;

/// Widest stroke, in the unit of the coordinates: a tenth of the canvas.
pub const STROKE_WIDTH_MAX: u16 = 999;

/// Most points of one stroke: they fit into a line, however long their coordinates are.
pub const STROKE_POINTS_MAX: usize = 400;

/// Characters of an epoch that the server generates: enough that a new epoch is almost certainly different from all earlier ones.
pub const EPOCH_CHARS: usize = 6;

/// Longest `--epoch`, in characters.
pub const EPOCH_CHARS_MAX: usize = 32;

/// Most bytes that are skipped in an unfinished telnet subnegotiation; all further bytes are text.
pub const SUBNEGOTIATION_BYTES_MAX: usize = 1024;

/// Silence after a CR, in milliseconds, while no line has ended yet, after which CR alone ends the client's lines. Longer than most
/// retransmissions of TCP, so that a CR LF in two packets is rarely taken for two endings; short enough that a user at an old terminal
/// sees the first reply.
pub const LONE_CR_SILENCE_MS: u64 = 1_000;
