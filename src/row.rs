//! One input record, from the file it stood in to what it asks for.

use serde_json::{Map, Value};

use crate::identity::Identity;
use crate::patch::Patch;

/// Where a record stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Which record it is, counted from 1; blank lines and the header do not count.
    pub row: u64,
    /// The line on which it begins, counted from 1.
    pub line: u64,
}

/// One record as a source yields it. A bad one is data: it is counted, stored and reported, never a crash.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Where it stood.
    pub origin: Origin,
    /// Its fields, or why it could not be read as a record at all.
    pub fields: Result<Fields, Rejection>,
    /// The record as it stood in the source, for the file of failed rows.
    pub raw: Raw,
}

/// The fields of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Fields {
    /// The cells of a CSV record, one for each column of the header.
    Cells(Vec<String>),
    /// The members of a JSON object.
    Members(Map<String, Value>),
}

/// A record as it stood in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    /// The cells of a CSV record.
    Cells(Vec<String>),
    /// A line that holds one JSON object.
    Object(String),
    /// Bytes that could not be read as a record.
    Unreadable(Vec<u8>),
    /// Left out, because it may hold a password digest.
    Withheld,
}

/// A record that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Whom it speaks of.
    pub identity: Identity,
    /// What it wants.
    pub patch: Patch,
}

/// Why a record is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// A word for machines, such as `invalid_cell`.
    pub code: &'static str,
    /// The column, where one is to blame: a CSV header, a JSON path, or a number of bytes into the line.
    pub column: Option<String>,
    /// What is wrong and the way out, as a lower-case fragment.
    pub message: String,
}

impl Rejection {
    /// A rejection that no single column is to blame for.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, column: None, message: message.into() }
    }

    /// The same rejection, with the column to blame.
    #[must_use]
    pub fn at(self, column: impl Into<String>) -> Self {
        Self { column: Some(column.into()), ..self }
    }
}
