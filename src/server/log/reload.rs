//! The lines about what SIGHUP makes the server read again.

use std::path::Path;

use tracing::{error, info, warn};

use crate::server::reload::Change;

/// Logs that the password was read.
pub(in crate::server) fn password(path: &Path) {
    info!(path = %path.display(), "read the password");
}

pub(in crate::server) fn exposed_password(path: &Path) {
    warn!(path = %path.display(), "every user of this machine can read the password; forbid it with: chmod 600");
}

/// Logs that the message of the day was read. It has this number of lines.
pub(in crate::server) fn motd(path: &Path, lines: usize) {
    info!(path = %path.display(), lines, "read the message of the day");
}

/// Logs that one file cannot be used. The others were read.
pub(in crate::server) fn reload_failed(error: &str) {
    warn!(error, "SIGHUP: cannot use the new file; the old one stays in use");
}

/// Logs a SIGHUP to a server without files to read again.
pub(in crate::server) fn nothing_to_reload() {
    info!("SIGHUP: there are no files to read again");
}

/// Logs that the options, or a file that they name, cannot be used. Nothing has changed. This is an error, so that `--log error` shows it: the
/// operator waits for the change.
pub(in crate::server) fn reload_refused(error: &str) {
    error!(error, "SIGHUP: nothing was changed; the old options and files stay in use");
}

/// Logs that an option has another value now, or will have it after a restart.
pub(in crate::server) fn option_changed(Change { option, from, to, is_live }: &Change) {
    if *is_live {
        info!(option, from, to, "changed an option");
    } else {
        warn!(option, from, to, "the change of an option needs a restart");
    }
}

/// Logs the end of a reload with these changes.
pub(in crate::server) fn reloaded(changes: &[Change]) {
    let live = changes.iter().filter(|change| change.is_live).count();
    info!(changed = live, need_restart = changes.len() - live, "reloaded the options");
}
