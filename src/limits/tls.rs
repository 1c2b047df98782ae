//! Limits of TLS.

/// Longest time for a TLS handshake, in seconds: many times the round trips that it takes over the slowest network.
pub const TLS_HANDSHAKE_SECONDS_MAX: u64 = 10;

/// Most bytes that a client sends in a handshake: many times those of a client that offers a post-quantum key.
pub const TLS_HANDSHAKE_BYTES_MAX: usize = 32 * 1024;

/// Handshakes that compute at a time: a signature takes 0.03 ms (ECDSA) to 1 ms (RSA with 2,048 bits). After each, all other tasks that can
/// run do so, before the next one; with more at a time, a flood of handshakes would delay lines and events.
pub const TLS_HANDSHAKES_AT_ONCE_MAX: usize = 1;

/// Most bytes of text that are encrypted before they are sent: one record (RFC 8446, section 5.1). A client that does not read has as
/// much waiting in the server's memory.
pub const TLS_WRITE_BYTES_MAX: usize = 16 * 1024;

/// Most records that the server sends on a connection with TLS 1.2, about 256 GiB of text. After 2^24, the keys of AES-GCM are used up (RFC
/// 8446, section 5.5), and rustls sends no more.
pub const TLS12_RECORDS_MAX: u64 = (1 << 24) - 1024;

/// Days for which a certificate of `chinwagd cert` is valid: ten years. Clients know it by its fingerprint, so a new one is work for all.
pub const CERTIFICATE_DAYS: u64 = 3650;

/// Largest file with certificates or a key, in bytes: a chain has a few KiB.
pub const PEM_FILE_BYTES_MAX: u64 = 1024 * 1024;
