//! A quick comparison of the relay with itself, which needs no other program: every workload that it supports, and the files.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn quick_comparison_loses_nothing_and_writes_its_results() {
    let directory = tempfile::tempdir().unwrap();
    let (json, picture) = (directory.path().join("results.json"), directory.path().join("results.svg"));
    let mut command = compare(&["--quick", "--only", "relay"]);
    let output = command.arg("--json").arg(&json).arg("--picture").arg(&picture).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let results: Value = serde_json::from_str(&read(&json)).unwrap();
    let workloads = results["workloads"].as_object().unwrap();
    let measured = workloads.values().filter(|workload| workload["servers"]["relay"]["lost"] == 0).count();
    assert_eq!(
        (workloads.len(), measured),
        (15, 7),
        "the relay has no rooms, no whispers, no presence, no backlog limit and no TLS"
    );
    let rate = &workloads["saturated-100"]["servers"]["relay"]["deliveries_per_second"]["median"];
    assert!(rate.as_f64().is_some_and(|rate| rate > 0.0), "{rate}");
    let picture = read(&picture);
    assert!(picture.starts_with("<svg ") && picture.contains(">10,000 readers: million deliveries/s<"), "{picture}");
    assert_eq!(picture.matches("<rect class=\"limit\"").count(), 4, "rate and cost for each number of readers");
}

#[test]
fn unknown_names_are_refused() {
    for (arguments, error) in [
        (["--workload", "nothing"], "unknown workload \"nothing\"; see --list"),
        (["--only", "nothing"], "unknown server \"nothing\"; see --list"),
        (["--chinwagd", "/nowhere/chinwagd"], "/nowhere/chinwagd not found; build it with: cargo build --release"),
    ] {
        let output = compare(&arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.ends_with(&format!("compare: {error}\n")), "{stderr}");
        assert_eq!(output.status.code(), Some(2));
    }
}

fn compare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command.args(arguments);
    command
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
