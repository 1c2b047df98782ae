//! Reads the server's lines from a connection, bounded in length. [`crate::command::ReceivedLine`] parses them.

use futures_lite::{AsyncBufReadExt as _, AsyncReadExt as _};

use super::transport::ServerReader;
use crate::limits::CLIENT_LINE_BYTES_MAX;

/// The end of the server's lines.
#[derive(Debug)]
pub(super) struct ConnectionEnd {
    pub(super) why: String,
    /// Whether the server may have sent more lines.
    pub(super) is_cut_off: bool,
}

/// Reads the next line, with its ending; `line` may hold its beginning. If the future is dropped, `line` keeps the bytes read so far.
pub(super) async fn read_line(server: &mut ServerReader, line: &mut Vec<u8>) -> Result<Vec<u8>, ConnectionEnd> {
    loop {
        let left = CLIENT_LINE_BYTES_MAX.saturating_sub(line.len());
        // At an error or the end of the stream, the line has no LF, which is handled below.
        let error = server.take(left as u64).read_until(b'\n', line).await.err();
        let line = std::mem::take(line);
        if !line.ends_with(b"\n") {
            // TLS has errors of its own. Those of a socket are the system's.
            let cut_off = error.filter(|error| error.raw_os_error().is_none()).map(|error| error.to_string());
            let is_cut_off = cut_off.is_some();
            let why = if line.len() < CLIENT_LINE_BYTES_MAX {
                cut_off.unwrap_or_else(|| "the server closed the connection".to_owned())
            } else {
                format!("the server sent a line of more than {CLIENT_LINE_BYTES_MAX} bytes; is it a chinwag server?")
            };
            return Err(ConnectionEnd { why, is_cut_off });
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
