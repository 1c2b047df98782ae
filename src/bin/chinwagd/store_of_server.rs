//! Asks a running server for the path of its store.

use std::path::{Path, PathBuf};

use chinwag::command_line::quoted;
use chinwag::control::{ControlRequest, StatusFormat};
use chinwag::process::quoted_path;

use super::control_client::{AskError, ask};
use super::{PROGRAM, control};

/// The store that an option names or, without it, that of the server with this control socket. `command` is for the errors.
pub(super) fn find_store(command: &str, data: Option<PathBuf>, control: Option<PathBuf>) -> Result<PathBuf, String> {
    if let Some(path) = data {
        return Ok(path);
    }
    let socket = control.unwrap_or_else(control::default_path);
    let status = ask(&socket, &ControlRequest::Status(StatusFormat::Json)).map_err(|error| match error {
        AskError::NoServer => no_server(command, &socket),
        AskError::Refused(_, what) | AskError::Failed(what) => what,
    })?;
    let path = store_path(&status);
    path.map(PathBuf::from).ok_or_else(|| {
        let shown = quoted_path(&socket);
        format!("the server at {shown} has no store, or does not say where: name its file with {command} --data PATH")
    })
}

fn no_server(command: &str, socket: &Path) -> String {
    format!(
        "no server listens at {}; name the store with {command} --data PATH, or start {PROGRAM} with --control PATH, and give that path \
         to {command}",
        quoted_path(socket)
    )
}

/// The path of the store in a status, which is a JSON object.
fn store_path(status: &str) -> Option<String> {
    let (_, rest) = status.split_once(r#""store":{"path":""#)?;
    let mut chars = rest.chars();
    let mut path = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(path),
            '\\' => path.push(escaped(&mut chars)?),
            c => path.push(c),
        }
    }
}

/// The character that an escape sequence after its backslash stands for. The server writes no surrogates.
fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => {
            let digits: String = chars.by_ref().take(4).collect();
            char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
        }
        c => c,
    })
}

/// The error about two options that both name the store.
pub(super) fn find_conflict(data: Option<&PathBuf>, control: Option<&PathBuf>) -> Option<String> {
    let (data, control) = data.zip(control)?;
    let [data, control] = [data, control].map(|path| quoted(&path.to_string_lossy()));
    Some(format!("--data {data} and --control {control}: expected one of them, the store or the socket of its server"))
}

#[cfg(test)]
mod tests {
    use chinwag::server::log::push_json_string;

    use super::*;

    #[test]
    fn path_in_a_status_is_found() {
        for path in ["/var/lib/chinwag/chat.db", "/a \"b\"\\c\n\t\u{1}é/\u{1f600}", ""] {
            let mut status = r#"{"version":"0.1.0","store":{"path":"#.to_owned();
            push_json_string(&mut status, path);
            status += r#","bytes":12}}"#;
            assert_eq!(store_path(&status).as_deref(), Some(path));
        }
        for status in [r#"{"store":null}"#, r#"{"store":{"path":"/cut"#, ""] {
            assert_eq!(store_path(status), None, "{status}");
        }
    }
}
