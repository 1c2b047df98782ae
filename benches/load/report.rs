//! Figures: medians over runs, for people as a table and for programs as JSON.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use crate::server::machine;
use crate::wire::Faults;

/// One figure of one run; the name says the unit.
pub(crate) struct Figure {
    pub(crate) name: Cow<'static, str>,
    pub(crate) value: f64,
}

/// What one run came to.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) figures: Vec<Figure>,
    pub(crate) faults: Faults,
}

impl Run {
    pub(crate) fn add(&mut self, name: impl Into<Cow<'static, str>>, value: f64) {
        self.figures.push(Figure { name: name.into(), value });
    }

    pub(crate) fn add_bytes(&mut self, name: impl Into<Cow<'static, str>>, bytes: u64) {
        self.add(name, bytes as f64);
    }

    /// Adds the median and the 99th percentile.
    pub(crate) fn add_latencies(&mut self, names: [&'static str; 2], mut latencies: Vec<Duration>) {
        latencies.sort_unstable();
        for (name, percent) in names.into_iter().zip([50, 99]) {
            self.add(name, percentile_ms(&latencies, percent));
        }
    }

    /// Adds the median, the 99th percentile and the longest.
    pub(crate) fn add_latencies_to_max(&mut self, name: &str, mut latencies: Vec<Duration>) {
        latencies.sort_unstable();
        for (suffix, percent) in [("p50", 50), ("p99", 99), ("max", 100)] {
            self.add(format!("{name}_ms_{suffix}"), percentile_ms(&latencies, percent));
        }
    }
}

fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3
}

/// All runs of a scenario.
pub(crate) struct Report {
    pub(crate) scenario: Cow<'static, str>,
    /// What was run, in words.
    pub(crate) description: String,
    pub(crate) runs: Vec<Run>,
}

impl Report {
    pub(crate) fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        self.runs.iter().for_each(|run| faults.add(run.faults));
        faults
    }

    /// A table: a line for each figure, with its median and what each run came to.
    pub(crate) fn print(&self) {
        println!("\n{}: {}", self.scenario, self.description);
        println!("  {}", machine());
        println!("  {:<40}{:>14}   runs", "", "median");
        for (name, values) in self.rows() {
            print!("  {name:<40}{:>14} ", for_people(median(&values)));
            for value in values {
                print!("{:>14}", for_people(value));
            }
            println!();
        }
        println!("  {}", self.faults());
    }

    /// A JSON object: for each figure its median, and those of each run.
    pub(crate) fn json(&self) -> String {
        let Faults { lost, disorderly, closed, other } = self.faults();
        let mut json =
            format!("{{\"lost\":{lost},\"out_of_order\":{disorderly},\"closed\":{closed},\"other_faults\":{other}");
        for (name, values) in self.rows() {
            // A figure is a finite number, and a name has nothing in it to be escaped.
            let _ = write!(json, ",\"{name}\":{{\"median\":{},\"runs\":{values:?}}}", median(&values));
        }
        json + "}"
    }

    /// The median of a figure.
    pub(crate) fn median(&self, name: &str) -> f64 {
        self.find_median(name).expect("a figure of this name")
    }

    /// The median of a figure, if there is one of this name.
    pub(crate) fn find_median(&self, name: &str) -> Option<f64> {
        self.rows().find(|(row, _)| *row == name).map(|(_, values)| median(&values))
    }

    /// What the figures are called.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.rows().map(|(name, _)| name).collect()
    }

    fn rows(&self) -> impl Iterator<Item = (&str, Vec<f64>)> {
        let names = self.runs.first().map_or(&[][..], |run| &run.figures).iter().map(|figure| &*figure.name);
        names.enumerate().map(|(row, name)| (name, self.runs.iter().map(|run| run.figures[row].value).collect()))
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// With as many digits as mean something.
pub(crate) fn for_people(value: f64) -> String {
    let decimals = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 4,
    };
    let digits = format!("{value:.decimals$}");
    let whole = digits.split('.').next().unwrap_or_default();
    if whole.len() < 5 { digits } else { grouped(whole) }
}

fn grouped(digits: &str) -> String {
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
