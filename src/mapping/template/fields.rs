//! A record as templates see it.

use minijinja::value::Value as Engine;
use serde_json::Value;

use super::value::{Delete, Made, from_record, nothing, text_to_engine, to_engine};
use crate::row::Fields;
use crate::spec::Empty;

/// The fields of one record, by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'r> {
    fields: &'r Fields,
    header: &'r [String],
    empty: Empty,
}

impl<'r> Input<'r> {
    pub(super) const fn new(fields: &'r Fields, header: Option<&'r [String]>, empty: Empty) -> Self {
        let header = match header {
            Some(header) => header,
            None => &[],
        };
        Self { fields, header, empty }
    }

    /// What the column or member that holds the identity holds.
    pub(super) fn identity(&self, name: &str) -> Option<Value> {
        match self.fields {
            Fields::Cells(cells) => self.cell(cells, name).map(Value::from),
            Fields::Members(members) => members.get(name).cloned(),
        }
    }

    fn cell(&self, cells: &'r [String], name: &str) -> Option<&'r str> {
        let at = self.header.iter().position(|column| column == name)?;
        cells.get(at).map(String::as_str)
    }

    /// What a plain name or dotted path leads to, exactly as it is; `None` where it leads nowhere.
    pub(super) fn direct(&self, path: &[String]) -> Option<Made> {
        let (name, below) = path.split_first()?;
        match self.fields {
            Fields::Cells(cells) => {
                let cell = self.cell(cells, name).filter(|_| below.is_empty())?;
                Some(match self.empty {
                    Empty::Skip if cell.is_empty() => Made::Leave,
                    Empty::Delete if cell.is_empty() => Made::Delete,
                    _ => Made::Value(Value::from(cell)),
                })
            }
            Fields::Members(members) => {
                let mut value = members.get(name)?;
                for key in below {
                    match value {
                        Value::Object(members) => value = members.get(key)?,
                        Value::Null => return Some(Made::Leave),
                        _ => return None,
                    }
                }
                Some(from_record(value))
            }
        }
    }

    /// One field as the template engine sees it.
    pub(super) fn engine(&self, name: &str, orders: bool) -> Option<Engine> {
        match self.fields {
            Fields::Cells(cells) => self.cell(cells, name).map(|cell| self.cell_to_engine(cell)),
            Fields::Members(members) => members.get(name).map(|value| to_engine(value, orders)),
        }
    }

    /// The whole record as the template engine sees it.
    pub(super) fn whole(&self, orders: bool) -> Engine {
        match self.fields {
            Fields::Cells(cells) => {
                let pairs = self.header.iter().zip(cells);
                Engine::from_pairs(pairs.map(|(name, cell)| (name.clone(), self.cell_to_engine(cell))))
            }
            Fields::Members(members) => {
                Engine::from_pairs(members.iter().map(|(name, value)| (name.clone(), to_engine(value, orders))))
            }
        }
    }

    fn cell_to_engine(&self, cell: &str) -> Engine {
        match self.empty {
            Empty::Skip if cell.is_empty() => nothing(),
            Empty::Delete if cell.is_empty() => Engine::from_object(Delete),
            _ => text_to_engine(cell),
        }
    }

    /// Whether the record has such a field.
    pub(super) fn has(&self, name: &str) -> bool {
        match self.fields {
            Fields::Cells(_) => self.header.iter().any(|column| column == name),
            Fields::Members(members) => members.contains_key(name),
        }
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> Vec<&'r String> {
        match self.fields {
            Fields::Cells(_) => self.header.iter().collect(),
            Fields::Members(members) => members.keys().collect(),
        }
    }
}
