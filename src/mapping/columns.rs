//! The mapping of a plain CSV file: its header says what each column means.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cell::{self, BadCell, CellType};
use super::error::MappingError;
use super::header::{self, Role};
use super::keep::Keep;
use super::{export, identity, name, shown, what};
use crate::identity::IdentityKind;
use crate::json::MAX_DEPTH;
use crate::nearest::nearest;
use crate::patch::Patch;
use crate::path::{Field, Path};
use crate::row::{Fields, Rejection, Row};
use crate::spec::Empty;

/// What the columns of one header mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    header: Vec<String>,
    identity: (usize, IdentityKind),
    setters: Vec<Setter>,
    empty: Empty,
    /// The columns of a Dashboard export that are left out; none where it is no export.
    left_out: Vec<String>,
    keep: Keep,
}

/// A column that sets a value.
#[derive(Debug, Clone, PartialEq)]
struct Setter {
    index: usize,
    path: Path,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Value(CellType),
    Whole,
}

impl Columns {
    /// Reads a header. Every column must be the identity, a metadata path, an export's own, or ignored.
    pub fn new(header: &[String], empty: Empty, ignore: &[String]) -> Result<Self, MappingError> {
        check_ignored(header, ignore)?;
        let is_ignored = |name: &str| ignore.iter().any(|ignored| ignored == name);
        let names: Vec<&str> = header.iter().map(String::as_str).filter(|name| !is_ignored(name)).collect();
        let is_export = export::is_export(&names);
        let mut found = Found::default();
        for (index, name) in header.iter().enumerate() {
            if is_ignored(name) {
                continue;
            }
            if is_export && export::is_own_column(name) {
                found.left_out.push(name.clone());
            } else {
                found.add(index, name)?;
            }
        }
        found.finish(header, empty, is_export)
    }

    /// What a record asks for, or why it is refused.
    pub fn row(&self, fields: &Fields) -> Result<Row, Rejection> {
        let Fields::Cells(cells) = fields else {
            return Err(Rejection::new("wrong_field_count", "expected cells, found a JSON object"));
        };
        let (index, kind) = self.identity;
        let identity = identity(kind, self.cell(cells, index)?, &self.header[index])?;
        let mut patch = Patch::default();
        for setter in &self.setters {
            let cell = self.cell(cells, setter.index)?;
            let refuse = |bad: BadCell| Rejection::new(bad.code, bad.message).at(name(&self.header[setter.index]));
            let value = setter.value(cell, self.empty).map_err(refuse)?;
            if let Some(value) = value {
                patch.set(&setter.path, value);
            }
        }
        Ok(Row { identity, patch })
    }

    fn cell<'c>(&self, cells: &'c [String], index: usize) -> Result<&'c str, Rejection> {
        cells.get(index).map(String::as_str).ok_or_else(|| {
            let message = format!("expected {} fields, found {}", self.header.len(), cells.len());
            Rejection::new("wrong_field_count", message)
        })
    }

    /// The columns that set a path below a metadata field.
    pub fn path_columns(&self) -> Vec<&str> {
        let paths = self.setters.iter().filter(|setter| setter.kind != Kind::Whole);
        paths.map(|setter| self.header[setter.index].as_str()).collect()
    }

    /// Whether any column sets a path below a metadata field.
    pub fn has_paths(&self) -> bool {
        !self.path_columns().is_empty()
    }

    /// What is worth saying once, as lower-case fragments.
    pub fn notices(&self) -> Vec<String> {
        let list = |names: &[String]| names.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", ");
        let mut notices = Vec::new();
        if !self.left_out.is_empty() {
            let names = list(&self.left_out);
            notices.push(format!("an export of the Clerk Dashboard: `id` is the user_id; left out: {names}"));
        }
        if self.setters.is_empty() {
            notices.push(
                "the header has no metadata column, such as `public_metadata.role`; no row changes anything".to_owned(),
            );
        }
        if !self.keep.withheld().is_empty() {
            let names = list(self.keep.withheld());
            notices.push(format!("kept in no run file and no report, because the names look like secrets: {names}"));
        }
        notices
    }

    pub(super) const fn keeper(&self) -> &Keep {
        &self.keep
    }
}

fn check_ignored(header: &[String], ignore: &[String]) -> Result<(), MappingError> {
    let Some(name) = ignore.iter().find(|name| !header.contains(name)) else {
        return Ok(());
    };
    let nearest = nearest(name, header.iter().map(String::as_str)).map(str::to_owned);
    Err(MappingError::NothingToIgnore { name: name.clone(), nearest })
}

