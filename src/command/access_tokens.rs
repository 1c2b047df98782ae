//! `TOKEN`: makes, lists and revokes the access tokens of the session's account.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::account::{require_fresh_login, require_login};
use super::{Context, Definition, Hint, Pipelining, Refusal, Reply, ReplyWords, ServerLine, Specification, Verb};
use crate::limits::{ACCESS_TOKEN_DAYS_DEFAULT, ACCESS_TOKEN_DAYS_MAX, TOKEN_LABEL_BYTES_MAX};
use crate::protocol::{
    ACCESS_TOKEN_PREFIX, AccessToken, AccountId, AccountTokenId, Day, ErrorCode, Mode, Text, Timestamp, TokenLabel,
    split_word,
};
use crate::state::{AccountChange, AccountToken, AccountUpdate, Action};

/// Manage access tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessTokens {
    /// Make one.
    New {
        /// The days for which it is valid. `None`: the default.
        days: Option<u16>,
        /// The label, by which its owner recognizes it.
        label: TokenLabel,
    },
    /// List all.
    List,
    /// Revoke the one with this number.
    Revoke(AccountTokenId),
}

const NEW: &str = "new";
const LIST: &str = "list";
const REVOKE: &str = "revoke";

/// Precedes the number of days.
const DAYS: &str = "days=";

/// Precedes the end of the validity.
const EXPIRES: &str = "expires=";

impl Definition for AccessTokens {
    const SPECIFICATION: Specification = Specification {
        verb: "TOKEN",
        usage: "TOKEN new [days=count] label, or TOKEN list, or TOKEN revoke number",
        summary: "make, list or revoke access tokens, with which your scripts log in: LOGIN name token",
        may_be_secret: Some(|text| {
            let word = text.split_whitespace().next().unwrap_or_default();
            [NEW, LIST, REVOKE].iter().any(|known| word.eq_ignore_ascii_case(known))
                || text.contains(ACCESS_TOKEN_PREFIX)
        }),
        pipelining: Pipelining::Off,
        reply_keys: &["action", "number", "token", "expires"],
        ..Specification::DEFAULT
    };

    type Reply = TokenReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let (word, rest) = split_word(arguments.trim_start());
        let rest = rest.unwrap_or_default().trim();
        if word.eq_ignore_ascii_case(NEW) {
            parse_new(rest)
        } else if word.eq_ignore_ascii_case(LIST) {
            if rest.is_empty() { Ok(Self::List) } else { Err(unexpected_argument(LIST)) }
        } else if word.eq_ignore_ascii_case(REVOKE) {
            let (number, surplus) = split_word(rest);
            match (parse_digits(number), surplus) {
                (None, _) if number.is_empty() => Err(invalid_number("the number of the token is missing")),
                (None, _) => Err(invalid_number("the number of the token is not valid")),
                (Some(_), Some(_)) => Err(unexpected_argument("the number")),
                (Some(number), None) => Ok(Self::Revoke(AccountTokenId(number))),
            }
        } else {
            let what = format!("expected {NEW}, {LIST} or {REVOKE} after TOKEN");
            Err(refuse(ErrorCode::OptionUnknown, &what).with_hint(Hint::Write(Verb::AccessTokens)))
        }
    }

    fn needs_secret(&self) -> bool {
        matches!(self, Self::New { .. })
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        match self {
            Self::New { days, label } => make(context, days, label),
            Self::List => list(context),
            Self::Revoke(token) => revoke(context, token),
        }
    }
}

/// Parses the days, if they are given, and the label.
fn parse_new(arguments: &str) -> Result<AccessTokens, Refusal> {
    let (word, rest) = split_word(arguments);
    let (days, label) = match strip_days(word) {
        None => (None, arguments),
        Some(days) => {
            let count = parse_digits(days).filter(|days| (1..=ACCESS_TOKEN_DAYS_MAX).contains(days));
            let count = count.ok_or_else(|| {
                let what = format!("invalid number of days: expected 1 to {ACCESS_TOKEN_DAYS_MAX} after {DAYS}");
                refuse(ErrorCode::NumberInvalid, &what).with_hint(Hint::Write(Verb::AccessTokens))
            })?;
            (Some(count), rest.unwrap_or_default().trim_start())
        }
    };
    // Otherwise the token would be valid for longer than its owner wants.
    if label.split_whitespace().any(|word| strip_days(word).is_some()) {
        let what = format!("{DAYS} comes before the label, and once");
        return Err(refuse(ErrorCode::ArgumentUnexpected, &what).with_hint(Hint::Write(Verb::AccessTokens)));
    }
    let text = Text::new(label).map_err(|_| {
        refuse(ErrorCode::TextMissing, "the label is missing").with_hint(Hint::Write(Verb::AccessTokens))
    })?;
    let label = TokenLabel::new(text).map_err(|_| {
        let what = format!("the label is too long: expected at most {TOKEN_LABEL_BYTES_MAX} bytes");
        refuse(ErrorCode::TextTooLong, &what)
    })?;
    Ok(AccessTokens::New { days, label })
}

