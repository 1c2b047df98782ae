//! The requests about accounts, and their replies. A request has the hash of a password, never the password: `chinwagd account` makes the hash.

use std::fmt;

use super::ControlError;
use crate::command_line::quoted;
use crate::limits::{HASH_LANES, HASH_MEMORY_KIB, HASH_PASSES};
use crate::protocol::{AccountId, Day, Name, PasswordHash, Role, Timestamp};
use crate::state::Account;

/// A request of an operator about accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountRequest {
    /// Some accounts, by number: those with the lowest numbers above this one. All accounts are listed when a reply has none.
    List {
        /// The number.
        after: AccountId,
    },
    /// Adds an account.
    Add {
        /// The name.
        name: Name,
        /// The hash of the password.
        password: PasswordHash,
        /// Also if the name, or a similar one, rests.
        ends_rest: bool,
    },
    /// Sets the password of an account.
    SetPassword {
        /// The name.
        name: Name,
        /// The hash of the password.
        password: PasswordHash,
    },
    /// Sets the role of an account.
    SetRole {
        /// The name.
        name: Name,
        /// The role.
        role: Role,
    },
    /// Deletes an account.
    Remove {
        /// The name.
        name: Name,
    },
}

/// The last argument of `account add`, for a name that rests.
const END_REST: &str = "end-rest";

impl AccountRequest {
    /// Parses the words after `account`. No error repeats the hash of a password.
    pub(super) fn parse(arguments: &str) -> Result<Self, ControlError> {
        let mut words = arguments.split_ascii_whitespace();
        let request = match words.next() {
            Some("list") => {
                let after = words.next().map_or(Ok(0), |word| {
                    let expected = "the number of an account, or nothing";
                    word.parse::<u32>().map_err(|_| ControlError::unknown_argument("account", word, expected))
                });
                Self::List { after: AccountId(after?) }
            }
            Some("add") => {
                let (name, password) = (parse_name(words.next())?, parse_hash(words.next())?);
                let ends_rest = match words.next() {
                    None => false,
                    Some(END_REST) => true,
                    Some(_) => return Err(surplus(END_REST)),
                };
                Self::Add { name, password, ends_rest }
            }
            Some("password") => {
                Self::SetPassword { name: parse_name(words.next())?, password: parse_hash(words.next())? }
            }
            Some("role") => Self::SetRole { name: parse_name(words.next())?, role: parse_role(words.next())? },
            Some("remove") => Self::Remove { name: parse_name(words.next())? },
            other => {
                let expected = "list, add, password, role or remove";
                return Err(ControlError::unknown_argument("account", other.unwrap_or_default(), expected));
            }
        };
        if words.next().is_some() { Err(surplus("nothing")) } else { Ok(request) }
    }

    /// The name of the account.
    pub fn name(&self) -> Option<&Name> {
        match self {
            Self::List { .. } => None,
            Self::Add { name, .. }
            | Self::SetPassword { name, .. }
            | Self::SetRole { name, .. }
            | Self::Remove { name } => Some(name),
        }
    }
}

/// A word too many, which may be a part of a password.
fn surplus(expected: &str) -> ControlError {
    ControlError::invalid_argument(&format!("too many arguments: expected {expected} at the end"))
}

fn parse_name(word: Option<&str>) -> Result<Name, ControlError> {
    let word = word.ok_or_else(|| ControlError::invalid_argument("the name of the account is missing"))?;
    Name::new(word).map_err(|why| ControlError::invalid_argument(&format!("invalid name {}: {why}", quoted(word))))
}

fn parse_role(word: Option<&str>) -> Result<Role, ControlError> {
    let word = word.unwrap_or_default();
    Role::parse(word).ok_or_else(|| {
        ControlError::invalid_argument(&format!("invalid role {}: expected user or operator", quoted(word)))
    })
}

/// Parses the hash of a password. It must have the parameters of all others: otherwise, the time of a login would tell whether the account
/// exists.
fn parse_hash(word: Option<&str>) -> Result<PasswordHash, ControlError> {
    let parameters = format!("$argon2id$v=19$m={HASH_MEMORY_KIB},t={HASH_PASSES},p={HASH_LANES}$");
    let is_base64 = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte));
    // 128 and 256 bits.
    let has_lengths =
        |(salt, hash): (&str, &str)| salt.len() == 22 && hash.len() == 43 && is_base64(salt) && is_base64(hash);
    let is_current =
        |word: &&str| word.strip_prefix(&parameters).and_then(|rest| rest.split_once('$')).is_some_and(has_lengths);
    let hash = word.filter(is_current).and_then(|word| PasswordHash::new(word).ok());
    hash.ok_or_else(|| {
        let what = format!(
            "the hash of the password is missing or has another form: expected {parameters}salt$hash, as chinwagd account of \
             the server's version makes it"
        );
        ControlError::invalid_argument(&what)
    })
}

