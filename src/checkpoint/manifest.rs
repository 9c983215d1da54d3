//! The manifest of a slot: which offsets a batch read, which files it holds, what became of every message.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::replay::ReplayEntry;
use crate::model::{Accounting, BatchId, Offset, OffsetRange, Tail, TopicPartition};

/// A batch's manifest, `m.<batch>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format version: the second one if a file names a partition.
    pub v: u32,
    /// What the slot does: `batch`, or `replay`.
    pub kind: String,
    /// The configuration's `job`.
    pub job: String,
    /// Job id.
    pub job_id: Uuid,
    /// Name of the attempt.
    pub batch: BatchId,
    /// Who wrote it: host, process and incarnation.
    pub instance: String,
    /// When, milliseconds since 1970 UTC.
    pub created_ms: i64,
    /// What was read, by partition.
    pub partitions: Vec<PartitionEntry>,
    /// `replay`: the dead letters that it lands. Kafka's positions stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replay: Vec<ReplayEntry>,
    /// What became of the messages.
    pub counts: Accounting,
    /// Data files, in the order in which they are published.
    pub files: Vec<FileEntry>,
    /// Tables in the order in which their files appear.
    pub publish_order: Vec<String>,
    /// Directory of each table, as of this slot.
    pub locations: BTreeMap<String, String>,
    /// Fingerprint of each table's columns.
    pub schema: BTreeMap<String, String>,
    /// Fields of a later minor version, kept.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

/// What a batch read of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionEntry {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub p: i32,
    /// How often the topic was declared new before; see [`super::TopicEntry`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub incarnation: u32,
    /// First position.
    pub start: Offset,
    /// Position after the last message.
    pub end: Offset,
    /// Messages read; fewer than `end - start` where Kafka has holes.
    pub records: u64,
    /// Fingerprint of the last message, to notice a topic that was deleted and made anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<Tail>,
}

impl PartitionEntry {
    /// The partition.
    pub fn partition(&self) -> TopicPartition {
        TopicPartition::new(self.topic.as_str(), self.p)
    }

    /// The range.
    pub fn range(&self) -> OffsetRange {
        OffsetRange { start: self.start, end: self.end }
    }
}

/// One data file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Name in the slot.
    pub name: String,
    /// Table.
    pub table: String,
    /// Its partition, as the directory below the table's: `dt=2026-11-22/hour=7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// Rows.
    pub rows: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// CRC-32C of the bytes, in hex.
    pub crc32c: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
pub(super) fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Manifest {
    /// The kind of slot that lands rows.
    pub const KIND: &'static str = "batch";
    /// The kind that lands rows from dead letters. A landfall that does not know it stops: it would forget them with
    /// its next snapshot.
    pub const REPLAY: &'static str = "replay";

    /// The directory into which a file is published; `None`: the manifest names none for its table.
    pub fn directory(&self, file: &FileEntry) -> Option<String> {
        let location = self.locations.get(&file.table)?;
        Some(match &file.partition {
            Some(partition) => format!("{location}/{partition}"),
            None => location.clone(),
        })
    }

    /// Messages that it accounts for: those read from Kafka, and dead letters.
    pub fn messages(&self) -> u64 {
        self.partitions.iter().map(|p| p.records).sum::<u64>()
            + self.replay.iter().map(ReplayEntry::messages).sum::<u64>()
    }
}
