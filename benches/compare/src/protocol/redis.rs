//! Redis pub/sub, RESP2: readers subscribe to a channel.

use super::{Acknowledged, Protocol, Role, Route, Step, topic};

pub(crate) struct Redis;

pub(crate) const REDIS: Redis = Redis;

impl Protocol for Redis {
    fn handshake(&self, role: Role) -> Vec<Step> {
        let channel = match role {
            Role::Sender(..) => return vec![Step::new("PING\r\n", "+PONG")],
            Role::Reader(route, number) => topic(route, number),
            Role::Idle(number) => topic(Route::Pairs, number),
        };
        vec![Step::new(format!("SUBSCRIBE {channel}\r\n"), ":1")]
    }

    fn write_message(&self, out: &mut Vec<u8>, route: Route, number: usize, text: &[u8]) {
        let topic = topic(route, number);
        let head = format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{topic}\r\n${}\r\n", topic.len(), text.len());
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }

    fn acknowledged(&self, line: &[u8]) -> Acknowledged {
        if line.starts_with(b":") { Acknowledged::One } else { Acknowledged::Nothing }
    }

    fn delivers_to_senders(&self) -> bool {
        false
    }

    fn has_one_order(&self) -> bool {
        true
    }

    fn precedes_text(&self, before: &[u8], _sender: usize) -> bool {
        before.is_empty()
    }

    /// The lines around a text: the number of parts, the length of each, the word `message`, and the channel.
    fn allows(&self, line: &[u8]) -> bool {
        match line {
            [b'*' | b'$', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
            _ => line == b"message" || line == b"bench" || line.starts_with(b"r") || line.starts_with(b"c"),
        }
    }
}
