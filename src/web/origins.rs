//! Origins whose pages may join, and the host names that the server accepts.

use std::fmt;
use std::str::FromStr;

use super::authority::{Authority, Host};

/// The origin of a web page (RFC 6454).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    scheme: Scheme,
    host: Host,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn parse(raw: &str) -> Option<Self> {
        let known = [("http", Self::Http), ("https", Self::Https)];
        known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(raw)).map(|(_, scheme)| scheme)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for WebOrigin {
    /// Leaves out the scheme's default port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        write!(f, "{}://{host}", scheme.as_str())?;
        if *port == scheme.default_port() { Ok(()) } else { write!(f, ":{port}") }
    }
}

impl WebOrigin {
    /// Parses an `Origin` field. A port that is the scheme's default may be left out.
    pub(super) fn parse(raw: &str) -> Option<Self> {
        let (scheme, authority) = raw.split_once("://")?;
        let (scheme, Authority { host, port }) = (Scheme::parse(scheme)?, Authority::parse(authority)?);
        Some(Self { scheme, host, port: port.unwrap_or(scheme.default_port()) })
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// Whether pages at this host, in a URL of the origin's scheme, have this origin.
    fn is_at(&self, Authority { host, port }: &Authority) -> bool {
        self.host == *host && self.port == port.unwrap_or(self.scheme.default_port())
    }
}

/// Parses the value of `--http-origin`, which may end with a slash, like a URL from a browser's address bar.
impl FromStr for WebOrigin {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        Self::parse(raw.strip_suffix('/').unwrap_or(raw)).ok_or_else(|| {
            let expected = match raw.split_once("://") {
                _ if !raw.is_ascii() => {
                    "expected the host name in its ASCII form, such as https://xn--caf-dma.example.org"
                }
                Some((_, rest)) if rest.contains('/') => {
                    "expected an origin, which has no path, such as https://chat.example.org"
                }
                _ => "expected http:// or https:// and a host, with a port if needed, such as https://chat.example.org",
            };
            expected.to_owned()
        })
    }
}

/// The allowed origins, in addition to the server's own.
#[derive(Clone, Debug, Default)]
pub struct AllowedOrigins {
    added: Vec<WebOrigin>,
    /// Whether the server's own pages always come over TLS.
    own_is_encrypted: bool,
}

impl AllowedOrigins {
    /// Allows these origins in addition to the server's own.
    pub fn new(added: Vec<WebOrigin>) -> Self {
        Self { added, own_is_encrypted: false }
    }

    /// The origins, except the server's own.
    pub fn names(&self) -> Vec<String> {
        self.added.iter().map(ToString::to_string).collect()
    }

    /// Allows these origins on a listener that serves its pages over TLS itself. A page that came from the same host without TLS is not
    /// its own: anybody on the way could have sent it.
    #[cfg(feature = "tls")]
    pub(crate) fn over_tls(&self) -> Self {
        Self { own_is_encrypted: true, ..self.clone() }
    }

    /// Whether a page of this origin may join through this host: the page came from this host, or its origin is allowed.
    pub(super) fn allows(&self, origin: &WebOrigin, host: &Authority) -> bool {
        let is_own = origin.is_at(host) && (origin.scheme == Scheme::Https || !self.own_is_encrypted);
        is_own || self.added.contains(origin)
    }

