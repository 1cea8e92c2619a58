//! What a run is to do, from `jobs.yaml`, flags and the environment, with nothing optional left in it.
//!
//! - [`Jobs`] is a `jobs.yaml` as it was read; a [`Job`] of it becomes a [`Spec`], the frozen part of a run.
//! - [`resolve_instance`] layers flags, environment and file into one [`Instance`]: which key, which API, which pace,
//!   and for each where it came from.
//!
//! Every error about the file says line and column, what was expected, and the nearest valid name. No error quotes what
//! stands under `instances`, and the environment is looked at only for the instance that is used.

mod document;
mod error;
mod instance;
mod yaml;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;

pub use document::InstanceConfig;
pub use error::{ConfigError, SettingsError};
pub use instance::{ChosenInstance, DEFAULT_API_URL, Given, Instance, InstanceFlags, Origin, resolve_instance};

use crate::guard::{Forbid, Guards};
use crate::identity::IdentityKind;
use crate::mapping::template::{Template, TemplateError};
use crate::nearest::nearest;
use crate::outcome::Outcome;
use crate::path::Path as MetadataPath;
use crate::spec::{Compression, Input, MappingSpec, SourceSpec, Spec};
use document::{Document, JobConfig};
use serde_saphyr::{Location, Spanned};
use yaml::Node;

/// The largest `jobs.yaml` that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A `jobs.yaml`.
#[derive(Debug)]
pub struct Jobs {
    path: PathBuf,
    /// Numbers are read from the text itself, which has all their digits.
    text: String,
    document: Document,
}

impl Jobs {
    /// Reads a file. What is wrong with a single job is found by [`Job::spec`] and [`Jobs::check`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(ConfigError::TooLarge { path: path.to_owned() });
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let before = error.as_bytes().get(..good).map(String::from_utf8_lossy).unwrap_or_default();
            ConfigError::at_text(path, &before, "this is not UTF-8; save the file as UTF-8")
        })?;
        Self::parse(path, text)
    }

    /// Reads the text of a file; relative paths in it start from the folder of `path`.
    pub fn parse(path: &Path, text: String) -> Result<Self, ConfigError> {
        let document: Document = yaml::parse(&text).map_err(|problem| ConfigError::at(path, problem))?;
        if document.version.value != 1 {
            let what = format!("`version` is {}; this metapatch reads version 1", document.version.value);
            return Err(ConfigError::at(path, (document.version.referenced, what)));
        }
        Ok(Self { path: path.to_owned(), text, document })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all jobs, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.document.jobs.keys().map(String::as_str)
    }

    /// The job of that name.
    pub fn job(&self, name: &str) -> Result<Job<'_>, ConfigError> {
        match self.document.jobs.get_key_value(name) {
            Some((name, config)) => Ok(Job { jobs: self, name, config }),
            None => Err(ConfigError::unknown(&self.path, "job", name, self.names())),
        }
    }

    /// The instance of that name; where none is named, the only one there is. `None` means that flags and environment
    /// say it all.
    pub fn instance(&self, name: Option<&str>) -> Result<Option<ChosenInstance<'_>>, ConfigError> {
        let instances = &self.document.instances;
        let folder = self.folder();
        let Some(name) = name else {
            let mut all = instances.iter();
            return Ok(match (all.next(), all.next()) {
                (Some((name, config)), None) => Some(ChosenInstance { name, config, asked: false, folder }),
                _ => None,
            });
        };
        match instances.get_key_value(name) {
            Some((name, config)) => Ok(Some(ChosenInstance { name, config, asked: true, folder })),
            None => Err(ConfigError::unknown(&self.path, "instance", name, instances.keys().map(String::as_str))),
        }
    }

    /// Everything that is wrong with the jobs and can be found without reading their inputs.
    pub fn check(&self) -> Vec<ConfigError> {
        let jobs = self.document.jobs.iter().map(|(name, config)| Job { jobs: self, name, config });
        jobs.filter_map(|job| job.spec().and_then(|_| job.accept()).and_then(|_| job.check_instance()).err()).collect()
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// The JSON Schema of `jobs.yaml`, for editors.
pub fn json_schema() -> Value {
    // A key that may be left out is just that; null is not among its words.
    let no_null = RecursiveTransform(|schema: &mut Schema| {
        if schema.get("default").is_some_and(Value::is_null) {
            schema.remove("default");
        }
    });
    SchemaSettings::draft07().with_transform(no_null).into_generator().into_root_schema_for::<Document>().to_value()
}

/// One job of a `jobs.yaml`.
#[derive(Debug, Clone, Copy)]
pub struct Job<'j> {
    jobs: &'j Jobs,
    name: &'j str,
    config: &'j JobConfig,
}

