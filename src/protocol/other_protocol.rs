//! Detects clients that speak another protocol, by the first bytes that they send.
//!
//! A web page can make a browser send lines of its choice to any address that the browser reaches, also to the user's own machine; but a
//! request line always comes first, and it is detected.

/// Another protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherProtocol {
    /// A request line of HTTP (RFC 9112, section 3), of any method.
    Http,
    /// A TLS handshake (RFC 8446, section 5.1).
    Tls,
}

/// Inspects the first bytes of a client as they arrive, before telnet sequences, editing keys or the length limit can hide them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProtocolDetector {
    /// Number of bytes at the very start that match a TLS handshake; larger than its length once a byte did not match.
    tls: u8,
    /// Number of bytes, up to the last one, that match the version in an HTTP request, in any case.
    http: u8,
    /// Number of bytes in `start`, the first bytes of the input.
    count: u8,
    start: [u8; 4],
}

/// The record type and the major version.
const TLS: [u8; 2] = [22, 3];

/// The bytes before the first digit of the version.
const HTTP: &[u8; 6] = b" HTTP/";

impl ProtocolDetector {
    /// The client's protocol, if it is known with this byte.
    pub(super) fn inspect(&mut self, byte: u8) -> Option<OtherProtocol> {
        if let Some(slot) = self.start.get_mut(usize::from(self.count)) {
            *slot = byte;
            self.count += 1;
        }
        self.tls = if TLS.get(usize::from(self.tls)) == Some(&byte) { self.tls + 1 } else { u8::MAX };
        if usize::from(self.tls) == TLS.len() {
            return Some(OtherProtocol::Tls);
        }
        if byte == b'\0' {
            // NUL is not part of the line.
            return None;
        }
        let byte = if byte == b'\t' { b' ' } else { byte.to_ascii_uppercase() };
        match HTTP.get(usize::from(self.http)) {
            None if byte.is_ascii_digit() => return Some(OtherProtocol::Http),
            Some(&expected) if byte == expected => self.http += 1,
            _ => self.http = u8::from(byte == HTTP[0]),
        }
        None
    }

    /// Whether the first bytes are UTF-16: a byte order mark and an ASCII character. In telnet, IAC DONT equals one of the two byte
    /// orders of the mark, but no NUL follows two bytes later.
    pub(super) fn is_utf16(self) -> bool {
        let is_text = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        match self.start {
            [0xff, 0xfe, byte, 0] | [0xfe, 0xff, 0, byte] => is_text(byte),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocol_is_detected_by_its_first_bytes() {
        let check = |bytes: &[u8], expected| {
            let mut detector = ProtocolDetector::default();
            let seen = bytes.iter().find_map(|&byte| detector.inspect(byte));
            assert_eq!(seen, expected, "{}", bytes.escape_ascii());
        };
        check(b"GET / HTTP/1.1", Some(OtherProtocol::Http));
        check(b"POST http://example.org/ HTTP/1.0", Some(OtherProtocol::Http));
        check(b"NICK /MSG HTTP/1.1 ", Some(OtherProtocol::Http));
        check(b"GET\t/\thttp/1.1", Some(OtherProtocol::Http));
        check(b"GET /  HTTP/1.1", Some(OtherProtocol::Http));
        check(b"GET / HTTP HTTP/ HTTP/2", Some(OtherProtocol::Http));
        check(b"NICK alice", None);
        check(b"MSG what is HTTP/", None);
        check(b"HTTP/1.1", None);
        check(&[22, 3, 1], Some(OtherProtocol::Tls));
        check(&[22, 2, 3], None);
        check(&[22, 22, 3], None);
        check(&[b'a', 22, 3], None);
    }
}
