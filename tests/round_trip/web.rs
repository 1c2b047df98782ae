//! Rules for any bytes from a browser, as the header of a request or as frames. The tests check random bytes and the corpus;
//! `scripts/fuzz web` looks for more.

use chinwag::limits::{CONTROL_BYTES_MAX, HEAD_BYTES_MAX, MESSAGE_BYTES_MAX};
use chinwag::web::{AllowedOrigins, FrameDecoder, FrameEvent, HttpRequest, RequestKind};

/// Checks the bytes as a header and as frames.
pub(crate) fn check(bytes: &[u8]) {
    check_head(bytes);
    let whole = messages([bytes]);
    assert_eq!(messages(bytes.chunks(1)), whole, "byte by byte: {}", bytes.escape_ascii());
    assert_eq!(messages(bytes.chunks(5)), whole, "in fives: {}", bytes.escape_ascii());
}

/// Checks that bytes after a complete header do not change the answer, except that they refuse a WebSocket: its client must wait for the
/// answer.
fn check_head(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    let origins = AllowedOrigins::new(vec!["https://chat.example.org".parse().expect("an origin")]);
    let mut answered = None;
    let mut ends: Vec<_> = (0..=bytes.len()).step_by(bytes.len() / 64 + 1).chain([bytes.len()]).collect();
    ends.dedup();
    for end in ends {
        let request = HttpRequest::read(&bytes[..end], &origins);
        match &answered {
            None => {}
            Some(HttpRequest { asked: RequestKind::Join(_), .. }) => {
                assert!(
                    matches!(request, Some(HttpRequest { asked: RequestKind::Other(_), .. })),
                    "a client that did not wait was accepted"
                );
            }
            Some(_) => assert_eq!(request, answered, "{}", bytes[..end].escape_ascii()),
        }
        if let Some(HttpRequest { asked: RequestKind::Other(answer) | RequestKind::Join(answer), .. }) = &request {
            check_answer(&answer.to_bytes("Sun, 06 Nov 1994 08:49:37 GMT", false));
        }
        answered = request.or(answered);
    }
}

/// Checks the length and the field lines of an answer.
fn check_answer(answer: &[u8]) {
    let at = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the end of the head");
    let head = str::from_utf8(&answer[..at]).expect("text");
    let fields: Vec<_> = head.split("\r\n").skip(1).map(|line| line.split_once(": ").expect("a field")).collect();
    assert!(fields.iter().all(|(name, value)| !name.contains(' ') && !value.contains(['\r', '\n'])), "{head}");
    let length = fields.iter().find(|(name, _)| *name == "Content-Length").map_or("0", |(_, value)| value);
    assert_eq!(length.parse(), Ok(answer.len() - at - 4));
}

/// Decodes the pieces into complete messages, pings and an end, after which nothing may follow.
fn messages<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let (mut frames, mut all, mut text, mut is_over) = (FrameDecoder::default(), Vec::new(), Vec::new(), false);
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = piece.as_mut_slice();
        while let Some(incoming) = frames.next(&mut rest) {
            assert!(!is_over, "{incoming:?} after the end of the stream");
            is_over = matches!(incoming, FrameEvent::Close | FrameEvent::Failed(_));
            match incoming {
                FrameEvent::Text(more) => text.extend_from_slice(more),
                FrameEvent::EndOfMessage => {
                    assert!(text.len() <= MESSAGE_BYTES_MAX);
                    all.push(String::from_utf8(std::mem::take(&mut text)).expect("a message is UTF-8"));
                }
                FrameEvent::Ping(payload) => {
                    assert!(payload.len() <= CONTROL_BYTES_MAX);
                    all.push(format!("ping {}", payload.escape_ascii()));
                }
                FrameEvent::Close => all.push("close".to_owned()),
                FrameEvent::Failed(failure) => all.push(format!("{failure:?}")),
            }
        }
    }
    all
}
