//! `chinwagd account`, on the control socket of a running server and on the store of a stopped one.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::common::{Client, Server, command};
use super::{ControlledServer, stderr, stdout};

const PASSWORD: &str = "correct horse battery";

/// A server with a store and a control socket.
struct AccountServer(ControlledServer);

impl AccountServer {
    fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"))
    }

    fn start_in(directory: TempDir) -> Self {
        write_password(directory.path(), "password", PASSWORD);
        let data = data_in(directory.path());
        Self(ControlledServer::start_in(directory, &["--data", data.to_str().expect("UTF-8")]))
    }

    /// Ends the server by this signal. Returns its directory.
    fn stop(self, signal: &str) -> TempDir {
        let ControlledServer { mut server, directory, .. } = self.0;
        server.signal(signal);
        server.wait();
        directory
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.directory.path().join(name)
    }

    /// Runs `chinwagd account` on the control socket.
    fn account(&self, words: &[&str]) -> Output {
        account(words, "--control", &self.0.path)
    }

    /// Adds or changes an account, with [`PASSWORD`].
    fn set(&self, action: &str, name: &str) -> Output {
        self.account(&[action, name, "--password-file", self.path("password").to_str().expect("UTF-8")])
    }

    /// The accounts, by `account list --json`.
    fn list(&self) -> Vec<Value> {
        json_lines(self.account(&["list", "--json"]))
    }

    /// The reply to `LOGIN` of a new client.
    fn log_in(&self, name: &str, password: &str) -> (Client, String) {
        let mut client = self.0.server.connect();
        let reply = reply(&mut client, &format!("LOGIN {name} {password}"));
        (client, reply)
    }
}

fn data_in(directory: &Path) -> PathBuf {
    directory.join("chat.db")
}

/// Writes a file with a password that no other user can read.
fn write_password(directory: &Path, name: &str, password: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, format!("{password}\n")).expect("a file");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a mode");
    path
}

/// Runs `chinwagd account` with these words and this option. There is no terminal.
fn account(words: &[&str], option: &str, path: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    command.arg("account").args(words).arg(option).arg(path).stdin(Stdio::null());
    command.output().expect("it runs")
}

fn json_lines(output: Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Sends a line. Returns its reply.
fn reply(client: &mut Client, line: &str) -> String {
    client.send(line);
    std::iter::from_fn(|| client.next())
        .find(|line| line.starts_with("OK ") || line.starts_with("ERR "))
        .expect("a reply")
}

const WRONG: &str = "ERR LOGIN password-wrong the name or the password is wrong; write: LOGIN name password";

#[test]
fn added_account_is_usable_at_once() {
    let server = AccountServer::start();
    let none = server.account(&["list"]);
    assert_eq!((none.status.code(), none.stdout.len()), (Some(0), 0));
    let hint = "chinwagd: there are no accounts yet; add one with: chinwagd account add NAME\n";
    assert_eq!(String::from_utf8_lossy(&none.stderr), hint);
    assert!(server.list().is_empty());
    assert_eq!(stdout(server.set("add", "alice")), "added the account alice\n");
    let (mut alice, logged_in) = server.log_in("ALICE", PASSWORD);
    assert_eq!(logged_in, "OK LOGIN alice");
    let mut eve = server.0.server.connect();
    assert!(reply(&mut eve, "NICK Alice").starts_with("ERR NICK name-registered "));
    assert!(reply(&mut alice, "TOKEN new build server").starts_with("OK TOKEN new 1 "));
    stdout(server.set("add", "bob"));
    let accounts = server.list();
    let keys = |account: &Value| account.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&accounts[0]), ["created", "logged_in", "name", "number", "role", "token_used", "tokens"]);
    let shown =
        |account: &Value| ["number", "name", "tokens", "token_used", "logged_in"].map(|key| account[key].clone());
    assert_eq!(shown(&accounts[0]), [json!(1), json!("alice"), json!(1), Value::Null, json!(true)]);
    assert_eq!(shown(&accounts[1]), [json!(2), json!("bob"), json!(0), Value::Null, json!(false)]);
    let created = &accounts[0]["created"].as_str().expect("a time")[..10];
    let table = format!(
        "NAME   ROLE  CREATED     TOKENS  TOKEN USED  LOGGED IN\nalice  user  {created}  1       never       yes\nbob    user  {created}  0       never       no\n"
    );
    assert_eq!(stdout(server.account(&["list"])), table);
}

