//! `--control`: the path of the control socket, for the server and for `chinwagd status`.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use chinwag::server::ControlOptions;

use super::Arguments;
use super::values::parse_path;

/// The name of the control socket in its directory.
const FILE_NAME: &str = "control.sock";

/// The directory of the unit in `packaging/systemd`.
const UNIT_DIRECTORY: &str = "/run/chinwag";

/// The value of the server's `--control`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ControlOption {
    Off,
    At(PathBuf),
}

pub(super) fn parse_option(raw: &str) -> Result<ControlOption, String> {
    match raw {
        "off" => Ok(ControlOption::Off),
        _ => parse_path(raw).map(ControlOption::At).map_err(|expected| format!("{expected}, or off")),
    }
}

/// The control socket of the server. `None`: it has none. Nobody has asked for the default one, so the server also starts without it.
pub(super) fn server_options(arguments: &Arguments) -> Option<ControlOptions> {
    let (path, is_required) = match &arguments.control {
        Some(ControlOption::At(path)) => (path.clone(), true),
        Some(ControlOption::Off) => return None,
        None => (in_runtime_directory(env::var_os("RUNTIME_DIRECTORY").as_deref())?, false),
    };
    Some(ControlOptions { path, is_required })
}

/// The control socket that `chinwagd status` uses without `--control`.
pub(super) fn default_path() -> PathBuf {
    let in_service = in_runtime_directory(env::var_os("RUNTIME_DIRECTORY").as_deref());
    in_service.unwrap_or_else(|| Path::new(UNIT_DIRECTORY).join(FILE_NAME))
}

/// The control socket in the first of these directories, which a service manager sets (`RuntimeDirectory=`, systemd.exec(5)).
fn in_runtime_directory(directories: Option<&OsStr>) -> Option<PathBuf> {
    let first = env::split_paths(directories?).next()?;
    first.is_absolute().then(|| first.join(FILE_NAME))
}

/// The path that `--control` gives.
pub(super) fn given_path(arguments: &Arguments) -> Option<&Path> {
    match &arguments.control {
        Some(ControlOption::At(path)) => Some(path),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_is_a_path_or_off() {
        assert_eq!(parse_option("off"), Ok(ControlOption::Off));
        assert_eq!(parse_option("./off"), Ok(ControlOption::At("./off".into())));
        assert_eq!(parse_option(""), Err("expected a path, or off".to_owned()));
    }

    #[test]
    fn first_runtime_directory_is_used() {
        let path = |directories: &str| in_runtime_directory(Some(OsStr::new(directories)));
        assert_eq!(path("/run/chinwag"), Some("/run/chinwag/control.sock".into()));
        assert_eq!(path("/run/chinwag/a:/run/chinwag/b"), Some("/run/chinwag/a/control.sock".into()));
        for unusable in ["", ":/run/b", "run/chinwag"] {
            assert_eq!(path(unusable), None, "{unusable:?}");
        }
        assert_eq!(in_runtime_directory(None), None);
    }
}
