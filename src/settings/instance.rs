//! One instance from flags, environment and `jobs.yaml`: its key, its address, its pace.
//!
//! Flags win over the environment, the environment over the file, the file over what is built in. A key is different in
//! one way: an instance that was asked for by name, by flag or by the job, brings its own key, for a key of another
//! instance that happens to be in the environment would change the wrong users.

mod key;

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;

use super::document::InstanceConfig;
use super::error::SettingsError;

/// Clerk's own API.
pub const DEFAULT_API_URL: &str = "https://api.clerk.com";

/// The environment variable that holds the key.
const KEY_VARIABLE: &str = "CLERK_SECRET_KEY";
/// The environment variable that holds the address.
const URL_VARIABLE: &str = "CLERK_API_URL";

/// The hosts that are Clerk's.
const CLERK_HOSTS: [&str; 2] = ["api.clerk.com", "api.clerk.dev"];

/// What the command line says about the instance.
#[derive(Debug, Clone, Default)]
pub struct InstanceFlags {
    /// `--secret-key-file`
    pub secret_key_file: Option<PathBuf>,
    /// `--secret-key-command`
    pub secret_key_command: Option<String>,
    /// `--api-url`
    pub api_url: Option<String>,
    /// `--allow-api-url`, as often as given: hosts.
    pub allow_api_url: Vec<String>,
    /// `--ca-file`
    pub ca_file: Option<PathBuf>,
    /// `--rate`
    pub rate: Option<String>,
    /// `--user-rate`
    pub user_rate: Option<String>,
    /// `--share`
    pub share: Option<String>,
}

/// An instance of `jobs.yaml` that a run is to use.
#[derive(Debug, Clone, Copy)]
pub struct ChosenInstance<'j> {
    /// Its name.
    pub name: &'j str,
    /// What the file says about it.
    pub config: &'j InstanceConfig,
    /// Whether it was asked for by name, or is just the only one.
    pub asked: bool,
    /// The folder that its relative paths start from.
    pub folder: &'j Path,
}

/// An instance with every question settled. Texts are checked by those who know them.
#[derive(Debug)]
pub struct Instance {
    /// Its name in `jobs.yaml`.
    pub name: Option<String>,
    /// The secret key.
    pub key: Given<SecretString>,
    /// The API's address.
    pub api_url: Given<String>,
    /// A file of certificate authorities to trust as well.
    pub ca_file: Option<Given<PathBuf>>,
    /// The rate, such as `1000/10s`; `None` is the default for the kind of key.
    pub rate: Option<Given<String>>,
    /// The rate for one user, such as `10/10s`; `None` is the default.
    pub user_rate: Option<Given<String>>,
    /// How much of the rate to take, such as `50%`; `None` is the default for the kind of key.
    pub share: Option<Given<String>>,
}

/// A value and where it came from.
#[derive(Debug, Clone)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Where it came from, for messages about it.
    pub origin: Origin,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag, by its name with dashes.
    Flag(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A key of an instance in `jobs.yaml`.
    File {
        /// The instance.
        instance: String,
        /// The key.
        key: &'static str,
    },
    /// What is built in.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::File { instance, key } => write!(f, "`{key}` of instance `{instance}`"),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// A text in which `${NAME}` stands for an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct EnvironmentText(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

impl TryFrom<String> for EnvironmentText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, behind)) = rest.split_once("${") {
            let named = behind.split_once('}').filter(|(name, _)| is_variable(name));
            let (name, behind) = named.ok_or("expected `${NAME}`, the name of an environment variable")?;
            pieces.extend([Piece::Text(before.to_owned()), Piece::Variable(name.to_owned())]);
            rest = behind;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }
}

/// Whether a text can be the name of an environment variable.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Settles every question about the instance of a run.
///
/// `environment` gives the value of a variable; an empty one counts as not set. The key may be read from a file or from
/// a command that is run here; its standard error is passed through.
pub fn resolve_instance(
    flags: InstanceFlags,
    environment: &dyn Fn(&str) -> Option<String>,
    file: Option<ChosenInstance<'_>>,
) -> Result<Instance, SettingsError> {
    let environment = |name: &str| environment(name).filter(|value| !value.is_empty());
    let layers = Layers { environment: &environment, file };
    let key = layers.key(&flags)?;
    let api_url = layers.api_url(flags.api_url, &flags.allow_api_url)?;
    Ok(Instance {
        name: file.map(|file| file.name.to_owned()),
        key,
        api_url,
        ca_file: layers.ca_file(flags.ca_file)?,
        rate: layers.text("--rate", flags.rate, "rate", |config| config.rate.as_ref())?,
        user_rate: layers.text("--user-rate", flags.user_rate, "user_rate", |config| config.user_rate.as_ref())?,
        share: layers.text("--share", flags.share, "share", |config| config.share.as_ref())?,
    })
}

/// The layers below the flags.
struct Layers<'l> {
    environment: &'l dyn Fn(&str) -> Option<String>,
    file: Option<ChosenInstance<'l>>,
}

