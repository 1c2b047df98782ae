//! The account to log in to: from the command line and files, its secret, and the attempts to log in. [`super::entrance`] sends the
//! secret; [`super::chat_state`] has the commands of a chat.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::address::ServerAddress;
use super::arguments::ClientOptions;
use super::connection::ServerConnection;
use super::entrance::LoginKind;
use super::refusal::explain;
use super::secret_file;
use super::terminal;
use super::token_file::TokenFile;
use super::{Exit, ExitCode};
use crate::command::{Login, ReceivedRefusal};
use crate::limits::{ACCOUNT_IN_USE_SECONDS_MAX, LOGIN_PAUSE_MS, LOGIN_WAIT_SECONDS_MAX};
use crate::process::quoted_path;
use crate::protocol::{Credential, ErrorCode, InvalidAccountPassword, Name, RoomName};

/// The account to log in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AccountOptions {
    pub(super) name: Name,
    /// `None`: the user is asked.
    pub(super) credential: Option<Credential>,
}

impl AccountOptions {
    /// The login, if its secret is known.
    pub(super) fn login(&self) -> Option<Login> {
        Some(Login { name: self.name.clone(), credential: self.credential.clone()? })
    }
}

/// The options about an account, as the command line has them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AccountArguments<'a> {
    /// `--login`.
    pub(super) login: Option<&'a Name>,
    /// `--account-password-file`.
    pub(super) password_file: Option<&'a PathBuf>,
    /// `--token-file`.
    pub(super) token_file: Option<&'a PathBuf>,
    /// `--nick`.
    pub(super) nick: Option<&'a str>,
}

impl AccountArguments<'_> {
    /// Whether the command line has one of the options.
    pub(super) fn are_given(&self) -> bool {
        self.login.is_some() || self.password_file.is_some() || self.token_file.is_some()
    }

    /// The account, and its secret if a file has it: that of an option or, without one, the file of the environment variable. The variable
    /// does not count if the command line says otherwise who the user is.
    ///
    /// # Errors
    /// Options that exclude each other, or the problem of a file.
    pub(super) fn read(
        self,
        server: &ServerAddress,
        variable: Option<PathBuf>,
    ) -> Result<Option<AccountOptions>, String> {
        if self.are_given() && self.nick.is_some() {
            return Err("--nick and a login: expected one of them, because a login takes the nickname of the account"
                .to_owned());
        }
        match (self.password_file, self.token_file) {
            (Some(_), Some(_)) => Err("--account-password-file and --token-file: expected one of them".to_owned()),
            (Some(path), None) => self.read_password(path).map(Some),
            (None, Some(path)) => TokenFile::read(path)?.account(self.login, server).map(Some),
            (None, None) => self.read_variable(variable, server),
        }
    }

    fn read_password(&self, path: &Path) -> Result<AccountOptions, String> {
        let Some(name) = self.login else {
            return Err("--account-password-file without --login: expected both, as in --login alice".to_owned());
        };
        let secret = secret_file::read_line(path, "the password of the account")?;
        let invalid = |why: InvalidAccountPassword| format!("invalid password in {}: {why}", quoted_path(path));
        let credential = Credential::new(&secret.line).map_err(invalid)?;
        secret_file::warn_if_exposed(secret.is_exposed, "the password of the account", path);
        Ok(AccountOptions { name: name.clone(), credential: Some(credential) })
    }

    fn read_variable(&self, path: Option<PathBuf>, server: &ServerAddress) -> Result<Option<AccountOptions>, String> {
        let asked = || self.login.map(|name| AccountOptions { name: name.clone(), credential: None });
        let Some(path) = path else { return Ok(asked()) };
        let file = TokenFile::read(&path)?;
        let nick = self.nick.and_then(|nick| Name::new(nick).ok());
        let is_other = match (self.login.or(nick.as_ref()), &file.name) {
            (Some(chosen), Some(own)) => chosen.key() != own.key(),
            // A guest.
            (Some(_), None) => self.login.is_none(),
            // An invalid nickname is refused later.
            (None, _) => self.nick.is_some(),
        };
        if is_other { Ok(asked()) } else { file.account(self.login, server).map(Some) }
    }
}

impl ClientOptions {
    /// The login, if there is one. Its secret is known, because the user was asked before.
    pub(super) fn login(&self) -> Option<Login> {
        self.account.as_ref().and_then(AccountOptions::login)
    }

    /// Asks for the password of the account at the terminal, unless it is known.
    pub(super) fn ask_for_secret(&mut self) -> Result<(), Exit> {
        let Some(AccountOptions { name, credential: credential @ None }) = &mut self.account else { return Ok(()) };
        let (typed, stop) = terminal::ask_secret(&format!("password of {name}: "))?;
        self.stop = Some(stop);
        *credential = Some(Credential::new(&typed).map_err(|why| Exit(ExitCode::Password, why.to_string()))?);
        Ok(())
    }
}

