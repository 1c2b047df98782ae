//! `--config`: the options of the file take effect, those of the command line win, and errors have their line.

use std::process::Stdio;

use super::Site;
use super::common::Server;

#[track_caller]
fn check_refused(content: &str, arguments: &[&str], expected: &str) {
    let site = Site::new(content);
    let arguments = [&["--config", "x.toml"], arguments].concat();
    let output = site.run(&arguments);
    assert_eq!(output.err, format!("chinwagd: {expected}; see chinwagd --help\n"));
    assert_eq!((output.code, output.out.as_str()), (Some(2), ""));
    assert_eq!(site.files(), ["x.toml"]);
}

#[test]
fn file_configures_the_server() {
    let site = Site::new(
        "[listeners]\nlisten = \"127.0.0.1:0\"\n[messages]\nepoch = \"file\"\n[limits]\nno-watch = true\n[logging]\nlog = \"error\"\n",
    );
    let server = Server::spawn(&mut site.command(&["--config", "x.toml"]));
    let mut client = server.connect_raw();
    client.expect("HELLO chinwag/1 epoch=file features=rooms,secure type NICK and your name to join, HELP for help");
    let server = Server::spawn(&mut site.command(&["--config", "x.toml", "--epoch", "line"]));
    let mut client = server.connect_raw();
    client.expect("HELLO chinwag/1 epoch=line features=rooms,secure type NICK and your name to join, HELP for help");
}

/// All values of a repeated option are replaced.
#[test]
fn listeners_of_the_command_line_replace_those_of_the_file() {
    let site = Site::new("[listeners]\nlisten = [\"192.0.2.1:1\", \"192.0.2.1:2\"]\n");
    let mut server = Server::spawn(&mut site.command(&["--config=x.toml", "--listen=127.0.0.1:0", "--log=error"]));
    server.signal("-TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    assert_eq!(server.stdout_line(), "");
}

#[test]
fn error_has_its_file_and_line_and_exit_code_2() {
    let check = check_refused;
    check("[limits]\nline-rate = 1\nline-rate = 2\n", &[], "x.toml:3: \"line-rate\" is given twice: expected once");
    check("[limit]\n", &[], "x.toml:1: unknown section \"limit\"; did you mean [limits]?");
    check("[limits]\n\nmax_client = 1\n", &[], "x.toml:3: unknown key \"max_client\"; did you mean max-clients?");
    check(
        "[limits]\nhistory = 1\n",
        &[],
        "x.toml:2: unknown key \"history\" in [limits]; expected history in [messages]",
    );
    check(
        "[logging]\nlog = \"loud\"\n",
        &[],
        "x.toml:2: invalid log \"loud\": expected off, error, warn, info or debug",
    );
    check("[logging]\nlog = true\n", &[], "x.toml:2: invalid log: expected a string or a number, found a boolean");
    check("[limits]\nbacklog = 12\n", &[], "x.toml:2: invalid backlog \"12\": expected a size from 1MiB to 1TiB");
    check("[limits]\nfeed-bytes = 8388608\n", &[], "x.toml:2: unknown key \"feed-bytes\"; use backlog");
    check(
        "[logging]\nversion = true\n",
        &[],
        "x.toml:2: unknown key \"version\": --version is for the command line only",
    );
    check("[logging]\nlog = \"info\n", &[], "x.toml:2: invalid TOML: invalid basic string, expected `\"`");
    check("", &["--config", "y.toml"], "--config is given twice: expected once");
    let seconds = "expected at most 30s, a quarter of --dead-peer-timeout (2m)";
    check(
        "[timeouts]\n\nsend-timeout = 31\n",
        &["--log=off"],
        &format!("x.toml:3: invalid --send-timeout 31s: {seconds}"),
    );
    let of_the_command_line = format!("invalid --send-timeout 31s: {seconds}");
    check("[timeouts]\nsend-timeout = 3\n", &["--send-timeout=31"], &of_the_command_line);
}

#[test]
fn file_that_cannot_be_read_is_one_line() {
    let site = Site::new("");
    let refused = |path: &str| {
        let output = site.run(&["--config", path]);
        assert_eq!(output.code, Some(2));
        output.err
    };
    let missing =
        "chinwagd: cannot read the configuration file \"y.toml\": No such file or directory; see chinwagd --help\n";
    assert_eq!(refused("y.toml"), missing);
    let directory =
        "chinwagd: cannot read the configuration file \"/\": it is a directory; expected a file; see chinwagd --help\n";
    assert_eq!(refused("/"), directory);
    assert_eq!(refused(""), "chinwagd: invalid --config \"\": expected a path; see chinwagd --help\n");
    site.write("x.toml", b"# caf\xe9");
    assert_eq!(refused("x.toml"), "chinwagd: x.toml:1: invalid text: expected UTF-8; see chinwagd --help\n");
    // A pipe could not be read again.
    let mut command = site.command(&["--config", "/dev/stdin"]);
    let output = command.stdin(Stdio::piped()).output().expect("it runs");
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(error.contains("it is a FIFO; expected a file"), "{error}");
}

#[test]
#[cfg(feature = "store")]
fn options_that_depend_on_each_other_have_a_line() {
    check_refused(
        "[messages]\n# not stored\ndurability = \"full\"\n",
        &[],
        "x.toml:3: --durability without --data: expected --data PATH, the file to store messages in",
    );
}

#[test]
#[cfg(not(feature = "store"))]
fn option_of_a_missing_feature_is_refused() {
    check_refused(
        "[messages]\ndata = \"x\"\n",
        &[],
        "x.toml:2: data needs the feature store, and this chinwagd was built without it; \
         build one that has it: cargo build --release --bin chinwagd --features store",
    );
}

#[test]
fn commands_have_no_configuration_file() {
    let output = Site::new("").run(&["status", "--config", "x.toml"]);
    assert_eq!(output.code, Some(2));
    assert!(output.err.starts_with("chinwagd: unexpected --config: expected it without a command; "), "{output:?}");
}
