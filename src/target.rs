//! What is patched, as the phases see it: something that can be read in batches and written one user at a time.

use std::future::Future;

use serde_json::Value;

use crate::change::{Body, Metadata};
use crate::identity::{Identity, IdentityKind};
use crate::json::{self, JsonError};
use crate::path::Field;
use crate::retry::Failure;

/// The most identifiers that one read may ask for.
pub const MAX_BATCH: usize = 100;

/// The longest query that one read may have, in bytes of URL.
const MAX_QUERY_BYTES: usize = 6 * 1024;

/// The most users that one read gives back.
pub const MAX_PAGE: usize = 500;

/// The API whose users are changed. Every call is exactly one request; limits and retries are the caller's.
pub trait Target: Send + Sync + 'static {
    /// Reads the users that have one of some identifiers; those that nobody has are silently missing.
    fn read(&self, batch: &Batch) -> impl Future<Output = Result<Vec<User>, Failure>> + Send;

    /// Changes one user's metadata and gives back the user as it is then.
    fn write(&self, user_id: &str, body: &Body) -> impl Future<Output = Result<User, Failure>> + Send;
}

/// Identifiers of one kind, few enough for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    kind: IdentityKind,
    values: Vec<String>,
    query_bytes: usize,
}

impl Batch {
    /// An empty batch.
    pub const fn new(kind: IdentityKind) -> Self {
        Self { kind, values: Vec::new(), query_bytes: 0 }
    }

    /// A batch of identifiers that already shared one, as when one that was answered with too much is halved.
    pub fn of(kind: IdentityKind, values: Vec<String>) -> Self {
        let query_bytes = values.iter().map(|value| query_bytes(kind, value)).sum();
        Self { kind, values, query_bytes }
    }

    /// Adds an identifier of this batch's kind, or says that it needs another batch.
    #[must_use]
    pub fn try_push(&mut self, identity: &Identity) -> bool {
        let more = query_bytes(self.kind, identity.value());
        let full = self.values.len() == MAX_BATCH || self.query_bytes + more > MAX_QUERY_BYTES;
        if identity.kind() != self.kind || (full && !self.values.is_empty()) {
            return false;
        }
        self.query_bytes += more;
        self.values.push(identity.value().to_owned());
        true
    }

    /// What kind of identifiers they are.
    pub const fn kind(&self) -> IdentityKind {
        self.kind
    }

    /// The identifiers.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Whether there is nothing to ask for.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// How many bytes one identifier adds to a URL if every byte outside letters and digits is percent-encoded.
fn query_bytes(kind: IdentityKind, value: &str) -> usize {
    let encoded: usize = value.bytes().map(|b| if b.is_ascii_alphanumeric() { 1 } else { 3 }).sum();
    // The `&`, the `=`, and a sign that may have to be put in front.
    kind.name().len() + encoded + 5
}

/// A user as the API gives it: who it is, and its metadata, each field still unparsed.
///
/// One field that a user has filled with something unreadable must fail that user only, and only if it is touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// Clerk's own id.
    pub id: String,
    /// The customer's id of the user.
    pub external_id: Option<String>,
    /// The name for signing in.
    pub username: Option<String>,
    /// All email addresses.
    pub email_addresses: Vec<Address>,
    /// All phone numbers.
    pub phone_numbers: Vec<Address>,
    /// The JSON text of the public, private and unsafe metadata, in that order; `None` is missing.
    pub metadata: [Option<Box<str>>; 3],
}

/// An email address or phone number of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The address or number.
    pub value: String,
    /// Whether the user has proved to own it. Anybody may add an unverified one.
    pub verified: bool,
}

/// A metadata field that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the user's {field}: {problem}")]
pub struct Unreadable {
    /// Which field.
    pub field: Field,
    /// What is wrong with it.
    pub problem: JsonError,
}

/// How well a user answers to an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// Not at all.
    No,
    /// By an address that the user has not proved to own.
    Unverified,
    /// Surely.
    Yes,
}

impl User {
    /// Reads some of the metadata fields; null and missing ones are `{}`.
    pub fn fields(&self, fields: impl IntoIterator<Item = Field>) -> Result<Metadata, Unreadable> {
        fields.into_iter().map(|field| Ok((field, self.field(field)?))).collect()
    }

    fn field(&self, field: Field) -> Result<Value, Unreadable> {
        let text = self.metadata[field as usize].as_deref().unwrap_or("null");
        let value = json::parse(text).map_err(|problem| Unreadable { field, problem })?;
        Ok(if value.is_null() { Value::Object(json::Map::new()) } else { value })
    }

    /// How well this user answers to an identifier.
    pub fn answers_to(&self, kind: IdentityKind, value: &str) -> Match {
        let wanted = kind.comparable(value);
        let same = |held: &str| kind.comparable(held) == wanted;
        let one = |held: Option<&str>| if held.is_some_and(same) { Match::Yes } else { Match::No };
        let best = |addresses: &[Address]| {
            let matching = addresses.iter().filter(|address| same(&address.value));
            matching.map(|address| if address.verified { Match::Yes } else { Match::Unverified }).max()
        };
        match kind {
            IdentityKind::UserId => one(Some(&self.id)),
            IdentityKind::ExternalId => one(self.external_id.as_deref()),
            IdentityKind::Username => one(self.username.as_deref()),
            IdentityKind::EmailAddress => best(&self.email_addresses).unwrap_or(Match::No),
            IdentityKind::PhoneNumber => best(&self.phone_numbers).unwrap_or(Match::No),
        }
    }
}
