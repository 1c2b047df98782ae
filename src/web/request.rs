//! The head of an HTTP request (RFC 9112): what it asks for, or why it is refused.

use httparse::{EMPTY_HEADER, Error, Header, Status as Parsed};
use tungstenite::handshake::derive_accept_key;

use super::page::{self, Asset};
use super::{Answer, Origins, Status};
use crate::limits::{HEAD_BYTES_MAX, HEAD_FIELDS_MAX};

/// A request, as far as it matters.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// No body is to be sent.
    pub is_head: bool,
    /// What is asked for.
    pub asked: Asked,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// To join: after this answer it is WebSocket.
    Join(Answer),
    /// Whether the server is at work.
    Health,
    /// Something that is answered with this.
    Other(Answer),
}

impl Request {
    /// Reads the head at the begin of these bytes; `None` if it is not whole yet.
    pub fn read(bytes: &[u8], origins: &Origins) -> Option<Self> {
        let mut fields = [EMPTY_HEADER; HEAD_FIELDS_MAX];
        let mut head = httparse::Request::new(&mut fields);
        let refuse = |answer| Some(Self { is_head: false, asked: Asked::Other(answer) });
        match head.parse(bytes) {
            Ok(Parsed::Complete(end)) => {
                let is_head = head.method == Some("HEAD");
                let asked = ask(&head, origins).unwrap_or_else(Asked::Other);
                // A client waits for the answer before it sends frames (RFC 6455, section 4.1).
                if matches!(asked, Asked::Join(_)) && bytes.len() > end {
                    return refuse(bad_request("nothing may come before the answer"));
                }
                Some(Self { is_head, asked })
            }
            Ok(Parsed::Partial) if bytes.len() < HEAD_BYTES_MAX => None,
            Ok(Parsed::Partial) | Err(Error::TooManyHeaders) => refuse(Answer::text(
                Status::RequestHeaderFieldsTooLarge,
                format!("the head of a request has at most {HEAD_BYTES_MAX} bytes and {HEAD_FIELDS_MAX} fields here"),
            )),
            Err(_) => refuse(bad_request(
                "this is no HTTP request, and this port is for browsers; with nc or telnet, join at the other one",
            )),
        }
    }
}

/// What a head asks for; an error is the answer to it.
fn ask(head: &httparse::Request<'_, '_>, origins: &Origins) -> Result<Asked, Answer> {
    let target = head.path.unwrap_or_default();
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let host = one(head.headers, "Host")?.ok_or_else(|| bad_request("a Host is missing"))?;
    if path == "/healthz" {
        return allow(head, &["GET", "HEAD"]).map(|()| Asked::Health);
    }
    if !origins.know(host) {
        let why = "this server was not told that it goes by this name (its operator would say: --web-origin https://NAME); \
                   use its address";
        return Err(Answer::text(Status::MisdirectedRequest, why));
    }
    if path == "/ws" {
        allow(head, &["GET"])?;
        return join(head.headers, host, origins).map(Asked::Join);
    }
    let no_such = || Answer::text(Status::NotFound, "there is nothing here; the page is at /");
    let asset: &'static Asset = page::find(path).ok_or_else(no_such)?;
    allow(head, &["GET", "HEAD"])?;
    Ok(Asked::Other(asset.into()))
}

/// The handshake of WebSocket (RFC 6455, section 4.2).
fn join(fields: &[Header<'_>], host: &str, origins: &Origins) -> Result<Answer, Answer> {
    if !has_word(fields, "Upgrade", "websocket") || !has_word(fields, "Connection", "upgrade") {
        return Err(Answer::text(Status::UpgradeRequired, "this is for WebSocket; the page is at /"));
    }
    if one(fields, "Sec-WebSocket-Version")? != Some("13") {
        let answer = Answer::text(Status::UpgradeRequired, "the version of WebSocket has to be 13");
        return Err(answer.with("Sec-WebSocket-Version", "13"));
    }
    let key = one(fields, "Sec-WebSocket-Key")?.filter(|key| is_key(key));
    let key = key.ok_or_else(|| bad_request("Sec-WebSocket-Key has to be 16 bytes in base64"))?;
    // What is no browser has no origin, and could say any.
    if let Some(origin) = one(fields, "Origin")?
        && !origins.allow(origin, host)
    {
        let why = "pages from elsewhere may not join here (the operator would say: --web-origin ORIGIN)";
        return Err(Answer::text(Status::Forbidden, why));
    }
    Ok(Answer::switch(derive_accept_key(key.as_bytes())))
}

fn allow(head: &httparse::Request<'_, '_>, methods: &[&str]) -> Result<(), Answer> {
    if head.method.is_some_and(|method| methods.contains(&method)) {
        return Ok(());
    }
    let methods = methods.join(", ");
    Err(Answer::text(Status::MethodNotAllowed, format!("only {methods} here")).with("Allow", &methods))
}

/// The value of a field that may be there once.
fn one<'a>(fields: &[Header<'a>], name: &str) -> Result<Option<&'a str>, Answer> {
    let mut values = values(fields, name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let value = str::from_utf8(value).map_err(|_| bad_request(&format!("{name} is not UTF-8")))?;
            Ok(Some(value.trim()))
        }
        (Some(_), Some(_)) => Err(bad_request(&format!("there is more than one {name}"))),
    }
}

fn values<'a>(fields: &[Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

