//! A TLS connection over the stream of another transport. Its clones share the TLS state behind a lock: while one clone waits for the
//! server's bytes, another can send. The lock is held for encryption and calls that do not block, and never during a wait.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use futures_lite::{AsyncRead, AsyncWrite};
use rustls::ClientConnection;

use crate::client::transport::ServerWriter;

/// The error of a connection that the server ended without `close_notify`: anybody on the way could have cut it off there.
const CUT_OFF: &str = "the connection broke: the server did not end it with close_notify";

/// Encrypted bytes that are read at a time.
const READ_BYTES: usize = 4096;

/// A TLS connection. Clones share it; each clone waits for the socket on its own.
#[derive(Clone)]
pub(super) struct TlsStream<S> {
    socket: S,
    session: Arc<Mutex<ClientConnection>>,
    /// Bytes from the socket that the session has not taken yet.
    encrypted: Vec<u8>,
    /// Why no more bytes can be decrypted, once the text before them is read.
    failure: Option<rustls::Error>,
}

/// The reason why a handshake failed.
#[derive(Debug)]
pub(super) enum HandshakeError {
    /// The server closed the connection.
    Ended,
    Socket(io::Error),
    Tls(rustls::Error),
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// A connection before its handshake.
    pub(super) fn new(socket: S, session: ClientConnection) -> Self {
        Self { socket, session: Arc::new(Mutex::new(session)), encrypted: Vec::new(), failure: None }
    }

    /// Runs the handshake until its last bytes have been sent.
    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), HandshakeError>> {
        loop {
            ready!(self.poll_send(cx)).map_err(HandshakeError::Socket)?;
            if !self.session().is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_receive(cx)).map_err(HandshakeError::Socket)? == 0 {
                return Poll::Ready(Err(HandshakeError::Ended));
            }
            if let Err(error) = self.decrypt() {
                // The session has an alert for the server. The connection ends in any case.
                let _ = self.poll_send(cx);
                return Poll::Ready(Err(HandshakeError::Tls(error)));
            }
        }
    }

    /// The state, for a moment.
    fn session(&self) -> MutexGuard<'_, ClientConnection> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the encrypted bytes of the session, which are those of all clones, in order.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let mut socket = NonBlocking { socket: &mut self.socket, cx };
        while session.wants_write() {
            match session.write_tls(&mut socket) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Waits for encrypted bytes, unless some are left. Returns how many there are; 0 at the end.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.encrypted.is_empty() {
            let mut bytes = [0; READ_BYTES];
            let count = ready!(Pin::new(&mut self.socket).poll_read(cx, &mut bytes))?;
            self.encrypted.extend_from_slice(&bytes[..count]);
        }
        Poll::Ready(Ok(self.encrypted.len()))
    }

    /// Passes encrypted bytes to the session, as many as it takes now.
    fn decrypt(&mut self) -> Result<(), rustls::Error> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        match session.read_tls(&mut &*self.encrypted) {
            // After `close_notify`, the session takes none.
            Ok(0) => self.encrypted.clear(),
            Ok(count) => drop(self.encrypted.drain(..count)),
            // A handshake message is too long.
            Err(error) => return Err(rustls::Error::General(error.to_string())),
        }
        session.process_new_packets().map(drop)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, text: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            match io::Read::read(&mut this.session().reader(), text) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
            if let Some(error) = &this.failure {
                let what = format!("the connection broke: {error}");
                // An alert for the server, as in the handshake.
                let _ = this.poll_send(cx);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
            }
            // The session may have an answer, such as new keys. The socket wakes this task if it does not take it now.
            if let Poll::Ready(Err(error)) = this.poll_send(cx) {
                return Poll::Ready(Err(cut_off(error.kind())));
            }
            match ready!(this.poll_receive(cx)) {
                Ok(0) => return Poll::Ready(Err(cut_off(io::ErrorKind::UnexpectedEof))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(cut_off(error.kind()))),
            }
            this.failure = this.decrypt().err();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, text: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // The session takes text only when it has no bytes to send, so that it holds no more than its own limit.
        ready!(this.poll_send(cx))?;
        let count = this.session().writer().write(text)?;
        match this.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(count)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_send(cx)
    }

    /// Sends `close_notify`. The server's text can still be read.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.session().send_close_notify();
        this.poll_send(cx)
    }
}

