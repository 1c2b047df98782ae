//! IRC: readers and senders are members of one channel, or of one each of many, or send to nicknames.

use super::{
    Acknowledged, Presence, Protocol, Role, Route, Step, TOPIC, name, reader_name, reader_number, sender_name, topic,
};

pub(crate) struct Irc;

pub(crate) const IRC: Irc = Irc;

impl Protocol for Irc {
    fn handshake(&self, role: Role) -> Vec<Step> {
        let name = name(role);
        let register = Step::new(format!("NICK {name}\r\nUSER {name} 0 * :{name}\r\n"), " 001 ");
        let join = match role {
            Role::Reader(Route::Pairs, _) | Role::Sender(Route::Pairs, _) | Role::Idle(_) => String::new(),
            Role::Reader(route, number) | Role::Sender(route, number) => format!("JOIN #{}\r\n", topic(route, number)),
        };
        vec![register, Step::new(format!("{join}PING :in\r\n"), " PONG ")]
    }

    fn write_message(&self, out: &mut Vec<u8>, route: Route, number: usize, text: &[u8]) {
        let target = match route {
            Route::All | Route::Rooms(_) => format!("#{}", topic(route, number)),
            Route::Pairs => reader_name(number),
        };
        out.extend_from_slice(format!("PRIVMSG {target} :").as_bytes());
        out.extend_from_slice(text);
        out.extend_from_slice(b"\r\n");
    }

    fn write_acknowledgement_request(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PING :batch\r\n");
    }

    fn acknowledged(&self, line: &[u8]) -> Acknowledged {
        if words(line).nth(1) == Some(b"PONG") { Acknowledged::Batch } else { Acknowledged::Nothing }
    }

    fn delivers_to_senders(&self) -> bool {
        true
    }

    fn has_one_order(&self) -> bool {
        false
    }

    fn precedes_text(&self, before: &[u8], sender: usize) -> bool {
        let mut words = words(before);
        let source = words.next().and_then(source);
        source == Some(sender_name(sender).as_bytes())
            && words.next() == Some(b"PRIVMSG")
            && words.next().is_some()
            && words.next() == Some(b":")
    }

    /// The server may disconnect readers that do not read.
    fn allows(&self, line: &[u8]) -> bool {
        words(line).nth(1) == Some(b"QUIT")
    }

    fn presence(&self) -> Option<&dyn Presence> {
        Some(self)
    }
}

impl Presence for Irc {
    fn joined(&self, line: &[u8]) -> Option<usize> {
        let mut words = words(line);
        let name = source(words.next()?)?;
        (words.next()? == b"JOIN").then(|| reader_number(name))?
    }

    fn list_request(&self) -> Step {
        Step::new(format!("NAMES #{TOPIC}\r\n"), " 366 ")
    }

    fn listed(&self, line: &[u8], on_member: &mut dyn FnMut(usize)) {
        if words(line).nth(1) == Some(b"353") {
            // `:server 353 me = #bench :@r00000 r00001 …`
            let names = words(line).skip(5).map(|name| name.strip_prefix(b":").unwrap_or(name));
            names.filter_map(|name| reader_number(name.strip_prefix(b"@").unwrap_or(name))).for_each(on_member);
        }
    }
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b' ')
}

/// The nickname in `:nickname!user@host`.
fn source(word: &[u8]) -> Option<&[u8]> {
    word.strip_prefix(b":")?.split(|&byte| byte == b'!').next()
}