/// Whether a list, which may be in several fields, has this word.
fn has_word(fields: &[Header<'_>], name: &str, word: &str) -> bool {
    let words = values(fields, name).flat_map(|value| value.split(|&byte| byte == b','));
    words.map(<[u8]>::trim_ascii).any(|listed| listed.eq_ignore_ascii_case(word.as_bytes()))
}

/// 16 bytes in base64: 22 letters, and what fills them up.
fn is_key(key: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    key.strip_suffix("==").is_some_and(|letters| letters.len() == 22 && letters.as_bytes().iter().all(is_letter))
}

fn bad_request(why: &str) -> Answer {
    Answer::text(Status::BadRequest, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDSHAKE: &str = "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn read(head: &str) -> Option<Request> {
        Request::read(head.as_bytes(), &Origins::new(vec!["https://chat.example.org".parse().unwrap()]))
    }

    #[track_caller]
    fn status(request_line: &str, fields: &str) -> u16 {
        let head = format!("{request_line} HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n{fields}\r\n");
        match read(&head).expect("a whole head").asked {
            Asked::Join(answer) | Asked::Other(answer) => answer.status() as u16,
            Asked::Health => 200,
        }
    }

    #[test]
    fn what_is_there_is_found_and_what_is_not_is_not() {
        assert_eq!(status("GET /", ""), 200);
        assert_eq!(status("HEAD /page.css?x=1", ""), 200);
        assert_eq!(status("GET /healthz", ""), 200);
        assert_eq!(status("GET /../../etc/passwd", ""), 404);
        assert_eq!(status("GET //", ""), 404);
        assert_eq!(status("POST /", ""), 405);
        assert_eq!(status("DELETE /healthz", ""), 405);
        assert_eq!(status("HEAD /ws", HANDSHAKE), 405);
        assert!(read("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap().is_head);
    }

    #[test]
    fn the_handshake_is_the_standards() {
        let head = format!("GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n{HANDSHAKE}\r\n");
        // The key and the answer are those of RFC 6455, section 1.3.
        let expected = Asked::Join(Answer::switch("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned()));
        assert_eq!(read(&head), Some(Request { is_head: false, asked: expected }));
        assert_eq!(status("GET /ws", ""), 426);
        assert_eq!(status("GET /ws", &HANDSHAKE.replace("13", "8")), 426);
        assert_eq!(status("GET /ws", &HANDSHAKE.replace("keep-alive, Upgrade", "keep-alive")), 426);
        assert_eq!(status("GET /ws", &HANDSHAKE.replace("==", "")), 400);
        assert_eq!(status("GET /ws", &(HANDSHAKE.to_owned() + "Sec-WebSocket-Key: x\r\n")), 400);
        let head = format!("GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n{HANDSHAKE}\r\n\u{1}");
        let Asked::Other(early) = read(&head).unwrap().asked else { panic!("what comes early is let through") };
        assert_eq!(early.status(), Status::BadRequest);
    }

    #[test]
    fn only_the_pages_own_origin_may_join_or_one_that_is_allowed() {
        let joins = |origin: &str| status("GET /ws", &format!("{HANDSHAKE}Origin: {origin}\r\n"));
        assert_eq!(joins("http://127.0.0.1:8080"), 101);
        assert_eq!(joins("https://chat.example.org"), 101);
        assert_eq!(joins("http://evil.example"), 403);
        assert_eq!(joins("null"), 403);
        assert_eq!(joins(""), 403);
        assert_eq!(joins("http://127.0.0.1:8080\r\nOrigin: http://evil.example"), 400);
        assert_eq!(status("GET /ws", HANDSHAKE), 101);
    }

    #[test]
    fn a_name_that_the_server_was_not_told_is_not_its_own() {
        let asked = |path: &str, host: &str| {
            let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n{HANDSHAKE}\r\n");
            match read(&head).unwrap().asked {
                Asked::Join(answer) | Asked::Other(answer) => answer.status() as u16,
                Asked::Health => 200,
            }
        };
        assert_eq!(asked("/ws", "evil.example:8080"), 421);
        assert_eq!(asked("/", "evil.example:8080"), 421);
        assert_eq!(asked("/healthz", "chinwag.internal"), 200);
        assert_eq!(asked("/ws", "chat.example.org"), 101);
        let missing = read("GET / HTTP/1.1\r\n\r\n").unwrap().asked;
        assert_eq!(missing, Asked::Other(bad_request("a Host is missing")));
    }

    #[test]
    fn a_head_is_whole_or_waited_for_up_to_a_bound() {
        assert_eq!(read("GET / HTTP/1.1\r\nHost: a\r\n"), None);
        assert_eq!(read(""), None);
        let too_large = |head: &str| match read(head).unwrap().asked {
            Asked::Other(answer) => answer.status() == Status::RequestHeaderFieldsTooLarge,
            _ => false,
        };
        assert!(too_large(&format!("GET /{}", "x".repeat(HEAD_BYTES_MAX))));
        assert!(too_large(&format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(HEAD_FIELDS_MAX + 1))));
        for noise in ["NICK alice\n", "\x16\x03\x01\x02", "GET / HTTP/2.0\r\n\r\n"] {
            let Asked::Other(answer) = read(noise).unwrap().asked else { panic!("{noise}") };
            assert_eq!(answer.status(), Status::BadRequest, "{noise}");
        }
    }
}
