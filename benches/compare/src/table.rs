//! The figures of a workload, with a row for each server: as a table in Markdown and as JSON.

use serde_json::{Map, Value, json};

use crate::common::figures::{Run, Runs, format_figure};
use crate::common::log::Faults;
use crate::common::server::machine;
use crate::workload::Workload;

/// The heads of columns that do not show the name of the figure.
const HEADS: [(&str, &str); 14] = [
    ("deliveries_per_second", "deliveries/s"),
    ("deliveries_per_second_alone", "deliveries/s alone"),
    ("deliveries_per_second_beside_stuck", "beside stuck"),
    ("throughput_lost_percent", "% lost"),
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
pub(crate) struct Table {
    pub(crate) workload: &'static str,
    description: String,
    /// The name of each server, and its runs.
    rows: Vec<(&'static str, Runs)>,
}

impl Table {
    pub(crate) fn new(workload: &Workload, servers: impl Iterator<Item = &'static str>) -> Self {
        let rows = servers.map(|server| (server, Runs::default())).collect();
        Self { workload: workload.name, description: workload.description(), rows }
    }

    /// Adds a run with a server.
    pub(crate) fn add(&mut self, server: &str, run: Run) {
        let row = self.rows.iter_mut().find(|(name, _)| *name == server);
        row.expect("a server of this table").1.0.push(run);
    }

    /// The median of a figure, for each server that has it.
    pub(crate) fn medians(&self, figure: &str) -> Vec<(&'static str, f64)> {
        self.rows.iter().filter_map(|(server, runs)| Some((*server, runs.find_median(figure)?))).collect()
    }

    pub(crate) fn has_faults(&self) -> bool {
        self.rows.iter().any(|(_, runs)| runs.faults().any())
    }

    /// Prints the medians as a table.
    pub(crate) fn print(&self) {
        println!("\n**{}**: {}\n{}\n", self.workload, self.description, machine());
        let Some((_, first)) = self.rows.first() else { return println!("no server takes part") };
        let names: Vec<_> = first.rows().map(|(name, _)| name).collect();
        let mut lines = vec![vec!["server".to_owned()]];
        lines[0].extend(names.iter().map(|name| head(name)));
        lines[0].extend(["lost", "out of order", "closed"].map(str::to_owned));
        for (server, runs) in &self.rows {
            let Faults { lost, out_of_order, closed, .. } = runs.faults();
            let mut line = vec![(*server).to_owned()];
            line.extend(names.iter().map(|name| runs.find_median(name).map_or("-".into(), format_figure)));
            line.extend([lost, out_of_order, closed].map(|count| count.to_string()));
            lines.push(line);
        }
        print_aligned(&lines);
    }

    fn json(&self) -> Value {
        let servers = self.rows.iter().map(|(server, runs)| {
            let figures = serde_json::from_str(&runs.json()).expect("JSON");
            ((*server).to_owned(), figures)
        });
        json!({ "description": self.description, "servers": servers.collect::<Map<_, _>>() })
    }
}

/// All tables as one object, with a member for each workload, which has a member for each server.
pub(crate) fn json(tables: &[Table], versions: &[(&str, &str)], runs: usize) -> String {
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

/// Prints rows of cells as a table in Markdown. The first row is its head.
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
