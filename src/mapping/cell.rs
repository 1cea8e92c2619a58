//! From the text of a cell to a value.

use serde_json::{Number, Value};

use super::shown;
use crate::harmless;
use crate::json;

/// How the text of a cell is read. Nothing is trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellType {
    String,
    Int,
    Number,
    Bool,
    Json,
}

/// Why a cell is not of its type.
pub(super) struct BadCell {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl CellType {
    pub(super) const ALL: [Self; 5] = [Self::String, Self::Int, Self::Number, Self::Bool, Self::Json];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Json => "json",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Reads a cell that is not empty. A `is_private` value is described in errors, never quoted.
    pub(super) fn read(self, cell: &str, is_private: bool) -> Result<Value, BadCell> {
        let expected = match self {
            Self::String => return Ok(Value::String(cell.to_owned())),
            Self::Json => return read_json(cell, "expected one JSON value; text stands in quotes, as in `\"text\"`"),
            Self::Int => match number(cell).filter(|_| is_int(cell)) {
                Some(number) => return Ok(Value::Number(number)),
                None => {
                    "an int: digits only, such as `42` or `-7` (`:number` takes decimals, `:string` takes any text)"
                }
            },
            Self::Number => match number(cell) {
                Some(number) => return Ok(Value::Number(number)),
                None => "a number such as `42`, `0.5` or `-1e3` (`:string` takes any text)",
            },
            Self::Bool => match cell {
                _ if cell.eq_ignore_ascii_case("true") => return Ok(Value::Bool(true)),
                _ if cell.eq_ignore_ascii_case("false") => return Ok(Value::Bool(false)),
                _ => "a bool: `true` or `false`",
            },
        };
        let found = if is_private { "a private value".to_owned() } else { format!("`{}`", shown(cell)) };
        Err(BadCell { code: "invalid_cell", message: format!("found {found}, expected {expected}") })
    }
}

/// Reads a cell as one JSON value; `expected` is said where it is no JSON at all.
pub(super) fn read_json(cell: &str, expected: &str) -> Result<Value, BadCell> {
    json::parse(cell).map_err(|error| {
        let what = harmless::for_terminal_within(&error.what, 120);
        let code = match error.code() {
            "invalid_json" => "invalid_cell",
            code => code,
        };
        let way_out = match code {
            "duplicate_key" => "keep one of them",
            "too_deep" => "no metadata may nest deeper",
            _ => expected,
        };
        BadCell {
            code,
            message: format!("no JSON that is accepted: {what} (column {} of the cell); {way_out}", error.column),
        }
    })
}

/// A number as JSON writes it, with its exact text.
fn number(cell: &str) -> Option<Number> {
    let is_bare = cell.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    match json::parse(cell).ok().filter(|_| is_bare && cell.ends_with(|c: char| c.is_ascii_digit()))? {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

/// `-?(0|[1-9][0-9]*)`; a number is known to have no needless zero in front.
fn is_int(number: &str) -> bool {
    number.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
}
