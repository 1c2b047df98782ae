//! The way of a request, by its head.

use httparse::Header;

use super::WebOrigin;
use super::authority::Authority;
use super::target::RequestTarget;

/// The way of a request, as far as its head tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestRoute {
    /// A proxy has passed the request on.
    pub is_forwarded: bool,
    /// The target, `Host` and `Origin` name no other machine than the client's own. Otherwise a browser on another machine sent the request,
    /// and a program that sets no field, such as a port forward, passed it on.
    pub is_to_own_machine: bool,
}

impl RequestRoute {
    pub(super) fn of(head: &httparse::Request<'_, '_>) -> Self {
        let target = head.path.and_then(|target| RequestTarget::parse(target).ok()).and_then(|target| target.authority);
        Self {
            is_forwarded: head.headers.iter().any(|field| is_set_by_proxies(field.name)),
            is_to_own_machine: target.is_none_or(|authority| authority.host.is_own_machine())
                && head.headers.iter().all(names_no_other_machine),
        }
    }
}

fn names_no_other_machine(field: &Header<'_>) -> bool {
    let is = |name: &str| field.name.eq_ignore_ascii_case(name);
    let value = || str::from_utf8(field.value).unwrap_or_default().trim();
    if is("Host") {
        Authority::parse(value()).is_some_and(|authority| authority.host.is_own_machine())
    } else if is("Origin") {
        WebOrigin::parse(value()).is_some_and(|origin| origin.host().is_own_machine())
    } else {
        true
    }
}

/// Whether proxies add this field to requests that they pass on.
pub(super) fn is_set_by_proxies(name: &str) -> bool {
    let known = ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP"];
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::super::{AllowedOrigins, HttpRequest};
    use super::*;

    fn route(target: &str, host: &str, field: &str) -> RequestRoute {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{field}\r\n\r\n");
        HttpRequest::read(head.as_bytes(), &AllowedOrigins::default()).unwrap().route
    }

    #[test]
    fn fields_of_proxies_are_noticed() {
        let is_forwarded = |field: &str| route("/", "127.0.0.1", field).is_forwarded;
        assert!(is_forwarded("x-forwarded-for: 192.0.2.1") && is_forwarded("Forwarded: for=192.0.2.1"));
        assert!(is_forwarded("Via: 1.1 proxy") && !is_forwarded("Forward: 1"));
    }

    #[test]
    fn request_to_own_machine_names_no_other() {
        let is_own = |target: &str, host: &str, field: &str| route(target, host, field).is_to_own_machine;
        for own in [
            "localhost",
            "LocalHost.:8080",
            "chat.localhost",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_own("/ws", own, &format!("Origin: http://{own}")), "{own}");
        }
        for other in [
            "192.0.2.2:8080",
            "chat.example.org",
            "localhost.example.org",
            "mylocalhost",
            "0.0.0.0",
            "[::]",
            "[fe80::1]",
            "",
        ] {
            assert!(!is_own("/ws", other, "Accept: */*"), "{other}");
        }
        assert!(!is_own("/ws", "127.0.0.1:8080", "Origin: https://chat.example.org"), "nginx has replaced the Host");
        assert!(!is_own("/ws", "127.0.0.1:8080", "origin: null"));
        assert!(
            !is_own("http://192.0.2.2/ws", "127.0.0.1", "Accept: */*")
                && is_own("http://[::1]/ws", "[::1]", "Accept: */*")
        );
    }
}
