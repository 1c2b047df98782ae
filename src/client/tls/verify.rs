//! Checks the certificate of a server, and explains why one is refused.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use crate::client::trust::Trust;
use crate::fingerprint::Fingerprint;
use crate::process::{error_text, quoted_path};
use crate::protocol::sanitize;

/// The settings of a connection to a server with a certificate that is trusted.
///
/// # Errors
/// The text says which certificates cannot be read.
pub(super) fn client_config(trust: &Trust) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot begin TLS: {error}"))?;
    let builder = match trust {
        Trust::System => builder.with_root_certificates(system_roots()?),
        Trust::Issuers(path) => builder.with_root_certificates(roots_in(path)?),
        Trust::Fingerprint(expected) => {
            let verifier = PinnedCertificate { expected: *expected, provider };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    Ok(builder.with_no_client_auth())
}

/// The issuers that the system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` replace them.
fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // A system may have certificates that rustls cannot use.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
        return Err(format!(
            "this system has no root certificates{why}; install the package ca-certificates, or use --tls-ca or \
             --tls-fingerprint"
        ));
    }
    Ok(roots)
}

fn roots_in(path: &Path) -> Result<RootCertStore, String> {
    let path_text = quoted_path(path);
    let unreadable = |error| match error {
        pem::Error::Io(error) => format!("cannot read --tls-ca {path_text}: {}", error_text(&error)),
        _ => format!("invalid --tls-ca {path_text}: expected certificates in PEM"),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        roots
            .add(certificate.map_err(unreadable)?)
            .map_err(|_| format!("invalid --tls-ca {path_text}: a certificate in it is damaged"))?;
    }
    if roots.is_empty() {
        return Err(format!("invalid --tls-ca {path_text}: expected certificates in PEM"));
    }
    Ok(roots)
}

/// Accepts one certificate.
#[derive(Debug)]
struct PinnedCertificate {
    expected: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedCertificate {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let presented = Fingerprint::of(certificate);
        if presented == self.expected {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::Other(OtherError(Arc::new(OtherCertificate { presented }))).into())
    }

    // The server has the key of this certificate.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The server has another certificate than the one with the expected fingerprint.
#[derive(Debug)]
struct OtherCertificate {
    presented: Fingerprint,
}

impl fmt::Display for OtherCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server's certificate has the fingerprint {}", self.presented)
    }
}

impl Error for OtherCertificate {}

/// The reason why a certificate is refused, and what the user can do.
pub(super) fn explain_certificate_error(error: &CertificateError, trust: &Trust, host: &str) -> String {
    let (what, hint) = match error {
        CertificateError::Other(OtherError(other)) if other.is::<OtherCertificate>() => {
            let hint = "if its operator has replaced the certificate, ask for the new fingerprint; otherwise, somebody \
                        else may answer in its place";
            return format!("{other}, not the one of --tls-fingerprint; {hint}");
        }
        // All but the first: an issuer has this name, but another key. So does a certificate that chinwagd cert has made again.
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => match trust {
            Trust::Issuers(path) => {
                (format!("is not from an issuer in {}", quoted_path(path)), "give the file of its issuer to --tls-ca")
            }
            _ => {
                ("is not from an issuer that this system trusts".to_owned(), "give the file of its issuer to --tls-ca")
            }
        },
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("has expired".to_owned(), "its operator must renew it")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("is not valid yet".to_owned(), "check the clock of this machine")
        }
        CertificateError::NotValidForName => (format!("is not for the name {host}"), "connect by a name that it has"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = presented.iter().map(|name| sanitize(name_in(name))).collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() { "no name".to_owned() } else { names };
            (format!("is for {names}, not for {host}"), "connect by a name that it has")
        }
        other => (format!("is invalid: {other}"), "its operator must replace it"),
    };
    format!(
        "the server's certificate {what}; {hint}, or use --tls-fingerprint sha256:... if you know its fingerprint, \
         which chinwagd cert prints"
    )
}

/// A name as rustls lists it, such as `DnsName("localhost")`, without what is around it.
fn name_in(listed: &str) -> &str {
    listed.split_once('(').and_then(|(_, name)| name.strip_suffix(')')).unwrap_or(listed).trim_matches('"')
}
