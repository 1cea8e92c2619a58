//! What a run is, and how far it has come: the one record of the table `run`.

use std::path::Path;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::{Result, RunFileError};
use crate::spec::Spec;
use crate::state::State;

/// The head of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The run's id; it begins with the time it was made.
    pub id: String,
    /// When it was made, as RFC 3339 in UTC.
    pub created: String,
    /// The version of metapatch that made it.
    pub tool: String,
    /// What the run is; frozen.
    pub spec: Spec,
    /// The source's header as far as it is kept: the columns of the file of failed rows.
    pub header: Option<Vec<String>>,
    /// The instance the run is bound to; frozen.
    pub instance: Instance,
    /// How far the run is meant to go.
    pub goal: Goal,
    /// How far it has come.
    pub state: State,
    /// Why it was stopped, where it was.
    pub reason: Option<String>,
    /// Which process this is that works on the run, counted from 1.
    pub session: i64,
    /// Size and time of the source when it was staged.
    pub fingerprint: Option<String>,
    /// How many records were read; `None` until staging is complete.
    pub rows_read: Option<u64>,
    /// Every row before this one has been compared.
    pub cursor: u64,
    /// Whether every row has been compared.
    pub compared: bool,
}

/// The instance a run is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Clerk's id of it, or the API's address and a hash of the key where the API does not tell.
    pub binding: String,
    /// The API's host, with the port where it is not the usual one.
    pub host: String,
    /// Whether the key is a live one.
    pub live: bool,
}

/// How far a run is meant to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Stage and compare.
    Plan,
    /// Write as well.
    Apply,
}

impl Goal {
    const fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Apply => "apply",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Plan, Self::Apply].into_iter().find(|goal| goal.word() == word)
    }
}

pub(super) fn read(db: &Connection, path: &Path) -> Result<Head> {
    db.query_row("SELECT * FROM run WHERE one = 1", [], from_row)
        .map_err(|e| RunFileError::Damaged { path: path.to_owned(), what: format!("its head cannot be read: {e}") })
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Head> {
    Ok(Head {
        id: row.get("id")?,
        created: row.get("created")?,
        tool: row.get("tool")?,
        spec: json(row, "spec")?,
        header: row.get::<_, Option<String>>("header")?.map(|_| json(row, "header")).transpose()?,
        instance: json(row, "instance")?,
        goal: word(row, "goal", Goal::from_word)?,
        state: word(row, "state", |word| word.parse().ok())?,
        reason: row.get("reason")?,
        session: row.get("session")?,
        fingerprint: row.get("fingerprint")?,
        rows_read: row.get("rows_read")?,
        cursor: row.get("cursor")?,
        compared: row.get("compared")?,
    })
}

fn json<T: for<'de> Deserialize<'de>>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(e)))
}

fn word<T>(row: &Row<'_>, column: &str, read: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    read(&text).ok_or_else(|| rusqlite::Error::InvalidColumnName(format!("{column} = {text}")))
}

pub(super) fn write(db: &Connection, head: &Head) -> rusqlite::Result<()> {
    let json = |value: serde_json::Result<String>| value.expect("a head can always be written as JSON");
    db.prepare_cached(
        "INSERT OR REPLACE INTO run (one, id, created, tool, spec, header, instance, goal, state, reason, session, \
         fingerprint, rows_read, cursor, compared) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?
    .execute(params![
        head.id,
        head.created,
        head.tool,
        json(serde_json::to_string(&head.spec)),
        head.header.as_ref().map(|header| json(serde_json::to_string(header))),
        json(serde_json::to_string(&head.instance)),
        head.goal.word(),
        head.state.word(),
        head.reason,
        head.session,
        head.fingerprint,
        head.rows_read,
        head.cursor,
        head.compared,
    ])?;
    Ok(())
}
