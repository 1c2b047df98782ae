//! chinwag: a chat server that any program able to open a TCP socket can join.
//!
//! Code map, from the inside out. Each module uses only modules above it:
//!
//! | module | what it does | what it leaves to others |
//! |---|---|---|
//! | [`limits`] | every limit, with its reason | |
//! | [`protocol`] | lines, names, texts, ids, events: the elements of the wire | what a line means |
//! | [`state`] | members, accounts, rooms, messages and their ids, canvas: a deterministic state machine | sessions, time, order of arrival |
//! | [`sequencer`] | the one order of all changes; whether a change must be durable first | what a change does |
//! | `cluster` | the log that several nodes share (feature `cluster`) | the engine that keeps the log |
//! | [`command`] | one module for each command: grammar, permission, effect, reply and help | session state |
//! | [`session`] | each connection's command state | delivery |
//! | [`feed`] | the shared logs of events of all rooms, and each connection's cursor in them | sockets |
//! | [`proxy`] | which proxies are trusted, and the header of the PROXY protocol | sockets |
//! | [`web`] | for browsers: the page, HTTP requests and answers, WebSocket frames | sockets |
//! | [`store`] | messages and accounts on disk, and the three threads that write, read and search them | who gets them |
//! | [`fingerprint`] | the fingerprint of a certificate, for both programs | whom to trust |
//! | [`process`] | inherited signals and standard streams, and the journal, for both programs | what to do about them |
//! | [`password_file`] | reads a password, for both programs | what the password is for |
//! | [`command_line`] | what both programs' command lines have in common, with the configuration file | what the arguments mean |
//! | [`control`] | the protocol of the control socket, for the server, `chinwagd status` and `chinwagd account` | sockets |
//! | [`server`] | smol: listeners, one task for each connection, the hub, the operator's log | what commands mean |
//! | [`client`] | the bundled client: for users at a terminal and for scripts | the room |
//!
//! How a `MSG` becomes bytes on other sockets: `docs/architecture.md`, step by step with the files. The heads of these files answer:
//!
//! | question | file in `src` |
//! |---|---|
//! | What does `QUIT` do? Where does `HISTORY` read from? | `command/quit.rs`, `command/history.rs` |
//! | What gives a message its id? | `state/room_transition.rs` (`Transition::say`); `sequencer.rs` orders all changes |
//! | In which order does a client read the events of several rooms? | `feed/mod.rs` |
//! | When is a slow consumer disconnected? | `server/delivery/slow_consumers.rs` |
//! | How are nicknames compared? | `protocol/name.rs` |
//! | Who may take the nickname of an account? | `state/accounts.rs` (`Accounts::protection`) |
//! | When does a change of an account take effect? | `state/account_change.rs` |
//! | What happens to an unfinished line at the end of the input? | `protocol/line.rs` |
//! | How is a resume token checked? | `command/resume.rs` |
//! | How is the password of the server checked? | `command/pass.rs` |
//! | How is the password of an account checked? Who waits for that? | `session/logins.rs`, `server/password_pool.rs`, `server/password_hasher.rs` |
//! | What does SIGHUP change, and which options need a restart? | `server/reload/mod.rs`, `server/reload/changes.rs` |
//! | When does systemd restart a server that is stuck? | `server/service_manager/mod.rs` |
//! | Which sockets does the server take from systemd? | `server/inherited_sockets.rs` |
//! | What is sent when the server stops? | `server/shutdown.rs` |
//! | Where is the rate limit? Where are connections refused? | `server/token_bucket.rs`, `server/admission.rs` |
//! | What does the operator's log say? | `server/log/mod.rs` |
//! | How does an operator add accounts, and when does no server run? | `server/operator.rs`, `server/hub/operator.rs`, `server/account_file.rs` |
//! | What does `chinwagd --check` check? | `server/check.rs` |
//! | How is a store backed up while a server uses it, and what does a restored one have to forget? | `store/copy.rs`, `store/file.rs` (`load_state`) |
//! | What do the metrics count, and where are they rendered? | `server/metrics/mod.rs`, `server/metrics/exposition.rs` |
//! | What does `chinwagd status` print, and who may ask? | `server/control/status.rs`, `server/control/mod.rs` |
//!
//! `accounts`, `config`, `metrics`, `proxy`, `web`, `store`, `systemd` and `client` are Cargo features, on by default; `cluster` is off by default. Traits keep the server independent of `accounts`, `proxy`, `web` and `store`:
//! [`sequencer::Sequencer`], and those in [`server`].
//!
//! `limits`, `protocol`, `state`, `sequencer`, `command`, `session`, `proxy`, `web` and `control` are pure: no clock, no I/O, no task, no
//! randomness. So is `feed`, except for locks and for a memory file that the kernel sends from. Parts of `store` and
//! `client` are pure, too (`grep -r disallowed_methods src`). Clippy checks this, by the lists in `.clippy.toml`.
//!
//! `protocol.md` specifies what goes over the wire.

// These lints do not apply to tests, unlike those in Cargo.toml. No input of a client may cause a panic, and standard output has
// exactly one line for each listener.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod command;
pub mod command_line;
pub mod control;
pub mod feed;
#[cfg(any(feature = "client", feature = "tls"))]
pub mod fingerprint;
pub mod limits;
pub mod password_file;
pub mod process;
pub mod protocol;
#[cfg(feature = "proxy")]
pub mod proxy;
pub mod sequencer;
pub mod server;
pub mod session;
pub mod state;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "web")]
pub mod web;
