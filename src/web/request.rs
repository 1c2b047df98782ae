//! HTTP request heads (RFC 9112): the kind of request, or the reason for its refusal.

use httparse::{EMPTY_HEADER, Error, Header, Status as Parsed};
use tungstenite::handshake::derive_accept_key;

use super::authority::Authority;
use super::page::{self, Asset};
use super::target::RequestTarget;
use super::{AllowedOrigins, Answer, HttpStatus, RequestRoute, WebOrigin};
use crate::limits::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX};

/// The relevant parts of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method is HEAD: send the answer without its body.
    pub is_head: bool,
    /// The way on which it came.
    pub route: RequestRoute,
    /// The kind of request, with its answer.
    pub asked: RequestKind,
}

/// Kinds of requests, with their answers.
#[derive(Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A WebSocket handshake: after this answer, the connection speaks WebSocket.
    Join(Answer),
    /// A health check: the answer if the server is healthy.
    Health(Answer),
    /// Any other request.
    Other(Answer),
}

/// A part of the server, by its path.
#[derive(Clone, Copy, Debug)]
enum Resource {
    /// The server as a whole (`OPTIONS *`).
    Server,
    Health,
    WebSocket,
    Asset(&'static Asset),
}

/// Methods that a standard defines (RFC 9110, section 9; RFC 5789). Others are answered as not implemented.
const METHODS: [&str; 9] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"];

impl HttpRequest {
    /// Parses the head at the start of these bytes; `None` if it is incomplete.
    pub fn read(bytes: &[u8], origins: &AllowedOrigins) -> Option<Self> {
        let mut fields = [EMPTY_HEADER; HEAD_FIELDS_MAX];
        let mut head = httparse::Request::new(&mut fields);
        let asked = match head.parse(bytes) {
            Ok(Parsed::Complete(end)) => answer_head(&head, &bytes[end..], origins).unwrap_or_else(RequestKind::Other),
            Ok(Parsed::Partial) if bytes.len() < HEAD_BYTES_MAX => return None,
            Ok(Parsed::Partial) | Err(Error::TooManyHeaders) => RequestKind::Other(Answer::text(
                HttpStatus::RequestHeaderFieldsTooLarge,
                format!(
                    "the request header is too large: expected at most {HEAD_BYTES_MAX} bytes and {HEAD_FIELDS_MAX} fields"
                ),
            )),
            Err(error) => RequestKind::Other(answer_malformed(bytes, &head, error)),
        };
        Some(Self { is_head: head.method == Some("HEAD"), route: RequestRoute::of(&head), asked })
    }
}

impl Resource {
    fn find(path: &str) -> Option<Self> {
        match path {
            "*" => Some(Self::Server),
            "/healthz" => Some(Self::Health),
            "/ws" => Some(Self::WebSocket),
            _ => page::find(path).map(Self::Asset),
        }
    }

    /// The methods that the resource accepts, as in an `Allow` field.
    fn methods(self) -> &'static str {
        match self {
            Self::WebSocket => "GET, OPTIONS",
            Self::Server | Self::Health | Self::Asset(_) => "GET, HEAD, OPTIONS",
        }
    }

    /// Whether the resource is served under any host name, because its answer does not depend on the client.
    fn has_any_host(self) -> bool {
        matches!(self, Self::Server | Self::Health)
    }
}

