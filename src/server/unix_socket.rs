//! Listens on Unix sockets: creates the socket's file with its owner and mode, and removes it at the end.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, fchown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, MemfdFlags, OFlags, flock, memfd_create};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::limits::{ACCEPT_BACKLOG, UNIX_LOCK_MS_MAX, UNIX_PATH_BYTES_MAX};
use crate::process::{check_directory, kind_of};

/// A Unix socket to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// The file. The socket of a server that no longer runs is replaced; any other file is not.
    pub path: PathBuf,
    /// The permissions of the file: who may write to it may connect.
    pub mode: u32,
    /// The owner of the file. `None`: the user of the process.
    pub user: Option<u32>,
    /// The group of the file. `None`: the group of the process or, if the directory has the set-group-ID bit, of the directory.
    pub group: Option<u32>,
}

impl UnixSocket {
    /// The parameters of its URI, with the numbers of the owner and the group.
    pub(super) fn parameters(&self) -> Vec<String> {
        let Self { mode, user, group, .. } = self;
        let id = |id: &Option<u32>| id.map(|id| id.to_string()).unwrap_or_default();
        let owner = (user.is_some() || group.is_some()).then(|| format!("owner={}:{}", id(user), id(group)));
        [Some(format!("mode={mode:o}")), owner].into_iter().flatten().collect()
    }

    /// Creates the file and listens. No client can connect before the file has its owner and its mode.
    ///
    /// # Errors
    /// `AddrInUse` if another server listens on this path. `AlreadyExists` if the path is a file of another kind, which the error names.
    /// Otherwise an error of the system. The file is removed after an error.
    pub(super) fn bind(&self) -> io::Result<(UnixListener, SocketFile)> {
        self.check_length()?;
        let _lock = lock_directory(&self.path)?;
        let (socket, address) = (Socket::new(Domain::UNIX, Type::STREAM, None)?, SockAddr::unix(&self.path)?);
        match socket.bind(&address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_unused(&self.path, &address)?;
                socket.bind(&address)?;
            }
            bound => bound?,
        }
        let file = SocketFile::open(&self.path)?;
        if self.user.is_some() || self.group.is_some() {
            chown(file.proc_path(), self.user, self.group)?;
        }
        fs::set_permissions(file.proc_path(), Permissions::from_mode(self.mode))?;
        // Until here, the kernel refuses connections.
        socket.listen(ACCEPT_BACKLOG)?;
        if !file.is_in_place()? {
            return Err(Errno::ADDRINUSE.into());
        }
        socket.set_nonblocking(true)?;
        Ok((socket.into(), file))
    }

    /// Checks whether the file can be created with its owner, and creates nothing.
    ///
    /// # Errors
    /// Those of [`UnixSocket::bind`].
    pub(super) fn check(&self) -> io::Result<()> {
        self.check_length()?;
        match fs::symlink_metadata(&self.path) {
            Ok(_) => check_unused(&self.path, &SockAddr::unix(&self.path)?)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        check_directory(&self.path)?;
        if self.user.is_some() || self.group.is_some() {
            // The same user may give this file away as the socket's file.
            fchown(memfd_create("chinwagd-check", MemfdFlags::CLOEXEC)?, self.user, self.group)?;
        }
        Ok(())
    }

    fn check_length(&self) -> io::Result<()> {
        let bytes = self.path.as_os_str().len();
        if bytes > UNIX_PATH_BYTES_MAX {
            let text = format!("the path has {bytes} bytes; expected at most {UNIX_PATH_BYTES_MAX}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(())
    }
}

/// Locks the directory, so that no other server mistakes a socket that does not listen yet for one that was left behind. Waits for another
/// server that is starting in the directory, for at most [`UNIX_LOCK_MS_MAX`].
fn lock_directory(path: &Path) -> io::Result<Option<File>> {
    // Creating a socket needs no permission to read the directory, but the lock does.
    let Some(directory) = path.parent().and_then(|parent| File::open(parent).ok()) else { return Ok(None) };
    let deadline = Instant::now() + Duration::from_millis(UNIX_LOCK_MS_MAX);
    loop {
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(directory)),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
            Err(Errno::WOULDBLOCK) => {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another program has locked the directory"));
            }
            // The file system has no locks.
            Err(_) => return Ok(None),
        }
    }
}

