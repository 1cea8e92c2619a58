//! One user: who it is, and what metadata it holds.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::json::{self, Value};

/// Everything about a user but its metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) id: String,
    pub(crate) external_id: Option<String>,
    pub(crate) username: Option<String>,
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: Option<String>,
    pub(crate) emails: Vec<Contact>,
    pub(crate) phones: Vec<Contact>,
    /// In milliseconds since 1970.
    pub(crate) created_at: i64,
    pub(crate) last_sign_in_at: Option<i64>,
    pub(crate) last_active_at: Option<i64>,
}

/// An email address or a phone number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contact {
    pub(crate) text: String,
    pub(crate) verified: bool,
}

impl Contact {
    pub(crate) fn verified(text: impl Into<String>) -> Self {
        Self { text: text.into(), verified: true }
    }

    pub(crate) fn unverified(text: impl Into<String>) -> Self {
        Self { text: text.into(), verified: false }
    }
}

/// What a user can be found by, apart from its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Handle {
    ExternalId,
    Email,
    Phone,
    Username,
}

impl Profile {
    /// Everything this user can be found by.
    pub(crate) fn handles(&self) -> impl Iterator<Item = (Handle, &str)> {
        let emails = self.emails.iter().map(|contact| (Handle::Email, contact.text.as_str()));
        let phones = self.phones.iter().map(|contact| (Handle::Phone, contact.text.as_str()));
        let external_id = self.external_id.iter().map(|text| (Handle::ExternalId, text.as_str()));
        let username = self.username.iter().map(|text| (Handle::Username, text.as_str()));
        emails.chain(phones).chain(external_id).chain(username)
    }

    /// Whether this user can be found so.
    pub(crate) fn has(&self, handle: Handle, text: &str) -> bool {
        self.handles().any(|(kind, own)| kind == handle && own == text)
    }
}

/// The names of the three fields, in the order they stand in a user.
pub(crate) const FIELDS: [&str; 3] = ["public_metadata", "private_metadata", "unsafe_metadata"];

/// The three metadata fields, each as compact JSON text.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Metadata(pub(crate) [Box<RawValue>; 3]);

impl Default for Metadata {
    fn default() -> Self {
        Self([raw("{}"), raw("{}"), raw("{}")])
    }
}

impl Metadata {
    /// The three fields as one object.
    pub(crate) fn to_value(&self) -> Value {
        let field = |text: &RawValue| json::parse(text.get()).unwrap_or(Value::Null);
        FIELDS.iter().zip(&self.0).map(|(name, text)| ((*name).to_owned(), field(text))).collect()
    }

    /// Takes over the fields that are given, as they are; unknown ones are left out.
    pub(crate) fn take_fields(&mut self, given: &Value) {
        for (name, own) in FIELDS.iter().zip(&mut self.0) {
            if let Some(value) = given.get(name) {
                *own = raw(&value.to_string());
            }
        }
    }

    /// Merges the fields that are given, as RFC 7396 has it.
    pub(crate) fn merge_fields(&mut self, given: &Value) {
        for (name, own) in FIELDS.iter().zip(&mut self.0) {
            if let Some(patch) = given.get(name) {
                *own = raw(&merged(own, patch).to_string());
            }
        }
    }
}

/// What a stored field becomes under a merge patch; anything but an object is merged into as if it were `{}`.
pub(crate) fn merged(stored: &RawValue, patch: &Value) -> Value {
    let mut value = json::parse(stored.get()).unwrap_or(Value::Null);
    json_patch::merge(&mut value, patch);
    value
}

/// JSON text as a value that is written out as it is.
pub(crate) fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("a value that was written as JSON is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_merge_is_that_of_the_standard() {
        let patch = json::parse(r#"{"b":{"c":null,"e":[null]},"n":{"x":null},"big":12345678901234567890123}"#);
        let after = merged(&raw(r#"{"a":1.0,"b":{"c":1,"d":2}}"#), &patch.expect("is JSON"));
        let expected = r#"{"a":1.0,"b":{"d":2,"e":[null]},"n":{},"big":12345678901234567890123}"#;
        assert_eq!(after, json::parse(expected).expect("is JSON"));
    }

    #[test]
    fn a_stored_null_is_merged_into_as_an_empty_object() {
        let patch = json::parse(r#"{"a":1}"#).expect("is JSON");
        assert_eq!(merged(&raw("null"), &patch), patch);
    }
}