/// The method and the path of a request, for a log; `None` if the bytes do not begin with the request line of a server's client, so that no
/// other text gets into the log. No user name, password, query or fragment is shown, because they can be secret.
pub fn loggable_request(bytes: &[u8]) -> Option<String> {
    let mut fields = [EMPTY_HEADER; HEAD_FIELDS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    // The head may be malformed or incomplete after the request line.
    let _ = head.parse(bytes);
    let (Some(method), Some(target), Some(_version)) = (head.method, head.path, head.version) else { return None };
    let method = METHODS.into_iter().find(|known| *known == method)?;
    let target = RequestTarget::parse(target.split('#').next()?).ok()?;
    Some(format!("{method} {}", target.path))
}

/// Answers a complete head, which `rest` follows. The error is a refusal.
fn answer_head(head: &httparse::Request<'_, '_>, rest: &[u8], origins: &AllowedOrigins) -> Result<RequestKind, Answer> {
    let (method, target) = (head.method.unwrap_or_default(), head.path.unwrap_or_default());
    if !METHODS.contains(&method) {
        let text = "unknown method: expected GET, HEAD or OPTIONS, in capitals";
        return Err(Answer::text(HttpStatus::NotImplemented, text));
    }
    if method == "CONNECT" {
        return Err(not_allowed(Resource::Server.methods(), "this server is not a proxy"));
    }
    let in_field = read_host(head)?;
    let target =
        RequestTarget::parse(target).ok().filter(|target| target.path != "*" || method == "OPTIONS").ok_or_else(
            || bad_request("invalid request target: expected a path, such as /, or a URL such as http://host/"),
        )?;
    let host = target.authority.or(in_field);
    let resource = Resource::find(&target.path);
    if let Some(authority) = &host
        && !resource.is_some_and(Resource::has_any_host)
        && !origins.accepts_host(&authority.host)
    {
        let why = "unknown host name: use the server's IP address (to allow the name, start chinwagd with \
                   --http-origin https://NAME)";
        return Err(Answer::text(HttpStatus::MisdirectedRequest, why));
    }
    let Some(resource) = resource else {
        let why = "not found; the page is at / (a proxy that serves it under a path must remove that path)";
        return Err(Answer::text(HttpStatus::NotFound, why));
    };
    let methods = resource.methods();
    if !methods.split(", ").any(|allowed| allowed == method) {
        return Err(not_allowed(methods, &format!("method not allowed: expected one of {methods}")));
    }
    Ok(match resource {
        Resource::Health if method == "OPTIONS" => RequestKind::Health(options(methods)),
        Resource::Health => RequestKind::Health(Answer::text(HttpStatus::Ok, "ok")),
        _ if method == "OPTIONS" => RequestKind::Other(options(methods)),
        Resource::WebSocket => RequestKind::Join(answer_handshake(head, rest, host.as_ref(), origins)?),
        Resource::Asset(asset) => RequestKind::Other(asset.into()),
        Resource::Server => RequestKind::Other(options(methods)),
    })
}

/// Parses the `Host` field. Only HTTP/1.0 clients may omit it, and an empty one counts as omitted (RFC 9112, section 3.2); browsers do
/// neither.
fn read_host(head: &httparse::Request<'_, '_>) -> Result<Option<Authority>, Answer> {
    match single_value(head.headers, "Host")? {
        None if head.version == Some(0) => Ok(None),
        None => Err(bad_request("the Host field is missing")),
        Some("") => Ok(None),
        Some(raw) => match Authority::parse(raw) {
            None => {
                Err(bad_request("invalid Host field: expected a host name or an IP address, with a port if needed"))
            }
            host => Ok(host),
        },
    }
}

/// Answers a WebSocket handshake (RFC 6455, section 4.2).
fn answer_handshake(
    head: &httparse::Request<'_, '_>,
    rest: &[u8],
    host: Option<&Authority>,
    origins: &AllowedOrigins,
) -> Result<Answer, Answer> {
    let fields = &*head.headers;
    if head.version == Some(0) {
        let text = "WebSocket needs HTTP/1.1; behind nginx, set: proxy_http_version 1.1";
        return Err(Answer::text(HttpStatus::UpgradeRequired, text));
    }
    if !has_word(fields, "Upgrade", "websocket") || !has_word(fields, "Connection", "upgrade") {
        let text = "expected a WebSocket handshake, with Upgrade: websocket and Connection: Upgrade (a proxy must pass these on); \
                    the page is at /";
        return Err(Answer::text(HttpStatus::UpgradeRequired, text));
    }
    if single_value(fields, "Sec-WebSocket-Version")? != Some("13") {
        let answer = Answer::text(
            HttpStatus::UpgradeRequired,
            "unsupported WebSocket version: expected Sec-WebSocket-Version: 13",
        );
        return Err(answer.with_header("Sec-WebSocket-Version", "13"));
    }
    let key = single_value(fields, "Sec-WebSocket-Key")?.filter(|key| is_key(key));
    let key = key.ok_or_else(|| bad_request("invalid Sec-WebSocket-Key: expected 16 bytes in base64"))?;
    let host = host.ok_or_else(|| bad_request("the Host field is empty"))?;
    // Browsers always send an origin; other clients could send any.
    if let Some(origin) = single_value(fields, "Origin")?
        && !WebOrigin::parse(origin).is_some_and(|origin| origins.allows(&origin, host))
    {
        let why = "pages of this origin may not join (to allow them, start chinwagd with --http-origin ORIGIN)";
        return Err(Answer::text(HttpStatus::Forbidden, why));
    }
    // The server would read a body as frames, while a proxy takes it for the body.
    if single_value(fields, "Content-Length")?.is_some_and(|length| length != "0")
        || values(fields, "Transfer-Encoding").next().is_some()
    {
        return Err(bad_request("a WebSocket handshake must not have a body"));
    }
    // A client waits for the answer before it sends frames (RFC 6455, section 4.1).
    if !rest.is_empty() {
        return Err(bad_request("a client must not send frames before the answer"));
    }
    Ok(Answer::switching_protocols(derive_accept_key(key.as_bytes())))
}

/// Answers bytes that are not an HTTP request.
fn answer_malformed(bytes: &[u8], head: &httparse::Request<'_, '_>, error: Error) -> Answer {
    let request_line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let version = request_line.split(|&byte| byte == b' ').nth(2).unwrap_or_default();
    // The type of a handshake record (RFC 8446, section 5.1). No HTTP request begins with this byte, and the answer must not depend on how
    // many bytes arrived with it.
    if bytes.first() == Some(&22) {
        bad_request("this port speaks plain HTTP, not TLS; use http://, or a TLS proxy in front of chinwagd")
    } else if error == Error::Version && version.starts_with(b"HTTP/") {
        let text = "unsupported HTTP version: expected HTTP/1.1 or HTTP/1.0";
        Answer::text(HttpStatus::VersionNotSupported, text)
    } else if head.version.is_some() {
        bad_request("malformed header field: expected lines of the form Name: value")
    } else {
        bad_request("not an HTTP request: this port is for browsers; with nc or telnet, connect to the TCP port")
    }
}

/// Answers `OPTIONS` (RFC 9110, section 9.3.7).
fn options(methods: &str) -> Answer {
    Answer::text(HttpStatus::Ok, methods).with_header("Allow", methods)
}

fn not_allowed(methods: &str, why: &str) -> Answer {
    Answer::text(HttpStatus::MethodNotAllowed, why).with_header("Allow", methods)
}

/// The value of a field, if the field is there. More than one is an error.
fn single_value<'a>(fields: &[Header<'a>], name: &str) -> Result<Option<&'a str>, Answer> {
    let mut values = values(fields, name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let value = str::from_utf8(value).map_err(|_| bad_request(&format!("the {name} field is not UTF-8")))?;
            Ok(Some(value.trim()))
        }
        (Some(_), Some(_)) => Err(bad_request(&format!("the {name} field occurs more than once"))),
    }
}