#[test]
fn password_is_set_and_the_old_one_is_wrong() {
    let server = AccountServer::start();
    stdout(server.set("add", "alice"));
    let (mut alice, _) = server.log_in("alice", PASSWORD);
    assert!(reply(&mut alice, "TOKEN new build server").starts_with("OK TOKEN new 1 "));
    let other = write_password(server.0.directory.path(), "other", "staple staple");
    let set = server.account(&["password", "Alice", "--password-file", other.to_str().expect("UTF-8")]);
    assert_eq!(stdout(set), "set the password of alice; access tokens of the account that remain valid: 1\n");
    // Nobody remains logged in with the old password.
    alice.until("ERR - login-required the operator has set another password for alice, with which you must log in; connect again");
    alice.expect_end();
    assert_eq!(server.log_in("alice", PASSWORD).1, WRONG);
    assert_eq!(server.log_in("alice", "staple staple").1, "OK LOGIN alice");
}

#[test]
fn name_of_a_removed_account_rests_until_the_operator_ends_it() {
    let server = AccountServer::start();
    stdout(server.set("add", "alice"));
    let (mut alice, _) = server.log_in("alice", PASSWORD);
    let removed = stdout(server.account(&["remove", "ALICE"]));
    assert!(removed.starts_with("removed the account alice; its name rests until 20"), "{removed}");
    // It stays as a guest.
    assert_eq!(reply(&mut alice, "MSG hi"), "OK MSG 1");
    assert!(reply(&mut alice, "PASSWORD hunter22").starts_with("ERR PASSWORD not-logged-in "));
    assert!(reply(&mut alice, "QUIT").starts_with("OK QUIT"));
    let mut eve = server.0.server.connect();
    assert!(reply(&mut eve, "NICK alice").starts_with("ERR NICK name-resting "));
    for name in ["alice", "ALICE", "аlice"] {
        let error = stderr(&server.set("add", name), 3);
        let expected = format!(" refused: {name} rests until 20");
        let why = " UTC, because the account alice was deleted: choose another name, or add the account with --end-rest if its \
                   owner is the same person\n";
        assert!(error.contains(&expected) && error.ends_with(why), "{error}");
    }
    let password = server.path("password");
    let again = server.account(&["add", "alice", "--end-rest", "--password-file", password.to_str().expect("UTF-8")]);
    assert_eq!(stdout(again), "added the account alice\n");
    assert_eq!((server.list().len(), &server.list()[0]["number"]), (1, &json!(2)));
    assert_eq!(server.log_in("alice", PASSWORD).1, "OK LOGIN alice");
}

#[test]
fn errors_say_what_to_do() {
    let server = AccountServer::start();
    stdout(server.set("add", "alice"));
    let socket = server.0.path.display();
    let refused = |why: &str| format!("chinwagd: the server at \"{socket}\" refused: {why}\n");
    let registered = "alice is an account already; set its password with account password";
    assert_eq!(stderr(&server.set("add", "Alice"), 3), refused(registered));
    let alike = "аlice looks too much like the account alice; choose another name";
    assert_eq!(stderr(&server.set("add", "аlice"), 3), refused(alike));
    let unknown = "there is no account bob; account list shows all accounts";
    assert_eq!(stderr(&server.set("password", "bob"), 3), refused(unknown));
    assert_eq!(stderr(&server.account(&["remove", "bob"]), 3), refused(unknown));
    let short = write_password(server.0.directory.path(), "short", "hunter2");
    let short = short.to_str().expect("UTF-8");
    let error = format!("chinwagd: the password in \"{short}\" has 7 bytes: expected 8 to 512\n");
    assert_eq!(stderr(&server.account(&["add", "bob", "--password-file", short]), 1), error);
    let terminal = "chinwagd: standard input is not a terminal, so nobody can type the password: use --password-file PATH or \
                    --generate\n";
    assert_eq!(stderr(&server.account(&["add", "bob"]), 1), terminal);
    let without_store = ControlledServer::start(&[]);
    let off = format!(
        "chinwagd: the server at \"{}\" refused: this server has no accounts: start it with --data PATH, the file to store them \
         in\n",
        without_store.path.display()
    );
    assert_eq!(stderr(&account(&["list"], "--control", &without_store.path), 1), off);
    let nowhere = server.path("nowhere.sock");
    let absent = format!(
        "chinwagd: no server listens at \"{}\"; start chinwagd with --control PATH, and give that path to account, or, if no \
         server runs, name its store: --data PATH\n",
        nowhere.display()
    );
    assert_eq!(stderr(&account(&["list"], "--control", &nowhere), 1), absent);
}

