//! The values of `--listen`: URIs whose scheme chooses the protocol.

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs as _};

use chinwag::command_line::{parse_number, quoted};
use chinwag::server::Listener;

use super::Arguments;
#[cfg(not(feature = "web"))]
use super::PROGRAM;

/// The schemes that this program supports, as an error lists them.
const SCHEMES: &str = if cfg!(feature = "web") {
    "tcp://HOST:PORT, http://HOST:PORT or HOST:PORT"
} else {
    "tcp://HOST:PORT or HOST:PORT"
};

/// One `--listen` option: the addresses of its host, and what clients speak there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListenUri {
    scheme: Scheme,
    /// One or more: a host name may have an IPv4 and an IPv6 address (`localhost`).
    addresses: Vec<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// `tcp`: lines.
    Tcp,
    /// `http`: the chat page, and lines over WebSocket.
    #[cfg(feature = "web")]
    Http,
}

impl ListenUri {
    #[cfg(feature = "web")]
    pub(super) fn is_http(&self) -> bool {
        self.scheme == Scheme::Http
    }
}

/// The listeners, in the order of the options. Without `--listen`, one for lines that only this machine can reach.
pub(super) fn listeners(arguments: &mut Arguments) -> Vec<Listener> {
    let mut uris = std::mem::take(&mut arguments.listen);
    if uris.is_empty() {
        uris.push(ListenUri { scheme: Scheme::Tcp, addresses: vec![SocketAddr::from(([127, 0, 0, 1], 9999))] });
    }
    #[cfg(feature = "web")]
    let web_options = super::web::options(arguments);
    let listener = |scheme, address| match scheme {
        Scheme::Tcp => Listener::lines(address),
        #[cfg(feature = "web")]
        Scheme::Http => Listener::web(address, &web_options),
    };
    uris.iter().flat_map(|uri| uri.addresses.iter().map(|&address| listener(uri.scheme, address))).collect()
}

/// Parses `tcp://HOST:PORT`, `http://HOST:PORT` or `HOST:PORT`, and looks up the host.
pub(super) fn parse_uri(raw: &str) -> Result<ListenUri, String> {
    // `unix:/path` is a URI, too.
    let (scheme, address) = match raw.split_once(":/") {
        Some((scheme, rest)) => {
            let address = rest.strip_prefix('/').unwrap_or_default();
            // A browser shows the address with a slash at the end, and so does the line on standard output.
            (parse_scheme(scheme)?, address.strip_suffix('/').unwrap_or(address))
        }
        None => (Scheme::Tcp, raw),
    };
    Ok(ListenUri { scheme, addresses: resolve(address)? })
}

fn parse_scheme(scheme: &str) -> Result<Scheme, String> {
    match scheme.to_ascii_lowercase().as_str() {
        "tcp" => Ok(Scheme::Tcp),
        #[cfg(feature = "web")]
        "http" => Ok(Scheme::Http),
        #[cfg(not(feature = "web"))]
        "http" => Err(format!("http:// {}", PROGRAM.needs_feature("web"))),
        _ => Err(format!("unknown scheme {}; expected {SCHEMES}", quoted(scheme))),
    }
}

/// The addresses of `HOST:PORT`.
fn resolve(address: &str) -> Result<Vec<SocketAddr>, String> {
    let form = "expected HOST:PORT, such as 127.0.0.1:9999 or [::1]:9999";
    let (host, port) = address.rsplit_once(':').ok_or(form)?;
    if host.contains(':') && !host.starts_with('[') {
        return Err("expected an IPv6 address in brackets, such as [::1]:9999".to_owned());
    }
    parse_number(port, 0..=u16::MAX, "").map_err(|_| format!("{form}, with a port from 0 to 65535"))?;
    if host.is_empty() || host == "*" {
        return Err(format!("expected 0.0.0.0:{port} (and [::]:{port}) for every address of this machine"));
    }
    let addresses = address.to_socket_addrs().map_err(|_| format!("this host has no known address; {form}"))?;
    // The resolver may return an address twice.
    Ok(addresses.collect::<BTreeSet<_>>().into_iter().collect())
}
