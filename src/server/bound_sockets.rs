//! The sockets that the server listens on, and the files that exist while it runs.

use super::control::{ControlOptions, ControlSocket};
use super::listen::Listeners;
use super::port_file::PortFile;
use super::unix_socket::SocketFile;
use super::{CheckReport, ServerOptions, StartError};

/// The sockets that the server listens on, and the files of those that have one.
pub(super) struct BoundSockets {
    pub(super) listeners: Listeners,
    /// The control socket, or why the server runs without it. `None`: it has none.
    pub(super) control: Option<Result<ControlSocket, StartError>>,
    pub(super) files: Vec<SocketFile>,
}

impl BoundSockets {
    /// Listens on all addresses, and on the control socket.
    ///
    /// # Errors
    /// The first socket that fails, unless it is a control socket that is not required. The server then listens on none, and leaves no file.
    pub(super) fn bind(options: &ServerOptions) -> Result<Self, StartError> {
        let mut listeners = Listeners::bind(&options.listen, options.dead_peer_timeout)?;
        let mut files = listeners.take_socket_files();
        let control = match &options.control {
            None => None,
            Some(ControlOptions { path, is_required }) => match ControlSocket::bind(path.clone()) {
                Ok((socket, file)) => {
                    files.push(file);
                    Some(Ok(socket))
                }
                Err(error) if *is_required => return Err(StartError::Control(path.clone(), error)),
                Err(error) => Some(Err(StartError::Control(path.clone(), error))),
            },
        };
        Ok(Self { listeners, control, files })
    }

    /// Adds to the report on which addresses the server cannot listen. Listens on none, and creates no file.
    pub(super) fn check(options: &ServerOptions, report: &mut CheckReport) {
        Listeners::check(&options.listen, options.dead_peer_timeout, report);
        if let Some(ControlOptions { path, is_required }) = &options.control {
            let checked = ControlSocket::check(path.clone()).map_err(|error| StartError::Control(path.clone(), error));
            match checked {
                Err(error) if !is_required => report.notes.push(format!("{error}; the server starts without it")),
                checked => report.add(checked),
            }
            report.checked.push("the control socket".to_owned());
        }
    }
}

/// The files that exist while the server runs. Dropping this removes them.
pub(super) struct RunFiles {
    pub(super) port_file: Option<PortFile>,
    pub(super) sockets: Vec<SocketFile>,
}

impl RunFiles {
    /// Removes the files, unless other files have replaced them.
    pub(super) fn remove(&self) {
        self.port_file.iter().for_each(PortFile::remove);
        self.sockets.iter().for_each(SocketFile::remove);
    }
}