#[test]
fn invalid_command_line_of_account_is_a_usage_error() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_chinwagd")).arg("account").args(arguments).output();
        let error = stderr(&output.expect("it runs"), 2);
        let error =
            error.strip_prefix("chinwagd: ").and_then(|rest| rest.strip_suffix("; see chinwagd account --help\n"));
        error.expect("a usage error").to_owned()
    };
    for (arguments, expected) in [
        (&[][..], "missing <action>: expected account <action>"),
        (&["addd"], "invalid argument \"addd\" after account: expected add, list, password, role or remove"),
        (&["add"], "missing <name>: expected account add <name>"),
        (&["add", "a,b"], "invalid argument \"a,b\" after account: a name cannot contain a comma"),
        (&["role", "alice"], "missing role: expected account role <name> operator, or user"),
        (&["role", "alice", "king"], "invalid argument \"king\" after account: expected operator or user"),
        (&["list", "alice"], "unexpected argument \"alice\" after account list: it lists all"),
        (&["list", "--generate"], "unexpected --generate after account list: expected it with add or password"),
        (&["remove", "alice", "--end-rest"], "unexpected --end-rest after account remove: expected it with add"),
        (&["remove", "alice", "--json"], "unexpected --json after account remove: expected it with list"),
        (
            &["add", "alice", "--generate", "--password-file", "p"],
            "--password-file and --generate: expected one of them",
        ),
        (
            &["list", "--data", "chat.db", "--control", "c"],
            "--control and --data: expected the socket of a running server, or the store of a stopped one",
        ),
    ] {
        assert_eq!(run(arguments), expected, "{arguments:?}");
    }
    // Nor is it repeated.
    assert!(
        run(&["add", "alice", "hunter22"]).starts_with("unexpected argument after account: the program asks for a ")
    );
}

/// A script can store it: there is nothing else on standard output.
#[test]
fn generated_password_is_printed_once_and_logs_in() {
    let server = AccountServer::start();
    let passwords: Vec<_> = ["alice", "bob"]
        .map(|name| stdout(server.account(&["add", name, "--generate"])))
        .map(|line| line.trim_end().to_owned())
        .to_vec();
    assert_ne!(passwords[0], passwords[1]);
    assert_eq!(passwords[0].split('-').map(str::len).collect::<Vec<_>>(), [5; 4]);
    assert_eq!(server.log_in("alice", &passwords[0]).1, "OK LOGIN alice");
    assert_eq!(server.log_in("bob", &passwords[0]).1, WRONG);
    let changed = stdout(server.account(&["password", "bob", "--generate"]));
    assert_eq!(server.log_in("bob", &passwords[1]).1, WRONG);
    assert_eq!(server.log_in("bob", changed.trim_end()).1, "OK LOGIN bob");
    let failed = server.account(&["add", "bob", "--generate"]);
    stderr(&failed, 3);
}

/// The account has a password that nobody knows.
#[test]
fn generated_password_that_cannot_be_printed_is_an_error() {
    let server = AccountServer::start();
    let full = fs::File::options().write(true).open("/dev/full").expect("Linux");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    command.args(["account", "add", "alice", "--generate", "--control"]).arg(&server.0.path).stdout(full);
    let error = "chinwagd: the new password was set, but cannot be written to standard output: No space left on device; set another \
                 one with account password\n";
    assert_eq!(
        stderr(&command.stderr(Stdio::piped()).spawn().and_then(Child::wait_with_output).expect("it runs"), 1),
        error
    );
    assert_eq!(server.list().len(), 1);
}

#[test]
fn changes_survive_kill() {
    let server = AccountServer::start();
    for name in ["alice", "bob", "carol"] {
        stdout(server.set("add", name));
    }
    let other = write_password(server.0.directory.path(), "other", "staple staple");
    stdout(server.account(&["password", "bob", "--password-file", other.to_str().expect("UTF-8")]));
    stdout(server.account(&["remove", "carol"]));
    let server = AccountServer::start_in(server.stop("-KILL"));
    let names: Vec<_> = server.list().iter().map(|account| account["name"].clone()).collect();
    assert_eq!(names, ["alice", "bob"]);
    assert_eq!(server.log_in("alice", PASSWORD).1, "OK LOGIN alice");
    assert_eq!(server.log_in("bob", "staple staple").1, "OK LOGIN bob");
    let error = stderr(&server.set("add", "carol"), 3);
    assert!(error.contains("carol rests until 20"), "{error}");
    stdout(server.set("add", "dave"));
    assert_eq!(server.list()[2]["number"], 4, "numbers are never given again");
}

