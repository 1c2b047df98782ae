//! The reload at SIGHUP: reads files and options again, and puts in force what can change while the server runs.
//!
//! Without an [`OptionsSource`], the options stay, and each file is read by itself: a bad one does not affect the others. With a source, a
//! change is all or nothing: first all options and files are read and checked, then they replace the old ones. `changes` has the list of
//! the options, and says which of them need a restart.
//!
//! Each reader of an option has its own copy. The copies that a connection reads for each line are atomic; those of the hub change in its
//! turn ([`InputKind::Configure`]), so that they have a place in the order of all changes.

mod changes;

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use futures_lite::StreamExt as _;
use tracing::level_filters::LevelFilter;

pub(super) use self::changes::Change;
use self::changes::{awaits_password, find_changes, merge, values};
pub use self::changes::{live_options, restart_options};
use super::admission::{Admission, ConnectionLimits};
use super::connection::ConnectionContext;
use super::hub::HubRequest;
use super::listen::Exposure;
use super::log::{self, LogFormat};
use super::{CheckReport, ServerOptions};
use crate::protocol::Timestamp;
use crate::session::InputKind;
use crate::state::SessionId;

/// Why a file cannot be used.
pub type ReloadError = Box<dyn Error + Send + Sync>;

/// Puts the contents of files in force that were read and checked. It cannot fail.
pub type Replacement<'a> = Box<dyn FnOnce() + 'a>;

/// Files that the server reads at the start, and again on SIGHUP.
pub trait Reload: fmt::Debug + Send + Sync {
    /// The files, in an order that only the implementation knows.
    fn paths(&self) -> Vec<PathBuf>;

    /// Reads these files in place of those in use, and checks them. Nothing changes before the result is called.
    ///
    /// # Errors
    /// The first problem, with its file.
    fn prepare(&self, paths: Vec<PathBuf>) -> Result<Replacement<'_>, ReloadError>;

    /// Reads the files again.
    ///
    /// # Errors
    /// The first problem, with its file. The server goes on with the old contents.
    fn reload(&self) -> Result<(), ReloadError> {
        self.prepare(self.paths())?();
        Ok(())
    }

    /// Adds to the report whether the files can be used, and changes nothing. By default, adds the first problem.
    fn check(&self, report: &mut CheckReport) {
        report.errors.extend(self.prepare(self.paths()).err().map(|error| error.to_string()));
    }

    /// The certificates among their contents. By default, there are none.
    fn certificates(&self) -> Vec<CertificateStatus> {
        Vec::new()
    }
}

/// A certificate in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateStatus {
    /// The file.
    pub path: PathBuf,
    /// The fingerprint: `sha256:` and 64 digits.
    pub fingerprint: String,
    /// Until when it is valid. `None`: unknown.
    pub expires_at: Option<Timestamp>,
}

/// All options of the server, with those of its log.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The options of the server.
    pub server: ServerOptions,
    /// The lowest level that is logged.
    pub log: LevelFilter,
    /// The format of the log.
    pub log_format: LogFormat,
}

/// Reads the options again, from where they came from at the start: the command line and a configuration file.
pub trait OptionsSource: fmt::Debug + Send + Sync {
    /// Reads and checks all options. The caller reads the files that they name.
    ///
    /// # Errors
    /// The first error, for the operator. No option changes then.
    fn read(&self) -> Result<Configuration, String>;
}

/// Reads the options and the files of a running server again.
pub(super) struct Reloader {
    /// Without a source, the options of the log are not used.
    in_force: Configuration,
    source: Option<Arc<dyn OptionsSource>>,
    exposure: Exposure,
    admission: Arc<Admission>,
    context: Arc<ConnectionContext>,
}

impl Reloader {
    /// For a server that runs with this configuration, and with listeners of this exposure.
    pub(super) fn new(
        in_force: Configuration,
        source: Option<Arc<dyn OptionsSource>>,
        exposure: Exposure,
        admission: &Arc<Admission>,
        context: &Arc<ConnectionContext>,
    ) -> Self {
        Self { in_force, source, exposure, admission: Arc::clone(admission), context: Arc::clone(context) }
    }

    /// Reads everything again at each signal, in another thread, so that no task waits for a disk. Tells the service manager when it begins
    /// and when it is done.
    pub(super) async fn run(mut self, mut signals: async_signal::Signals) {
        while signals.next().await.is_some() {
            let manager = self.in_force.server.service_manager.clone();
            manager.reloading().await;
            self = smol::unblock(move || {
                self.reload();
                self
            })
            .await;
            manager.ready().await;
        }
    }

    fn reload(&mut self) {
        let Some(source) = &self.source else { return self.reload_files() };
        match source.read() {
            Ok(new) => self.change_to(&new),
            Err(error) => log::reload_refused(&error),
        }
    }

