//! Rows: put down while staging, given their user or their outcome while comparing.

use rusqlite::{OptionalExtension as _, params};

use super::{Result, RunFile, RunFileError, schema};
use crate::identity::{Identity, IdentityKind};
use crate::outcome::Outcome;
use crate::patch::Patch;
use crate::row::{Origin, Rejection, Row};

/// A record as it is put down.
#[derive(Debug)]
pub struct StagedRow<'a> {
    /// Where it stood.
    pub origin: Origin,
    /// What it asks for, or why it is refused.
    pub content: std::result::Result<&'a Row, &'a Rejection>,
    /// What is kept of it for the file of failed rows.
    pub raw: KeptRaw<'a>,
}

/// What is kept of a record, in the form in which it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptRaw<'a> {
    /// The kept cells of a CSV record, as a JSON array.
    Cells(String),
    /// A line that holds a JSON object.
    Object(&'a str),
    /// Bytes that are no record.
    Unreadable(&'a [u8]),
    /// Nothing.
    Withheld,
}

impl KeptRaw<'_> {
    fn columns(&self) -> (Option<&'static str>, Option<&[u8]>) {
        match self {
            Self::Cells(text) => (Some("cells"), Some(text.as_bytes())),
            Self::Object(text) => (Some("object"), Some(text.as_bytes())),
            Self::Unreadable(bytes) => (Some("unreadable"), Some(bytes)),
            Self::Withheld => (None, None),
        }
    }
}

/// A row that has not been compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRow {
    /// Which row.
    pub row: u64,
    /// Whom it speaks of.
    pub identity: Identity,
}

impl RunFile {
    /// Begins staging, from nothing: what an earlier attempt put down is dropped.
    pub fn begin_rows(&mut self) -> Result<()> {
        self.begin()?;
        self.db.execute_batch(schema::ROWS).map_err(|source| self.sqlite(source))
    }

