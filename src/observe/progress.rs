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
    /// Id of the job, for as long as its checkpoint lives.
    pub id: String,
    /// Id of this run of it.
    pub run_id: String,
    /// Job name.
    pub name: String,
    /// Time at which the batch was sealed, RFC 3339 in UTC.
    pub timestamp: String,
    /// Number of the batch: its slot in the log.
    pub batch_id: u64,
    /// Milliseconds from its sealing until it was landed.
    pub batch_duration: u64,
    /// Messages read.
    pub num_input_rows: u64,
    /// Messages read a second since the batch before.
    pub input_rows_per_second: f64,
    /// Messages landed a second of work.
    pub processed_rows_per_second: f64,
    /// Milliseconds by phase. `triggerExecution` is the time from the sealing until it was landed, in which there are `stage`,
    /// `commit` and `publish`; `poll`, `decode` and `encode` are working time of threads, most of it while the batch was open.
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
    /// Where the partitions ended, as Kafka last said; an answer may be some seconds old.
    pub latest_offset: Offsets,
    /// Messages.
    pub num_input_rows: u64,
    /// Bytes of their keys and values.
    pub num_input_bytes: u64,
    /// Messages read a second since the batch before.
    pub input_rows_per_second: f64,
    /// Messages landed a second of work.
    pub processed_rows_per_second: f64,
    /// `avgOffsetsBehindLatest`, `maxOffsetsBehindLatest` and `minOffsetsBehindLatest`, over the partitions of the batch;
    /// as text, as Spark has them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<&'static str, String>,
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
