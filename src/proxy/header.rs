//! The header of the PROXY protocol, versions 1 and 2: HAProxy's `proxy-protocol.txt`, sections 2.1 and 2.2.
//!
//! This is our own decoder: the two that are kept break the specification (2026-11-29). `ppp` 2.3 and `proxy-header` 0.1.3 accept a port
//! such as `+80`, and refuse `LOCAL` with an address family that they do not know. `proxy-header` also accepts `PROXYxTCP4`, a line of any
//! length, and a UDP address for the client; `ppp` brings six crates. The tests compare with what `proxy-header` encodes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::limits::{PROXY_HEADER_BYTES_MAX, PROXY_LINE_BYTES_MAX};

/// The contents of a header: the client of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The address of the client. `None`: the proxy connects for itself, such as for a health check, or does not know the address.
    pub client: Option<SocketAddr>,
    /// The client's connection to the proxy is encrypted.
    pub is_encrypted: bool,
}

/// Why the first bytes of a connection are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// They are something else.
    Missing,
    /// A header of version 1 has no CR LF within its greatest length.
    LineTooLong,
    /// A header of version 2 is too long.
    TooLong,
    /// This part of the header is invalid.
    Invalid(&'static str),
}

impl HeaderError {
    /// The reason, for the log and for the client. It has no bytes of the client.
    pub fn reason(self) -> String {
        match self {
            Self::Missing => "the connection does not begin with one".to_owned(),
            Self::LineTooLong => format!("it has no CR LF in its first {PROXY_LINE_BYTES_MAX} bytes"),
            Self::TooLong => format!("it has more than {PROXY_HEADER_BYTES_MAX} bytes"),
            Self::Invalid(part) => format!("its {part} is invalid"),
        }
    }
}

/// Decodes a header that arrives in pieces.
#[derive(Debug, Default)]
pub struct HeaderDecoder {
    /// The bytes of the header so far.
    bytes: Vec<u8>,
}

impl HeaderDecoder {
    /// Decodes further bytes. Returns how many of them belong to the header, and the header once it is complete. The caller gives no more
    /// than [`PROXY_HEADER_BYTES_MAX`] at a time, and none after the header.
    ///
    /// # Errors
    /// No further bytes would make it a header.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<ProxyHeader>), HeaderError> {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(input);
        match header_length(&self.bytes)? {
            Some(length) if length <= self.bytes.len() => {
                Ok((length - before, Some(ProxyHeader::parse(&self.bytes[..length])?)))
            }
            _ => Ok((input.len(), None)),
        }
    }
}

/// The start of version 1. A blank follows.
const START_V1: &[u8] = b"PROXY ";

/// The signature of version 2.
const START_V2: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The bytes of version 2 before the addresses: the signature, the version and the command, the address family, the length of the rest.
const FIXED_BYTES: usize = 16;

/// The length of the header that begins with these bytes, once they say it.
fn header_length(bytes: &[u8]) -> Result<Option<usize>, HeaderError> {
    let may_start_with = |start: &[u8]| bytes.iter().zip(start).all(|(byte, expected)| byte == expected);
    if may_start_with(START_V2) {
        let Some(fixed) = bytes.get(..FIXED_BYTES) else { return Ok(None) };
        let length = FIXED_BYTES + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
        return if length <= PROXY_HEADER_BYTES_MAX { Ok(Some(length)) } else { Err(HeaderError::TooLong) };
    }
    if !may_start_with(START_V1) {
        return Err(HeaderError::Missing);
    }
    let line = &bytes[..bytes.len().min(PROXY_LINE_BYTES_MAX)];
    match line.iter().position(|&byte| byte == b'\n') {
        Some(at) if line[..at].ends_with(b"\r") => Ok(Some(at + 1)),
        Some(_) => Err(HeaderError::Invalid("line ending")),
        None if line.len() < PROXY_LINE_BYTES_MAX => Ok(None),
        None => Err(HeaderError::LineTooLong),
    }
}

