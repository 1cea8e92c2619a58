//! Finding runs: by path, by id, or the latest one.

use std::path::{Path, PathBuf};

use super::args::RunsDirArgs;
use super::problem::Problem;
use crate::run_file::{Folder, Instance, RunFile};

/// The folder of run files that flags and environment name.
pub(crate) fn folder(args: &RunsDirArgs) -> Folder {
    let named = args.runs_dir.clone();
    let from_env = || std::env::var_os("METAPATCH_RUNS_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Folder::new(named.or_else(from_env).unwrap_or_else(|| PathBuf::from(".metapatch/runs")))
}

/// The run file that a person means: a path where there is such a file, otherwise an id, or the beginning of one that
/// fits only one run.
pub(crate) fn find(folder: &Folder, run: &str) -> Result<PathBuf, Problem> {
    let path = Path::new(run);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let all = folder.list()?;
    let id = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(exact) = all.iter().find(|path| id(path) == run) {
        return Ok(exact.clone());
    }
    let mut fitting = all.iter().filter(|path| !run.is_empty() && id(path).starts_with(run));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only.clone()),
        (Some(one), Some(other)) => {
            Err(Problem::usage(format!("`{run}` fits more than one run, such as {} and {}", id(one), id(other))))
        }
        (None, _) => Err(Problem::usage(format!("there is no run `{}`", crate::harmless::for_terminal(run)))
            .hint("`metapatch runs` lists the runs that were made here; RUN may also be the path of a run file")),
    }
}

/// What to type for a run: its id where that finds it, otherwise its path.
pub(crate) fn handle(path: &Path) -> String {
    let usual = folder(&RunsDirArgs { runs_dir: None });
    let id = path.file_stem().unwrap_or_default().to_string_lossy();
    if usual.path_of(&id) == path { id.into_owned() } else { path.to_string_lossy().into_owned() }
}

/// The latest run of an instance.
pub(crate) fn latest(folder: &Folder, instance: &Instance) -> Result<PathBuf, Problem> {
    for path in folder.list()?.into_iter().rev() {
        // A file that cannot be read is no candidate; naming it outright says why.
        let Ok(run) = RunFile::open_to_read(&path) else { continue };
        if run.head().instance.binding == instance.binding {
            return Ok(path);
        }
    }
    Err(Problem::usage("there is no run of this instance here")
        .hint("`metapatch runs` lists the runs that were made here; `metapatch apply FILE` makes one"))
}
