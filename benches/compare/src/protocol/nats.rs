//! NATS: readers subscribe to a subject.

use super::{Acknowledged, Protocol, Role, Route, Step, topic};
use crate::common::log::TEXT_BYTES;

pub(crate) struct Nats;

pub(crate) const NATS: Nats = Nats;

const CONNECT: &str = "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\n";

impl Protocol for Nats {
    fn handshake(&self, role: Role) -> Vec<Step> {
        let subscribe = match role {
            Role::Reader(route, number) => format!("SUB {} 1\r\n", topic(route, number)),
            Role::Idle(number) => format!("SUB {} 1\r\n", topic(Route::Pairs, number)),
            Role::Sender(..) => String::new(),
        };
        vec![Step::new(format!("{CONNECT}{subscribe}PING\r\n"), "PONG")]
    }

    fn write_message(&self, out: &mut Vec<u8>, route: Route, number: usize, text: &[u8]) {
        out.extend_from_slice(format!("PUB {} {}\r\n", topic(route, number), text.len()).as_bytes());
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }

    fn write_acknowledgement_request(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PING\r\n");
    }

    fn acknowledged(&self, line: &[u8]) -> Acknowledged {
        if line == b"PONG" { Acknowledged::Batch } else { Acknowledged::Nothing }
    }

    fn delivers_to_senders(&self) -> bool {
        false
    }

    /// Messages of two senders may reach two readers in different orders.
    fn has_one_order(&self) -> bool {
        false
    }

    fn precedes_text(&self, before: &[u8], _sender: usize) -> bool {
        before.is_empty()
    }

    fn allows(&self, line: &[u8]) -> bool {
        let size = line.strip_prefix(b"MSG ").and_then(|rest| rest.rsplit(|&byte| byte == b' ').next());
        size.is_some_and(|size| size == TEXT_BYTES.to_string().as_bytes()) || line == b"PING"
    }
}