/// The number of days, if the word begins with `days=`, in any letter case.
fn strip_days(word: &str) -> Option<&str> {
    let (key, days) = word.split_at_checked(DAYS.len())?;
    key.eq_ignore_ascii_case(DAYS).then_some(days)
}

/// Parses a number of decimal digits only.
fn parse_digits<T: FromStr>(word: &str) -> Option<T> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

fn invalid_number(what: &str) -> Refusal {
    refuse(ErrorCode::NumberInvalid, what).with_hint(Hint::ListTokens)
}

/// The refusal of a surplus argument.
fn unexpected_argument(before: &str) -> Refusal {
    let what = format!("unexpected argument after {before}");
    refuse(ErrorCode::ArgumentUnexpected, &what).with_hint(Hint::Write(Verb::AccessTokens))
}

/// A refusal. No text repeats the arguments: one may be an access token.
fn refuse(code: ErrorCode, what: &str) -> Refusal {
    Refusal::new(Verb::AccessTokens, code, what)
}

fn make(context: &mut dyn Context, days: Option<u16>, label: TokenLabel) -> Result<(), Refusal> {
    let account = require_fresh_login(context, Verb::AccessTokens)?;
    let generation = generation(context, account);
    let Some(secret) = context.secret() else {
        let what = "the system has no random bits for a token";
        return Err(refuse(ErrorCode::Busy, what).with_hint(Hint::RetryLater));
    };
    let days = u64::from(days.unwrap_or(ACCESS_TOKEN_DAYS_DEFAULT));
    let (at, verifier) = (context.time(), secret.verifier());
    let expires_at = at.plus(Duration::from_secs(days * 24 * 3600));
    context.expect_token(AccessToken(secret));
    let update = AccountUpdate::CreateToken { account, generation, verifier, label, expires_at };
    context.submit(Action::ChangeAccount(AccountChange { at, update }));
    Ok(())
}

fn list(context: &mut dyn Context) -> Result<(), Refusal> {
    let account = require_login(context, Verb::AccessTokens)?;
    let tokens = context.state().accounts().get(account).map(|account| account.tokens.as_slice()).unwrap_or_default();
    let listings: Vec<_> = tokens.iter().map(TokenListing::from).collect();
    let count = listings.len() as u64;
    for listing in listings {
        context.send(ServerLine::Token(listing));
    }
    context.reply(Reply::AccessTokens(TokenReply::List(count)));
    Ok(())
}

/// The generation of the password that the client has given: the present one, but another one may be being stored.
fn generation(context: &dyn Context, account: AccountId) -> Option<u32> {
    context.state().accounts().get(account).map(|account| account.generation)
}

/// Revokes a token. A client that has logged in with it needs no password: it knows the token anyway.
fn revoke(context: &mut dyn Context, token: AccountTokenId) -> Result<(), Refusal> {
    let own = context.state().member(context.member()).and_then(|member| member.login()?.token());
    let (account, generation) = if own == Some(token) {
        (require_login(context, Verb::AccessTokens)?, None)
    } else {
        let account = require_fresh_login(context, Verb::AccessTokens)?;
        (account, generation(context, account))
    };
    let update = AccountUpdate::RevokeToken { account, generation, token };
    context.submit(Action::ChangeAccount(AccountChange { at: context.time(), update }));
    Ok(())
}

impl fmt::Display for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { days: None, label } => write!(f, "{NEW} {label}"),
            Self::New { days: Some(days), label } => write!(f, "{NEW} {DAYS}{days} {label}"),
            Self::List => f.write_str(LIST),
            Self::Revoke(AccountTokenId(number)) => write!(f, "{REVOKE} {number}"),
        }
    }
}

/// The reply to `TOKEN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenReply {
    /// A new token.
    New {
        /// Its number.
        number: AccountTokenId,
        /// The token. The server does not show it again.
        token: AccessToken,
        /// When it becomes invalid.
        expires_at: Timestamp,
    },
    /// This number of `TOKEN` lines precede the reply.
    List(u64),
    /// The token with this number is invalid from here on.
    Revoke(AccountTokenId),
}

