//! The address of a server, as users write it: a host, or a URI that names the transport. Pure.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;
use std::path::PathBuf;

use super::trust::{TlsOptions, Trust};
use crate::command_line::{parse_server, quoted};
use crate::protocol::sanitize;

/// The port of an address without one.
const PORT: u16 = 9999;

/// The port of an address for TLS without one.
const TLS_PORT: u16 = 9998;

/// The error of a client that cannot encrypt.
pub(super) const WITHOUT_TLS: &str = "this chinwag was built without TLS: build it with the feature tls";

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerAddress {
    /// TCP; the address is `host:port`.
    Tcp(String),
    /// TLS over TCP; the address is `host:port`.
    Tls(String, Trust),
    /// The Unix socket with this path.
    Unix(PathBuf),
}

impl ServerAddress {
    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(..))
    }

    /// Parses `host`, `host:port` or `host port`, also after `tcp://` or `tls://`, or `unix:///path`.
    ///
    /// # Errors
    /// The text has the expected forms.
    pub(super) fn parse(raw: &str, tls: &TlsOptions) -> Result<Self, String> {
        let default = if tls.is_required { "tls" } else { "tcp" };
        let (scheme, rest) = raw.split_once("://").unwrap_or((default, raw));
        match scheme.to_ascii_lowercase().as_str() {
            "tls" if !cfg!(feature = "tls") => Err(WITHOUT_TLS.to_owned()),
            "tls" => Ok(Self::Tls(parse_server(rest, TLS_PORT)?, tls.trust.clone())),
            "tcp" | "unix" if tls.is_required => {
                Err("expected tls://HOST:PORT or a host: --tls, --tls-ca and --tls-fingerprint are for TLS".to_owned())
            }
            "tcp" => Ok(Self::Tcp(parse_server(rest, PORT)?)),
            "unix" => parse_path(rest).map(Self::Unix),
            _ => {
                Err(format!("unknown scheme {}: expected tls, tcp or unix, or a host without a scheme", quoted(scheme)))
            }
        }
    }

    /// Whether others on the way can neither read nor change the lines. Over plain TCP, a server that says so could be anybody.
    pub(super) fn is_private(&self) -> bool {
        !matches!(self, Self::Tcp(_))
    }
}

/// Refuses what `chinwagd` refuses, too: a control character, and the parameters of a listener.
fn parse_path(raw: &str) -> Result<PathBuf, String> {
    let is_path = raw.starts_with('/') && !raw.ends_with('/') && !raw.contains(|c: char| c == '?' || c.is_control());
    is_path.then(|| raw.into()).ok_or_else(|| "expected unix:///PATH, such as unix:///run/chinwag/chat.sock".to_owned())
}

/// The address as the user can write it, without control characters.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(&sanitize(address)),
            Self::Tls(address, _) => write!(f, "tls://{}", sanitize(address)),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<ServerAddress, String> {
        ServerAddress::parse(raw, &TlsOptions::default())
    }

    #[test]
    fn scheme_chooses_the_transport() {
        let check = |raw: &str, expected: ServerAddress| assert_eq!(parse(raw), Ok(expected), "{raw:?}");
        for raw in ["localhost", "localhost:9999", "localhost 9999", "tcp://localhost", "TCP://localhost:9999"] {
            check(raw, ServerAddress::Tcp("localhost:9999".to_owned()));
        }
        check("tcp://[::1]:7", ServerAddress::Tcp("[::1]:7".to_owned()));
        for raw in ["unix:///run/a b", "Unix:///run/a b"] {
            check(raw, ServerAddress::Unix("/run/a b".into()));
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn required_tls_refuses_other_schemes() {
        let trust = Trust::Issuers("/etc/ca.pem".into());
        let tls = TlsOptions { is_required: true, trust: trust.clone() };
        let expected = ServerAddress::Tls("localhost:9998".to_owned(), trust);
        for raw in ["localhost", "localhost 9998", "tls://localhost", "TLS://localhost:9998"] {
            assert_eq!(ServerAddress::parse(raw, &tls).as_ref(), Ok(&expected), "{raw}");
        }
        for raw in ["tcp://localhost", "TCP://localhost:9998", "unix:///run/x"] {
            assert!(ServerAddress::parse(raw, &tls).unwrap_err().starts_with("expected tls://"), "{raw}");
        }
        let system = ServerAddress::Tls("localhost:7".to_owned(), Trust::System);
        assert_eq!(parse("tls://localhost:7"), Ok(system.clone()));
        assert_eq!(system.to_string(), "tls://localhost:7");
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_without_its_feature_is_an_error() {
        assert_eq!(parse("tls://localhost").unwrap_err(), WITHOUT_TLS);
    }

    #[test]
    fn displayed_address_can_be_parsed() {
        for raw in ["localhost:7", "[::1]:9999", "unix:///run/a b"] {
            assert_eq!(parse(raw).unwrap().to_string(), raw);
        }
    }

    #[test]
    fn invalid_address_is_explained() {
        let form = "expected unix:///PATH, such as unix:///run/chinwag/chat.sock";
        for raw in ["unix://", "unix://run/x", "unix:///", "unix:///x/", "unix:///x?mode=660", "unix:///x\n"] {
            assert_eq!(parse(raw).unwrap_err(), form, "{raw:?}");
        }
        for raw in ["tcp://", "tcp://localhost/", "tcp://localhost:0", "unix:/run/x"] {
            let why = parse(raw).unwrap_err();
            assert!(why.starts_with("expected host, host:port or host port"), "{raw:?}: {why}");
        }
        let why = "unknown scheme \"http\": expected tls, tcp or unix, or a host without a scheme";
        assert_eq!(parse("http://localhost/").unwrap_err(), why);
    }
}
