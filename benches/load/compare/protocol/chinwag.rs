//! chinwag, in the dialects that a connection may choose.

use super::{Acknowledged, Presence, Protocol, Role, Route, Step, name, number_in, reader_name, sender_name};

/// How the lines that the server sends begin and end.
pub(crate) struct Chinwag {
    ending: &'static str,
    tags: bool,
}

/// Lines as nc gets them.
pub(crate) const PLAIN: Chinwag = Chinwag { ending: "\n", tags: false };

/// Lines as telnet gets them: they end with CR LF.
pub(crate) const WITH_CR: Chinwag = Chinwag { ending: "\r\n", tags: false };

/// Events with their number and time.
pub(crate) const TAGGED: Chinwag = Chinwag { ending: "\n", tags: true };

impl Protocol for Chinwag {
    fn introduction(&self, role: Role) -> Vec<Step> {
        let ending = self.ending;
        let tags = if self.tags { format!("SET tags on{ending}") } else { String::new() };
        vec![Step::new(format!("{tags}NICK {}{ending}PING in{ending}", name(role)), "OK PING in")]
    }

    fn publish(&self, out: &mut Vec<u8>, route: Route, number: usize, text: &[u8]) {
        match route {
            Route::Everybody => out.extend_from_slice(b"MSG "),
            Route::Pairs => out.extend_from_slice(format!("WHISPER {} ", reader_name(number)).as_bytes()),
        }
        out.extend_from_slice(text);
        out.extend_from_slice(self.ending.as_bytes());
    }

    fn acknowledged(&self, line: &[u8]) -> Acknowledged {
        let is_one = line.starts_with(b"OK MSG ") || line.starts_with(b"OK WHISPER ");
        if is_one { Acknowledged::One } else { Acknowledged::Nothing }
    }

    fn makes_senders_read(&self) -> bool {
        true
    }

    fn has_one_order(&self) -> bool {
        true
    }

    fn carries(&self, before: &[u8], sender: usize) -> bool {
        let event = if self.tags { without_tag(before) } else { Some(before) };
        let after_verb = event.and_then(|event| event.strip_prefix(b"MSG ").or(event.strip_prefix(b"WHISPER ")));
        after_verb.and_then(|rest| rest.strip_suffix(b" ")) == Some(sender_name(sender).as_bytes())
    }

    /// Somebody stuck may be let go.
    fn allows(&self, line: &[u8]) -> bool {
        without_tag(line).unwrap_or(line).starts_with(b"LEAVE ")
    }

    fn presence(&self) -> Option<&dyn Presence> {
        Some(self)
    }
}

impl Presence for Chinwag {
    fn joined(&self, line: &[u8]) -> Option<usize> {
        number_in(line.strip_prefix(b"JOIN ")?)
    }

    fn roster(&self) -> Step {
        Step::new("WHO\n", "OK WHO ")
    }

    fn list(&self, line: &[u8], take: &mut dyn FnMut(usize)) {
        let name = line.strip_prefix(b"USER ").and_then(|rest| rest.split(|&byte| byte == b' ').next());
        name.and_then(number_in).into_iter().for_each(take);
    }
}

/// What follows `@12 2026-11-20T12:44:29.138Z `.
fn without_tag(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"@")?.splitn(3, |&byte| byte == b' ').nth(2)
}
