//! A nonblocking connection, its handshake, and the lines that it receives.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use crate::common::socket::{connect_from, write_some};
use crate::common::tls::{Session, TlsClient};
use crate::protocol::Step;

/// Most bytes read from a connection in one turn.
pub(crate) const READ_BYTES_MAX: usize = 256 * 1024;

/// Splits a stream that comes in pieces into lines.
#[derive(Default)]
pub(crate) struct Lines {
    /// The beginning of a line that is not complete yet.
    partial: Vec<u8>,
}

impl Lines {
    /// Calls `on_line` with each line that these bytes complete, without its LF.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut on_line: impl FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.partial.is_empty() {
                on_line(line);
            } else {
                self.partial.extend_from_slice(line);
                on_line(&self.partial);
                self.partial.clear();
            }
        }
        self.partial.extend_from_slice(bytes);
    }

    pub(crate) fn is_between_lines(&self) -> bool {
        self.partial.is_empty()
    }
}

/// A socket, the rest of its handshake, and its unsent output.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Its TLS session, if it is encrypted.
    tls: Option<Box<Session>>,
    pub(crate) open: bool,
    pub(crate) lines: Lines,
    /// The steps of the handshake that are not done; the first has been sent.
    steps: VecDeque<Step>,
    /// Text that the kernel, or the TLS session, has not taken yet.
    pub(crate) unsent: Vec<u8>,
}

impl Connection {
    /// Connects, from this source address if there is one, with TLS if there is a client of it. Sends the first step of the handshake.
    pub(crate) fn new(
        source: Option<Ipv4Addr>,
        address: SocketAddr,
        tls: Option<&TlsClient>,
        steps: Vec<Step>,
    ) -> Self {
        let stream = match source {
            Some(source) => connect_from(source, address),
            None => TcpStream::connect(address).expect("the server accepts"),
        };
        stream.set_nodelay(true).expect("a socket");
        stream.set_nonblocking(true).expect("a socket");
        let tls = tls.map(|client| Box::new(client.session()));
        let (lines, unsent) = (Lines::default(), Vec::new());
        let mut connection = Self { stream, tls, open: true, lines, steps: steps.into(), unsent };
        connection.send_step();
        connection
    }

    /// Adds a request whose answer ends with the line that completes the step.
    pub(crate) fn add_step(&mut self, step: Step) {
        self.steps.push_back(step);
        if self.steps.len() == 1 {
            self.send_step();
        }
    }

    fn send_step(&mut self) {
        if let Some(step) = self.steps.front() {
            self.unsent.extend_from_slice(&step.request);
            self.flush();
        }
    }

    /// Whether no step is open, or none can be completed any more.
    pub(crate) fn has_finished_steps(&self) -> bool {
        self.steps.is_empty() || !self.open
    }

    /// Sends the next step if this line completes the current one.
    pub(crate) fn advance_steps(&mut self, line: &[u8]) {
        let Some(step) = self.steps.front() else { return };
        if line.windows(step.done.len()).any(|part| part == step.done.as_bytes()) {
            self.steps.pop_front();
            self.send_step();
        }
    }

    /// Writes as much as the kernel takes; the rest waits for the next call.
    pub(crate) fn flush(&mut self) {
        let written = match &mut self.tls {
            None => write_some(&self.stream, &mut self.unsent),
            Some(session) => session.write(&self.stream, &mut self.unsent),
        };
        self.open &= written.is_ok();
    }

