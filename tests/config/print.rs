//! `--print-config`: its text is a configuration file that gives the same options.

use super::Site;

/// Each option that a file can have, with a value that is not its default.
#[cfg(all(feature = "accounts", feature = "tls", feature = "web"))]
const EVERY_OPTION: &str = "\
[listeners]
listen = [\"http://127.0.0.1:0\", \"tls://127.0.0.1:0\"]
port-file = \"port\"
[tls]
tls-cert = \"a-cert.pem\"
tls-key = [\"a-key.pem\"]
[passwords]
password-file = \"password\"
accounts-only = true
registration = \"operators\"
allow-insecure-passwords = true
[http]
http-origin = [\"https://a.example\", \"https://b.example\"]
http-header-timeout = 11
http-ping-interval = \"21s\"
[limits]
max-clients = 100
max-per-address = 7
connect-rate = 8
line-rate = 9
line-burst = 41
backlog = \"9MiB\"
max-rooms = 11
no-watch = true
[messages]
history = 12
data = \"chat.db\"
durability = \"relaxed\"
keep = \"100000 messages\"
epoch = \"7\"
motd = \"motd.txt\"
[timeouts]
name-timeout = 61
idle-timeout = \"1d\"
resume-timeout = \"1.5m\"
send-timeout = 0
dead-peer-timeout = 0x10
[logging]
log = \"off\"
log-format = \"json\"
[control-socket]
control = \"it's \\\"mine\\\"\"
";

/// The lines without the comments at their ends, and without the first line.
#[cfg(all(feature = "accounts", feature = "tls", feature = "web"))]
fn without_places(text: &str) -> Vec<String> {
    let lines = text.lines().skip(1);
    lines.map(|line| line.rsplit_once("  # ").map_or(line, |(option, _)| option).to_owned()).collect()
}

fn print(site: &Site, arguments: &[&str]) -> String {
    let output = site.run(&[arguments, &["--print-config"]].concat());
    assert_eq!((output.code, output.err.as_str()), (Some(0), ""));
    output.out
}

#[test]
#[cfg(all(feature = "accounts", feature = "tls", feature = "web"))]
fn printed_options_give_the_same_options() {
    let site = Site::new(EVERY_OPTION);
    let first = print(&site, &["--config", "x.toml"]);
    let commented: Vec<_> = first.lines().skip(1).filter(|line| line.starts_with('#')).collect();
    assert_eq!(commented, [""; 0], "each option is given");
    site.write("y.toml", &first);
    let second = print(&site, &["--config", "y.toml"]);
    assert_eq!(without_places(&first), without_places(&second));
    assert!(first.contains("\nlisten = [\"http://127.0.0.1:0\", \"tls://127.0.0.1:0\"]  # x.toml:2\n"), "{first}");
    assert!(first.contains("\ndead-peer-timeout = 16  # x.toml:37\n"), "{first}");
    // Prints the options of a command line.
    let third =
        print(&site, &["--config", "y.toml", "--history", "99", "--listen=127.0.0.1:1", "--listen=https://[::1]:2"]);
    assert!(third.contains("\nhistory = 99  # command line\n"), "{third}");
    assert!(third.contains("\nlisten = [\"127.0.0.1:1\", \"https://[::1]:2\"]  # command line\n"), "{third}");
    assert!(!site.at("chat.db").exists() && !site.at("port").exists());
}

/// The comments are right: with these lines as options, the configuration is the same.
#[test]
fn defaults_in_comments_are_values() {
    let site = Site::new("");
    let listen = if cfg!(feature = "web") { "http://127.0.0.1:0" } else { "127.0.0.1:0" };
    let stored: &[&str] = if cfg!(feature = "store") { &["--data", "chat.db"] } else { &[] };
    let arguments = [&["--listen", listen], stored].concat();
    let printed = print(&site, &arguments);
    let is_value =
        |line: &&str| !line.split('"').nth(1).is_some_and(|form| form.bytes().all(|c| c.is_ascii_uppercase()));
    let defaults = printed.lines().skip(1).filter_map(|line| line.strip_prefix("# "));
    let defaults: Vec<_> = defaults.filter(is_value).collect();
    let count = if cfg!(feature = "store") && cfg!(feature = "web") { 22 } else { 16 };
    assert!(defaults.len() >= count, "{defaults:#?}");
    let sections = printed.lines().skip(1).map(|line| match line.strip_prefix("# ") {
        Some(default) if is_value(&default) => default,
        _ => line,
    });
    site.write("y.toml", sections.collect::<Vec<_>>().join("\n"));
    let output = site.run(&["--config", "y.toml", "--check"]);
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[test]
fn options_that_contradict_each_other_are_not_printed() {
    let site = Site::new("[timeouts]\nsend-timeout = 31\n");
    let output = site.run(&["--config", "x.toml", "--print-config"]);
    assert_eq!((output.code, output.out.as_str()), (Some(2), ""));
    let output = site.run(&["--check", "--print-config"]);
    assert_eq!(output.err, "chinwagd: --check with --print-config: expected one of them; see chinwagd --help\n");
    assert_eq!(output.code, Some(2));
}
