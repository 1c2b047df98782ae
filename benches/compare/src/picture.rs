//! The picture of the comparison: for each number of readers, the deliveries per second of each server, and their cost. Its
//! colours follow the colour scheme of the page that shows it, light or dark.

use std::fmt::Write as _;

use crate::common::figures::format_figure;
use crate::table::Table;
use crate::workload::{COST, RATE};

/// The workloads shown, one below the other, with their titles.
const SHOWN: [(&str, &str); 2] = [("saturated-1000", "1,000 readers"), ("saturated-10000", "10,000 readers")];

const WIDTH: usize = 860;
const NAME_WIDTH: usize = 80;
const PANEL_WIDTH: usize = (WIDTH - NAME_WIDTH) / 2;
/// The length of the longest bar. The space to its right is for the figure.
const BAR_WIDTH: usize = PANEL_WIDTH - 90;
const ROW_HEIGHT: usize = 24;
const BAR_HEIGHT: usize = 16;
const HEAD_HEIGHT: usize = 58;

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.head{font-weight:600}.quiet{fill:#57606a}\
.bar{fill:#8c959f}.chinwag{fill:#1f7a4d}.limit{fill:none;stroke:#8c959f;stroke-dasharray:3 2}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9198a1}.bar{fill:#6e7681}.chinwag{fill:#3fb67c}\
.limit{fill:none;stroke:#9198a1}}";

/// Draws those of [`SHOWN`] that were run; `None` if none was.
pub(crate) fn draw(tables: &[Table]) -> Option<String> {
    let shown = SHOWN.iter().filter_map(|(name, title)| {
        let table = tables.iter().find(|table| table.workload == *name)?;
        Some((*title, table.medians(RATE), table.medians(COST)))
    });
    let mut body = String::new();
    let mut top = 0;
    for (title, rates, costs) in shown {
        draw_panel(&mut body, top, 0, &format!("{title}: million deliveries/s"), "more is better", &in_millions(rates));
        draw_panel(&mut body, top, 1, "server CPU per delivery, µs", "less is better", &costs);
        top += HEAD_HEIGHT + costs.len() * ROW_HEIGHT;
    }
    (top > 0).then(|| {
        let height = top + 10;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             role=\"img\" aria-label=\"Deliveries per second and CPU time per delivery, by server\">\n\
             <style>{STYLE}</style>\n{body}</svg>\n"
        )
    })
}

fn in_millions(rates: Vec<(&'static str, f64)>) -> Vec<(&'static str, f64)> {
    rates.into_iter().map(|(server, rate)| (server, rate / 1e6)).collect()
}

/// Adds a bar for each server. The first column shows their names too.
fn draw_panel(out: &mut String, top: usize, column: usize, head: &str, note: &str, bars: &[(&str, f64)]) {
    let left = NAME_WIDTH + column * PANEL_WIDTH;
    let most = bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let _ = writeln!(out, "<text class=\"head\" x=\"{left}\" y=\"{}\">{head}</text>", top + 24);
    let _ = writeln!(out, "<text class=\"quiet\" x=\"{left}\" y=\"{}\">{note}</text>", top + 42);
    for (row, &(server, value)) in bars.iter().enumerate() {
        let y = top + HEAD_HEIGHT + row * ROW_HEIGHT;
        let baseline = y + BAR_HEIGHT - 3;
        // So that even the shortest bar is visible.
        let width = (value / most * BAR_WIDTH as f64).max(1.5);
        if column == 0 {
            let _ = writeln!(out, "<text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\">{server}</text>", left - 8);
        }
        let class = match server {
            "chinwag" => "chinwag",
            "relay" => "limit",
            _ => "bar",
        };
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{left}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\" rx=\"2\"/>\
             <text class=\"quiet\" x=\"{:.1}\" y=\"{baseline}\">{}</text>",
            left as f64 + width + 6.0,
            format_figure(value)
        );
    }
}
