//! The memory of idle members over TLS, compared with members over TCP.

use std::path::Path;
use std::time::Duration;

use super::start;
use crate::common::event_loop::EventLoop as _;
use crate::common::figures::Run;
use crate::common::server::Server;
use crate::load::{Access, Checking, Load};

/// Time for the server to free what the handshakes and the last lines needed.
const SETTLE: Duration = Duration::from_millis(500);

/// Messages to all members between the two measurements.
const MESSAGES: u64 = 100;

pub(super) fn run(binary: &Path, members: &[usize]) -> Run {
    let mut run = Run::default();
    for &count in members {
        for (name, is_encrypted) in [("tcp", false), ("tls", true)] {
            measure(binary, count, is_encrypted, name, &mut run);
        }
    }
    run
}

fn measure(binary: &Path, count: usize, is_encrypted: bool, name: &str, run: &mut Run) {
    let (server, client) = start(binary, &["--line-rate", "0", "--connect-rate", "0"]);
    let access = if is_encrypted { Access::Tls(server.second_address(), client) } else { Access::Tcp };
    let empty_bytes = server.resident_bytes();
    let mut load = Load::new(server.address(), Checking::All, 1).with_readers(access);
    load.join(count, 1);
    let bytes_each = |server: &Server| server.resident_bytes().saturating_sub(empty_bytes) as f64 / count as f64;
    load.turn_for(SETTLE);
    run.add(format!("resident_bytes_a_{name}_member_of_{count}"), bytes_each(&server));
    for _ in 0..MESSAGES {
        load.senders()[0].send(1);
        load.wait_for_acknowledgements();
    }
    run.faults.add(load.finish());
    load.turn_for(SETTLE);
    run.add(format!("resident_bytes_after_messages_{name}_{count}"), bytes_each(&server));
}
