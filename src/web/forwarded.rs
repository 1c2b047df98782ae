//! The header fields in which proxies name the client of a request: `Forwarded` (RFC 7239) and `X-Forwarded-For`.
//!
//! Each proxy adds an element at the right, and the first elements may come from the client. So elements are read from the right, and only
//! as long as trusted proxies have added them. The crate `rfc7239` does not do: it splits at the commas of quoted strings, too, in which a
//! client's text may be, and one malformed element of the client makes it fail.

use std::iter;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use httparse::{EMPTY_HEADER, Header, Status};

use super::route::is_set_by_proxies;
use crate::limits::HEAD_FIELDS_MAX;
use crate::protocol::{Peer, PeerAddress};
use crate::proxy::TrustedProxies;

/// The field that the proxies of a listener set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardingField {
    /// `Forwarded`, of RFC 7239.
    Forwarded,
    /// `X-Forwarded-For`, a list of addresses.
    XForwardedFor,
}

impl ForwardingField {
    /// The name of the field.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "Forwarded",
            Self::XForwardedFor => "X-Forwarded-For",
        }
    }
}

/// The proxies that name the clients of a listener's requests, and the field in which they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    field: ForwardingField,
    proxies: TrustedProxies,
}

/// The client of a proxy, by the element that the proxy has added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hop {
    /// Port 0 if the element has no port.
    client: SocketAddr,
    /// The client's request to the proxy was encrypted.
    is_encrypted: bool,
}

impl Forwarding {
    /// Trusts this field in requests from these proxies.
    pub fn new(field: ForwardingField, proxies: TrustedProxies) -> Self {
        Self { field, proxies }
    }

    /// The field.
    pub fn field(&self) -> ForwardingField {
        self.field
    }

    /// The proxies as text: those that set `Forwarded`, and those that set `X-Forwarded-For`.
    pub fn proxies_by_field(&self) -> (Option<String>, Option<String>) {
        let proxies = Some(self.proxies.to_string());
        match self.field {
            ForwardingField::Forwarded => (proxies, None),
            ForwardingField::XForwardedFor => (None, proxies),
        }
    }

    /// Trusts further proxies.
    pub fn add(&mut self, proxies: TrustedProxies) {
        self.proxies.add(proxies);
    }

    /// Whether requests from this address name their client.
    pub fn trusts(&self, address: PeerAddress) -> bool {
        self.proxies.contains(address)
    }

    /// The client of a request that a trusted proxy has sent: the first one, from the right, that is not a trusted proxy. An element that
    /// names no address ends the search, and the proxy that added it counts as the client.
    ///
    /// The way to the client is secure if the way to this proxy is, all proxies are trusted, and each says that its client's request was
    /// encrypted.
    ///
    /// `None`: the head is incomplete, malformed or too large, so it names nobody. It may be any client's, and not the proxy's own request.
    pub fn client(&self, head: &[u8], proxy: Peer) -> Option<Peer> {
        let mut fields = [EMPTY_HEADER; HEAD_FIELDS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        if !matches!(request.parse(head), Ok(Status::Complete(_))) {
            return None;
        }
        let (own, others): (Vec<&Header<'_>>, Vec<_>) = request
            .headers
            .iter()
            .filter(|field| is_set_by_proxies(field.name))
            .partition(|field| field.name.eq_ignore_ascii_case(self.field.as_str()));
        let mut elements = own.iter().rev().flat_map(|field| elements_from_right(field.value));
        let (mut client, mut is_secure) = (proxy.address, proxy.is_secure);
        let mut has_element = false;
        while self.trusts(client) {
            let Some(element) = elements.next() else { break };
            let Some(hop) = self.parse(element) else { return Some(Peer { address: client, is_secure: false }) };
            client = hop.client.into();
            is_secure &= hop.is_encrypted;
            has_element = true;
        }
        // Further elements or fields say that there are proxies beyond these.
        let is_whole = has_element && elements.next().is_none() && others.is_empty();
        Some(Peer { address: client, is_secure: is_secure && is_whole })
    }

    fn parse(&self, element: &[u8]) -> Option<Hop> {
        let element = str::from_utf8(element).ok()?;
        match self.field {
            ForwardingField::Forwarded => parse_forwarded(element),
            ForwardingField::XForwardedFor => Some(Hop { client: parse_node(element)?, is_encrypted: false }),
        }
    }
}

/// The elements of a list, the last one first, without empty ones. A comma in a quoted string does not end an element.
fn elements_from_right(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(list);
    let all = iter::from_fn(move || {
        let list = rest.take()?;
        let mut is_quoted = false;
        for at in (0..list.len()).rev() {
            match list[at] {
                b'"' if !is_escaped(&list[..at]) => is_quoted = !is_quoted,
                b',' if !is_quoted => {
                    rest = Some(&list[..at]);
                    return Some(&list[at + 1..]);
                }
                _ => {}
            }
        }
        Some(list)
    });
    all.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// Whether a backslash escapes the character after these.
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

/// Parses an element of `Forwarded`: `for=192.0.2.7;proto=https`. Of the parameters, it needs `for`.
fn parse_forwarded(element: &str) -> Option<Hop> {
    let (mut node, mut proto) = (None, None);
    let mut rest = element;
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=')?;
        let (value, after) = split_value(value)?;
        rest = after;
        let name = name.trim();
        let slot = if name.eq_ignore_ascii_case("for") {
            &mut node
        } else if name.eq_ignore_ascii_case("proto") {
            &mut proto
        } else {
            continue;
        };
        // A parameter occurs once.
        if slot.replace(value).is_some() {
            return None;
        }
    }
    let is_encrypted = proto.is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
    Some(Hop { client: parse_node(node?)?, is_encrypted })
}

/// Splits a parameter's value, which may be quoted, from the parameters after it. The value of a quoted string stays as it is written: an
/// address has no character that needs a backslash.
fn split_value(text: &str) -> Option<(&str, &str)> {
    let (value, rest) = match text.strip_prefix('"') {
        Some(quoted) => {
            let is_end = |(at, character): &(usize, char)| *character == '"' && !is_escaped(&quoted.as_bytes()[..*at]);
            let (end, _) = quoted.char_indices().find(is_end)?;
            (&quoted[..end], &quoted[end + 1..])
        }
        None => {
            let (value, rest) = text.split_at(text.find(';').unwrap_or(text.len()));
            (value.trim_end(), rest)
        }
    };
    let rest = rest.trim_start();
    if rest.is_empty() { Some((value, rest)) } else { Some((value, rest.strip_prefix(';')?.trim_start())) }
}

/// Parses an address, with a port or without one: `192.0.2.7`, `192.0.2.7:4711`, `[2001:db8::7]:4711`, `[2001:db8::7]`, and `2001:db8::7`,
/// which only `X-Forwarded-For` may have.
fn parse_node(node: &str) -> Option<SocketAddr> {
    if let Ok(address) = node.parse::<IpAddr>() {
        return Some(SocketAddr::new(address.to_canonical(), 0));
    }
    let (address, port): (IpAddr, _) = match node.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (address.parse::<Ipv6Addr>().ok()?.into(), port)
        }
        None => {
            let (address, port) = node.split_at(node.find(':')?);
            (address.parse().ok()?, port)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => 0,
        Some(port) if port.starts_with('_') => 0,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
        _ => return None,
    };
    Some(SocketAddr::new(address.to_canonical(), port))
}

#[cfg(test)]
mod tests;
