//! `landfall check`

use std::path::PathBuf;

use super::{Failure, Format, app_of, print_report, start_logging};
use crate::app::{App, AppError, migration_errors};
use crate::config;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall check
  landfall check --offline     # configuration, migrations and routes only: for a build server
  landfall check --config production.toml
  landfall check --json | jq '.lines[] | select(.mark == \"wrong\")'

It may run beside daemons, and creates, changes and claims nothing. The storage is tried as at
a start, with small files in a directory of the check's own below the checkpoint (before the
first start: beside where it will be), which is deleted again. Only a start tries whether files
can be moved into each table's directory.

Exit code 0: a start would work. 69: a service is not reached; the others are checked all the
same. 78: configuration, migrations, owners or tables must be mended first, as is said.")]
pub(super) struct Args {
    /// Configuration file; repeat it to put one over another. [default: config/default.toml, else the built-in one]
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Reach nothing: only configuration, migrations and routes.
    #[arg(long)]
    offline: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: Format,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    start_logging(args.log_format, "error");
    let report = app(&args.config)?.check(args.offline).await;
    print_report(&report, args.json)?;
    match report.fault() {
        None => Ok(()),
        Some(fault) => {
            let mut failure = Failure::new(format!("check: {}", report.summary()), fault);
            // It is the last line of the text.
            failure.logged = !args.json;
            Err(failure)
        }
    }
}

/// The errors of the migrations stand beside those of the configuration.
fn app(files: &[PathBuf]) -> Result<App, Failure> {
    match config::load(files, config::environment()) {
        Ok(settings) => app_of(settings),
        Err(wrong) => {
            let folder = config::migrations_folder(files, config::environment());
            let mut failure = Failure::from(wrong);
            let errors = migration_errors(&folder);
            if !errors.is_empty() {
                failure.message = format!("{}\n{}", failure.message, AppError::Config(errors));
            }
            Err(failure)
        }
    }
}
