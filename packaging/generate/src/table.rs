//! Tables, in tbl(7).

use crate::mdoc::{Page, UNBROKEN_MAX};

/// Columns of a terminal that a table can fill, at 80 columns.
const WIDTH: usize = 72;

/// Spaces between two columns of a table.
const GAP: usize = 3;

/// The smallest width of a column whose text is broken into lines.
const WRAPPED_MIN: usize = 12;

/// A cell: its source, and the width of its longest line when it is printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) width: usize,
}

/// A table. The first row is the heading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn render(&self, page: &mut Page) {
        let widths = self.widths();
        let is_wrapped = |cell: &Cell, column: usize| cell.width > widths[column];
        let is_any_wrapped = |row: &Vec<Cell>| row.iter().enumerate().any(|(column, cell)| is_wrapped(cell, column));
        let has_wrapped = self.rows.iter().any(is_any_wrapped);
        let has_wrapped_heading = self.rows.first().is_some_and(is_any_wrapped);
        page.line(".TS");
        let format =
            |modifier: &str| widths.iter().map(|width| format!("l{modifier}w({width}n)")).collect::<Vec<_>>().join(" ");
        page.line(&format("b"));
        page.line(&format!("{}.", format("")));
        for (number, row) in self.rows.iter().enumerate() {
            if number > usize::from(!has_wrapped_heading) && has_wrapped {
                // An empty row, so that it is visible where a row ends.
                page.line("\\&");
            }
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                line.push_str(if column == 0 { "" } else { "\t" });
                if is_wrapped(cell, column) {
                    page.line(&format!("{line}T{{"));
                    // A code that is as wide as the column is broken nevertheless.
                    let is_narrow = widths[column] < UNBROKEN_MAX;
                    page.fill(&if is_narrow { cell.text.replace("\\~", " ") } else { cell.text.clone() });
                    line.clear();
                    line.push_str("T}");
                } else {
                    // A row is not a macro.
                    line.push_str(if cell.text.starts_with(['.', '\'']) { "\\&" } else { "" });
                    line.push_str(&cell.text);
                }
            }
            page.line(&line);
        }
        page.line(".TE");
    }

    /// The widths of the columns: the widest are made narrower until the table fits.
    fn widths(&self) -> Vec<usize> {
        let count = self.rows.first().map_or(0, Vec::len);
        let natural = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width).max();
        let mut widths: Vec<_> = (0..count).map(|column| natural(column).unwrap_or_default().max(1)).collect();
        let room = WIDTH.saturating_sub(GAP * count.saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            let Some(widest) = widths.iter_mut().max().filter(|width| **width > WRAPPED_MIN) else { break };
            *widest -= 1;
        }
        widths
    }
}
