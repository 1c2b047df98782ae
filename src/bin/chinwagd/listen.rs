//! The values of `--listen`: URIs whose scheme chooses the protocol.

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;

use chinwag::command_line::{parse_number, quoted};
use chinwag::limits::SOCKET_NAME_BYTES_MAX;
use chinwag::server::{Listener, Scheme, SocketSource, UnixSocket};

use super::proxies::Proxies;
use super::{Arguments, COMMAND_LINE, unix_socket};

/// The schemes that this program supports, as an error lists them.
const SCHEMES: &str = match (cfg!(feature = "tls"), cfg!(feature = "web")) {
    (true, true) => "tcp://, tls://, http:// or https:// with HOST:PORT, unix:///PATH, or HOST:PORT",
    (true, false) => "tcp:// or tls:// with HOST:PORT, unix:///PATH, or HOST:PORT",
    (false, true) => "tcp:// or http:// with HOST:PORT, unix:///PATH, or HOST:PORT",
    (false, false) => "tcp://HOST:PORT, unix:///PATH or HOST:PORT",
};

/// The end of that list.
const METRICS_SCHEME: &str = if cfg!(feature = "metrics") { "; for Prometheus, metrics://HOST:PORT" } else { "" };

/// One `--listen` option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListenUri {
    /// The addresses of a host, one or more, and what clients speak there: a host name may have an IPv4 and an IPv6 address
    /// (`localhost`).
    Ip(Scheme, Vec<SocketAddr>, Proxies),
    /// A Unix socket.
    Unix(UnixSocket, Proxies),
    /// The sockets of this name that the process has inherited.
    Inherited(Scheme, String, Proxies),
}

impl ListenUri {
    #[cfg(feature = "web")]
    pub(super) fn is_http(&self) -> bool {
        matches!(self.scheme(), Scheme::Http | Scheme::Https)
    }

    #[cfg(feature = "tls")]
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.scheme(), Scheme::Tls | Scheme::Https)
    }

    #[cfg(any(feature = "metrics", feature = "tls", feature = "web"))]
    pub(super) fn scheme(&self) -> Scheme {
        match self {
            Self::Ip(scheme, ..) | Self::Inherited(scheme, ..) => *scheme,
            Self::Unix(..) => Scheme::Unix,
        }
    }
}

/// The certificates of the listeners, if this program has TLS.
#[cfg(feature = "tls")]
pub(super) type Certificates = Option<Arc<chinwag::server::TlsCertificates>>;
#[cfg(not(feature = "tls"))]
pub(super) type Certificates = Option<Arc<std::convert::Infallible>>;

/// The listeners, in the order of the options. Without `--listen`, one for lines that only this machine can reach.
pub(super) fn listeners(arguments: &mut Arguments, certificates: &Certificates) -> Vec<Listener> {
    let mut uris = std::mem::take(&mut arguments.listen);
    if uris.is_empty() {
        let address = SocketAddr::from(([127, 0, 0, 1], 9999));
        uris.push(ListenUri::Ip(Scheme::Tcp, vec![address], Proxies::default()));
    }
    #[cfg(feature = "web")]
    let web_options = super::web::options(arguments);
    #[cfg_attr(not(feature = "web"), expect(unused_variables, reason = "only HTTP has fields for proxies"))]
    let over_tcp = |scheme, socket: SocketSource<SocketAddr>, proxies: &Proxies| match (scheme, certificates) {
        #[cfg(feature = "tls")]
        (Scheme::Tls, Some(certificates)) => Listener::tls(socket, certificates),
        #[cfg(all(feature = "tls", feature = "web"))]
        (Scheme::Https, Some(certificates)) => {
            Listener::https(socket, certificates, &proxies.web_options(&web_options))
        }
        #[cfg(feature = "web")]
        (Scheme::Http, _) => Listener::web(socket, &proxies.web_options(&web_options)),
        #[cfg(feature = "metrics")]
        (Scheme::Metrics, _) => Listener::metrics(socket),
        _ => Listener::lines(socket),
    };
    let mut listeners = Vec::new();
    for uri in uris {
        match uri {
            ListenUri::Ip(scheme, addresses, proxies) => {
                let on = |address: SocketAddr| proxies.apply(over_tcp(scheme, address.into(), &proxies));
                listeners.extend(addresses.into_iter().map(on));
            }
            ListenUri::Inherited(Scheme::Unix, name, proxies) => {
                listeners.push(proxies.apply(Listener::unix(SocketSource::Inherited(name))));
            }
            ListenUri::Inherited(scheme, name, proxies) => {
                listeners.push(proxies.apply(over_tcp(scheme, SocketSource::Inherited(name), &proxies)));
            }
            ListenUri::Unix(socket, proxies) => listeners.push(proxies.apply(Listener::unix(socket))),
        }
    }
    listeners
}

