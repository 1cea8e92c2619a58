//! The house rules, as tests: who may import whom, and how large and how plain the code is.

mod code;
mod floors;
mod sizes;
mod words;