/// Removes the socket that a server has left behind.
fn remove_unused(path: &Path, address: &SockAddr) -> io::Result<()> {
    check_unused(path, address)?;
    fs::remove_file(path)
}

/// Checks that the file is a socket on which no server listens.
fn check_unused(path: &Path, address: &SockAddr) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?.file_type();
    if !found.is_socket() {
        let found = kind_of(found);
        let text = format!("expected a new path or the socket of a server that no longer runs; found {found}");
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    // Of another type, so that the kernel refuses to connect it to a server, and only says whether there is one (EPROTOTYPE or ECONNREFUSED):
    // a server would accept a connection and log it, and systemd would start one.
    let probe = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Err(Errno::ADDRINUSE.into()),
    }
}

/// The file of a socket that the server listens on. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Kept open, so that no other file can get its inode number.
    file: File,
}

impl SocketFile {
    fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
        if !file.metadata()?.file_type().is_socket() {
            return Err(Errno::ADDRINUSE.into());
        }
        Ok(Self { path: path.to_owned(), file })
    }

    /// A path of this file only, even if another one has replaced it (proc(5)).
    fn proc_path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
    }

    /// Removes the file, unless another file has replaced it.
    pub(super) fn remove(&self) {
        if self.is_in_place().unwrap_or(false) {
            // It may have been removed in the meantime.
            let _ = fs::remove_file(&self.path);
        }
    }

    fn is_in_place(&self) -> io::Result<bool> {
        let (found, own) = (fs::symlink_metadata(&self.path)?, self.file.metadata()?);
        Ok((found.dev(), found.ino()) == (own.dev(), own.ino()))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn socket(path: &Path) -> UnixSocket {
        UnixSocket { path: path.to_owned(), mode: 0o600, user: None, group: None }
    }

    /// Regression: a server replaced the socket of another one that was starting.
    #[test]
    fn servers_that_start_at_once_do_not_replace_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat");
        for _ in 0..50 {
            drop(UnixListener::bind(&path).unwrap());
            let starts: Vec<_> = (0..4)
                .map(|_| {
                    thread::spawn({
                        let path = path.clone();
                        move || socket(&path).bind()
                    })
                })
                .collect();
            let bound: Vec<_> = starts.into_iter().filter_map(|start| start.join().unwrap().ok()).collect();
            assert_eq!(bound.len(), 1);
            UnixStream::connect(&path).unwrap();
        }
    }

    fn error(path: &Path) -> io::Error {
        socket(path).bind().unwrap_err()
    }

    #[test]
    fn bind_replaces_socket_of_dead_server_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat");
        drop(UnixListener::bind(&path).unwrap());
        let (listener, file) = socket(&path).bind().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(error(&path).kind(), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
        drop((listener, file));
        assert!(!path.exists());
    }

    #[test]
    fn bind_leaves_other_files_alone() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "text").unwrap();
        fs::create_dir(at("directory")).unwrap();
        symlink(at("nowhere"), at("link")).unwrap();
        for (name, kind) in [("file", "a file"), ("directory", "a directory"), ("link", "a symbolic link")] {
            let error = error(&at(name));
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{name}");
            assert!(error.to_string().ends_with(&format!("; found {kind}")), "{error}");
            assert!(fs::symlink_metadata(at(name)).is_ok());
        }
    }

    #[test]
    fn bind_refuses_long_path() {
        let long = format!("/tmp/{}", "x".repeat(103));
        assert_eq!(error(Path::new(&long)).to_string(), "the path has 108 bytes; expected at most 107");
    }

    /// Another server may have been started on the path meanwhile.
    #[test]
    fn drop_removes_own_file_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat");
        let (listener, file) = socket(&path).bind().unwrap();
        drop(listener);
        let (_listener, _new_file) = socket(&path).bind().unwrap();
        drop(file);
        assert!(path.exists());
    }
}
