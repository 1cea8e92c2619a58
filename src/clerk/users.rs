//! Users as the API sends them, read leniently: what a user has filled a field with must never fail the page.
//!
//! Each field is cut out of the answer as text by a reader that skips over values: it checks that they are JSON, but
//! neither how deep they nest nor what their strings spell. Whoever needs a field parses it then, strictly.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::MAX_ANSWER;
use crate::target::{Address, User};

/// An answer that holds no users where it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unexpected {
    /// Not JSON, or not of that shape. What the answer holds is not repeated, for it may be private.
    #[error("the answer is not {expected} (line {line}, column {column})")]
    Shape { expected: &'static str, line: usize, column: usize },
    /// A user without an id.
    #[error("the answer holds a user without an id")]
    NoId,
    /// Mostly bytes that are no text.
    #[error("the answer is not UTF-8")]
    NotText,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    external_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    username: Option<&'a RawValue>,
    #[serde(borrow, default)]
    email_addresses: Option<&'a RawValue>,
    #[serde(borrow, default)]
    phone_numbers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    public_metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    private_metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    unsafe_metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RowAddress<'a> {
    #[serde(borrow, default)]
    email_address: Option<&'a RawValue>,
    #[serde(borrow, default)]
    phone_number: Option<&'a RawValue>,
    #[serde(borrow, default)]
    verification: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Verification<'a> {
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
}

/// A JSON object, which a derived reader alone would also take an array for.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Object)
    }
}

/// Reads a list of users.
pub(super) fn page(bytes: &[u8]) -> Result<Vec<User>, Unexpected> {
    let text = text(bytes)?;
    let rows: Vec<Object<Row<'_>>> = read(&text, "a list of users")?;
    rows.into_iter().map(|row| row.0.into_user()).collect()
}

/// Reads one user.
pub(super) fn user(bytes: &[u8]) -> Result<User, Unexpected> {
    let text = text(bytes)?;
    read::<Object<Row<'_>>>(&text, "a user")?.0.into_user()
}

fn read<'a, T: Deserialize<'a>>(text: &'a str, expected: &'static str) -> Result<T, Unexpected> {
    serde_json::from_str(text).map_err(|e| Unexpected::Shape { expected, line: e.line(), column: e.column() })
}

impl Row<'_> {
    fn into_user(self) -> Result<User, Unexpected> {
        let text = |raw: Option<&RawValue>| raw.map(|raw| raw.get().into());
        Ok(User {
            id: lenient(self.id).ok_or(Unexpected::NoId)?,
            external_id: lenient(self.external_id),
            username: lenient(self.username),
            email_addresses: addresses(self.email_addresses),
            phone_numbers: addresses(self.phone_numbers),
            metadata: [text(self.public_metadata), text(self.private_metadata), text(self.unsafe_metadata)],
        })
    }
}

/// A value of a known shape; one of another shape is none.
fn lenient<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
}

fn addresses(raw: Option<&RawValue>) -> Vec<Address> {
    let rows = lenient::<Vec<&RawValue>>(raw).unwrap_or_default();
    rows.into_iter().filter_map(address).collect()
}

fn address(raw: &RawValue) -> Option<Address> {
    let Object(row): Object<RowAddress<'_>> = lenient(Some(raw))?;
    let value = lenient(row.email_address).or_else(|| lenient(row.phone_number))?;
    let verification: Option<Object<Verification<'_>>> = lenient(row.verification);
    let status: Option<String> = verification.and_then(|held| lenient(held.0.status));
    Some(Address { value, verified: status.as_deref() == Some("verified") })
}

/// Stands for bytes that are no text: an escape that the skipping reader accepts and every strict one refuses, so that
/// only the field it stands in becomes unreadable. Two of them, or one might pair with a half surrogate beside it.
const UNREADABLE: &str = r"\ud800\ud800";

/// The answer as text.
fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Unexpected> {
    if let Ok(text) = str::from_utf8(bytes) {
        return Ok(text.into());
    }
    let mut mended = String::with_capacity(bytes.len() + bytes.len() / 16);
    let mut marked = false;
    for chunk in bytes.utf8_chunks() {
        mended.push_str(chunk.valid());
        // One mark is enough for a string, and a string ends with a quote.
        marked &= !chunk.valid().contains('"');
        // Behind a backslash that itself is not escaped, the mark's own would be taken as the escaped character.
        let escaped = mended.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1;
        if !chunk.invalid().is_empty() && (escaped || !marked) {
            mended.push_str(if escaped { &UNREADABLE[1..] } else { UNREADABLE });
            marked = true;
        }
        // A mark is longer than what it stands for; an answer of nothing but garbage must not grow beyond all bounds.
        if mended.len() > MAX_ANSWER {
            return Err(Unexpected::NotText);
        }
    }
    Ok(mended.into())
}

#[cfg(test)]
mod tests;