/// The password of a file, and its hash, are nowhere but in the store.
#[test]
fn password_is_in_no_command_line_log_or_list() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("control.sock");
    let mut start = command(&["--listen", "127.0.0.1:0", "--log", "debug", "--data"]);
    start.arg(data_in(directory.path())).arg("--control").arg(&socket);
    let mut server = Server::spawn(start.stderr(Stdio::piped()));
    let log = BufReader::new(server.take_stderr());
    let password = write_password(directory.path(), "password", PASSWORD);
    let with_file = |words: &[&str]| {
        account(&[words, &["--password-file", password.to_str().expect("UTF-8")]].concat(), "--control", &socket)
    };
    let mut printed =
        vec![with_file(&["add", "alice"]), with_file(&["add", "alice"]), with_file(&["password", "alice"])];
    let generated = stdout(account(&["add", "bob", "--generate"], "--control", &socket));
    for words in [&["list"][..], &["list", "--json"], &["remove", "alice"]] {
        printed.push(account(words, "--control", &socket));
    }
    server.signal("-TERM");
    server.wait();
    let log: Vec<_> = log.lines().map(|line| line.expect("UTF-8")).collect();
    for done in [
        "added an account account=alice",
        "set the password of an account account=alice",
        "removed an account account=alice",
    ] {
        assert!(log.iter().any(|line| line.contains(&format!("INFO the operator {done}"))), "no {done:?} in {log:#?}");
    }
    let shown = format!("{log:?} {printed:?}");
    let secrets = [PASSWORD, "horse", generated.trim_end(), "$argon2", "argon2id$"];
    for secret in secrets {
        let bytes = format!("{:?}", secret.as_bytes());
        assert!(!shown.contains(secret) && !shown.contains(bytes.trim_matches(['[', ']'])), "{secret:?} in {shown}");
    }
    // The words of the processes above are those of this test; the file has its hash only.
    let stored = fs::read(data_in(directory.path())).expect("a file");
    let has = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has("$argon2id$v=19$m=19456,t=2,p=1$") && !has(PASSWORD) && !has(generated.trim_end()));
}

#[test]
fn exposed_password_file_is_reported() {
    let server = AccountServer::start();
    let path = server.path("password");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("a mode");
    let output = server.set("add", "alice");
    let warning = format!(
        "chinwagd: warning: every user of this machine can read the password in \"{0}\"; forbid it with: chmod 600 {0}\n",
        path.display()
    );
    assert_eq!(String::from_utf8(output.stderr).expect("UTF-8"), warning);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"added the account alice\n"[..]));
}

#[test]
fn store_without_a_server_has_the_same_rules() {
    let server = AccountServer::start();
    stdout(server.set("add", "alice"));
    let directory = server.stop("-TERM");
    let data = data_in(directory.path());
    let on_file = |words: &[&str]| account(words, "--data", &data);
    let password = directory.path().join("password");
    let password = ["--password-file", password.to_str().expect("UTF-8")];
    assert_eq!(stdout(on_file(&[&["add", "bob"], &password[..]].concat())), "added the account bob\n");
    let registered = "chinwagd: alice is an account already; set its password with account password\n";
    assert_eq!(stderr(&on_file(&[&["add", "ALICE"], &password[..]].concat()), 3), registered);
    let unknown = "chinwagd: there is no account carol; account list shows all accounts\n";
    assert_eq!(stderr(&on_file(&["remove", "carol"]), 3), unknown);
    stdout(on_file(&["remove", "alice"]));
    assert!(stderr(&on_file(&[&["add", "аlice"], &password[..]].concat()), 3).contains("аlice rests until 20"));
    let generated = stdout(on_file(&["password", "bob", "--generate"]));
    let listed = json_lines(on_file(&["list", "--json"]));
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["number"], &listed[0]["name"], &listed[0]["logged_in"]),
        (&json!(2), &json!("bob"), &Value::Null)
    );
    assert!(!directory.path().join("chat.db-wal").exists(), "the file is closed in good order");
    let server = AccountServer::start_in(directory);
    assert_eq!(server.log_in("bob", PASSWORD).1, WRONG);
    assert_eq!(server.log_in("bob", generated.trim_end()).1, "OK LOGIN bob");
    let mut eve = server.0.server.connect();
    assert!(reply(&mut eve, "NICK alice").starts_with("ERR NICK name-resting "));
}

