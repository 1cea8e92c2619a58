//! The `metapatch` command.

fn main() {}
