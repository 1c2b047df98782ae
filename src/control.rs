//! The protocol of the control socket, for both ends: the server reads requests and writes replies, `chinwagd status` does the reverse.
//! `docs/operating.md` specifies it. Pure.
//!
//! The server sends [`GREETING`]. The client sends one request, one line. The server sends the lines of the reply, the last of which is `OK`
//! and the verb of the request; or one line `ERR`. No other line begins with these words. Then the server closes the connection. A client
//! that reads no last line knows that the reply is cut.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;
use std::str::FromStr;

use crate::command_line::quoted;

/// The first line of the server. A change after which older clients misread replies gets another number; a new request does not.
pub const GREETING: &str = "HELLO chinwagd-control/1 send status or status json";

/// The words of every greeting of this version.
const GREETING_START: &str = "HELLO chinwagd-control/1";

/// A request of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlRequest {
    /// The essential figures of the server.
    Status(StatusFormat),
}

/// How the reply to `status` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFormat {
    /// For people: aligned lines.
    Text,
    /// For programs: one JSON object in one line.
    Json,
}

impl ControlRequest {
    /// The first word, which the last line of the reply repeats.
    fn verb(self) -> &'static str {
        match self {
            Self::Status(_) => "status",
        }
    }

    /// The reply with these lines.
    pub fn reply(self, body: &str) -> String {
        format!("{body}OK {}\n", self.verb())
    }
}

impl fmt::Display for ControlRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status(StatusFormat::Text) => "status",
            Self::Status(StatusFormat::Json) => "status json",
        })
    }
}

impl FromStr for ControlRequest {
    type Err = ControlError;

    /// Parses the line of a request, without its line ending.
    fn from_str(line: &str) -> Result<Self, ControlError> {
        let (verb, arguments) = line.split_once(' ').unwrap_or((line, ""));
        match (verb, arguments.trim()) {
            ("status", "") => Ok(Self::Status(StatusFormat::Text)),
            ("status", "json") => Ok(Self::Status(StatusFormat::Json)),
            ("status", other) => Err(ControlError::unknown_argument("status", other, "json or nothing")),
            _ => Err(ControlError::unknown_request(line)),
        }
    }
}

/// Why a request gets no reply: a line `ERR verb code text`, or `ERR - code text` without a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlError {
    verb: Option<&'static str>,
    code: &'static str,
    text: String,
}

impl ControlError {
    fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { verb: None, code, text: text.into() }
    }

    fn unknown_request(line: &str) -> Self {
        Self::new("unknown-request", format!("unknown request {}: expected status or status json", quoted(line)))
    }

    fn unknown_argument(verb: &'static str, argument: &str, expected: &str) -> Self {
        let text = format!("unknown argument {} after {verb}: expected {expected}", quoted(argument));
        Self { verb: Some(verb), ..Self::new("unknown-argument", text) }
    }

    /// The request is longer than `bytes_max`.
    pub fn too_long(bytes_max: usize) -> Self {
        Self::new("too-long", format!("a request has at most {bytes_max} bytes"))
    }

    /// No request has arrived in `seconds`.
    pub fn no_request(seconds: u64) -> Self {
        Self::new("timeout", format!("no request arrived within {seconds} s"))
    }

    /// The server has not found its reply in `seconds`.
    pub fn no_reply(request: ControlRequest, seconds: u64) -> Self {
        let text = format!("the server is overloaded or hangs: it found no reply within {seconds} s");
        Self { verb: Some(request.verb()), ..Self::new("timeout", text) }
    }

    /// The kernel does not say to which user the client belongs.
    pub fn unknown_user() -> Self {
        let text = "the server cannot find out which user you are; connect from its own PID namespace (container)";
        Self::new("denied", text)
    }

    /// The client belongs to another user than `owner`, who runs the server.
    pub fn denied(owner: u32) -> Self {
        let text = format!("only root and the user of the server (uid {owner}) may use the control socket");
        Self::new("denied", text)
    }

    /// There are `connections_max` connections already.
    pub fn busy(connections_max: usize) -> Self {
        Self::new("busy", format!("the control socket has its maximum of {connections_max} connections; try again"))
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ERR {} {} {}", self.verb.unwrap_or("-"), self.code, self.text)
    }
}

