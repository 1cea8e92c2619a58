//! What reports ask of a run file; every answer is streamed.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Result, RunFile};
use crate::change::Change;
use crate::outcome::{Outcome, Tally};
use crate::row::{Origin, Raw};

/// A row with what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedRow {
    /// Where it stood.
    pub origin: Origin,
    /// Clerk's id of the user, where it is known.
    pub user_id: Option<String>,
    /// The identity as it was given, `kind=value`; empty for a row that could not be read.
    pub matched: String,
    /// What became of it.
    pub outcome: Outcome,
    /// A word for machines; empty where there is nothing to say.
    pub code: String,
    /// A sentence for people; empty where there is nothing to say.
    pub message: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Clerk's trace id of the last answer.
    pub trace_id: String,
    /// What changes or changed.
    pub change: Option<Change>,
    /// The record as far as it is kept.
    pub raw: Raw,
}

/// An outcome, a code, and how many users or rows ended so.
pub type Cause = (Outcome, String, u64);

/// Which rows a report wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFilter {
    /// All of them.
    All,
    /// Those that did not end well.
    Failed,
}

/// Causes with their counts. Of users that were rejected the rows say so.
const PROBLEMS: &str = "
SELECT outcome, code, sum(n) AS total FROM (
    SELECT outcome, coalesce(code, '') AS code, count(*) AS n FROM rows WHERE outcome = 'rejected' GROUP BY 1, 2
    UNION ALL
    SELECT outcome, code, count(*) FROM (
        SELECT DISTINCT outcome, coalesce(code, '') AS code, kind, value FROM rows
        WHERE outcome IS NOT NULL AND outcome <> 'rejected'
    ) GROUP BY 1, 2
    UNION ALL
    SELECT outcome, coalesce(code, ''), count(*) FROM changes
    WHERE outcome NOT IN ('applied', 'unchanged', 'planned') AND outcome <> 'rejected' GROUP BY 1, 2
) GROUP BY 1, 2 ORDER BY total DESC, 1, 2";

/// Rows with an outcome of their own; `rows_by_outcome` finds them.
pub(super) const EXAMPLES_OF_ROWS: &str = "
SELECT line, coalesce(kind || '=' || value, ''), coalesce(message, '') FROM rows
WHERE outcome = ?1 AND coalesce(code, '') = ?2 ORDER BY row LIMIT ?3";

/// The first row of each user with an outcome; `changes_amiss` finds the users, which are numbered in input order.
pub(super) const EXAMPLES_OF_USERS: &str = "
SELECT r.line, coalesce(r.kind || '=' || r.value, ''), coalesce(c.message, '')
FROM changes c CROSS JOIN rows r
ON r.row = (SELECT min(row) FROM rows WHERE user = c.user AND outcome IS NULL)
WHERE c.outcome = ?1 AND coalesce(c.code, '') = ?2 AND c.outcome NOT IN ('applied', 'unchanged', 'planned')
ORDER BY c.user LIMIT ?3";

impl RunFile {
    /// Every row with what became of it, in input order.
    pub fn for_each_row<E: From<super::RunFileError>>(
        &self,
        filter: RowFilter,
        mut each: impl FnMut(ReportedRow) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let which = match filter {
            RowFilter::All => "",
            RowFilter::Failed => {
                "WHERE coalesce(r.outcome, c.outcome, 'pending') NOT IN ('applied', 'unchanged', 'planned', 'pending')"
            }
        };
        let raw = if filter == RowFilter::All { "NULL, NULL" } else { "r.raw_kind, r.raw" };
        let sql = format!(
            "SELECT r.row, r.line, r.kind, r.value, coalesce(r.outcome, c.outcome, 'pending'), \
             coalesce(r.code, c.code), coalesce(r.message, c.message), c.user_id, c.attempts, c.trace_id, c.touches, \
             {raw} FROM rows r LEFT JOIN changes c ON c.user = r.user {which} ORDER BY r.row"
        );
        let wrap = |source| E::from(self.sqlite(source));
        let mut statement = self.db.prepare(&sql).map_err(wrap)?;
        let mut rows = statement.query([]).map_err(wrap)?;
        while let Some(row) = rows.next().map_err(wrap)? {
            let read = reported_row(row).map_err(wrap)?;
            each(self.reported(read)?)?;
        }
        Ok(())
    }

