//! TLS over another transport, by rustls.

use std::io::{self, BufRead as _, IoSlice, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_lite::{future, ready};
use rustls::{ProtocolVersion, ServerConnection};
use smallvec::SmallVec;

use super::{ReceivedBytes, Transport, send_last_line};
use crate::feed::Source;
use crate::limits::{TLS_WRITE_BYTES_MAX, TLS12_RECORDS_MAX};
use crate::protocol::{CloseReason, LineDecoder};

/// TLS over `T`. Boxed, because the future of a connection has space for its transport twice.
///
/// Output is encrypted once, into records that go out at once. If the transport below does not accept them, they wait here: at most
/// [`TLS_WRITE_BYTES_MAX`] bytes of text. Between two reads or writes, there is no buffer but the one of 4 KiB in which rustls
/// collects a record.
pub(in crate::server) struct Tls<T>(Box<Parts<T>>);

struct Parts<T> {
    inner: T,
    state: Mutex<TlsState>,
}

struct TlsState {
    connection: ServerConnection,
    /// Records of text that were sent.
    records: u64,
    /// Decrypted input that has not been read.
    received: Vec<u8>,
    /// The end of the input: the client's `close_notify`, or an error. No record is read after it.
    end: Option<Result<(), InputError>>,
}

/// Why no more records are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InputError {
    /// The client has sent something that TLS does not allow.
    Invalid,
    /// The client has given up with a fatal alert.
    Alert,
}

impl<T: Transport> Tls<T> {
    /// Begins with a handshake: see [`Tls::receive_handshake`].
    pub(in crate::server) fn new(inner: T, connection: ServerConnection) -> Self {
        let state = TlsState { connection, records: 0, received: Vec::new(), end: None };
        Self(Box::new(Parts { inner, state: Mutex::new(state) }))
    }

    /// The transport below.
    pub(in crate::server) fn inner(&self) -> &T {
        &self.0.inner
    }

    /// Processes input that belongs to the handshake, which may take a millisecond. The caller then sends the answer with
    /// [`Tls::flush`], even after an error. Returns whether the handshake is complete.
    pub(in crate::server) fn receive_handshake(&self, input: &[u8]) -> Result<bool, rustls::Error> {
        let mut state = self.state();
        state.decrypt(input)?;
        Ok(!state.connection.is_handshaking())
    }