impl ServerConnection {
    /// Connects, and logs in. While the server does not check the secret now, tries again, for a limited time; `report` gets the reason.
    /// `is_resumable`: with a resume token for reconnecting.
    pub(super) async fn open_account(
        &mut self,
        address: &ServerAddress,
        account: &Login,
        room: &RoomName,
        is_resumable: bool,
        mut report: impl FnMut(&str),
    ) -> Result<Name, Exit> {
        let mut patience = LoginPatience::new();
        loop {
            if is_resumable {
                self.open_resumable(address).await?;
            } else {
                self.open(address).await?;
            }
            let refusal = match self.log_in(account, LoginKind::Refusable, room).await? {
                Ok(name) => return Ok(name),
                Err(refusal) => refusal,
            };
            let Some(pause) = patience.pause(&refusal) else { return Err(login_error(account, &refusal)) };
            report(&waiting_text(&refusal, pause));
            self.wait_for(pause).await?;
        }
    }
}

/// The line that reports a pause before the next attempt to log in.
pub(super) fn waiting_text(refusal: &ReceivedRefusal, pause: Duration) -> String {
    format!("{}; waiting {:.1} s", refusal.problem, pause.as_secs_f64())
}

/// The attempts to log in while the server does not check the secret now, or while an earlier connection has not ended yet. They are safe:
/// a wrong secret is refused with another code, and then not sent again.
pub(super) struct LoginPatience {
    begun: Instant,
    backoff: ExponentialBackoff,
}

impl LoginPatience {
    pub(super) fn new() -> Self {
        let [shortest, longest] = LOGIN_PAUSE_MS.map(Duration::from_millis);
        let backoff = ExponentialBuilder::new().with_min_delay(shortest).with_max_delay(longest).without_max_times();
        Self { begun: Instant::now(), backoff: backoff.with_jitter().build() }
    }

    /// How long to wait before the next attempt. `None`: it would fail again, or the time is over.
    pub(super) fn pause(&mut self, refusal: &ReceivedRefusal) -> Option<Duration> {
        let (pause, seconds_max) = match ErrorCode::from_word(&refusal.code)? {
            ErrorCode::Busy => (self.backoff.next()?, LOGIN_WAIT_SECONDS_MAX),
            // A message of a guest with the nickname is being stored.
            ErrorCode::AccountInUse | ErrorCode::NameTaken => (self.backoff.next()?, ACCOUNT_IN_USE_SECONDS_MAX),
            ErrorCode::TooManyAttempts => (Duration::from_secs(seconds_in(&refusal.problem)?), LOGIN_WAIT_SECONDS_MAX),
            _ => return None,
        };
        (self.begun.elapsed() + pause <= Duration::from_secs(seconds_max)).then_some(pause)
    }
}

/// The number of seconds at the end of a refusal such as `…; try again in 6 s`.
fn seconds_in(problem: &str) -> Option<u64> {
    problem.strip_suffix(" s")?.rsplit(' ').next()?.parse().ok()
}

