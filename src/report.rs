//! What is told about a run: on a terminal, as JSON for programs, and row by row in files.
//!
//! Reports are written from plain values that the caller streams in; nothing here reads a run file, and nothing keeps
//! all rows. What is said about the run as a whole is a [`summary::Summary`], whose lists are short by construction.
//!
//! Values of `private_metadata` are masked where a value is taken in ([`summary::Shown`]), not where it is shown, so
//! that no renderer can leak what it was never given.

pub mod diff;
pub mod failed;
pub mod file;
pub mod json;
pub mod rows;
pub mod summary;
pub mod text;
pub mod transitions;
pub mod troubles;
pub mod words;

/// Whose eyes a report of rows is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// A file or a pipe: another program reads it, so every byte counts.
    Exact,
    /// A terminal: whatever could drive it is shown as an escape, and private values are masked unless asked for.
    Terminal {
        /// Whether private values are asked for.
        show_private: bool,
    },
}

impl Destination {
    /// Whether a person looks at it on a terminal.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Terminal { .. })
    }

    /// Whether private values must not be seen.
    pub const fn masks_private(self) -> bool {
        matches!(self, Self::Terminal { show_private: false })
    }
}

/// What stands in the place of a private value.
pub const MASK: &str = "•••";