/// An address that two `--listen` options have.
pub(super) fn find_duplicate(arguments: &Arguments) -> Option<String> {
    let mut addresses = BTreeSet::new();
    let mut names = BTreeSet::new();
    arguments.listen.iter().find_map(|uri| match uri {
        ListenUri::Ip(_, all, _) => {
            let duplicate =
                all.iter().filter(|address| address.port() > 0).find(|&address| !addresses.insert(address))?;
            Some(format!("two --listen options have the address {duplicate}: expected another port for one of them"))
        }
        ListenUri::Unix(..) => None,
        // A name may stand for sockets of both kinds.
        ListenUri::Inherited(scheme, name, _) => (!names.insert((*scheme == Scheme::Unix, name))).then(|| {
            format!(
                "two --listen options name the socket {}: expected each name once; for another protocol, add a \
                 .socket unit with its own FileDescriptorName=",
                quoted(name)
            )
        }),
    })
}

/// Listeners for Prometheus, and none for clients.
#[cfg(feature = "metrics")]
pub(super) fn find_missing(arguments: &Arguments) -> Option<String> {
    let all = &arguments.listen;
    let is_missing = !all.is_empty() && all.iter().all(|uri| uri.scheme() == Scheme::Metrics);
    is_missing.then(|| {
        "--listen metrics://HOST:PORT alone: expected another --listen for clients, such as --listen 127.0.0.1:9999"
            .to_owned()
    })
}

/// The paths of Unix sockets.
pub(super) fn unix_paths(arguments: &Arguments) -> impl Iterator<Item = &Path> {
    arguments.listen.iter().filter_map(|uri| match uri {
        ListenUri::Unix(UnixSocket { path, .. }, _) => Some(path.as_path()),
        _ => None,
    })
}

/// Parses `tcp://HOST:PORT`, `http://HOST:PORT` or `HOST:PORT`, and looks up the host; or `unix:///PATH`, or `tcp+fd://NAME`. All but
/// `HOST:PORT` may have parameters after `?`.
pub(super) fn parse_uri(raw: &str) -> Result<ListenUri, String> {
    for scheme in ["tcp:", "tls:", "http:", "https:", "metrics:"] {
        let is_scheme = raw.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if is_scheme && !raw[scheme.len()..].starts_with("//") {
            return Err(format!("expected // after the scheme, as in {scheme}//127.0.0.1:9999"));
        }
    }
    // `unix:/path` is a URI, too.
    if let Some((scheme, address)) = raw.split_once("+fd://") {
        return parse_inherited(parse_scheme(scheme)?, address);
    }
    let (scheme, address) = match raw.split_once(":/") {
        Some((scheme, rest)) => (parse_scheme(scheme)?, rest.strip_prefix('/').unwrap_or_default()),
        None => return Ok(ListenUri::Ip(Scheme::Tcp, resolve(raw)?, Proxies::default())),
    };
    if scheme == Scheme::Unix {
        let (socket, proxies) = unix_socket::parse(address)?;
        return Ok(ListenUri::Unix(socket, proxies));
    }
    let (address, query) = address.split_once('?').unwrap_or((address, ""));
    // A browser shows the address with a slash at the end, and so does the line on standard output.
    let addresses = resolve(address.strip_suffix('/').unwrap_or(address))?;
    Ok(ListenUri::Ip(scheme, addresses, parse_proxies(scheme, query)?))
}

fn parse_proxies(scheme: Scheme, query: &str) -> Result<Proxies, String> {
    let mut proxies = Proxies::default();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        if !proxies.take(scheme, parameter)? {
            return Err(unknown_parameter(scheme, parameter));
        }
    }
    Ok(proxies)
}

