//! `landfall verify`

use std::path::PathBuf;

use tokio::sync::watch;

use super::live::verify_bar;
use super::{Failure, Format, load_app, print_report, start_logging};
use crate::verify::Progress;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall verify
  landfall verify --deep --config production.toml
  landfall verify --json | jq '.findings[].kind'

Exit code 0: all is well. 65: there are findings, each with what to do. 69: nothing is wrong, but something, as the
metastore, did not answer and was not checked.")]
pub(super) struct Args {
    /// Configuration file; repeat it to put one over another. [default: config/default.toml, else the built-in one]
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Read and decode every data file: checksums, row counts, and where the tables have them, partitions and offsets.
    #[arg(long)]
    deep: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: Format,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    start_logging(args.log_format, "warn");
    let app = load_app(&args.config)?;
    let (progress, watched) = watch::channel(Progress::default());
    let bar = tokio::spawn(verify_bar(watched));
    let result = app.verify(args.deep, progress).await;
    // It ends with the progress' sender; a bar that panics is no reason to fail the audit.
    _ = bar.await;
    let report = result?;
    print_report(&report, args.json)?;
    match report.fault() {
        None => Ok(()),
        Some(fault) => Err(Failure::new(format!("verify: {}", report.summary()), fault)),
    }
}
