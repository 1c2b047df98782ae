//! The value of `--cluster`: `nats://user:password@host1:4222,host2,host3/name`.

use std::fmt;
use std::str::FromStr;

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

use super::credentials::EngineCredentials;
use super::secret::Secret;
use crate::command_line::quoted;
use crate::limits::{CLUSTER_NAME_BYTES_MAX, ENGINE_SERVERS_MAX, NODE_NAME_BYTES_MAX};
use crate::protocol::Token;

/// The port of NATS.
const PORT_DEFAULT: u16 = 4222;

/// The form of an address, as errors show it.
const FORM: &str = "expected nats://HOST[:PORT][,HOST[:PORT]...][/NAME], or tls:// instead of nats://";

/// Where the engine is, and which of its logs is that of this cluster.
///
/// `Display` shows it without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterAddress {
    /// Whether connections are encrypted: `tls://`.
    pub is_tls: bool,
    /// The servers of the engine, in the order of the address. The client connects to one of them, and to no server that they announce.
    pub servers: Vec<EngineServer>,
    /// The name of the cluster.
    pub name: ClusterName,
    /// The user and the password, or the token, of the address.
    pub credentials: Option<EngineCredentials>,
}

/// A server of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineServer {
    /// A host name or an IP address; an IPv6 address has brackets.
    pub host: String,
    /// The port for clients.
    pub port: u16,
}

/// The name of a cluster: letters, digits, `-` and `_`. Clusters with different names can share an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterName(String);

/// The name of a node: letters, digits, `.`, `-` and `_`. Each node of a cluster has another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeName(Token);

impl ClusterAddress {
    /// The servers, as async-nats takes them.
    pub(super) fn server_addresses(&self) -> Result<Vec<ServerAddr>, String> {
        let scheme = if self.is_tls { "tls" } else { "nats" };
        let parse = |server: &EngineServer| format!("{scheme}://{server}").parse::<ServerAddr>();
        self.servers.iter().map(parse).collect::<Result<_, _>>().map_err(|error| error.to_string())
    }
}

impl FromStr for ClusterAddress {
    type Err = String;

    /// # Errors
    /// The raw text is not an address. No error has a part of the secrets.
    fn from_str(raw: &str) -> Result<Self, String> {
        let (scheme, rest) = raw.split_once("://").ok_or(FORM)?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "nats" => false,
            "tls" | "nats+tls" => true,
            _ => return Err(format!("unknown scheme {}; {FORM}", quoted(scheme))),
        };
        let (secrets, rest) = match rest.rsplit_once('@') {
            Some((secrets, rest)) => (Some(secrets), rest),
            None => (None, rest),
        };
        let credentials = secrets.map(parse_secrets).transpose()?;
        let (hosts, name) = match rest.split_once('/') {
            Some((hosts, name)) if !name.is_empty() => (hosts, name.parse()?),
            Some((hosts, _)) => (hosts, ClusterName::default()),
            None => (rest, ClusterName::default()),
        };
        let servers = hosts.split(',').map(EngineServer::from_str).collect::<Result<Vec<_>, _>>()?;
        if servers.len() > ENGINE_SERVERS_MAX {
            return Err(format!("{} servers; expected at most {ENGINE_SERVERS_MAX}", servers.len()));
        }
        if let Some(twice) = servers.iter().enumerate().find(|(at, server)| servers[..*at].contains(server)) {
            return Err(format!("the server {} is given twice; expected each server once", twice.1));
        }
        Ok(Self { is_tls, servers, name, credentials })
    }
}

/// Parses `user:password` or `token`. Special characters are percent-encoded.
fn parse_secrets(raw: &str) -> Result<EngineCredentials, String> {
    let decode = |part: &str| {
        let decoded = percent_decode_str(part).decode_utf8();
        let decoded = decoded.ok().filter(|text| !text.is_empty() && !text.contains(char::is_control));
        decoded
            .map(String::from)
            .ok_or("expected USER:PASSWORD or a token before the @; other characters as %HH, such as %40 for @")
    };
    Ok(match raw.split_once(':') {
        Some((user, password)) => EngineCredentials::Password(decode(user)?, Secret::new(decode(password)?)),
        None => EngineCredentials::Token(Secret::new(decode(raw)?)),
    })
}

impl fmt::Display for ClusterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "tls" } else { "nats" };
        let secrets = if self.credentials.is_some() { "***@" } else { "" };
        write!(f, "{scheme}://{secrets}")?;
        for (at, server) in self.servers.iter().enumerate() {
            write!(f, "{}{server}", if at > 0 { "," } else { "" })?;
        }
        write!(f, "/{}", self.name)
    }
}

/// An address as it was given, valid or not, without its secrets: for errors, and for `--print-config`.
pub fn redact_secrets(raw: &str) -> String {
    let Some((secrets, rest)) = raw.rsplit_once('@') else { return raw.to_owned() };
    let scheme = secrets.split_once("://").map_or("", |(scheme, _)| scheme);
    format!("{scheme}{}***@{rest}", if scheme.is_empty() { "" } else { "://" })
}

