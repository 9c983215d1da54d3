//! `landfall config`

use std::path::PathBuf;

use clap::Subcommand;

use super::Failure;
use crate::config;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The configuration as a start would use it, as TOML, each value with the file or variable that it comes from. Secrets
    /// are hidden.
    #[command(after_help = "Examples:
  landfall config show
  landfall config show --config config/default.toml --config production.toml
  LANDFALL__TRIGGER__INTERVAL=5s landfall config show | grep trigger")]
    Show {
        /// Configuration file; repeat it to put one over another. [default: config/default.toml, else the built-in one]
        #[arg(long, value_name = "FILE")]
        config: Vec<PathBuf>,
    },
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let What::Show { config } = args.what;
    for line in config::show(&config, config::environment())? {
        println!("{line}");
    }
    Ok(())
}
