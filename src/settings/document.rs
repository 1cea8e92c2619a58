//! The types of `jobs.yaml`. Their doc comments are the descriptions in its JSON Schema.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::Text;
use super::instance::EnvironmentText;
use super::yaml::Node;
use crate::identity::IdentityKind;
use crate::outcome::Outcome;
use crate::patch::Mode;
use crate::path::Field;
use crate::spec::{Duplicates, Empty, Format};

/// Jobs of metapatch: what to read, whom it speaks of, and what to change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "jobs.yaml")]
pub(super) struct Document {
    /// The version of this file's format: 1.
    #[schemars(schema_with = "version")]
    pub(super) version: Spanned<u64>,
    /// Clerk instances by name. With exactly one, it is the default.
    #[serde(default)]
    pub(super) instances: BTreeMap<String, InstanceConfig>,
    /// Jobs by name.
    #[serde(default)]
    pub(super) jobs: BTreeMap<String, JobConfig>,
}

/// One Clerk application instance. `${NAME}` in a value is an environment variable.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceConfig {
    /// The environment variable that holds the secret key, as `${NAME}`. The key itself is refused.
    pub(super) secret_key: Option<EnvironmentName>,
    /// A file that holds the secret key; relative to this file's folder.
    #[schemars(with = "Option<String>")]
    pub(super) secret_key_file: Option<EnvironmentText>,
    /// A command that prints the secret key, run by `sh -c`.
    pub(super) secret_key_command: Option<String>,
    /// The API's address. One that is neither Clerk's nor on this machine needs `--allow-api-url`.
    #[schemars(with = "Option<String>")]
    pub(super) api_url: Option<EnvironmentText>,
    /// A PEM file of certificate authorities to trust besides the system's; relative to this file's folder.
    #[schemars(with = "Option<String>")]
    pub(super) ca_file: Option<EnvironmentText>,
    /// The most requests in a period, such as `1000/10s`.
    #[schemars(with = "Option<String>")]
    pub(super) rate: Option<EnvironmentText>,
    /// The most writes to one user in a period, such as `10/10s`.
    #[schemars(with = "Option<String>")]
    pub(super) user_rate: Option<EnvironmentText>,
    /// How much of the rate a run may take, such as `50%`.
    #[schemars(with = "Option<String>")]
    pub(super) share: Option<EnvironmentText>,
}

/// The name of an environment variable, written `${NAME}`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub(super) struct EnvironmentName(#[schemars(regex(pattern = r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"))] pub(super) String);

impl TryFrom<String> for EnvironmentName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // The text may be a key: it is not quoted.
        let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let name = name.filter(|name| super::instance::is_variable(name));
        name.map(|name| Self(name.to_owned())).ok_or(
            "a secret key does not stand in a file; write `${CLERK_SECRET_KEY}` and set that environment variable, \
             or use `secret_key_file` or `secret_key_command`",
        )
    }
}

/// One job: each record of the source becomes a patch for one user.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JobConfig {
    /// The instance to change, by its name above.
    #[schemars(with = "Option<String>")]
    pub(super) instance: Option<Text>,
    /// Where the records come from.
    pub(super) source: Source,
    /// Which input column identifies the user, and as what.
    #[serde(rename = "match")]
    pub(super) identity: Match,
    /// What each record sets, by metadata field. Strings are templates over the record's columns: `"{{ plan }}"` keeps
    /// its type, `"{{ seats | int }}"` converts, `"{{ delete }}"` removes the key. A null leaves the key alone.
    #[schemars(schema_with = "patch")]
    pub(super) patch: Node,
    /// Merge the patch into what the user holds (the default), or make each given field equal to it.
    #[serde(default)]
    #[schemars(schema_with = "mode", default)]
    pub(super) mode: Option<Mode>,
    /// What must not happen.
    pub(super) guards: Option<GuardsConfig>,
    /// Fold the rows of one user in input order (the default), or reject them all.
    #[serde(default)]
    #[schemars(schema_with = "duplicates", default)]
    pub(super) duplicates: Option<Duplicates>,
    /// What an empty CSV cell means: leave the key alone (the default), delete it, or the empty string.
    #[serde(default)]
    #[schemars(schema_with = "empty", default)]
    pub(super) empty: Option<Empty>,
    /// Let unverified email addresses and phone numbers identify a user.
    #[serde(default)]
    pub(super) allow_unverified: bool,
    /// Outcomes that count as fine for the exit code.
    #[serde(default)]
    #[schemars(schema_with = "outcomes")]
    pub(super) accept: Vec<Text>,
}

