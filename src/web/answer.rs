//! Answers to HTTP requests.

use super::page::Asset;
use crate::limits::UNAVAILABLE_RETRY_SECONDS;

/// An answer. The connection closes after it, except after [`HttpStatus::SwitchingProtocols`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    status: HttpStatus,
    /// A field that this status requires.
    header: Option<(&'static str, String)>,
    media_type: &'static str,
    body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Body {
    Text(String),
    File(&'static [u8]),
}

/// The status codes in use (RFC 9110, section 15; RFC 6585).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the standard defines them")]
pub enum HttpStatus {
    SwitchingProtocols = 101,
    Ok = 200,
    BadRequest = 400,
    Forbidden = 403,
    NotFound = 404,
    MethodNotAllowed = 405,
    RequestTimeout = 408,
    MisdirectedRequest = 421,
    UpgradeRequired = 426,
    RequestHeaderFieldsTooLarge = 431,
    NotImplemented = 501,
    ServiceUnavailable = 503,
    VersionNotSupported = 505,
}

/// The page may load only its own files, and no other page may embed it. Browsers ask for the current version each time.
const SECURITY: &str = "\
    Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
    X-Content-Type-Options: nosniff\r\n\
    X-Frame-Options: DENY\r\n\
    Referrer-Policy: no-referrer\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Cache-Control: no-cache\r\n";

impl Answer {
    /// Creates an answer with a line of text, which says what to do next.
    pub fn text(status: HttpStatus, text: impl Into<String>) -> Self {
        let header = match status {
            HttpStatus::ServiceUnavailable => Some(("Retry-After", UNAVAILABLE_RETRY_SECONDS.to_string())),
            _ => None,
        };
        Self { status, header, media_type: "text/plain; charset=utf-8", body: Body::Text(text.into() + "\n") }
    }

    /// Creates the answer that switches to WebSocket (RFC 6455, section 4.2.2).
    pub(super) fn switching_protocols(accept: String) -> Self {
        let header = Some(("Sec-WebSocket-Accept", accept));
        Self { status: HttpStatus::SwitchingProtocols, header, media_type: "", body: Body::File(&[]) }
    }

    pub(super) fn with_header(self, name: &'static str, value: &str) -> Self {
        Self { header: Some((name, value.to_owned())), ..self }
    }

    /// The status code.
    pub fn status(&self) -> HttpStatus {
        self.status
    }

    /// The text for the client, which says why its request is refused. Empty if the answer is a file.
    pub fn reason(&self) -> &str {
        match &self.body {
            Body::Text(text) => text.trim_end(),
            Body::File(_) => "",
        }
    }

    /// Renders the answer, with `date` (an IMF-fixdate, RFC 9110, section 5.6.7). Omits the body if `is_head`.
    pub fn to_bytes(&self, date: &str, is_head: bool) -> Vec<u8> {
        let body = match &self.body {
            Body::Text(text) => text.as_bytes(),
            Body::File(bytes) => bytes,
        };
        let mut head = format!("HTTP/1.1 {} {}\r\nDate: {date}\r\n", self.status as u16, self.status.phrase());
        if let Some((name, value)) = &self.header {
            head += &format!("{name}: {value}\r\n");
        }
        head += &match self.status {
            HttpStatus::SwitchingProtocols => "Upgrade: websocket\r\nConnection: Upgrade\r\n".to_owned(),
            status => {
                let connection = if status == HttpStatus::UpgradeRequired { "Upgrade, close" } else { "close" };
                let upgrade = if status == HttpStatus::UpgradeRequired { "Upgrade: websocket\r\n" } else { "" };
                let (media_type, bytes) = (self.media_type, body.len());
                format!(
                    "{upgrade}Connection: {connection}\r\nContent-Type: {media_type}\r\nContent-Length: {bytes}\r\n{SECURITY}"
                )
            }
        };
        head += "\r\n";
        [head.as_bytes(), if is_head { &[] } else { body }].concat()
    }
}

impl From<&'static Asset> for Answer {
    fn from(asset: &'static Asset) -> Self {
        Self { status: HttpStatus::Ok, header: None, media_type: asset.media_type, body: Body::File(asset.bytes) }
    }
}

impl HttpStatus {
    /// Whether the request is refused.
    pub fn is_error(self) -> bool {
        self as u16 >= 400
    }

    fn phrase(self) -> &'static str {
        match self {
            Self::SwitchingProtocols => "Switching Protocols",
            Self::Ok => "OK",
            Self::BadRequest => "Bad Request",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "Not Found",
            Self::MethodNotAllowed => "Method Not Allowed",
            Self::RequestTimeout => "Request Timeout",
            Self::MisdirectedRequest => "Misdirected Request",
            Self::UpgradeRequired => "Upgrade Required",
            Self::RequestHeaderFieldsTooLarge => "Request Header Fields Too Large",
            Self::NotImplemented => "Not Implemented",
            Self::ServiceUnavailable => "Service Unavailable",
            Self::VersionNotSupported => "HTTP Version Not Supported",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    #[test]
    fn answer_except_switch_has_length_and_closes() {
        let answer = Answer::text(HttpStatus::NotFound, "no").to_bytes(DATE, false);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nno\n"), "{answer}");
        for line in
            ["Content-Length: 3", "Connection: close", "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY"]
        {
            assert!(answer.contains(&format!("\r\n{line}\r\n")), "no {line} in {answer}");
        }
        let switch = String::from_utf8(Answer::switching_protocols("x=".to_owned()).to_bytes(DATE, false)).unwrap();
        assert!(switch.ends_with("Sec-WebSocket-Accept: x=\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"));
    }

    #[test]
    fn head_only_answer_equals_head_of_full_answer() {
        let answer = Answer::text(HttpStatus::Ok, "ok");
        let (whole, head) = (answer.to_bytes(DATE, false), answer.to_bytes(DATE, true));
        assert_eq!(whole, [&head, &b"ok\n"[..]].concat());
    }
}
