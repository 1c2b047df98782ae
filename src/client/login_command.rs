//! `chinwag login`: makes an access token of an account, and writes it to a file from which scripts read it.

use std::fs;
use std::path::{Path, PathBuf};

use futures_lite::{StreamExt as _, stream};
use serde_json::json;

use super::arguments::{ClientOptions, LoginOptions};
use super::refusal::explain;
use super::script::{connection_of, output_of};
use super::token_file::{self, NewTokenFile, TOKEN_FILE_VARIABLE};
use super::{Exit, ExitCode};
use crate::command::{AccessTokens, ReceivedLine, Reply, ServerLine, TokenReply};
use crate::limits::TOKEN_LABEL_BYTES_MAX;
use crate::process::{quoted_path, shell_word};
use crate::protocol::{Day, Name, RoomName, Text, Timestamp, TokenLabel};

/// Logs in with the password, requests a token, and writes it to the file. Checks first that the file can be written.
pub(super) async fn log_in(options: &ClientOptions, login: &LoginOptions) -> Result<(), Exit> {
    let refused = |what| Exit(ExitCode::Refused, what);
    let path = login.file().cloned().or_else(token_file::variable).or_else(NewTokenFile::default_path);
    let path = path.ok_or_else(|| refused("there is no home directory: name the file with --token-file".to_owned()))?;
    let file = NewTokenFile::create(&path).map_err(refused)?;
    // This cannot fail: the user was asked.
    let account = options.login().ok_or_else(|| refused("the password is missing".to_owned()))?;
    let (mut connection, output) = (connection_of(options, stream::pending().boxed()), output_of(options));
    let report = |what: &str| output.report(what);
    let name = connection.open_account(&options.address, &account, &RoomName::lobby(), false, report).await?;
    let label = login.label.clone().or_else(default_label);
    let label = label.ok_or_else(|| refused("this machine has no name: label the token with --label".to_owned()))?;
    let answer = connection.request_reply(&AccessTokens::New { days: login.days, label: label.clone() }.into()).await?;
    let Some(ServerLine::Ok(Reply::AccessTokens(TokenReply::New { number, token, expires_at }))) = answer.known else {
        connection.quit().await;
        return Err(refused(refusal_text(&answer)));
    };
    let saved = file.save(&name, &token, &options.address);
    if saved.is_err() {
        // Nobody knows this token. The client may revoke it, because it has just given the password.
        connection.request_reply(&AccessTokens::Revoke(number).into()).await?;
    }
    connection.quit().await;
    let path = saved.map_err(refused)?;
    let made = Made { name, number: number.0, label, expires_at, path };
    if options.json {
        output.print(&made.to_json())
    } else {
        made.lines().iter().try_for_each(|line| output.print(line))
    }
}

fn refusal_text(answer: &ReceivedLine) -> String {
    answer.refusal().map_or_else(|| "the server made no token".to_owned(), |refusal| explain(&refusal))
}

/// The label of a token whose user chose none: it names this machine.
fn default_label() -> Option<TokenLabel> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let text = format!("chinwag on {}", host.trim());
    let text = &text[..text.floor_char_boundary(TOKEN_LABEL_BYTES_MAX)];
    TokenLabel::new(Text::truncated(text.trim_end())).ok()
}

/// A token that is in a file now.
struct Made {
    name: Name,
    number: u32,
    label: TokenLabel,
    expires_at: Timestamp,
    path: PathBuf,
}

impl Made {
    /// Without the token.
    fn to_json(&self) -> String {
        let (name, label, expires) = (self.name.as_str(), self.label.as_str(), self.expires_at.to_string());
        let file = self.path.display().to_string();
        json!({"type": "login", "name": name, "number": self.number, "label": label, "expires": expires, "file": file})
            .to_string()
    }

    /// Without the token.
    fn lines(&self) -> Vec<String> {
        let Self { name, number, label, expires_at, path } = self;
        let (day, shown) = (Day::from(*expires_at), quoted_path(path));
        let made = format!("{name} has the access token {number} ({label}), valid until {day}, in {shown}");
        let is_named = token_file::variable().is_some_and(|named| is_same_file(&named, path));
        let next = format!("to log in with it, set {TOKEN_FILE_VARIABLE}={}", shell_word(&path.display().to_string()));
        [Some(made), (!is_named).then_some(next)].into_iter().flatten().collect()
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    one == other || fs::canonicalize(one).is_ok_and(|one| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_is_quoted_for_a_shell() {
        assert_eq!(shell_word("/home/al/.config/chinwag/token"), "/home/al/.config/chinwag/token");
        assert_eq!(shell_word("/home/al's files/token"), r"'/home/al'\''s files/token'");
        assert_eq!(shell_word("/tmp/$(x)"), "'/tmp/$(x)'");
    }

    #[test]
    fn default_label_is_short() {
        assert!(default_label().unwrap().as_str().starts_with("chinwag on"));
    }
}
