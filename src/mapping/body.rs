//! The mapping of plain NDJSON: each object is the body that the API's `PATCH …/metadata` takes, plus the identity.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::keep::Keep;
use super::{INTERNAL, identity, name, shown, what};
use crate::identity::{Identity, IdentityKind};
use crate::nearest::nearest;
use crate::patch::Patch;
use crate::path::Field;
use crate::row::{Fields, Rejection, Row};

/// Objects that name an identity and metadata fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Body {
    keep: Keep,
}

impl Body {
    /// There is nothing to choose.
    pub fn new() -> Self {
        Self { keep: Keep::members([]) }
    }

    /// What a record asks for, or why it is refused.
    pub fn row(&self, fields: &Fields) -> Result<Row, Rejection> {
        let Fields::Members(members) = fields else {
            return Err(Rejection::new("not_an_object", "expected a JSON object, found cells"));
        };
        refuse_unknown(members)?;
        let identity = identify(members)?;
        let mut patch = BTreeMap::new();
        for field in Field::ALL {
            if let Some(value) = members.get(field.name()) {
                patch.insert(field, object(field, value)?);
            }
        }
        Ok(Row { identity, patch: Patch::new(patch) })
    }

    pub(super) const fn keeper(&self) -> &Keep {
        &self.keep
    }
}

fn is_valid(key: &str) -> bool {
    IdentityKind::from_name(key).is_some() || Field::from_name(key).is_some() || key.starts_with(INTERNAL)
}

fn refuse_unknown(members: &Map<String, Value>) -> Result<(), Rejection> {
    let Some(key) = members.keys().find(|key| !is_valid(key)) else {
        return Ok(());
    };
    let valid = IdentityKind::ALL.map(IdentityKind::name).into_iter().chain(Field::ALL.map(Field::name));
    let way_out = match nearest(key, valid.clone()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("expected one of {}", valid.collect::<Vec<_>>().join(", ")),
    };
    let message = format!("`{}` is neither an identity nor a metadata field; {way_out}", shown(key));
    Err(Rejection::new("unknown_key", message).at(name(key)))
}

fn identify(members: &Map<String, Value>) -> Result<Identity, Rejection> {
    let mut given = IdentityKind::ALL.into_iter().filter_map(|kind| Some((kind, members.get(kind.name())?)));
    let Some((kind, value)) = given.next() else {
        let kinds = IdentityKind::ALL.map(IdentityKind::name).join(", ");
        let message = format!("nothing says whom the row speaks of; expected exactly one of {kinds}");
        return Err(Rejection::new("missing_identity", message));
    };
    if let Some((other, _)) = given.next() {
        let message = format!("both {kind} and {other} are given; keep the one that is to be looked up");
        return Err(Rejection::new("several_identities", message).at(other.name()));
    }
    let Value::String(text) = value else {
        let message = match value {
            Value::Number(number) => {
                format!("the {kind} must be a string; found a number, write it as `\"{}\"`", shown(number.as_str()))
            }
            Value::Null => {
                format!("the {kind} must be a string; found null, leave the key out where there is none")
            }
            other => format!("the {kind} must be a string; found {}", what(other)),
        };
        return Err(Rejection::new("invalid_identity", message).at(kind.name()));
    };
    identity(kind, text, kind.name())
}

fn object(field: Field, value: &Value) -> Result<Map<String, Value>, Rejection> {
    if let Value::Object(members) = value {
        return Ok(members.clone());
    }
    let message = format!(
        "{field} must be an object, found {}; to delete a key write `{{\"key\":null}}`, and leave the field out to leave \
         it alone",
        what(value)
    );
    Err(Rejection::new("invalid_field", message).at(field.name()))
}
