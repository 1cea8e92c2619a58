//! How a run file is laid out, and whether a file is one.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::{Head, Result, RunFileError, head};

/// `mpat` in ASCII; `file` and SQLite's own tools show it.
const APPLICATION_ID: i64 = 0x6d70_6174;

/// The layout's version; it grows when the layout changes.
const VERSION: i64 = 1;

/// The tables. `rows` has a record of the source each, `changes` a user each.
///
/// - `run.cursor`: every row before it has been compared.
/// - `rows.user`: the user the row turned out to speak of; its outcome is then that user's, unless `rows.outcome` says
///   what became of the row itself. A row with neither is pending.
/// - `rows.patch` and `rows.raw` are emptied when the row ends well.
/// - `changes.touches`: *before* and *after* of the touched paths, only for users that change.
/// - `changes.session` and `changes.compared_ms`: which process compared the user, and how long after its start.
/// - `changes.sent`: a request may be on its way whose end is not recorded yet.
const TABLES: &str = "
CREATE TABLE run (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    tool TEXT NOT NULL,
    spec TEXT NOT NULL,
    header TEXT,
    instance TEXT NOT NULL,
    goal TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    session INTEGER NOT NULL,
    fingerprint TEXT,
    rows_read INTEGER,
    cursor INTEGER NOT NULL,
    compared INTEGER NOT NULL
) STRICT;
CREATE TABLE changes (
    user INTEGER PRIMARY KEY,
    user_id TEXT NOT NULL UNIQUE,
    outcome TEXT NOT NULL,
    code TEXT,
    message TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    trace_id TEXT,
    touches TEXT,
    session INTEGER NOT NULL,
    compared_ms INTEGER NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX changes_planned ON changes (user) WHERE outcome = 'planned';
CREATE INDEX changes_amiss ON changes (outcome, coalesce(code, ''))
    WHERE outcome NOT IN ('applied', 'unchanged', 'planned');
";

/// The table of rows, which is made anew each time staging begins.
pub(super) const ROWS: &str = "
DROP TABLE IF EXISTS rows;
CREATE TABLE rows (
    row INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    kind TEXT,
    value TEXT,
    user INTEGER,
    outcome TEXT,
    code TEXT,
    message TEXT,
    patch TEXT,
    raw_kind TEXT,
    raw BLOB
) STRICT;
";

/// What finding rows needs; made when all rows are there, which is faster than keeping it up to date.
pub(super) const ROW_INDEXES: &str = "
CREATE INDEX rows_by_identity ON rows (kind, value) WHERE kind IS NOT NULL;
CREATE INDEX rows_by_user ON rows (user) WHERE user IS NOT NULL;
CREATE INDEX rows_by_outcome ON rows (outcome, coalesce(code, '')) WHERE outcome IS NOT NULL;
";

/// Lays out an empty file.
pub(super) fn create(path: &Path, head: &Head) -> Result<()> {
    let wrap = |source| RunFileError::Sqlite { path: path.to_owned(), source };
    let db = Connection::open(path).map_err(wrap)?;
    db.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"))
        .and_then(|()| db.execute_batch(&format!("BEGIN; {TABLES} {ROWS}")))
        .and_then(|()| head::write(&db, head))
        .and_then(|()| db.execute_batch("COMMIT"))
        .map_err(wrap)?;
    db.close().map_err(|(_, source)| wrap(source))
}

/// Refuses what is no run file, and one that a later version laid out.
pub(super) fn check(db: &Connection, path: &Path) -> Result<()> {
    let number = |pragma: &str| db.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0)).optional();
    let foreign = |_| RunFileError::NotARunFile(path.to_owned());
    if number("application_id").map_err(foreign)? != Some(APPLICATION_ID) {
        return Err(RunFileError::NotARunFile(path.to_owned()));
    }
    match number("user_version").map_err(foreign)?.unwrap_or_default() {
        VERSION => Ok(()),
        found if found > VERSION => Err(RunFileError::Newer { path: path.to_owned(), found, known: VERSION }),
        _ => Err(RunFileError::NotARunFile(path.to_owned())),
    }
}
