//! How the job stands: one structure for the status page, `/readyz`, the live views on the terminal, and the metrics that
//! are no counters. What it holds is bounded, however long the process runs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::letters::DeadLetters;
use super::outages::Outage;
use super::partitions::PartitionStatus;
use super::progress::Progress;
use super::reload::ConfigStatus;
use super::tables::TableStatus;
use super::time::Time;
use crate::model::Accounting;

/// Batches whose progress is kept.
pub const BATCHES_KEPT: usize = 100;

/// How the job stands. The process refreshes it at least every second, also while nothing happens.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Who we are.
    pub process: Process,
    /// What the process is about.
    pub phase: Phase,
    /// When the pipeline last turned, whatever it waits for; `None`: it has not begun.
    pub moved: Option<Time>,
    /// Batches landed by this process.
    pub batches: u64,
    /// Messages landed by this process.
    pub messages: u64,
    /// Rows landed by this process, by table.
    pub rows: BTreeMap<String, u64>,
    /// What became of the messages landed by this process.
    pub accounting: Accounting,
    /// The last batch, if there was one.
    pub last: Option<Arc<Progress>>,
    /// When it was landed.
    pub last_landed: Option<Time>,
    /// Since when something was read that is not landed yet; `None`: all that was read is landed. With a storage that
    /// answers, this is never much longer ago than the trigger's interval.
    pub landing_since: Option<Time>,
    /// Whether reading has begun.
    pub reading: bool,
    /// Messages that a bounded run has read, landed or not.
    pub read: u64,
    /// Offsets that a bounded run has still to read; some may be no messages. `None` before it knows, and in a daemon.
    pub left: Option<u64>,
    /// Partitions that are stopped, and why: the same sentences as in [`Status::partitions`].
    pub stopped: Vec<String>,
    /// Why reading is paused: too many dead letters.
    pub paused: Option<String>,
    /// What Kafka refuses, if it does: to let us in, or to let us read.
    pub denied: Option<String>,
    /// Which configuration is in force.
    pub config: ConfigStatus,
    /// The Kafka partitions of this process, by topic and number.
    pub partitions: Vec<PartitionStatus>,
    /// The tables, in the order of the migrations.
    pub tables: Vec<TableStatus>,
    /// The last batches, newest last; at most [`BATCHES_KEPT`].
    #[serde(serialize_with = "batches")]
    pub progress: VecDeque<Arc<Progress>>,
    /// Dead letters landed by this process.
    pub dead_letters: DeadLetters,
    /// Values that became null because they were of another type than their column, by `table.column`.
    pub field_errors: BTreeMap<String, u64>,
    /// Fields that no column of their table takes, by `table.field`, if they are counted; a bounded number of them.
    pub unknown_fields: BTreeMap<String, u64>,
    /// Services that do not answer as they should, now; empty when all is well.
    pub outages: Vec<Outage>,
    /// What is held in memory.
    pub memory: MemoryStatus,
}

/// Who we are.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Process {
    /// Version of landfall.
    pub version: &'static str,
    /// Job name.
    pub job: String,
    /// `host/process number/incarnation`, as in the manifests of the batches that this process lands.
    pub instance: String,
    /// When the process began to run the job.
    pub started: Option<Time>,
    /// `trigger.interval`, seconds.
    pub trigger_interval_seconds: f64,
    /// Where the files go: the storage's URI.
    pub storage: String,
    /// The topics read.
    pub topics: Vec<String>,
}

/// What the process is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// It reaches Kafka, the storage and the metastore, and opens the log.
    #[default]
    Starting,
    /// It reads and lands.
    Running,
    /// It was told to stop, or has read all it was to read: it lands what is buffered.
    Stopping,
}

/// What is held in memory between Kafka and the storage, as `memory.max` counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemoryStatus {
    /// Bytes held.
    pub held_bytes: u64,
    /// Bytes that may be held.
    pub max_bytes: u64,
    /// Since when no more is read because all of it is used; `None`: there is room.
    pub full_since: Option<Time>,
}

impl Status {
    /// The table of this name, which is made if it is not there.
    pub fn table(&mut self, name: &str) -> &mut TableStatus {
        let at = self.tables.iter().position(|t| t.name == name).unwrap_or_else(|| {
            self.tables.push(TableStatus::new(name));
            self.tables.len() - 1
        });
        &mut self.tables[at]
    }

    /// Adds a landed batch.
    pub fn landed(&mut self, progress: Progress, at: Time) {
        self.batches += 1;
        self.messages += progress.num_input_rows;
        for (table, rows) in &progress.sink.tables {
            *self.rows.entry(table.clone()).or_default() += rows;
        }
        self.accounting.add(&progress.accounting);
        add_bounded(&mut self.field_errors, &progress.field_errors);
        add_bounded(&mut self.unknown_fields, &progress.unknown_fields);
        let progress = Arc::new(progress);
        while self.progress.len() >= BATCHES_KEPT {
            self.progress.pop_front();
        }
        self.progress.push_back(progress.clone());
        self.last = Some(progress);
        self.last_landed = Some(at);
    }
}

/// Names come from migrations and from messages: of these there may be any number.
const NAMES_KEPT: usize = 1000;

fn add_bounded(counts: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (name, count) in more {
        let kept = counts.contains_key(name) || counts.len() < NAMES_KEPT;
        *counts.entry(if kept { name.clone() } else { "…".to_owned() }).or_default() += count;
    }
}

fn batches<S: Serializer>(progress: &VecDeque<Arc<Progress>>, to: S) -> Result<S::Ok, S::Error> {
    let mut seq = to.serialize_seq(Some(progress.len()))?;
    progress.iter().try_for_each(|p| seq.serialize_element(&**p))?;
    seq.end()
}
