//! Parses the address of a server as users write it. Resolving the name is left to the caller.

use std::net::Ipv6Addr;

use super::parse_number;

/// Parses `host`, `host:port`, `host port` or an IPv6 address, which may have brackets and a zone (`fe80::1%eth0`). Returns
/// `host:port`.
///
/// # Errors
///
/// The host is missing, or the port is not from 1 to 65535. The error has the expected forms.
pub fn parse_server(raw: &str, default_port: u16) -> Result<String, String> {
    // A number would also be a valid IPv4 address.
    if parse_number(raw, 1..=u16::MAX, "").is_ok() {
        return Err(format!("a port needs a host, such as 127.0.0.1:{raw}"));
    }
    let address = with_port(raw, default_port);
    let is_port = |port: &str| parse_number(port, 1..=u16::MAX, "").is_ok();
    if address.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && is_port(port)) {
        return Ok(address);
    }
    let is_ipv6 = raw.matches(':').count() > 1 && !raw.contains('/');
    let hint = if is_ipv6 { "; an IPv6 address before a port takes brackets, such as [::1]:9999" } else { "" };
    Err(format!("expected host, host:port or host port, with a port from 1 to 65535{hint}"))
}

/// Adds the default port to a server without a port.
fn with_port(raw: &str, default_port: u16) -> String {
    if let Some((host, port)) = raw.trim().split_once(char::is_whitespace) {
        return format!("{}:{}", bracketed(host), port.trim_start());
    }
    let port = raw.rsplit_once(':').map(|(_, port)| port);
    match bracketed(raw) {
        host if host != raw => format!("{host}:{default_port}"),
        _ if port.is_some_and(|port| !port.ends_with(']')) => raw.to_owned(),
        host => format!("{host}:{default_port}"),
    }
}

/// Whether this is the form of the host in `host:port`: a name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    if host.starts_with('[') {
        let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        return inside.is_some_and(|address| bracketed(address) == host);
    }
    !host.is_empty() && !host.contains(|c: char| matches!(c, '[' | ']' | ':' | '/') || c.is_whitespace())
}

/// An IPv6 address in brackets; other hosts as they are.
fn bracketed(host: &str) -> String {
    let (address, zone) = host.split_once('%').unwrap_or((host, ""));
    // The zone cannot have a colon: the part after it would be a port, which belongs after the brackets.
    let is_address = address.parse::<Ipv6Addr>().is_ok() && !zone.contains(':');
    if is_address { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_without_port_gets_the_default() {
        let check = |raw: &str, expected: &str| assert_eq!(parse_server(raw, 9999).as_deref(), Ok(expected), "{raw:?}");
        check("localhost", "localhost:9999");
        check("10.0.0.9", "10.0.0.9:9999");
        check("10.0.0.9:7", "10.0.0.9:7");
        check("::1", "[::1]:9999");
        check("[::1]", "[::1]:9999");
        check("[::1]:7", "[::1]:7");
        check("fe80::1%eth0", "[fe80::1%eth0]:9999");
        check("[fe80::1%eth0]", "[fe80::1%eth0]:9999");
        check("[fe80::1%eth0]:7", "[fe80::1%eth0]:7");
        check("localhost 7", "localhost:7");
        check("::1 7", "[::1]:7");
        check("fe80::1%eth0 7", "[fe80::1%eth0]:7");
    }

    #[test]
    fn host_has_brackets_only_around_an_ipv6_address() {
        for host in ["localhost", "10.0.0.9", "[::1]", "[fe80::1%eth0]"] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "",
            "[",
            "]",
            "[]",
            "[:",
            "[::1",
            "::1]",
            "[[::1]]",
            "[::1]]",
            "[::1]x",
            "[localhost]",
            "a]",
            "a:b",
            "::1",
            " ",
            " a",
            "a b",
            "a\u{a0}",
            "a/",
            "fe80::1%eth0",
            "[fe80::1%eth0:7]",
        ] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn invalid_server_is_explained() {
        for raw in ["localhost", "localhost:7", "localhost 7", "::1", "[::1]:7", "fe80::1%eth0", "fe80::1%eth0 7"] {
            assert!(parse_server(raw, 9999).is_ok(), "{raw}");
        }
        assert_eq!(parse_server("7", 9999).unwrap_err(), "a port needs a host, such as 127.0.0.1:7");
        for (raw, is_ipv6) in [
            ("", false),
            (" localhost:7", false),
            ("localhost:", false),
            ("localhost:0", false),
            ("localhost 65536", false),
            ("tcp://localhost:7", false),
            ("http://localhost/", false),
            ("localhost/", false),
            ("fe80::1%eth0:7", true),
            ("[::1", true),
            ("::1]:7", true),
        ] {
            let why = parse_server(raw, 9999).unwrap_err();
            let expected = "expected host, host:port or host port, with a port from 1 to 65535";
            assert!(why.starts_with(expected), "{raw:?}: {why}");
            assert_eq!(why.ends_with("takes brackets, such as [::1]:9999"), is_ipv6, "{why}");
        }
    }
}