impl<S: AsyncRead + ServerWriter> ServerWriter for TlsStream<S> {
    fn abort(&self) {
        self.socket.abort();
    }
}

fn cut_off(kind: io::ErrorKind) -> io::Error {
    io::Error::new(kind, CUT_OFF)
}

/// A socket as [`Write`], which fails with `WouldBlock` where the socket is pending.
struct NonBlocking<'a, 'b, S> {
    socket: &'a mut S,
    cx: &'a mut Context<'b>,
}

impl<S: AsyncWrite + Unpin> Write for NonBlocking<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.socket).poll_write(self.cx, bytes) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match Pin::new(&mut *self.socket).poll_write_vectored(self.cx, parts) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream as BlockingStream;
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    use arbtest::arbtest;
    use fastrand::Rng;
    use futures_lite::future::{poll_fn, zip};
    use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _};
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
    use smol::Async;
    use smol::net::unix::UnixStream;

    use super::*;
    use crate::client::tls::client_config;
    use crate::client::trust::Trust;
    use crate::fingerprint::Fingerprint;

    const DEADLINE: Duration = Duration::from_secs(20);

    /// More than a record.
    const WHOLE: usize = 40_000;

    /// A stream that passes on at most this many bytes at a time. Unless these are [`WHOLE`], it is often pending.
    #[derive(Clone)]
    struct Pieces {
        stream: UnixStream,
        random: Rng,
        bytes_max: usize,
    }

    impl Pieces {
        fn next(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
            if self.bytes_max < WHOLE && self.random.bool() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(self.random.usize(1..=self.bytes_max))
        }
    }

    impl AsyncRead for Pieces {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
            let count = ready!(self.next(cx)).min(bytes.len());
            Pin::new(&mut self.stream).poll_read(cx, &mut bytes[..count])
        }
    }

    impl AsyncWrite for Pieces {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let count = ready!(self.next(cx)).min(bytes.len());
            Pin::new(&mut self.stream).poll_write(cx, &bytes[..count])
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            panic!("the socket stays open: the server's text follows");
        }
    }

    type Server = StreamOwned<ServerConnection, BlockingStream>;

    /// A connection before its handshake, and a server that runs `serve` on it after its own.
    fn connect<T: Send + 'static>(
        version: &'static SupportedProtocolVersion,
        (bytes_max, seed): (usize, u64),
        serve: impl FnOnce(Server) -> T + Send + 'static,
    ) -> (TlsStream<Pieces>, JoinHandle<T>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let trust = Trust::Fingerprint(Fingerprint::of(made.cert.der()));
        let session = ClientConnection::new(Arc::new(client_config(&trust).unwrap()), "localhost".try_into().unwrap());
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let (near, far) = BlockingStream::pair().unwrap();
        far.set_read_timeout(Some(DEADLINE)).unwrap();
        far.set_write_timeout(Some(DEADLINE)).unwrap();
        let far = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), far);
        let stream = Pieces { stream: Async::new(near).unwrap().into(), random: Rng::with_seed(seed), bytes_max };
        (TlsStream::new(stream, session.unwrap()), thread::spawn(move || serve(far)))
    }

    fn random_bytes(seed: u64, count: usize) -> Vec<u8> {
        let mut random = Rng::with_seed(seed);
        (0..count).map(|_| random.u8(..)).collect()
    }

    #[test]
    fn every_byte_arrives_in_both_directions() {
        arbtest(|u| {
            let version = *u.choose(rustls::ALL_VERSIONS)?;
            let (bytes_max, seed) = (*u.choose(&[1, 7, 5000, WHOLE])?, u.arbitrary()?);
            // Often more than the session takes at a time.
            let counts: [usize; 3] = if bytes_max < 100 { [900, 700, 30] } else { [200_000, 150_000, 20_000] };
            let [up, down, last] = [
                random_bytes(0, u.int_in_range(0..=counts[0])?),
                random_bytes(1, u.int_in_range(0..=counts[1])?),
                random_bytes(2, u.int_in_range(0..=counts[2])?),
            ];
            let (sent_down, sent_last) = (down.clone(), last.clone());
            let (mut stream, server) = connect(version, (bytes_max, seed), move |mut server| {
                server.write_all(&sent_down).unwrap();
                let _ = server.conn.refresh_traffic_keys();
                let mut received = Vec::new();
                server.read_to_end(&mut received).unwrap();
                // After the client's end.
                server.write_all(&sent_last).unwrap();
                server.conn.send_close_notify();
                server.flush().unwrap();
                received
            });
            let received = smol::block_on(async {
                poll_fn(|cx| stream.poll_handshake(cx)).await.unwrap();
                let mut writer = stream.clone();
                let sending = async {
                    for part in up.chunks(10_000) {
                        writer.write_all(part).await.unwrap();
                        writer.flush().await.unwrap();
                    }
                    writer.close().await.unwrap();
                };
                let mut received = Vec::new();
                zip(sending, async { stream.read_to_end(&mut received).await.unwrap() }).await;
                received
            });
            assert!(received == [down, last].concat(), "{} bytes arrived", received.len());
            assert!(server.join().unwrap() == up);
            Ok(())
        })
        .budget_ms(2_000);
    }

    #[test]
    fn end_without_close_notify_is_an_error() {
        arbtest(|u| {
            let version = *u.choose(rustls::ALL_VERSIONS)?;
            let (text, seed) = (random_bytes(3, u.int_in_range(0..=5_000)?), u.arbitrary()?);
            let (sent, cut) = (text.clone(), u.arbitrary()?);
            let (mut stream, server) = connect(version, (*u.choose(&[40, 5000])?, seed), move |mut server| {
                server.write_all(&sent).unwrap();
                server.flush().unwrap();
                // With or without the beginning of another record.
                if cut {
                    server.sock.write_all(&[23, 3, 3, 0, 99, 1]).unwrap();
                }
            });
            let mut received = Vec::new();
            let end = smol::block_on(async {
                poll_fn(|cx| stream.poll_handshake(cx)).await.unwrap();
                stream.read_to_end(&mut received).await.unwrap_err()
            });
            assert_eq!((end.kind(), end.to_string().as_str()), (io::ErrorKind::UnexpectedEof, CUT_OFF));
            assert!(received == text);
            server.join().unwrap();
            Ok(())
        })
        .budget_ms(500);
    }

    /// The client reads both in one piece.
    #[test]
    fn bytes_after_close_notify_are_ignored() {
        let (mut stream, server) = connect(&rustls::version::TLS13, (WHOLE, 1), |mut server| {
            server.write_all(b"hi").unwrap();
            server.conn.send_close_notify();
            server.flush().unwrap();
            server.sock.write_all(&[0; 5000]).unwrap();
        });
        let mut received = Vec::new();
        smol::block_on(async {
            poll_fn(|cx| stream.poll_handshake(cx)).await.unwrap();
            server.join().unwrap();
            stream.read_to_end(&mut received).await.unwrap();
        });
        assert_eq!(received, b"hi");
    }

    #[test]
    fn damaged_record_is_an_error() {
        let (mut stream, server) = connect(&rustls::version::TLS13, (WHOLE, 1), |mut server| {
            server.write_all(b"hi").unwrap();
            server.sock.write_all(&[[23, 3, 3, 0, 99].as_slice(), &[1; 99]].concat()).unwrap();
            // The client's alert.
            server.read(&mut [0]).unwrap_err().to_string()
        });
        let mut received = Vec::new();
        let end = smol::block_on(async {
            poll_fn(|cx| stream.poll_handshake(cx)).await.unwrap();
            stream.read_to_end(&mut received).await.unwrap_err()
        });
        assert_eq!((end.kind(), &*received), (io::ErrorKind::InvalidData, &b"hi"[..]));
        assert_eq!(server.join().unwrap(), "received fatal alert: BadRecordMac");
    }
}