/// The end of a command that could not log in.
pub(super) fn login_error(account: &Login, refusal: &ReceivedRefusal) -> Exit {
    let is_wrong = ErrorCode::from_word(&refusal.code) == Some(ErrorCode::PasswordWrong);
    match account.credential {
        Credential::Token(_) if is_wrong => {
            let name = &account.name;
            let what = format!(
                "the access token of {name} is not valid: it has expired, was revoked, or there is no such account; \
                 chinwag login makes another"
            );
            Exit(ExitCode::Password, what)
        }
        Credential::Password(_) if is_wrong => {
            Exit(ExitCode::Password, format!("cannot log in as {}: {}", account.name, refusal.problem))
        }
        _ => Exit(ExitCode::Refused, format!("cannot log in as {}: {}", account.name, explain(refusal))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::command::ReceivedLine;

    const TOKEN: &str = "cwt_0123456789abcdef0123456789abcdef";

    fn name(raw: &str) -> Name {
        Name::new(raw).unwrap()
    }

    fn refusal(line: &str) -> ReceivedRefusal {
        ReceivedLine::new(line).refusal().unwrap()
    }

    #[test]
    fn login_waits_only_while_the_secret_is_not_checked() {
        let mut patience = LoginPatience::new();
        let busy =
            refusal("ERR LOGIN busy the server has too many passwords to check, so it did nothing; try again later");
        assert!(patience.pause(&busy).is_some());
        let limited =
            refusal("ERR LOGIN too-many-attempts too many wrong passwords from your address; try again in 6 s");
        assert_eq!(patience.pause(&limited), Some(Duration::from_secs(6)));
        let in_use = refusal("ERR LOGIN account-in-use another connection uses the account alice");
        assert!(patience.pause(&in_use).is_some());
        let reserved = refusal("ERR LOGIN name-taken alice is reserved until a message is stored; try again later");
        assert!(patience.pause(&reserved).is_some());
        for line in [
            "ERR LOGIN password-wrong the name or the password is wrong; write: LOGIN name password",
            "ERR LOGIN insecure others may read this connection, so the server did nothing",
            "ERR LOGIN accounts-off this server has no accounts",
            "ERR LOGIN too-many-attempts try again in 3600 s",
            "ERR LOGIN too-many-attempts later",
            "ERR LOGIN later-code no",
        ] {
            assert_eq!(patience.pause(&refusal(line)), None, "{line}");
        }
        // The time is over.
        patience.begun -= Duration::from_secs(ACCOUNT_IN_USE_SECONDS_MAX);
        assert_eq!(patience.pause(&in_use), None);
        assert!(patience.pause(&busy).is_some());
        patience.begun -= Duration::from_secs(LOGIN_WAIT_SECONDS_MAX);
        assert_eq!(patience.pause(&busy), None);
    }

    #[test]
    fn command_line_overrides_the_token_of_the_environment() {
        let directory = tempfile::tempdir().unwrap();
        let server = ServerAddress::Tcp("10.0.0.9:9999".to_owned());
        let path = directory.path().join("token");
        let token = Some(Credential::Token(TOKEN.parse().unwrap()));
        let check =
            |content: &str, login: Option<&str>, nick: Option<&str>, expected: Option<(&str, &Option<Credential>)>| {
                fs::write(&path, content).unwrap();
                let login = login.map(name);
                let arguments = AccountArguments { login: login.as_ref(), nick, ..AccountArguments::default() };
                let expected = expected
                    .map(|(raw, credential)| AccountOptions { name: name(raw), credential: credential.clone() });
                assert_eq!(arguments.read(&server, Some(path.clone())), Ok(expected), "{content} {login:?} {nick:?}");
            };
        let alice = format!("alice {TOKEN}");
        check(&alice, None, None, Some(("alice", &token)));
        check(&alice, Some("Alice"), None, Some(("alice", &token)));
        check(&alice, Some("bob"), None, Some(("bob", &None)));
        check(&alice, None, Some("ALICE"), Some(("alice", &token)));
        check(&alice, None, Some("bob"), None);
        check(&alice, None, Some("b,b"), None);
        check(TOKEN, Some("bob"), None, Some(("bob", &token)));
        check(TOKEN, None, Some("bob"), None);
        let arguments = AccountArguments::default();
        assert!(arguments.read(&server, Some(path.clone())).unwrap_err().contains("names no account"));
        assert_eq!(arguments.read(&server, None), Ok(None));
        let other = ServerAddress::Tcp("10.0.0.8:9999".to_owned());
        fs::write(&path, format!("{alice} {server}")).unwrap();
        let why = arguments.read(&other, Some(path.clone())).unwrap_err();
        assert!(why.contains("is for the server \"10.0.0.9:9999\""), "{why}");
        // As a guest, the user can visit any server.
        let guest = AccountArguments { nick: Some("bob"), ..arguments };
        assert_eq!(guest.read(&other, Some(path)), Ok(None));
    }

    #[test]
    fn options_of_a_login_exclude_each_other() {
        let (alice, path) = (name("alice"), PathBuf::from("secret"));
        let server = ServerAddress::Tcp("10.0.0.9:9999".to_owned());
        let check = |arguments: AccountArguments<'_>, expected: &str| {
            let why = arguments.read(&server, None).unwrap_err();
            assert!(why.starts_with(expected), "{why}");
        };
        let none = AccountArguments::default();
        let [login, password_file, token_file] = [
            AccountArguments { login: Some(&alice), ..none },
            AccountArguments { password_file: Some(&path), ..none },
            AccountArguments { token_file: Some(&path), ..none },
        ];
        for arguments in [login, password_file, token_file] {
            check(AccountArguments { nick: Some("al"), ..arguments }, "--nick and a login: expected one of them");
        }
        check(password_file, "--account-password-file without --login: expected both");
        let both = AccountArguments { token_file: Some(&path), ..password_file };
        check(both, "--account-password-file and --token-file: expected one of them");
        let asked = AccountOptions { name: alice.clone(), credential: None };
        assert_eq!(login.read(&server, None), Ok(Some(asked)));
    }

    #[test]
    fn refused_login_is_explained() {
        let check = |credential: &str, line: &str, code: ExitCode, expected: &str| {
            let account = Login { name: name("alice"), credential: Credential::new(credential).unwrap() };
            assert_eq!(login_error(&account, &refusal(line)), Exit(code, expected.to_owned()));
        };
        let wrong = "ERR LOGIN password-wrong the name or the password is wrong; write: LOGIN name password";
        let expected = "cannot log in as alice: the name or the password is wrong";
        check("correct horse", wrong, ExitCode::Password, expected);
        let expected = "the access token of alice is not valid: it has expired, was revoked, or there is no such account; \
                        chinwag login makes another";
        check(TOKEN, wrong, ExitCode::Password, expected);
        let in_use = "ERR LOGIN account-in-use another connection uses the account alice; to close that one, write: \
                      TAKEOVER name password";
        let expected = "cannot log in as alice: another connection uses the account alice; end that one first, or log in at a \
                        terminal, which can take it over";
        check(TOKEN, in_use, ExitCode::Refused, expected);
    }
}