    /// Whether the server accepts this host: an address, or a configured name. An attacker can point any other name at this machine (DNS
    /// rebinding), and a page from there would have the server's own origin.
    pub(super) fn accepts_host(&self, host: &Host) -> bool {
        match host {
            Host::Address(_) => true,
            Host::Name(name) => name == "localhost" || self.added.iter().any(|origin| origin.host == *host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(allowed: &[&str]) -> AllowedOrigins {
        AllowedOrigins::new(allowed.iter().map(|origin| origin.parse().unwrap()).collect())
    }

    fn authority(raw: &str) -> Authority {
        Authority::parse(raw).unwrap()
    }

    #[test]
    fn origin_spellings_are_equal() {
        let same = |first: &str, others: &[&str]| {
            for other in others {
                assert_eq!(first.parse::<WebOrigin>(), other.parse(), "{first} and {other}");
            }
        };
        same(
            "https://chat.example.org",
            &[
                "https://chat.example.org:443",
                "https://chat.example.org:0443",
                "https://chat.example.org:",
                "https://chat.example.org/",
                "https://chat.example.org:443/",
                "https://chat.example.org.",
                "HTTPS://Chat.Example.ORG",
            ],
        );
        same("http://10.0.0.9", &["http://10.0.0.9:80"]);
        same("http://[::1]:8080", &["http://[0:0::1]:8080/"]);
        for (one, other) in [
            ("https://a", "http://a"),
            ("https://a", "https://a:80"),
            ("http://a", "http://a:443"),
            ("https://a", "https://b"),
            ("https://a", "https://a.b"),
        ] {
            assert_ne!(one.parse::<WebOrigin>(), other.parse(), "{one} and {other}");
        }
    }

    #[test]
    fn invalid_origin_says_what_is_expected() {
        let check = |raw: &str, expected: &str| {
            let error = raw.parse::<WebOrigin>().expect_err(raw);
            assert!(error.starts_with(expected), "{raw}: {error}");
        };
        for raw in
            ["", "*", "null", "chat.example.org", "https://", "ftp://a", "https://a b", "https://a@b", "https://a:x"]
        {
            check(raw, "expected http:// or https:// and a host");
        }
        check("https://example.org/chat/", "expected an origin, which has no path");
        check("https://a//", "expected an origin, which has no path");
        check("https://b\u{fc}cher.example", "expected the host name in its ASCII form");
    }

    #[test]
    fn page_joins_from_own_or_allowed_origin() {
        let allowed = origins(&["https://chat.example.org:443", "http://plain.example.org:8080"]);
        let check = |origin, host, expected| {
            let is_allowed = WebOrigin::parse(origin).is_some_and(|origin| allowed.allows(&origin, &authority(host)));
            assert_eq!(is_allowed, expected, "{origin} at {host}");
        };
        check("http://127.0.0.1:8080", "127.0.0.1:8080", true);
        check("http://LOCALHOST:8080", "localhost:8080", true);
        check("http://localhost", "localhost:80", true);
        check("https://localhost", "localhost:443", true);
        check("https://localhost", "localhost", true);
        check("https://localhost", "localhost:80", false);
        check("http://localhost:8080", "127.0.0.1:8080", false);
        check("http://127.0.0.1:8081", "127.0.0.1:8080", false);
        check("http://[::1]:8080", "[0::1]:8080", true);
        check("https://chat.example.org", "127.0.0.1:8080", true);
        check("https://chat.example.org:443", "127.0.0.1:8080", true);
        check("https://chat.example.org.", "127.0.0.1:8080", true);
        check("https://chat.example.org:8443", "127.0.0.1:8080", false);
        check("http://chat.example.org", "127.0.0.1:8080", false);
        check("http://plain.example.org:8080", "127.0.0.1:8080", true);
        check("http://plain.example.org", "127.0.0.1:8080", false);
        check("https://chat.example.org.evil.example", "127.0.0.1:8080", false);
        for invalid in
            ["", "null", "file://", "https://chat.example.org/", "https://chat.example.org https://evil.example"]
        {
            check(invalid, "127.0.0.1:8080", false);
        }
    }

    #[test]
    #[cfg(feature = "tls")]
    fn page_without_tls_is_not_own_page_of_a_tls_listener() {
        let check = |allowed: &AllowedOrigins, origin, expected| {
            let is_allowed = allowed.allows(&WebOrigin::parse(origin).unwrap(), &authority("127.0.0.1:8443"));
            assert_eq!(is_allowed, expected, "{origin}");
        };
        let own = origins(&[]).over_tls();
        check(&own, "https://127.0.0.1:8443", true);
        check(&own, "http://127.0.0.1:8443", false);
        check(&origins(&["http://127.0.0.1:8443"]).over_tls(), "http://127.0.0.1:8443", true);
    }

    #[test]
    fn server_accepts_addresses_and_configured_names() {
        let origins = origins(&["https://chat.example.org:8443"]);
        let known = ["127.0.0.1:8080", "[::1]:8080", "[::1]", "10.0.0.9", "LocalHost:1", "localhost."];
        for known in known.into_iter().chain(["chat.example.org", "Chat.example.org:80", "chat.example.org.:8443"]) {
            assert!(origins.accepts_host(&authority(known).host), "{known}");
        }
        for unknown in [
            "evil.example:8080",
            "localhost.evil.example",
            "example.org",
            "127.0.0.1.evil.example",
            "0x7f.1",
            "a.localhost",
        ] {
            assert!(!origins.accepts_host(&authority(unknown).host), "{unknown}");
        }
    }
}
