//! Reads lines from the server.

use futures_lite::io::BufReader;
use futures_lite::{AsyncBufReadExt as _, AsyncReadExt as _};
use smol::net::TcpStream;

use crate::limits::CLIENT_LINE_BYTES_MAX;

/// Reads the next line; its beginning may be in `line` already. If the future is dropped, `line` keeps the bytes read so far.
pub(super) async fn read_line(server: &mut BufReader<TcpStream>, line: &mut Vec<u8>) -> Result<Vec<u8>, String> {
    loop {
        let left = CLIENT_LINE_BYTES_MAX.saturating_sub(line.len());
        // At an error or the end of the stream, the line has no LF, which is handled below.
        let _ = server.take(left as u64).read_until(b'\n', line).await;
        let line = std::mem::take(line);
        if !line.ends_with(b"\n") {
            return Err(if line.len() < CLIENT_LINE_BYTES_MAX {
                "the server closed the connection".to_owned()
            } else {
                format!("the server sent a line of more than {CLIENT_LINE_BYTES_MAX} bytes; is it a chinwag server?")
            });
        }
        // A server that disconnects a slow consumer in the middle of a line ends that line with CR LF. It counts as not read.
        if !(line.ends_with(b"\r\n") && (line.starts_with(b"@") || line.starts_with(b"PAST "))) {
            return Ok(line);
        }
    }
}

/// A line as text without its ending. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn safe_text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}
