//! Turns a patch into nodes, and finds what is wrong with it before any record is read.

use serde_json::{Map, Value};

use super::expression::{self, Expression, Part};
use super::{MAX_TEMPLATE_BYTES, Node, did_you_mean};
use crate::json;
use crate::nearest::nearest;
use crate::path::Field;

/// Turns a patch into nodes.
pub(super) struct Compiler<'h> {
    pub(super) header: Option<&'h [String]>,
}

/// The keys that lead to a mistake, and what it is.
pub(super) type Mistake = (Vec<String>, String);

impl Compiler<'_> {
    pub(super) fn fields(&self, patch: &Value) -> Result<Vec<(Field, Node)>, Mistake> {
        let Value::Object(members) = patch else {
            return Err((Vec::new(), "expected metadata fields, such as `public_metadata: { role: ... }`".to_owned()));
        };
        if members.is_empty() {
            return Err((Vec::new(), "expected at least one metadata field".to_owned()));
        }
        let mut fields = Vec::new();
        for (name, value) in members {
            let mut keys = vec![name.clone()];
            let Some(field) = Field::from_name(name) else {
                return Err((keys, unknown_field(name)));
            };
            if !(value.is_object() || value.is_string()) {
                return Err((keys, "a metadata field must be an object".to_owned()));
            }
            let node = self.node(value, &mut keys, false)?;
            if matches!(node, Node::Constant(Value::String(_))) {
                return Err((keys, "a metadata field must be an object".to_owned()));
            }
            fields.push((field, node));
        }
        Ok(fields)
    }

    /// `path` comes back as it was, unless there is a mistake.
    fn node(&self, value: &Value, path: &mut Vec<String>, in_array: bool) -> Result<Node, Mistake> {
        if path.len() > json::MAX_DEPTH {
            return Err((path.clone(), "nested deeper than 128 levels".to_owned()));
        }
        match value {
            Value::Null if !in_array => Err((
                path.clone(),
                "null does not delete here; write \"{{ delete }}\" to remove the key, or leave the key out".to_owned(),
            )),
            Value::String(text) => self.text(text, path),
            Value::Array(items) => self.array(items, path),
            Value::Object(members) => self.object(members, path, in_array),
            _ => Ok(Node::Constant(value.clone())),
        }
    }

    fn object(&self, members: &Map<String, Value>, path: &mut Vec<String>, in_array: bool) -> Result<Node, Mistake> {
        let mut nodes = Vec::with_capacity(members.len());
        for (key, value) in members {
            path.push(key.clone());
            if key.contains("{{") {
                return Err((path.clone(), "a key cannot be a template".to_owned()));
            }
            nodes.push((key.clone(), self.node(value, path, in_array)?));
            path.pop();
        }
        if nodes.iter().all(|(_, node)| matches!(node, Node::Constant(_))) {
            return Ok(Node::Constant(Value::Object(members.clone())));
        }
        Ok(Node::Object(nodes))
    }

    fn array(&self, values: &[Value], path: &mut Vec<String>) -> Result<Node, Mistake> {
        let mut items = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            path.push(index.to_string());
            items.push(self.node(value, path, true)?);
            path.pop();
        }
        if items.iter().all(|node| matches!(node, Node::Constant(_))) {
            return Ok(Node::Constant(Value::Array(values.to_vec())));
        }
        Ok(Node::Array { at: path.join("."), items })
    }

    fn text(&self, text: &str, path: &[String]) -> Result<Node, Mistake> {
        let mistake = |what: String| (path.to_vec(), what);
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(mistake(format!(
                "a template may be {MAX_TEMPLATE_BYTES} bytes long, this one is {}",
                text.len()
            )));
        }
        let parts = expression::compile(text).map_err(mistake)?;
        for part in &parts {
            if let Part::Expression(expression) = part {
                self.check_names(expression).map_err(mistake)?;
            }
        }
        Ok(match parts.as_slice() {
            [] | [Part::Text(_)] => Node::Constant(Value::String(text.to_owned())),
            _ => {
                let is_private = path.first().is_some_and(|field| field == Field::Private.name());
                Node::Leaf { at: path.join("."), parts, is_private }
            }
        })
    }

    fn check_names(&self, expression: &Expression) -> Result<(), String> {
        let Some(header) = self.header else { return Ok(()) };
        match expression.columns().find(|name| !header.iter().any(|column| column == name)) {
            None => Ok(()),
            Some(name) => Err(unknown_column(name, expression.source(), header)),
        }
    }
}

/// Says that a column is unknown, and how to write it where it is known under a name that is no identifier.
fn unknown_column(name: &str, source: &str, header: &[String]) -> String {
    if header.iter().any(|column| column == source) {
        return format!(
            "the input has no column `{name}`; write `{{{{ row[\"{source}\"] }}}}` for the column `{source}`"
        );
    }
    format!("the input has no column `{name}`{}", did_you_mean(name, header))
}

fn unknown_field(name: &str) -> String {
    let names = Field::ALL.map(Field::name);
    match nearest(name, names) {
        Some(near) => format!("`{name}` is no metadata field; did you mean `{near}`?"),
        None => format!("`{name}` is no metadata field; expected `{}`", names.join("`, `")),
    }
}
