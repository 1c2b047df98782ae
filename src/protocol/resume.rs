//! Resume tokens: `SET resume on` returns one, `RESUME` takes a member back with it.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq as _;

use super::Verifier;

/// 128 random bits. Comparing two secrets takes constant time, and `Debug` does not reveal them.
#[derive(Clone, Copy)]
pub struct Secret([u8; 16]);

impl Secret {
    /// Creates a secret from random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// The verifier of this secret.
    pub fn verifier(&self) -> Verifier {
        Verifier::of(&self.0)
    }
}

impl Secret {
    /// The number whose 32 hexadecimal digits are the secret on the wire.
    pub(super) fn to_bits(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// The secret with these 32 hexadecimal digits.
    pub(super) fn from_digits(digits: &str) -> Result<Self, InvalidToken> {
        if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidToken);
        }
        u128::from_str_radix(digits, 16).map(|bits| Self(bits.to_be_bytes())).map_err(|_| InvalidToken)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Identifies a member, and proves that the client owns it. On the wire: `number-secret`, the secret as 32 hexadecimal
/// digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumeToken {
    /// The member's number: that of the session that registered it. It is not secret: `STATUS` shows it.
    pub id: u64,
    /// The proof.
    pub secret: Secret,
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:032x}", self.id, self.secret.to_bits())
    }
}

/// The text does not have the form of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken;

impl FromStr for ResumeToken {
    type Err = InvalidToken;

    fn from_str(word: &str) -> Result<Self, InvalidToken> {
        let (id, secret) = word.split_once('-').ok_or(InvalidToken)?;
        let secret = Secret::from_digits(secret)?;
        if !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidToken);
        }
        Ok(Self { id: id.parse().map_err(|_| InvalidToken)?, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_number_and_secret() {
        let token = ResumeToken { id: 17, secret: Secret::new([0xa; 16]) };
        let written = "17-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
        assert_eq!(token.to_string(), written);
        assert_eq!(written.parse(), Ok(token));
        assert_eq!(written.to_uppercase().parse(), Ok(token));
        let others = [written.replacen('a', "b", 1), written.replacen('7', "8", 1)];
        assert!(others.iter().all(|other| other.parse::<ResumeToken>().is_ok_and(|other| other != token)));
    }

    #[test]
    fn malformed_token_is_refused() {
        let digits = "0a".repeat(16);
        let words = ["", "-", "17", "17-", "17-0a", &digits, &format!("-{digits}"), &format!("17-{digits}0")];
        let signed = [format!("+1-{digits}"), format!("1-+{}", &digits[1..]), format!("18446744073709551616-{digits}")];
        for word in words.into_iter().chain(signed.iter().map(String::as_str)) {
            assert_eq!(word.parse::<ResumeToken>(), Err(InvalidToken), "{word:?}");
        }
    }

    #[test]
    fn debug_output_hides_secret() {
        let token = ResumeToken { id: 17, secret: Secret::new([0xab; 16]) };
        assert_eq!(format!("{token:?}"), "ResumeToken { id: 17, secret: Secret }");
    }
}