impl FromStr for EngineServer {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let fail = || format!("invalid server {}; {FORM}", quoted(raw));
        let (host, port) = match raw.rsplit_once(':') {
            // A colon in brackets is a part of an IPv6 address.
            Some((host, port)) if !port.contains(']') => {
                let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
                let port = port.parse().ok().filter(|&port| is_number && port > 0);
                (host, port.ok_or_else(|| format!("invalid server {}; expected a port from 1 to 65535", quoted(raw)))?)
            }
            _ => (raw, PORT_DEFAULT),
        };
        if host.contains(':') && !host.starts_with('[') {
            return Err(format!(
                "invalid server {}; expected an IPv6 address in brackets, such as [::1]:4222",
                quoted(raw)
            ));
        }
        // The client's parser is more lenient than a name of a host is.
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        let server = Self { host: host.to_owned(), port };
        let parsed = format!("nats://{server}").parse::<ServerAddr>();
        if host.is_empty() || !host.bytes().all(is_host) || parsed.is_err() {
            return Err(fail());
        }
        Ok(server)
    }
}

impl fmt::Display for EngineServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl ClusterName {
    /// The stream that has the log. The names of streams have no dot.
    pub(super) fn stream(&self) -> String {
        format!("chinwag-{self}")
    }

    /// The subjects of all runs of the cluster's nodes.
    pub(super) fn subjects(&self) -> String {
        format!("chinwag.{self}.*")
    }

    /// The subject of one run of a node.
    pub(super) fn subject(&self, run: u64) -> String {
        format!("chinwag.{self}.{run}")
    }

    /// The run of the node that appended a message under this subject.
    pub(super) fn run_of(&self, subject: &str) -> Option<u64> {
        let run = subject.strip_prefix("chinwag.")?.strip_prefix(&*self.0)?.strip_prefix('.')?;
        // Other forms of the number would make two subjects of one run.
        run.parse().ok().filter(|number: &u64| number.to_string() == run)
    }
}

