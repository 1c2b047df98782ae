//! TLS: the handshake with a server, and the check of its certificate.

mod stream;
mod verify;

use std::future::poll_fn;
use std::net::Ipv6Addr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, ClientConnection, InvalidMessage};
use smol::net::TcpStream;

use self::stream::{HandshakeError, TlsStream};
use self::verify::{client_config, explain_certificate_error};
use super::transport::{ServerReader, ServerWriter, split};
use super::trust::Trust;

/// Makes TLS connections to one host.
#[derive(Clone)]
pub(super) struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    trust: Trust,
}

impl Connector {
    /// Reads the certificates that the client trusts. `host`: the name or the address that the certificate must have.
    ///
    /// # Errors
    /// The text says which file or name is invalid.
    pub(super) fn new(host: &str, trust: &Trust) -> Result<Self, String> {
        // A certificate has neither brackets nor a zone.
        let host = host.trim_matches(['[', ']']);
        let host = host.split_once('%').map_or(host, |(address, zone)| {
            if address.parse::<Ipv6Addr>().is_ok() && !zone.is_empty() { address } else { host }
        });
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| "TLS needs a host name in ASCII or an IP address".to_owned())?;
        Ok(Self { config: Arc::new(client_config(trust)?), name, trust: trust.clone() })
    }

    /// Makes the handshake on a new connection.
    ///
    /// # Errors
    /// The text says what failed, and what the user can do.
    pub(super) async fn connect(&self, socket: TcpStream) -> Result<(ServerReader, Box<dyn ServerWriter>), String> {
        let session = ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .map_err(|error| format!("cannot begin TLS: {error}"))?;
        let mut stream = TlsStream::new(socket, session);
        match poll_fn(|cx| stream.poll_handshake(cx)).await {
            Ok(()) => Ok(split(stream)),
            Err(error) => Err(self.explain(error)),
        }
    }

    fn explain(&self, error: HandshakeError) -> String {
        match error {
            HandshakeError::Ended => "the server closed the connection during the TLS handshake".to_owned(),
            HandshakeError::Socket(error) => format!("the connection broke during the TLS handshake: {error}"),
            HandshakeError::Tls(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
                "the server does not speak TLS on this port; connect without TLS, or to the port of its tls:// listener"
                    .to_owned()
            }
            HandshakeError::Tls(rustls::Error::InvalidCertificate(error)) => {
                explain_certificate_error(&error, &self.trust, &self.name.to_str())
            }
            // chinwagd sends this alert to clients that it does not admit.
            HandshakeError::Tls(rustls::Error::AlertReceived(AlertDescription::InternalError)) => {
                "the server refused the connection before the TLS handshake: it is full, your address has too many \
                 connections, or it serves proxies only; try again later"
                    .to_owned()
            }
            HandshakeError::Tls(rustls::Error::AlertReceived(alert)) => {
                format!("the server refused the TLS handshake: {alert:?}")
            }
            HandshakeError::Tls(error) => format!("the TLS handshake failed: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_name_has_no_brackets_and_no_zone() {
        let trust = Trust::Fingerprint(crate::fingerprint::Fingerprint([0; 32]));
        let check = |host: &str, expected: &str| {
            assert_eq!(
                Connector::new(host, &trust).ok().map(|made| made.name.to_str().into_owned()).as_deref(),
                Some(expected)
            );
        };
        check("chat.example.org", "chat.example.org");
        check("192.0.2.1", "192.0.2.1");
        check("[::1]", "::1");
        check("[fe80::1%eth0]", "fe80::1");
        assert!(Connector::new("ü", &trust).is_err());
    }
}
