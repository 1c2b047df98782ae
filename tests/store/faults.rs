//! Disks that are full, and files that cannot be used.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chinwag::limits::STORE_BUSY_MS_MAX;

use crate::common::{Server, command, needs};

fn fails(data: &Path, why: &str) {
    let arguments = ["--listen", "127.0.0.1:0", "--log", "error", "--data", data.to_str().expect("a path")];
    let output = command(&arguments).output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{told}");
    assert!(told.starts_with("chinwagd: ") && told.contains(why), "{told}");
}

#[test]
fn unusable_file_fails_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    fs::write(path("letter"), "dear diary, ".repeat(1000)).expect("a file");
    fails(&path("letter"), "is not a store of chinwagd, and was not changed; choose another file with --data");
    let absent = path("no/directory");
    fails(&absent, &format!("cannot open the store \"{}\": No such file or directory\n", absent.display()));
    fails(directory.path(), "directory");
    let used = path("used.db");
    let _server = Server::with(&["--data", used.to_str().expect("a path")]);
    fails(&used, "is in use by another chinwagd; stop that one or choose another file with --data");
}

/// Runs a script as root of a namespace of its own, in which it can mount; or says why not, loudly, where that is allowed.
pub(crate) fn in_namespace(script: &str, directory: &Path) -> Option<Command> {
    let allowed = Command::new("unshare").args(["-rm", "true"]).output().is_ok_and(|output| output.status.success());
    if !allowed {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(
            !ci,
            "this machine allows no user namespaces (unshare -rm), and with CI=true nothing is skipped for that"
        );
        eprintln!("SKIPPED: this machine allows no user namespaces (unshare -rm)");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["-rm", "--propagation", "private", "sh", "-euc", script, "sh"]).arg(directory);
    command.arg(env!("CARGO_BIN_EXE_chinwagd"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command)
}

/// Runs the server on a small file system of its own. Each line of standard input is a list of mount options, which the script applies to
/// it. Standard output has the server's lines.
const REMOUNTED: &str = "
    mount -t tmpfs -o size=1m chinwag \"$1\"
    \"$2\" --listen 127.0.0.1:0 --log warn --line-rate 0 --epoch k7qd --data \"$1/chat.db\" &
    while read -r options; do mount -o \"remount,$options\" \"$1\"; echo \"$options\"; done
    kill $!
    wait $!
";

/// A server whose disk is made larger.
struct Disk {
    server: Server,
    to_script: std::process::ChildStdin,
}

impl Disk {
    fn new(directory: &Path) -> Option<Self> {
        let mut child = in_namespace(REMOUNTED, directory)?.spawn().expect("unshare runs");
        let to_script = child.stdin.take().expect("it is piped");
        Some(Self { server: Server::adopt(child), to_script })
    }

    fn remount(&mut self, options: &str) {
        use std::io::Write as _;
        writeln!(self.to_script, "{options}").expect("the script reads");
        assert_eq!(self.server.stdout_line(), options);
    }

    /// Ends it in good order; returns the log.
    fn stop(self) -> String {
        let Self { mut server, to_script } = self;
        drop(to_script);
        let mut log = String::new();
        server.take_stderr().read_to_string(&mut log).expect("a log");
        assert!(server.wait().0.success(), "{log}");
        log
    }
}

/// A refused account does not exist: its name stays free.
#[cfg(feature = "accounts")]
fn refuse_account(client: &mut crate::common::Client) {
    client.send("REGISTER correct horse battery");
    let refusal = client.expect_start("ERR REGISTER not-stored ");
    assert!(refusal.contains("database or disk is full"), "{refusal}");
    client.send("UNREGISTER correct horse battery");
    client.expect_start("ERR UNREGISTER not-logged-in ");
}

/// Uses up the space that is too small for a message, and may be large enough for an account. Returns how many topics were stored.
fn fill_with_topics(ann: &mut crate::common::Client, bob: &mut crate::common::Client) -> usize {
    let mut stored = 0;
    loop {
        ann.send(&format!("TOPIC {stored}"));
        let line = ann.next().expect("an answer");
        if !line.starts_with("OK TOPIC ") {
            assert!(line.starts_with("ERR TOPIC not-stored "), "{line}");
            return stored;
        }
        bob.expect(&format!("TOPIC ann {stored}"));
        stored += 1;
        assert!(stored < 1000, "a full disk takes everything");
    }
}

#[test]
fn full_disk_refuses_messages_only() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(mut disk) = Disk::new(directory.path()) else { return };
    let (mut ann, mut bob) = (disk.server.join("ann"), disk.server.join("bob"));
    ann.expect("JOIN bob");
    let (mut stored, mut failures) = (0, 0);
    // Short ones fill the space that is too small for long ones.
    for length in [3000, 0] {
        let before = stored;
        let refusal = loop {
            ann.send(&format!("MSG {stored} {}", "x".repeat(length)));
            let line = ann.next().expect("an answer");
            if !line.starts_with("OK MSG ") {
                break line;
            }
            assert!(bob.expect_start("MSG ann ").starts_with(&format!("MSG ann {stored}")));
            stored += 1;
            assert!(stored < 1000, "a disk of a megabyte takes everything");
        };
        let expected = "ERR MSG not-stored the message was not delivered: database or disk is full; try again later";
        assert_eq!(refusal, expected);
        failures += usize::from(stored > before);
    }
    assert!(stored > 10, "{stored} messages fit");
    failures += usize::from(fill_with_topics(&mut ann, &mut bob) > 0);
    // Everything else works, and no other client got the refused messages.
    ann.send("WHISPER bob is it full?");
    ann.expect("OK WHISPER bob");
    bob.expect("WHISPER ann is it full?");
    let mut carol = disk.server.join("carol");
    ann.expect("JOIN carol");
    bob.expect("JOIN carol");
    carol.send("HISTORY 1");
    carol.expect_start(&format!("PAST {stored} "));
    carol.expect(&format!("OK HISTORY 1 last={stored}"));
    #[cfg(feature = "accounts")]
    refuse_account(&mut carol);
    disk.remount("size=8m");
    ann.send("MSG there is space");
    ann.expect_start("OK MSG ");
    bob.expect("MSG ann there is space");
    carol.expect("MSG ann there is space");
    carol.send("SINCE 0");
    let told = carol.until(&format!("OK SINCE {0} last={0}", stored + 1));
    assert_eq!(told.len(), stored + 1);
    let log = disk.stop();
    assert_eq!(log.matches("cannot store messages; refusing new ones until writes succeed").count(), failures, "{log}");
}

