//! Owns tables: columns as wide as they must be, two spaces between, nothing behind the last.

use std::fmt::Write as _;

use crate::printer::Tone;

/// A cell and the tone it has on a terminal.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Option<Tone>,
}

impl Cell {
    /// Makes a cell with a tone.
    pub(crate) fn toned(text: impl Into<String>, tone: Option<Tone>) -> Self {
        Self { text: text.into(), tone }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, tone: None }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

/// Rows below a head.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Makes a table with its head, in capitals as kubectl writes it.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|word| Cell::toned(*word, Some(Tone::Strong))).collect()] }
    }

    /// Adds a row; an empty cell is shown as a dash.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Returns the table as text.
    pub(crate) fn render(&self, color: bool) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| shown(cell).chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            for (at, cell) in row.iter().enumerate() {
                let text = shown(cell);
                let last = at + 1 == row.len();
                match cell.tone {
                    Some(tone) if color => out.push_str(&tone.wrap(text)),
                    _ => out.push_str(text),
                }
                if !last {
                    let pad = widths[at] - text.chars().count() + 2;
                    let _ = write!(out, "{:pad$}", "");
                }
            }
            out.push('\n');
        }
        out
    }
}

fn shown(cell: &Cell) -> &str {
    if cell.text.is_empty() { "-" } else { &cell.text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let mut table = Table::new(&["NAME", "HEALTH"]);
        table.row(vec!["a-long-name".into(), Cell::toned("Healthy", Some(Tone::Good))]);
        table.row(vec!["ü".into(), "".into()]);
        assert_eq!(table.render(false), "NAME         HEALTH\na-long-name  Healthy\nü            -\n");
        assert!(table.render(true).contains("\x1b[32mHealthy\x1b[0m"));
    }
}
