//! The password of the server: from a file, or typed at a terminal. It is sent only if nobody else can read it on the way.

use std::env;
use std::path::PathBuf;

use super::connection::ServerConnection;
use super::refusal::explain;
use super::secret_file::warn_if_exposed;
use super::{Exit, ExitCode};
use crate::command::Pass;
use crate::password_file::PasswordFile;
use crate::protocol::{ErrorCode, Password};

/// The environment variable that names the file.
const FILE_VARIABLE: &str = "CHINWAG_PASSWORD_FILE";

/// Reads the password from the file of `--password-file` or, without that, of the environment variable. Warns if every user of the machine
/// can read the file.
///
/// # Errors
/// The problem of the file, for the user.
pub(super) fn read(option: Option<&PathBuf>) -> Result<Option<Password>, String> {
    let variable = || env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let Some(path) = option.cloned().or_else(variable) else { return Ok(None) };
    let file = PasswordFile::read(&path).map_err(|error| error.to_string())?;
    warn_if_exposed(file.is_exposed, "the password of the server", &path);
    Ok(Some(file.password))
}

impl ServerConnection {
    /// Whether nobody else can read a secret on the way: the server says so, and so does the client's side of the connection.
    pub(super) fn accepts_secrets(&self) -> bool {
        self.features.secure && self.is_private
    }

    /// Whether the server needs a password, and nobody else can read it on the way.
    pub(super) fn can_give_password(&self) -> bool {
        self.features.password && self.accepts_secrets()
    }

    /// Gives the password, if the server needs one. Fails with [`ExitCode::Password`] if there is none, or the server refuses it.
    pub(super) async fn give_password(&mut self) -> Result<(), Exit> {
        if !self.features.password {
            return Ok(());
        }
        if !self.can_give_password() {
            let what = "the server needs a password, but others may read this connection: connect with --tls, through a Unix socket, \
                        or through an SSH tunnel";
            return Err(Exit(ExitCode::Refused, what.to_owned()));
        }
        let Some(password) = self.password.clone() else {
            let what =
                format!("the server needs a password: name a file with it, by --password-file or {FILE_VARIABLE}");
            return Err(Exit(ExitCode::Password, what));
        };
        let answer = self.request_reply(&Pass(password).into()).await?;
        match answer.refusal() {
            None => Ok(()),
            Some(refusal) if ErrorCode::from_word(&refusal.code) == Some(ErrorCode::PasswordWrong) => {
                Err(Exit(ExitCode::Password, "the server refused the password: it is wrong".to_owned()))
            }
            Some(refusal) => Err(Exit(ExitCode::Refused, explain(&refusal))),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::stream;

    use super::*;
    use crate::command::Features;

    /// A greeting over plain TCP may be from anybody on the way.
    #[test]
    fn password_is_sent_over_private_connections_only() {
        for (secure, is_private) in [(true, false), (false, true), (false, false)] {
            let mut connection = ServerConnection::new(stream::pending());
            connection.features = Features { secure, password: true, ..Features::default() };
            connection.is_private = is_private;
            connection.password = Password::new("hunter2").ok();
            // Without a server, a reply would not come.
            let Exit(code, why) = smol::block_on(connection.give_password()).unwrap_err();
            assert_eq!(code, ExitCode::Refused);
            assert!(why.contains("others may read this connection: connect with --tls"), "{why}");
        }
    }

    #[test]
    fn missing_password_is_explained() {
        let mut connection = ServerConnection::new(stream::pending());
        assert_eq!(smol::block_on(connection.give_password()), Ok(()), "the server needs none");
        connection.features = Features { secure: true, password: true, ..Features::default() };
        connection.is_private = true;
        let Exit(code, why) = smol::block_on(connection.give_password()).unwrap_err();
        assert_eq!((code, code.number()), (ExitCode::Password, 1));
        assert!(why.contains("by --password-file or CHINWAG_PASSWORD_FILE"), "{why}");
    }
}
