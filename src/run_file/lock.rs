//! The lock that makes one process the only writer of a run file.
//!
//! It is a file of its own beside the run file: locking the run file itself would get in the way of SQLite's own locks
//! on some systems. The operating system lets go of it when the process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::{Result, RunFileError, folder};

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes the lock of a run file, or `None` where another process holds it.
    pub(super) fn take(run: &Path) -> Result<Option<Self>> {
        let path = folder::beside(run, "", ".lock");
        loop {
            let wrap = |source| RunFileError::Io { action: "lock", path: path.clone(), source };
            let file = folder::open_private(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(source)) => return Err(wrap(source)),
            }
            // Whoever held it before may have removed the file between our opening and locking it.
            if is_same_file(&file, &path) {
                return Ok(Some(Self { path, _file: file }));
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is still held, so that nobody can hold a lock on a file that is gone from the folder and
        // believe to be alone. Where it cannot be removed it stays, unlocked and harmless.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(named)) => held.dev() == named.dev() && held.ino() == named.ino(),
        _ => false,
    }
}

/// Where an open file cannot be removed, it is always the one that is named.
#[cfg(not(unix))]
fn is_same_file(_file: &File, _path: &Path) -> bool {
    true
}
