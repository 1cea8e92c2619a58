//! A job's `match` and `patch`: a tree of templates that makes an identity and a patch of each record.
//!
//! The invariants that a user leans on:
//!
//! - A lone expression (`"{{ seats }}"`) keeps its type, and numbers keep their exact decimal value.
//! - `{{ delete }}` is the only way to remove a key. A null or missing value means *leave alone*: the key is not in the
//!   patch. A text or an array of the patch is one value, so one null inside leaves all of it alone.
//! - A template cannot loop, reach files or the environment, or make a value beyond [`MAX_VALUE_BYTES`].
//!
//! In replace mode a key that is left alone is not in the value, and so is removed like any other that is not given.

mod compile;
mod environment;
mod expression;
mod fields;
mod tokens;
mod value;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::identity::{Identity, IdentityError, IdentityKind};
use crate::json;
use crate::nearest::nearest;
use crate::patch::Patch;
use crate::path::Field;
use crate::row::{Fields, Rejection, Row};
use crate::spec::Empty;
use compile::Compiler;
use expression::Part;
use fields::Input;
use value::Made;

/// The most that one expression may make, in bytes. A metadata field holds 8192.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// The longest template, in bytes.
const MAX_TEMPLATE_BYTES: usize = 4096;

/// Why a `match` and `patch` make no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Something in the patch.
    #[error("`{}`: {what}", shown(keys))]
    Patch {
        /// The keys that lead to it, from the metadata field on; an index of an array is a key, too.
        keys: Vec<String>,
        /// What is wrong and the way out.
        what: String,
    },
    /// The column that holds the identity is not in the header.
    #[error("{what}")]
    Column {
        /// What is wrong and the way out.
        what: String,
    },
}

fn shown(keys: &[String]) -> String {
    if keys.is_empty() { "patch".to_owned() } else { keys.join(".") }
}

/// A compiled `match` and `patch`.
#[derive(Debug)]
pub struct Template {
    identity: IdentityKind,
    column: String,
    fields: Vec<(Field, Node)>,
    empty: Empty,
}

/// A compiled part of the patch.
#[derive(Debug)]
enum Node {
    /// The same for every record.
    Constant(Value),
    /// Made of each record.
    Leaf { at: String, parts: Vec<Part>, is_private: bool },
    /// Members that are made one by one.
    Object(Vec<(String, Node)>),
    /// Items that together are one value.
    Array { at: String, items: Vec<Node> },
}

impl Template {
    /// Compiles a patch: an object of metadata fields, in which strings are templates and everything else stands for
    /// itself.
    ///
    /// Where the header of the input is known, every column that is spoken of must be in it.
    pub fn new(
        identity: IdentityKind,
        column: &str,
        patch: &Value,
        empty: Empty,
        header: Option<&[String]>,
    ) -> Result<Self, TemplateError> {
        if let Some(header) = header.filter(|header| !header.iter().any(|name| name == column)) {
            let what = format!("the input has no column `{column}`{}", did_you_mean(column, header));
            return Err(TemplateError::Column { what });
        }
        let compiler = Compiler { header };
        let fields = compiler.fields(patch).map_err(|(keys, what)| TemplateError::Patch { keys, what })?;
        Ok(Self { identity, column: column.to_owned(), fields, empty })
    }

    /// Makes an identity and a patch of one record. CSV cells need the header that they stand under.
    pub fn row(&self, fields: &Fields, header: Option<&[String]>) -> Result<Row, Rejection> {
        let input = Input::new(fields, header, self.empty);
        let identity = self.identity(&input)?;
        let mut patch = BTreeMap::new();
        for (field, node) in &self.fields {
            match node.make(&input)? {
                Made::Leave => {}
                Made::Value(Value::Object(members)) => {
                    patch.insert(*field, members);
                }
                Made::Delete => return Err(bad_value(field.name(), "a whole metadata field cannot be deleted")),
                Made::Value(_) => return Err(bad_value(field.name(), "a metadata field must be an object")),
            }
        }
        if patch.values().any(|members| !members.values().all(json::is_shallow)) {
            return Err(Rejection::new("invalid_template_value", "the patch nests deeper than 128 levels"));
        }
        Ok(Row { identity, patch: Patch::new(patch) })
    }

    fn identity(&self, input: &Input<'_>) -> Result<Identity, Rejection> {
        let missing = |what: &str| {
            let (column, kind) = (&self.column, self.identity);
            let message = format!("{what} `{column}`, which is the {kind} of this job");
            Rejection::new("missing_identity", message).at(column)
        };
        let value = match input.identity(&self.column) {
            None => return Err(missing("the record has no")),
            Some(Value::Null) => return Err(missing("there is nothing in")),
            Some(Value::String(text)) if text.is_empty() => return Err(missing("there is nothing in")),
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) if is_integer(number.as_str()) => number.to_string(),
            Some(_) => {
                let message = format!("expected a string or a whole number in `{}`", self.column);
                return Err(Rejection::new("invalid_identity", message).at(&self.column));
            }
        };
        Identity::new(self.identity, value).map_err(|error: IdentityError| {
            Rejection::new("invalid_identity", format!("{error} (in `{}`)", self.column)).at(&self.column)
        })
    }
}

fn is_integer(text: &str) -> bool {
    text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit())
}

fn bad_value(at: &str, what: &str) -> Rejection {
    Rejection::new("invalid_template_value", format!("`{at}`: {what}"))
}

fn did_you_mean<'n>(name: &str, names: impl IntoIterator<Item = &'n String>) -> String {
    // The columns of a file of failed rows are nobody's to use.
    let names = names.into_iter().map(String::as_str).filter(|name| !name.starts_with("metapatch_"));
    nearest(name, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

impl Node {
    fn make(&self, input: &Input<'_>) -> Result<Made, Rejection> {
        match self {
            Self::Constant(value) => Ok(Made::Value(value.clone())),
            Self::Leaf { at, parts, is_private } => expression::make(parts, input, *is_private)
                .map_err(|it| Rejection { message: format!("`{at}`: {}", it.message), ..it }),
            Self::Object(members) => {
                let mut object = Map::new();
                for (key, node) in members {
                    match node.make(input)? {
                        Made::Leave => continue,
                        Made::Delete => object.insert(key.clone(), Value::Null),
                        Made::Value(value) => object.insert(key.clone(), value),
                    };
                }
                // An object of which nothing is left would be created where there is none yet.
                Ok(if object.is_empty() { Made::Leave } else { Made::Value(Value::Object(object)) })
            }
            Self::Array { at, items } => {
                let mut array = Vec::with_capacity(items.len());
                for node in items {
                    match node.item(input)? {
                        Made::Leave => return Ok(Made::Leave),
                        Made::Delete => {
                            return Err(bad_value(at, "an array is replaced as a whole; nothing in it can be deleted"));
                        }
                        Made::Value(value) => array.push(value),
                    }
                }
                Ok(Made::Value(Value::Array(array)))
            }
        }
    }

    /// Makes something that stands inside an array, where an object is all or nothing.
    fn item(&self, input: &Input<'_>) -> Result<Made, Rejection> {
        let Self::Object(members) = self else { return self.make(input) };
        let mut object = Map::new();
        for (key, node) in members {
            match node.item(input)? {
                Made::Value(value) => object.insert(key.clone(), value),
                other => return Ok(other),
            };
        }
        Ok(Made::Value(Value::Object(object)))
    }
}

#[cfg(test)]
mod tests;
