//! Reads the server's lines from a connection, bounded in length. [`crate::command::ReceivedLine`] parses them.

use futures_lite::{AsyncBufReadExt as _, AsyncReadExt as _};

use super::transport::ServerReader;
use crate::limits::CLIENT_LINE_BYTES_MAX;

/// Reads the next line, with its ending; `line` may hold its beginning. If the future is dropped, `line` keeps the bytes read so far.
pub(super) async fn read_line(server: &mut ServerReader, line: &mut Vec<u8>) -> Result<Vec<u8>, String> {
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
        // If the server disconnects a slow consumer within a line, it ends that incomplete line with CR LF. Skip it.
        if !(line.ends_with(b"\r\n") && (line.starts_with(b"@") || line.starts_with(b"PAST "))) {
            return Ok(line);
        }
    }
}

/// Decodes a line, without its ending. Bytes that are not UTF-8 become U+FFFD.
pub(super) fn decode_lossy(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}
