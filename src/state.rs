//! How far a run has come: one word each, the same in reports, JSON and the run file.

use std::str::FromStr;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Being staged or compared.
    Staged,
    /// Compared: the run file is the plan.
    Planned,
    /// Being applied.
    Running,
    /// Everything that could be applied is.
    Applied,
    /// Stopped by a person or a time limit, and resumable.
    Interrupted,
    /// Stopped because it could not go on: a threshold, a refused key, a source that broke.
    Aborted,
}

impl State {
    /// All states, in the order in which a run meets them.
    pub const ALL: [Self; 6] =
        [Self::Staged, Self::Planned, Self::Running, Self::Applied, Self::Interrupted, Self::Aborted];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Applied => "applied",
            Self::Interrupted => "interrupted",
            Self::Aborted => "aborted",
        }
    }
}

/// A word that is no state of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no state of a run")]
pub struct UnknownState(pub String);

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.word() == word).ok_or_else(|| UnknownState(word.to_owned()))
    }
}
