//! Limits of HTTP and WebSocket.

/// Longest head of an HTTP request, in bytes: several times what browsers send to a server without cookies.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Most fields in the head of an HTTP request; browsers send about twenty.
pub const HEAD_FIELDS_MAX: usize = 64;

/// Default of `--http-header-timeout`, in seconds: time for the head of a request to arrive.
pub const HTTP_HEADER_TIMEOUT_SECONDS_DEFAULT: u64 = 10;

/// Longest time in which the hub must answer a health check, in milliseconds: a thousand times what it takes.
pub const HEALTH_MS_MAX: u64 = 2_000;

/// `Retry-After` for a browser that is turned away, in seconds.
pub const UNAVAILABLE_RETRY_SECONDS: u64 = 1;

/// Longest WebSocket message of a client, in bytes. Only its unfinished line is in memory; the limit ends a message without end.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Default of `--http-ping-interval`, in seconds: a WebSocket connection is pinged after nothing was sent to it for
/// this time, and at the latest after twice this time. Common proxies close a connection that is silent for 60 s
/// (nginx, AWS) or 55 s (Heroku).
pub const HTTP_PING_INTERVAL_SECONDS_DEFAULT: u64 = 20;

/// Longest header of a frame (RFC 6455, section 5.2).
pub const FRAME_HEADER_BYTES_MAX: usize = 14;

/// Most bytes in a control frame (RFC 6455, section 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;

/// Most text in one frame to a client: the largest length that a header of four bytes can state.
pub const TEXT_FRAME_BYTES_MAX: usize = 65_535;
