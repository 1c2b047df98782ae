//! What a workload came to, server by server: as a table in Markdown and as JSON.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::report::{Report, Run, for_people};
use crate::server::machine;
use crate::wire::Faults;

use super::workload::Workload;

/// How the figures are called at the head of a column, if not by their own name.
const HEADS: [(&str, &str); 14] = [
    ("deliveries_per_second", "deliveries/s"),
    ("deliveries_per_second_alone", "deliveries/s alone"),
    ("deliveries_per_second_beside_stuck", "beside stuck"),
    ("lost_to_the_stuck_percent", "% lost to them"),
    ("server_cpu_us_a_delivery", "CPU µs each"),
    ("server_user_us_a_delivery", "user"),
    ("server_system_us_a_delivery", "system"),
    ("server_busy_percent", "server %"),
    ("load_busy_percent", "load %"),
    ("resident_bytes_a_connection", "bytes a connection"),
    ("arrived_ms_p50", "ms p50"),
    ("arrived_ms_p99", "p99"),
    ("arrived_ms_p99.9", "p99.9"),
    ("arrived_ms_max", "worst"),
];

/// A row for each server, a column for each figure.
pub(super) struct Table {
    pub(super) workload: &'static str,
    description: String,
    /// Each server's name, and its runs.
    rows: Vec<(&'static str, Report)>,
}

impl Table {
    pub(super) fn new(workload: &Workload, servers: impl Iterator<Item = &'static str>) -> Self {
        let report = |server| Report {
            scenario: Cow::Owned(format!("{}/{server}", workload.name)),
            description: workload.description(),
            runs: Vec::new(),
        };
        let rows = servers.map(|server| (server, report(server))).collect();
        Self { workload: workload.name, description: workload.description(), rows }
    }

    /// Adds a run of a server.
    pub(super) fn add(&mut self, server: &str, run: Run) {
        let row = self.rows.iter_mut().find(|(name, _)| *name == server);
        row.expect("a server of this table").1.runs.push(run);
    }

    /// The median of a figure, for each server that has it.
    pub(super) fn medians(&self, figure: &str) -> Vec<(&'static str, f64)> {
        self.rows.iter().filter_map(|(server, report)| Some((*server, report.find_median(figure)?))).collect()
    }

    pub(super) fn into_reports(self) -> impl Iterator<Item = Report> {
        self.rows.into_iter().map(|(_, report)| report)
    }

    /// Prints the medians.
    pub(super) fn print(&self) {
        println!("\n**{}**: {}\n{}\n", self.workload, self.description, machine());
        let Some((_, first)) = self.rows.first() else { return println!("no server for it") };
        let names = first.names();
        let mut lines = vec![vec!["server".to_owned()]];
        lines[0].extend(names.iter().map(|name| head(name)));
        lines[0].extend(["lost", "out of order", "closed"].map(str::to_owned));
        for (server, report) in &self.rows {
            let Faults { lost, disorderly, closed, .. } = report.faults();
            let mut line = vec![(*server).to_owned()];
            line.extend(names.iter().map(|name| report.find_median(name).map_or("-".into(), for_people)));
            line.extend([lost, disorderly, closed].map(|count| count.to_string()));
            lines.push(line);
        }
        print_aligned(&lines);
    }

    fn json(&self) -> Value {
        let servers = self.rows.iter().map(|(server, report)| {
            // It is written by hand there, once for all scenarios.
            let figures = serde_json::from_str(&report.json()).expect("JSON");
            ((*server).to_owned(), figures)
        });
        json!({ "description": self.description, "servers": servers.collect::<Map<_, _>>() })
    }
}

/// All tables as one object: a member for each workload, in it one for each server.
pub(super) fn json(tables: &[Table], versions: &[(&str, &str)], runs: usize) -> String {
    let workloads = tables.iter().map(|table| (table.workload.to_owned(), table.json()));
    let versions = versions.iter().map(|(server, version)| ((*server).to_owned(), Value::from(*version)));
    let all = json!({
        "machine": machine(),
        "runs": runs,
        "versions": versions.collect::<Map<_, _>>(),
        "workloads": workloads.collect::<Map<_, _>>(),
    });
    format!("{all:#}\n")
}

fn head(figure: &str) -> String {
    let head = HEADS.iter().find(|(name, _)| *name == figure);
    head.map_or_else(|| figure.replace('_', " "), |(_, head)| (*head).to_owned())
}

/// Prints lines of cells as a table in Markdown; the first is its head.
fn print_aligned(lines: &[Vec<String>]) {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..lines[0].len()).map(width).collect();
    for (number, line) in lines.iter().enumerate() {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
        if number == 0 {
            let rules = widths.iter().enumerate().map(|(column, &width)| {
                if column == 0 { "-".repeat(width + 2) } else { format!("{}:", "-".repeat(width + 1)) }
            });
            println!("|{}|", rules.collect::<Vec<_>>().join("|"));
        }
    }
}
