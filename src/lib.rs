//! Change the metadata of many Clerk users: rows in, a preview, writes under the API's limits, and an account of every
//! row. This is the library behind the `metapatch` command; `ARCHITECTURE.md` is the map.
//!
//! Its core is pure: what a user holds, and what rows want, become a change with a *before*, an *after*, and the
//! smallest request that leads from one to the other.
//!
//! ```
//! use metapatch::change::{Metadata, fold};
//! use metapatch::patch::{Mode, Patch};
//! use metapatch::path::Field;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let holds = Metadata::from([(Field::Public, metapatch::json::parse(r#"{"role": "viewer", "legacy": true}"#)?)]);
//! let rows = [
//!     Patch::from_json(r#"{"public_metadata": {"role": "editor", "plan": {"seats": 5}}}"#)?,
//!     Patch::from_json(r#"{"public_metadata": {"role": "viewer", "legacy": null}}"#)?,
//! ];
//! let change = fold(&holds, &rows, Mode::Merge)?;
//! // The role came back to what it was, so it is not sent.
//! assert_eq!(change.body().json.to_string(), r#"{"public_metadata":{"legacy":null,"plan":{"seats":5}}}"#);
//! # Ok(())
//! # }
//! ```
//!
//! Modules stand in reading order, floor by floor: imports only run from the roof to the ground.

// Floor 0: ideas. Pure values and rules.
pub mod change;
pub mod event;
pub mod guard;
pub mod harmless;
pub mod identity;
pub mod json;
pub mod mapping;
pub mod merge;
pub mod nearest;
pub mod number;
pub mod outcome;
pub mod patch;
pub mod path;
pub mod retry;
pub mod row;
pub mod spec;
pub mod state;
pub mod target;

// Floor 1: edges. Each touches one part of the world, and none another.
pub mod clerk;
pub mod limit;
pub mod report;
pub mod run_file;
pub mod source;
pub mod stop;

// Floor 2: the phases. Each takes the run file one state on.
pub mod apply;
pub mod compare;
pub mod phase;
pub mod read;
pub mod stage;

// Floor 3: settings. From files, flags and the environment to one resolved value.
pub mod settings;

// Floor 4: the roof.
pub mod cli;
pub mod sandbox;
