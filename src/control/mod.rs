//! The protocol of the control socket, for both ends: the server reads requests and writes replies, the commands of `chinwagd`
//! do the reverse. `docs/operating.md` specifies it. Pure.
//!
//! The server sends [`GREETING`]. The client sends one request, one line. The server sends the lines of the reply, the last of which is `OK`
//! and the verb of the request; or one line `ERR`. No other line begins with these words. Then the server closes the connection. A client
//! that reads no last line knows that the reply is cut.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

mod account;
mod audit;
mod error;

use std::fmt;
use std::str::FromStr;

pub use self::account::{AccountReply, AccountRequest, AccountSummary};
pub use self::audit::AuditLine;
use self::audit::write_query;
pub use self::error::{ControlCode, ControlError};
use crate::protocol::AuditQuery;

/// The requests, in the greeting and in errors.
macro_rules! requests {
    () => {
        "status, status json, account list|add|password|role|remove, moderate COMMAND or audit"
    };
}

/// The first line of the server. A change after which older clients misread replies gets another number; a new request does not.
pub const GREETING: &str = concat!("HELLO chinwagd-control/1 send ", requests!());

/// The requests, in errors.
const REQUESTS: &str = requests!();

/// The words of every greeting of this version.
const GREETING_START: &str = "HELLO chinwagd-control/1";

/// A request of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlRequest {
    /// The essential figures of the server.
    Status(StatusFormat),
    /// The accounts, or a change of them.
    Account(AccountRequest),
    /// A command of moderation, as an operator among the clients would send it: `BAN 192.0.2.7 1h`, `#ops KICK bob`.
    Moderate(String),
    /// Entries of the audit log.
    Audit(AuditQuery),
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
    fn verb(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Account(_) => "account",
            Self::Moderate(_) => "moderate",
            Self::Audit(_) => "audit",
        }
    }

    /// Whether the request changes something.
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::Status(_) | Self::Audit(_) | Self::Account(AccountRequest::List { .. }))
    }

    /// The reply with these lines.
    pub fn reply(&self, body: &str) -> String {
        format!("{body}OK {}\n", self.verb())
    }
}

impl fmt::Display for ControlRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(StatusFormat::Text) => f.write_str("status"),
            Self::Status(StatusFormat::Json) => f.write_str("status json"),
            Self::Account(request) => write!(f, "account {request}"),
            Self::Moderate(line) => write!(f, "moderate {line}"),
            Self::Audit(query) => {
                f.write_str("audit")?;
                write_query(f, query)
            }
        }
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
            ("moderate", "") => Err(ControlError::moderation_missing()),
            ("moderate", line) => Ok(Self::Moderate(line.to_owned())),
            ("audit", arguments) => AuditQuery::parse(arguments).map(Self::Audit),
            ("account", arguments) => AccountRequest::parse(arguments).map(Self::Account),
            // Further words may be a secret after a mistyped request.
            _ => Err(ControlError::unknown_request(verb)),
        }
    }
}

/// The meaning of the bytes that a client has read from a control socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadReply<'a> {
    /// More lines must follow.
    Incomplete,
    /// The lines of the reply, without the last one.
    Done(&'a str),
    /// An error, with its code and its text.
    Refused(&'a str, &'a str),
    /// Another program has sent this line.
    Foreign(&'a str),
}

impl<'a> ReadReply<'a> {
    /// Reads what a server has sent since the connection began, in reply to this request. An incomplete line at the end is ignored.
    pub fn read(request: &ControlRequest, received: &'a [u8]) -> Self {
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
            let mut words = error.splitn(3, ' ').skip(1);
            let (code, text) = (words.next().unwrap_or_default(), words.next().unwrap_or(error));
            return Self::Refused(code, text.trim_end());
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

    const STATUS: ControlRequest = ControlRequest::Status(StatusFormat::Text);

    fn read(received: &[u8]) -> ReadReply<'_> {
        ReadReply::read(&STATUS, received)
    }

    #[test]
    fn requests_round_trip() {
        let json = ControlRequest::Status(StatusFormat::Json);
        for request in [
            STATUS,
            json.clone(),
            "account list".parse().unwrap(),
            "account remove ann".parse().unwrap(),
            "audit".parse().unwrap(),
        ] {
            assert_eq!(request.to_string().parse(), Ok(request));
        }
        assert_eq!("status  json ".parse(), Ok(json));
    }

    #[test]
    fn unknown_request_says_what_is_expected() {
        let error = |line: &str| line.parse::<ControlRequest>().unwrap_err().to_string();
        for line in ["", "STATUS", "statusjson", "reload", "acount add ann $argon2id$secret"] {
            let (verb, _) = line.split_once(' ').unwrap_or((line, ""));
            let expected = format!(
                "ERR - unknown-request unknown request \"{verb}\": expected status, status json, account \
                 list|add|password|role|remove, moderate COMMAND or audit"
            );
            assert_eq!(error(line), expected);
        }
        let expected = "ERR status unknown-argument unknown argument \"xml\" after status: expected json or nothing";
        assert_eq!(error("status xml"), expected);
        assert!(error("a\x1b[2J").contains(r"a\u{1b}[2J"));
    }

    #[test]
    fn reply_is_read_at_every_split() {
        let body = "version  0.1.0\nclients  1 of 9\n";
        let sent = format!("{GREETING}\n{}", STATUS.reply(body));
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
            assert_eq!(read(sent.as_bytes()), ReadReply::Refused("denied", text));
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