impl ProxyHeader {
    /// Parses a header of the length that [`header_length`] returns.
    fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        match bytes.strip_prefix(START_V1) {
            Some(line) => Self::parse_v1(&line[..line.len() - 2]),
            None => Self::parse_v2(&bytes[..FIXED_BYTES], &bytes[FIXED_BYTES..]),
        }
    }

    /// Parses the line after `PROXY `, without CR LF.
    fn parse_v1(line: &[u8]) -> Result<Self, HeaderError> {
        let mut words = line.split(|&byte| byte == b' ');
        let family = words.next().unwrap_or_default();
        if family == b"UNKNOWN" {
            return Ok(Self::default());
        }
        let mut next = || words.next().and_then(|word| str::from_utf8(word).ok());
        let [source, destination, source_port, destination_port] = [next(), next(), next(), next()];
        if words.next().is_some() {
            return Err(HeaderError::Invalid("number of words"));
        }
        let source = match family {
            b"TCP4" => address_pair::<Ipv4Addr>(source, destination),
            b"TCP6" => address_pair::<Ipv6Addr>(source, destination),
            _ => return Err(HeaderError::Invalid("protocol")),
        };
        let source = source.ok_or(HeaderError::Invalid("address"))?;
        let (Some(port), Some(_)) = (source_port.and_then(parse_port), destination_port.and_then(parse_port)) else {
            return Err(HeaderError::Invalid("port"));
        };
        Ok(Self { client: Some(SocketAddr::new(source.to_canonical(), port)), is_encrypted: false })
    }

    /// Parses version 2: the fixed part, and the addresses with the values after them.
    fn parse_v2(fixed: &[u8], rest: &[u8]) -> Result<Self, HeaderError> {
        match fixed[12] {
            // LOCAL: the rest has no meaning.
            0x20 => return Ok(Self::default()),
            0x21 => {}
            _ => return Err(HeaderError::Invalid("version or command")),
        }
        let (family, protocol) = (fixed[13] >> 4, fixed[13] & 0xf);
        let Some(&addresses_length) = [0, 12, 36, 216].get(usize::from(family)).filter(|_| protocol <= 2) else {
            return Err(HeaderError::Invalid("address family or protocol"));
        };
        let (addresses, values) = rest.split_at_checked(addresses_length).unwrap_or((&[], &[]));
        let client = match fixed[13] {
            0x11 => Some(source::<4>(addresses)?),
            0x21 => Some(source::<16>(addresses)?),
            // Not TCP over IP. A server that does not serve these uses the connection's own address.
            _ => None,
        };
        Ok(Self { client, is_encrypted: is_client_encrypted(values) })
    }
}

/// The first of two addresses, if both are valid in this family.
fn address_pair<T: FromStr + Into<IpAddr>>(source: Option<&str>, destination: Option<&str>) -> Option<IpAddr> {
    let [source, destination] = [source, destination].map(|word| word?.parse::<T>().ok());
    destination?;
    Some(source?.into())
}

/// The client's address and port, in addresses of `N` bytes: source, destination, source port, destination port.
fn source<const N: usize>(addresses: &[u8]) -> Result<SocketAddr, HeaderError>
where
    IpAddr: From<[u8; N]>,
{
    match addresses.split_first_chunk::<N>() {
        Some((source, [.., high, low, _, _])) => {
            Ok(SocketAddr::new(IpAddr::from(*source).to_canonical(), u16::from_be_bytes([*high, *low])))
        }
        _ => Err(HeaderError::Invalid("length")),
    }
}

/// Parses decimal digits without a zero in front.
fn parse_port(word: &str) -> Option<u16> {
    let is_canonical = word == "0" || !word.starts_with(['0', '+']);
    word.parse().ok().filter(|_| is_canonical)
}

/// The type of the value that describes the client's TLS connection, and the flag in its first byte for a client that uses TLS.
const TLS_TYPE: u8 = 0x20;
const CLIENT_USES_TLS: u8 = 1;

/// Whether the values after the addresses say that the client's connection is encrypted. Each has a type, two bytes of length, and content.
fn is_client_encrypted(mut values: &[u8]) -> bool {
    while let [kind, high, low, rest @ ..] = values {
        let Some((content, next)) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low]))) else {
            return false;
        };
        if *kind == TLS_TYPE {
            return content.len() >= 5 && content[0] & CLIENT_USES_TLS != 0;
        }
        values = next;
    }
    false
}

#[cfg(test)]
mod tests;
