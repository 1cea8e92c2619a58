//! A run as a whole: the content of the JSON contract, and what the texts on a terminal say beside it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::event::Requests;
use crate::harmless::for_terminal;
use crate::outcome::{Outcome, Tally};
use crate::patch::Mode;
use crate::path::Field;
use crate::report::MASK;
use crate::report::diff::UserDiff;
use crate::report::transitions::Transition;
use crate::report::troubles::Trouble;
use crate::spec::Format;
use crate::state::State;

/// Everything that is said about a run as a whole. Its lists are short, however many rows there were.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Which run, and how far it is.
    pub run: RunInfo,
    /// Rows, good and bad.
    pub rows: RowCounts,
    /// Users by outcome; rejected rows are not among them.
    pub users: Tally,
    /// What this invocation sent.
    pub requests: Requests,
    /// The changes by path and value, most users first.
    pub transitions: Vec<Transition>,
    /// How long this invocation took.
    pub duration: Duration,
    /// Where the rows come from and where they go.
    pub scene: Scene,
    /// What applying will take; `None` where nothing is left to apply.
    pub estimate: Option<Estimate>,
    /// The user with the largest field after the changes.
    pub largest: Option<Largest>,
    /// What is worth saying once, such as columns that were left out.
    pub notices: Vec<String>,
    /// What deserves attention before going on.
    pub warnings: Vec<String>,
    /// A handful of users and what becomes of each.
    pub examples: Vec<UserDiff>,
    /// What did not go as the rows asked, by cause.
    pub troubles: Vec<Trouble>,
    /// Outcomes that count as fine beside `applied` and `unchanged`.
    pub accepted: Vec<Outcome>,
}

impl Summary {
    /// Whether an outcome leaves nothing to be desired.
    pub fn is_fine(&self, outcome: Outcome) -> bool {
        outcome.is_good() || self.accepted.contains(&outcome)
    }

    /// How many users ended otherwise than they should; those that are still to be handled are not among them.
    pub fn users_amiss(&self) -> u64 {
        let amiss = Outcome::ALL.into_iter().filter(|outcome| outcome.is_final() && !self.is_fine(*outcome));
        amiss.filter(|outcome| *outcome != Outcome::Rejected).map(|outcome| self.users.get(outcome)).sum()
    }

    /// How many rows were rejected and should not have been.
    pub fn rows_amiss(&self) -> u64 {
        if self.is_fine(Outcome::Rejected) { 0 } else { self.rows.rejected }
    }

    /// How many users are still to be handled.
    pub fn users_left(&self) -> u64 {
        self.users.get(Outcome::Planned) + self.users.get(Outcome::Pending)
    }
}

/// A run and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunInfo {
    /// Its id.
    pub id: String,
    /// Its file.
    pub file: PathBuf,
    /// What to type where a command asks for RUN: the id where that finds the file, else the path; not yet quoted.
    pub handle: String,
    /// The job's name; `None` for a plain file.
    pub job: Option<String>,
    /// How far it is.
    pub state: State,
    /// Why it was aborted or interrupted, as a lower-case fragment.
    pub reason: Option<String>,
}

/// How many rows there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Every record, good or bad.
    pub read: u64,
    /// The bad ones.
    pub rejected: u64,
}

/// Where the rows come from and where they go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// The source as a person knows it: a file's name, or `stdin`.
    pub source: String,
    /// How its records are written, which is also how failed rows are.
    pub format: Format,
    /// The API's host, with the port where it is not the usual one.
    pub host: String,
    /// The instance's id, where the API names it.
    pub instance: Option<String>,
    /// Test or live.
    pub kind: InstanceKind,
    /// Merge or replace.
    pub mode: Mode,
}

/// Whom an instance serves, as its key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceKind {
    /// A development instance.
    Test,
    /// Real users.
    Live,
}

impl InstanceKind {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }
}

/// What applying will take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// Reads still to come.
    pub reads: u64,
    /// Writes still to come.
    pub writes: u64,
    /// How long they take at this pace.
    pub duration: Duration,
    /// The pace in words: `50/s (share 50% of 1000/10s)`.
    pub pace: String,
}

/// The largest field that any user will hold after the changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Largest {
    /// Which field.
    pub field: Field,
    /// Its size as compact JSON.
    pub bytes: u64,
    /// Whose it is.
    pub user_id: String,
}

/// What may be seen of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// There is none.
    Absent,
    /// There may be one, but it is private.
    Masked,
    /// It is this.
    Value(Value),
}

impl Shown {
    /// What may be seen of a value in a field.
    pub fn of(value: Option<&Value>, field: Field, show_private: bool) -> Self {
        match value {
            None => Self::Absent,
            Some(_) if field == Field::Private && !show_private => Self::Masked,
            Some(value) => Self::Value(value.clone()),
        }
    }

    /// The value as one line for a terminal.
    pub fn to_line(&self) -> String {
        match self {
            Self::Absent => "(absent)".to_owned(),
            Self::Masked => MASK.to_owned(),
            Self::Value(value) => for_terminal(&value.to_string()),
        }
    }
}

#[cfg(test)]
pub(crate) mod sample;
