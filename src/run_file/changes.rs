//! Changes: one for each user that rows speak of, from being compared to being done.

use rusqlite::{OptionalExtension as _, params};

use super::{Result, RunFile};
use crate::change::Change;
use crate::outcome::Outcome;

/// A user that was found, as far as the run file knows it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Existing {
    /// The user's number in this run: the first row that was found to speak of it.
    pub user: i64,
    /// What has become of it so far.
    pub outcome: Outcome,
    /// Whether it can no longer be worked out anew: it was tried already, a request for it may be on its way, or its
    /// rows are no longer kept.
    pub is_done: bool,
}

/// What comparing a user came to.
#[derive(Debug)]
pub struct NewChange<'a> {
    /// The user's number in this run.
    pub user: i64,
    /// Clerk's id.
    pub user_id: &'a str,
    /// Planned, or what stands in the way.
    pub outcome: Outcome,
    /// A word for machines.
    pub code: Option<&'a str>,
    /// A sentence for people.
    pub message: Option<String>,
    /// What would change; kept only for users that change or might have.
    pub change: Option<&'a Change>,
    /// How long after this process began the user was read, in milliseconds.
    pub compared_ms: i64,
}

/// A user that waits to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The user's number in this run.
    pub user: i64,
    /// Clerk's id.
    pub user_id: String,
    /// What is to change.
    pub change: Change,
    /// How often it was tried, throttled attempts not counted.
    pub attempts: u32,
    /// Which process compared it.
    pub session: i64,
    /// How long after that process began, in milliseconds.
    pub compared_ms: i64,
    /// Whether a request may have been sent whose end is unknown.
    pub sent: bool,
}

/// How a user's change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The user's number in this run.
    pub user: i64,
    /// What became of it.
    pub outcome: Outcome,
    /// A word for machines.
    pub code: Option<String>,
    /// A sentence for people.
    pub message: Option<String>,
    /// How often it was tried, throttled attempts not counted.
    pub attempts: u32,
    /// Clerk's trace id of the last answer.
    pub trace_id: Option<String>,
}

