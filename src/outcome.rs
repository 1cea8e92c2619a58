//! What became of a row and its user: one word each, the same in reports, JSON and the run file.

use std::fmt;
use std::str::FromStr;

/// What became of a row and its change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The user holds what the row asked for, and this run wrote it.
    Applied,
    /// The user held it already; nothing was sent.
    Unchanged,
    /// The row is bad; nothing was sent.
    Rejected,
    /// No user has that identity.
    NotFound,
    /// One identity names several users.
    Ambiguous,
    /// A field would be larger than Clerk stores.
    TooLarge,
    /// A guard forbids it.
    Blocked,
    /// Somebody else changed a touched path since it was compared.
    Drifted,
    /// The API refused it, retries ran out, or the answer did not hold it.
    Failed,
    /// Compared, would change, not tried yet.
    Planned,
    /// Not compared yet.
    Pending,
}

impl Outcome {
    /// All outcomes, good ones first.
    pub const ALL: [Self; 11] = [
        Self::Applied,
        Self::Unchanged,
        Self::Planned,
        Self::Pending,
        Self::Rejected,
        Self::NotFound,
        Self::Ambiguous,
        Self::TooLarge,
        Self::Blocked,
        Self::Drifted,
        Self::Failed,
    ];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Rejected => "rejected",
            Self::NotFound => "not_found",
            Self::Ambiguous => "ambiguous",
            Self::TooLarge => "too_large",
            Self::Blocked => "blocked",
            Self::Drifted => "drifted",
            Self::Failed => "failed",
            Self::Planned => "planned",
            Self::Pending => "pending",
        }
    }

    /// Whether nothing is left to do and nothing went wrong.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Applied | Self::Unchanged)
    }

    /// Whether nothing more happens to it in this run.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Planned | Self::Pending)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no outcome; the outcomes are {list}", list = Outcome::ALL.map(Outcome::word).join(", "))]
pub struct UnknownOutcome(pub String);

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(word: &str) -> Result<Self, UnknownOutcome> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word).ok_or_else(|| UnknownOutcome(word.to_owned()))
    }
}

/// How many users (or rows) ended in each outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally([u64; Outcome::ALL.len()]);

impl Tally {
    /// How many have this outcome.
    pub fn get(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    /// Counts `n` more.
    pub fn add(&mut self, outcome: Outcome, n: u64) {
        self.0[outcome as usize] += n;
    }

    /// Moves one from an outcome to another.
    pub fn shift(&mut self, from: Outcome, to: Outcome) {
        self.0[from as usize] = self.0[from as usize].saturating_sub(1);
        self.0[to as usize] += 1;
    }

    /// All of them together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