    /// Reads once. Returns the number of bytes of text. Clears `open` if the server has closed the connection.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let read = match &mut self.tls {
            None => self.stream.read(buffer).map(|count| (count, count == 0)),
            Some(session) => {
                let count = session.read(&self.stream, buffer, &mut self.unsent);
                count.map(|count| (count, session.has_ended()))
            }
        };
        let (count, has_ended) = match read {
            Err(error) => (0, error.kind() != ErrorKind::WouldBlock),
            Ok(read) => read,
        };
        self.open &= !has_ended;
        if self.tls.is_some() {
            // The answer in a handshake, and the text that has waited for its end.
            self.flush();
        }
        count
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::thread::{self, JoinHandle};

    use rustls::crypto::ring::{default_provider, sign::any_eddsa_type};
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;
    use crate::common::event_loop::{EventLoop, Poller};

    #[test]
    fn lines_split_anywhere_are_whole() {
        let stream = b"one\r\n\ntwo\nthree";
        for split in 0..=stream.len() {
            let (mut lines, mut got) = (Lines::default(), Vec::new());
            let (first, second) = stream.split_at(split);
            lines.push(first, |line| got.push(line.to_vec()));
            lines.push(second, |line| got.push(line.to_vec()));
            assert_eq!(got, [&b"one\r"[..], b"", b"two"], "split at {split}");
            assert!(!lines.is_between_lines());
        }
    }

    /// Any bytes: the client compares the certificate, and does not parse it.
    const CERTIFICATE: CertificateDer<'static> = CertificateDer::from_slice(b"certificate");

    type TlsStream = StreamOwned<ServerConnection, TcpStream>;

    /// A TLS server that runs `serve` with its first connection.
    fn start_server<T: Send + 'static>(
        serve: impl FnOnce(TlsStream) -> T + Send + 'static,
    ) -> (SocketAddr, JoinHandle<T>) {
        // The beginning of an Ed25519 key in PKCS #8 (RFC 8410); 32 bytes follow.
        let key = [&b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..], &[7; 32]].concat();
        let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(key)).unwrap();
        let key = SingleCertAndKey::from(CertifiedKey::new(vec![CERTIFICATE], key));
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = Arc::new(builder.with_cert_resolver(Arc::new(key)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            serve(StreamOwned::new(ServerConnection::new(config).unwrap(), stream))
        });
        (address, thread)
    }

    struct Client {
        connection: Connection,
        poller: Poller,
        buffer: Vec<u8>,
        received: Vec<u8>,
    }

    impl Client {
        /// A client that accepts this certificate, and sends these bytes.
        fn connect(address: SocketAddr, certificate: CertificateDer<'static>, request: &[u8]) -> Self {
            let steps = vec![Step { request: request.to_vec(), done: "done" }];
            let connection = Connection::new(None, address, Some(&TlsClient::accepting(certificate)), steps);
            let poller = Poller::new();
            poller.add(&connection, 0);
            Self { connection, poller, buffer: vec![0; 64 * 1024], received: Vec::new() }
        }
    }

    impl EventLoop for Client {
        fn poller(&mut self) -> &mut Poller {
            &mut self.poller
        }

        fn read(&mut self, _: usize) {
            let count = self.connection.read(&mut self.buffer);
            self.received.extend_from_slice(&self.buffer[..count]);
        }

        /// As a sender does, but not before the end of the handshake: `read` sends its answers.
        fn finish_turn(&mut self) {
            if !self.received.is_empty() {
                self.connection.flush();
            }
        }
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|number| u8::try_from(number % 251).unwrap()).collect()
    }

    /// More than the buffers of both sockets, in records of many lengths.
    #[test]
    fn connection_over_tls_passes_every_byte_in_both_directions() {
        let (down, up) = (bytes(3_000_000), bytes(500_000));
        let (to_send, up_length) = (down.clone(), up.len());
        let (address, server) = start_server(move |mut stream| {
            let mut rest = &*to_send;
            for length in [1, 2, 77, 5000, 16_384, 40_000].into_iter().cycle() {
                let (piece, after) = rest.split_at(rest.len().min(length));
                stream.write_all(piece).unwrap();
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let mut received = vec![0; up_length];
            stream.read_exact(&mut received).unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
            // The client ends the connection.
            let _ = stream.sock.read(&mut [0]);
            received
        });
        let mut client = Client::connect(address, CERTIFICATE, &up);
        assert!(client.turn_until(|client| !client.connection.open), "the end of the server's text does not arrive");
        assert!(client.received == down, "{} bytes arrived", client.received.len());
        drop(client);
        assert!(server.join().unwrap() == up);
    }

    #[test]
    fn connection_over_tls_accepts_no_other_certificate() {
        let (address, server) = start_server(|mut stream| stream.read(&mut [0]).map_err(|error| error.to_string()));
        let mut client = Client::connect(address, CertificateDer::from_slice(b"another"), b"line\n");
        assert!(client.turn_until(|client| !client.connection.open), "the handshake is not refused");
        drop(client);
        assert_ne!(server.join().unwrap(), Ok(1), "the line was sent");
    }
}