fn values<'a>(fields: &[Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

/// Whether a list, which may span several fields, contains this word.
fn has_word(fields: &[Header<'_>], name: &str, word: &str) -> bool {
    let words = values(fields, name).flat_map(|value| value.split(|&byte| byte == b','));
    words.map(<[u8]>::trim_ascii).any(|listed| listed.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether a key is 16 bytes in base64: 22 characters and the padding.
fn is_key(key: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    key.strip_suffix("==").is_some_and(|letters| letters.len() == 22 && letters.as_bytes().iter().all(is_letter))
}

fn bad_request(why: &str) -> Answer {
    Answer::text(HttpStatus::BadRequest, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDSHAKE: &str = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn read(head: &str) -> Option<HttpRequest> {
        HttpRequest::read(head.as_bytes(), &AllowedOrigins::new(vec!["https://chat.example.org".parse().unwrap()]))
    }

    #[track_caller]
    fn answer(head: &str) -> Answer {
        match read(head).expect("a whole head").asked {
            RequestKind::Join(answer) | RequestKind::Health(answer) | RequestKind::Other(answer) => answer,
        }
    }

    #[track_caller]
    fn refused(head: &str, status: HttpStatus, text: &str) {
        let bytes = answer(head).to_bytes("", false);
        let body = String::from_utf8(bytes).expect("text");
        assert!(answer(head).status() == status && body.contains(text), "{head:?}: {body}");
    }

    #[track_caller]
    fn status(request_line: &str, fields: &str) -> u16 {
        let version = if request_line.contains(" HTTP/") { "" } else { " HTTP/1.1" };
        answer(&format!("{request_line}{version}\r\nHost: 127.0.0.1:8080\r\n{fields}\r\n")).status() as u16
    }

    #[test]
    fn path_is_found_or_answered_404() {
        assert_eq!(status("GET /", ""), 200);
        assert_eq!(status("GET /index.html", ""), 200);
        assert_eq!(status("HEAD /page.css?x=1", ""), 200);
        assert_eq!(status("GET //page.css", ""), 200);
        assert_eq!(status("GET /%68ealthz", ""), 200);
        assert_eq!(status("GET /healthz", ""), 200);
        assert_eq!(status("GET /../../etc/passwd", ""), 404);
        assert_eq!(status("GET /chat/page.css", ""), 404);
        assert!(read("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap().is_head);
    }

    #[test]
    fn method_is_answered_by_its_resource() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
            assert_eq!(status(&format!("{method} /"), ""), 405, "{method}");
            assert_eq!(status(&format!("{method} /healthz"), ""), 405, "{method}");
            assert_eq!(status(&format!("{method} /nothing"), ""), 404, "{method}");
        }
        assert_eq!(status("HEAD /ws", HANDSHAKE), 405);
        assert_eq!(status("POST /ws", HANDSHAKE), 405);
        assert_eq!(status("CONNECT 127.0.0.1:8080", ""), 405);
        for unknown in ["get /", "Get /", "BREW /", "get /ws", "PROPFIND /nothing"] {
            assert_eq!(status(unknown, HANDSHAKE), 501, "{unknown}");
        }
    }

    #[test]
    fn options_lists_methods() {
        let read_only = "GET, HEAD, OPTIONS";
        for (target, methods) in [
            ("/", read_only),
            ("/page.js", read_only),
            ("/healthz", read_only),
            ("*", read_only),
            ("http://localhost", read_only),
            ("/ws", "GET, OPTIONS"),
        ] {
            let expected = Answer::text(HttpStatus::Ok, methods).with_header("Allow", methods);
            assert_eq!(answer(&format!("OPTIONS {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")), expected, "{target}");
        }
        assert_eq!(status("OPTIONS /nothing", ""), 404);
        assert_eq!(status("GET *", ""), 400);
        // HAProxy's health check by default.
        assert_eq!(answer("OPTIONS / HTTP/1.0\r\n\r\n").status(), HttpStatus::Ok);
    }

    #[test]
    fn health_check_accepts_any_host() {
        let is_health = |head: &str| matches!(read(head).expect("a whole head").asked, RequestKind::Health(_));
        for host in ["chinwag.internal", "evil.example:8080", "10.0.0.9", ""] {
            assert!(is_health(&format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n")), "{host}");
        }
        assert!(is_health("GET /healthz HTTP/1.0\r\n\r\n"));
        assert!(is_health("HEAD /healthz HTTP/1.0\r\n\r\n"));
        assert!(is_health("OPTIONS /healthz HTTP/1.0\r\n\r\n"));
        assert!(is_health("GET http://chinwag.internal:8080/healthz HTTP/1.1\r\nHost: other.internal\r\n\r\n"));
        assert!(is_health("GET http://chinwag.internal/healthz HTTP/1.0\r\n\r\n"));
    }

    #[test]
    fn host_field_is_checked() {
        for path in ["/", "/healthz", "/ws"] {
            refused(&format!("GET {path} HTTP/1.1\r\n\r\n"), HttpStatus::BadRequest, "the Host field is missing");
            let twice = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nhost: localhost\r\n\r\n");
            refused(&twice, HttpStatus::BadRequest, "the Host field occurs more than once");
            for invalid in
                ["a b", "user@localhost", "localhost:x", "localhost:65536", "localhost, localhost", "[::1", "a/b"]
            {
                for target in [path.to_owned(), format!("http://localhost{path}")] {
                    let head = format!("GET {target} HTTP/1.1\r\nHost: {invalid}\r\n\r\n");
                    refused(&head, HttpStatus::BadRequest, "invalid Host field");
                }
            }
        }
        // No browser sends these.
        assert_eq!(answer("GET / HTTP/1.0\r\n\r\n").status(), HttpStatus::Ok);
        assert_eq!(answer("GET / HTTP/1.1\r\nHost:\r\n\r\n").status(), HttpStatus::Ok);
        let empty = format!("GET /ws HTTP/1.1\r\nHost: \r\n{HANDSHAKE}\r\n");
        refused(&empty, HttpStatus::BadRequest, "the Host field is empty");
    }

    #[test]
    fn absolute_target_replaces_host_field() {
        let asked = |target: &str, host: &str, origin: &str| {
            let origin = if origin.is_empty() { String::new() } else { format!("Origin: {origin}\r\n") };
            answer(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{origin}{HANDSHAKE}\r\n")).status() as u16
        };
        assert_eq!(asked("http://localhost/", "evil.example", ""), 200);
        assert_eq!(asked("http://evil.example/", "localhost", ""), 421);
        assert_eq!(asked("http://localhost:8080/ws", "evil.example", "http://localhost:8080"), 101);
        assert_eq!(asked("http://localhost:8080/ws", "localhost:1", "http://localhost:1"), 403);
        assert_eq!(asked("http://evil.example/ws", "localhost", "http://evil.example"), 421);
        assert_eq!(asked("http://user@localhost/", "localhost", ""), 400);
        assert_eq!(asked("ftp://localhost/", "localhost", ""), 400);
    }

    #[test]
    fn handshake_follows_the_standard() {
        let head = format!("GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n{HANDSHAKE}\r\n");
        // The key and the answer are those of RFC 6455, section 1.3.
        let route = RequestRoute { is_forwarded: false, is_to_own_machine: true };
        let expected = RequestKind::Join(Answer::switching_protocols("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned()));
        assert_eq!(read(&head), Some(HttpRequest { is_head: false, route, asked: expected }));
        let check = |from: &str, to: &str, expected: u16| {
            assert_eq!(status("GET /ws", &HANDSHAKE.replace(from, to)), expected, "{from:?} as {to:?}");
        };
        check("websocket", "WebSocket", 101);
        check("websocket", "h2c, websocket", 101);
        check("Upgrade: websocket\r\n", "Upgrade: h2c\r\nUpgrade: websocket\r\n", 101);
        check("Connection: keep-alive, Upgrade", "Connection: keep-alive\r\nConnection: UPGRADE", 101);
        check("Upgrade: websocket", "Upgrade: websocket2", 426);
        check("Upgrade: websocket\r\n", "", 426);
        check("keep-alive, Upgrade", "keep-alive", 426);
        check("Version: 13", "Version: 8", 426);
        check("Version: 13", "Version: 13, 8", 426);
        check("Sec-WebSocket-Version: 13\r\n", "", 426);
        check("13\r\n", "13\r\nSec-WebSocket-Version: 13\r\n", 400);
        check("==", "", 400);
        check("dGhl", "dG", 400);
        check("dGhl", "dG*l", 400);
        check("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400);
        check("==\r\n", "==\r\nSec-WebSocket-Key: x\r\n", 400);
        check("==\r\n", "==\r\nContent-Length: 0\r\n", 101);
        check("==\r\n", "==\r\nContent-Length: 5\r\n", 400);
        check("==\r\n", "==\r\nTransfer-Encoding: chunked\r\n", 400);
        assert_eq!(status("GET /ws", ""), 426);
        let early = format!("GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n{HANDSHAKE}\r\n\u{1}");
        refused(&early, HttpStatus::BadRequest, "must not send frames before the answer");
    }

    #[test]
    fn upgrade_over_http_1_0_is_refused() {
        for host in ["Host: localhost\r\n", ""] {
            let head = format!("GET /ws HTTP/1.0\r\n{host}{HANDSHAKE}\r\n");
            refused(&head, HttpStatus::UpgradeRequired, "proxy_http_version 1.1");
        }
    }

    #[test]
    fn handshake_accepts_no_subprotocol_or_extension() {
        let offers = "Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
        let with = answer(&format!("GET /ws HTTP/1.1\r\nHost: localhost\r\n{HANDSHAKE}{offers}\r\n"));
        assert_eq!(with, answer(&format!("GET /ws HTTP/1.1\r\nHost: localhost\r\n{HANDSHAKE}\r\n")));
        let bytes = String::from_utf8(with.to_bytes("", false)).unwrap();
        assert!(!bytes.contains("-Protocol") && !bytes.contains("-Extensions"), "{bytes}");
    }

    #[test]
    fn only_own_or_allowed_origin_may_join() {
        let joins = |origin: &str| status("GET /ws", &format!("{HANDSHAKE}Origin: {origin}\r\n"));
        assert_eq!(joins("http://127.0.0.1:8080"), 101);
        assert_eq!(joins("https://chat.example.org"), 101);
        assert_eq!(joins("https://chat.example.org:443"), 101);
        assert_eq!(joins("http://evil.example"), 403);
        assert_eq!(joins("null"), 403);
        assert_eq!(joins(""), 403);
        assert_eq!(joins("http://127.0.0.1:8080\r\nOrigin: http://evil.example"), 400);
        assert_eq!(status("GET /ws", HANDSHAKE), 101);
    }

    #[test]
    fn unknown_host_name_is_refused() {
        let asked = |path: &str, host: &str| {
            let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\n{HANDSHAKE}\r\n");
            answer(&head).status() as u16
        };
        assert_eq!(asked("/ws", "evil.example:8080"), 421);
        assert_eq!(asked("/", "evil.example:8080"), 421);
        assert_eq!(asked("/nothing", "evil.example:8080"), 421);
        for same in ["chat.example.org", "chat.example.org:443", "CHAT.example.org.", "chat.example.org.:443"] {
            assert_eq!(asked("/ws", same), 101, "{same}");
        }
    }

    #[test]
    fn incomplete_head_is_awaited_up_to_its_limit() {
        for part in ["", "GET / HTTP/1.1\r\nHost: a\r\n", "\r\n\r\n", "\n", "G"] {
            assert_eq!(read(part), None, "{part:?}");
        }
        let text = "expected at most";
        refused(&format!("GET /{}", "x".repeat(HEAD_BYTES_MAX)), HttpStatus::RequestHeaderFieldsTooLarge, text);
        refused(&"\r\n".repeat(HEAD_BYTES_MAX / 2), HttpStatus::RequestHeaderFieldsTooLarge, text);
        let fields = "A: b\r\n".repeat(HEAD_FIELDS_MAX + 1);
        refused(&format!("GET / HTTP/1.1\r\n{fields}"), HttpStatus::RequestHeaderFieldsTooLarge, text);
        assert!(read(&format!("HEAD / HTTP/1.1\r\n{fields}")).unwrap().is_head);
    }

    #[test]
    fn head_is_read_leniently() {
        for head in [
            "GET / HTTP/1.1\nHost: localhost\n\n",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "\nGET / HTTP/1.1\r\nHOST:localhost\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\t localhost \t\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
            "GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ] {
            assert_eq!(answer(head).status(), HttpStatus::Ok, "{head:?}");
        }
    }

    /// Reading a head never panics, wherever it is cut, and a part of an accepted head is never refused.
    #[test]
    fn any_bytes_are_answered_or_awaited() {
        let pieces = [
            "GET ",
            "OPTIONS ",
            "/",
            "//",
            "*",
            "http://",
            "[::1%",
            "]",
            ":80",
            "@",
            "%68",
            "%",
            "\u{e9}",
            "ws",
            "healthz",
            "?",
            " HTTP/1.1",
            " HTTP/1.0",
            "\r\n",
            "\n",
            "\r",
            "Host: ",
            "localhost",
            "Origin: https://",
            "Content-Length: 0",
            HANDSHAKE,
            "\0",
            "\u{16}\u{3}",
        ];
        arbtest::arbtest(|u| {
            let mut head = String::new();
            for _ in 0..u.int_in_range(0..=20)? {
                head.push_str(u.choose(&pieces)?);
            }
            let whole = read(&head);
            let cut = (0..head.len()).filter(|&at| head.is_char_boundary(at)).find_map(|at| read(&head[..at]));
            if let Some(HttpRequest { asked: RequestKind::Join(_), .. }) = whole {
                assert_eq!(cut, None, "{head:?}");
            }
            Ok(())
        });
    }

    #[test]
    fn invalid_request_says_what_is_expected() {
        for noise in [
            "NICK alice\n",
            "NICK alice x\n",
            "\u{1}\u{2}\n",
            "GET /\r\n",
            "GET /a b HTTP/1.1\r\n\r\n",
            "GET  / HTTP/1.1\r\n\r\n",
        ] {
            refused(noise, HttpStatus::BadRequest, "not an HTTP request: ");
        }
        for fields in
            [" folded", "Host: localhost\r\n folded", "Host : localhost", "no colon", ": x", "A\u{1}: b", "A: b\u{1}"]
        {
            let head = format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n");
            refused(&head, HttpStatus::BadRequest, "malformed header field: ");
        }
        for version in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/0.9\r\n\r\n"] {
            refused(version, HttpStatus::VersionNotSupported, "expected HTTP/1.1");
        }
        for start in ["\u{16}", "\u{16}\u{3}", "\u{16}\u{3}\u{3}\u{2}", "\u{16}\u{1}", "\u{16}\u{3}\u{1}\u{2}"] {
            refused(start, HttpStatus::BadRequest, "not TLS");
        }
    }
}
