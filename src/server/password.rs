//! The password of the server: reads it from a file at the start, and again on SIGHUP. Keeps its hash only.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use super::{CheckReport, Reload, log};
use crate::password_file::PasswordFile;
use crate::process::quoted_path;
use crate::protocol::{Password, Verifier};
use crate::session::PasswordCheck;

/// The password in a file. Before the first [`Reload::reload`], no password is correct.
#[derive(Debug)]
pub struct ServerPassword {
    path: PathBuf,
    verifier: RwLock<Option<Verifier>>,
}

impl ServerPassword {
    /// Names the file. [`Reload::reload`] reads it.
    pub fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, verifier: RwLock::default() })
    }
}

impl Reload for ServerPassword {
    /// Reads the file. After an error, the password stays as it was. Warns about a file that every user of the machine can read.
    fn reload(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let PasswordFile { password, is_exposed } = PasswordFile::<Password>::read(&self.path)?;
        let verifier = password.verifier();
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Some(verifier);
        log::password(&self.path);
        if is_exposed {
            log::exposed_password(&self.path);
        }
        Ok(())
    }

    fn check(&self, report: &mut CheckReport) {
        match PasswordFile::<Password>::read(&self.path) {
            Ok(PasswordFile { is_exposed, .. }) => {
                report
                    .notes
                    .extend(is_exposed.then(|| {
                        format!("every user of this machine can read {}: chmod 600", quoted_path(&self.path))
                    }));
            }
            Err(error) => report.errors.push(error.to_string()),
        }
        report.checked.push("the password file".to_owned());
    }
}

impl PasswordCheck for ServerPassword {
    fn is_correct(&self, password: &Password) -> bool {
        let given = password.verifier();
        *self.verifier.read().unwrap_or_else(PoisonError::into_inner) == Some(given)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::server::log::LogFormat;
    use crate::server::log::tests::logged;

    #[test]
    fn bad_file_leaves_the_old_password() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let password = ServerPassword::new(path.clone());
        let is_correct = |raw: &str| password.is_correct(&Password::new(raw).unwrap());
        assert!(password.reload().is_err() && !is_correct("hunter2"));
        fs::write(&path, "hunter2\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let lines = logged(LogFormat::Text, || password.reload().unwrap());
        assert_eq!(lines, [format!("INFO read the password path={}", path.display())]);
        assert!(is_correct("hunter2") && !is_correct("hunter3"));
        fs::write(&path, "").unwrap();
        assert!(password.reload().is_err() && is_correct("hunter2"));
        fs::write(&path, "hunter3").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let lines = logged(LogFormat::Text, || password.reload().unwrap());
        assert!(lines[1].starts_with("WARN every user of this machine can read the password"), "{lines:?}");
        assert!(is_correct("hunter3") && !is_correct("hunter2"));
        assert!(!format!("{password:?} {lines:?}").contains("hunter"));
    }
}
