//! `landfall status`

use std::path::PathBuf;

use super::{Failure, Format, load_app, print_report, start_logging};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  landfall status
  landfall status --config production.toml
  landfall status --json | jq '.partitions[] | {topic, partition, lag}'
  watch -n 10 landfall status

It asks the log on the storage, Kafka and the metastore, and no daemon: it works whether one runs
or not, and from any machine that reaches the three. It changes nothing.

Exit code 0: all three answered. 69: one did not; what the others say is shown all the same.")]
pub(super) struct Args {
    /// Configuration file; repeat it to put one over another. [default: config/default.toml, else the built-in one]
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: Format,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    // What does not answer is in the report.
    start_logging(args.log_format, "error");
    let report = load_app(&args.config)?.status().await;
    print_report(&report, args.json)?;
    match report.fault() {
        None => Ok(()),
        Some(fault) => {
            let silent: Vec<_> = report.troubles.iter().map(|t| t.says.as_str()).collect();
            let mut failure = Failure::new(format!("status: {}", silent.join("; ")), fault);
            // They are the last lines of the text.
            failure.logged = !args.json;
            Err(failure)
        }
    }
}
