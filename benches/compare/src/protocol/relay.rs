//! The bare relay: lines as they were sent, to all clients, the sender included.

use super::{Acknowledged, Protocol, Role, Route, Step};

pub(crate) struct Relay;

pub(crate) const RELAY: Relay = Relay;

/// The first line to each client. The client receives everything sent after that.
pub(crate) const GREETING: &str = "ready";

impl Protocol for Relay {
    fn handshake(&self, _role: Role) -> Vec<Step> {
        vec![Step::new("", GREETING)]
    }

    fn write_message(&self, out: &mut Vec<u8>, _route: Route, _number: usize, text: &[u8]) {
        out.extend_from_slice(text);
        out.push(b'\n');
    }

    fn acknowledged(&self, _line: &[u8]) -> Acknowledged {
        Acknowledged::Nothing
    }

    fn delivers_to_senders(&self) -> bool {
        true
    }

    fn has_one_order(&self) -> bool {
        true
    }

    fn precedes_text(&self, before: &[u8], _sender: usize) -> bool {
        before.is_empty()
    }

    fn allows(&self, _line: &[u8]) -> bool {
        false
    }
}
