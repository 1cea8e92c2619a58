//! One line per input row, as CSV: the contract of `report --format csv`.
//!
//! Every row is one line of text, whatever its messages hold: control characters are written as escapes, and a cell
//! that a spreadsheet would take for a formula is defused.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::harmless::{for_spreadsheet, for_terminal};
use crate::outcome::Outcome;
use crate::report::{Destination, json};

/// The columns.
pub const HEADER: [&str; 10] =
    ["row", "line", "user_id", "match", "outcome", "code", "message", "attempts", "changed", "trace_id"];

/// What became of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowReport {
    /// Which record, counted from 1; in a rollback, which user.
    pub row: u64,
    /// The line on which it begins; `None` in a rollback.
    pub line: Option<u64>,
    /// The user, where one was found.
    pub user_id: Option<String>,
    /// The identity as it was given, `kind=value`, where there was one.
    pub identity: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// The word for machines that goes with the outcome, or nothing.
    pub code: String,
    /// What happened, or nothing.
    pub message: String,
    /// How many writes were tried.
    pub attempts: u32,
    /// The touched paths that differ, as they are written.
    pub changed: Vec<String>,
    /// Clerk's trace id, for their support.
    pub trace_id: Option<String>,
}

/// Writes rows as they come.
pub struct RowsCsv<W: Write> {
    csv: csv::Writer<W>,
    destination: Destination,
}

impl<W: Write> RowsCsv<W> {
    /// Writes the header.
    pub fn new(out: W, destination: Destination) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(HEADER)?;
        Ok(Self { csv, destination })
    }

    /// Writes one row.
    pub fn push(&mut self, report: &RowReport) -> io::Result<()> {
        let mut changed = Vec::new();
        json::write_value(&mut changed, &report.changed)?;
        let text = |cell: &str| -> Vec<u8> { defuse(cell, self.destination).into_bytes() };
        let number = |n: u64| n.to_string().into_bytes();
        self.csv.write_record([
            number(report.row),
            report.line.map(number).unwrap_or_default(),
            text(report.user_id.as_deref().unwrap_or_default()),
            text(report.identity.as_deref().unwrap_or_default()),
            text(report.outcome.word()),
            text(&report.code),
            text(&report.message),
            number(report.attempts.into()),
            changed,
            text(report.trace_id.as_deref().unwrap_or_default()),
        ])?;
        Ok(())
    }

    /// Writes what is still held back and gives the writer back.
    pub fn finish(self) -> io::Result<W> {
        self.csv.into_inner().map_err(|e| io::Error::new(e.error().kind(), e.error().to_string()))
    }
}

impl<W: Write> std::fmt::Debug for RowsCsv<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowsCsv").field("destination", &self.destination).finish_non_exhaustive()
    }
}

/// A cell that neither a spreadsheet nor a terminal obeys. A file keeps joiners and the like, so that a name can still
/// be looked up by what stands there; on a terminal they are escaped, too.
fn defuse(cell: &str, destination: Destination) -> String {
    let must_escape = destination.is_terminal() || cell.contains(char::is_control);
    let shown: Cow<'_, str> = if must_escape { for_terminal(cell).into() } else { cell.into() };
    for_spreadsheet(&shown).into_owned()
}

#[cfg(test)]
mod tests;
