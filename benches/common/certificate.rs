//! The certificate of a server under load: self-signed, made by `chinwagd cert`.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A certificate and its key (ECDSA with P-256), as files that are removed when it is dropped.
pub(crate) struct Certificate {
    directory: TempDir,
}

impl Certificate {
    pub(crate) fn make(chinwagd: &Path) -> Result<Self, String> {
        let directory = tempfile::tempdir().expect("a directory for the certificate");
        let output = Command::new(chinwagd).args(["cert", "--out"]).arg(directory.path()).output();
        let output = output
            .map_err(|error| format!("{} makes the certificate, but does not start: {error}", chinwagd.display()))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} cert makes no certificate: {}", chinwagd.display(), why.trim_end()));
        }
        Ok(Self { directory })
    }

    /// The file with the certificate, in PEM.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("chinwag-cert.pem")
    }

    /// The file with its key, in PEM.
    pub(crate) fn key_path(&self) -> PathBuf {
        self.directory.path().join("chinwag-key.pem")
    }

    /// The options with which chinwagd listens for TLS, beside its other listeners.
    pub(crate) fn listener_options(&self) -> Vec<String> {
        let [certificate, key] = [self.path(), self.key_path()].map(|path| path.display().to_string());
        let options = ["--listen", "tls://127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key];
        options.map(str::to_owned).into()
    }
}
