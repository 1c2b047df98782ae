//! The credentials of a node at the engine, from files or from the address. A command line, which other users of the machine can see, should
//! have no secrets.

use std::fmt;
use std::path::{Path, PathBuf};

use async_nats::ConnectOptions;

use super::secret::Secret;
use crate::limits::ENGINE_CREDENTIALS_BYTES_MAX;
use crate::process::{SmallFile, SmallFileError, error_text, exposed_file_text, only_line, quoted_path};

/// The credentials of a node at the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineCredentials {
    /// A user and a password.
    Password(String, Secret),
    /// A token.
    Token(Secret),
    /// The seed of an nkey of a user, which signs a challenge.
    NkeySeed(Secret),
    /// The content of a credentials file: a JWT, and the seed of its nkey.
    CredentialsFile(Secret),
}

/// The files of the options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialFiles {
    /// The user of the password.
    pub user: Option<String>,
    /// The password, one line.
    pub password: Option<PathBuf>,
    /// The token, one line.
    pub token: Option<PathBuf>,
    /// The seed of an nkey, one line.
    pub nkey_seed: Option<PathBuf>,
    /// The credentials file of NATS, which `nsc` and `nats auth` write.
    pub credentials: Option<PathBuf>,
}

/// A problem with the files of the credentials.
#[derive(Debug)]
pub struct CredentialsError(String);

