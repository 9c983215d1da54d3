//! The progress record of a batch, with the field names of Spark's `StreamingQueryProgress`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::Accounting;

/// Positions by topic and partition.
pub type Offsets = BTreeMap<String, BTreeMap<i32, i64>>;

/// One batch, as logged.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Job name.
    pub name: String,
    /// Time at which the batch was sealed, RFC 3339 in UTC.
    pub timestamp: String,
    /// Number of the batch: its slot in the log.
    pub batch_id: u64,
    /// Messages read.
    pub num_input_rows: u64,
    /// Messages read a second since the batch before.
    pub input_rows_per_second: f64,
    /// Messages landed a second of work.
    pub processed_rows_per_second: f64,
    /// Milliseconds by phase; `triggerExecution` is the whole.
    pub duration_ms: BTreeMap<&'static str, u64>,
    /// What was read.
    pub sources: Vec<SourceProgress>,
    /// What was written.
    pub sink: SinkProgress,
    /// What became of the messages.
    pub accounting: Accounting,
    /// Values that became null because they were of another type than their column, by `table.column`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub field_errors: BTreeMap<String, u64>,
    /// Fields that no column of their table takes, by `table.field`, if they are counted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown_fields: BTreeMap<String, u64>,
}

/// What a batch read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceProgress {
    /// `Kafka[topic,…]`
    pub description: String,
    /// First positions.
    pub start_offset: Offsets,
    /// Positions after the last messages.
    pub end_offset: Offsets,
    /// Messages.
    pub num_input_rows: u64,
    /// Bytes of their keys and values.
    pub num_input_bytes: u64,
}

/// What a batch wrote.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkProgress {
    /// `Parquet[storage URI]`
    pub description: String,
    /// Rows, of all tables.
    pub num_output_rows: u64,
    /// Bytes of the Parquet files.
    pub num_output_bytes: u64,
    /// Rows by table.
    pub tables: BTreeMap<String, u64>,
}

/// How the job stands, for the live views.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Batches landed by this process.
    pub batches: u64,
    /// Messages landed by this process.
    pub messages: u64,
    /// Rows landed by this process, by table.
    pub rows: BTreeMap<String, u64>,
    /// What became of the messages.
    pub accounting: Accounting,
    /// The last batch.
    pub last: Option<Progress>,
    /// Whether reading has begun.
    pub reading: bool,
    /// Messages that a bounded run has read, landed or not.
    pub read: u64,
    /// Offsets that a bounded run has still to read; some may be no messages. `None` before it knows, and in a daemon.
    pub left: Option<u64>,
    /// Partitions that are stopped, and why.
    pub stopped: Vec<String>,
    /// Why reading is paused: too many dead letters.
    pub paused: Option<String>,
    /// What Kafka refuses, if it does: to let us in, or to let us read.
    pub denied: Option<String>,
    /// Which configuration is in force.
    pub config: super::ConfigStatus,
}