impl fmt::Display for AccountRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List { after: AccountId(0) } => f.write_str("list"),
            Self::List { after: AccountId(number) } => write!(f, "list {number}"),
            Self::Add { name, password, ends_rest } => {
                let end_rest = if *ends_rest { " end-rest" } else { "" };
                write!(f, "add {name} {}{end_rest}", password.as_str())
            }
            Self::SetPassword { name, password } => write!(f, "password {name} {}", password.as_str()),
            Self::SetRole { name, role } => write!(f, "role {name} {}", role.as_str()),
            Self::Remove { name } => write!(f, "remove {name}"),
        }
    }
}

/// An account as `account list` shows it: without a secret, and without the hash of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSummary {
    /// The number.
    pub id: AccountId,
    /// The name.
    pub name: Name,
    /// Its role. Servers of older versions do not send it.
    pub role: Role,
    /// When it was created.
    pub created_at: Timestamp,
    /// Number of its access tokens that are valid.
    pub tokens: usize,
    /// The day of the last login with one of its access tokens, in UTC. `None`: none has been used.
    pub token_used_on: Option<Day>,
    /// Whether a member has logged in, with or without a connection. `None`: no server runs.
    pub is_logged_in: Option<bool>,
}

impl AccountSummary {
    /// The summary of this account now.
    pub fn new(account: &Account, is_logged_in: Option<bool>, now: Timestamp) -> Self {
        Self {
            id: account.id,
            name: account.name.clone(),
            role: account.role,
            created_at: account.created_at,
            tokens: account.count_valid_tokens(now),
            token_used_on: account.tokens.iter().filter_map(|token| token.last_used_on).max(),
            is_logged_in,
        }
    }

    /// Parses a line of the reply to `account list`. Unknown fields are ignored.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (id, name) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let field = |key: &str| {
            let mut fields = words.clone().filter_map(|word| word.split_once('='));
            fields.find(|(found, _)| *found == key).map(|(_, value)| value)
        };
        Some(Self {
            id: AccountId(id),
            name,
            role: field("role").map_or(Some(Role::User), Role::parse)?,
            created_at: Timestamp::parse(field("created")?)?,
            tokens: field("tokens")?.parse().ok()?,
            token_used_on: match field("token_used")? {
                "never" => None,
                date => Some(Day::parse(date)?),
            },
            is_logged_in: match field("logged_in")? {
                "yes" => Some(true),
                "no" => Some(false),
                _ => None,
            },
        })
    }
}

impl fmt::Display for AccountSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: AccountId(number), name, role, created_at, tokens, token_used_on, is_logged_in } = self;
        let role = role.as_str();
        let used = token_used_on.map_or("never".to_owned(), |day| day.to_string());
        let logged_in = is_logged_in.map_or("unknown", |is_logged_in| if is_logged_in { "yes" } else { "no" });
        write!(
            f,
            "{number} {name} role={role} created={created_at} tokens={tokens} token_used={used} logged_in={logged_in}"
        )
    }
}

/// The reply to an [`AccountRequest`]. `Display` renders its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountReply {
    /// Some accounts, by number.
    Listed(Vec<AccountSummary>),
    /// The account was added.
    Added(Name),
    /// The account has another password, and this number of valid access tokens.
    PasswordSet(Name, usize),
    /// The account has this role.
    RoleSet(Name, Role),
    /// The account was deleted, and its name rests until then.
    Removed(Name, Timestamp),
}

