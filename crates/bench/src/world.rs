//! The servers, the binary, and what every bench does with them.

use crate::events::{TABLES, Tally};
use crate::stats;
use anyhow::{Context, Result, ensure};
use landfall_stack::{Options, Stack};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What all benches share.
#[derive(Debug)]
pub struct World {
    /// Kafka, HDFS, the metastore and Presto.
    pub stack: Stack,
    /// The binary that is measured.
    pub landfall: PathBuf,
    /// Where reports and logs go.
    pub out: PathBuf,
    agent: ureq::Agent,
    /// The machine as it was before anything was started.
    machine: String,
}

const PRESTO: &str = "presto";

/// Presto answers again when this goes away.
#[derive(Debug)]
pub struct Paused<'s>(&'s Stack);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.resume(PRESTO) {
            eprintln!("Presto stays paused: {error:#}");
        }
    }
}

/// A file that a reader of a directory sees.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

impl World {
    /// On the stack of `$LANDFALL_STACK`, or else on a new one that ends with this value.
    pub fn new(landfall: &str) -> Result<World> {
        let machine = stats::machine();
        let landfall = std::path::absolute(landfall)?;
        ensure!(landfall.is_file(), "there is no {}: cargo build --release --locked", landfall.display());
        let stack = match Stack::attach() {
            Some(stack) => stack,
            None => {
                landfall_stack::signals::catch()?; // so that the servers do not outlive us
                Stack::start(Options::default())?
            }
        };
        let out = std::path::absolute("target/bench")?;
        fs::create_dir_all(&out)?;
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20)));
        Ok(World { stack, landfall, out, agent: config.build().into(), machine })
    }

    /// Says that a signal asks us to end.
    pub fn go_on(&self) -> Result<()> {
        match landfall_stack::signals::caught() {
            Some(signal) => anyhow::bail!("stopped by signal {signal}"),
            None => Ok(()),
        }
    }

    /// Keeps all threads of the servers on these cores, as `taskset -c` has them.
    pub fn keep_servers_on(&self, cores: &str) -> Result<()> {
        for part in self.stack.status() {
            let pid = part.pid.with_context(|| format!("{} does not run", part.name))?.to_string();
            let done = Command::new("taskset").args(["-apc", cores, &pid]).output().context("cannot run taskset")?;
            ensure!(done.status.success(), "taskset for {}: {}", part.name, String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }

    /// Pauses Presto, which takes a twentieth of a core when nobody asks, until the value goes away.
    pub fn without_presto(&self) -> Result<Paused<'_>> {
        self.stack.pause(PRESTO)?;
        Ok(Paused(&self.stack))
    }

    /// A name that no earlier run on this stack has: letters, digits and `_`.
    pub fn name(&self, what: &str) -> String {
        format!("{what}_{:x}", crate::topic::now_ms())
    }

    fn web_hdfs(&self, path: &str, op: &str) -> String {
        format!("{}/webhdfs/v1{path}?op={op}&user.name={}", self.stack.namenode_http(), self.stack.user())
    }

    /// The files that a reader of a directory on HDFS sees: those whose names begin neither with `_` nor with a dot.
    /// None of them where there is no directory yet.
    pub fn list(&self, dir: &str) -> Result<Vec<Seen>> {
        let ask = || self.agent.get(self.web_hdfs(dir, "LISTSTATUS")).call();
        let mut answer = match ask() {
            Err(ureq::Error::StatusCode(404)) => return Ok(Vec::new()),
            // A long run must not end with one connection that did.
            Err(_) => ask().with_context(|| format!("cannot list {dir} on HDFS"))?,
            Ok(answer) => answer,
        };
        let json: Value = answer.body_mut().read_json()?;
        let entries = json["FileStatuses"]["FileStatus"].as_array().cloned().unwrap_or_default();
        let seen = |e: &Value| Some(Seen { name: e["pathSuffix"].as_str()?.to_owned(), bytes: e["length"].as_u64()? });
        let files = entries.iter().filter(|e| e["type"] == "FILE").filter_map(seen);
        Ok(files.filter(|f| !f.name.starts_with(['_', '.'])).collect())
    }

    /// Deletes a directory on HDFS.
    pub fn delete(&self, dir: &str) -> Result<()> {
        let url = format!("{}&recursive=true", self.web_hdfs(dir, "DELETE"));
        self.agent.delete(url).call().with_context(|| format!("cannot delete {dir} on HDFS"))?;
        Ok(())
    }

    /// Asks Presto for what the tables of a database hold, and compares.
    pub fn check_rows(&self, database: &str, expected: &Tally) -> Result<()> {
        for ((table, number), sums) in TABLES.iter().zip(expected) {
            let sql = format!("select count(*), sum({number}), sum(length(raw_event)) from {database}.{table}");
            let rows = self.stack.presto().query("hive", &sql).with_context(|| sql.clone())?.rows;
            let found: Vec<u64> = rows[0].iter().map(|v| v.as_u64().unwrap_or(0)).collect();
            let wanted = [sums.rows, sums.number, sums.bytes];
            ensure!(
                found == wanted,
                "{database}.{table} holds rows, sum of {number}, and bytes of raw_event {found:?}; the topic makes it {wanted:?}"
            );
        }
        Ok(())
    }

    /// Writes a report: to standard output, and to `target/bench/NAME.md`.
    pub fn report(&self, name: &str, what: &str, table: &str) -> Result<()> {
        let text = format!("{what}\n\n{}\n\n{table}", self.machine);
        println!("\n{text}");
        let file = self.out.join(format!("{name}.md"));
        fs::write(&file, text).with_context(|| file.display().to_string())?;
        eprintln!("written to {}", file.display());
        Ok(())
    }
}
