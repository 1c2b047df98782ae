//! Fingerprints, by which users recognize a self-signed certificate: the server prints them, and the client checks them. Pure.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;

/// The SHA-256 of a certificate in DER, written as `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub(crate) [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        Self(hmac_sha256::Hash::hash(certificate))
    }

    /// Parses `sha256:` and 64 hexadecimal digits. OpenSSL writes a colon after every second one.
    ///
    /// # Errors
    /// The text has the expected form.
    pub fn parse(raw: &str) -> Result<Self, String> {
        let digits = raw.strip_prefix("sha256:").map(|digits| digits.replace(':', ""));
        let parsed = digits
            .filter(|digits| digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| {
                let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
                (0..64).step_by(2).map(byte).collect::<Option<Vec<_>>>()?.try_into().ok()
            });
        parsed
            .map(Self)
            .ok_or_else(|| "expected sha256: and 64 hexadecimal digits, as printed by: chinwagd cert".to_owned())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_round_trips() {
        let bytes = std::array::from_fn(|at| u8::try_from(at * 8).unwrap());
        let text = Fingerprint(bytes).to_string();
        assert_eq!(text, "sha256:0008101820283038404850586068707880889098a0a8b0b8c0c8d0d8e0e8f0f8");
        let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        for raw in [text, format!("sha256:{}", pairs.join(":"))] {
            assert_eq!(Fingerprint::parse(&raw), Ok(Fingerprint(bytes)));
        }
    }

    #[test]
    fn invalid_fingerprint_is_refused() {
        let digits = "0".repeat(64);
        for raw in [
            "",
            "sha256:",
            &digits,
            &format!("sha1:{digits}"),
            &format!("sha256:{digits}0"),
            &format!("sha256:+{}", &digits[1..]),
        ] {
            assert!(Fingerprint::parse(raw).is_err(), "{raw}");
        }
        assert!(Fingerprint::parse(&format!("sha256:{}é", &digits[2..])).is_err());
    }
}