/// What was found in a header so far.
#[derive(Default)]
struct Found {
    identities: Vec<(usize, IdentityKind)>,
    setters: Vec<Setter>,
    unknown: Vec<usize>,
    left_out: Vec<String>,
}

impl Found {
    fn add(&mut self, index: usize, name: &str) -> Result<(), MappingError> {
        match header::role(name)? {
            Role::Identity(kind) => self.identities.push((index, kind)),
            Role::Value(path, kind) => self.setters.push(Setter { index, path, kind: Kind::Value(kind) }),
            Role::Whole(field) => self.setters.push(Setter { index, path: Path::root(field), kind: Kind::Whole }),
            Role::Internal => {}
            Role::Unknown if name == export::ID => self.identities.push((index, IdentityKind::UserId)),
            Role::Unknown => self.unknown.push(index),
        }
        Ok(())
    }

    fn finish(self, header: &[String], empty: Empty, is_export: bool) -> Result<Columns, MappingError> {
        if !self.unknown.is_empty() {
            let columns = self.unknown.iter().map(|index| header::unknown(&header[*index]));
            return Err(MappingError::UnknownColumns(columns.collect()));
        }
        let identity = match self.identities.as_slice() {
            [] => return Err(MappingError::NoIdentity),
            [only] => *only,
            [first, second, ..] => {
                let name = |(index, _): &(usize, IdentityKind)| header[*index].clone();
                return Err(MappingError::SeveralIdentities(name(first), name(second)));
            }
        };
        refuse_overlaps(header, &self.setters)?;
        let is_needed = |index| index == identity.0 || self.setters.iter().any(|setter| setter.index == index);
        let keep = Keep::cells(header, is_export, is_needed);
        let Self { setters, left_out, .. } = self;
        Ok(Columns { header: header.to_vec(), identity, setters, empty, left_out, keep })
    }
}

/// Two columns must not set the same value, nor one what the other is part of: which comes last would decide.
fn refuse_overlaps(header: &[String], setters: &[Setter]) -> Result<(), MappingError> {
    let mut by_path: BTreeMap<(&Path, usize), &Setter> = BTreeMap::new();
    by_path.extend(setters.iter().map(|setter| ((&setter.path, setter.index), setter)));
    let sorted: Vec<&Setter> = by_path.into_values().collect();
    // In this order a path stands right before those it leads to.
    for pair in sorted.windows(2) {
        let (outer, inner) = (pair[0], pair[1]);
        if outer.path.covers(&inner.path) {
            let name = |setter: &Setter| header[setter.index].clone();
            let path = inner.path.to_string();
            return Err(MappingError::Overlap { outer: name(outer), inner: name(inner), path });
        }
    }
    Ok(())
}

impl Setter {
    /// The value of a cell; `None` leaves the key alone.
    fn value(&self, cell: &str, empty: Empty) -> Result<Option<Value>, BadCell> {
        if cell.is_empty() {
            return self.empty(empty);
        }
        let Kind::Value(kind) = self.kind else {
            return whole(cell).map(Some);
        };
        let value = kind.read(cell, self.path.field == Field::Private)?;
        if kind == CellType::Json && self.path.keys.len() + depth(&value) > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels below the field; no metadata may nest deeper");
            return Err(BadCell { code: "too_deep", message });
        }
        Ok(Some(value))
    }

    fn empty(&self, empty: Empty) -> Result<Option<Value>, BadCell> {
        let refuse = |message: &str| Err(BadCell { code: "invalid_cell", message: message.to_owned() });
        match (empty, self.kind) {
            (Empty::Skip, _) => Ok(None),
            (Empty::Delete, Kind::Value(_)) => Ok(Some(Value::Null)),
            (Empty::Delete, Kind::Whole) => refuse(
                "an empty cell cannot delete a whole metadata field; write the keys to delete, as in `{\"key\":null}`, \
                 or `{}` to leave the field alone",
            ),
            (Empty::String, Kind::Value(CellType::String)) => Ok(Some(Value::String(String::new()))),
            (Empty::String, _) => refuse(
                "an empty cell is the empty string here (`--empty string`), and this column holds no strings; fill the \
                 cell, or use `--empty skip` or `--empty delete`",
            ),
        }
    }
}

/// Reads a whole metadata field.
fn whole(cell: &str) -> Result<Value, BadCell> {
    let value = cell::read_json(cell, "expected a JSON object such as `{\"role\":\"editor\"}`")?;
    if value.is_object() {
        return Ok(value);
    }
    let found = what(&value);
    let message =
        format!("a whole metadata field must be a JSON object such as `{{\"role\":\"editor\"}}`; found {found}");
    Err(BadCell { code: "invalid_field", message })
}

/// How many arrays and objects stand inside one another. What was parsed is bounded, and so is this recursion.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
