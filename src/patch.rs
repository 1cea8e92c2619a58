//! What a row wants: a merge patch for one or more of a user's metadata fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json::{self, JsonError};
use crate::path::{Field, Path};

/// How a row's values meet what a user holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Each field is merged as RFC 7396 says.
    #[default]
    Merge,
    /// Each given field becomes equal to the value shown.
    Replace,
}

/// A JSON Merge Patch (RFC 7396) for each of some metadata fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Patch {
    fields: BTreeMap<Field, Value>,
}

impl Patch {
    /// A patch of whole fields.
    pub fn new(fields: BTreeMap<Field, Map<String, Value>>) -> Self {
        Self { fields: fields.into_iter().map(|(field, members)| (field, Value::Object(members))).collect() }
    }

    /// Adds one value; null means that the key is to be removed.
    ///
    /// A path of no keys sets the whole field and expects an object.
    pub fn set(&mut self, path: &Path, value: Value) {
        let root = self.fields.entry(path.field).or_insert_with(|| Value::Object(Map::new()));
        crate::merge::put(root, &path.keys, value);
    }

    /// The fields spoken of and their patches, each an object.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &Value)> {
        self.fields.iter().map(|(field, value)| (*field, value))
    }

    /// Whether no field is spoken of.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The patch as JSON: the body that the API's `PATCH …/metadata` takes.
    pub fn to_json(&self) -> Value {
        self.fields().map(|(field, value)| (field.name().to_owned(), value.clone())).collect::<Map<_, _>>().into()
    }

    /// Reads what [`Self::to_json`] wrote; what stands there is checked like any input.
    pub fn from_json(text: &str) -> Result<Self, JsonError> {
        let refuse = |what: &str| JsonError { line: 1, column: 1, what: what.to_owned() };
        let Value::Object(members) = json::parse_stored(text)? else {
            return Err(refuse("a patch must be an object"));
        };
        let mut fields = BTreeMap::new();
        for (name, value) in members {
            let field = Field::from_name(&name).ok_or_else(|| refuse("not a metadata field"))?;
            if !value.is_object() {
                return Err(refuse("a metadata field must be an object"));
            }
            fields.insert(field, value);
        }
        Ok(Self { fields })
    }
}