impl Layers<'_> {
    fn key(&self, flags: &InstanceFlags) -> Result<Given<SecretString>, SettingsError> {
        match (&flags.secret_key_file, &flags.secret_key_command) {
            (Some(_), Some(_)) => return Err(SettingsError::SeveralKeys(Origin::Flag("the command line"))),
            (Some(path), None) => return key::from_file(path, Origin::Flag("--secret-key-file")),
            (None, Some(command)) => return key::from_command(command, Origin::Flag("--secret-key-command")),
            (None, None) => {}
        }
        let asked = self.file.is_some_and(|file| file.asked);
        if !asked && let Some(key) = self.key_from_environment()? {
            return Ok(key);
        }
        match self.key_from_config()? {
            Some(key) => Ok(key),
            None => self.key_from_environment()?.ok_or(SettingsError::NoKey),
        }
    }

    fn key_from_environment(&self) -> Result<Option<Given<SecretString>>, SettingsError> {
        let found = (self.environment)(KEY_VARIABLE);
        found.map(|text| key::from_text(text, Origin::Variable(KEY_VARIABLE))).transpose()
    }

    fn key_from_config(&self) -> Result<Option<Given<SecretString>>, SettingsError> {
        let Some(file) = self.file else { return Ok(None) };
        let origin = |key| Origin::File { instance: file.name.to_owned(), key };
        let config = file.config;
        let ways = [config.secret_key.is_some(), config.secret_key_file.is_some(), config.secret_key_command.is_some()];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            return Err(SettingsError::SeveralKeys(origin("secret_key")));
        }
        if let Some(variable) = &config.secret_key {
            let origin = origin("secret_key");
            return key::from_text(self.variable(&variable.0, &origin)?, origin).map(Some);
        }
        if let Some(path) = &config.secret_key_file {
            let origin = origin("secret_key_file");
            return key::from_file(&file.folder.join(self.expand(path, &origin)?), origin).map(Some);
        }
        let command = config.secret_key_command.as_ref();
        command.map(|command| key::from_command(command, origin("secret_key_command"))).transpose()
    }

    fn api_url(&self, flag: Option<String>, allowed: &[String]) -> Result<Given<String>, SettingsError> {
        if let Some(value) = flag {
            return Ok(Given { value, origin: Origin::Flag("--api-url") });
        }
        if let Some(value) = (self.environment)(URL_VARIABLE) {
            return Ok(Given { value, origin: Origin::Variable(URL_VARIABLE) });
        }
        let Some(given) = self.text("--api-url", None, "api_url", |config| config.api_url.as_ref())? else {
            return Ok(Given { value: DEFAULT_API_URL.to_owned(), origin: Origin::Default });
        };
        check_host(&given, allowed)?;
        Ok(given)
    }

    fn ca_file(&self, flag: Option<PathBuf>) -> Result<Option<Given<PathBuf>>, SettingsError> {
        if let Some(value) = flag {
            return Ok(Some(Given { value, origin: Origin::Flag("--ca-file") }));
        }
        let given = self.text("--ca-file", None, "ca_file", |config| config.ca_file.as_ref())?;
        Ok(given
            .zip(self.file)
            .map(|(given, file)| Given { value: file.folder.join(given.value), origin: given.origin }))
    }

    fn text(
        &self,
        name: &'static str,
        flag: Option<String>,
        key: &'static str,
        of: impl Fn(&InstanceConfig) -> Option<&EnvironmentText>,
    ) -> Result<Option<Given<String>>, SettingsError> {
        if let Some(value) = flag {
            return Ok(Some(Given { value, origin: Origin::Flag(name) }));
        }
        let Some(file) = self.file else { return Ok(None) };
        let Some(text) = of(file.config) else { return Ok(None) };
        let origin = Origin::File { instance: file.name.to_owned(), key };
        Ok(Some(Given { value: self.expand(text, &origin)?, origin }))
    }

    fn expand(&self, text: &EnvironmentText, origin: &Origin) -> Result<String, SettingsError> {
        let pieces = text.0.iter().map(|piece| match piece {
            Piece::Text(text) => Ok(text.clone()),
            Piece::Variable(name) => self.variable(name, origin),
        });
        pieces.collect()
    }

    fn variable(&self, name: &str, origin: &Origin) -> Result<String, SettingsError> {
        let unset = || SettingsError::Unset { name: name.to_owned(), origin: origin.clone() };
        (self.environment)(name).ok_or_else(unset)
    }
}

/// A file may name only an API that cannot be somebody else's, unless the user agrees.
fn check_host(given: &Given<String>, allowed: &[String]) -> Result<(), SettingsError> {
    let origin = || given.origin.clone();
    let url = Url::parse(&given.value).map_err(|_| SettingsError::NotAnAddress { origin: origin() })?;
    let host = url.host_str().ok_or_else(|| SettingsError::NotAnAddress { origin: origin() })?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = bare == "localhost" || bare.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    let trusted = CLERK_HOSTS.contains(&host) || loopback;
    if trusted || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(SettingsError::ForeignHost { host: host.to_owned(), origin: origin() })
}

#[cfg(test)]
mod tests;
