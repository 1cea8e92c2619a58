//! Change the metadata of many Clerk users.
#![warn(missing_docs)]

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