    /// Puts down one record.
    pub fn add_row(&mut self, row: &StagedRow<'_>) -> Result<()> {
        self.begin()?;
        let (raw_kind, raw) = row.raw.columns();
        let asked = row.content.ok();
        let refused = row.content.err();
        self.db
            .prepare_cached(
                "INSERT INTO rows (row, line, kind, value, outcome, code, message, patch, raw_kind, raw) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    row.origin.row,
                    row.origin.line,
                    asked.map(|row| row.identity.kind().name()),
                    asked.map(|row| row.identity.value()),
                    refused.map(|_| Outcome::Rejected.word()),
                    refused.map(|rejection| rejection.code),
                    refused.map(message),
                    asked.map(|row| row.patch.to_json().to_string()),
                    raw_kind,
                    raw,
                ])
            })
            .map(|_| ())
            .map_err(|source| self.sqlite(source))
    }

    /// Ends staging: from here on rows can be found by identity.
    pub fn end_rows(&mut self, rows_read: u64) -> Result<()> {
        self.begin()?;
        self.db.execute_batch(schema::ROW_INDEXES).map_err(|source| self.sqlite(source))?;
        self.update_head(|head| head.rows_read = Some(rows_read))?;
        self.commit()
    }

    /// The next rows from `from` on that have not been compared, in input order, `most` at a time.
    pub fn pending_rows(&self, from: u64, most: usize) -> Result<Vec<PendingRow>> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, u64>(0)?, row.get(1)?, row.get(2)?));
        let found: Vec<(u64, String, String)> = self
            .db
            .prepare_cached(
                "SELECT row, kind, value FROM rows WHERE row >= ?1 AND user IS NULL AND outcome IS NULL \
                 ORDER BY row LIMIT ?2",
            )
            .and_then(|mut statement| statement.query_map(params![from, most], read)?.collect())
            .map_err(|source| self.sqlite(source))?;
        found.into_iter().map(|(row, kind, value)| self.pending_row(row, &kind, value)).collect()
    }

    fn pending_row(&self, row: u64, kind: &str, value: String) -> Result<PendingRow> {
        let kind = IdentityKind::from_name(kind).ok_or_else(|| self.damaged(format!("row {row} has no identity")))?;
        let identity = Identity::new(kind, value).map_err(|e| self.damaged(format!("row {row}: {e}")))?;
        Ok(PendingRow { row, identity })
    }

    /// Says of which user the pending rows of an identity speak.
    pub fn assign(&mut self, identity: &Identity, user: i64) -> Result<()> {
        self.begin()?;
        self.db
            .prepare_cached("UPDATE rows SET user = ?3 WHERE kind = ?1 AND value = ?2 AND outcome IS NULL")
            .and_then(|mut statement| statement.execute(params![identity.kind().name(), identity.value(), user]))
            .map(|_| ())
            .map_err(|source| self.sqlite(source))
    }

    /// Ends the pending rows of an identity that names no user, or several.
    pub fn end_identity(&mut self, identity: &Identity, outcome: Outcome, code: &str, message: &str) -> Result<()> {
        self.begin()?;
        self.db
            .prepare_cached(
                "UPDATE rows SET outcome = ?3, code = ?4, message = ?5 \
                 WHERE kind = ?1 AND value = ?2 AND outcome IS NULL AND user IS NULL",
            )
            .and_then(|mut statement| {
                let (kind, value) = (identity.kind().name(), identity.value());
                statement.execute(params![kind, value, outcome.word(), code, message])
            })
            .map(|_| ())
            .map_err(|source| self.sqlite(source))
    }

    /// Ends all rows of a user in an outcome of their own; they stay the user's.
    pub fn reject_rows_of(&mut self, user: i64, code: &str, message: &str) -> Result<()> {
        self.begin()?;
        self.db
            .prepare_cached("UPDATE rows SET outcome = 'rejected', code = ?2, message = ?3 WHERE user = ?1")
            .and_then(|mut statement| statement.execute(params![user, code, message]))
            .map(|_| ())
            .map_err(|source| self.sqlite(source))
    }

    /// Gives the patches of all rows that speak of a user, in input order, one at a time.
    pub fn for_each_patch_of<E: From<RunFileError>>(
        &self,
        user: i64,
        mut each: impl FnMut(&Patch) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let wrap = |source| E::from(self.sqlite(source));
        let sql = "SELECT row, patch FROM rows WHERE user = ?1 ORDER BY row";
        let mut statement = self.db.prepare_cached(sql).map_err(wrap)?;
        let mut rows = statement.query([user]).map_err(wrap)?;
        while let Some(found) = rows.next().map_err(wrap)? {
            let row: u64 = found.get(0).map_err(wrap)?;
            let text: Option<String> = found.get(1).map_err(wrap)?;
            let text = text.ok_or_else(|| self.damaged(format!("row {row} has lost its patch")))?;
            let patch = Patch::from_json(&text).map_err(|e| self.damaged(format!("the patch of row {row}: {e}")))?;
            each(&patch)?;
        }
        Ok(())
    }

    /// Whether more than one row speaks of a user.
    pub fn has_several_rows(&self, user: i64) -> Result<bool> {
        self.db
            .prepare_cached("SELECT count(*) > 1 FROM (SELECT 1 FROM rows WHERE user = ?1 LIMIT 2)")
            .and_then(|mut statement| statement.query_row([user], |row| row.get(0)))
            .map_err(|source| self.sqlite(source))
    }

    /// Empties what is kept of a user's rows: they ended well.
    pub fn empty_rows_of(&mut self, user: i64) -> Result<()> {
        self.begin()?;
        self.db
            .prepare_cached("UPDATE rows SET patch = NULL, raw = NULL, raw_kind = NULL WHERE user = ?1")
            .and_then(|mut statement| statement.execute([user]))
            .map(|_| ())
            .map_err(|source| self.sqlite(source))
    }

    /// Empties what is kept of the rows of all users that are unchanged.
    pub fn empty_unchanged_rows(&mut self) -> Result<()> {
        self.begin()?;
        let sql = "UPDATE rows SET patch = NULL, raw = NULL, raw_kind = NULL WHERE patch IS NOT NULL \
                   AND user IN (SELECT user FROM changes WHERE outcome = 'unchanged')";
        self.db.execute(sql, []).map(|_| ()).map_err(|source| self.sqlite(source))
    }

    /// Whether a user can be reached by one identity only, because all rows use one kind that names one user each.
    pub fn has_one_unique_kind(&self) -> Result<bool> {
        let sql = "SELECT (SELECT min(kind) FROM rows WHERE kind IS NOT NULL), \
                   (SELECT max(kind) FROM rows WHERE kind IS NOT NULL)";
        let (first, last): (Option<String>, Option<String>) =
            self.db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(|source| self.sqlite(source))?;
        Ok(first == last && first.and_then(|kind| IdentityKind::from_name(&kind)).is_some_and(IdentityKind::is_unique))
    }

    /// How many identities wait to be compared, from a row on.
    pub fn count_pending(&self, from: u64) -> Result<u64> {
        self.db
            .prepare_cached(
                "SELECT count(*) FROM (SELECT DISTINCT kind, value FROM rows \
                 WHERE row >= ?1 AND user IS NULL AND outcome IS NULL)",
            )
            .and_then(|mut statement| statement.query_row([from], |row| row.get(0)).optional())
            .map(Option::unwrap_or_default)
            .map_err(|source| self.sqlite(source))
    }
}

/// A rejection in one sentence, the column first.
fn message(rejection: &Rejection) -> String {
    match &rejection.column {
        // A number of bytes into the line is part of the message already.
        Some(column) if !column.bytes().all(|b| b.is_ascii_digit()) => format!("{column}: {}", rejection.message),
        _ => rejection.message.clone(),
    }
}
