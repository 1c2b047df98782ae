//! The password of an account, and the access token that a script gives in its place.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq as _;
use unicode_normalization::UnicodeNormalization as _;

use super::{InvalidToken, Secret};
use crate::limits::{ACCOUNT_PASSWORD_BYTES_MAX, ACCOUNT_PASSWORD_BYTES_MIN};

/// The password of an account, in Unicode's form C, so that it does not depend on the keyboard of a user. Comparing two passwords takes
/// constant time, and `Debug` does not reveal them.
#[derive(Clone)]
pub struct AccountPassword(String);

/// Why a text cannot be the password of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidAccountPassword {
    /// It is empty.
    Missing,
    /// It has this number of bytes: fewer than [`ACCOUNT_PASSWORD_BYTES_MIN`], or more than [`ACCOUNT_PASSWORD_BYTES_MAX`].
    Length(usize),
    /// It has a control character.
    ControlCharacter,
    /// It has the form of an access token.
    AccessToken,
}

impl AccountPassword {
    /// Checks a text. All of its characters count, spaces included.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn new(raw: &str) -> Result<Self, InvalidAccountPassword> {
        // A long text is refused before it is composed.
        if raw.len() > 4 * ACCOUNT_PASSWORD_BYTES_MAX {
            return Err(InvalidAccountPassword::Length(raw.len()));
        }
        let composed: String = raw.nfc().collect();
        match composed.len() {
            0 => Err(InvalidAccountPassword::Missing),
            ACCOUNT_PASSWORD_BYTES_MIN..=ACCOUNT_PASSWORD_BYTES_MAX => {
                if composed.chars().any(char::is_control) {
                    Err(InvalidAccountPassword::ControlCharacter)
                } else if composed.parse::<AccessToken>().is_ok() {
                    Err(InvalidAccountPassword::AccessToken)
                } else {
                    Ok(Self(composed))
                }
            }
            bytes => Err(InvalidAccountPassword::Length(bytes)),
        }
    }

    /// The bytes, for a hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The password itself, for the line that sends it.
impl fmt::Display for AccountPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountPassword")
    }
}

impl PartialEq for AccountPassword {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for AccountPassword {}

impl fmt::Display for InvalidAccountPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the password is missing"),
            Self::Length(bytes) => {
                let unit = if *bytes == 1 { "byte" } else { "bytes" };
                let expected = format_args!("{ACCOUNT_PASSWORD_BYTES_MIN} to {ACCOUNT_PASSWORD_BYTES_MAX}");
                write!(f, "the password has {bytes} {unit}: expected {expected}")
            }
            Self::ControlCharacter => f.write_str("the password has a control character, which clients cannot type"),
            Self::AccessToken => f.write_str("the password has the form of an access token"),
        }
    }
}

/// A text that a client gives in the place of a password. It may break the rules for passwords: a command says so only if nothing else
/// is wrong. `Debug` does not reveal it.
#[derive(Clone, PartialEq, Eq)]
pub struct GivenPassword(String);

impl GivenPassword {
    /// The text, unless it is empty.
    pub fn new(raw: &str) -> Option<Self> {
        (!raw.is_empty()).then(|| Self(raw.to_owned()))
    }

    /// The password.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn check(&self) -> Result<AccountPassword, InvalidAccountPassword> {
        AccountPassword::new(&self.0)
    }
}

impl From<AccountPassword> for GivenPassword {
    fn from(AccountPassword(password): AccountPassword) -> Self {
        Self(password)
    }
}

/// The text itself, for the line that sends it.
impl fmt::Display for GivenPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GivenPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenPassword")
    }
}

/// Precedes the secret of an access token, so that users and scanners of repositories recognize it.
pub(crate) const ACCESS_TOKEN_PREFIX: &str = "cwt_";

/// The number of hexadecimal digits after the prefix.
pub(crate) const ACCESS_TOKEN_DIGITS: usize = 32;

/// A secret with which a script logs in to an account. On the wire: `cwt_` and 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessToken(pub Secret);

impl fmt::Display for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ACCESS_TOKEN_PREFIX}{:032x}", self.0.to_bits())
    }
}

impl FromStr for AccessToken {
    type Err = InvalidToken;

    fn from_str(word: &str) -> Result<Self, InvalidToken> {
        let digits = word.strip_prefix(ACCESS_TOKEN_PREFIX).ok_or(InvalidToken)?;
        Secret::from_digits(digits).map(Self)
    }
}

