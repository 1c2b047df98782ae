//! Reports of a scenario as a table, and percentiles of latencies as figures.

use std::borrow::Cow;
use std::time::Duration;

use crate::common::figures::{Run, Runs, format_figure, median, percentile_ms};
use crate::common::log::Faults;
use crate::common::server::machine;

impl Run {
    /// Adds the median and the 99th percentile.
    pub(crate) fn add_latencies(&mut self, names: [&'static str; 2], mut latencies: Vec<Duration>) {
        latencies.sort_unstable();
        for (name, permille) in names.into_iter().zip([500, 990]) {
            self.add(name, percentile_ms(&latencies, permille));
        }
    }

    /// Adds the median, the 99th percentile and the maximum.
    pub(crate) fn add_latencies_to_max(&mut self, name: &str, mut latencies: Vec<Duration>) {
        latencies.sort_unstable();
        for (suffix, permille) in [("p50", 500), ("p99", 990), ("max", 1000)] {
            self.add(format!("{name}_ms_{suffix}"), percentile_ms(&latencies, permille));
        }
    }
}

/// All runs of a scenario.
pub(crate) struct Report {
    pub(crate) scenario: Cow<'static, str>,
    /// The conditions of the runs, in words.
    pub(crate) description: String,
    pub(crate) runs: Runs,
}

impl Report {
    pub(crate) fn faults(&self) -> Faults {
        self.runs.faults()
    }

    /// Prints a line for each figure, with its median and its value in each run.
    pub(crate) fn print(&self) {
        println!("\n{}: {}", self.scenario, self.description);
        println!("  {}", machine());
        println!("  {:<40}{:>14}   runs", "", "median");
        for (name, values) in self.runs.rows() {
            print!("  {name:<40}{:>14} ", format_figure(median(&values)));
            for value in values {
                print!("{:>14}", format_figure(value));
            }
            println!();
        }
        println!("  {}", self.faults());
    }

    /// The median of the figure with this name, which exists.
    pub(crate) fn median(&self, name: &str) -> f64 {
        self.runs.find_median(name).expect("a figure of this name")
    }
}