    fn reported(&self, (mut row, outcome, touches): (ReportedRow, String, Option<String>)) -> Result<ReportedRow> {
        row.outcome = self.outcome(&outcome)?;
        let read = |text: String| {
            Change::from_text(&text).map_err(|e| self.damaged(format!("the change of row {}: {e}", row.origin.row)))
        };
        row.change = touches.map(read).transpose()?;
        Ok(row)
    }

    /// Every user of some outcomes that has a change, in order: its number, its id, its outcome and what changes.
    pub fn for_each_change<E: From<super::RunFileError>>(
        &self,
        outcomes: &[Outcome],
        mut each: impl FnMut(i64, &str, Outcome, Change) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let wrap = |source| E::from(self.sqlite(source));
        let sql = "SELECT user_id, outcome, touches, user FROM changes WHERE touches IS NOT NULL ORDER BY user";
        let mut statement = self.db.prepare_cached(sql).map_err(wrap)?;
        let mut rows = statement.query([]).map_err(wrap)?;
        while let Some(row) = rows.next().map_err(wrap)? {
            let outcome = self.outcome(row.get_ref(1).and_then(|word| Ok(word.as_str()?)).map_err(wrap)?)?;
            if !outcomes.contains(&outcome) {
                continue;
            }
            let (user_id, text): (String, String) = (row.get(0).map_err(wrap)?, row.get(2).map_err(wrap)?);
            let change = Change::from_text(&text).map_err(|e| self.damaged(format!("the change of {user_id}: {e}")))?;
            each(row.get(3).map_err(wrap)?, &user_id, outcome, change)?;
        }
        Ok(())
    }

    /// The line of the first row that speaks of a user.
    pub fn first_line_of(&self, user: i64) -> Result<Option<u64>> {
        self.db
            .prepare_cached("SELECT line FROM rows WHERE user = ?1 ORDER BY row LIMIT 1")
            .and_then(|mut statement| statement.query_row([user], |row| row.get(0)).optional())
            .map_err(|source| self.sqlite(source))
    }

    /// How many users ended in each outcome; identities that name no user, or several, count once each. Users whose
    /// rows were all rejected are not counted, for their rows are.
    pub fn users(&self) -> Result<Tally> {
        let mut tally = Tally::default();
        let changes = "SELECT outcome, count(*) FROM changes WHERE outcome <> 'rejected' GROUP BY outcome";
        let identities = "SELECT outcome, count(*) FROM (SELECT DISTINCT outcome, kind, value FROM rows \
                          WHERE outcome IS NOT NULL AND outcome <> 'rejected') GROUP BY outcome";
        for sql in [changes, identities] {
            for (word, n) in self.counts(sql)? {
                tally.add(self.outcome(&word)?, n);
            }
        }
        if !self.head().compared {
            tally.add(Outcome::Pending, self.count_pending(self.head().cursor)?);
        }
        Ok(tally)
    }

    /// How many users are to change, or were, or should have been.
    pub fn changing(&self) -> Result<u64> {
        let sql = "SELECT count(*) FROM changes WHERE touches IS NOT NULL";
        self.db.query_row(sql, [], |row| row.get(0)).map_err(|source| self.sqlite(source))
    }

    /// How many rows were rejected.
    pub fn rejected(&self) -> Result<u64> {
        let found = self.counts("SELECT outcome, count(*) FROM rows WHERE outcome = 'rejected' GROUP BY outcome")?;
        Ok(found.first().map_or(0, |(_, n)| *n))
    }

