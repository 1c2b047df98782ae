//! The password of the server: reads it from a file at the start, and again on SIGHUP. Keeps its hash only.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::reload::{Reload, ReloadError, Replacement};
use super::{CheckReport, log};
use crate::password_file::PasswordFile;
use crate::process::quoted_path;
use crate::protocol::{Password, Verifier};
use crate::session::PasswordCheck;

/// The password in a file. Before the first [`Reload::reload`], no password is correct.
#[derive(Debug)]
pub struct ServerPassword(RwLock<State>);

#[derive(Debug)]
struct State {
    path: PathBuf,
    verifier: Option<Verifier>,
}

impl ServerPassword {
    /// Names the file. [`Reload::reload`] reads it.
    pub fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self(RwLock::new(State { path, verifier: None })))
    }
}

impl ServerPassword {
    fn path(&self) -> PathBuf {
        self.0.read().unwrap_or_else(PoisonError::into_inner).path.clone()
    }
}

impl Reload for ServerPassword {
    fn paths(&self) -> Vec<PathBuf> {
        vec![self.path()]
    }

    /// Reads the file. After an error, the password stays as it was. Warns about a file that every user of the machine can read.
    fn prepare(&self, paths: Vec<PathBuf>) -> Result<Replacement<'_>, ReloadError> {
        let path = paths.into_iter().next().unwrap_or_default();
        let PasswordFile { password, is_exposed } = PasswordFile::<Password>::read(&path)?;
        let verifier = Some(password.verifier());
        Ok(Box::new(move || {
            log_password(&path, is_exposed);
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = State { path, verifier };
        }))
    }

    fn check(&self, report: &mut CheckReport) {
        let path = self.path();
        match PasswordFile::<Password>::read(&path) {
            Ok(PasswordFile { is_exposed, .. }) => {
                let note = || format!("every user of this machine can read {}: chmod 600", quoted_path(&path));
                report.notes.extend(is_exposed.then(note));
            }
            Err(error) => report.errors.push(error.to_string()),
        }
        report.checked.push("the password file".to_owned());
    }
}

fn log_password(path: &Path, is_exposed: bool) {
    log::password(path);
    if is_exposed {
        log::exposed_password(path);
    }
}

impl PasswordCheck for ServerPassword {
    fn is_correct(&self, password: &Password) -> bool {
        let given = password.verifier();
        self.0.read().unwrap_or_else(PoisonError::into_inner).verifier == Some(given)
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
