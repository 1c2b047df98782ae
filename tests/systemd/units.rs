//! The units in `packaging/systemd`, as systemd-analyze reads them. No test starts them: that needs systemd as the first process.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::needs;

const UNITS: [(&str, &str); 4] = [
    ("chinwag.service", include_str!("../../packaging/systemd/chinwag.service")),
    ("chinwag.socket", include_str!("../../packaging/systemd/chinwag.socket")),
    ("chinwag-web.socket", include_str!("../../packaging/systemd/chinwag-web.socket")),
    ("chinwag.service.d/socket-activation.conf", include_str!("../../packaging/systemd/socket-activation.conf")),
];

/// Writes the units, with the server of this build.
fn install(directory: &Path) {
    fs::create_dir(directory.join("chinwag.service.d")).expect("a directory");
    for (name, unit) in UNITS {
        let unit = unit.replace("ExecStart=chinwagd ", concat!("ExecStart=", env!("CARGO_BIN_EXE_chinwagd"), " "));
        fs::write(directory.join(name), unit).expect("it is written");
    }
}

/// The output of systemd-analyze, on both streams.
fn analyze(arguments: &[&str], unit: &Path) -> (bool, String) {
    let output = Command::new("systemd-analyze").args(arguments).arg(unit).output().expect("systemd-analyze runs");
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8")).concat();
    (output.status.success(), text)
}

#[test]
fn units_have_no_unknown_settings() {
    if !needs("systemd-analyze") {
        return;
    }
    eprintln!("the units are read, not started: no systemd is the first process here");
    let directory = tempfile::tempdir().expect("a directory");
    install(directory.path());
    for unit in ["chinwag.service", "chinwag.socket", "chinwag-web.socket"] {
        let (is_valid, text) = analyze(&["verify", "--man=no"], &directory.path().join(unit));
        let about_units = text.lines().filter(|line| line.contains("chinwag"));
        assert_eq!(about_units.collect::<Vec<_>>(), Vec::<&str>::new());
        assert!(is_valid, "{text}");
    }
}

#[test]
fn exposure_is_at_most_the_documented_one() {
    if !needs("systemd-analyze") {
        return;
    }
    let documented = include_str!("../../docs/operating.md");
    let (_, documented) = documented.split_once("an exposure of ").expect("the documented exposure");
    let documented = documented.split_whitespace().next().expect("a number").parse::<f64>().expect("a number");
    let directory = tempfile::tempdir().expect("a directory");
    install(directory.path());
    let unit = directory.path().join("chinwag.service");
    let (_, text) = analyze(&["security", "--offline=true", "--no-pager"], &unit);
    let (_, exposure) = text.rsplit_once("Overall exposure level for chinwag.service: ").expect(&text);
    let exposure = exposure.split_whitespace().next().expect("a number").parse::<f64>().expect(&text);
    assert!(exposure <= documented, "{exposure} instead of {documented}: {text}");
}

/// The command lines of the units are valid, with the configuration file of the package: with a feature that is missing, or an option
/// that was renamed, the service would not start.
#[test]
#[cfg(all(feature = "config", feature = "store", feature = "web"))]
fn command_lines_of_the_units_are_valid() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/chinwagd.toml");
    for (name, unit) in UNITS {
        let Some((_, command)) = unit.split_once("ExecStart=chinwagd ") else { continue };
        let command = command.replace("\\\n", " ").replace("/etc/chinwag/chinwagd.toml", file);
        let arguments = command.lines().next().expect("a line").split_whitespace();
        // Comes after the check of all options.
        let output = Command::new(env!("CARGO_BIN_EXE_chinwagd")).args(arguments).arg("--print-config").output();
        let output = output.expect("it starts");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let options = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(options.contains("\ndata = \"/var/lib/chinwag/chat.db\"  # "), "{name}: {options}");
    }
}