/// The meaning of the bytes that a client has read from a control socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadReply<'a> {
    /// More lines must follow.
    Incomplete,
    /// The lines of the reply, without the last one.
    Done(&'a str),
    /// The text of an error.
    Refused(&'a str),
    /// Another program has sent this line.
    Foreign(&'a str),
}

impl<'a> ReadReply<'a> {
    /// Reads what a server has sent since the connection began, in reply to this request. An incomplete line at the end is ignored.
    pub fn read(request: ControlRequest, received: &'a [u8]) -> Self {
        let lines = received.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let Ok(lines) = str::from_utf8(&received[..lines]) else { return Self::Foreign("not UTF-8") };
        let Some((first, body)) = lines.split_once('\n') else { return Self::Incomplete };
        let is_greeting =
            first.strip_prefix(GREETING_START).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        let (body, last) = if is_greeting {
            let lines = body.strip_suffix('\n').unwrap_or(body);
            let last = lines.rfind('\n').map_or(0, |at| at + 1);
            (&body[..last], &lines[last..])
        } else {
            // A client that is refused at once gets no greeting.
            ("", first)
        };
        if let Some(error) = last.strip_prefix("ERR ") {
            return Self::Refused(error.splitn(3, ' ').last().unwrap_or(error).trim_end());
        }
        match last.split_once(' ').unwrap_or((last, "")) {
            _ if !is_greeting => Self::Foreign(first),
            ("OK", verb) if verb == request.verb() => Self::Done(body),
            ("OK", _) => Self::Foreign(last),
            _ => Self::Incomplete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUESTS: [ControlRequest; 2] =
        [ControlRequest::Status(StatusFormat::Text), ControlRequest::Status(StatusFormat::Json)];

    fn read(received: &[u8]) -> ReadReply<'_> {
        ReadReply::read(REQUESTS[0], received)
    }

    #[test]
    fn requests_round_trip() {
        for request in REQUESTS {
            assert_eq!(request.to_string().parse(), Ok(request));
        }
        assert_eq!("status  json ".parse(), Ok(REQUESTS[1]));
    }

    #[test]
    fn unknown_request_says_what_is_expected() {
        let error = |line: &str| line.parse::<ControlRequest>().unwrap_err().to_string();
        for line in ["", "STATUS", "statusjson", "reload", "NICK ann"] {
            let expected = format!("ERR - unknown-request unknown request \"{line}\": expected status or status json");
            assert_eq!(error(line), expected);
        }
        let expected = "ERR status unknown-argument unknown argument \"xml\" after status: expected json or nothing";
        assert_eq!(error("status xml"), expected);
        assert!(error("a\x1b[2J").contains(r"a\u{1b}[2J"));
    }

    #[test]
    fn reply_is_read_at_every_split() {
        let body = "version  0.1.0\nclients  1 of 9\n";
        let sent = format!("{GREETING}\n{}", REQUESTS[0].reply(body));
        for end in 0..sent.len() {
            assert_eq!(read(&sent.as_bytes()[..end]), ReadReply::Incomplete, "{end}");
        }
        assert_eq!(read(sent.as_bytes()), ReadReply::Done(body));
        assert_eq!(read(format!("{GREETING}\nOK status\n").as_bytes()), ReadReply::Done(""));
    }

    #[test]
    fn last_line_repeats_the_verb() {
        for last in ["OK", "OK stat", "OK status ", "OK status 1", "OK  status", "OK status\r"] {
            let sent = format!("{GREETING}\nversion  0.1.0\n{last}\n");
            assert_eq!(read(sent.as_bytes()), ReadReply::Foreign(last));
        }
        for other in ["ok status", "OKAY status", "", " OK status"] {
            let sent = format!("{GREETING}\nversion  0.1.0\n{other}\n");
            assert_eq!(read(sent.as_bytes()), ReadReply::Incomplete, "{other}");
        }
    }

    #[test]
    fn error_is_read_with_and_without_greeting() {
        let text = "only root and the user of the server (uid 7) may use the control socket";
        for greeting in [String::new(), format!("{GREETING}\n"), "HELLO chinwagd-control/1\n".to_owned()] {
            let sent = format!("{greeting}{}\n", ControlError::denied(7));
            for end in 0..sent.len() {
                assert_eq!(read(&sent.as_bytes()[..end]), ReadReply::Incomplete, "{end}");
            }
            assert_eq!(read(sent.as_bytes()), ReadReply::Refused(text));
        }
    }

    #[test]
    fn other_programs_are_recognized() {
        for first in ["HELLO chinwag/1 epoch=x", "HELLO chinwagd-control/12", "HTTP/1.1 200 OK", "", "OK status"] {
            assert_eq!(read(format!("{first}\n").as_bytes()), ReadReply::Foreign(first));
        }
        assert_eq!(read(b"\xff\n"), ReadReply::Foreign("not UTF-8"));
    }
}
