//! The `metapatch` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    metapatch::cli::main(std::env::args_os())
}
