//! What can be wrong with `jobs.yaml`, and with the settings of an instance.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde_saphyr::Location;

use super::instance::Origin;
use crate::nearest::nearest;

/// What is wrong with a `jobs.yaml`.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}; name another with --config", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no configuration.
    #[error("{} is larger than 1 MiB, too large for a configuration", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Something in the file.
    #[error("{}:{line}:{column}: {what}", path.display())]
    At {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The column, in characters, counted from 1.
        column: u64,
        /// What is wrong and the way out.
        what: String,
    },
    /// The file does not have what was asked for by name.
    #[error("{} has no {kind} `{name}`{hint}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// A job or an instance.
        kind: &'static str,
        /// The name that was asked for.
        name: String,
        /// The nearest name, or all there are.
        hint: String,
    },
}

impl ConfigError {
    pub(super) fn at(path: &Path, (at, what): (Location, String)) -> Self {
        // What has no place is said of the beginning.
        Self::At { path: path.to_owned(), line: at.line().max(1), column: at.column().max(1), what }
    }

    /// Something behind the text that was good.
    pub(super) fn at_text(path: &Path, before: &str, what: &str) -> Self {
        let line = before.matches('\n').count() as u64 + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
        Self::At { path: path.to_owned(), line, column, what: what.to_owned() }
    }

    pub(super) fn unknown<'n>(
        path: &Path,
        kind: &'static str,
        name: &str,
        known: impl Iterator<Item = &'n str>,
    ) -> Self {
        let known: Vec<&str> = known.collect();
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("; did you mean `{near}`?"),
            None if known.is_empty() => "; it has none".to_owned(),
            None => format!("; it has `{}`", known.join("`, `")),
        };
        Self::Unknown { path: path.to_owned(), kind, name: name.to_owned(), hint }
    }
}

/// What is wrong with the settings of an instance. None of these quotes a key or what a command printed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no key anywhere.
    #[error(
        "there is no secret key; set CLERK_SECRET_KEY, or use --secret-key-file PATH or --secret-key-command CMD. To try \
         it without one, run `metapatch demo`, or start `metapatch sandbox` and run the two exports it prints"
    )]
    NoKey,
    /// More than one place for the key.
    #[error("{0} gives the secret key in more than one way; give it in one")]
    SeveralKeys(Origin),
    /// An environment variable that is needed is not set.
    #[error("{origin} needs the environment variable {name}, which is not set")]
    Unset {
        /// The variable.
        name: String,
        /// What needs it.
        origin: Origin,
    },
    /// The key's file cannot be read.
    #[error("cannot read {}, which {origin} names", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What names it.
        origin: Origin,
        /// Why.
        source: io::Error,
    },
    /// The command for the key cannot be started.
    #[error("cannot start the command of {origin}")]
    KeyCommand {
        /// What names the command.
        origin: Origin,
        /// Why.
        source: io::Error,
    },
    /// The command for the key failed.
    #[error("the command of {origin} failed ({status})")]
    KeyCommandFailed {
        /// What names the command.
        origin: Origin,
        /// How it ended.
        status: ExitStatus,
    },
    /// What was read is no key.
    #[error("{origin} gives no secret key: {what}")]
    NotAKey {
        /// Where it was read from.
        origin: Origin,
        /// What is wrong with it.
        what: &'static str,
    },
    /// An API of somebody else.
    #[error("{origin} sends the secret key to {host}; if that is right, add --allow-api-url {host}")]
    ForeignHost {
        /// The host.
        host: String,
        /// What names it.
        origin: Origin,
    },
    /// An address that is none.
    #[error("{origin} is no address such as https://api.clerk.com")]
    NotAnAddress {
        /// What names it.
        origin: Origin,
    },
}
