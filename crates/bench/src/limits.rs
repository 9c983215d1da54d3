//! The limit bench beside: a program outside of this repository that reads the same events from a broker in memory and
//! makes Parquet of them, as fast as it can be done, and nothing else.

use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// It serves its events as long as this lives.
#[derive(Debug)]
pub struct Limits {
    program: PathBuf,
    broker: Child,
    address: String,
    events: u64,
    partitions: u32,
}

impl Limits {
    /// The program named by `$LIMITS_BENCH`; None if that is not set.
    pub fn start(events: u64, partitions: u32) -> Result<Option<Limits>> {
        let Some(program) = std::env::var_os("LIMITS_BENCH").filter(|p| !p.is_empty()).map(PathBuf::from) else {
            return Ok(None);
        };
        let mut serve = Command::new(&program);
        serve.args(["serve", "fake", &events.to_string(), &partitions.to_string(), "none"]);
        // It stays until its standard input is closed.
        let broker = serve.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut broker = broker.with_context(|| format!("cannot run $LIMITS_BENCH, {}", program.display()))?;
        let mut address = String::new();
        BufReader::new(broker.stdout.take().context("it was asked for a pipe")?).read_line(&mut address)?;
        let limits = Limits { program, broker, address: address.trim().to_owned(), events, partitions };
        ensure!(!limits.address.is_empty(), "$LIMITS_BENCH serve did not tell an address");
        Ok(Some(limits))
    }

    /// One round: CPU nanoseconds per event.
    pub fn round(&self) -> Result<f64> {
        let mut e2e = Command::new(&self.program);
        e2e.args(["e2e", &self.address, &self.events.to_string(), &self.partitions.to_string(), "1"]);
        let output = e2e.output().with_context(|| format!("cannot run $LIMITS_BENCH, {}", self.program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let median = text.split_once("median ").and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
        median.with_context(|| format!("$LIMITS_BENCH e2e printed no figure: {text}"))
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        self.broker.kill().ok();
        self.broker.wait().ok();
    }
}
