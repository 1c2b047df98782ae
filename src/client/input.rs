//! Reads standard input: splits it into lines by the server's rules, and refuses input that is not UTF-8. The caller sends or parses the
//! lines. The keys of a terminal are read by [`super::terminal`].

use std::io::{self, Read as _};
use std::iter;

use futures_lite::io::BufReader;
use futures_lite::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, StreamExt as _, stream};
use smol::Unblock;

use crate::command::Refusal;
use crate::limits::{INPUT_FIRST_LINE_BYTES_MAX, INPUT_LINE_BYTES_MAX, LINE_BYTES_MAX};
use crate::process;
use crate::protocol::{BYTE_ORDER_MARK, ErrorCode, LineError};

/// Lines of the input, without their endings.
pub(super) type InputLines = stream::Boxed<io::Result<Vec<u8>>>;

/// Telnet's escape byte (RFC 854), which never occurs in UTF-8.
const IAC: u8 = 255;

/// The byte order marks of other encodings. UTF-32 comes first: its little-endian mark begins with that of UTF-16.
const OTHER_MARKS: [(&[u8], &str); 4] =
    [(b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")];

/// The lines of standard input, until its end or an error.
pub(super) fn stdin() -> InputLines {
    // At a terminal, Ctrl-D ends only one read. `chain` makes this end final.
    let stdin = process::Stream::new(io::stdin(), None).chain(io::empty());
    lines_of(BufReader::new(Unblock::new(stdin)))
}

/// Decodes a line, and removes the CR of CR LF.
///
/// # Errors
/// The line is not UTF-8, or so long that [`InputLines`] has only its beginning. The refusals have the server's codes.
pub(super) fn decode_line(mut line: Vec<u8>) -> Result<String, Refusal> {
    if line.len() >= INPUT_LINE_BYTES_MAX {
        let what = format!("the line has {INPUT_LINE_BYTES_MAX} bytes or more; the limit is {LINE_BYTES_MAX} bytes");
        return Err(Refusal::new(None, ErrorCode::LineTooLong, what));
    }
    if line.ends_with(b"\r") {
        line.pop();
    }
    String::from_utf8(line).map_err(|error| LineError::NotUtf8(error.utf8_error().valid_up_to() + 1).into())
}

/// Doubles each IAC, as telnet requires for data. A single IAC would make the server skip the bytes after it, such as LF. A doubled one
/// arrives as a byte that is not UTF-8, and the server refuses the line.
pub(super) fn with_doubled_iac(line: &[u8]) -> Vec<u8> {
    line.iter().flat_map(|&byte| iter::repeat_n(byte, if byte == IAC { 2 } else { 1 })).collect()
}

/// The lines of `input`, without a byte order mark. If the input has no LF, CR ends its lines. UTF-16 and UTF-32 are errors.
fn lines_of(input: impl AsyncBufRead + Unpin + Send + 'static) -> InputLines {
    let lines = stream::unfold(Some((input, true)), |state| async move {
        let (mut input, is_first) = state?;
        let lines = if is_first { read_first_lines(&mut input).await } else { read_next_line(&mut input).await };
        match lines {
            Ok(lines) if lines.is_empty() => None,
            Ok(lines) => Some((lines.into_iter().map(Ok).collect(), Some((input, false)))),
            Err(error) => Some((vec![Err(error)], None)),
        }
    });
    lines.flat_map(stream::iter).boxed()
}

/// Reads the first line or, if CR ends the lines, all lines.
async fn read_first_lines(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<Vec<u8>>> {
    let Some(RawLine { mut bytes, ending }) = read_line(input, INPUT_FIRST_LINE_BYTES_MAX).await? else {
        return Ok(Vec::new());
    };
    if let Some((_, name)) = OTHER_MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)) {
        let what = format!("line 1 is {name}, expected UTF-8; convert it first: iconv -f {name} -t UTF-8");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    let mut lines = vec![bytes];
    if ending == LineEnding::EndOfInput {
        let bytes = lines.remove(0);
        lines.extend(
            bytes.split_inclusive(|&byte| byte == b'\r').map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec()),
        );
    }
    for line in &mut lines {
        line.truncate(INPUT_LINE_BYTES_MAX);
    }
    Ok(lines)
}

/// Reads the next line; returns none at the end of the input.
async fn read_next_line(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<Vec<u8>>> {
    Ok(read_line(input, INPUT_LINE_BYTES_MAX).await?.map(|line| line.bytes).into_iter().collect())
}

/// A line without its ending.
struct RawLine {
    bytes: Vec<u8>,
    ending: LineEnding,
}

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnding {
    LineFeed,
    EndOfInput,
    /// The line was too long: its rest was skipped.
    Cut,
}

/// Reads the next line. Keeps the first `bytes_max` bytes of a longer line.
async fn read_line(input: &mut (impl AsyncBufRead + Unpin), bytes_max: usize) -> io::Result<Option<RawLine>> {
    let mut bytes = Vec::new();
    input.take(bytes_max as u64).read_until(b'\n', &mut bytes).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
        return Ok(Some(RawLine { bytes, ending: LineEnding::LineFeed }));
    }
    if bytes.len() < bytes_max {
        return Ok(Some(RawLine { bytes, ending: LineEnding::EndOfInput }));
    }
    let mut rest = Vec::new();
    while !rest.ends_with(b"\n") {
        rest.clear();
        if input.take(INPUT_LINE_BYTES_MAX as u64).read_until(b'\n', &mut rest).await? == 0 {
            break;
        }
    }
    Ok(Some(RawLine { bytes, ending: LineEnding::Cut }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of this input up to an error, and the error.
    fn lines(input: &[u8]) -> (Vec<Vec<u8>>, Option<String>) {
        let all: Vec<_> = smol::block_on(lines_of(futures_lite::io::Cursor::new(input.to_vec())).collect());
        let (mut lines, mut error) = (Vec::new(), None);
        for line in all {
            match line {
                Ok(line) => lines.push(line),
                Err(why) => error = Some(why.to_string()),
            }
        }
        (lines, error)
    }

    #[track_caller]
    fn check(input: &[u8], expected: &[&[u8]]) {
        let expected: Vec<_> = expected.iter().map(|line| line.to_vec()).collect();
        assert_eq!(lines(input), (expected, None), "{}", input.escape_ascii());
    }

    #[test]
    fn long_input_line_is_truncated() {
        let long = vec![b'x'; 3 * INPUT_LINE_BYTES_MAX];
        let cut = &long[..INPUT_LINE_BYTES_MAX];
        check(&[&b"a\n\n"[..], &long, b"\nb\r\n", cut, b"\nc"].concat(), &[b"a", b"", cut, b"b\r", cut, b"c"]);
        check(&[&long, &b"\nb"[..]].concat(), &[cut, b"b"]);
        check(&[&b"a\r"[..], &long].concat(), &[b"a", cut]);
        check(&[&b"a\n"[..], &long].concat(), &[b"a", cut]);
    }

    #[test]
    fn cr_alone_ends_lines_of_an_input_without_lf() {
        check(b"one\rtwo\rthree\r", &[b"one", b"two", b"three"]);
        check(b"one\r\rtwo", &[b"one", b"", b"two"]);
        check(b"\xef\xbb\xbfone\rtwo", &[b"one", b"two"]);
        check(b"\xef\xbb\xbf", &[]);
        check(b"", &[]);
        check(b"one\rtwo\n", &[b"one\rtwo"]);
        check(b"one\ntwo\rthree\r", &[b"one", b"two\rthree\r"]);
        let many = b"MSG hello\r".repeat(2000);
        check(&many, &vec![&b"MSG hello"[..]; 2000]);
        // The input may have an LF after the limit, so its CRs do not end lines.
        let endless = b"MSG hello\r".repeat(INPUT_FIRST_LINE_BYTES_MAX / 10 + 1);
        check(&endless, &[&endless[..INPUT_LINE_BYTES_MAX]]);
    }

    #[test]
    fn other_encoding_is_an_error_at_the_start_only() {
        for (start, name) in [
            (&b"\xff\xfeh\0i\0\n\0"[..], "UTF-16"),
            (b"\xfe\xff\0h\0i\0\n", "UTF-16"),
            (b"\xff\xfe", "UTF-16"),
            (b"\xff\xfe\0\0h\0\0\0\n\0\0\0", "UTF-32"),
            (b"\0\0\xfe\xff\0\0\0h\0\0\0\n", "UTF-32"),
        ] {
            let (lines, error) = lines(start);
            let error = error.expect("an error");
            assert!(lines.is_empty() && error.contains(&format!("iconv -f {name} -t UTF-8")), "{lines:?} {error}");
        }
        check(b"a\n\xff\xfeb", &[b"a", b"\xff\xfeb"]);
    }

    #[test]
    fn decoded_line_has_no_cr_of_crlf() {
        assert_eq!(decode_line(b"caf\xc3\xa9\r".to_vec()), Ok("café".to_owned()));
        let refusal = decode_line(b"caf\xe9".to_vec()).unwrap_err().to_string();
        assert_eq!(refusal, "ERR - line-not-utf8 byte 4 of this line is not UTF-8; send it as UTF-8");
        // The cut is within a character.
        let cut = "日".repeat(INPUT_LINE_BYTES_MAX).into_bytes()[..INPUT_LINE_BYTES_MAX].to_vec();
        assert!(
            decode_line(cut)
                .unwrap_err()
                .to_string()
                .starts_with("ERR - line-too-long the line has 8192 bytes or more")
        );
    }
}
