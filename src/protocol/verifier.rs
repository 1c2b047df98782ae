//! Verifiers: what the server keeps instead of a secret.

use std::fmt;

use subtle::ConstantTimeEq as _;

/// The SHA-256 value of a secret, or of the server's password: it verifies the secret without revealing it. Comparing two verifiers takes
/// constant time, and `Debug` does not reveal them.
///
/// A secret has 128 random bits, so one round of SHA-256 suffices. The password of the server is in a file of the operator; its verifier
/// is only in memory.
#[derive(Clone, Copy)]
pub struct Verifier([u8; 32]);

impl Verifier {
    /// The verifier of a secret with these bytes.
    pub(super) fn of(secret: &[u8]) -> Self {
        Self(hmac_sha256::Hash::hash(secret))
    }

    /// The SHA-256 value.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Restores a verifier that was stored.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl PartialEq for Verifier {
    /// Compares in constant time.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Verifier {}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}
