//! The file with an access token, which `chinwag login` writes and scripts read: one line with the name of the account, the token, and the
//! server for which it was made. A file that a user writes may have the token alone.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::account::AccountOptions;
use super::address::ServerAddress;
use super::secret_file;
use crate::command_line::quoted;
use crate::process::{error_text, quoted_path};
use crate::protocol::{AccessToken, Credential, Name};

/// The environment variable that names the file.
pub(super) const TOKEN_FILE_VARIABLE: &str = "CHINWAG_TOKEN_FILE";

/// The content of the file, for errors.
const CONTENT: &str =
    "an access token, or the name of its account, the token and the server, as chinwag login writes it";

/// The content of a token file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenFile {
    path: PathBuf,
    /// The account of the token. `None`: the user names it.
    pub(super) name: Option<Name>,
    token: AccessToken,
    /// The only server that gets the token. `None`: any.
    server: Option<String>,
    /// Whether every user of the machine can read the file.
    is_exposed: bool,
}

/// The file that the environment variable names.
pub(super) fn variable() -> Option<PathBuf> {
    env::var_os(TOKEN_FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

impl TokenFile {
    /// Reads a token file.
    ///
    /// # Errors
    /// The problem of the file, for the user. No error has a part of its content, except a name or a server.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let secret = secret_file::read_line(path, CONTENT)?;
        let invalid = || format!("the file {} has no access token: expected one line, {CONTENT}", quoted_path(path));
        let words: Vec<_> = secret.line.split_whitespace().collect();
        let (name, token, server) = match words[..] {
            [token] => (None, token, None),
            [name, token] => (Some(name), token, None),
            [name, token, server] => (Some(name), token, Some(server.to_owned())),
            _ => return Err(invalid()),
        };
        let name = name.map(Name::new).transpose().map_err(|_| invalid())?;
        let token = token.parse().map_err(|_| invalid())?;
        Ok(Self { path: path.to_owned(), name, token, server, is_exposed: secret.is_exposed })
    }

    /// The account to log in to at this server. Warns if every user of the machine can read the file. `login`: the account that the user named.
    ///
    /// # Errors
    /// The token is for another account or server, or there is no name.
    pub(super) fn account(self, login: Option<&Name>, server: &ServerAddress) -> Result<AccountOptions, String> {
        let path = quoted_path(&self.path);
        if let Some(own) = &self.server
            && *own != server.to_string()
        {
            return Err(format!(
                "the access token in {path} is for the server {}, not {}: make one for it with chinwag login, or use \
                 --nick to join as a guest",
                quoted(own),
                quoted(&server.to_string())
            ));
        }
        let name = match (self.name, login) {
            (Some(own), Some(login)) if own.key() != login.key() => {
                return Err(format!("the access token in {path} is for the account {own}, not {login}"));
            }
            (Some(name), _) => name,
            (None, Some(login)) => login.clone(),
            (None, None) => {
                return Err(format!("the file {path} names no account: use it with --login, as in --login alice"));
            }
        };
        secret_file::warn_if_exposed(self.is_exposed, "the access token", &self.path);
        Ok(AccountOptions { name, credential: Some(Credential::Token(self.token)) })
    }
}

/// A token file that is being written. Until [`NewTokenFile::save`], the previous file remains.
pub(super) struct NewTokenFile {
    path: PathBuf,
    /// The new file beside it.
    draft: PathBuf,
    file: File,
    is_saved: bool,
}

impl NewTokenFile {
    /// The file that `chinwag login` writes if the user names none.
    pub(super) fn default_path() -> Option<PathBuf> {
        Some(dirs::config_dir()?.join("chinwag/token"))
    }

    /// Begins the file, which only its owner may read.
    ///
    /// # Errors
    /// The problem, for the user.
    pub(super) fn create(path: &Path) -> Result<Self, String> {
        let fail = |error: io::Error| format!("cannot write the file {}: {}", quoted_path(path), error_text(&error));
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(format!("cannot write the file {}: it is not a regular file", quoted_path(path)));
        }
        // Replaces the target of a symbolic link, not the link.
        let path = fs::canonicalize(path).or_else(|_| std::path::absolute(path)).map_err(fail)?;
        let directory = path.parent();
        if let Some(directory) = directory {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(fail)?;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let draft = path.with_file_name(format!(".{name}.{:08x}", fastrand::u32(..)));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(fail)?;
        Ok(Self { path, draft, file, is_saved: false })
    }

    /// Writes the token, and replaces the previous file. Returns the path of the file.
    ///
    /// # Errors
    /// The problem, for the user. The previous file remains.
    pub(super) fn save(mut self, name: &Name, token: &AccessToken, server: &ServerAddress) -> Result<PathBuf, String> {
        let text = match server.to_string() {
            // It would be several words. No server is named: the token is not bound to one.
            server if server.contains(char::is_whitespace) => format!("{name} {token}\n"),
            server => format!("{name} {token} {server}\n"),
        };
        let mut write = || {
            self.file.write_all(text.as_bytes())?;
            self.file.sync_all()?;
            fs::rename(&self.draft, &self.path)
        };
        write()
            .map_err(|error| format!("cannot write the file {}: {}", quoted_path(&self.path), error_text(&error)))?;
        self.is_saved = true;
        Ok(self.path.clone())
    }
}

impl Drop for NewTokenFile {
    fn drop(&mut self) {
        if !self.is_saved {
            // If this fails, the file stays. It has no token, unless the disk is full.
            let _ = fs::remove_file(&self.draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const TOKEN: &str = "cwt_0123456789abcdef0123456789abcdef";

    fn name(raw: &str) -> Name {
        Name::new(raw).unwrap()
    }

    fn server(raw: &str) -> ServerAddress {
        ServerAddress::Tcp(raw.to_owned())
    }

    #[test]
    fn token_file_names_account_and_server() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let read = |content: &str, login: Option<&str>| {
            fs::write(&path, content).unwrap();
            let login = login.map(name);
            TokenFile::read(&path).and_then(|file| file.account(login.as_ref(), &server("10.0.0.9:9999")))
        };
        let alice = AccountOptions { name: name("alice"), credential: Some(Credential::Token(TOKEN.parse().unwrap())) };
        for (content, login) in [
            (format!("{TOKEN}\n"), Some("alice")),
            (format!("alice {TOKEN}"), None),
            (format!("alice {TOKEN}\n"), Some("ALICE")),
            (format!("alice {TOKEN} 10.0.0.9:9999\n"), None),
        ] {
            assert_eq!(read(&content, login), Ok(alice.clone()), "{content:?} {login:?}");
        }
        for (content, login, expected) in [
            (TOKEN.to_owned(), None, "names no account: use it with --login"),
            (format!("alice {TOKEN}"), Some("bob"), "is for the account alice, not bob"),
            (
                format!("alice {TOKEN} tls://10.0.0.9:9999"),
                None,
                "is for the server \"tls://10.0.0.9:9999\", not \"10.0.0.9:9999\"",
            ),
            ("correct horse battery staple".to_owned(), None, "has no access token"),
            ("correct".to_owned(), None, "has no access token"),
            (format!("alice {TOKEN}0"), None, "has no access token"),
        ] {
            let why = read(&content, login).unwrap_err();
            assert!(why.contains(expected), "{why}");
            assert!(!why.contains("horse") && !why.contains("cwt_"), "{why}");
        }
    }

    #[test]
    fn saved_token_file_is_private_and_complete() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/token");
        let token: AccessToken = TOKEN.parse().unwrap();
        let saved = NewTokenFile::create(&path).unwrap().save(&name("alice"), &token, &server("10.0.0.9:9999"));
        assert_eq!(saved.as_ref(), Ok(&path.canonicalize().unwrap()));
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("alice {TOKEN} 10.0.0.9:9999\n"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // A draft that is not saved leaves the file as it was, and disappears.
        drop(NewTokenFile::create(&path).unwrap());
        assert!(fs::read_to_string(&path).unwrap().starts_with("alice "));
        assert_eq!(fs::read_dir(directory.path().join("new")).unwrap().count(), 1);
        // An older file may be readable by others: the new one is not.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        NewTokenFile::create(&path).unwrap().save(&name("bob"), &token, &server("10.0.0.9:9999")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = NewTokenFile::create(directory.path()).err().unwrap();
        assert!(error.ends_with("it is not a regular file"), "{error}");
    }
}
