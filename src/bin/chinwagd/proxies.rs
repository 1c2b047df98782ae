//! The parameters of `--listen` about proxies: `?proxy=10.0.0.0/8`, `?forwarded=10.0.0.0/8`, `?x-forwarded-for=10.0.0.0/8`.

#[cfg(feature = "web")]
use std::sync::Arc;

use chinwag::proxy::TrustedProxies;
#[cfg(feature = "web")]
use chinwag::server::WebOptions;
use chinwag::server::{Listener, Scheme};
#[cfg(feature = "web")]
use chinwag::web::{Forwarding, ForwardingField};

/// The proxies in front of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Proxies {
    /// Those that send a PROXY protocol header.
    header: Option<TrustedProxies>,
    /// Those that set a field of HTTP requests.
    #[cfg(feature = "web")]
    forwarding: Option<Forwarding>,
}

impl Proxies {
    /// Takes a parameter of a listener with this scheme. Returns false if the parameter is not about proxies.
    pub(super) fn take(&mut self, scheme: Scheme, parameter: &str) -> Result<bool, String> {
        let Some((name, value)) = parameter.split_once('=') else { return Ok(false) };
        match (name, scheme) {
            (_, Scheme::Metrics) => return Ok(false),
            ("proxy", _) => self.add_header(parse(scheme, value)?),
            #[cfg(feature = "web")]
            ("forwarded", Scheme::Http | Scheme::Https) => {
                self.add_forwarding(ForwardingField::Forwarded, parse(scheme, value)?)?;
            }
            #[cfg(feature = "web")]
            ("x-forwarded-for", Scheme::Http | Scheme::Https) => {
                self.add_forwarding(ForwardingField::XForwardedFor, parse(scheme, value)?)?;
            }
            ("forwarded" | "x-forwarded-for", _) => {
                return Err(format!("{name} is for http:// and https://; expected {}", Self::parameters(scheme)));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The parameters of a listener with this scheme, as an error lists them.
    pub(super) fn parameters(scheme: Scheme) -> &'static str {
        match scheme {
            Scheme::Unix => "mode=660, owner=USER:GROUP or proxy=unix",
            Scheme::Http | Scheme::Https => "proxy=ADDRESS, forwarded=ADDRESS or x-forwarded-for=ADDRESS",
            Scheme::Tcp | Scheme::Tls => "proxy=ADDRESS",
            Scheme::Metrics => "none",
        }
    }

    fn add_header(&mut self, proxies: TrustedProxies) {
        self.header.get_or_insert_default().add(proxies);
    }

    #[cfg(feature = "web")]
    fn add_forwarding(&mut self, field: ForwardingField, proxies: TrustedProxies) -> Result<(), String> {
        match &mut self.forwarding {
            // A client could send the field that its proxy does not set.
            Some(forwarding) if forwarding.field() != field => {
                return Err("expected either forwarded or x-forwarded-for: the field that the proxy sets".to_owned());
            }
            Some(forwarding) => forwarding.add(proxies),
            None => self.forwarding = Some(Forwarding::new(field, proxies)),
        }
        Ok(())
    }

    /// The options of an HTTP listener behind these proxies.
    #[cfg(feature = "web")]
    pub(super) fn web_options(&self, options: &Arc<WebOptions>) -> Arc<WebOptions> {
        match self.forwarding.clone() {
            None => Arc::clone(options),
            forwarding => Arc::new(WebOptions { forwarding, ..WebOptions::clone(options) }),
        }
    }

    /// Puts a listener behind these proxies.
    pub(super) fn apply(&self, listener: Listener) -> Listener {
        match &self.header {
            None => listener,
            Some(proxies) => listener.behind(proxies.clone()),
        }
    }
}

fn parse(scheme: Scheme, value: &str) -> Result<TrustedProxies, String> {
    let proxies: TrustedProxies = value.parse()?;
    match scheme {
        Scheme::Unix if proxies.has_addresses() => {
            Err("a connection on a Unix socket has no address; expected proxy=unix".to_owned())
        }
        Scheme::Unix => Ok(proxies),
        _ if proxies.has_unix() => Err("unix is for unix:///PATH; expected the addresses of the proxies".to_owned()),
        _ => Ok(proxies),
    }
}

#[cfg(test)]
mod tests {
    use super::super::listen::{ListenUri, parse_uri};
    use super::*;

    #[track_caller]
    fn proxies(raw: &str) -> Proxies {
        match parse_uri(raw) {
            Ok(ListenUri::Ip(_, _, proxies) | ListenUri::Unix(_, proxies) | ListenUri::Inherited(_, _, proxies)) => {
                proxies
            }
            Err(error) => panic!("{raw}: {error}"),
        }
    }

    fn header(proxies: &str) -> Proxies {
        let mut all = Proxies::default();
        all.add_header(proxies.parse().unwrap());
        all
    }

    #[test]
    fn proxies_are_a_list_or_repeated() {
        assert_eq!(proxies("tcp://127.0.0.1:9999"), Proxies::default());
        assert_eq!(proxies("tcp://127.0.0.1:9999/?"), Proxies::default());
        assert_eq!(proxies("tcp://127.0.0.1:9999?proxy=10.0.0.9"), header("10.0.0.9"));
        let both = header("10.0.0.0/8,2001:db8::1");
        assert_eq!(proxies("tcp://[::1]:9999/?proxy=10.0.0.0/8,2001:db8::1"), both);
        assert_eq!(proxies("tcp://[::1]:9999?proxy=10.0.0.0/8&proxy=2001:db8::1"), both);
        assert_eq!(proxies("unix:///run/x?mode=600&proxy=unix"), header("unix"));
        if cfg!(feature = "systemd") {
            assert_eq!(proxies("unix+fd://chat?proxy=unix"), header("unix"));
            assert_eq!(proxies("tcp+fd://chat?proxy=10.0.0.9"), header("10.0.0.9"));
        }
    }

    #[test]
    #[cfg(feature = "web")]
    fn one_field_names_the_clients() {
        let forwarding = |field, proxies: &str| Proxies {
            forwarding: Some(Forwarding::new(field, proxies.parse().unwrap())),
            ..Proxies::default()
        };
        let x_forwarded_for = forwarding(ForwardingField::XForwardedFor, "10.0.0.9,10.0.0.8");
        assert_eq!(proxies("http://127.0.0.1:80?x-forwarded-for=10.0.0.9&x-forwarded-for=10.0.0.8"), x_forwarded_for);
        let forwarded = forwarding(ForwardingField::Forwarded, "::1");
        assert_eq!(proxies("http://127.0.0.1:80/?forwarded=::1"), forwarded);
        let both = Proxies { header: header("10.0.0.9").header, ..forwarded };
        assert_eq!(proxies("http://127.0.0.1:80?forwarded=::1&proxy=10.0.0.9"), both);
        let error = parse_uri("http://127.0.0.1:80?forwarded=::1&x-forwarded-for=::1").unwrap_err();
        assert_eq!(error, "expected either forwarded or x-forwarded-for: the field that the proxy sets");
    }

    #[test]
    fn error_says_what_is_expected() {
        let check = |raw: &str, expected: &str| assert_eq!(parse_uri(raw).unwrap_err(), expected, "{raw}");
        let form = "expected an IP address or a prefix, such as 10.0.0.9, 10.0.0.0/8 or 2001:db8::/32";
        check("tcp://127.0.0.1:9999?proxy=", &format!("invalid proxy \"\": {form}"));
        check("tcp://127.0.0.1:9999?proxy=localhost", &format!("invalid proxy \"localhost\": {form}"));
        check("tcp://127.0.0.1:9999?proxy=unix", "unix is for unix:///PATH; expected the addresses of the proxies");
        check("unix:///x?proxy=10.0.0.9", "a connection on a Unix socket has no address; expected proxy=unix");
        let other = "is for http:// and https://; expected";
        check("tcp://127.0.0.1:9999?forwarded=10.0.0.9", &format!("forwarded {other} proxy=ADDRESS"));
        let of_unix = "mode=660, owner=USER:GROUP or proxy=unix";
        check("unix:///x?x-forwarded-for=10.0.0.9", &format!("x-forwarded-for {other} {of_unix}"));
        check("unix:///x?user=me", &format!("unknown parameter \"user=me\"; expected {of_unix}"));
        check("tcp://127.0.0.1:9999?proxy", "unknown parameter \"proxy\"; expected proxy=ADDRESS");
        check("tcp://127.0.0.1:9999?mode=600", "unknown parameter \"mode=600\"; expected proxy=ADDRESS");
    }
}
