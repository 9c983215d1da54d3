//! What is committed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::checkpoint::{Entry, PartitionEntry, ReplayEntry};
use crate::model::{Accounting, Offset, Slot, TopicPartition};

/// What goes for a slot.
#[derive(Debug, Clone)]
pub(super) enum Proposal {
    /// Rows.
    Batch(Arc<Batch>),
    /// The end of the epoch.
    Seal,
    /// Skip what is gone from Kafka.
    Gap { partition: TopicPartition, to: Offset, why: Decision },
    /// Begin a topic anew.
    Topic { topic: String, starts: BTreeMap<i32, Offset>, why: Decision },
}

/// Who decided something about the log, and why: it stays in the log.
#[derive(Debug, Clone)]
pub struct Decision {
    /// In words.
    pub reason: String,
    /// A person, or `kafka.on_gap`.
    pub operator: String,
}

/// A sealed micro-batch, as the commit sees it.
#[derive(Debug)]
pub struct Batch {
    /// What was read, by partition.
    pub partitions: Vec<PartitionEntry>,
    /// The dead letters that it lands: then nothing was read.
    pub replay: Vec<ReplayEntry>,
    /// What became of the messages.
    pub counts: Accounting,
    /// The rows.
    pub content: Box<dyn Content>,
}

/// The rows of a batch, ready to be written as often as it takes.
pub trait Content: Send + Sync + fmt::Debug {
    /// The data files, in the order in which they are published. `slot` is the batch's number in rows that carry it.
    /// Called off the runtime's threads.
    fn files(&self, slot: Slot) -> Result<Vec<DataFile>, ContentError>;

    /// Whether rows carry the batch's number, so that another slot means other files.
    fn names_slot(&self) -> bool;

    /// How long threads have worked on the files so far.
    fn worked(&self) -> Duration {
        Duration::ZERO
    }
}

/// Rows that cannot be encoded: a bug of landfall.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the rows of table {table} cannot be encoded: {reason}")]
pub struct ContentError {
    /// Table.
    pub table: String,
    /// What the encoder said.
    pub reason: String,
}

/// One encoded data file.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Table.
    pub table: String,
    /// The table's directory.
    pub location: String,
    /// Its partition, as the directory below that: `dt=2026-11-22/hour=7`.
    pub partition: Option<String>,
    /// Fingerprint of the table's columns.
    pub schema: String,
    /// Rows.
    pub rows: u64,
    /// CRC-32C of the bytes.
    pub crc32c: u32,
    /// The file.
    pub bytes: Bytes,
}

/// A staged attempt that goes for a slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// What stands in its manifest.
    pub entry: Entry,
    /// The only slot that it fits: rows may carry its number, and a seal names the slot after it.
    pub only_for: Option<Slot>,
}
