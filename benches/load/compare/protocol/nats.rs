//! NATS: readers subscribe to a subject.

use super::{Acknowledged, Protocol, Role, Route, Step, topic};
use crate::wire::TEXT_BYTES;

pub(crate) struct Nats;

pub(crate) const NATS: Nats = Nats;

const CONNECT: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\n";

impl Protocol for Nats {
    fn introduction(&self, role: Role) -> Vec<Step> {
        let subscribe = match role {
            Role::Reader(route, number) => format!("SUB {} 1\r\n", topic(route, number)),
            Role::Idle(number) => format!("SUB {} 1\r\n", topic(Route::Pairs, number)),
            Role::Sender(..) => String::new(),
        };
        vec![Step::new(format!("{CONNECT}{subscribe}PING\r\n"), "PONG")]
    }

    fn publish(&self, out: &mut Vec<u8>, route: Route, number: usize, text: &[u8]) {
        out.extend_from_slice(format!("PUB {} {}\r\n", topic(route, number), text.len()).as_bytes());
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }

    fn ask(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PING\r\n");
    }

    fn acknowledged(&self, line: &[u8]) -> Acknowledged {
        if line == b"PONG" { Acknowledged::Batch } else { Acknowledged::Nothing }
    }

    fn makes_senders_read(&self) -> bool {
        false
    }

    /// What two say at the same time may come to two readers in different orders.
    fn has_one_order(&self) -> bool {
        false
    }

    fn carries(&self, before: &[u8], _sender: usize) -> bool {
        before.is_empty()
    }

    fn allows(&self, line: &[u8]) -> bool {
        let size = line.strip_prefix(b"MSG ").and_then(|rest| rest.rsplit(|&byte| byte == b' ').next());
        size.is_some_and(|size| size == TEXT_BYTES.to_string().as_bytes()) || line == b"PING"
    }
}