/// Where records come from. A path is relative to this file's folder; `.gz` and `.zst` are unpacked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Source {
    /// Comma-separated values with a header.
    Csv(#[schemars(with = "String")] Text),
    /// Tab-separated values with a header.
    Tsv(#[schemars(with = "String")] Text),
    /// One JSON object a line.
    Ndjson(#[schemars(with = "String")] Text),
}

impl Source {
    pub(super) const fn parts(&self) -> (Format, &Text) {
        match self {
            Self::Csv(path) => (Format::Csv, path),
            Self::Tsv(path) => (Format::Tsv, path),
            Self::Ndjson(path) => (Format::Ndjson, path),
        }
    }
}

/// The kind of identity, and the input column that holds it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Match {
    /// Clerk's own id, `user_…`.
    UserId(#[schemars(with = "String")] Text),
    /// The id that your own system gave the user.
    ExternalId(#[schemars(with = "String")] Text),
    /// A verified email address.
    EmailAddress(#[schemars(with = "String")] Text),
    /// A verified phone number.
    PhoneNumber(#[schemars(with = "String")] Text),
    /// The name for signing in.
    Username(#[schemars(with = "String")] Text),
}

impl Match {
    pub(super) const fn parts(&self) -> (IdentityKind, &Text) {
        match self {
            Self::UserId(column) => (IdentityKind::UserId, column),
            Self::ExternalId(column) => (IdentityKind::ExternalId, column),
            Self::EmailAddress(column) => (IdentityKind::EmailAddress, column),
            Self::PhoneNumber(column) => (IdentityKind::PhoneNumber, column),
            Self::Username(column) => (IdentityKind::Username, column),
        }
    }
}

/// What must not happen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GuardsConfig {
    /// The most users that may change: a number, or a share of those compared, such as `5%`.
    #[serde(default)]
    #[schemars(schema_with = "limit", default)]
    pub(super) max_changes: Option<Text>,
    /// Transitions that no user may make.
    #[serde(default)]
    pub(super) forbid: Vec<ForbidConfig>,
}

/// A transition that no user may make; without `from` and `to`, the path must not change at all.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ForbidConfig {
    /// The path that is watched, such as `public_metadata.role`.
    #[schemars(with = "String")]
    pub(super) path: Text,
    /// Only changes from this value; null is an absent key.
    #[serde(default, deserialize_with = "given")]
    #[schemars(schema_with = "anything")]
    pub(super) from: Option<Node>,
    /// Only changes to this value; null is an absent key.
    #[serde(default, deserialize_with = "given")]
    #[schemars(schema_with = "anything")]
    pub(super) to: Option<Node>,
}

/// A null that is written down is a value, unlike a key that is left out.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Node>, D::Error> {
    Node::deserialize(deserializer).map(Some)
}

fn version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": 1 })
}

fn patch(_: &mut SchemaGenerator) -> Schema {
    let field = |field: Field| (field.name().to_owned(), serde_json::json!({ "type": ["object", "string"] }));
    let fields: serde_json::Map<_, _> = Field::ALL.into_iter().map(field).collect();
    json_schema!({ "type": "object", "properties": fields, "additionalProperties": false, "minProperties": 1 })
}

fn mode(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["merge", "replace"] })
}

fn duplicates(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["fold", "error"] })
}

fn empty(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["skip", "delete", "string"] })
}

fn outcomes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "enum": Outcome::ALL.map(Outcome::word) } })
}

fn limit(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["integer", "string"], "minimum": 0, "pattern": r"^[0-9]+(\.[0-9]+)?%?$" })
}

fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}
