//! Resume tokens: `SET resume on` returns one, `RESUME` takes a member back with it.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq as _;

/// 128 random bits. Comparing two secrets takes constant time, and `Debug` does not reveal them.
#[derive(Clone, Copy)]
pub struct Secret([u8; 16]);

impl Secret {
    /// Creates a secret from random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// The bytes, for a hash.
    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
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
        write!(f, "{}-{:032x}", self.id, u128::from_be_bytes(self.secret.0))
    }
}

/// The text does not have the form of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken;

impl FromStr for ResumeToken {
    type Err = InvalidToken;

    fn from_str(word: &str) -> Result<Self, InvalidToken> {
        let (id, secret) = word.split_once('-').ok_or(InvalidToken)?;
        let is_written = |digits: &str, is_digit: fn(&u8) -> bool| digits.as_bytes().iter().all(is_digit);
        if secret.len() != 32 || !is_written(secret, u8::is_ascii_hexdigit) || !is_written(id, u8::is_ascii_digit) {
            return Err(InvalidToken);
        }
        let secret = u128::from_str_radix(secret, 16).map_err(|_| InvalidToken)?;
        Ok(Self { id: id.parse().map_err(|_| InvalidToken)?, secret: Secret(secret.to_be_bytes()) })
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
