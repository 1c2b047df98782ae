//! An acknowledged message has been synced: if syncing fails, the message is refused.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{Server, command, needs};

/// A library that makes fsync and fdatasync fail while the file `$FAILING` exists.
const SHIM: &str = r#"
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <errno.h>
    #include <stdlib.h>
    #include <unistd.h>
    static int sync_with(const char *name, int fd) {
        const char *failing = getenv("FAILING");
        if (failing && access(failing, F_OK) == 0) {
            errno = EIO;
            return -1;
        }
        return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
    }
    int fsync(int fd) { return sync_with("fsync", fd); }
    int fdatasync(int fd) { return sync_with("fdatasync", fd); }
"#;

/// A server that cannot sync while the file `failing` is in the directory.
fn serve(directory: &Path, arguments: &[&str]) -> Option<Server> {
    // There is a C compiler: it has compiled SQLite.
    if !needs("cc") {
        return None;
    }
    let (source, shim) = (directory.join("shim.c"), directory.join("shim.so"));
    fs::write(&source, SHIM).expect("a file");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).args([&shim, &source]).arg("-ldl");
    assert!(cc.status().expect("cc runs").success());
    let mut server = command(&["--listen", "127.0.0.1:0", "--log", "error", "--line-rate", "0"]);
    server.args(arguments).arg("--data").arg(directory.join("chat.db"));
    server.env("LD_PRELOAD", shim).env("FAILING", directory.join("failing"));
    Some(Server::spawn(&mut server))
}

#[test]
fn message_is_refused_when_its_sync_fails() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(server) = serve(directory.path(), &[]) else { return };
    let (mut ann, mut bob) = (server.join("ann"), server.join("bob"));
    ann.expect("JOIN bob");
    ann.send("MSG one");
    ann.expect_start("OK MSG ");
    fs::write(directory.path().join("failing"), "").expect("a file");
    for text in ["two", "three"] {
        ann.send(&format!("MSG {text}"));
        ann.expect_start("ERR MSG not-stored ");
    }
    fs::remove_file(directory.path().join("failing")).expect("it is there");
    ann.send("MSG four");
    ann.expect_start("OK MSG ");
    assert_eq!(bob.sync(), ["MSG ann one", "MSG ann four"]);
    bob.send("HISTORY");
    assert_eq!(bob.until("OK HISTORY 2 last=2").len(), 2);
}

/// The counterpart: without the sync, nothing fails.
#[test]
fn message_is_not_synced_with_relaxed_durability() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(server) = serve(directory.path(), &["--durability", "relaxed"]) else { return };
    let mut ann = server.join("ann");
    // The header of a new log is synced in any case.
    ann.send("MSG first");
    ann.expect_start("OK MSG ");
    fs::write(directory.path().join("failing"), "").expect("a file");
    ann.send("MSG one");
    ann.expect_start("OK MSG ");
}