impl std::error::Error for CredentialsError {}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CredentialFiles {
    /// Reads the files, or takes the credentials of the address. Adds a warning about each file that every user of the machine can read.
    ///
    /// # Errors
    /// A file cannot be used, or there are several credentials. No error has a part of a file's content.
    pub fn read(
        &self,
        of_address: Option<&EngineCredentials>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<EngineCredentials>, CredentialsError> {
        let fail = |what: &str| Err(CredentialsError(what.to_owned()));
        let files = [&self.password, &self.token, &self.nkey_seed, &self.credentials];
        if files.into_iter().flatten().count() + usize::from(of_address.is_some()) > 1 {
            return fail("several credentials for the engine: expected those of the address or one file");
        }
        if self.user.is_some() != self.password.is_some() {
            return fail("expected both the engine's user and the file with its password");
        }
        let mut line = |path: &Path| read_line(path, warnings);
        Ok(if let (Some(user), Some(path)) = (&self.user, &self.password) {
            Some(EngineCredentials::Password(user.clone(), line(path)?))
        } else if let Some(path) = &self.token {
            Some(EngineCredentials::Token(line(path)?))
        } else if let Some(path) = &self.nkey_seed {
            let seed = line(path)?;
            if !is_nkey_seed(seed.reveal()) {
                return fail(&format!(
                    "the file {} has no seed of an nkey: expected 58 letters and digits that begin with SU",
                    quoted_path(path)
                ));
            }
            Some(EngineCredentials::NkeySeed(seed))
        } else if let Some(path) = &self.credentials {
            let content = Secret::new(read(path, warnings)?);
            if ConnectOptions::with_credentials(content.reveal()).is_err() {
                return fail(&format!(
                    "the file {} has no credentials of NATS: expected a JWT of a user and the seed of its nkey",
                    quoted_path(path)
                ));
            }
            Some(EngineCredentials::CredentialsFile(content))
        } else {
            of_address.cloned()
        })
    }
}

/// Whether a text has the form of the seed of a user's nkey.
fn is_nkey_seed(text: &str) -> bool {
    let is_base32 = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
    text.len() == 58 && text.starts_with("SU") && text.bytes().all(is_base32)
}

fn read_line(path: &Path, warnings: &mut Vec<String>) -> Result<Secret, CredentialsError> {
    let content = read(path, warnings)?;
    match only_line(content.as_bytes()) {
        Ok(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err(CredentialsError(format!("invalid content of {}: expected one line", quoted_path(path)))),
    }
}

fn read(path: &Path, warnings: &mut Vec<String>) -> Result<String, CredentialsError> {
    let quoted = quoted_path(path);
    let fail = |what: String| CredentialsError(format!("cannot read the credentials in {quoted}: {what}"));
    let file = SmallFile::read(path, ENGINE_CREDENTIALS_BYTES_MAX).map_err(|error| {
        fail(match error {
            SmallFileError::Unreadable(error) => error_text(&error),
            SmallFileError::NotAFile(found) => format!("it is {found}; expected a file"),
            SmallFileError::TooLong => format!("it has more than {ENGINE_CREDENTIALS_BYTES_MAX} bytes"),
        })
    })?;
    if file.is_exposed {
        warnings.push(exposed_file_text("the credentials", path));
    }
    String::from_utf8(file.content).map_err(|_| fail("it is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A seed that nobody uses: from the documentation of async-nats.
    const SEED: &str = "SUANQDPB2RUOE4ETUA26CNX7FUKE5ZZKFCQIIW63OX225F2CO7UEXTM7ZY";

    struct Files {
        directory: tempfile::TempDir,
        warnings: Vec<String>,
    }

    impl Files {
        fn write(&self, content: &str) -> PathBuf {
            let path = self.directory.path().join("secret");
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path
        }

        fn read(&mut self, files: &CredentialFiles) -> Result<Option<EngineCredentials>, String> {
            files.read(None, &mut self.warnings).map_err(|error| error.to_string())
        }
    }

    fn files() -> Files {
        Files { directory: tempfile::tempdir().unwrap(), warnings: Vec::new() }
    }

    #[test]
    fn each_kind_has_its_file() {
        let mut files = files();
        let path = Some(files.write("s3cret\n"));
        let user = Some("alice".to_owned());
        let found = files.read(&CredentialFiles { user, password: path.clone(), ..CredentialFiles::default() });
        assert_eq!(found, Ok(Some(EngineCredentials::Password("alice".to_owned(), Secret::new("s3cret")))));
        let found = files.read(&CredentialFiles { token: path, ..CredentialFiles::default() });
        assert_eq!(found, Ok(Some(EngineCredentials::Token(Secret::new("s3cret")))));
        let nkey_seed = Some(files.write(SEED));
        let found = files.read(&CredentialFiles { nkey_seed, ..CredentialFiles::default() });
        assert_eq!(found, Ok(Some(EngineCredentials::NkeySeed(Secret::new(SEED)))));
        let content = format!(
            "-----BEGIN NATS USER JWT-----\nx.y.z\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n"
        );
        let credentials = Some(files.write(&content));
        let found = files.read(&CredentialFiles { credentials, ..CredentialFiles::default() });
        assert_eq!(found, Ok(Some(EngineCredentials::CredentialsFile(Secret::new(content)))));
        assert_eq!((files.read(&CredentialFiles::default()), files.warnings.len()), (Ok(None), 0));
    }

    #[test]
    fn content_is_checked_and_in_no_error() {
        let mut files = files();
        let mut check = |content: &str, expected: &str, of: fn(PathBuf) -> CredentialFiles| {
            let path = files.write(content);
            let error = files.read(&of(path)).unwrap_err();
            assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
        };
        for content in ["", "\n", "s3cret\ns3cret\n"] {
            check(content, "expected one line", |path| CredentialFiles {
                token: Some(path),
                ..CredentialFiles::default()
            });
        }
        for content in ["s3cret", &SEED.to_lowercase(), &SEED.replace('S', "U"), &SEED[1..]] {
            check(content, "no seed of an nkey", |path| CredentialFiles {
                nkey_seed: Some(path),
                ..CredentialFiles::default()
            });
        }
        check("s3cret", "no credentials of NATS", |path| CredentialFiles {
            credentials: Some(path),
            ..CredentialFiles::default()
        });
        let both = "both the engine's user and the file";
        check("s3cret", both, |path| CredentialFiles { password: Some(path), ..CredentialFiles::default() });
        check("s3cret", both, |_| CredentialFiles { user: Some("alice".to_owned()), ..CredentialFiles::default() });
        let several = "several credentials";
        check("s3cret", several, |path| CredentialFiles {
            token: Some(path.clone()),
            credentials: Some(path),
            ..CredentialFiles::default()
        });
        let of_address = EngineCredentials::Token(Secret::new("s3cret"));
        let token = CredentialFiles { token: Some(files.write("s3cret")), ..CredentialFiles::default() };
        assert!(token.read(Some(&of_address), &mut Vec::new()).unwrap_err().to_string().contains(several));
        assert_eq!(CredentialFiles::default().read(Some(&of_address), &mut Vec::new()).unwrap(), Some(of_address));
        let missing = CredentialFiles { token: Some(files.directory.path().join("x")), ..CredentialFiles::default() };
        assert!(files.read(&missing).unwrap_err().starts_with("cannot read the credentials in "));
    }

    #[test]
    fn exposed_file_is_warned_about() {
        let mut files = files();
        let token = Some(files.write("s3cret"));
        fs::set_permissions(token.as_ref().unwrap(), fs::Permissions::from_mode(0o644)).unwrap();
        files.read(&CredentialFiles { token, ..CredentialFiles::default() }).unwrap();
        assert!(files.warnings.len() == 1 && files.warnings[0].contains("chmod 600"), "{:?}", files.warnings);
    }
}