/// Parses what follows `+fd://`: the name of a socket, as in `FileDescriptorName=` (systemd.socket(5)).
fn parse_inherited(scheme: Scheme, rest: &str) -> Result<ListenUri, String> {
    if !cfg!(feature = "systemd") {
        return Err(format!("{scheme}+fd:// {}", COMMAND_LINE.needs_feature("systemd")));
    }
    let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_allowed = |byte: u8| matches!(byte, b' '..=b'~') && byte != b':';
    if !(1..=SOCKET_NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(is_allowed) {
        return Err(format!(
            "expected {scheme}+fd://NAME, the FileDescriptorName= of a .socket unit: 1 to {SOCKET_NAME_BYTES_MAX} ASCII characters \
             without a colon"
        ));
    }
    let proxies = parse_proxies(scheme, query);
    let owned = query.split('&').find(|parameter| parameter.starts_with("mode=") || parameter.starts_with("owner="));
    if let (Scheme::Unix, Some(_)) = (scheme, owned) {
        return Err("the .socket unit has the mode and the owner of an inherited socket: SocketMode=, SocketUser=, SocketGroup=".to_owned());
    }
    Ok(ListenUri::Inherited(scheme, name.to_owned(), proxies?))
}

/// The error about a parameter that listeners with this scheme do not have.
pub(super) fn unknown_parameter(scheme: Scheme, parameter: &str) -> String {
    format!("unknown parameter {}; expected {}", quoted(parameter), Proxies::parameters(scheme))
}

fn parse_scheme(scheme: &str) -> Result<Scheme, String> {
    match scheme.to_ascii_lowercase().as_str() {
        "tcp" => Ok(Scheme::Tcp),
        "unix" => Ok(Scheme::Unix),
        "tls" => needs("tls", Scheme::Tls, &[("tls", cfg!(feature = "tls"))]),
        "http" => needs("http", Scheme::Http, &[("web", cfg!(feature = "web"))]),
        "https" => needs("https", Scheme::Https, &[("tls", cfg!(feature = "tls")), ("web", cfg!(feature = "web"))]),
        "metrics" => needs("metrics", Scheme::Metrics, &[("metrics", cfg!(feature = "metrics"))]),
        _ => Err(format!("unknown scheme {}; expected {SCHEMES}{METRICS_SCHEME}", quoted(scheme))),
    }
}

/// The scheme, if this program is built with these features.
fn needs(name: &str, scheme: Scheme, features: &[(&str, bool)]) -> Result<Scheme, String> {
    match features.iter().find(|(_, is_built)| !is_built) {
        Some((missing, _)) => Err(format!("{name}:// {}", COMMAND_LINE.needs_feature(missing))),
        None => Ok(scheme),
    }
}

/// The addresses of `HOST:PORT`.
fn resolve(address: &str) -> Result<Vec<SocketAddr>, String> {
    let form = "expected HOST:PORT, such as 127.0.0.1:9999 or [::1]:9999";
    if address.contains('@') {
        return Err(format!("{form}, without a user"));
    }
    if address.contains(['/', '?', '#']) {
        return Err(format!("{form}, and nothing after the port"));
    }
    let (host, port) = address.rsplit_once(':').ok_or(form)?;
    if host.contains(':') && !host.starts_with('[') {
        return Err("expected an IPv6 address in brackets, such as [::1]:9999".to_owned());
    }
    let port = parse_number(port, 0..=u16::MAX, "").map_err(|_| format!("{form}, with a port from 0 to 65535"))?;
    if host.is_empty() || host == "*" {
        return Err(format!("expected 0.0.0.0:{port} (and [::]:{port}) for every address of this machine"));
    }
    // The system's resolver knows the names of zones (`fe80::1%eth0`).
    let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).filter(|host| host.contains(':'));
    let addresses = (ipv6.unwrap_or(host), port).to_socket_addrs();
    let addresses = addresses.map_err(|_| format!("this host has no known address; {form}"))?;
    // The resolver may return an address twice.
    Ok(addresses.collect::<BTreeSet<_>>().into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, scheme: Scheme, address: &str) {
        let addresses = vec![address.parse().unwrap()];
        assert_eq!(parse_uri(raw), Ok(ListenUri::Ip(scheme, addresses, Proxies::default())), "{raw:?}");
    }

    #[test]
    fn address_without_scheme_is_tcp() {
        for raw in ["127.0.0.1:9999", "tcp://127.0.0.1:9999", "TCP://127.0.0.1:9999", "tcp://127.0.0.1:9999/"] {
            check(raw, Scheme::Tcp, "127.0.0.1:9999");
        }
        check("0.0.0.0:0", Scheme::Tcp, "0.0.0.0:0");
    }

    #[test]
    fn ipv6_address_has_brackets() {
        check("[::1]:9999", Scheme::Tcp, "[::1]:9999");
        check("tcp://[::]:9999", Scheme::Tcp, "[::]:9999");
        check("tcp://[fe80::1%2]:9999", Scheme::Tcp, "[fe80::1%2]:9999");
        // The loopback interface is the first one.
        check("[fe80::1%lo]:9999", Scheme::Tcp, "[fe80::1%1]:9999");
        for raw in ["::1:9999", "tcp://::1:9999"] {
            assert_eq!(parse_uri(raw).unwrap_err(), "expected an IPv6 address in brackets, such as [::1]:9999");
        }
    }

    #[test]
    #[cfg(feature = "web")]
    fn http_is_a_scheme() {
        for raw in ["http://127.0.0.1:8080", "HTTP://127.0.0.1:8080", "http://127.0.0.1:8080/"] {
            check(raw, Scheme::Http, "127.0.0.1:8080");
        }
        check("http://[::1]:8080", Scheme::Http, "[::1]:8080");
    }

    #[test]
    #[cfg(feature = "metrics")]
    fn metrics_is_a_scheme_without_parameters() {
        check("metrics://127.0.0.1:9464/", Scheme::Metrics, "127.0.0.1:9464");
        let error = parse_uri("metrics://127.0.0.1:9464?proxy=::1").unwrap_err();
        assert_eq!(error, "unknown parameter \"proxy=::1\"; expected none");
    }

    #[test]
    fn address_needs_host_and_port_and_nothing_else() {
        let form = "expected HOST:PORT, such as 127.0.0.1:9999 or [::1]:9999";
        for raw in ["", "9999", "tcp://", "tcp://127.0.0.1", "[127.0.0.1]:9999", "[::1:9999"] {
            assert!(parse_uri(raw).unwrap_err().ends_with(form), "{raw:?}: {:?}", parse_uri(raw));
        }
        for raw in [
            "tcp://127.0.0.1:9999/chat",
            "tcp://127.0.0.1:9999//",
            "127.0.0.1:9999?proxy=::1",
            "127.0.0.1:9999#x",
            "127.0.0.1:9999/",
        ] {
            assert_eq!(parse_uri(raw).unwrap_err(), format!("{form}, and nothing after the port"), "{raw:?}");
        }
        for raw in ["127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1:65536"] {
            assert_eq!(parse_uri(raw).unwrap_err(), format!("{form}, with a port from 0 to 65535"), "{raw:?}");
        }
        assert_eq!(parse_uri("tcp://user:secret@127.0.0.1:9999").unwrap_err(), format!("{form}, without a user"));
        for (raw, scheme) in [("tcp:127.0.0.1:9999", "tcp"), ("TCP:/127.0.0.1:9999", "tcp"), ("http:x:1", "http")] {
            let slashes = format!("expected // after the scheme, as in {scheme}://127.0.0.1:9999");
            assert_eq!(parse_uri(raw).unwrap_err(), slashes, "{raw:?}");
        }
        for raw in [":80", "*:80", "tcp://:80"] {
            let every = "expected 0.0.0.0:80 (and [::]:80) for every address of this machine";
            assert_eq!(parse_uri(raw).unwrap_err(), every, "{raw:?}");
        }
    }

    #[test]
    fn unix_is_a_scheme_with_an_absolute_path() {
        let socket = UnixSocket { path: "/run/x".into(), mode: 0o660, user: None, group: None };
        let unix = |socket| Ok(ListenUri::Unix(socket, Proxies::default()));
        assert_eq!(parse_uri("unix:///run/x"), unix(socket.clone()));
        assert_eq!(parse_uri("UNIX:///run/x?mode=600"), unix(UnixSocket { mode: 0o600, ..socket }));
        for raw in ["unix:/run/x", "unix://run/x", "unix://"] {
            let form = "expected unix:///PATH, such as unix:///run/chinwag/chat.sock";
            assert_eq!(parse_uri(raw).unwrap_err(), form, "{raw:?}");
        }
    }

    #[test]
    #[cfg(feature = "systemd")]
    fn inherited_socket_has_a_name() {
        let inherited = |scheme, name: &str| Ok(ListenUri::Inherited(scheme, name.to_owned(), Proxies::default()));
        assert_eq!(parse_uri("tcp+fd://chat"), inherited(Scheme::Tcp, "chat"));
        assert_eq!(parse_uri("unix+fd://chinwag.socket"), inherited(Scheme::Unix, "chinwag.socket"));
        #[cfg(feature = "web")]
        assert_eq!(parse_uri("HTTP+fd://a b/c"), inherited(Scheme::Http, "a b/c"));
        let form = "expected tcp+fd://NAME, the FileDescriptorName= of a .socket unit: 1 to 255 ASCII characters without a colon";
        for raw in ["", "?proxy=::1", "a:b", "zo\u{eb}", "a\n", &"x".repeat(256)] {
            assert_eq!(parse_uri(&format!("tcp+fd://{raw}")).unwrap_err(), form, "{raw:?}");
        }
        let owner = "the .socket unit has the mode and the owner of an inherited socket: SocketMode=, SocketUser=, SocketGroup=";
        assert_eq!(parse_uri("unix+fd://chat?mode=600").unwrap_err(), owner);
        assert_eq!(
            parse_uri("fd://chat").unwrap_err(),
            format!("unknown scheme \"fd\"; expected {SCHEMES}{METRICS_SCHEME}")
        );
    }

    #[test]
    fn unknown_scheme_lists_the_known_ones() {
        for (raw, scheme) in [("ssl://x:1", "ssl"), ("WSS://x:1", "WSS"), ("ws://x:1/", "ws")] {
            assert_eq!(
                parse_uri(raw).unwrap_err(),
                format!("unknown scheme \"{scheme}\"; expected {SCHEMES}{METRICS_SCHEME}")
            );
        }
    }
}
