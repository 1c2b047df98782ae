//! chinwag, in the dialects that a connection may choose.

use super::{
    Acknowledged, Presence, Protocol, Role, Route, Step, name, reader_name, reader_number, sender_name, topic,
};

/// The dialect of a connection.
pub(crate) struct Chinwag {
    ending: &'static str,
    tags: bool,
}

/// Lines end with LF, as for nc.
pub(crate) const PLAIN: Chinwag = Chinwag { ending: "\n", tags: false };

/// Lines end with CR LF, as for telnet.
pub(crate) const WITH_CR: Chinwag = Chinwag { ending: "\r\n", tags: false };

/// Events begin with their id and time.
pub(crate) const TAGGED: Chinwag = Chinwag { ending: "\n", tags: true };

impl Protocol for Chinwag {
    fn handshake(&self, role: Role) -> Vec<Step> {
        let ending = self.ending;
        let tags = if self.tags { format!("SET tags on{ending}") } else { String::new() };
        let room = match role {
            Role::Reader(route @ Route::Rooms(_), number) | Role::Sender(route @ Route::Rooms(_), number) => {
                format!(" #{}", topic(route, number))
            }
            _ => String::new(),
        };
        vec![Step::new(format!("{tags}NICK {}{room}{ending}PING in{ending}", name(role)), "OK PING in")]
    }

    fn write_message(&self, out: &mut Vec<u8>, route: Route, number: usize, text: &[u8]) {
        match route {
            // The room of a client is its home, which commands do not name.
            Route::All | Route::Rooms(_) => out.extend_from_slice(b"MSG "),
            Route::Pairs => out.extend_from_slice(format!("WHISPER {} ", reader_name(number)).as_bytes()),
        }
        out.extend_from_slice(text);
        out.extend_from_slice(self.ending.as_bytes());
    }

    fn acknowledged(&self, line: &[u8]) -> Acknowledged {
        let is_one = line.starts_with(b"OK MSG ") || line.starts_with(b"OK WHISPER ");
        if is_one { Acknowledged::One } else { Acknowledged::Nothing }
    }

    fn delivers_to_senders(&self) -> bool {
        true
    }

    fn has_one_order(&self) -> bool {
        true
    }

    fn precedes_text(&self, before: &[u8], sender: usize) -> bool {
        let event = if self.tags { without_tag(before) } else { Some(before) };
        let after_verb = event.and_then(|event| event.strip_prefix(b"MSG ").or(event.strip_prefix(b"WHISPER ")));
        after_verb.and_then(|rest| rest.strip_suffix(b" ")) == Some(sender_name(sender).as_bytes())
    }

    /// The server may disconnect readers that do not read.
    fn allows(&self, line: &[u8]) -> bool {
        without_tag(line).unwrap_or(line).starts_with(b"LEAVE ")
    }

    fn presence(&self) -> Option<&dyn Presence> {
        Some(self)
    }
}

impl Presence for Chinwag {
    fn joined(&self, line: &[u8]) -> Option<usize> {
        let event = if self.tags { without_tag(line)? } else { line };
        reader_number(event.strip_prefix(b"JOIN ")?)
    }

    fn list_request(&self) -> Step {
        Step::new("WHO\n", "OK WHO ")
    }

    fn listed(&self, line: &[u8], on_member: &mut dyn FnMut(usize)) {
        let name = line.strip_prefix(b"USER ").and_then(|rest| rest.split(|&byte| byte == b' ').next());
        name.and_then(reader_number).into_iter().for_each(on_member);
    }
}

/// The rest of the line after `@12 2026-11-20T12:44:29.138Z `.
fn without_tag(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"@")?.splitn(3, |&byte| byte == b' ').nth(2)
}
