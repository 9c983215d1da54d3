//! Starts real Kafka, HDFS, Hive metastore and Presto on this machine: `landfall-stack --help`.

mod cli;
mod supervise;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("landfall-stack: {error:#}");
            ExitCode::FAILURE
        }
    }
}