/// At the start.
#[test]
fn full_or_read_only_disk_fails_the_start() {
    let check = |mount: &str, why: &str| {
        let directory = tempfile::tempdir().expect("a directory");
        let script = format!("{mount}\n exec \"$2\" --listen 127.0.0.1:0 --log error --data \"$1/chat.db\"");
        let Some(mut command) = in_namespace(&script, directory.path()) else { return };
        let output = command.output().expect("unshare runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.starts_with("chinwagd: ") && told.contains(why), "{told}");
    };
    check("mount -t tmpfs -o size=4k chinwag \"$1\"", "database or disk is full");
    check("mount -t tmpfs -o ro chinwag \"$1\"", "Read-only file system");
    let used = "mount -t tmpfs chinwag \"$1\"
        mkfifo \"$1/out\"
        \"$2\" --listen 127.0.0.1:0 --log off --data \"$1/chat.db\" >\"$1/out\" &
        read -r _ <\"$1/out\"
        kill $!
        wait $!
        mount -o remount,ro \"$1\"";
    check(used, "Read-only file system");
}

/// Other tests start with a new file on a full disk; here the file has messages, and no space for more.
#[test]
fn start_on_full_disk_fails_until_there_is_space() {
    let directory = tempfile::tempdir().expect("a directory");
    let script = "mount -t tmpfs -o size=1m chinwag \"$1\"
        mkfifo \"$1/out\"
        serve_once() {
            \"$2\" --listen 127.0.0.1:0 --log off --data \"$1/chat.db\" >\"$1/out\" &
            read -r _ <\"$1/out\"
            kill $!
            wait $!
        }
        serve_once \"$1\" \"$2\"
        cat /dev/zero >\"$1/filler\" 2>/dev/null || true
        \"$2\" --listen 127.0.0.1:0 --data \"$1/chat.db\" && exit 9
        rm \"$1/filler\"
        serve_once \"$1\" \"$2\"
        echo served again";
    let Some(mut command) = in_namespace(script, directory.path()) else { return };
    let output = command.output().expect("unshare runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("database or disk is full; free some space and start again"), "{told}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "served again\n", "{told}");
}

/// A first start that a full disk interrupted used to leave a file that was refused as somebody else's.
#[test]
fn first_start_on_full_disk_leaves_usable_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let script = "mount -t tmpfs -o size=1m chinwag \"$1\"
        mkfifo \"$1/out\"
        cat /dev/zero >\"$1/filler\" 2>/dev/null || true
        pages=$(($(stat -c %s \"$1/filler\") / 4096))
        for space in $(seq 0 24); do
            cat /dev/zero >\"$1/filler\" 2>/dev/null || true
            truncate -s $(((pages - space) * 4096)) \"$1/filler\"
            \"$2\" --listen 127.0.0.1:0 --log off --data \"$1/chat.db\" >\"$1/out\" 2>\"$1/why\" & server=$!
            read -r _ <\"$1/out\" && kill $server
            wait $server && echo started || echo refused
            rm \"$1/filler\"
            \"$2\" --listen 127.0.0.1:0 --log off --data \"$1/chat.db\" >\"$1/out\" & server=$!
            read -r _ <\"$1/out\" && kill $server
            wait $server || exit 9
            rm -f \"$1\"/chat.db*
        done";
    let Some(mut command) = in_namespace(script, directory.path()) else { return };
    let output = command.output().expect("unshare runs");
    let (told, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{log}");
    assert!(told.starts_with("refused\nrefused\nrefused\n"), "{told}{log}");
}

#[test]
fn start_beside_a_writer_fails_after_the_busy_timeout() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    drop(Server::with(&["--data", path.to_str().expect("a path")]));
    let file = rusqlite::Connection::open(&path).expect("it opens");
    file.execute_batch("BEGIN IMMEDIATE").expect("it is ours now");
    let start = Instant::now();
    fails(&path, "another program has kept the store");
    assert!(start.elapsed() >= Duration::from_millis(STORE_BUSY_MS_MAX), "it waits for a while");
    file.execute_batch("ROLLBACK").expect("it was ours");
    drop(Server::with(&["--data", path.to_str().expect("a path")]));
}

#[test]
fn start_beside_a_writer_that_ends_in_time_succeeds() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("chat.db");
    drop(Server::with(&["--data", path.to_str().expect("a path")]));
    let file = rusqlite::Connection::open(&path).expect("it opens");
    file.execute_batch("BEGIN IMMEDIATE").expect("it is ours now");
    let mut command = command(&["--listen", "127.0.0.1:0", "--data", path.to_str().expect("a path")]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the server starts");
    // The server waits soon after it has locked the file.
    let flock = format!("FLOCK  ADVISORY  WRITE {} ", child.id());
    while !fs::read_to_string("/proc/locks").expect("/proc").contains(&flock) {
        assert_eq!(child.try_wait().expect("it can be waited for"), None, "it did not wait");
        std::thread::yield_now();
    }
    file.execute_batch("ROLLBACK").expect("it was ours");
    Server::adopt(child).join("ann");
}

/// Runs without the capabilities that let root override permissions.
#[test]
fn start_without_permission_fails() {
    if !needs("setpriv") {
        return;
    }
    let overriding = "-dac_override,-dac_read_search";
    let check = |suffix: &str, mode: &str, why: &str| {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("chat.db");
        let server = Server::with(&["--data", path.to_str().expect("a path")]);
        server.join("ann");
        server.signal("-KILL");
        drop(server);
        let denied = format!("{}{suffix}", path.display());
        assert!(Command::new("chmod").args([mode, &denied]).status().expect("chmod runs").success());
        let mut command = Command::new("setpriv");
        command.args(["--inh-caps", overriding, "--bounding-set", overriding, env!("CARGO_BIN_EXE_chinwagd")]);
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(&path);
        if Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout != b"0\n") {
            command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
            command.args(["--listen", "127.0.0.1:0", "--data"]).arg(&path);
        }
        let output = command.output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{suffix} {mode}: {told}");
        assert!(told.contains(why) && told.contains(&denied), "{suffix} {mode}: {told}");
    };
    for mode in ["000", "444"] {
        check("", mode, "Permission denied");
        check("-wal", mode, "Permission denied");
        check("-shm", mode, "Permission denied");
    }
}
