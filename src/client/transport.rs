//! The two sides of a connection to a server, over any transport: the rest of the client does not know which.

use std::net::Shutdown;

use futures_lite::io::BufReader;
use futures_lite::{AsyncRead, AsyncWrite};
use smol::net::TcpStream;
use smol::net::unix::UnixStream;

/// The receiving side of a connection.
pub(super) type ServerReader = BufReader<Box<dyn AsyncRead + Send + Unpin>>;

/// The sending side of a connection. Closing it tells the server that no more lines follow; lines can still be received. A sent line is on
/// its way after a flush.
pub(super) trait ServerWriter: AsyncWrite + Send + Unpin {
    /// Breaks the connection: the receiving side then ends, too.
    fn abort(&self);
}

impl ServerWriter for TcpStream {
    fn abort(&self) {
        // If this fails, it is closed already.
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl ServerWriter for UnixStream {
    fn abort(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

/// Both sides of a connection whose clones share it.
pub(super) fn split<T>(stream: T) -> (ServerReader, Box<dyn ServerWriter>)
where
    T: AsyncRead + ServerWriter + Clone + 'static,
{
    (BufReader::new(Box::new(stream.clone())), Box::new(stream))
}