impl RunFile {
    /// What is known of a user.
    pub fn find_user(&self, user_id: &str) -> Result<Option<Existing>> {
        let sql = "SELECT user, outcome, sent OR (outcome <> 'planned' AND attempts > 0) \
                   OR outcome IN ('applied', 'drifted') OR EXISTS \
                   (SELECT 1 FROM rows WHERE rows.user = changes.user AND patch IS NULL) \
                   FROM changes WHERE user_id = ?1";
        let found: Option<(i64, String, bool)> = self
            .db
            .prepare_cached(sql)
            .and_then(|mut statement| {
                statement.query_row([user_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
            })
            .map_err(|source| self.sqlite(source))?;
        let read =
            |(user, word, is_done): (i64, String, bool)| Ok(Existing { user, outcome: self.outcome(&word)?, is_done });
        found.map(read).transpose()
    }

    /// Records what comparing a user came to, in place of what an earlier comparison did.
    pub fn put_change(&mut self, change: &NewChange<'_>) -> Result<()> {
        self.begin()?;
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO changes (user, user_id, outcome, code, message, touches, session, compared_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    change.user,
                    change.user_id,
                    change.outcome.word(),
                    change.code,
                    change.message,
                    change.change.map(Change::to_text),
                    self.head().session,
                    change.compared_ms,
                ])
            })
            .map(|_| ())
            .map_err(|source| self.sqlite(source))
    }

    /// The next users that wait to be written, after user `after`, in order, `most` at a time.
    pub fn planned(&self, after: i64, most: usize) -> Result<Vec<Planned>> {
        let found: Vec<(Planned, String)> = self
            .db
            .prepare_cached(
                "SELECT user, user_id, attempts, session, compared_ms, sent, touches FROM changes \
                 WHERE outcome = 'planned' AND user > ?1 ORDER BY user LIMIT ?2",
            )
            .and_then(|mut statement| statement.query_map(params![after, most], planned_row)?.collect())
            .map_err(|source| self.sqlite(source))?;
        let read = |(mut planned, touches): (Planned, String)| {
            if !crate::identity::is_user_id(&planned.user_id) {
                return Err(self.damaged(format!("user {} has an unusable id", planned.user)));
            }
            planned.change = Change::from_text(&touches)
                .map_err(|e| self.damaged(format!("the change of {}: {e}", planned.user_id)))?;
            Ok(planned)
        };
        found.into_iter().map(read).collect()
    }

    /// Records, before anything is sent, that requests for these users may be on their way.
    pub fn intend(&mut self, users: impl IntoIterator<Item = i64>) -> Result<()> {
        self.begin()?;
        for user in users {
            self.db
                .prepare_cached("UPDATE changes SET sent = 1 WHERE user = ?1 AND sent = 0")
                .and_then(|mut statement| statement.execute([user]))
                .map_err(|source| self.sqlite(source))?;
        }
        Ok(())
    }

    /// Records that nothing sent for a user can have landed: it is planned again, its attempts counted.
    pub fn unsend(&mut self, user: i64, attempts: u32) -> Result<()> {
        self.begin()?;
        self.db
            .prepare_cached("UPDATE changes SET sent = 0, attempts = ?2 WHERE user = ?1")
            .and_then(|mut statement| statement.execute(params![user, attempts]))
            .map(|_| ())
            .map_err(|source| self.sqlite(source))
    }

    /// Records how a user's change ended; what is kept of rows that ended well is emptied.
    pub fn end_change(&mut self, ended: &Ended) -> Result<()> {
        self.begin()?;
        self.db
            .prepare_cached(
                "UPDATE changes SET outcome = ?2, code = ?3, message = ?4, attempts = ?5, trace_id = ?6, sent = 0, \
                 touches = CASE WHEN ?2 = 'unchanged' THEN NULL ELSE touches END WHERE user = ?1",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    ended.user,
                    ended.outcome.word(),
                    ended.code,
                    ended.message,
                    ended.attempts,
                    ended.trace_id,
                ])
            })
            .map_err(|source| self.sqlite(source))?;
        if ended.outcome.is_good() { self.empty_rows_of(ended.user) } else { Ok(()) }
    }

    /// Sends users and rows of some outcomes back to the start, to be compared anew. Gives how many rows that were.
    pub fn retry(&mut self, outcomes: &[Outcome]) -> Result<u64> {
        self.begin()?;
        let mut rows = 0;
        for outcome in outcomes {
            let word = outcome.word();
            let reset = [
                "UPDATE rows SET user = NULL, outcome = NULL, code = NULL, message = NULL \
                 WHERE user IN (SELECT user FROM changes WHERE outcome = ?1)",
                "UPDATE rows SET outcome = NULL, code = NULL, message = NULL \
                 WHERE outcome = ?1 AND kind IS NOT NULL AND patch IS NOT NULL",
            ];
            for sql in reset {
                rows += self.db.execute(sql, [word]).map_err(|source| self.sqlite(source))?;
            }
            let sql = "DELETE FROM changes WHERE outcome = ?1";
            self.db.execute(sql, [word]).map_err(|source| self.sqlite(source))?;
        }
        self.update_head(|head| {
            head.cursor = 0;
            head.compared = false;
        })?;
        self.commit()?;
        Ok(rows as u64)
    }

    pub(super) fn outcome(&self, word: &str) -> Result<Outcome> {
        word.parse().map_err(|e| self.damaged(format!("{e}")))
    }
}

fn planned_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Planned, String)> {
    let planned = Planned {
        user: row.get(0)?,
        user_id: row.get(1)?,
        change: Change { touches: Vec::new(), sizes: std::collections::BTreeMap::new() },
        attempts: row.get(2)?,
        session: row.get(3)?,
        compared_ms: row.get(4)?,
        sent: row.get(5)?,
    };
    Ok((planned, row.get::<_, Option<String>>(6)?.unwrap_or_default()))
}
