//! The folder that run files live in: private, and out of git.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Result, RunFileError};

/// The ending of run files in the folder.
const ENDING: &str = "run";

/// A folder of run files.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// A folder that need not exist yet.
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where the run of that id is, or would be.
    pub fn path_of(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.{ENDING}"))
    }

    /// Makes the folder where it is missing, for its user alone, with a `.gitignore` that covers all of it.
    ///
    /// A folder of runs that has lost its `.gitignore`, or was never given one, gets one now. One that holds other
    /// things as well is somebody's own, and what git sees of it is theirs to say.
    pub fn prepare(&self) -> Result<()> {
        let wrap = |source| RunFileError::Io { action: "create the folder", path: self.0.clone(), source };
        if self.0.is_dir() {
            if !self.is_for_runs().map_err(wrap)? {
                return Ok(());
            }
        } else {
            create_private_folder(&self.0).map_err(wrap)?;
        }
        match OpenOptions::new().write(true).create_new(true).open(self.0.join(".gitignore")) {
            Ok(mut ignore) => ignore.write_all(b"# Run files hold personal data.\n*\n").map_err(wrap),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(wrap(e)),
        }
    }

    /// Whether nothing but run files stands in the folder, with the files that stand beside them while they are in use.
    fn is_for_runs(&self) -> io::Result<bool> {
        let marks = [format!(".{ENDING}"), format!(".{ENDING}-"), format!(".{ENDING}.")];
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            let is_one = name.ends_with(&marks[0]) || marks[1..].iter().any(|mark| name.contains(mark.as_str()));
            if !is_one {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The run files in the folder, oldest first; ids begin with the time they were made.
    pub fn list(&self) -> Result<Vec<PathBuf>> {
        let wrap = |source| RunFileError::Io { action: "list", path: self.0.clone(), source };
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(wrap(e)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(wrap)?.path();
            if path.extension().is_some_and(|ending| ending == ENDING) && path.is_file() {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }
}

#[cfg(unix)]
fn create_private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// A file beside another, whose name is made from the other's.
pub(super) fn beside(path: &Path, before: &str, behind: &str) -> PathBuf {
    let mut name = OsString::from(before);
    name.push(path.file_name().unwrap_or_default());
    name.push(behind);
    path.with_file_name(name)
}

/// Makes an empty file that only its user can read, where there is none.
pub(super) fn create_private(path: &Path) -> Result<()> {
    private(OpenOptions::new().write(true).create_new(true), path).map(|_| ())
}

/// Opens a file that only its user can read, and makes it where it is missing.
pub(super) fn open_private(path: &Path) -> Result<File> {
    private(OpenOptions::new().write(true).create(true).truncate(false), path)
}

fn private(options: &mut OpenOptions, path: &Path) -> Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.open(path).map_err(|source| RunFileError::Io { action: "create", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_runs_keeps_itself_out_of_git_and_any_other_is_left_alone() {
        let place = tempfile::tempdir().expect("there is room");
        let ignore = place.path().join(".gitignore");
        let prepare = || Folder::new(place.path().to_owned()).prepare().expect("can be written");
        fs::write(place.path().join("one.run"), "").expect("can be written");
        fs::write(place.path().join("one.run-wal"), "").expect("can be written");
        prepare();
        assert!(fs::read_to_string(&ignore).expect("is there").ends_with("*\n"));
        fs::write(&ignore, "mine").expect("can be written");
        prepare();
        assert_eq!(fs::read_to_string(&ignore).expect("is there"), "mine");
        fs::remove_file(&ignore).expect("is there");
        fs::write(place.path().join("notes.txt"), "").expect("can be written");
        prepare();
        assert!(!ignore.exists());
    }
}
