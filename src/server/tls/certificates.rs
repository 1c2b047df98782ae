//! The certificates of the TLS listeners: reads them from files, checks them, chooses one for each client, and reads them again on SIGHUP.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, InconsistentKeys, RootCertStore};

use crate::fingerprint::Fingerprint;
use crate::limits::PEM_FILE_BYTES_MAX;
use crate::process::{SmallFile, SmallFileError, error_text, quoted_path};
use crate::protocol::Timestamp;
use crate::server::reload::{CertificateStatus, Reload, ReloadError, Replacement};
use crate::server::{CheckReport, log};

/// A certificate and its key, as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate in PEM, followed by the intermediate certificates.
    pub certificate: PathBuf,
    /// The private key in PEM: PKCS #8, PKCS #1 (RSA) or SEC 1 (EC).
    pub key: PathBuf,
}

/// The certificates of the TLS listeners. A client gets the first one that is valid for the name that it asks for, or the first of all.
#[derive(Debug)]
pub struct TlsCertificates(RwLock<State>);

#[derive(Debug)]
struct State {
    files: Vec<CertificateFiles>,
    /// In the order of `files`. Empty before the first [`Reload::reload`].
    loaded: Vec<Arc<CertifiedKey>>,
}

impl TlsCertificates {
    /// Names the files. [`Reload::reload`] reads them.
    pub fn new(files: Vec<CertificateFiles>) -> Arc<Self> {
        Arc::new(Self(RwLock::new(State { files, loaded: Vec::new() })))
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reload for TlsCertificates {
    /// Each certificate, followed by its key.
    fn paths(&self) -> Vec<PathBuf> {
        self.state().files.iter().flat_map(|files| [files.certificate.clone(), files.key.clone()]).collect()
    }

    /// Reads the files. After an error, the certificates stay as they were. Warns about certificates that clients will not accept.
    fn prepare(&self, paths: Vec<PathBuf>) -> Result<Replacement<'_>, ReloadError> {
        let (pairs, _) = paths.as_chunks::<2>();
        let files: Vec<_> =
            pairs.iter().cloned().map(|[certificate, key]| CertificateFiles { certificate, key }).collect();
        let provider = ring::default_provider();
        let loaded = files.iter().map(|files| files.load(&provider)).collect::<Result<Vec<_>, _>>()?;
        Ok(Box::new(move || {
            for (files, key) in files.iter().zip(&loaded) {
                if let Some(problem) = find_validity_problem(key, &provider, UnixTime::now()) {
                    log::invalid_certificate(&files.certificate, problem);
                }
                log::certificate(&files.certificate, fingerprint(key));
            }
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = State { files, loaded };
        }))
    }

    /// Finds the fault of each pair of files, and certificates that clients will not accept.
    fn check(&self, report: &mut CheckReport) {
        let provider = ring::default_provider();
        let state = self.state();
        for files in &state.files {
            let key = match files.load(&provider) {
                Ok(key) => key,
                Err(fault) => {
                    report.errors.push(fault.to_string());
                    continue;
                }
            };
            if let Some(problem) = find_validity_problem(&key, &provider, UnixTime::now()) {
                let path = quoted_path(&files.certificate);
                report.notes.push(format!("clients will not accept the certificate {path}: {problem}"));
            }
        }
        report.count(state.files.len(), "certificate", "certificates");
    }

    fn certificates(&self) -> Vec<CertificateStatus> {
        let provider = ring::default_provider();
        let state = self.state();
        let status = |(files, key): (&CertificateFiles, &Arc<CertifiedKey>)| CertificateStatus {
            path: files.certificate.clone(),
            fingerprint: fingerprint(key).to_string(),
            expires_at: expires_at(key, &provider),
        };
        state.files.iter().zip(&state.loaded).map(status).collect()
    }
}

impl ResolvesServerCert for TlsCertificates {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let state = self.state();
        let loaded = &state.loaded;
        let name = client.server_name().and_then(|name| ServerName::try_from(name).ok());
        let named = name.and_then(|name| loaded.iter().find(|key| is_valid_for(key, &name)));
        named.or_else(|| loaded.first()).cloned()
    }
}

