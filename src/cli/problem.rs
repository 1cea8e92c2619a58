//! Why a command ended before its work was done: what a person reads, what a program reads, and the exit code.

use std::error::Error;
use std::process::ExitCode;

use crate::phase::Abort;
use crate::run_file::RunFileError;
use crate::source::SourceError;

/// How a command ended, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, and every row ended well.
    Done = 0,
    /// Finished, but some rows did not end well.
    RowsAmiss = 1,
    /// Wrong usage or configuration, or an input that cannot be read at all.
    Usage = 2,
    /// Aborted midway.
    Aborted = 3,
    /// `plan --detailed-exitcode`: there are changes and no bad rows.
    Changes = 4,
    /// Interrupted, and resumable.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What went wrong.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The exit code.
    pub(crate) exit: Exit,
    /// A word for machines.
    pub(crate) code: &'static str,
    /// One sentence, with its causes, as a lower-case fragment.
    pub(crate) message: String,
    /// The way out, where the sentence does not hold it.
    pub(crate) hint: Option<String>,
}

impl Problem {
    /// Wrong usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, code: "usage", message: message.into(), hint: None }
    }

    /// An error that ends the command.
    pub(crate) fn of(exit: Exit, code: &'static str, error: &dyn Error) -> Self {
        Self { exit, code, message: chain(error), hint: None }
    }

    /// The same problem, with a way out.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// An error and what caused it, in one sentence.
fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said.push_str(": ");
        said.push_str(&error.to_string());
        cause = error.source();
    }
    said
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        let exit = if error.is_midway() { Exit::Aborted } else { Exit::Usage };
        Self::of(exit, "source", &error)
    }
}

impl From<RunFileError> for Problem {
    fn from(error: RunFileError) -> Self {
        let exit = match error {
            // Nothing was begun: it is the place that was named which does not do.
            RunFileError::Io { action: "create" | "create the folder" | "list", .. } => Exit::Usage,
            RunFileError::Io { .. } | RunFileError::Sqlite { .. } | RunFileError::Damaged { .. } => Exit::Aborted,
            _ => Exit::Usage,
        };
        Self::of(exit, "run_file", &error)
    }
}

impl From<Abort> for Problem {
    fn from(abort: Abort) -> Self {
        let code = abort.code();
        match abort {
            Abort::Source(error) => error.into(),
            Abort::RunFile(error) => error.into(),
            abort => Self::of(Exit::Aborted, code, &abort),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::run_file::Folder;

    #[test]
    fn a_place_that_holds_no_runs_is_wrong_usage() {
        let place = tempfile::tempdir().expect("there is room");
        let file = place.path().join("file");
        std::fs::write(&file, "").expect("can be written");
        let exit = |error: RunFileError| Problem::from(error).exit;
        assert_eq!(exit(Folder::new(file.clone()).list().expect_err("is no folder")), Exit::Usage);
        assert_eq!(exit(Folder::new(file.join("runs")).prepare().expect_err("is no folder")), Exit::Usage);
        let midway = |action| RunFileError::Io {
            action,
            path: Path::new("x.run").to_owned(),
            source: std::io::ErrorKind::PermissionDenied.into(),
        };
        assert_eq!(exit(midway("create")), Exit::Usage);
        assert_eq!(exit(midway("remove")), Exit::Aborted);
    }
}
