//! The values of an account that the server stores.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta};

use super::{Text, Timestamp};
use crate::limits::{PASSWORD_HASH_BYTES_MAX, TOKEN_LABEL_BYTES_MAX};

/// An account's number, from 1. Never given again, also not after the account was deleted or the server restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountId(pub u32);

/// The number of an access token, from 1. Never given again within its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountTokenId(pub u32);

/// The rights of an account on the whole server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// No more than any member.
    #[default]
    User,
    /// Moderate every room, and the server.
    Operator,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 2] = [Self::User, Self::Operator];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Operator => "operator",
        }
    }

    /// The role with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// The hash of a password with its salt and parameters, in the PHC string format. Only the threads that check passwords read it. `Debug`
/// does not reveal it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Arc<str>);

/// The text is not a [`PasswordHash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPasswordHash;

impl PasswordHash {
    /// Checks the length and the characters, not the parameters.
    ///
    /// # Errors
    /// The text does not begin with `$`, is too long, or has other characters than the printable ones of ASCII.
    pub fn new(phc: &str) -> Result<Self, InvalidPasswordHash> {
        let is_valid = phc.starts_with('$') && phc.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid && phc.len() <= PASSWORD_HASH_BYTES_MAX { Ok(Self(phc.into())) } else { Err(InvalidPasswordHash) }
    }

    /// The hash of no password. An account whose stored hash is damaged gets it: nobody can log in with a password until the operator sets
    /// one.
    #[must_use]
    pub fn unusable() -> Self {
        Self("$unusable".into())
    }

    /// The PHC string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// The label of an access token, by which its owner recognizes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenLabel(Text);

/// The text is longer than [`TOKEN_LABEL_BYTES_MAX`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelTooLong;

impl TokenLabel {
    /// Checks the length of a text.
    ///
    /// # Errors
    /// It is too long.
    pub fn new(text: Text) -> Result<Self, LabelTooLong> {
        if text.as_str().len() <= TOKEN_LABEL_BYTES_MAX { Ok(Self(text)) } else { Err(LabelTooLong) }
    }

    /// The label.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for TokenLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A day in UTC: the number of days since 1970-01-01. `Display` and [`Day::parse`] use the full-date of RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i32);

impl Day {
    /// Parses a date: `2026-11-30`.
    pub fn parse(date: &str) -> Option<Self> {
        let date: NaiveDate = date.parse().ok()?;
        let days = date.signed_duration_since(NaiveDate::default()).num_days();
        Self::from_number(days.try_into().ok()?)
    }

    /// The day with this number, if RFC 3339 can write it.
    pub(crate) fn from_number(days: i32) -> Option<Self> {
        let day = Self(days);
        (Self::from(Timestamp::MIN)..=Self::from(Timestamp::MAX)).contains(&day).then_some(day)
    }

    /// The number of days since 1970-01-01.
    pub(crate) fn number(self) -> i32 {
        self.0
    }
}

impl From<Timestamp> for Day {
    fn from(at: Timestamp) -> Self {
        let days = at.clamped().0.div_euclid(TimeDelta::days(1).num_milliseconds());
        Self(i32::try_from(days).unwrap_or_default())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let midnight = DateTime::from_timestamp(i64::from(self.0) * TimeDelta::days(1).num_seconds(), 0);
        write!(f, "{}", midnight.unwrap_or_default().date_naive())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_hash_is_short_and_printable() {
        let phc = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA";
        assert_eq!(PasswordHash::new(phc).unwrap().as_str(), phc);
        assert!(PasswordHash::new(PasswordHash::unusable().as_str()).is_ok());
        let long = format!("${}", "x".repeat(PASSWORD_HASH_BYTES_MAX));
        for invalid in ["", "hash", "$a b", "$a\n", "$ä", &long] {
            assert_eq!(PasswordHash::new(invalid), Err(InvalidPasswordHash), "{invalid:?}");
        }
    }

    #[test]
    fn debug_output_hides_hash() {
        assert_eq!(format!("{:?}", PasswordHash::new("$argon2id$secret").unwrap()), "PasswordHash");
    }

    #[test]
    fn label_has_at_most_64_bytes() {
        let label = |length| TokenLabel::new(Text::new(&"x".repeat(length)).unwrap());
        assert!(label(TOKEN_LABEL_BYTES_MAX).is_ok());
        assert_eq!(label(TOKEN_LABEL_BYTES_MAX + 1), Err(LabelTooLong));
    }

    #[test]
    fn day_is_the_date_in_utc() {
        let day = |ms| Day::from(Timestamp(ms)).to_string();
        assert_eq!(
            [day(0), day(86_399_999), day(86_400_000), day(-1)],
            ["1970-01-01", "1970-01-01", "1970-01-02", "1969-12-31"]
        );
        for at in [Timestamp::MIN, Timestamp::MAX, Timestamp(i64::MAX), Timestamp(1_796_000_000_000)] {
            let day = Day::from(at);
            assert_eq!((Day::parse(&day.to_string()), Day::from_number(day.number())), (Some(day), Some(day)), "{day}");
        }
        assert_eq!(Day::from(Timestamp::MAX).to_string(), "9999-12-31");
        for invalid in ["", "2026-11", "2026-11-31", "10000-01-01", "2026-11-30T00:00:00Z"] {
            assert_eq!(Day::parse(invalid), None, "{invalid:?}");
        }
        assert_eq!(Day::from_number(i32::MAX), None);
    }
}
