//! The sockets that the server listens on, and the files that exist while it runs.

use std::path::PathBuf;

use super::control::ControlSocket;
use super::listen::Listeners;
use super::port_file::PortFile;
use super::unix_socket::SocketFile;
use super::{ServerOptions, StartError};

/// The sockets that the server listens on, and the files of those that have one.
pub(super) struct BoundSockets {
    pub(super) listeners: Listeners,
    pub(super) control: Option<ControlSocket>,
    pub(super) files: Vec<SocketFile>,
}

impl BoundSockets {
    /// Listens on all addresses, and on the control socket.
    ///
    /// # Errors
    /// The first socket that fails. The server then listens on none, and leaves no file.
    pub(super) fn bind(options: &ServerOptions) -> Result<Self, StartError> {
        let mut listeners = Listeners::bind(&options.listen, options.dead_peer_timeout)?;
        let mut files = listeners.take_socket_files();
        let bind = |path: &PathBuf| {
            let bound = ControlSocket::bind(path).map_err(|error| StartError::Control(path.clone(), error))?;
            files.push(bound.1);
            Ok(bound.0)
        };
        let control = options.control.as_ref().map(bind).transpose()?;
        Ok(Self { listeners, control, files })
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