    /// Sends everything that is encrypted. Waits while the transport below accepts nothing.
    pub(in crate::server) async fn flush(&self) -> io::Result<()> {
        loop {
            let sent = self.send_encrypted(&mut self.state().connection);
            match sent {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    future::poll_fn(|cx| self.0.inner.poll_writable(cx)).await;
                }
                sent => return sent,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, TlsState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_encrypted(&self, connection: &mut ServerConnection) -> io::Result<()> {
        while connection.wants_write() {
            connection.write_tls(&mut Sink(&self.0.inner))?;
        }
        Ok(())
    }
}

impl TlsState {
    /// Decrypts input into `received`, and answers what TLS itself asks.
    fn decrypt(&mut self, mut input: &[u8]) -> Result<(), rustls::Error> {
        while !input.is_empty() && self.end.is_none() {
            if !matches!(self.connection.read_tls(&mut input), Ok(1..)) {
                // A record is longer than TLS allows.
                self.end = Some(Err(InputError::Invalid));
                return Err(rustls::Error::General("a record is too long".to_owned()));
            }
            let processed = self.connection.process_new_packets();
            // Also after an error: records before it are valid.
            let mut reader = self.connection.reader();
            while let Ok(bytes @ [_, ..]) = reader.fill_buf() {
                let count = bytes.len();
                self.received.extend_from_slice(bytes);
                reader.consume(count);
            }
            match processed {
                Ok(state) => self.end = state.peer_has_closed().then_some(Ok(())),
                Err(error) => {
                    let is_alert = matches!(error, rustls::Error::AlertReceived(_));
                    self.end = Some(Err(if is_alert { InputError::Alert } else { InputError::Invalid }));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Takes at most `bytes_max` bytes of decrypted input.
    fn take_received(&mut self, bytes_max: usize) -> Vec<u8> {
        if self.received.len() <= bytes_max {
            return std::mem::take(&mut self.received);
        }
        let rest = self.received.split_off(bytes_max);
        std::mem::replace(&mut self.received, rest)
    }

    /// The result of a read after all input; `None` if there may be more.
    fn read_end(&self) -> Option<io::Result<Option<ReceivedBytes>>> {
        Some(match self.end? {
            Ok(()) => Ok(None),
            Err(InputError::Invalid) => Err(io::ErrorKind::InvalidData.into()),
            Err(InputError::Alert) => Err(io::ErrorKind::ConnectionAborted.into()),
        })
    }
}

impl<T: Transport> Transport for Tls<T> {
    const NAME: &'static str = "tls";
    const IS_ENCRYPTED: bool = true;

    fn decoder(&self) -> LineDecoder {
        self.0.inner.decoder()
    }

    /// The end of the transport below is an error if the client has not said that its input ends: anybody on the way could cut it.
    fn poll_read(&self, cx: &mut Context<'_>, bytes_max: usize) -> Poll<io::Result<Option<ReceivedBytes>>> {
        let mut state = self.state();
        let mut wire_bytes = 0;
        if state.received.is_empty() {
            if let Some(end) = state.read_end() {
                return Poll::Ready(end);
            }
            let Some(input) = ready!(self.0.inner.poll_read(cx, bytes_max))? else {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            };
            wire_bytes = input.wire_bytes;
            // `end` has the error.
            let _ = state.decrypt(&input.bytes);
            if state.connection.wants_write() {
                // `poll_control` or `write` sends the answer.
                cx.waker().wake_by_ref();
            }
        }
        Poll::Ready(Ok(Some(ReceivedBytes { bytes: state.take_received(bytes_max), wire_bytes })))
    }

    fn watch_input(&self, on: bool) -> io::Result<()> {
        self.0.inner.watch_input(on)
    }

    fn take_error(&self) -> io::Result<()> {
        self.0.inner.take_error()
    }

    /// Encrypts at most [`TLS_WRITE_BYTES_MAX`] bytes, and sends them. Bytes that are encrypted count as sent: [`Transport::poll_control`]
    /// or the next write sends the rest.
    fn write(&self, header: &[u8], source: Source<'_>) -> io::Result<usize> {
        let TlsState { connection, records, .. } = &mut *self.state();
        self.send_encrypted(connection)?;
        // Otherwise rustls would drop the text, and end the output as if it were complete.
        if *records >= TLS12_RECORDS_MAX && connection.protocol_version() == Some(ProtocolVersion::TLSv1_2) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        *records += 1;
        let mut left = TLS_WRITE_BYTES_MAX;
        let mut parts: SmallVec<[IoSlice<'_>; 8]> = SmallVec::new();
        match source {
            Source::Memory(slices) => {
                for bytes in std::iter::once(header).chain(slices.iter().map(|slice| &**slice)) {
                    push_at_most(&mut parts, bytes, &mut left);
                }
            }
            Source::File(_, _, bytes) => {
                push_at_most(&mut parts, header, &mut left);
                push_at_most(&mut parts, bytes, &mut left);
            }
        }
        let encrypted = connection.writer().write_vectored(&parts)?;
        match self.send_encrypted(connection) {
            Err(error) if ![io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&error.kind()) => {
                Err(error)
            }
            _ => Ok(encrypted),
        }
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.inner.poll_writable(cx)
    }

    fn poll_control(&self, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let connection = &mut self.state().connection;
        if connection.wants_write() {
            Poll::Ready(connection.write_tls(&mut Sink(&self.0.inner)))
        } else {
            Poll::Pending
        }
    }

    fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        self.0.inner.set_send_buffer(bytes)
    }

    async fn send_end(&self, _: CloseReason, last_line: Option<&str>) -> io::Result<()> {
        send_last_line(self, last_line).await
    }

    /// Says with `close_notify` that the output is complete.
    async fn close(&self) -> io::Result<()> {
        self.state().connection.send_close_notify();
        self.flush().await?;
        self.0.inner.close().await
    }
}

/// Adds a slice, cut so that all slices have `left` more bytes at most.
fn push_at_most<'a>(parts: &mut SmallVec<[IoSlice<'a>; 8]>, bytes: &'a [u8], left: &mut usize) {
    let bytes = &bytes[..bytes.len().min(*left)];
    if !bytes.is_empty() {
        *left -= bytes.len();
        parts.push(IoSlice::new(bytes));
    }
}

/// The transport below, for rustls to write to.
struct Sink<'a, T>(&'a T);

impl<T: Transport> Write for Sink<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write(&[], Source::Memory(parts))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};

    use super::*;
    use crate::server::transport::tests::Pipe;

    /// A client, and the server's end of its connection.
    struct Pair {
        client: ClientConnection,
        tls: Tls<Pipe>,
    }

    impl Pair {
        /// After the handshake.
        fn new() -> Self {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let certificate = CertificateDer::from(own.cert.der().to_vec());
            let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
            let server = ServerConfig::builder_with_provider(Arc::clone(&provider));
            let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
            let mut server = server.with_single_cert(vec![certificate.clone()], key).unwrap();
            server.send_tls13_tickets = 0;
            let mut roots = RootCertStore::empty();
            roots.add(certificate).unwrap();
            let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
            let client = client.with_root_certificates(roots).with_no_client_auth();
            let name = ServerName::try_from("localhost").unwrap();
            let client = ClientConnection::new(Arc::new(client), name).unwrap();
            let tls = Tls::new(Pipe::default(), ServerConnection::new(Arc::new(server)).unwrap());
            let mut pair = Self { client, tls };
            while pair.client.is_handshaking() || pair.tls.state().connection.is_handshaking() {
                let input = pair.client_output();
                pair.tls.receive_handshake(&input).unwrap();
                future::block_on(pair.tls.flush()).unwrap();
                pair.receive();
            }
            pair
        }

        fn client_output(&mut self) -> Vec<u8> {
            let mut output = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut output).unwrap();
            }
            output
        }

