//! The figures of several runs: their medians, as JSON, and as short text.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use super::log::Faults;

/// One figure of one run. Its name ends with its unit.
pub(crate) struct Figure {
    pub(crate) name: Cow<'static, str>,
    pub(crate) value: f64,
}

/// The figures and faults of one run.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) figures: Vec<Figure>,
    pub(crate) faults: Faults,
}

impl Run {
    pub(crate) fn add(&mut self, name: impl Into<Cow<'static, str>>, value: f64) {
        self.figures.push(Figure { name: name.into(), value });
    }

    pub(crate) fn find(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }

    pub(crate) fn add_bytes(&mut self, name: impl Into<Cow<'static, str>>, bytes: u64) {
        self.add(name, bytes as f64);
    }
}

/// All runs of a scenario with a server. Each has the same figures, in the same order.
#[derive(Default)]
pub(crate) struct Runs(pub(crate) Vec<Run>);

impl Runs {
    pub(crate) fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        self.0.iter().for_each(|run| faults.add(run.faults));
        faults
    }

    /// A JSON object: the faults, and for each figure its median and its values.
    pub(crate) fn json(&self) -> String {
        let Faults { lost, out_of_order, closed, other } = self.faults();
        let mut json =
            format!("{{\"lost\":{lost},\"out_of_order\":{out_of_order},\"closed\":{closed},\"other_faults\":{other}");
        for (name, values) in self.rows() {
            // Figures are finite, and names contain no character that JSON escapes.
            let _ = write!(json, ",\"{name}\":{{\"median\":{},\"runs\":{values:?}}}", median(&values));
        }
        json + "}"
    }

    /// The median of the figure with this name, if there is one.
    pub(crate) fn find_median(&self, name: &str) -> Option<f64> {
        self.rows().find(|(row, _)| *row == name).map(|(_, values)| median(&values))
    }

    /// Each figure with the values of all runs.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&str, Vec<f64>)> {
        let names = self.0.first().map_or(&[][..], |run| &run.figures).iter().map(|figure| &*figure.name);
        names.enumerate().map(|(row, name)| (name, self.0.iter().map(|run| run.figures[row].value).collect()))
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// A percentile of sorted latencies, in milliseconds: `permille` thousandths of them are at most this. 0 if there are none.
pub(crate) fn percentile_ms(sorted: &[Duration], permille: usize) -> f64 {
    let index = (sorted.len() * permille / 1000).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3
}

/// Formats a figure with three or four significant digits, and with commas between groups of three.
pub(crate) fn format_figure(value: f64) -> String {
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
