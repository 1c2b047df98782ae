//! Limits of logins: passwords of accounts, and how often and how many at once are checked.

/// Shortest password of an account, in bytes (NIST SP 800-63B, 3.1.1.2).
pub const ACCOUNT_PASSWORD_BYTES_MIN: usize = 8;

/// Longest password of an account, in bytes: a long sentence in any script, and short beside a line.
pub const ACCOUNT_PASSWORD_BYTES_MAX: usize = 512;

/// Memory of one hash of a password, in KiB. With [`HASH_PASSES`], it is the least that OWASP recommends for argon2id.
pub const HASH_MEMORY_KIB: u32 = 19_456;

/// Bytes that a thread allocates for hashes: more than 32 MiB, the largest allocation that glibc may keep when it is freed (`mallopt(3)`,
/// `M_MMAP_THRESHOLD`).
pub const HASH_ALLOCATION_BYTES: usize = 33 << 20;

/// Passes over that memory.
pub const HASH_PASSES: u32 = 2;

/// Lanes of that memory: each hash has one thread anyway.
pub const HASH_LANES: u32 = 1;

/// Most threads that check passwords. They leave half of the processors to the clients.
pub const PASSWORD_THREADS_MAX: usize = 2;

/// Difference of these threads' priority from that of the others (nice(2)): a flood of logins yields to other work.
pub const PASSWORD_THREAD_NICENESS: i32 = 10;

/// Most passwords of clients of one address that wait to be checked: an office whose network was down comes back at once.
pub const LOGINS_WAITING_OF_ONE_MAX: usize = 128;

/// Most passwords of all clients that wait to be checked. They have half a megabyte at most. All clients on Unix sockets count as one
/// address.
pub const LOGINS_WAITING_MAX: usize = 1024;

/// Wrong passwords for one account that clients of one address may try at once after a pause.
pub const LOGIN_BURST: u32 = 5;

/// Interval at which clients of one address may try another wrong password for one account, in seconds: 1,440 a day.
pub const LOGIN_SECONDS: u64 = 60;

/// Wrong passwords for all accounts that clients of one address may try at once after a pause.
pub const LOGIN_ADDRESS_BURST: u32 = 10;

/// Interval at which clients of one address may try another wrong password for any account, in seconds.
pub const LOGIN_ADDRESS_SECONDS: u64 = 6;

/// Right passwords for one account, from clients of one address, whose logins may be refused at once after a pause, mostly because another
/// connection uses the account: some clients that send one message each take turns, and each tries five times.
pub const LOGIN_REFUSED_BURST: u32 = 30;

/// Interval at which another such login may be refused, in seconds. Each costs a check.
pub const LOGIN_REFUSED_SECONDS: u64 = 2;

/// Addresses, and accounts at an address, whose wrong passwords are counted.
pub const LOGIN_KEYS_MAX: usize = 16_384;

/// Time for which the server remembers that a client of an address has logged in to an account, in seconds: 30 days.
pub const LOGIN_KNOWN_SECONDS: u64 = 30 * 24 * 3600;

/// Time after a client has given its password in which it may change its account, in seconds.
pub const LOGIN_FRESH_SECONDS: u64 = 600;

/// Accounts that clients of one address may register at once after a pause: a team in an office.
pub const REGISTRATION_BURST: u32 = 20;

/// Interval at which clients of one address may register another account, in seconds.
pub const REGISTRATION_SECONDS: u64 = 600;

/// Addresses whose registrations are counted.
pub const REGISTRATION_ADDRESSES_MAX: usize = 4096;

/// Days for which an access token is valid, unless its owner chooses another number.
pub const ACCESS_TOKEN_DAYS_DEFAULT: u16 = 90;

/// Most days for which an access token is valid: a year. A forgotten one ends by itself.
pub const ACCESS_TOKEN_DAYS_MAX: u16 = 366;
