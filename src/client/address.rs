//! The address of a server, as users write it: a host, or a URI that names the transport. Pure.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;
use std::path::PathBuf;

use crate::command_line::{parse_server, quoted};
use crate::protocol::sanitize;

/// The port of a server without one.
const PORT: u16 = 9999;

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerAddress {
    /// TCP; the address is `host:port`.
    Tcp(String),
    /// The Unix socket with this path.
    Unix(PathBuf),
}

impl ServerAddress {
    /// Parses `host`, `host:port`, `host port`, the same after `tcp://`, or `unix:///path`.
    ///
    /// # Errors
    /// The text has the expected forms.
    pub(super) fn parse(raw: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = raw.split_once("://") else {
            return Ok(Self::Tcp(parse_server(raw, PORT)?));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Self::Tcp(parse_server(rest, PORT)?)),
            "unix" => parse_path(rest).map(Self::Unix),
            _ => Err(format!("unknown scheme {}: expected tcp or unix, or a host without a scheme", quoted(scheme))),
        }
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
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_chooses_the_transport() {
        let check = |raw: &str, expected: ServerAddress| assert_eq!(ServerAddress::parse(raw), Ok(expected), "{raw:?}");
        for raw in ["localhost", "localhost:9999", "localhost 9999", "tcp://localhost", "TCP://localhost:9999"] {
            check(raw, ServerAddress::Tcp("localhost:9999".to_owned()));
        }
        check("tcp://[::1]:7", ServerAddress::Tcp("[::1]:7".to_owned()));
        for raw in ["unix:///run/a b", "Unix:///run/a b"] {
            check(raw, ServerAddress::Unix("/run/a b".into()));
        }
    }

    #[test]
    fn displayed_address_can_be_parsed() {
        for raw in ["localhost:7", "[::1]:9999", "unix:///run/a b"] {
            assert_eq!(ServerAddress::parse(raw).unwrap().to_string(), raw);
        }
    }

    #[test]
    fn invalid_address_is_explained() {
        let form = "expected unix:///PATH, such as unix:///run/chinwag/chat.sock";
        for raw in ["unix://", "unix://run/x", "unix:///", "unix:///x/", "unix:///x?mode=660", "unix:///x\n"] {
            assert_eq!(ServerAddress::parse(raw).unwrap_err(), form, "{raw:?}");
        }
        for raw in ["tcp://", "tcp://localhost/", "tcp://localhost:0", "unix:/run/x"] {
            let why = ServerAddress::parse(raw).unwrap_err();
            assert!(why.starts_with("expected host, host:port or host port"), "{raw:?}: {why}");
        }
        let why = "unknown scheme \"http\": expected tcp or unix, or a host without a scheme";
        assert_eq!(ServerAddress::parse("http://localhost/").unwrap_err(), why);
    }
}