impl ReplyWords for TokenReply {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { number: AccountTokenId(number), token, expires_at } => {
                write!(f, " {NEW} {number} {token} {EXPIRES}{expires_at}")
            }
            Self::List(count) => write!(f, " {LIST} {count}"),
            Self::Revoke(AccountTokenId(number)) => write!(f, " {REVOKE} {number}"),
        }
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        let mut words = words?.split(' ');
        let (action, number) = (words.next()?, words.next()?);
        match action {
            NEW => {
                let (token, expires_at) = (words.next()?.parse().ok()?, words.next()?.strip_prefix(EXPIRES)?);
                let number = AccountTokenId(number.parse().ok()?);
                Some(Self::New { number, token, expires_at: Timestamp::parse(expires_at)? })
            }
            LIST => Some(Self::List(number.parse().ok()?)),
            REVOKE => Some(Self::Revoke(AccountTokenId(number.parse().ok()?))),
            _ => None,
        }
    }
}

/// An access token in the list of `TOKEN list`: `TOKEN 1 created=… expires=… used=2026-11-30 build server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenListing {
    /// Its number.
    pub number: AccountTokenId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it becomes invalid.
    pub expires_at: Timestamp,
    /// The day of the last login with it.
    pub last_used_on: Option<Day>,
    /// The label, by which its owner recognizes it.
    pub label: TokenLabel,
}

/// Precedes the time at which the token was made.
const CREATED: &str = "created=";

/// Precedes the day of the last use.
const USED: &str = "used=";

/// The day of the last use of a token that was never used.
const NEVER: &str = "never";

impl From<&AccountToken> for TokenListing {
    fn from(token: &AccountToken) -> Self {
        let AccountToken { id, label, created_at, expires_at, last_used_on, .. } = token;
        let (number, label, last_used_on) = (*id, label.clone(), *last_used_on);
        Self { number, created_at: *created_at, expires_at: *expires_at, last_used_on, label }
    }
}

impl TokenListing {
    /// Parses the part of a line after `TOKEN`.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let mut words = rest.splitn(5, ' ');
        let number = AccountTokenId(words.next()?.parse().ok()?);
        let created_at = Timestamp::parse(words.next()?.strip_prefix(CREATED)?)?;
        let expires_at = Timestamp::parse(words.next()?.strip_prefix(EXPIRES)?)?;
        let last_used_on = match words.next()?.strip_prefix(USED)? {
            NEVER => None,
            day => Some(Day::parse(day)?),
        };
        let label = TokenLabel::new(Text::new(words.next()?).ok()?).ok()?;
        Some(Self { number, created_at, expires_at, last_used_on, label })
    }
}

impl fmt::Display for TokenListing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number: AccountTokenId(number), created_at, expires_at, last_used_on, label } = self;
        write!(f, "TOKEN {number} {CREATED}{created_at} {EXPIRES}{expires_at} {USED}")?;
        match last_used_on {
            Some(day) => write!(f, "{day} {label}"),
            None => write!(f, "{NEVER} {label}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise a token would be valid for 90 days instead of those that its owner wants.
    #[test]
    fn days_are_found_in_any_case_and_place() {
        let parse = |line: &str| AccessTokens::parse(line, Mode::Commands);
        for line in ["new days=5 build", "NEW DAYS=5 build", "new Days=5  build"] {
            let Ok(AccessTokens::New { days: Some(5), label }) = parse(line) else { panic!("{line}") };
            assert_eq!(label.as_str(), "build");
        }
        for line in ["new build days=5", "new build DAYS=5 server", "new days=5 days=6 build", "new build days="] {
            assert_eq!(parse(line).map_err(|refusal| refusal.code), Err(ErrorCode::ArgumentUnexpected), "{line}");
        }
        assert!(matches!(parse("new holidays=5"), Ok(AccessTokens::New { days: None, .. })));
    }

    #[test]
    fn number_of_another_token_is_never_revoked() {
        let code = |line: &str| AccessTokens::parse(line, Mode::Commands).map_err(|refusal| refusal.code);
        assert_eq!(code("revoke 4294967295"), Ok(AccessTokens::Revoke(AccountTokenId(u32::MAX))));
        for line in ["revoke", "revoke 4294967296", "revoke -1", "revoke +1", "revoke x"] {
            assert_eq!(code(line), Err(ErrorCode::NumberInvalid), "{line}");
        }
    }
}
