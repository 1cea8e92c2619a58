//! An `OpenAPI` 3.0 document, and answers held against it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use jsonschema::{Draft, Validator};
use metapatch::json::{Map, Value};

use super::requests::Operation;

/// The official description of one version of the API.
pub(super) struct Document {
    /// The version it is of.
    pub(super) version: &'static str,
    paths: Value,
    /// Schemas and responses, as JSON Schema.
    components: Value,
    validators: RefCell<HashMap<String, Rc<Validator>>>,
}

/// What a document says of an answer.
pub(super) enum Verdict {
    /// It is as described, but for so many nulls that `PUT …/metadata` stores.
    Valid { stored_nulls: usize },
    /// The operation is not described with this status.
    Unlisted,
    /// It is not as described.
    Invalid(Vec<String>),
}

impl Document {
    pub(super) fn read(path: &Path, version: &'static str) -> Self {
        let text = std::fs::read_to_string(path).expect("the document can be read");
        let mut document: Value = serde_saphyr::from_str(&text).expect("the document is YAML");
        assert_eq!(document["info"]["version"], version, "{}", path.display());
        // What follows translates this dialect of schemas, and no other.
        assert!(document["openapi"].as_str().is_some_and(|text| text.starts_with("3.0.")), "{}", document["openapi"]);
        let components = translated(document["components"].take());
        Self { version, paths: document["paths"].take(), components, validators: RefCell::default() }
    }

    /// Holds an answer against what is described for its operation and status.
    pub(super) fn verdict(&self, operation: Operation, status: u16, body: &Value) -> Verdict {
        let responses = &self.paths[operation.path][operation.method]["responses"];
        assert!(responses.is_object(), "{} does not describe {operation}", self.version);
        let Some(response) = responses.get(status.to_string()).or_else(|| responses.get("default")) else {
            return Verdict::Unlisted;
        };
        let response = match response["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/responses/")) {
            Some(name) => &self.components["responses"][name],
            None => response,
        };
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{operation} has no schema for {status}");
        self.check(&translated(schema.clone()), body)
    }

    /// Holds an answer against what is described for all errors.
    pub(super) fn verdict_on_error(&self, body: &Value) -> Verdict {
        self.check(&self.components["schemas"]["ClerkErrors"], body)
    }

    fn check(&self, schema: &Value, body: &Value) -> Verdict {
        let validator = self.validator(schema);
        let (nulls, errors): (Vec<_>, Vec<_>) = validator.iter_errors(body).partition(|error| {
            // Clerk's prose says that a `PUT` may store null in any field, its schema that only `private_metadata` of
            // users can be null. The sandbox follows the prose.
            let path = error.instance_path().to_string();
            path.ends_with("_metadata") && error.instance().is_null()
        });
        if errors.is_empty() {
            return Verdict::Valid { stored_nulls: nulls.len() };
        }
        Verdict::Invalid(errors.iter().map(|error| format!("{}: {error}", error.instance_path())).collect())
    }

    fn validator(&self, schema: &Value) -> Rc<Validator> {
        let build = || {
            let mut root = schema.as_object().cloned().unwrap_or_default();
            root.insert("components".to_owned(), self.components.clone());
            let root = Value::Object(root);
            let built = jsonschema::options().with_draft(Draft::Draft202012).build(&root);
            Rc::new(built.expect("the document's schemas are valid"))
        };
        Rc::clone(self.validators.borrow_mut().entry(schema.to_string()).or_insert_with(build))
    }
}

/// Schemas of `OpenAPI` 3.0 as JSON Schema: what is `nullable` may be null as well, and beside a `$ref` nothing counts.
fn translated(value: Value) -> Value {
    match value {
        Value::Object(members) if members.get("$ref").is_some_and(Value::is_string) => {
            Value::Object(members.into_iter().filter(|(key, _)| key == "$ref").collect())
        }
        Value::Object(members) => {
            let mut members: Map<_, _> = members.into_iter().map(|(key, value)| (key, translated(value))).collect();
            // A property may have that name, and is a schema then.
            if members.get("nullable").is_some_and(Value::is_boolean) && members.remove("nullable") == Some(true.into())
            {
                let schema = Value::Object(members);
                return serde_json::json!({"anyOf": [schema, {"type": "null"}]});
            }
            Value::Object(members)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(translated).collect()),
        other => other,
    }
}

#[test]
fn nullable_schemas_are_translated() {
    let schema =
        serde_json::json!({"properties": {"nullable": {"type": "string", "nullable": true}}, "nullable": false});
    let expected = serde_json::json!({"properties": {"nullable": {"anyOf": [{"type": "string"}, {"type": "null"}]}}});
    assert_eq!(translated(schema), expected);
}