impl fmt::Display for AccountReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(accounts) => accounts.iter().try_for_each(|account| writeln!(f, "{account}")),
            Self::Added(name) => writeln!(f, "added the account {name}"),
            Self::PasswordSet(name, 0) => writeln!(f, "set the password of {name}"),
            Self::PasswordSet(name, tokens) => {
                writeln!(f, "set the password of {name}; access tokens of the account that remain valid: {tokens}")
            }
            Self::RoleSet(name, role) => writeln!(f, "the role of {name} is {}", role.as_str()),
            Self::Removed(name, until) => {
                writeln!(f, "removed the account {name}; its name rests until {} UTC", Day::from(*until))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::NAME_CHARS_MAX;

    const HASH: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn error(arguments: &str) -> String {
        AccountRequest::parse(arguments).unwrap_err().to_string()
    }

    #[test]
    fn requests_round_trip_in_the_longest_form() {
        let longest = "я".repeat(NAME_CHARS_MAX);
        for line in [
            "list".to_owned(),
            "list 4294967295".to_owned(),
            format!("add ann {HASH}"),
            format!("add {longest} {HASH} end-rest"),
            format!("password ann {HASH}"),
            "role ann operator".to_owned(),
            format!("role {longest} user"),
            "remove ann".to_owned(),
        ] {
            assert_eq!(AccountRequest::parse(&line).unwrap().to_string(), line);
        }
        assert_eq!(AccountRequest::parse("list 0").unwrap().to_string(), "list");
    }

    #[test]
    fn invalid_requests_are_explained_without_the_hash() {
        assert!(
            error("").ends_with("unknown argument \"\" after account: expected list, add, password, role or remove")
        );
        assert!(error("role ann king").ends_with(" invalid role \"king\": expected user or operator"));
        assert!(error("role ann").ends_with(" invalid role \"\": expected user or operator"));
        assert!(error("list x").ends_with("\"x\" after account: expected the number of an account, or nothing"));
        assert!(error("remove").ends_with(" the name of the account is missing"));
        assert!(error("remove a,b").ends_with(" invalid name \"a,b\": a name cannot contain a comma"));
        for line in [
            "add ann",
            "add ann hunter22",
            "add ann hunter22 hunter23",
            &format!("add ann {HASH} hunter22"),
            &format!("add ann {HASH} end-rest hunter22"),
            &format!("password ann {HASH} hunter22"),
            &format!("password ann {}", HASH.replace("t=2", "t=1")),
            &format!("password ann {}", HASH.replace("id$v", "i$v")),
            &format!("password ann {}", &HASH[..HASH.len() - 1]),
            &format!("password ann {HASH}A"),
            &format!("password ann {}", HASH.replace("$AAAA", "$A$AA")),
        ] {
            let error = error(line);
            assert!(error.starts_with("ERR account unknown-argument "), "{error}");
            assert!(!error.contains("hunter") && !error.contains("AAAA"), "{error}");
        }
    }

    #[test]
    fn summary_round_trips_and_ignores_unknown_fields() {
        let mut summary = AccountSummary {
            id: AccountId(7),
            name: Name::new("ann").unwrap(),
            role: Role::Operator,
            created_at: Timestamp(1_796_000_000_000),
            tokens: 2,
            token_used_on: Day::parse("2026-11-30"),
            is_logged_in: Some(true),
        };
        let line = "7 ann role=operator created=2026-11-30T00:53:20.000Z tokens=2 token_used=2026-11-30 logged_in=yes";
        assert_eq!(summary.to_string(), line);
        assert_eq!(AccountSummary::parse(&format!("{line} new=field other")), Some(summary.clone()));
        assert_eq!(AccountSummary::parse(&line.replace("role=operator ", "")).unwrap().role, Role::User);
        for is_logged_in in [Some(false), None] {
            (summary.token_used_on, summary.is_logged_in) = (None, is_logged_in);
            assert_eq!(AccountSummary::parse(&summary.to_string()), Some(summary.clone()));
        }
        for invalid in [
            "",
            "7",
            "7 ann",
            "x ann created=",
            &line.replace("tokens=2", ""),
            &line.replace("ann", "a,b"),
            &line.replace("operator", "king"),
        ] {
            assert_eq!(AccountSummary::parse(invalid), None, "{invalid}");
        }
    }

    /// No line of a reply but the last begins with `OK` or `ERR`, whatever the name is.
    #[test]
    fn names_do_not_end_a_reply() {
        let name = Name::new("OK").unwrap();
        let replies = [
            AccountReply::Added(name.clone()),
            AccountReply::PasswordSet(name.clone(), 0),
            AccountReply::PasswordSet(name.clone(), 3),
            AccountReply::Removed(name.clone(), Timestamp(0)),
        ];
        assert_eq!(AccountReply::RoleSet(name, Role::Operator).to_string(), "the role of OK is operator\n");
        for reply in replies.map(|reply| reply.to_string()) {
            assert!(reply.starts_with(char::is_lowercase) && reply.contains(" OK") && reply.ends_with('\n'), "{reply}");
        }
    }
}
