//! Change the metadata of many Clerk users.
#![warn(missing_docs)]

pub mod json;
pub mod merge;
pub mod number;
pub mod path;
