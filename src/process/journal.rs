//! Standard error in the journal of systemd, which takes the priority of each line from a prefix (sd-daemon(3)).

use std::env;
use std::os::fd::AsFd;

use rustix::fs::{Stat, fstat};

/// The prefix of an error.
pub(crate) const ERROR: &str = "<3>";
/// The prefix of a warning.
pub(crate) const WARNING: &str = "<4>";
/// The prefix of information, the priority of lines without a prefix.
pub(crate) const INFO: &str = "<6>";
/// The prefix of what only a developer needs.
pub(crate) const DEBUG: &str = "<7>";

/// Whether the journal reads what the process writes to this stream: then `$JOURNAL_STREAM` has the stream's device and inode
/// (systemd.exec(5)). A stream that a shell has redirected to a file has others. Always false without the feature `systemd`.
pub(crate) fn reads(stream: impl AsFd) -> bool {
    let Some(journal) = env::var_os("JOURNAL_STREAM").filter(|_| cfg!(feature = "systemd")) else { return false };
    let is_same = |stream: Stat| *journal == *format!("{}:{}", stream.st_dev, stream.st_ino);
    fstat(stream).is_ok_and(is_same)
}
