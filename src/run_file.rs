//! A run is one SQLite file, and this module is the only place that knows how it is laid out.
//!
//! - One process writes it, under a lock beside it; any number may read it meanwhile.
//! - What is written becomes durable with [`RunFile::commit`]; a kill before that loses the group, never half of it.
//! - Nothing read from it is trusted: it is checked like any other input.
//! - The file and its folder belong to their user alone (0600 and 0700), and the folder keeps itself out of git.
//!
//! While it is written, SQLite keeps a `-wal` and a `-shm` file beside it. They are folded into the one file when the
//! run ends, or by the next command after a kill.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use self::lock::Lock;

mod changes;
mod folder;
mod head;
mod lock;
mod reading;
mod rows;
mod schema;

pub use self::changes::{Ended, Existing, NewChange, Planned};
pub use self::folder::Folder;
pub use self::head::{Goal, Head, Instance};
pub use self::reading::{Cause, ReportedRow, RowFilter};
pub use self::rows::{KeptRaw, PendingRow, StagedRow};

/// An open run file.
#[derive(Debug)]
pub struct RunFile {
    db: Connection,
    path: PathBuf,
    head: Head,
    /// Held as long as this process may write.
    lock: Option<Lock>,
}

/// Why a run file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunFileError {
    /// There is no such file.
    #[error("there is no run file `{}`; `metapatch runs` lists those in the runs folder", .0.display())]
    Missing(PathBuf),
    /// It is something else.
    #[error("`{}` is not a run file of metapatch", .0.display())]
    NotARunFile(PathBuf),
    /// A later version wrote it.
    #[error("`{}` was written by a newer metapatch (layout {found}, this one reads {known}); use that version", .path.display())]
    Newer {
        /// The run file.
        path: PathBuf,
        /// The layout it has.
        found: i64,
        /// The newest layout that is understood here.
        known: i64,
    },
    /// Another process is writing it.
    #[error("another metapatch is working on the run `{}`; wait for it to end, or stop it first", .0.display())]
    Locked(PathBuf),
    /// It exists already.
    #[error("`{}` exists already; name another file, or continue that run with `metapatch resume`", .0.display())]
    Exists(PathBuf),
    /// What stands in it makes no sense.
    #[error("the run file `{}` is damaged: {what}", .path.display())]
    Damaged {
        /// The run file.
        path: PathBuf,
        /// What was found, as a lower-case fragment.
        what: String,
    },
    /// The file system says no.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// SQLite says no.
    #[error("cannot use the run file `{}`", .path.display())]
    Sqlite {
        /// The run file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// What the functions here give back.
pub type Result<T> = std::result::Result<T, RunFileError>;

impl RunFile {
    /// Makes a new run file. It appears under its name only when its head is complete.
    pub fn create(path: &Path, head: &Head) -> Result<Self> {
        let is_there = || path.symlink_metadata().is_ok();
        if is_there() {
            return Err(RunFileError::Exists(path.to_owned()));
        }
        let lock = Lock::take(path)?.ok_or_else(|| RunFileError::Locked(path.to_owned()))?;
        // Whoever held the lock before may have made it.
        if is_there() {
            return Err(RunFileError::Exists(path.to_owned()));
        }
        let unfinished = folder::beside(path, ".", ".new");
        remove_leftovers(path, &unfinished)?;
        folder::create_private(&unfinished)?;
        let made = schema::create(&unfinished, head).and_then(|()| {
            fs::rename(&unfinished, path).map_err(|source| RunFileError::Io {
                action: "create",
                path: path.to_owned(),
                source,
            })
        });
        if made.is_err() {
            // The unfinished file is of no use to anybody; failing to remove it changes nothing.
            let _ = fs::remove_file(&unfinished);
        }
        made?;
        Self::open_locked(path, lock)
    }

    /// Opens a run file for writing and begins a new session on it.
    pub fn open(path: &Path) -> Result<Self> {
        check_exists(path)?;
        let lock = Lock::take(path)?.ok_or_else(|| RunFileError::Locked(path.to_owned()))?;
        Self::open_locked(path, lock)
    }

    fn open_locked(path: &Path, lock: Lock) -> Result<Self> {
        let mut run = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        run.pragma("journal_mode", "wal")?;
        run.pragma("synchronous", "normal")?;
        run.pragma("secure_delete", "on")?;
        run.lock = Some(lock);
        let session = run.head.session.checked_add(1);
        run.head.session = session.ok_or_else(|| run.damaged("it counts too many sessions"))?;
        run.write_head()?;
        run.commit()?;
        Ok(run)
    }

    /// Opens a run file for reading, also while another process writes it.
    pub fn open_to_read(path: &Path) -> Result<Self> {
        check_exists(path)?;
        // After a kill the last writes may still stand in the `-wal` file; whoever comes first folds them in.
        // One killed while the kind of journal was changed leaves a `-journal` file, and what stands there is undone.
        if ["-wal", "-journal"].iter().any(|ending| folder::beside(path, "", ending).exists())
            && let Ok(Some(lock)) = Lock::take(path)
            && let Ok(mut run) = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        {
            run.lock = Some(lock);
            // A folder that cannot be written keeps the file as it is; reading still works.
            let _ = run.close();
        }
        Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self> {
        let wrap = |source| RunFileError::Sqlite { path: path.to_owned(), source };
        let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(wrap)?;
        db.busy_timeout(std::time::Duration::from_secs(10)).map_err(wrap)?;
        db.pragma_update(None, "trusted_schema", "off").map_err(wrap)?;
        db.set_prepared_statement_cache_capacity(64);
        schema::check(&db, path)?;
        let head = head::read(&db, path)?;
        Ok(Self { db, path: path.to_owned(), head, lock: None })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the run is, and how far it has come.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// Changes the head; durable with the next [`Self::commit`].
    pub fn update_head(&mut self, change: impl FnOnce(&mut Head)) -> Result<()> {
        change(&mut self.head);
        self.write_head()
    }

    fn write_head(&mut self) -> Result<()> {
        self.begin()?;
        head::write(&self.db, &self.head).map_err(|source| self.sqlite(source))
    }

    /// Makes everything written so far durable against the death of this process.
    pub fn commit(&mut self) -> Result<()> {
        if self.db.is_autocommit() {
            return Ok(());
        }
        self.db.execute_batch("COMMIT").map_err(|source| self.sqlite(source))
    }

    /// Commits, and folds everything into the one file.
    pub fn close(mut self) -> Result<()> {
        self.commit()?;
        // A reader may be looking on, which keeps the `-wal` file alive; then the next command folds it in.
        let _ = self.pragma("journal_mode", "delete");
        Ok(())
    }

    /// Begins a group of writes, unless one has begun already.
    fn begin(&self) -> Result<()> {
        if self.db.is_autocommit() {
            self.db.execute_batch("BEGIN IMMEDIATE").map_err(|source| self.sqlite(source))?;
        }
        Ok(())
    }

    fn pragma(&self, name: &str, value: &str) -> Result<()> {
        self.db.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Ok(()),
            source => Err(self.sqlite(source)),
        })
    }

    fn sqlite(&self, source: rusqlite::Error) -> RunFileError {
        RunFileError::Sqlite { path: self.path.clone(), source }
    }

    fn damaged(&self, what: impl Into<String>) -> RunFileError {
        RunFileError::Damaged { path: self.path.clone(), what: what.into() }
    }
}

/// Removes what a process that was killed, or somebody who removed a run file alone, left behind: SQLite would take
/// such files for a part of the new one.
fn remove_leftovers(path: &Path, unfinished: &Path) -> Result<()> {
    let sidecars = [path, unfinished]
        .into_iter()
        .flat_map(|file| ["-wal", "-shm", "-journal"].into_iter().map(move |ending| folder::beside(file, "", ending)));
    for leftover in sidecars.chain([unfinished.to_owned()]) {
        match fs::remove_file(&leftover) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(RunFileError::Io { action: "remove", path: leftover, source });
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_exists(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(RunFileError::NotARunFile(path.to_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(RunFileError::Missing(path.to_owned())),
        Err(source) => Err(RunFileError::Io { action: "read", path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests;
