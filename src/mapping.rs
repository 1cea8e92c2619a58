//! From the fields of a record to a row: whom it speaks of and what it wants.
//!
//! A mapping is made once, from the run's settings and the source's header, and everything that is wrong with the
//! header as a whole is an error then. After that it turns each record into a row or into a rejection, and it knows
//! which parts of a record must never be kept.

use serde_json::Value;

use crate::identity::{Identity, IdentityError, IdentityKind};
use crate::row::{Fields, Raw, Rejection, Row};
use crate::spec::MappingSpec;

mod body;
mod cell;
mod columns;
mod error;
mod export;
mod header;
mod keep;
pub mod template;

pub use body::Body;
pub use columns::Columns;
pub use error::{MappingError, UnknownColumn};
pub use keep::Keep;

use template::Template;

/// What the file of failed rows adds to a record begins with this, and is ignored on reading.
const INTERNAL: &str = "metapatch_";

/// How records become rows.
#[derive(Debug)]
pub enum Mapping {
    /// The CSV header says it all.
    Columns(Columns),
    /// Each JSON object is the API's own body plus the identity.
    Body(Body),
    /// A job's templates.
    Templated(Templated),
}

/// A job's templates, with the header that its source turned out to have.
#[derive(Debug)]
pub struct Templated {
    template: Template,
    header: Option<Vec<String>>,
    keep: Keep,
}

impl Templated {
    fn new(template: Template, column: &str, header: Option<&[String]>) -> Self {
        let keep = match header {
            Some(header) => {
                let is_export = header.iter().any(|name| export::holds_digests(name));
                Keep::cells(header, is_export, |index| header[index] == column)
            }
            None => Keep::members([column]),
        };
        Self { template, header: header.map(<[String]>::to_vec), keep }
    }
}

impl Mapping {
    /// Makes the mapping for a source; `header` is that of a CSV source and `None` for NDJSON.
    pub fn new(spec: &MappingSpec, header: Option<&[String]>) -> Result<Self, MappingError> {
        match (spec, header) {
            (MappingSpec::Header { empty, ignore_columns }, Some(header)) => {
                Columns::new(header, *empty, ignore_columns).map(Self::Columns)
            }
            (MappingSpec::Header { .. }, None) => Err(MappingError::NoHeader),
            (MappingSpec::Body, None) => Ok(Self::Body(Body::new())),
            (MappingSpec::Body, Some(_)) => Err(MappingError::NoObjects),
            (MappingSpec::Template { identity, column, patch, empty }, header) => {
                let template = Template::new(*identity, column, patch, *empty, header)?;
                Ok(Self::Templated(Templated::new(template, column, header)))
            }
        }
    }

    /// What a record asks for, or why it is refused.
    pub fn row(&self, fields: &Fields) -> Result<Row, Rejection> {
        match self {
            Self::Columns(columns) => columns.row(fields),
            Self::Body(body) => body.row(fields),
            Self::Templated(templated) => templated.template.row(fields, templated.header.as_deref()),
        }
    }

    /// What is worth saying once before the rows are read, as lower-case fragments.
    pub fn notices(&self) -> Vec<String> {
        match self {
            Self::Columns(columns) => columns.notices(),
            Self::Body(_) | Self::Templated(_) => Vec::new(),
        }
    }

    /// The columns that set a path below a metadata field, as they are called in the header: what `--mode replace`
    /// refuses, because it speaks of whole fields.
    pub fn path_columns(&self) -> Vec<&str> {
        match self {
            Self::Columns(columns) => columns.path_columns(),
            Self::Body(_) | Self::Templated(_) => Vec::new(),
        }
    }

    /// The columns that look like secrets and that no row needs: their content is kept nowhere.
    pub fn withheld(&self) -> &[String] {
        self.keeper().withheld()
    }

    /// The header of what [`Self::keep`] keeps; empty for NDJSON.
    pub fn kept_header(&self) -> &[String] {
        self.keeper().header()
    }

    /// The part of a raw record that may be kept for the file of failed rows.
    pub fn keep(&self, raw: Raw) -> Raw {
        self.keeper().keep(raw)
    }

    fn keeper(&self) -> &Keep {
        match self {
            Self::Columns(columns) => columns.keeper(),
            Self::Body(body) => body.keeper(),
            Self::Templated(templated) => &templated.keep,
        }
    }
}

/// Checks an identifier that a record gives.
fn identity(kind: IdentityKind, value: &str, column: &str) -> Result<Identity, Rejection> {
    Identity::new(kind, value.to_owned()).map_err(|error| {
        let (code, message) = match error {
            IdentityError::Empty(_) => ("missing_identity", format!("{error}; every row must say whom it speaks of")),
            IdentityError::NotAnId => (
                "invalid_identity",
                format!("{error}; found `{}`; an id of your own system is an `external_id`", shown(value)),
            ),
            _ => ("invalid_identity", format!("{error}; found `{}`", shown(value))),
        };
        Rejection::new(code, message).at(name(column))
    })
}

/// What kind of JSON value it is, with its article.
const fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Text from the source as it is quoted in a message: short, and harmless for a terminal.
fn shown(text: &str) -> String {
    shown_within(text, 60)
}

/// The name of a column or key as a rejection keeps it for each row it refuses.
fn name(text: &str) -> String {
    shown_within(text, 200)
}

fn shown_within(text: &str, width: usize) -> String {
    // Escapes only make it longer, so more letters than are shown never matter.
    let head: String = text.chars().take(width + 1).collect();
    crate::harmless::for_terminal_within(&head, width)
}

#[cfg(test)]
mod tests;
