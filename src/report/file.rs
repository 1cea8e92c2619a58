//! A report in a file: whole or not at all, for its owner's eyes, and never on top of something by accident.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::harmless::for_terminal;

/// Why a report cannot be written to a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Something stands there already.
    #[error("{} exists already; choose another path, or overwrite it with --force", shown(.0))]
    Exists(PathBuf),
    /// A link stands there, and writing through it could reach anywhere.
    #[error("{} is a link; choose another path, or overwrite what it leads to with --force", shown(.0))]
    Link(PathBuf),
    /// A folder, a device or a pipe stands there; --force does not help.
    #[error("{} is no regular file; choose another path, or `-` for standard output", shown(.0))]
    NotAFile(PathBuf),
    /// The folder is not there.
    #[error("the folder {} does not exist; create it first", shown(.0))]
    NoFolder(PathBuf),
    /// The system refused.
    #[error("cannot write {}", shown(.path))]
    Io {
        /// The report's path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A report being written beside its place; it appears there by [`Self::finish`], and only then. Dropped before, it
/// leaves nothing behind; killed before, a file whose name begins with `.metapatch-`.
#[derive(Debug)]
pub struct ReportFile {
    out: BufWriter<File>,
    temporary: Temporary,
    target: PathBuf,
    force: bool,
}

impl ReportFile {
    /// Begins a report. Without `force`, neither a file nor a link may stand at `path`; with it, a file is replaced,
    /// and of a link what it leads to.
    pub fn create(path: &Path, force: bool) -> Result<Self, FileError> {
        let target = place(path, force)?;
        let fail = |source| FileError::Io { path: path.to_owned(), source };
        let folder = folder_of(&target);
        if !folder.is_dir() {
            return Err(FileError::NoFolder(folder.to_owned()));
        }
        let name = folder.join(format!(".metapatch-{:016x}.tmp", fastrand::u64(..)));
        let file = private_options().open(&name).map_err(fail)?;
        Ok(Self { out: BufWriter::new(file), temporary: Temporary(name), target, force })
    }

    /// Puts the report in its place, once it is on the disk.
    pub fn finish(mut self) -> Result<(), FileError> {
        let path = self.target.clone();
        let fail = |source| FileError::Io { path: path.clone(), source };
        self.out.flush().map_err(fail)?;
        self.out.get_ref().sync_all().map_err(fail)?;
        if self.force {
            place(&self.target, true)?;
            fs::rename(&self.temporary.0, &self.target).map_err(fail)?;
        } else {
            self.appear()?;
        }
        sync_folder(folder_of(&self.target));
        Ok(())
    }

    /// A link, unlike a rename, never replaces what somebody else has put there in the meantime.
    fn appear(&self) -> Result<(), FileError> {
        let fail = |source| FileError::Io { path: self.target.clone(), source };
        match fs::hard_link(&self.temporary.0, &self.target) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(FileError::Exists(self.target.clone())),
            // Some file systems know no links.
            Err(_) => {
                place(&self.target, false)?;
                fs::rename(&self.temporary.0, &self.target).map_err(fail)
            }
        }
    }
}

impl Write for ReportFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The file beside the place; it goes with its owner unless it was renamed.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename it is gone already, and nothing can be done about other failures.
        let _ = fs::remove_file(&self.0);
    }
}

/// Where the report will stand, if it may stand there.
fn place(path: &Path, force: bool) -> Result<PathBuf, FileError> {
    let fail = |source| FileError::Io { path: path.to_owned(), source };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path.to_owned()),
        Err(error) => return Err(fail(error)),
    };
    if found.is_symlink() && !force {
        return Err(FileError::Link(path.to_owned()));
    }
    let (target, found) = if found.is_symlink() {
        (fs::canonicalize(path).map_err(fail)?, fs::metadata(path).map_err(fail)?)
    } else {
        (path.to_owned(), found)
    };
    match (found.is_file(), force) {
        (false, _) => Err(FileError::NotAFile(path.to_owned())),
        (true, false) => Err(FileError::Exists(path.to_owned())),
        (true, true) => Ok(target),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A name is on the disk once its folder is; where folders cannot be synced, the system does it in its own time.
fn sync_folder(folder: &Path) {
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

fn shown(path: &Path) -> String {
    for_terminal(&path.display().to_string())
}

#[cfg(test)]
mod tests;
