//! The values of `--listen unix:///PATH?mode=660&owner=USER:GROUP&proxy=unix`.

use std::fs;
use std::path::Path;

use chinwag::command_line::quoted;
use chinwag::limits::UNIX_MODE_DEFAULT;
use chinwag::server::{Scheme, UnixSocket};

use super::listen::unknown_parameter;
use super::proxies::Proxies;

/// Parses what follows `unix://`: an absolute path, and after `?` the file's mode and owner, and the proxies.
pub(super) fn parse(rest: &str) -> Result<(UnixSocket, Proxies), String> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !path.starts_with('/') || path.ends_with('/') {
        return Err("expected unix:///PATH, such as unix:///run/chinwag/chat.sock".to_owned());
    }
    if path.contains(char::is_control) {
        return Err("expected a path without control characters".to_owned());
    }
    let mut proxies = Proxies::default();
    let mut socket = UnixSocket { path: path.into(), mode: UNIX_MODE_DEFAULT, user: None, group: None };
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("mode", mode)) => socket.mode = parse_mode(mode)?,
            Some(("owner", owner)) => (socket.user, socket.group) = parse_owner(owner)?,
            _ if proxies.take(Scheme::Unix, parameter)? => {}
            _ => return Err(unknown_parameter(Scheme::Unix, parameter)),
        }
    }
    Ok((socket, proxies))
}

fn parse_mode(raw: &str) -> Result<u32, String> {
    let is_octal = (3..=4).contains(&raw.len()) && raw.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    let mode = u32::from_str_radix(raw, 8).ok().filter(|&mode| is_octal && mode <= 0o777);
    mode.ok_or_else(|| format!("invalid mode {}; expected octal digits, such as 660", quoted(raw)))
}

/// Parses `USER`, `USER:GROUP` or `:GROUP`.
fn parse_owner(raw: &str) -> Result<(Option<u32>, Option<u32>), String> {
    let (user, group) = raw.split_once(':').unwrap_or((raw, ""));
    if user.is_empty() && group.is_empty() {
        return Err("invalid owner \"\"; expected USER, USER:GROUP or :GROUP".to_owned());
    }
    Ok((find("user", user, Path::new("/etc/passwd"))?, find("group", group, Path::new("/etc/group"))?))
}

/// The number of a user or a group, given as a number or as a name in this file. `None` for an empty name.
fn find(what: &str, name: &str, file: &Path) -> Result<Option<u32>, String> {
    if name.is_empty() || name.bytes().all(|byte| byte.is_ascii_digit()) && name.parse::<u32>().is_ok() {
        return Ok(name.parse().ok());
    }
    let all = fs::read_to_string(file).unwrap_or_default();
    let number = all.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() == Some(name) { fields.nth(1)?.parse().ok() } else { None }
    });
    // Directory services are behind the C library, which only unsafe code can call.
    let unknown = || format!("unknown {what} {}; expected one of {}, or a number", quoted(name), file.display());
    number.map(Some).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_has_mode_and_owner() {
        let expected = UnixSocket { path: "/run/a b".into(), mode: 0o660, user: None, group: None };
        let parse = |rest| parse(rest).map(|(socket, _)| socket);
        assert_eq!(parse("/run/a b"), Ok(expected.clone()));
        assert_eq!(parse("/run/a b?"), Ok(expected.clone()));
        let all = UnixSocket { mode: 0o600, user: Some(0), group: Some(7), ..expected.clone() };
        assert_eq!(parse("/run/a b?mode=0600&owner=root:7"), Ok(all));
        assert_eq!(parse("/run/a b?owner=:0"), Ok(UnixSocket { group: Some(0), ..expected }));
    }

    #[test]
    fn error_says_what_is_expected() {
        let form = "expected unix:///PATH, such as unix:///run/chinwag/chat.sock";
        for raw in ["", "/", "run/x", "/run/x/", "?mode=660"] {
            assert_eq!(parse(raw).unwrap_err(), form, "{raw:?}");
        }
        for mode in ["", "66", "888", "1777", "00660", "+66", "rw-"] {
            let expected = format!("invalid mode \"{mode}\"; expected octal digits, such as 660");
            assert_eq!(parse(&format!("/x?mode={mode}")).unwrap_err(), expected);
        }
        let unknown = parse("/x?user=me").unwrap_err();
        assert!(unknown.starts_with("unknown parameter \"user=me\"; expected mode=660"), "{unknown}");
        let nobody = "unknown user \"no such user\"; expected one of /etc/passwd, or a number";
        assert_eq!(parse("/x?owner=no such user").unwrap_err(), nobody);
        assert_eq!(parse("/x?owner=").unwrap_err(), "invalid owner \"\"; expected USER, USER:GROUP or :GROUP");
        assert_eq!(parse("/x\n").unwrap_err(), "expected a path without control characters");
    }
}
