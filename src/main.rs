//! The command line of landfall.

use std::process::ExitCode;

fn main() -> ExitCode {
    landfall::cli::main()
}
