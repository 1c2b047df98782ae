//! Which certificates of a server the client accepts. Pure.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::path::PathBuf;

use crate::fingerprint::Fingerprint;

/// Whether a connection must be encrypted, and whom it trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TlsOptions {
    /// Whether addresses without a scheme mean TLS, and others are refused.
    pub(super) is_required: bool,
    pub(super) trust: Trust,
}

/// Which certificates of a server the client accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Trust {
    /// Certificates for the host's name, from issuers that the system trusts.
    #[default]
    System,
    /// Certificates for the host's name, from the issuers in this file.
    Issuers(PathBuf),
    /// The certificate with this fingerprint, whatever its names and dates.
    Fingerprint(Fingerprint),
}
