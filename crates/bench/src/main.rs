//! Measures the release binary on real servers, and Spark beside it: `landfall-bench --help`.

mod drain;
mod events;
mod idle;
mod job;
mod limits;
mod peer;
mod process;
mod scale;
mod spark;
mod stats;
mod steady;
mod topic;
mod world;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Measures landfall's release binary on real Kafka, HDFS, Hive metastore and Presto, and Spark beside it.
///
/// Each bench runs on the stack of $LANDFALL_STACK, or starts one; checks every row through Presto; prints a table; and
/// writes it to target/bench. The machine should do nothing else meanwhile.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// The binary to measure
    #[arg(long, global = true, default_value = "target/release/landfall")]
    landfall: String,
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    Drain(drain::Args),
    Scale(scale::Args),
    Steady(steady::Args),
    Idle(idle::Args),
    /// Run Spark's job beside
    #[command(subcommand)]
    Spark(spark::Which),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = world::World::new(&cli.landfall).and_then(|world| match &cli.bench {
        Bench::Drain(args) => drain::run(&world, args),
        Bench::Scale(args) => scale::run(&world, args),
        Bench::Steady(args) => steady::run(&world, args),
        Bench::Idle(args) => idle::run(&world, args),
        Bench::Spark(which) => spark::run(&world, which),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("landfall-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