    /// Reads each file again. A file that cannot be used does not affect the others.
    fn reload_files(&self) {
        let all = self.in_force.server.reloaded_files();
        if all.is_empty() {
            log::nothing_to_reload();
        }
        for files in all {
            if let Err(error) = files.reload() {
                log::reload_failed(&error.to_string());
            }
        }
        if self.in_force.server.motd.is_some() {
            self.configure_hub();
        }
    }

    /// Puts the new options in force that can change, with the files that they name; or, if one of the files cannot be used, nothing.
    fn change_to(&mut self, new: &Configuration) {
        let next = merge(&self.in_force, new);
        let files = next.server.files_with_paths_of(&new.server);
        let waiting = self.in_force.server.waiting_files(&new.server);
        let waiting: Vec<_> = waiting.into_iter().map(|file| (file.paths(), file)).collect();
        let (mut replacements, mut is_refused) = (Vec::new(), false);
        let in_force = files.iter().map(|(file, paths)| (file, paths, true));
        for (file, paths, is_live) in in_force.chain(waiting.iter().map(|(paths, file)| (file, paths, false))) {
            match file.prepare(paths.clone()) {
                Ok(replacement) => replacements.extend(is_live.then_some(replacement)),
                Err(error) => {
                    log::reload_refused(&error.to_string());
                    is_refused = true;
                }
            }
        }
        if is_refused {
            return;
        }
        let before = values(&self.in_force);
        let allowed_insecure_passwords = self.in_force.server.allows_insecure_passwords;
        // The lines about the reload are logged if the old level or the new one has them.
        let old_level = std::mem::replace(&mut self.in_force, next).log;
        let (first, last) = (old_level.max(new.log), new.log);
        log::set_level(first);
        for replace in replacements {
            replace();
        }
        self.put_in_force();
        let changes = find_changes(before, &self.in_force, new);
        for change in &changes {
            log::option_changed(change);
        }
        if self.in_force.server.allows_insecure_passwords != allowed_insecure_passwords {
            self.exposure.warn(&self.in_force.server);
        }
        log::reloaded(&changes);
        log::set_level(last);
    }

    /// Sets the copies of all options that can change.
    fn put_in_force(&self) {
        let options = &self.in_force.server;
        self.context.line_rate.set(options.line_rate);
        let limits = ConnectionLimits::new(options);
        limits.warn();
        self.admission.set_limits(limits, self.context.clock.steady());
        self.configure_hub();
    }

    fn configure_hub(&self) {
        let input = InputKind::Configure(Box::new(self.in_force.server.live_options()));
        // Fails only if the hub has ended, and the server with it.
        let _ = self.context.to_hub.send(&Arc::default(), HubRequest::Input(SessionId::SERVER, input), 0);
    }
}

impl ServerOptions {
    /// The files that SIGHUP makes the server read again.
    pub(super) fn reloaded_files(&self) -> Vec<Arc<dyn Reload>> {
        let password = self.password.clone().map(|password| password as Arc<dyn Reload>);
        let motd = self.motd.clone().map(|motd| motd as Arc<dyn Reload>);
        self.certificates.iter().cloned().chain(password).chain(motd).collect()
    }

    /// The files that are in force before and after a change to `new`, each with its paths there. The message of the day is that of `new`
    /// already. An option that ends at the restart keeps its content, as its file may be gone. So does a message of the day that waits with
    /// the password: its new text may be for members only.
    fn files_with_paths_of(&self, new: &Self) -> Vec<(Arc<dyn Reload>, Vec<PathBuf>)> {
        let certificates = self.certificates.iter().zip(&new.certificates);
        let certificates = certificates.map(|(files, new)| (Arc::clone(files), new.paths()));
        let password = self.password.iter().zip(&new.password);
        let password = password.map(|(file, new)| (Arc::clone(file) as Arc<dyn Reload>, new.paths()));
        let motd = self.motd.iter().filter(|_| !awaits_password(self, new));
        let motd = motd.map(|file| (Arc::clone(file) as Arc<dyn Reload>, file.paths()));
        certificates.chain(password).chain(motd).collect()
    }

    /// The files of `new` that the server uses only after a restart. They are checked, so that it can start again.
    fn waiting_files(&self, new: &Self) -> Vec<Arc<dyn Reload>> {
        let certificates = new.certificates.iter().filter(|_| self.certificates.is_none()).cloned();
        let password = new.password.iter().filter(|_| self.password.is_none());
        let motd = new.motd.iter().filter(|_| awaits_password(self, new));
        let motd = motd.map(|file| Arc::clone(file) as Arc<dyn Reload>);
        certificates.chain(password.map(|file| Arc::clone(file) as Arc<dyn Reload>)).chain(motd).collect()
    }
}

#[cfg(test)]
mod tests;
