//! The options of the feature `tls`.

use std::iter;
use std::sync::Arc;

use chinwag::server::{CertificateFiles, TlsCertificates};

use super::Arguments;

/// Explains which of the options is missing.
pub(super) fn find_missing(arguments: &Arguments) -> Option<String> {
    let (certificates, keys) = (arguments.tls_cert.len(), arguments.tls_key.len());
    let encrypted = arguments.listen.iter().find(|uri| uri.is_encrypted());
    match encrypted {
        None if certificates + keys > 0 => {
            let option = if certificates > 0 { "--tls-cert" } else { "--tls-key" };
            Some(format!("{option} without a tls:// listener: expected one, such as --listen tls://127.0.0.1:9998"))
        }
        Some(_) if certificates + keys == 0 => {
            Some("a tls:// listener without --tls-cert and --tls-key; make these files with: chinwagd cert".to_owned())
        }
        _ if certificates != keys => Some(format!(
            "--tls-cert is given {certificates} times and --tls-key {keys} times: expected a key for each"
        )),
        _ => None,
    }
}

/// The certificates of all listeners. `None` without a listener for TLS.
pub(super) fn certificates(arguments: &mut Arguments) -> Option<Arc<TlsCertificates>> {
    let pairs = iter::zip(std::mem::take(&mut arguments.tls_cert), std::mem::take(&mut arguments.tls_key));
    let files: Vec<_> = pairs.map(|(certificate, key)| CertificateFiles { certificate, key }).collect();
    (!files.is_empty()).then(|| TlsCertificates::new(files))
}
