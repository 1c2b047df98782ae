//! Whose pages may join, and by which names the server may be called.

use std::net::IpAddr;
use std::str::FromStr;

/// Where a page is from (RFC 6454): scheme, host and port, as a browser writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl FromStr for Origin {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let form = "write it as a browser does: https://chat.example.org, with the port if it has one, and no slash at the end";
        let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        match authority(raw) {
            Some(host) if !host.is_empty() && host.chars().all(is_host) => Ok(Self(raw.to_ascii_lowercase())),
            _ => Err(format!("{raw} is no origin; {form}")),
        }
    }
}

/// The origins that are allowed beside the page's own.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<Origin>);

impl Origins {
    /// These, and no others.
    pub fn new(allowed: Vec<Origin>) -> Self {
        Self(allowed)
    }

    /// Whether a page from this origin may join through this host: it came from there itself, or is allowed to.
    pub(super) fn allow(&self, origin: &str, host: &str) -> bool {
        let is_own = authority(origin).is_some_and(|authority| authority.eq_ignore_ascii_case(host));
        is_own || self.0.iter().any(|allowed| allowed.0.eq_ignore_ascii_case(origin))
    }

    /// Whether the server may be called by this host. A name that somebody else gave it is not one: with such a name, which
    /// first was that of another machine, a page from there would have the server's own origin (DNS rebinding). Addresses
    /// are given by nobody.
    pub(super) fn know(&self, host: &str) -> bool {
        let name = without_port(host);
        let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let is_local = name.eq_ignore_ascii_case("localhost");
        let is_allowed = |origin: &Origin| {
            authority(&origin.0).is_some_and(|authority| without_port(authority).eq_ignore_ascii_case(name))
        };
        is_address || is_local || self.0.iter().any(is_allowed)
    }
}

/// Host and port of an origin.
fn authority(origin: &str) -> Option<&str> {
    let (scheme, authority) = origin.split_once("://")?;
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)).then_some(authority)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(allowed: &[&str]) -> Origins {
        Origins::new(allowed.iter().map(|origin| origin.parse().unwrap()).collect())
    }

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for right in
            ["https://chat.example.org", "http://10.0.0.9:8080", "http://[::1]:8080", "HTTPS://Chat.Example.Org"]
        {
            assert!(right.parse::<Origin>().is_ok(), "{right}");
        }
        for wrong in
            ["", "*", "null", "chat.example.org", "https://", "https://a/", "ftp://a", "https://a b", "https://a@b"]
        {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_page_joins_from_where_it_came_or_is_allowed() {
        let allowed = origins(&["https://chat.example.org"]);
        let check = |origin, host, expected| assert_eq!(allowed.allow(origin, host), expected, "{origin} at {host}");
        check("http://127.0.0.1:8080", "127.0.0.1:8080", true);
        check("http://LOCALHOST:8080", "localhost:8080", true);
        check("http://localhost:8080", "127.0.0.1:8080", false);
        check("http://127.0.0.1:8081", "127.0.0.1:8080", false);
        check("https://chat.example.org", "127.0.0.1:8080", true);
        check("http://chat.example.org", "127.0.0.1:8080", false);
        check("https://chat.example.org.evil.example", "127.0.0.1:8080", false);
        check("null", "127.0.0.1:8080", false);
        check("file://", "", false);
    }

    #[test]
    fn the_server_goes_by_addresses_and_by_the_names_it_was_told() {
        let origins = origins(&["https://chat.example.org:8443"]);
        for known in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "[::1]",
            "10.0.0.9",
            "LocalHost:1",
            "chat.example.org",
            "Chat.example.org:80",
        ] {
            assert!(origins.know(known), "{known}");
        }
        for unknown in
            ["", ":8080", "evil.example:8080", "localhost.evil.example", "example.org", "127.0.0.1.evil.example"]
        {
            assert!(!origins.know(unknown), "{unknown}");
        }
    }
}