        /// The client sends this text.
        fn send(&mut self, text: &[u8]) {
            self.client.writer().write_all(text).unwrap();
            self.pass_on();
        }

        /// The server receives the output of the client.
        fn pass_on(&mut self) {
            let output = self.client_output();
            self.tls.inner().receive(&output);
        }

        /// The text that the client has received.
        fn receive(&mut self) -> Vec<u8> {
            let sent = self.tls.inner().take_sent();
            let (mut sent, mut text) = (&*sent, Vec::new());
            while !sent.is_empty() {
                self.client.read_tls(&mut sent).unwrap();
                self.client.process_new_packets().unwrap();
                while let Ok(bytes @ [_, ..]) = self.client.reader().fill_buf() {
                    let count = bytes.len();
                    text.extend_from_slice(bytes);
                    self.client.reader().consume(count);
                }
            }
            text
        }

        fn poll_read(&self, bytes_max: usize) -> Poll<io::Result<Option<Vec<u8>>>> {
            let read = self.tls.poll_read(&mut Context::from_waker(std::task::Waker::noop()), bytes_max);
            read.map(|read| read.map(|input| input.map(|input| input.bytes)))
        }

        /// The next read returns this text.
        #[track_caller]
        fn expect_input(&self, text: &[u8]) {
            let Poll::Ready(Ok(Some(bytes))) = self.poll_read(4096) else { panic!("no input") };
            assert_eq!(bytes.escape_ascii().to_string(), text.escape_ascii().to_string());
        }

