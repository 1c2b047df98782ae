//! The memory of connections whose handshake does not go on.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::start;
use crate::common::figures::Run;

/// Time for the server to accept the connections and to read what they send: much less than it allows for a handshake.
const SETTLE: Duration = Duration::from_millis(500);

pub(super) fn run(binary: &Path, count: usize) -> Run {
    let mut run = Run::default();
    let nothing = measure(binary, count, |_| 0, &mut run);
    run.add("resident_bytes_a_silent_connection", nothing);
    let half_hello = measure(binary, count, |hello| hello.len() / 2, &mut run);
    run.add("resident_bytes_a_half_hello", half_hello);
    let half_handshake = measure(binary, count, <[u8]>::len, &mut run);
    run.add("resident_bytes_a_half_handshake", half_handshake);
    run
}

/// The growth of the resident memory for each connection, while this many have sent `sent_bytes` of their `ClientHello` and nothing more.
fn measure(binary: &Path, count: usize, sent_bytes: fn(&[u8]) -> usize, run: &mut Run) -> f64 {
    let (server, client) = start(binary, &["--connect-rate", "0"]);
    let hello = client.session().output;
    let sent = &hello[..sent_bytes(&hello)];
    let (empty_bytes, descriptors) = (server.resident_bytes(), server.descriptors());
    let connect = |_| {
        let mut stream = TcpStream::connect(server.second_address()).expect("the server accepts");
        stream.write_all(sent).expect("the server reads");
        if sent.len() == hello.len() {
            stream.read_exact(&mut [0]).expect("the server answers a ClientHello");
        }
        stream
    };
    let _connections: Vec<_> = (0..count).map(connect).collect();
    thread::sleep(SETTLE);
    let bytes = server.resident_bytes().saturating_sub(empty_bytes);
    run.faults.closed += (descriptors + count).saturating_sub(server.descriptors()) as u64;
    bytes as f64 / count as f64
}
