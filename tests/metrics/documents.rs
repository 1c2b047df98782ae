//! `docs/operating.md`, the dashboard and the alerts name only metrics that exist. Prometheus' checker accepts the metrics and the
//! alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::needs;
use crate::{MeasuredServer, text};

/// A metric as it is described.
#[derive(Debug, PartialEq)]
struct Description {
    kind: String,
    labels: BTreeSet<String>,
    help: String,
}

/// The names of labels in samples, or in a cell of a table.
fn label_names(text: &str) -> BTreeSet<String> {
    text.split(',').filter_map(|label| Some(label.split_once('=')?.0.trim().to_owned())).collect()
}

/// The metrics of a server with everything that has metrics.
fn full_text() -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("chat.db").to_str().expect("UTF-8").to_owned();
    let mut options = ["--data", &store, "--listen", "tls://127.0.0.1:0"].map(str::to_owned).to_vec();
    options.extend(crate::common::tls::certificate_options(crate::common::tls::shared_certificate()));
    let server = MeasuredServer::start(&options.iter().map(String::as_str).collect::<Vec<_>>());
    let text = text(server.metrics, "text/plain");
    drop((server, directory));
    text
}

/// The metrics by name.
fn described(text: &str) -> BTreeMap<String, Description> {
    let mut metrics = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            let new = Description { kind: String::new(), labels: BTreeSet::new(), help: help.to_owned() };
            assert!(metrics.insert(name.to_owned(), new).is_none(), "{name} twice");
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kind.clone_into(&mut metrics.get_mut(name).expect("its help comes first").kind);
        } else if let Some((name, labels)) = line.split_once('{') {
            let name = name.strip_suffix("_bucket").unwrap_or(name);
            let labels = label_names(labels.split_once('}').expect("a bracket").0);
            metrics.get_mut(name).expect(name).labels.extend(labels.into_iter().filter(|label| label != "le"));
        }
    }
    metrics
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The rows of the table of metrics.
fn documented() -> BTreeMap<String, Description> {
    let document = fs::read_to_string(project("docs/operating.md")).expect("the manual");
    let rows = document.lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ").collect();
        let [name, kind, labels, help] = cells[..] else { return None };
        let name = name.strip_suffix('`').filter(|name| is_metric(name))?;
        let labels =
            labels.split(", ").filter(|label| !label.is_empty()).map(|label| label.trim_matches('`').to_owned());
        let labels = labels.filter(|label| label != "none").collect();
        Some((name.to_owned(), Description { kind: kind.to_owned(), labels, help: help.replace('`', "") }))
    });
    rows.collect()
}

fn is_metric(word: &str) -> bool {
    word.starts_with("chinwag_") || word.starts_with("process_")
}

#[test]
fn manual_has_every_metric() {
    let (metrics, documented) = (described(&full_text()), documented());
    assert_eq!(metrics.keys().collect::<Vec<_>>(), documented.keys().collect::<Vec<_>>());
    for (name, metric) in metrics {
        assert_eq!(metric, documented[&name], "{name}");
    }
}

/// The metrics that a file names, with the endings of a histogram's samples.
fn named_in(path: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(project(path)).expect("a file of the project");
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| is_metric(word));
    words.map(str::to_owned).collect()
}

#[test]
fn dashboard_and_alerts_name_metrics_that_exist() {
    let documented = documented();
    for path in ["packaging/grafana/chinwag.json", "packaging/prometheus/chinwag.rules.yml"] {
        let named = named_in(path);
        assert!(named.len() > 5, "{path} names few metrics: {named:?}");
        for name in named {
            let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let exists = match of_histogram {
                Some(base) => documented.get(base).is_some_and(|metric| metric.kind == "histogram"),
                None => documented.get(&name).is_some_and(|metric| metric.kind != "histogram"),
            };
            assert!(exists, "{path} names {name}");
        }
    }
}

/// The values of labels that the expressions of a file select, with the metric and the label.
fn selected_in(path: &str) -> Vec<[String; 3]> {
    let text = fs::read_to_string(project(path)).expect("a file of the project").replace("\\\"", "\"");
    let mut selected = Vec::new();
    for (start, _) in text.match_indices('{') {
        let word = text[..start].rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next();
        let Some(name) = word.filter(|word| is_metric(word)) else { continue };
        let (matchers, _) = text[start + 1..].split_once('}').expect("a bracket");
        for matcher in matchers.split(',') {
            let (label, values) = matcher.split_once('=').expect("a matcher");
            let values = values.trim_start_matches('~').trim_matches('"').split('|');
            if !["job", "instance"].contains(&label) {
                selected.extend(values.map(|value| [name, label, value].map(str::to_owned)));
            }
        }
    }
    selected
}

#[test]
fn dashboard_and_alerts_select_values_that_exist() {
    let samples = full_text();
    for path in ["packaging/grafana/chinwag.json", "packaging/prometheus/chinwag.rules.yml"] {
        let selected = selected_in(path);
        assert!(selected.len() > 1, "{path} selects few values: {selected:?}");
        for [name, label, value] in selected {
            let sample = format!("\n{name}{{{label}=\"{value}\"}} ");
            assert!(samples.contains(&sample), "{path} selects {}", sample.trim());
        }
    }
}

/// Each panel has a title, a description and expressions, and lies below or beside the ones before it.
#[test]
fn dashboard_is_complete() {
    let text = fs::read_to_string(project("packaging/grafana/chinwag.json")).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let (mut ids, mut end) = (BTreeSet::new(), (0, 0));
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{panel}");
        let position = ["y", "x"].map(|axis| panel["gridPos"][axis].as_u64().expect("a position"));
        assert!((position[0], position[1]) >= end, "{panel}");
        end = (position[0], position[1]);
        assert!(!panel["title"].as_str().expect("a title").is_empty());
        if panel["type"] != "row" {
            assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{panel}");
            let targets = panel["targets"].as_array().expect("targets");
            assert!(!targets.is_empty() && targets.iter().all(|target| target["expr"].is_string()), "{panel}");
        }
    }
    assert!(panels.iter().filter(|panel| panel["type"] == "row").count() >= 4);
}

/// Runs promtool with this input. `None`: it is not installed.
fn promtool(arguments: &[&str], input: &str) -> Option<String> {
    if !needs("promtool") {
        return None;
    }
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{stdout}{stderr}");
    Some(stdout + &stderr)
}

/// It reads the text format of Prometheus, not `OpenMetrics`.
#[test]
fn promtool_accepts_the_metrics() {
    let text = full_text();
    if let Some(complaints) = promtool(&["check", "metrics"], &text) {
        assert_eq!(complaints, "");
    }
}

#[test]
fn promtool_accepts_the_alerts() {
    let rules = project("packaging/prometheus/chinwag.rules.yml");
    let _ = promtool(&["check", "rules", rules.to_str().expect("UTF-8")], "");
}