        #[track_caller]
        fn expect_error(&self, expected: io::ErrorKind) {
            let Poll::Ready(Err(error)) = self.poll_read(4096) else { panic!("no error") };
            assert_eq!(error.kind(), expected);
        }

        fn write(&self, text: &[u8]) -> io::Result<usize> {
            self.tls.write(b"", Source::Memory(&[IoSlice::new(text)]))
        }

        fn poll_control(&self) -> Poll<io::Result<usize>> {
            self.tls.poll_control(&mut Context::from_waker(std::task::Waker::noop()))
        }
    }

    #[test]
    fn close_notify_ends_input_and_output_goes_on() {
        let mut pair = Pair::new();
        pair.send(b"PING a\n");
        pair.client.send_close_notify();
        pair.pass_on();
        pair.expect_input(b"PING a\n");
        pair.expect_input(b"");
        assert!(matches!(pair.poll_read(4096), Poll::Ready(Ok(None))));
        assert_eq!(pair.write(b"OK PING a\n").unwrap(), 10);
        assert_eq!(pair.receive(), b"OK PING a\n");
        future::block_on(pair.tls.close()).unwrap();
        pair.receive();
        assert!(pair.client.process_new_packets().unwrap().peer_has_closed());
    }

    /// Anybody on the way may have cut the connection.
    #[test]
    fn end_without_close_notify_is_an_error() {
        let mut pair = Pair::new();
        pair.send(b"PING a\nMSG pay him 10");
        pair.tls.inner().receive_end();
        pair.expect_input(b"PING a\nMSG pay him 10");
        pair.expect_error(io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn damaged_record_is_an_error_after_the_text_before_it() {
        let mut pair = Pair::new();
        pair.client.writer().write_all(b"PING a\n").unwrap();
        let mut output = pair.client_output();
        pair.client.writer().write_all(b"PING b\n").unwrap();
        output.extend(pair.client_output());
        *output.last_mut().unwrap() ^= 1;
        pair.tls.inner().receive(&output);
        pair.expect_input(b"PING a\n");
        pair.expect_error(io::ErrorKind::InvalidData);
        assert!(matches!(pair.poll_control(), Poll::Ready(Ok(1..))), "no alert was sent");
    }

    #[test]
    fn read_returns_no_more_than_asked() {
        let mut pair = Pair::new();
        pair.client.writer().write_all(&[b'x'; 100]).unwrap();
        // The second piece completes the record.
        pair.client_output().chunks(64).for_each(|piece| pair.tls.inner().receive(piece));
        let read = || match pair.poll_read(64) {
            Poll::Ready(Ok(Some(text))) => Some(text.len()),
            _ => None,
        };
        assert_eq!(std::iter::from_fn(read).collect::<Vec<_>>(), [0, 64, 36]);
    }

    /// A client that does not read has one record waiting, and no more.
    #[test]
    fn write_encrypts_one_record_before_it_is_sent() {
        let mut pair = Pair::new();
        pair.tls.inner().set_room(10);
        assert_eq!(pair.write(&vec![b'x'; 100_000]).unwrap(), TLS_WRITE_BYTES_MAX);
        assert_eq!(pair.write(b"more").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let Poll::Ready(Err(error)) = pair.poll_control() else { panic!("nothing waits") };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        pair.tls.inner().set_room(100_000);
        assert!(matches!(pair.poll_control(), Poll::Ready(Ok(16_000..))));
        assert!(pair.poll_control().is_pending());
        assert_eq!(pair.receive().len(), TLS_WRITE_BYTES_MAX);
    }

    #[test]
    fn header_and_slices_are_one_record() {
        let mut pair = Pair::new();
        let slices = [&b"ab"[..], b"", b"cd"].map(IoSlice::new);
        assert_eq!(pair.tls.write(b"H", Source::Memory(&slices)).unwrap(), 5);
        assert_eq!(pair.tls.inner().sent.lock().unwrap().len(), 5 + 5 + 1 + 16, "not one record");
        assert_eq!(pair.receive(), b"Habcd");
    }
}
