//! The port file: what it replaces, and what it leaves alone.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{DEADLINE, STOP_DEADLINE, Server, command, exit_code};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A device that the test may lose: a copy of /dev/null or, for a user who cannot create one, and cannot remove it, /dev/null
/// itself.
fn device(directory: &Path) -> PathBuf {
    let copy = directory.join("null");
    let made = Command::new("mknod").arg(&copy).args(["c", "1", "3"]).stderr(Stdio::null()).status();
    if made.is_ok_and(|status| status.success()) { copy } else { "/dev/null".into() }
}

fn make_fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo runs").success());
}

/// The exit code and standard error of a server that must not start, and that prints nothing else.
fn refused(path: &str) -> (Option<i32>, String) {
    let mut command = command(&["--listen", "127.0.0.1:0", "--log", "error", "--port-file", path]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let code = exit_code(&mut child, DEADLINE);
    assert_eq!(io::read_to_string(child.stdout.take().expect("piped")).expect("UTF-8"), "");
    (code, io::read_to_string(child.stderr.take().expect("piped")).expect("UTF-8"))
}

#[test]
fn port_file_replaces_no_other_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    make_fifo(&at("fifo"));
    fs::create_dir(at("directory")).expect("a directory");
    let _socket = UnixListener::bind(at("socket")).expect("a socket");
    fs::write(at("old"), "1\n").expect("a file");
    symlink(at("old"), at("link")).expect("a link");
    symlink(at("nowhere"), at("dangling")).expect("a link");
    let devices = tempfile::tempdir().expect("a directory");
    let device = device(devices.path());
    fs::write(at("words"), "alias ll='ls -l'\n").expect("a file");
    fs::write(at("long"), "1234\n".repeat(20_000)).expect("a file");
    for (path, found) in [
        (at("fifo"), "a FIFO"),
        (at("directory"), "a directory"),
        (at("socket"), "a socket"),
        (at("link"), "a symbolic link"),
        (at("dangling"), "a symbolic link"),
        (at("words"), "a file with other content"),
        (at("long"), "a file with other content"),
        (device.clone(), "a device"),
    ] {
        let (code, err) = refused(text(&path));
        let path = path.display();
        let expected = "expected a new path, an empty file or an older port file";
        assert_eq!(code, Some(1), "{path}");
        assert_eq!(err, format!("chinwagd: cannot write the port file \"{path}\": {expected}; found {found}\n"));
    }
    assert!(at("fifo").metadata().expect("a FIFO").file_type().is_fifo());
    assert!(fs::metadata(&device).expect("a device").file_type().is_char_device());
    assert_eq!(fs::read_to_string(at("words")).expect("a file"), "alias ll='ls -l'\n");
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 8, "something is left beside them");
}

#[test]
fn port_file_replaces_older_and_empty_ones() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("port");
    for content in ["", "1\n", "9999\n8080\n", "9999"] {
        fs::write(&path, content).expect("a file");
        let mut server = Server::with(&["--port-file", text(&path)]);
        assert_eq!(fs::read_to_string(&path).expect("the port file"), format!("{}\n", server.address.port()));
        server.signal("-TERM");
        assert_eq!(server.wait().0.code(), Some(0));
        assert!(!path.exists(), "{content:?}");
    }
}

#[test]
fn port_file_error_has_no_internals() {
    let (code, err) = refused("/nonexistent/port");
    assert_eq!(code, Some(1));
    assert_eq!(err, "chinwagd: cannot write the port file \"/nonexistent/port\": No such file or directory\n");
}

/// If the port file is refused, no store is created.
#[test]
#[cfg(feature = "store")]
fn port_file_is_checked_before_the_store() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let arguments = ["--listen", "127.0.0.1:0", "--port-file", text(directory.path()), "--data", text(&data)];
    assert_eq!(command(&arguments).output().expect("it runs").status.code(), Some(1));
    assert!(!data.exists());
}

/// Puts something else where the port file was.
type Swap = fn(&Path);

/// A file that replaces the port file stays, and does not delay the stop.
#[test]
fn port_file_removed_only_by_its_owner() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("port");
    let swaps: [(&str, Swap); 7] = [
        ("a FIFO", make_fifo),
        ("a directory", |path| fs::create_dir(path).expect("a directory")),
        ("a link to it", |path| {
            fs::write(path.with_extension("moved"), "1\n").expect("a file");
            symlink(path.with_extension("moved"), path).expect("a link");
        }),
        ("a huge file", |path| {
            fs::File::create(path).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
        }),
        ("a copy of it", |path| {
            fs::copy(path.with_extension("copy"), path).expect("a copy");
        }),
        ("a device", |path| symlink("/dev/zero", path).expect("a link")),
        ("nothing", |_| ()),
    ];
    for (what, swap) in swaps {
        let mut server = Server::with(&["--port-file", text(&path)]);
        fs::copy(&path, path.with_extension("copy")).expect("a copy");
        fs::remove_file(&path).expect("the port file");
        swap(&path);
        let before = fs::symlink_metadata(&path).map(|found| found.file_type()).ok();
        server.signal("-TERM");
        let (status, took) = server.wait();
        assert_eq!(status.code(), Some(0), "{what}");
        assert!(took < STOP_DEADLINE, "{what}: it took {took:?}");
        assert_eq!(fs::symlink_metadata(&path).map(|found| found.file_type()).ok(), before, "{what} is gone");
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
    }
}

#[test]
fn port_file_rewritten_in_place_stays() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("port");
    let mut server = Server::with(&["--port-file", text(&path)]);
    fs::write(&path, "1\n").expect("the port file");
    server.signal("-TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    assert_eq!(fs::read_to_string(&path).expect("a file"), "1\n");
}

#[test]
fn port_file_of_a_later_server_stays() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("port");
    let mut first = Server::with(&["--port-file", text(&path)]);
    let second = Server::with(&["--port-file", text(&path)]);
    first.signal("-TERM");
    first.wait();
    assert_eq!(fs::read_to_string(&path).expect("the port file"), format!("{}\n", second.address.port()));
}

#[test]
fn port_file_directory_may_vanish() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("port");
    let mut server = Server::with(&["--port-file", text(&path)]);
    directory.close().expect("a directory");
    server.signal("-TERM");
    assert_eq!(server.wait().0.code(), Some(0));
}
