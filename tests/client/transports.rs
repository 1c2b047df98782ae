//! The client over Unix sockets, with the real server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{Server, needs};

/// Runs `chinwag` with these arguments and standard input. Returns its exit code, standard output and standard error.
fn run(words: &[&str], input: &str) -> (Option<i32>, String, String) {
    super::finish(client(words).env_remove("CHINWAG_SERVER"), input)
}

fn client(words: &[&str]) -> Command {
    let mut client = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    client.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    client
}

/// A server that also listens on this path.
fn serve(path: &Path) -> Server {
    let mut server = Server::with(&["--listen", &uri(path)]);
    server.stdout_line();
    server
}

fn uri(path: &Path) -> String {
    format!("unix://{}", path.display())
}

#[test]
fn unix_address_is_accepted_wherever_a_host_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a chat.sock");
    let (server, uri) = (serve(&path), uri(&path));
    let mut alice = server.join("alice");
    let expected = || (Some(0), "alice coordinator\n".to_owned(), String::new());
    assert_eq!(run(&[&uri, "who"], ""), expected());
    assert_eq!(run(&["who", "--server", &uri], ""), expected());
    assert_eq!(super::finish(client(&["who"]).env("CHINWAG_SERVER", &uri), ""), expected());
    // The script ends its input, and reads the replies.
    let (code, out, _) = run(&[&uri, "raw"], "NICK ci\nMSG one\nMSG two\n");
    assert_eq!((code, out.lines().last()), (Some(0), Some("OK MSG 2")));
    for line in ["JOIN ci", "MSG ci one", "MSG ci two", "LEAVE ci eof"] {
        alice.expect(line);
    }
}

/// The server says so, too, over TCP on this machine; but the client could not know that it is one.
#[test]
fn chat_says_whether_its_connection_is_private() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.sock");
    let server = serve(&path);
    for (address, private) in [(uri(&path), " (private connection)"), (server.address.to_string(), "")] {
        let expected = format!("* you are al{private}; /help lists the commands");
        let (code, out, err) = run(&[&address, "--nick", "al"], "");
        assert_eq!((code, out.lines().next(), &*err), (Some(0), Some(&*expected), ""));
    }
}

#[test]
fn unix_error_says_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.sock");
    let check = |path: &Path, why: &str| {
        let expected = format!("chinwag: could not connect to {}: {why}\n", uri(path));
        assert_eq!(run(&[&uri(path), "who"], ""), (Some(3), String::new(), expected));
    };
    check(
        &path,
        &format!("there is no such file; start the server with: chinwagd --listen 'unix://{}'", path.display()),
    );
    drop(UnixListener::bind(&path).expect("a socket"));
    check(&path, "a file is there, but no server listens; start the server again");
    check(&directory.path().join("x".repeat(108)), "the path is too long for a socket: expected at most 107 bytes");
    if !needs("setpriv") || !rustix::process::geteuid().is_root() {
        return;
    }
    let _server = serve(&path);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("a directory");
    // Copied, because another user may not reach the folder of the build.
    let copy = directory.path().join("chinwag");
    fs::copy(env!("CARGO_BIN_EXE_chinwag"), &copy).expect("a copy");
    let mut client = Command::new("setpriv");
    client.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy).args([&uri(&path), "who"]);
    let (code, _, err) = super::finish(client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()), "");
    let why =
        "permission denied; ask the server's operator for access to the file, by its mode, its group or its directory";
    assert_eq!((code, err), (Some(3), format!("chinwag: could not connect to {}: {why}\n", uri(&path))));
}