    /// Whether any row could not be read as a record, and is kept as it was.
    pub fn has_unreadable_rows(&self) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM rows WHERE outcome = 'rejected' AND raw_kind = 'unreadable')";
        self.db.query_row(sql, [], |row| row.get(0)).map_err(|source| self.sqlite(source))
    }

    /// How many records stand in the file, also while it is being staged.
    pub fn rows(&self) -> Result<u64> {
        if let Some(read) = self.head().rows_read {
            return Ok(read);
        }
        self.db.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).map_err(|source| self.sqlite(source))
    }

    /// How many users did not end well, by outcome and code, most first; identities that name no user, or several,
    /// count once each, and of the rejected the rows count. Beyond `most` causes only their outcomes are told apart.
    pub fn problems(&self, most: usize) -> Result<(Vec<Cause>, Tally)> {
        let mut statement = self.db.prepare_cached(PROBLEMS).map_err(|source| self.sqlite(source))?;
        let mut rows = statement.query([]).map_err(|source| self.sqlite(source))?;
        let (mut problems, mut others) = (Vec::new(), Tally::default());
        while let Some(row) = rows.next().map_err(|source| self.sqlite(source))? {
            let read: rusqlite::Result<(String, String, u64)> =
                row.get(0).and_then(|word| Ok((word, row.get(1)?, row.get(2)?)));
            let (word, code, n) = read.map_err(|source| self.sqlite(source))?;
            let outcome = self.outcome(&word)?;
            if problems.len() < most {
                problems.push((outcome, code, n));
            } else {
                others.add(outcome, n);
            }
        }
        Ok((problems, others))
    }

    /// The first rows that ended in an outcome with a code, one a user: line, identity and message.
    pub fn examples(&self, outcome: Outcome, code: &str, most: usize) -> Result<Vec<(u64, String, String)>> {
        let find = |sql: &str| {
            self.db
                .prepare_cached(sql)
                .and_then(|mut statement| {
                    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
                    let found = statement.query_map(params![outcome.word(), code, most], read)?;
                    found.collect::<rusqlite::Result<Vec<(u64, String, String)>>>()
                })
                .map_err(|source| self.sqlite(source))
        };
        let mut found = find(EXAMPLES_OF_ROWS)?;
        found.extend(find(EXAMPLES_OF_USERS)?);
        found.sort_by_key(|(line, ..)| *line);
        found.truncate(most);
        Ok(found)
    }

    fn counts(&self, sql: &str) -> Result<Vec<(String, u64)>> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
            .map_err(|source| self.sqlite(source))
    }
}

/// Reads a row of a report; its outcome and its touches still as texts.
fn reported_row(row: &Row<'_>) -> rusqlite::Result<(ReportedRow, String, Option<String>)> {
    let text = |n| row.get::<_, Option<String>>(n).map(Option::unwrap_or_default);
    let (kind, value): (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
    let matched = kind.zip(value).map(|(kind, value)| format!("{kind}={value}")).unwrap_or_default();
    let reported = ReportedRow {
        origin: Origin { row: row.get(0)?, line: row.get(1)? },
        user_id: row.get(7)?,
        matched,
        outcome: Outcome::Pending,
        code: text(5)?,
        message: text(6)?,
        attempts: row.get::<_, Option<u32>>(8)?.unwrap_or_default(),
        trace_id: text(9)?,
        change: None,
        raw: raw(row.get(11)?, row.get(12)?),
    };
    Ok((reported, row.get(4)?, row.get(10)?))
}

fn raw(kind: Option<String>, bytes: Option<Vec<u8>>) -> Raw {
    let (Some(kind), Some(bytes)) = (kind, bytes) else {
        return Raw::Withheld;
    };
    match kind.as_str() {
        "cells" => serde_json::from_slice(&bytes).map_or(Raw::Withheld, Raw::Cells),
        "object" => String::from_utf8(bytes).map_or(Raw::Withheld, Raw::Object),
        _ => Raw::Unreadable(bytes),
    }
}
