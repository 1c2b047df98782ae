//! Limits of moderation.

/// Most bans and mutes: a list of all addresses of a botnet fits, at about 0.5 KB each.
pub const SANCTIONS_MAX: usize = 100_000;

/// Most bans and mutes of a room.
pub const SANCTIONS_PER_ROOM_MAX: usize = 1_000;

/// Of [`SANCTIONS_MAX`], those that only operators use, for the server: the owners of rooms cannot fill it.
pub const SANCTIONS_RESERVED: usize = 50_000;

/// Longest ban or mute that ends by itself, in seconds: ten years. A longer one is most likely a typing error.
pub const SANCTION_SECONDS_MAX: u64 = 10 * 366 * 24 * 3600;

/// Bits of the shortest IPv4 prefix that can be banned: registries give no larger networks.
pub const BAN_IPV4_BITS_MIN: u8 = 8;

/// Bits of the shortest IPv6 prefix that can be banned: registries give networks of 19 bits and more.
pub const BAN_IPV6_BITS_MIN: u8 = 16;

/// Bits of an IPv6 address that name the network of one customer (RFC 6177). A host may have all addresses of it.
pub const IPV6_NETWORK_BITS: u8 = 64;

/// Sanctions in one reply to `BANS`.
pub const SANCTIONS_LISTED_MAX: usize = 100;

/// Most entries of the audit log in memory: all of a server without a store, and those that a store has refused so far.
pub const AUDIT_IN_MEMORY_MAX: usize = 1_000;

/// Most entries of the audit log in a store, at about 0.2 KB each: about rooms, and again about the server. An owner of a room who appoints and
/// dismisses a moderator as fast as lines are read (ten times a second) needs three hours to displace the older entries about rooms.
pub const AUDIT_STORED_MAX: usize = 100_000;

/// Subjects of a sanction besides accounts: the addresses that its target had while it was repeated, and its nickname.
pub const SANCTION_SUBJECTS_MAX: usize = 16;

/// Accounts that a mute concerns because muted guests have registered them. Clients of one address need seven hours for as many.
pub const SANCTION_ACCOUNTS_MAX: usize = 64;
