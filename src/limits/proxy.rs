//! Limits of connections that come through a proxy.

/// Longest header of version 1 of the PROXY protocol, in bytes, with CR LF (section 2.1 of the specification).
pub const PROXY_LINE_BYTES_MAX: usize = 107;

/// Longest header of version 2 of the PROXY protocol, in bytes: almost four times the 536 bytes that the specification asks proxies to
/// keep to. A proxy may add the server name (255 bytes), the name in the client's certificate and identifiers of its own.
pub const PROXY_HEADER_BYTES_MAX: usize = 2048;

/// Longest time for a PROXY protocol header to arrive, in seconds. A proxy sends it first and at once; TCP sends a lost packet again within
/// three seconds.
pub const PROXY_HEADER_SECONDS_MAX: u64 = 5;
