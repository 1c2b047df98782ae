//! Checks whether a server with these options can start, for `chinwagd --check`. Changes and creates nothing.
//!
//! Each check is beside the code that the start runs, and uses it.

use std::fmt::Display;
use std::io;

use super::bound_sockets::BoundSockets;
use super::port_file::PortFile;
use super::{ServerOptions, StartError};

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Why the server would not start.
    pub errors: Vec<String>,
    /// Facts that may be a problem, but do not keep the server from starting.
    pub notes: Vec<String>,
    /// The parts that were checked, such as `2 listeners`.
    pub checked: Vec<String>,
}

impl CheckReport {
    /// Adds a result of the start. An address in use is a note: in most cases, the server that runs is the one that this one replaces.
    pub(super) fn add(&mut self, result: Result<(), StartError>) {
        match result {
            Err(StartError::Listen(address, error)) if error.kind() == io::ErrorKind::AddrInUse => {
                self.note_in_use(&address);
            }
            Err(StartError::Control(path, error)) if error.kind() == io::ErrorKind::AddrInUse => {
                self.note_in_use(&path.display());
            }
            Err(error) => self.errors.push(error.to_string()),
            Ok(()) => {}
        }
    }

    fn note_in_use(&mut self, address: &dyn Display) {
        self.notes.push(format!(
            "{address} is in use: stop what listens there before the start, for example the server that runs"
        ));
    }

    /// Notes a part that was checked. `count` is added to a name that has a plural.
    pub(super) fn count(&mut self, count: usize, singular: &str, plural: &str) {
        if count > 0 {
            self.checked.push(format!("{count} {}", if count == 1 { singular } else { plural }));
        }
    }
}

/// Checks whether a server with these options can start: its addresses, sockets and files, and the store. Finds all problems that it can.
pub fn check(options: &ServerOptions) -> CheckReport {
    let mut report = CheckReport::default();
    BoundSockets::check(options, &mut report);
    if let Some(path) = &options.port_file {
        report.add(PortFile::check(path).map_err(|error| StartError::PortFile(path.clone(), error)));
        report.checked.push("the port file".to_owned());
    }
    if let Some(certificates) = &options.certificates {
        certificates.check(&mut report);
    }
    if let Some(password) = &options.password {
        super::Reload::check(&**password, &mut report);
    }
    if let Some(motd) = &options.motd {
        super::Reload::check(&**motd, &mut report);
        report.checked.push("the message of the day".to_owned());
    }
    if let Some(store) = &options.store {
        store.check(&mut report);
    }
    if let Some(cluster) = &options.cluster {
        cluster.check(&mut report);
    }
    report
}
