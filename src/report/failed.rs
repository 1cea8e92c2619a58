//! The rows that did not end well, as valid input: to be mended and fed back.
//!
//! What a row said is kept unchanged, to the byte; what became of it stands beside it under names that begin with
//! `metapatch_`, which are ignored on reading. What an earlier round wrote there is replaced. A record that could not be
//! read at all is kept in `metapatch_raw` and has no identity, so that it is rejected again rather than padded or cut
//! into something valid.

use std::io::{self, Write};

use crate::outcome::Outcome;
use crate::report::Destination;
use crate::row::Raw;

mod lines;
mod table;

/// What every name of ours begins with.
pub const PREFIX: &str = "metapatch_";

/// Where a record is kept that could not be read.
const RAW: &str = "metapatch_raw";

/// A row that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRow {
    /// The row as it stood in its source.
    pub raw: Raw,
    /// What became of it.
    pub outcome: Outcome,
    /// The word for machines that goes with the outcome.
    pub code: String,
    /// What is wrong and the way out.
    pub message: String,
}

/// How the rows are written: as the source wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Under a header.
    Table {
        /// The source's header: one name for each of a row's cells.
        header: Vec<String>,
        /// The names of columns that must not be written, such as those of password digests.
        withheld: Vec<String>,
        /// What stands between two cells: `,` or a tab.
        delimiter: u8,
        /// Whether any row could not be read as a record, so that there must be a column for it.
        any_unreadable: bool,
    },
    /// One JSON object a line.
    Lines,
}

/// Writes failed rows as they come.
pub struct FailedRows<W: Write>(Kind<W>);

enum Kind<W: Write> {
    Table(Box<table::Table<W>>),
    Lines(lines::Lines<W>),
}

impl<W: Write> FailedRows<W> {
    /// Writes the header, where there is one.
    pub fn new(out: W, shape: &Shape, destination: Destination) -> io::Result<Self> {
        let kind = match shape {
            Shape::Table { header, withheld, delimiter, any_unreadable } => {
                let columns = table::Columns::of(header, withheld, *any_unreadable);
                Kind::Table(Box::new(table::Table::new(out, columns, *delimiter, destination)?))
            }
            Shape::Lines => Kind::Lines(lines::Lines::new(out, destination)),
        };
        Ok(Self(kind))
    }

    /// Writes one row. A row that does not fit the header is an error of the kind `InvalidData`: nothing is written
    /// that could be taken for another row.
    pub fn push(&mut self, row: &FailedRow) -> io::Result<()> {
        match &mut self.0 {
            Kind::Table(table) => table.push(row),
            Kind::Lines(lines) => lines.push(row),
        }
    }

    /// Writes what is still held back and gives the writer back.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Kind::Table(table) => table.finish(),
            Kind::Lines(lines) => lines.finish(),
        }
    }
}

impl<W: Write> std::fmt::Debug for FailedRows<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FailedRows").finish_non_exhaustive()
    }
}

/// Whether a column or member holds private metadata by its name.
fn is_private(name: &str) -> bool {
    let first = name.split(['.', ':']).next().unwrap_or(name);
    matches!(first, "private" | "private_metadata")
}

fn misfit(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests;
