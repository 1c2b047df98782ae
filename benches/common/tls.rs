//! The client's side of TLS in an event loop. It offers one version, one cipher suite and one key exchange, so that all servers use the same.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite::TLS13_AES_128_GCM_SHA256 as SUITE, default_provider, kx_group::X25519};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::certificate::Certificate;
use super::socket::write_some;

/// Bytes of the longest handshake message that a client without a certificate sends, and more.
const HANDSHAKE_MESSAGE_BYTES_MAX: usize = 4096;

/// Most bytes of text in a record, and most bytes that a record has besides.
const RECORD_TEXT_BYTES: usize = 16 * 1024;
const RECORD_OVERHEAD_BYTES: usize = 64;

/// The version, the cipher suite and the key exchange that the load negotiates with every server, in words.
pub(crate) fn parameters() -> String {
    format!("TLS 1.3, {:?}, {:?}", SUITE.suite(), X25519.name())
}

/// Makes the sessions of clients that accept one certificate.
#[derive(Clone)]
pub(crate) struct TlsClient(Arc<ClientConfig>);

impl TlsClient {
    pub(crate) fn new(certificate: &Certificate) -> Self {
        Self::accepting(
            CertificateDer::from_pem_file(certificate.path()).expect("a certificate that chinwagd has made"),
        )
    }

    pub(crate) fn accepting(certificate: CertificateDer<'static>) -> Self {
        let provider = CryptoProvider { cipher_suites: vec![SUITE], kx_groups: vec![X25519], ..default_provider() };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[&TLS13]);
        let builder = builder.expect("the suite is one of TLS 1.3").dangerous();
        let config = builder.with_custom_certificate_verifier(Arc::new(OneCertificate(certificate)));
        Self(Arc::new(config.with_no_client_auth()))
    }

    /// A session whose output begins with the `ClientHello`.
    pub(crate) fn session(&self) -> Session {
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = UnbufferedClientConnection::new(Arc::clone(&self.0), name).expect("a valid configuration");
        let mut session =
            Session { connection, partial: Vec::new(), output: Vec::new(), has_ended: false, has_failed: false };
        session.process(&mut [], &mut [], &mut Vec::new()).expect("it has received nothing yet");
        session
    }
}

/// The client's side of a TLS connection. Text to send is a vector of the caller: it stays there until the handshake is complete.
pub(crate) struct Session {
    pub(crate) connection: UnbufferedClientConnection,
    /// The beginning of a record that is not complete yet.
    partial: Vec<u8>,
    /// Records that the kernel has not taken yet.
    pub(crate) output: Vec<u8>,
    has_ended: bool,
    /// Something was received that TLS does not allow. The connection cannot be used after it.
    has_failed: bool,
}

impl Session {
    /// Reads once from the socket, and decrypts. Returns how many bytes of text are at the beginning of the buffer: 0 if no record with text
    /// is complete. [`Session::write`] then sends the answer.
    pub(crate) fn read(&mut self, mut stream: impl Read, buffer: &mut [u8], unsent: &mut Vec<u8>) -> io::Result<usize> {
        // Records are longer than their text.
        let (text, records) = buffer.split_at_mut(buffer.len() / 2);
        let start = self.partial.len();
        let count = stream.read(&mut records[start..])?;
        records[..start].copy_from_slice(&self.partial);
        self.has_ended |= count == 0;
        let text_bytes = self.process(&mut records[..start + count], text, unsent);
        text_bytes.inspect_err(|_| self.has_failed = true)
    }

    /// Encrypts this text, if the handshake is complete, and writes as much as the kernel takes; the rest waits for the next call.
    pub(crate) fn write(&mut self, stream: impl Write, unsent: &mut Vec<u8>) -> io::Result<()> {
        if self.has_failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if !unsent.is_empty() {
            let mut partial = std::mem::take(&mut self.partial);
            self.process(&mut partial, &mut [], unsent)?;
        }
        write_some(stream, &mut self.output)
    }

    /// Whether the server sends nothing more.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Decrypts records to `text`; encrypts the unsent text and the session's own messages to `output`. Returns the bytes of decrypted text.
    fn process(&mut self, mut records: &mut [u8], text: &mut [u8], unsent: &mut Vec<u8>) -> io::Result<usize> {
        let mut text_bytes = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = self.connection.process_tls_records(records);
            let mut has_more = true;
            match state.map_err(io::Error::other)? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(io::Error::other)?;
                        let end = text_bytes + record.payload.len();
                        text[text_bytes..end].copy_from_slice(record.payload);
                        text_bytes = end;
                        discard += record.discard;
                    }
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    append(&mut self.output, HANDSHAKE_MESSAGE_BYTES_MAX, |room| data.encode(room));
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::WriteTraffic(mut traffic) => {
                    let records = unsent.len().div_ceil(RECORD_TEXT_BYTES);
                    let room = unsent.len() + records * RECORD_OVERHEAD_BYTES;
                    append(&mut self.output, room, |room| traffic.encrypt(unsent, room));
                    unsent.clear();
                    has_more = false;
                }
                ConnectionState::BlockedHandshake => has_more = false,
                ConnectionState::PeerClosed | ConnectionState::Closed => {
                    self.has_ended = true;
                    has_more = false;
                }
                other => return Err(io::Error::other(format!("a client does not expect the state {other:?}"))),
            }
            records = &mut records[discard..];
            if !has_more {
                self.partial.clear();
                self.partial.extend_from_slice(records);
                return Ok(text_bytes);
            }
        }
    }
}

/// Appends the bytes that `encode` writes, at most `room`.
fn append<E: Debug>(output: &mut Vec<u8>, room: usize, encode: impl FnOnce(&mut [u8]) -> Result<usize, E>) {
    let start = output.len();
    output.resize(start + room, 0);
    let count = encode(&mut output[start..]).expect("enough room");
    output.truncate(start + count);
}

/// Accepts one certificate. It does not check the signature of a handshake, which would take longer than the server's part: the load generator
/// would limit the handshakes per second.
#[derive(Debug)]
struct OneCertificate(CertificateDer<'static>);

impl ServerCertVerifier for OneCertificate {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *certificate == self.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 was not offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