impl Default for ClusterName {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl FromStr for ClusterName {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (1..=CLUSTER_NAME_BYTES_MAX).contains(&raw.len()) && raw.bytes().all(is_allowed) {
            return Ok(Self(raw.to_owned()));
        }
        Err(format!(
            "invalid name of the cluster {}; expected 1 to {CLUSTER_NAME_BYTES_MAX} letters, digits, - or _ after the /",
            quoted(raw)
        ))
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NodeName {
    /// The name of this host.
    ///
    /// # Errors
    /// It is not a name that a node can have. The error asks for `--cluster-node`.
    pub fn of_host() -> Result<Self, String> {
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy();
        host.parse().map_err(|what| {
            format!(
                "the host name {} cannot be the name of the node: {what}; give one with --cluster-node",
                quoted(&host)
            )
        })
    }

    /// The name.
    pub fn token(&self) -> &Token {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let fits = (1..=NODE_NAME_BYTES_MAX).contains(&raw.len()) && raw.bytes().all(is_allowed);
        let name = Token::new(raw).ok().filter(|_| fits).map(Self);
        name.ok_or_else(|| format!("expected 1 to {NODE_NAME_BYTES_MAX} letters, digits, ., - or _"))
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parse(raw: &str) -> ClusterAddress {
        raw.parse().unwrap_or_else(|error| panic!("{raw}: {error}"))
    }

    #[track_caller]
    fn error(raw: &str) -> String {
        raw.parse::<ClusterAddress>().unwrap_err()
    }

    fn servers(raw: &[&str]) -> Vec<EngineServer> {
        raw.iter().map(|raw| raw.parse().unwrap()).collect()
    }

    #[test]
    fn address_has_servers_and_a_name() {
        let address = parse("nats://one:1,two,[::1]:3/chat");
        let expected = [("one", 1), ("two", 4222), ("[::1]", 3)];
        let expected = expected.map(|(host, port)| EngineServer { host: host.to_owned(), port });
        assert_eq!((address.is_tls, &*address.servers), (false, &expected[..]));
        assert_eq!((address.name.to_string(), address.credentials.clone()), ("chat".to_owned(), None));
        assert_eq!(address.to_string(), "nats://one:1,two:4222,[::1]:3/chat");
        for raw in ["tls://192.0.2.1", "TLS://192.0.2.1/", "nats+tls://192.0.2.1:4222/main"] {
            let address = parse(raw);
            assert!(address.is_tls && address.servers == servers(&["192.0.2.1"]), "{raw}");
            assert_eq!(address.to_string(), "tls://192.0.2.1:4222/main");
        }
        assert_eq!(parse("nats://[fd00::1],[fd00::2]").servers, servers(&["[fd00::1]:4222", "[fd00::2]:4222"]));
    }

    #[test]
    fn client_gets_the_same_servers() {
        let servers = |raw: &str| {
            let servers = parse(raw).server_addresses().unwrap();
            servers
                .iter()
                .map(|server| (server.host().to_owned(), server.port(), server.tls_required()))
                .collect::<Vec<_>>()
        };
        assert_eq!(servers("nats://one:1,[::1]"), [("one".to_owned(), 1, false), ("::1".to_owned(), 4222, false)]);
        assert_eq!(servers("tls://one"), [("one".to_owned(), 4222, true)]);
    }

    #[test]
    fn address_may_have_secrets_and_never_shows_them() {
        let credentials = |raw: &str| parse(raw).credentials;
        let password = EngineCredentials::Password("al@ice".to_owned(), Secret::new("s3cret:x"));
        assert_eq!(credentials("nats://al%40ice:s3cret:x@one/x"), Some(password.clone()));
        assert_eq!(credentials("nats://al%40ice:s3cret%3ax@one/x"), Some(password));
        assert_eq!(credentials("nats://s3cret@one"), Some(EngineCredentials::Token(Secret::new("s3cret"))));
        for raw in ["nats://alice:s3cret@one:1,two/x", "nats://s3cret@one:1,two/x"] {
            let address = parse(raw);
            assert_eq!(address.to_string(), "nats://***@one:1,two:4222/x");
            assert!(!format!("{address:?}").contains("s3cret"), "{address:?}");
            assert_eq!(redact_secrets(raw), "nats://***@one:1,two/x");
        }
        // Even if they are invalid.
        for raw in [
            "nats://s3cret%00@one",
            "nats://:s3cret@one",
            "nats://s3cret:@one",
            "nats://s3cret@one:x",
            "x://s3cret@one",
        ] {
            assert!(!error(raw).contains("s3cret"), "{raw}: {}", error(raw));
            assert!(!redact_secrets(raw).contains("s3cret") && redact_secrets(raw).contains("://***@one"));
        }
        for (raw, expected) in
            [("s3cret@one", "***@one"), ("nats://a@b@one", "nats://***@one"), ("nats://one", "nats://one")]
        {
            assert_eq!(redact_secrets(raw), expected);
        }
    }

    #[test]
    fn error_says_what_is_expected() {
        for raw in ["", "one", "one:4222", "nats:one"] {
            assert_eq!(error(raw), FORM, "{raw:?}");
        }
        assert_eq!(error("http://one"), format!("unknown scheme \"http\"; {FORM}"));
        for (raw, server) in [
            ("nats://", ""),
            ("nats://one,,two", ""),
            ("nats:///x", ""),
            ("nats://a b", "a b"),
            ("nats://one?x", "one?x"),
            ("nats://[::1", "[::1"),
        ] {
            assert!(error(raw).starts_with(&format!("invalid server \"{server}")), "{raw:?}: {}", error(raw));
        }
        for raw in ["nats://one:", "nats://one:0", "nats://one:65536", "nats://one:+1", "nats://one:x"] {
            assert!(error(raw).ends_with("; expected a port from 1 to 65535"), "{raw:?}: {}", error(raw));
        }
        assert!(error("nats://::1:4222").ends_with("in brackets, such as [::1]:4222"), "{}", error("nats://::1:4222"));
        assert_eq!(error("nats://one,two,one:4222"), "the server one:4222 is given twice; expected each server once");
        let many = (0..=ENGINE_SERVERS_MAX).map(|number| format!("n{number}")).collect::<Vec<_>>().join(",");
        assert_eq!(error(&format!("nats://{many}")), "17 servers; expected at most 16");
        for name in ["a.b", "*", "a/b", &"x".repeat(33)] {
            assert!(
                error(&format!("nats://one/{name}")).ends_with("expected 1 to 32 letters, digits, - or _ after the /"),
                "{name}"
            );
        }
    }

    #[test]
    fn subject_has_the_run() {
        let name: ClusterName = "chat".parse().unwrap();
        assert_eq!((name.stream(), name.subjects()), ("chinwag-chat".to_owned(), "chinwag.chat.*".to_owned()));
        for run in [0, 7, u64::MAX] {
            assert_eq!(name.run_of(&name.subject(run)), Some(run));
        }
        for subject in
            ["chinwag.chat.", "chinwag.chat.+7", "chinwag.chat.07", "chinwag.chatter.7", "chinwag.chat.7.8", "chat.7"]
        {
            assert_eq!(name.run_of(subject), None, "{subject}");
        }
    }

    #[test]
    fn node_name_is_that_of_the_host_or_given() {
        for raw in ["a", "chat-1.example.org", "A_b", &"x".repeat(63)] {
            assert_eq!(raw.parse::<NodeName>().unwrap().to_string(), raw);
        }
        for raw in ["", "a b", "a/b", "\u{e9}", &"x".repeat(64)] {
            assert_eq!(raw.parse::<NodeName>().unwrap_err(), "expected 1 to 63 letters, digits, ., - or _", "{raw:?}");
        }
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        match NodeName::of_host() {
            Ok(name) => assert_eq!(name.to_string(), host.trim_end()),
            Err(error) => {
                assert!(
                    error.ends_with("give one with --cluster-node") && host.trim_end().parse::<NodeName>().is_err()
                );
            }
        }
    }
}
