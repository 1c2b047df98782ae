//! Peers that mean to speak to another server, by what they send first.
//!
//! A web page can make a browser send lines of its choice to any address that the browser reaches, somebody's own machine
//! included; but always after the line of a request, by which it is known.

use super::{ErrorCode, Refusal};

/// Another protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A request line of HTTP (RFC 9112, section 3), of any method.
    Http,
    /// A TLS handshake (RFC 8446, section 5.1).
    Tls,
}

impl Foreign {
    /// So many bytes from the end of a line suffice to see that it is a request line.
    pub(super) const TAIL_BYTES: usize = 16;

    /// What a first line shows by its last bytes.
    pub(super) fn in_line(line: &[u8]) -> Option<Self> {
        let line = line.trim_ascii_end();
        let (_, version) = line.split_at(line.iter().rposition(|&byte| byte == b' ')?);
        version.strip_prefix(b" HTTP/")?.first()?.is_ascii_digit().then_some(Self::Http)
    }

    /// What the first bytes show before there is a line.
    pub(super) fn in_bytes(bytes: &[u8]) -> Option<Self> {
        const HANDSHAKE: u8 = 22;
        const VERSION_MAJOR: u8 = 3;
        bytes.starts_with(&[HANDSHAKE, VERSION_MAJOR]).then_some(Self::Tls)
    }
}

impl From<Foreign> for Refusal {
    fn from(foreign: Foreign) -> Self {
        let text = match foreign {
            Foreign::Http => {
                "that was an HTTP request, and this is a chat server; join with nc or telnet, and write: NICK name"
            }
            Foreign::Tls => {
                "that was TLS, and this server speaks plain text; connect without TLS, and write: NICK name"
            }
        };
        Self::new(None, ErrorCode::WrongProtocol, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines_are_known_by_their_form() {
        let check = |line: &str, expected| assert_eq!(Foreign::in_line(line.as_bytes()), expected, "{line:?}");
        check("GET / HTTP/1.1", Some(Foreign::Http));
        check("POST http://example.org/ HTTP/1.0", Some(Foreign::Http));
        check("NICK /MSG HTTP/1.1 ", Some(Foreign::Http));
        check("OPTIONS * HTTP/2", Some(Foreign::Http));
        check("PRI * HTTP/2.0", Some(Foreign::Http));
        check("NICK alice", None);
        check("MSG what is HTTP/", None);
        check("MSG HTTP/1.1 is old", None);
        check("HTTP/1.1", None);
        check("", None);
    }
}
