//! Why a server could not start.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::inherited_sockets::InheritedSocketError;
use super::listen::ListenAddress;
use crate::process::{error_text, quoted_path};

/// Why a server could not start.
#[derive(Debug)]
pub enum StartError {
    /// The server cannot listen on this address.
    Listen(ListenAddress, io::Error),
    /// The control socket cannot be created.
    Control(PathBuf, io::Error),
    /// The certificates cannot be used.
    Certificates(Box<dyn Error + Send + Sync>),
    /// The password cannot be read.
    Password(Box<dyn Error + Send + Sync>),
    /// The message of the day cannot be read.
    Motd(Box<dyn Error + Send + Sync>),
    /// The store cannot be opened.
    Store(Box<dyn Error + Send + Sync>),
    /// The server cannot be a node of its cluster.
    Cluster(Box<dyn Error + Send + Sync>),
    /// The port file cannot be written.
    PortFile(PathBuf, io::Error),
    /// A socket that the process has inherited cannot be used.
    Inherited(InheritedSocketError),
    /// The system refuses a resource: signal handlers, threads or epoll.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address @ ListenAddress::Unix(_), error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "cannot listen on {address}: a server listens there already; stop it or choose another path")
            }
            Self::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "cannot listen on {address}: the address is in use; stop what listens there or choose another port"
                )
            }
            Self::Listen(ListenAddress::Ip(address), error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                let every = if address.is_ipv4() { "0.0.0.0" } else { "[::]" };
                write!(
                    f,
                    "cannot listen on {address}: this machine has no such address; use one of its own, or {every} for all of them"
                )
            }
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {}", error_text(error)),
            Self::Control(path, error) => {
                let path = quoted_path(path);
                let why = match error.kind() {
                    io::ErrorKind::AddrInUse => "a server listens there already".to_owned(),
                    _ => error_text(error),
                };
                write!(
                    f,
                    "cannot create the control socket {path}: {why}; choose another path with --control, or --control off"
                )
            }
            Self::Inherited(error) => fmt::Display::fmt(error, f),
            Self::Certificates(error) | Self::Password(error) | Self::Motd(error) | Self::Store(error) => {
                fmt::Display::fmt(error, f)
            }
            Self::Cluster(error) => write!(f, "cannot be a node of the cluster: {error}"),
            Self::PortFile(path, error) => {
                write!(f, "cannot write the port file {}: {}", quoted_path(path), error_text(error))
            }
            Self::System(error) => write!(f, "cannot start: {}", error_text(error)),
        }
    }
}

impl Error for StartError {}