/// Two processes would give the same numbers.
#[test]
fn store_of_a_running_server_is_not_changed_behind_it() {
    let server = AccountServer::start();
    let data = data_in(server.0.directory.path());
    let on_file = |words: &[&str], runtime: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
        command.arg("account").args(words).arg("--data").arg(&data).env("RUNTIME_DIRECTORY", runtime);
        stderr(&command.stdin(Stdio::null()).output().expect("it runs"), 1)
    };
    let used = format!("chinwagd: a running chinwagd uses the store \"{}\"; ", data.display());
    let other = "ask that server with --control PATH in place of --data, where PATH is its control socket; if it has none, start \
                 it again with --control PATH\n";
    for words in [&["list"][..], &["add", "alice", "--generate"], &["remove", "alice"]] {
        assert_eq!(on_file(words, Path::new("/nowhere")), format!("{used}{other}"));
    }
    let default = format!("leave out --data to ask that server, on \"{}\"\n", server.0.path.display());
    assert_eq!(on_file(&["list"], server.0.directory.path()), format!("{used}{default}"));
    assert!(server.list().is_empty());
}

#[test]
fn missing_store_is_not_created() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = data_in(directory.path());
    for words in [&["list"][..], &["add", "alice", "--generate"], &["remove", "alice"]] {
        let error = format!("chinwagd: cannot open the store \"{}\": No such file or directory\n", data.display());
        assert_eq!(stderr(&account(words, "--data", &data), 1), error);
    }
    assert!(!data.exists());
}

/// As by a start of the server.
#[test]
fn older_store_is_migrated() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = data_in(directory.path());
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/version-5.db"), &data).expect("a copy");
    let generated = stdout(account(&["add", "alice", "--generate"], "--data", &data));
    let server = AccountServer::start_in(directory);
    assert_eq!(server.log_in("alice", generated.trim_end()).1, "OK LOGIN alice");
    assert_eq!(server.list().len(), 1);
}

#[test]
fn change_that_cannot_be_stored_changes_nothing() {
    let server = AccountServer::start();
    stdout(server.set("add", "alice"));
    let (data, elsewhere) = (data_in(server.0.directory.path()), server.path("elsewhere.db"));
    fs::rename(&data, &elsewhere).expect("it is moved");
    let why = "nothing was changed, because it could not be stored: the store's file was deleted or moved while the server was \
               running";
    let refused = format!("chinwagd: the server at \"{}\" refused: {why}\n", server.0.path.display());
    for output in [server.set("add", "bob"), server.set("password", "alice"), server.account(&["remove", "alice"])] {
        assert_eq!(stderr(&output, 1), refused);
    }
    assert_eq!(server.list().len(), 1);
    fs::rename(&elsewhere, &data).expect("it is moved back");
    stdout(server.set("add", "bob"));
    assert_eq!(server.log_in("bob", PASSWORD).1, "OK LOGIN bob");
}

/// They take several requests.
#[test]
fn long_lists_are_complete() {
    const COUNT: u32 = 2500;
    let directory = AccountServer::start().stop("-TERM");
    let mut file = rusqlite::Connection::open(data_in(directory.path())).expect("the file opens");
    let rows = file.transaction().expect("a transaction");
    for number in 1..=COUNT {
        let sql = "INSERT INTO accounts VALUES (?, ?, '$unusable', 0, '2026-11-30T02:00:00.000Z', 0, 'user')";
        rows.execute(sql, (number, format!("n{number}"))).expect("a row");
    }
    rows.commit().expect("rows");
    drop(file);
    let numbers = |lines: Vec<Value>| lines.iter().map(|line| line["number"].as_u64()).collect::<Vec<_>>();
    let expected: Vec<_> = (1..=u64::from(COUNT)).map(Some).collect();
    assert_eq!(numbers(json_lines(account(&["list", "--json"], "--data", &data_in(directory.path())))), expected);
    assert_eq!(numbers(AccountServer::start_in(directory).list()), expected);
}
