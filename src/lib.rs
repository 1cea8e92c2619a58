//! Change the metadata of many Clerk users.
#![warn(missing_docs)]

// Floor 0: ideas. Pure values and rules.
pub mod change;
pub mod event;
pub mod guard;
pub mod harmless;
pub mod identity;
pub mod json;
pub mod merge;
pub mod number;
pub mod outcome;
pub mod patch;
pub mod path;
pub mod retry;
pub mod row;
pub mod spec;
pub mod target;
