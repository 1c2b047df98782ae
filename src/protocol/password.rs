//! The password of a server. `PASS` sends it, and both programs read it from a file.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use super::Verifier;
use super::text::is_blank;
use crate::limits::PASSWORD_BYTES_MAX;

/// A password in Unicode's form C, so that it does not depend on the keyboard of a user. Comparing two passwords takes constant time, and
/// `Debug` does not reveal them.
#[derive(Clone)]
pub struct Password(String);

/// Why a text is not a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPassword {
    /// It has no visible character.
    Missing,
    /// It has more than [`PASSWORD_BYTES_MAX`] bytes.
    TooLong,
    /// It has a control character.
    ControlCharacter,
}

impl Password {
    /// Checks a text. All of its characters count, spaces included.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn new(raw: &str) -> Result<Self, InvalidPassword> {
        // A long text is refused before it is composed.
        if raw.len() > 4 * PASSWORD_BYTES_MAX {
            return Err(InvalidPassword::TooLong);
        }
        let composed: String = raw.nfc().collect();
        match composed {
            _ if is_blank(&composed) => Err(InvalidPassword::Missing),
            _ if composed.chars().any(char::is_control) => Err(InvalidPassword::ControlCharacter),
            _ if composed.len() > PASSWORD_BYTES_MAX => Err(InvalidPassword::TooLong),
            _ => Ok(Self(composed)),
        }
    }

    /// The verifier of this password: a server keeps it instead of the password.
    pub fn verifier(&self) -> Verifier {
        Verifier::of(self.0.as_bytes())
    }
}

/// The password itself, for the line that sends it.
impl fmt::Display for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.verifier() == other.verifier()
    }
}

impl Eq for Password {}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(raw: &str) -> Password {
        Password::new(raw).unwrap()
    }

    #[test]
    fn password_has_1_to_256_bytes_without_control_characters() {
        for raw in ["x", " two words ", "пароль", &"x".repeat(PASSWORD_BYTES_MAX)] {
            assert_eq!(password(raw).to_string(), raw);
        }
        let check = |raw: &str, error| assert_eq!(Password::new(raw), Err(error), "{raw:?}");
        check("", InvalidPassword::Missing);
        check(" \u{3000}", InvalidPassword::Missing);
        check("a\tb", InvalidPassword::ControlCharacter);
        check("a\u{85}", InvalidPassword::ControlCharacter);
        check(&"x".repeat(PASSWORD_BYTES_MAX + 1), InvalidPassword::TooLong);
        check(&"ä".repeat(PASSWORD_BYTES_MAX / 2 + 1), InvalidPassword::TooLong);
        check(&"x".repeat(100_000), InvalidPassword::TooLong);
    }

    #[test]
    fn passwords_are_compared_in_their_composed_form() {
        assert_eq!(password("u\u{308}ber"), password("\u{fc}ber"));
        let verifier = password("hunter2").verifier();
        assert_eq!(verifier, password("hunter2").verifier());
        for other in ["hunter3", "Hunter2", "hunter2 ", " hunter2", "hunter"] {
            assert_ne!(verifier, password(other).verifier(), "{other:?}");
            assert_ne!(password("hunter2"), password(other), "{other:?}");
        }
    }

    #[test]
    fn debug_output_hides_password() {
        let password = password("hunter2");
        assert_eq!(format!("{password:?} {:?}", password.verifier()), "Password Verifier");
    }
}