/// Proves that a client may log in to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The password of the account.
    Password(AccountPassword),
    /// An access token of the account.
    Token(AccessToken),
    /// A text that no account has as its password.
    Impossible(GivenPassword),
}

impl Credential {
    /// Reads a password or an access token.
    ///
    /// # Errors
    /// No account has such a password.
    pub fn new(raw: &str) -> Result<Self, InvalidAccountPassword> {
        match raw.trim().parse() {
            Ok(token) => Ok(Self::Token(token)),
            Err(InvalidToken) => AccountPassword::new(raw).map(Self::Password),
        }
    }

    /// Reads what a client gives in a command; `None` if that is nothing.
    pub fn given(raw: &str) -> Option<Self> {
        Self::new(raw).ok().or_else(|| GivenPassword::new(raw).map(Self::Impossible))
    }
}

impl From<GivenPassword> for Credential {
    fn from(given: GivenPassword) -> Self {
        given.check().map_or(Self::Impossible(given), Self::Password)
    }
}

/// The secret itself, for the line that sends it.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password(password) => password.fmt(f),
            Self::Token(token) => token.fmt(f),
            Self::Impossible(text) => text.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(raw: &str) -> AccountPassword {
        AccountPassword::new(raw).unwrap()
    }

    #[test]
    fn account_password_has_8_to_512_bytes_without_control_characters() {
        let longest = "x".repeat(ACCOUNT_PASSWORD_BYTES_MAX);
        for raw in ["12345678", " a b c d ", "        ", "пароль", &longest, "cwt_0a0a", "\u{ad}12345678"] {
            assert_eq!(password(raw).to_string(), raw);
        }
        let check = |raw: &str, error| assert_eq!(AccountPassword::new(raw), Err(error), "{raw:?}");
        check("", InvalidAccountPassword::Missing);
        check("1234567", InvalidAccountPassword::Length(7));
        assert_eq!(InvalidAccountPassword::Length(1).to_string(), "the password has 1 byte: expected 8 to 512");
        check(&"x".repeat(ACCOUNT_PASSWORD_BYTES_MAX + 1), InvalidAccountPassword::Length(513));
        check(&"x".repeat(100_000), InvalidAccountPassword::Length(100_000));
        check("1234567\t", InvalidAccountPassword::ControlCharacter);
        check("1234567\u{85}", InvalidAccountPassword::ControlCharacter);
        check(&format!("cwt_{}", "0a".repeat(16)), InvalidAccountPassword::AccessToken);
    }

    #[test]
    fn account_passwords_are_compared_in_their_composed_form() {
        assert_eq!(password("u\u{308}ber 1234"), password("\u{fc}ber 1234"));
        for other in ["hunter23", "Hunter22", "hunter22 ", " hunter22"] {
            assert_ne!(password("hunter22"), password(other), "{other:?}");
        }
    }

    #[test]
    fn access_token_round_trips() {
        let token = AccessToken(Secret::new([0xa; 16]));
        let written = "cwt_0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
        assert_eq!((token.to_string().as_str(), written.parse()), (written, Ok(token)));
        for word in
            ["", "cwt_", "cwt", "cwt_0a", &written[4..], &format!("{written}0"), &written.replace("cwt_0", "cwt_+")]
        {
            assert_eq!(word.parse::<AccessToken>(), Err(InvalidToken), "{word:?}");
        }
    }

    #[test]
    fn credential_is_token_or_password() {
        let token = AccessToken(Secret::new([0xa; 16]));
        assert_eq!(Credential::new(&format!(" {token} ")), Ok(Credential::Token(token)));
        assert_eq!(Credential::new("hunter22"), Ok(Credential::Password(password("hunter22"))));
        assert_eq!(Credential::new(""), Err(InvalidAccountPassword::Missing));
        assert_eq!(Credential::given("hunter22"), Some(Credential::Password(password("hunter22"))));
        assert_eq!(Credential::given("short").map(|given| given.to_string()).as_deref(), Some("short"));
        assert_eq!(Credential::given(""), None);
    }

    #[test]
    fn debug_output_hides_secrets() {
        let token = AccessToken(Secret::new([0xab; 16]));
        let given = [Credential::given("hunter22"), Credential::given("hunter")];
        let shown = format!("{:?} {given:?} {token:?}", password("hunter22"));
        assert!(!shown.contains("hunter") && !shown.contains("ab"), "{shown}");
    }
}
