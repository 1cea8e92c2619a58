//! What a run is: its source, its match and patch, its guards and mode. Frozen in the run file when the run is made.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::guard::Guards;
use crate::identity::IdentityKind;
use crate::patch::Mode;

/// The frozen part of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The job's name in `jobs.yaml`; `None` for a plain file.
    pub job: Option<String>,
    /// Where the rows come from.
    pub source: SourceSpec,
    /// How a record becomes an identity and a patch.
    pub mapping: MappingSpec,
    /// Merge or replace.
    pub mode: Mode,
    /// What becomes of a user whom several rows speak of.
    pub duplicates: Duplicates,
    /// Whether an unverified email address or phone number identifies a user.
    pub allow_unverified: bool,
    /// What must not happen.
    pub guards: Guards,
}

/// Where rows come from and how they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSpec {
    /// The file, or standard input.
    pub input: Input,
    /// How records are written.
    pub format: Format,
    /// How the bytes are packed.
    pub compression: Compression,
}

/// A file or standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A file, by its absolute path.
    File(PathBuf),
    /// Standard input, which can be read only once.
    Stdin,
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// Tab-separated values with a header, quoted like CSV.
    Tsv,
    /// One JSON object a line.
    Ndjson,
}

/// How the bytes of a source are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// As they are.
    None,
    /// gzip, `.gz`.
    Gzip,
    /// Zstandard, `.zst`.
    Zstd,
}

/// How a record becomes an identity and a patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingSpec {
    /// The CSV header says it all.
    Header {
        /// What an empty cell means.
        empty: Empty,
        /// Columns that are left out although they are neither an identity nor a metadata path.
        ignore_columns: Vec<String>,
    },
    /// Each JSON object is the API's own body plus the identity.
    Body,
    /// A job's templates.
    Template {
        /// What kind of identity.
        identity: IdentityKind,
        /// The input column or member that holds it.
        column: String,
        /// The patch: an object of metadata fields whose strings are templates.
        patch: Value,
        /// What an empty CSV cell means.
        empty: Empty,
    },
}

/// What an empty CSV cell means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Empty {
    /// Leave the key alone.
    #[default]
    Skip,
    /// Remove the key.
    Delete,
    /// The empty string; for string columns only.
    String,
}

/// What becomes of a user whom several rows speak of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// Their patches are folded in input order.
    #[default]
    Fold,
    /// All of the user's rows are rejected.
    Error,
}