impl<'j> Job<'j> {
    /// The job's name.
    pub const fn name(&self) -> &'j str {
        self.name
    }

    /// The instance that the job names.
    pub fn instance(&self) -> Option<&'j str> {
        self.config.instance.as_ref().map(|name| name.value.as_str())
    }

    /// The outcomes that count as fine.
    pub fn accept(&self) -> Result<Vec<Outcome>, ConfigError> {
        let words = self.config.accept.iter();
        words
            .map(|word| {
                word.value.parse().map_err(|_| {
                    let what = offer(&word.value, "outcome", &Outcome::ALL.map(Outcome::word));
                    self.wrong(word.referenced, "accept", &what)
                })
            })
            .collect()
    }

    /// What a run of this job is: all of it checked but the input itself.
    pub fn spec(&self) -> Result<Spec, ConfigError> {
        let (identity, column) = self.config.identity.parts();
        if column.value.is_empty() {
            return Err(self.wrong(column.referenced, "match", "expected the name of an input column"));
        }
        let empty = self.config.empty.unwrap_or_default();
        Ok(Spec {
            job: Some(self.name.to_owned()),
            source: self.source()?,
            mapping: MappingSpec::Template {
                identity,
                column: column.value.clone(),
                patch: self.patch(identity, &column.value)?,
                empty,
            },
            mode: self.config.mode.unwrap_or_default(),
            duplicates: self.config.duplicates.unwrap_or_default(),
            allow_unverified: self.config.allow_unverified,
            guards: self.guards()?,
        })
    }

    fn source(&self) -> Result<SourceSpec, ConfigError> {
        let (format, file) = self.config.source.parts();
        let wrong = |what: &str| self.wrong(file.referenced, "source", what);
        if file.value.is_empty() {
            return Err(wrong("expected a path"));
        }
        if file.value == "-" {
            return Err(wrong("a job reads a file; for standard input write `metapatch apply -` without a job"));
        }
        let compression = match Path::new(&file.value).extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Compression::Gzip,
            Some("zst") => Compression::Zstd,
            _ => Compression::None,
        };
        let path = std::path::absolute(self.jobs.folder().join(&file.value));
        let path = path.map_err(|error| wrong(&format!("cannot make the path absolute: {error}")))?;
        Ok(SourceSpec { input: Input::File(path), format, compression })
    }

    fn patch(&self, identity: IdentityKind, column: &str) -> Result<Value, ConfigError> {
        let node = &self.config.patch;
        let patch = self.constant(node, "patch")?;
        let empty = self.config.empty.unwrap_or_default();
        match Template::new(identity, column, &patch, empty, None) {
            Ok(_) => Ok(patch),
            Err(TemplateError::Patch { keys, what }) => {
                let place = std::iter::once("patch".to_owned()).chain(keys.iter().cloned()).collect::<Vec<_>>();
                Err(self.wrong(node.find(&keys).at(), &place.join("."), &what))
            }
            Err(TemplateError::Column { what }) => Err(self.wrong(node.at(), "match", &what)),
        }
    }

    fn guards(&self) -> Result<Guards, ConfigError> {
        let Some(config) = &self.config.guards else { return Ok(Guards::default()) };
        let max_changes = match &config.max_changes {
            None => None,
            Some(text) => {
                let limit = text.value.parse();
                let wrong = |error| self.wrong(text.referenced, "guards.max_changes", &format!("{error}"));
                Some(limit.map_err(|error: crate::guard::LimitError| wrong(error))?)
            }
        };
        let mut forbid = Vec::new();
        for guard in &config.forbid {
            let path: MetadataPath = guard.path.value.parse().map_err(|error: crate::path::PathError| {
                self.wrong(guard.path.referenced, "guards.forbid", &error.to_string())
            })?;
            let end = |node: &Option<Node>| node.as_ref().map(|node| self.constant(node, "guards.forbid")).transpose();
            forbid.push(Forbid { path, from: end(&guard.from)?, to: end(&guard.to)? });
        }
        Ok(Guards { max_changes, forbid })
    }

    fn check_instance(&self) -> Result<(), ConfigError> {
        let Some(name) = &self.config.instance else { return Ok(()) };
        let known: Vec<&str> = self.jobs.document.instances.keys().map(String::as_str).collect();
        if known.contains(&name.value.as_str()) {
            return Ok(());
        }
        Err(self.wrong(name.referenced, "instance", &offer(&name.value, "instance", &known)))
    }

    fn constant(&self, node: &Node, key: &str) -> Result<Value, ConfigError> {
        node.to_json(&self.jobs.text).map_err(|(at, what)| self.wrong(at, key, &what))
    }

    /// Something in this job is wrong.
    fn wrong(&self, at: Location, key: &str, what: &str) -> ConfigError {
        ConfigError::at(&self.jobs.path, (at, format!("`{key}` of job `{}`: {what}", self.name)))
    }
}

/// Says that a word is none of those that are known.
fn offer(word: &str, kind: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("there is no {kind} `{word}`; did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {kind} `{word}`; this file has none"),
        None => format!("there is no {kind} `{word}`; expected one of `{}`", known.join("`, `")),
    }
}

/// A text and where it stands.
type Text = Spanned<String>;

#[cfg(test)]
mod tests;
