//! The server as a service of systemd: sockets that it inherits, notifications, priorities in the journal, the units in
//! `packaging/systemd`. `src/server/service_manager/tests.rs` has a server whose hub is stuck.
//!
//! No test needs systemd as the first process: systemd-socket-activate or a shell passes the sockets, and the test itself receives the
//! notifications.

#[path = "../common/mod.rs"]
mod common;

mod activation;
mod journal;
mod notifications;
mod socket_errors;
mod units;

use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::process::{Command, Stdio};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use self::common::EPOCH;

/// Passes the descriptors in its arguments on, from number 3, as systemd does. Then becomes the program after `--`.
const PASS_SOCKETS: &str = r#"
    number=3
    while [[ $1 != -- ]]; do
        eval "exec $number<&$1 $1<&-"
        number=$((number + 1))
        shift
    done
    shift
    export LISTEN_FDS=$((number - 3)) LISTEN_PID=${PID:-$$}
    exec "$@"
"#;

/// A command line of the server that gets these sockets, each with its name, and a log of this level. The sockets are open as long as the
/// second value.
fn activated(sockets: &[(&str, &dyn AsFd)], log: &str, arguments: &[&str]) -> (Command, Vec<OwnedFd>) {
    let inherited: Vec<_> = sockets.iter().map(|(_, socket)| inheritable(*socket)).collect();
    let names: Vec<_> = sockets.iter().map(|(name, _)| *name).collect();
    let mut command = Command::new("bash");
    command.args(["-c", PASS_SOCKETS, "bash"]).args(inherited.iter().map(|socket| socket.as_raw_fd().to_string()));
    command.args(["--", env!("CARGO_BIN_EXE_chinwagd"), "--epoch", EPOCH, "--log", log]).args(arguments);
    command
        .env("LISTEN_FDNAMES", names.join(":"))
        .env_remove("RUNTIME_DIRECTORY")
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null());
    (command, inherited)
}

/// A copy of this descriptor that child processes inherit, with a number that no child uses for anything else.
fn inheritable(socket: &dyn AsFd) -> OwnedFd {
    let copy = fcntl_dupfd_cloexec(socket, 100).expect("a descriptor");
    fcntl_setfd(&copy, FdFlags::empty()).expect("the flag is removed");
    copy
}