/// Why a certificate cannot be used.
#[derive(Debug)]
pub(super) enum CertificateFault {
    Unreadable(PathBuf, io::Error),
    NotAFile(PathBuf, &'static str),
    TooLong(PathBuf),
    Damaged(PathBuf, pem::Error),
    NoCertificate(PathBuf),
    NoKey(PathBuf),
    /// The certificate with this number in the file, from 1 on.
    DamagedCertificate(PathBuf, usize),
    Mismatch(CertificateFiles),
    Unusable(CertificateFiles, rustls::Error),
}

impl Error for CertificateFault {}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "cannot read {}: {}", quoted_path(path), error_text(error)),
            Self::NotAFile(path, found) => write!(f, "{} is {found}: expected a file in PEM", quoted_path(path)),
            Self::TooLong(path) => {
                write!(f, "{} is too long: expected at most {PEM_FILE_BYTES_MAX} bytes of PEM", quoted_path(path))
            }
            // Its text would have bytes in decimal.
            Self::Damaged(path, pem::Error::MissingSectionEnd { .. }) => {
                write!(f, "{} is not valid PEM: a line END is missing", quoted_path(path))
            }
            Self::Damaged(path, error) => write!(f, "{} is not valid PEM: {error}", quoted_path(path)),
            Self::NoCertificate(path) => {
                write!(f, "{} has no certificate: expected PEM with a line BEGIN CERTIFICATE", quoted_path(path))
            }
            Self::NoKey(path) => {
                write!(f, "{} has no private key: expected PEM with a line BEGIN PRIVATE KEY", quoted_path(path))
            }
            Self::DamagedCertificate(path, number) => {
                write!(f, "certificate {number} in {} is damaged: replace it, or remove it", quoted_path(path))
            }
            Self::Mismatch(CertificateFiles { certificate, key }) => {
                write!(f, "the key {} is not that of the certificate {}", quoted_path(key), quoted_path(certificate))
            }
            Self::Unusable(CertificateFiles { certificate, key }, error) => {
                write!(f, "cannot use {} with {}: {error}", quoted_path(certificate), quoted_path(key))
            }
        }
    }
}

impl CertificateFiles {
    fn load(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, CertificateFault> {
        let damaged = |error| CertificateFault::Damaged(self.certificate.clone(), error);
        let content = read(&self.certificate)?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&content).collect::<Result<_, _>>().map_err(damaged)?;
        if chain.is_empty() {
            return Err(CertificateFault::NoCertificate(self.certificate.clone()));
        }
        if let Some(damaged) = chain.iter().position(is_damaged) {
            return Err(CertificateFault::DamagedCertificate(self.certificate.clone(), damaged + 1));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?).map_err(|error| match error {
            pem::Error::NoItemsFound => CertificateFault::NoKey(self.key.clone()),
            error => CertificateFault::Damaged(self.key.clone(), error),
        })?;
        let certified = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => CertificateFault::Mismatch(self.clone()),
            error => CertificateFault::Unusable(self.clone(), error),
        })?;
        Ok(Arc::new(certified))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateFault> {
    let of_path = |error| match error {
        SmallFileError::Unreadable(error) => CertificateFault::Unreadable(path.to_owned(), error),
        SmallFileError::NotAFile(found) => CertificateFault::NotAFile(path.to_owned(), found),
        SmallFileError::TooLong => CertificateFault::TooLong(path.to_owned()),
    };
    SmallFile::read(path, PEM_FILE_BYTES_MAX).map(|file| file.content).map_err(of_path)
}

fn is_valid_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = key.end_entity_cert().and_then(ParsedCertificate::try_from);
    parsed.is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

/// Whether no client can read the certificate. Other faults of an intermediate certificate are for the client to judge.
fn is_damaged(certificate: &CertificateDer<'_>) -> bool {
    matches!(
        ParsedCertificate::try_from(certificate),
        Err(rustls::Error::InvalidCertificate(CertificateError::BadEncoding))
    )
}

fn fingerprint(key: &CertifiedKey) -> Fingerprint {
    Fingerprint::of(key.cert.first().map_or(&[], |first| first))
}

/// Why clients will not accept the certificate at this time.
fn find_validity_problem(key: &CertifiedKey, provider: &CryptoProvider, now: UnixTime) -> Option<&'static str> {
    match verify_at(key, provider, now)? {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Some("it has expired"),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Some("it is not valid yet"),
        _ => None,
    }
}

/// Until when the certificate is valid. Only the error about a later time says so.
fn expires_at(key: &CertifiedKey, provider: &CryptoProvider) -> Option<Timestamp> {
    let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    match verify_at(key, provider, end_of_time)? {
        CertificateError::ExpiredContext { not_after, .. } => {
            Some(Timestamp(0).plus(Duration::from_secs(not_after.as_secs())))
        }
        _ => None,
    }
}

/// The first problem of the certificate at this time. The dates are checked first; without roots, nothing else can succeed.
fn verify_at(key: &CertifiedKey, provider: &CryptoProvider, time: UnixTime) -> Option<CertificateError> {
    let parsed = key.end_entity_cert().and_then(ParsedCertificate::try_from).ok()?;
    let algorithms = provider.signature_verification_algorithms.all;
    match verify_server_cert_signed_by_trust_anchor(&parsed, &RootCertStore::empty(), &[], time, algorithms) {
        Err(rustls::Error::InvalidCertificate(error)) => Some(error),
        _ => None,
    }
}
