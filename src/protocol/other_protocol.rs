//! Peers that mean to speak to another server, by what they send first.
//!
//! A web page can make a browser send lines of its choice to any address that the browser reaches, somebody's own machine
//! included; but always after the line of a request, by which it is known.

/// Another protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherProtocol {
    /// A request line of HTTP (RFC 9112, section 3), of any method.
    Http,
    /// A TLS handshake (RFC 8446, section 5.1).
    Tls,
}

/// Looks at the first bytes of a peer, as they come: before telnet's sequences, keys that edit or a length limit could hide
/// what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sniffer {
    /// Bytes at the very begin that are those of a handshake; more than it takes once there was another.
    tls: u8,
    /// Bytes up to the last that are those of a request's version, in any case.
    http: u8,
    /// Number of bytes in `begin`, which are the first ones of the input.
    count: u8,
    begin: [u8; 4],
}

/// The type of the record and the major version.
const TLS: [u8; 2] = [22, 3];

/// What comes before a digit.
const HTTP: &[u8; 6] = b" HTTP/";

impl Sniffer {
    /// What the peer is by the bytes up to this one.
    pub(super) fn look(&mut self, byte: u8) -> Option<OtherProtocol> {
        if let Some(place) = self.begin.get_mut(usize::from(self.count)) {
            *place = byte;
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

    /// Whether the first bytes are UTF-16: a byte order mark and an ASCII character. In telnet, one of the two byte orders of the
    /// mark is IAC DONT; but there, no NUL follows two bytes later.
    pub(super) fn is_utf16(self) -> bool {
        let is_text = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
        match self.begin {
            [0xff, 0xfe, byte, 0] | [0xfe, 0xff, 0, byte] => is_text(byte),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocols_are_known_by_their_first_bytes() {
        let check = |bytes: &[u8], expected| {
            let mut sniffer = Sniffer::default();
            let seen = bytes.iter().find_map(|&byte| sniffer.look(byte));
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
